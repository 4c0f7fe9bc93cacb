"""The fragment index and the trailer that seals it: sealed-file-v1, section 7. Pure."""

import itertools
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from archive.format.errors import DamagedTrailer
from streams.media.packets import Track

USER_TYPE: Final = bytes.fromhex("5e7e1c8ab7d94f0e9c632f1a6d0b84e5")
FOOTER: Final = 12
LEAST_TRAILER: Final = 44
MOST_TRAILER: Final = 16 * 1024 * 1024

_BEGIN = struct.Struct(">I4s16sII")
_ENTRY = struct.Struct(">BBHIQQQQI")
_END = struct.Struct(">QI")
_NUMBER_OF: Final[Mapping[Track, int]] = MappingProxyType({Track.VIDEO: 1, Track.AUDIO: 2})
_TRACK_OF: Final[Mapping[int, Track]] = MappingProxyType({number: track for track, number in _NUMBER_OF.items()})
_MOST_US: Final = 2**63


class FragmentEntry(NamedTuple):
    """One fragment: when it was captured, and where it lies in the media.

    Times are microseconds of our clock; `decode_time` and `duration` are ticks of the track's timescale. A tuple, since
    every seek makes some hundred of them; what they say is checked by the index that lists them.
    """

    track: Track
    captured_from_us: int
    captured_until_us: int
    offset: int
    length: int
    starts_with_key: bool
    decode_time: int
    duration: int

    @property
    def end(self) -> int:
        """Where the next fragment may begin."""
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class FragmentIndex:
    """All fragments of a file in the order of their offsets, after `init_length` bytes of init segment.

    Raises ValueError if an entry says what no fragment can, or they do not follow each other.
    """

    init_length: int = 0
    entries: tuple[FragmentEntry, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.init_length < 2**32:
            raise ValueError("an init segment has a length")
        end = self.init_length
        for _, from_us, until_us, offset, length, _, decode_time, duration in self.entries:
            if not 0 <= from_us <= until_us < _MOST_US:
                raise ValueError("a fragment is captured from a moment until a later one")
            if not 0 < length < 2**32 or not 0 <= decode_time < 2**64 or not 0 <= duration < 2**32:
                raise ValueError("a fragment has a length, a decode time and a duration")
            if not end <= offset < 2**63:
                raise ValueError("fragments follow each other and the init segment")
            end = offset + length
        if trailer_length(len(self.entries)) > MOST_TRAILER:
            raise ValueError("more fragments than a trailer can list")

    @property
    def end(self) -> int:
        """Return where the last fragment ends: the media that can be shown."""
        return self.entries[-1].end if self.entries else self.init_length


def trailer_length(entries: int) -> int:
    """Return the size of a trailer with this many entries."""
    return LEAST_TRAILER + _ENTRY.size * entries


def encode_trailer(index: FragmentIndex, media_length: int) -> bytes:
    """Write the trailer of a file with `media_length` bytes of media. Raises ValueError if the index goes beyond."""
    if index.end > media_length:
        raise ValueError("the index goes beyond the media")
    size = trailer_length(len(index.entries))
    begin = _BEGIN.pack(size, b"uuid", USER_TYPE, index.init_length, len(index.entries))
    return b"".join(itertools.chain((begin,), map(_encode_entry, index.entries), (_END.pack(media_length, size),)))


def read_footer(footer: bytes, plain_length: int) -> tuple[int, int]:
    """Return (media length, trailer length) from the last 12 bytes of the plaintext. Raises DamagedTrailer."""
    if plain_length < LEAST_TRAILER or len(footer) != FOOTER:
        raise DamagedTrailer("there is no room for a trailer")
    media_length, size = _END.unpack(footer)
    fits = LEAST_TRAILER <= size <= MOST_TRAILER and (size - LEAST_TRAILER) % _ENTRY.size == 0
    if not fits or media_length + size != plain_length:
        raise DamagedTrailer("media and trailer are not the whole plaintext")
    return media_length, size


def decode_trailer(trailer: bytes, media_length: int) -> FragmentIndex:
    """Read a trailer whose footer was read before; every field is checked (R5). Raises DamagedTrailer."""
    size, kind, user_type, init_length, count = _BEGIN.unpack_from(trailer)
    if size != len(trailer) or kind != b"uuid" or user_type != USER_TYPE or trailer_length(count) != size:
        raise DamagedTrailer("the trailer is not a box of ours")
    listed = _ENTRY.iter_unpack(trailer[_BEGIN.size : size - FOOTER])
    try:
        index = FragmentIndex(init_length, tuple(_decoded(listed)))
    except ValueError as error:
        raise DamagedTrailer(str(error)) from error
    if index.end > media_length:
        raise DamagedTrailer("the index goes beyond the media")
    return index


def _encode_entry(entry: FragmentEntry) -> bytes:
    return _ENTRY.pack(
        _NUMBER_OF[entry.track],
        int(entry.starts_with_key),
        0,
        entry.length,
        entry.offset,
        entry.captured_from_us,
        entry.captured_until_us,
        entry.decode_time,
        entry.duration,
    )


def _decoded(listed: Iterable[tuple[int, ...]]) -> Iterator[FragmentEntry]:
    for number, flags, reserved, length, offset, from_us, until_us, decode_time, duration in listed:
        if number not in _TRACK_OF or flags > 1 or reserved:
            raise ValueError("an entry has a value that no writer writes")
        yield FragmentEntry(_TRACK_OF[number], from_us, until_us, offset, length, bool(flags), decode_time, duration)

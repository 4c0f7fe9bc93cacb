"""What a finished fragment says, and the few things that may be changed in it (ISO/IEC 14496-12, 8.8). Pure.

Only fragments as `fmp4.Fragmenter` writes them are taken (one moof with one track run, one mdat); anything else
raises DamagedBox. A change returns new bytes and never touches a packet's own.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from streams.media.boxes import DamagedBox
from streams.media.fmp4 import DECODE_TIME_AT, DESCRIPTION_AT, ENTRY, HEAD, MDAT_HEAD, SEQUENCE_AT

_IS_NO_SYNC: Final = 0x00010000
_KINDS: Final = ((4, b"moof"), (12, b"mfhd"), (28, b"traf"), (36, b"tfhd"), (56, b"tfdt"), (76, b"trun"))


@dataclass(frozen=True, slots=True)
class FragmentInfo:
    """The head of a fragment. `decode_time` and `duration` are ticks of the track's timescale."""

    track_id: int
    sequence: int
    sample_description: int
    decode_time: int
    duration: int
    packets: int
    starts_with_key: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """One packet inside a fragment: its times in ticks, and where its bytes lie in the fragment."""

    dts: int
    pts: int
    duration: int
    is_key: bool
    start: int
    end: int


def fragment_info(fragment: bytes) -> FragmentInfo:
    """Read the head of a fragment. Raises DamagedBox."""
    head = _head(fragment)
    samples = list(ENTRY.iter_unpack(fragment[HEAD.size : head.moof_size]))
    return FragmentInfo(
        track_id=head.track_id,
        sequence=head.sequence,
        sample_description=head.description,
        decode_time=head.decode_time,
        duration=sum(duration for duration, _, _, _ in samples),
        packets=len(samples),
        starts_with_key=not samples[0][2] & _IS_NO_SYNC,
    )


def samples_of(fragment: bytes) -> Iterator[Sample]:
    """Yield the packets of a fragment in decode order. Raises DamagedBox if their sizes do not add up."""
    head = _head(fragment)
    dts, at = head.decode_time, head.moof_size + MDAT_HEAD.size
    for duration, size, flags, offset in ENTRY.iter_unpack(fragment[HEAD.size : head.moof_size]):
        yield Sample(dts, dts + offset, duration, not flags & _IS_NO_SYNC, at, at + size)
        dts += duration
        at += size
    if at != len(fragment):
        raise DamagedBox("the packets of a fragment do not fill it")


def shift_decode_time(fragment: bytes, delta: int) -> bytes:
    """Return the fragment `delta` ticks later (earlier if negative): decode and presentation times move alike.

    Raises ValueError if it would begin before zero.
    """
    begins = _head(fragment).decode_time + delta
    if not 0 <= begins < 2**64:
        raise ValueError("a fragment cannot begin before zero")
    return _patched(fragment, DECODE_TIME_AT, begins.to_bytes(8, "big"))


def renumber(fragment: bytes, sequence: int) -> bytes:
    """Return the fragment with another sequence number (modulo 2^32): it must rise within one file."""
    _head(fragment)
    return _patched(fragment, SEQUENCE_AT, (sequence & 0xFFFFFFFF).to_bytes(4, "big"))


def set_sample_description(fragment: bytes, index: int) -> bytes:
    """Return the fragment pointing at the `index`-th (from 1) sample description of a merged init segment."""
    _head(fragment)
    if not 1 <= index < 2**32:
        raise ValueError("sample descriptions are counted from 1")
    return _patched(fragment, DESCRIPTION_AT, index.to_bytes(4, "big"))


def with_parameter_sets(fragment: bytes, sets: bytes) -> bytes:
    """Return the fragment with `sets` (`coding.parameter_sets`) standing before its first packet, as part of it.

    Many players, ffmpeg among them, do not heed a change of sample description in the middle of a file; parameter
    sets in the first key picture behind the change are understood by all.
    """
    head = _head(fragment)
    duration, size, flags, offset = ENTRY.unpack_from(fragment, HEAD.size)
    view = memoryview(fragment)
    media = head.moof_size + MDAT_HEAD.size
    entry = ENTRY.pack(duration, size + len(sets), flags, offset)
    mdat = MDAT_HEAD.pack(len(fragment) - head.moof_size + len(sets), b"mdat")
    return b"".join((view[: HEAD.size], entry, view[HEAD.size + ENTRY.size : head.moof_size], mdat, sets, view[media:]))


@dataclass(frozen=True, slots=True)
class _Head:
    moof_size: int
    sequence: int
    track_id: int
    description: int
    decode_time: int


def _head(fragment: bytes) -> _Head:
    if any(fragment[at : at + 4] != kind for at, kind in _KINDS):
        raise DamagedBox("this is no fragment of ours")
    try:
        fields = HEAD.unpack_from(fragment)
        mdat_size, mdat = MDAT_HEAD.unpack_from(fragment, fields[0])
    except struct.error:
        raise DamagedBox("a fragment is cut off") from None
    moof_size, count = fields[0], fields[20]
    is_whole = (
        moof_size == HEAD.size + count * ENTRY.size and mdat == b"mdat" and moof_size + mdat_size == len(fragment)
    )
    if not is_whole or count == 0:
        raise DamagedBox("the boxes of a fragment do not add up")
    return _Head(moof_size, sequence=fields[5], track_id=fields[11], description=fields[12], decode_time=fields[16])


def _patched(fragment: bytes, at: int, value: bytes) -> bytes:
    view = memoryview(fragment)
    return b"".join((view[:at], value, view[at + len(value) :]))

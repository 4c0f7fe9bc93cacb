"""One MP4 over many segments: one init segment in front, stamps that follow the wall clock from the first picture on.

Plain functions of what was read. A reconnect or new parameters become another sample description (ISO/IEC 14496-12,
8.5.2); a gap in the recording stays a gap in the film.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from archive.format.index import FragmentEntry
from streams.media.fragments import renumber, set_sample_description, shift_decode_time
from streams.media.inits import init_for, merge_inits, timescales
from streams.media.packets import Track, TrackInfo


@dataclass(frozen=True, slots=True)
class Line:
    """An unbroken run of stamps: (run, epoch) of a segment."""

    run: str
    epoch: int


class Film:
    """Turns fragments of several segments into those of one file. Give it the fragments in order.

    Only tracks that every part has are kept: a film does not fall silent half-way without saying so.
    """

    def __init__(self, inits: Sequence[bytes], starts_us: int) -> None:
        scales = [timescales(init) for init in inits]
        self.tracks = frozenset.intersection(*(frozenset(one) for one in scales))
        unique = list(dict.fromkeys(_reduced(init, self.tracks) for init in inits))
        self._description = [unique.index(_reduced(init, self.tracks)) + 1 for init in inits]
        self._scales = scales[0]
        self._starts_us = starts_us
        self._shifts: dict[tuple[Line, Track], int] = {}
        self._sequence = 0
        self.init = unique[0] if len(unique) == 1 else merge_inits(unique)

    def fragment(self, part: int, line: Line, entry: FragmentEntry, data: bytes) -> bytes:
        """Return one fragment as it stands in the film; empty if its track is left out."""
        if entry.track not in self.tracks:
            return b""
        key = (line, entry.track)
        if key not in self._shifts:
            since_us = max(entry.captured_from_us - self._starts_us, 0)
            self._shifts[key] = since_us * self._scales[entry.track] // 1_000_000 - entry.decode_time
        self._sequence += 1
        shifted = renumber(shift_decode_time(data, self._shifts[key]), self._sequence)
        number = self._description[part]
        return shifted if number == 1 else set_sample_description(shifted, number)


def _reduced(init: bytes, tracks: frozenset[Track]) -> bytes:
    scales = timescales(init)
    return init_for(init, [TrackInfo(track, "", scales[track], b"") for track in sorted(tracks)])

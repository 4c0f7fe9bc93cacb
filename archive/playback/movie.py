"""One MP4 over many segments: one init segment in front, stamps that follow the wall clock from the first picture on.

Plain functions of what was read. A reconnect or new parameters become another sample description (ISO/IEC 14496-12,
8.5.2); a gap in the recording stays a gap in the film.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from archive.format.index import FragmentEntry
from streams.media.boxes import boxes_in, find
from streams.media.coding import parameter_sets
from streams.media.fragments import renumber, set_sample_description, shift_decode_time, with_parameter_sets
from streams.media.inits import init_for, merge_inits, timescales
from streams.media.packets import Track, TrackInfo

_VISUAL_SAMPLE_ENTRY: Final = 78  # bytes before the boxes inside of it (ISO/IEC 14496-12, 12.1.3)
_CODEC_OF: Final[Mapping[bytes, str]] = MappingProxyType({b"avcC": "h264", b"hvcC": "hevc"})


@dataclass(frozen=True, slots=True)
class Line:
    """An unbroken run of stamps: (run, epoch) of a segment."""

    run: str
    epoch: int


class Film:
    """Turns fragments of several segments into those of one file. Give it the fragments in order.

    Only tracks that every part has, in the same timescale, are kept: a film does not fall silent half-way without
    saying so. Raises DamagedBox if not even the video is alike.
    """

    def __init__(self, inits: Sequence[bytes], starts_us: int) -> None:
        scales = [timescales(init) for init in inits]
        common = set.intersection(*(set(one.items()) for one in scales))
        self.tracks = frozenset(track for track, _ in common)
        reduced = [_reduced(init, self.tracks) for init in inits]
        self._unique = unique = list(dict.fromkeys(reduced))
        self._description = [unique.index(one) + 1 for one in reduced]
        self._scales = scales[0]
        self._starts_us = starts_us
        self._shifts: dict[tuple[Line, Track], int] = {}
        self._ends: dict[Track, int] = {}
        self._shown = 1
        self._sequence = 0
        self.init = unique[0] if len(unique) == 1 else merge_inits(unique)

    def fragment(self, part: int, line: Line, entry: FragmentEntry, data: bytes) -> bytes:
        """Return one fragment as it stands in the film; empty if its track is left out."""
        if entry.track not in self.tracks:
            return b""
        key = (line, entry.track)
        if key not in self._shifts:
            since = max(entry.captured_from_us - self._starts_us, 0) * self._scales[entry.track] // 1_000_000
            # Where a camera's stamps ran ahead of the clock, the next line begins a little later than it was captured.
            self._shifts[key] = max(since, self._ends.get(entry.track, 0)) - entry.decode_time
        begins = entry.decode_time + self._shifts[key]
        self._ends[entry.track] = max(begins + entry.duration, self._ends.get(entry.track, 0))
        self._sequence += 1
        number = self._description[part]
        if entry.track is Track.VIDEO and number != self._shown:
            # Many players do not heed a change of sample description: the parameter sets are in the picture, too.
            self._shown = number
            data = with_parameter_sets(data, _parameter_sets(self._unique[number - 1]))
        shifted = renumber(shift_decode_time(data, self._shifts[key]), self._sequence)
        return shifted if number == 1 else set_sample_description(shifted, number)


def _reduced(init: bytes, tracks: frozenset[Track]) -> bytes:
    scales = timescales(init)
    if tracks == set(scales):
        return init  # `init_for` made it already.
    return init_for(init, [TrackInfo(track, "", scales[track], b"") for track in sorted(tracks)])


def _parameter_sets(init: bytes) -> bytes:
    """Return the parameter sets of an init segment's video track; nothing for a codec that has none."""
    video = _reduced(init, frozenset({Track.VIDEO}))
    stsd = find(video, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    for entry in boxes_in(video, stsd.body + 8, stsd.end):
        for inner in boxes_in(video, entry.body + _VISUAL_SAMPLE_ENTRY, entry.end):
            if inner.kind in _CODEC_OF:
                record = video[inner.body : inner.end]
                return parameter_sets(TrackInfo(Track.VIDEO, _CODEC_OF[inner.kind], 0, record))
    return b""

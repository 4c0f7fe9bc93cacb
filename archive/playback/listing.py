"""The pieces of a span as a playlist lists them, and where a player finds the init segment of each. Blocking."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from archive.errors import FootageIsGone
from archive.playback.movie import Line
from archive.playback.opening import Look
from archive.playback.rules import may_show, pieces
from archive.playback.service import Footage, Part
from archive.segments.rules import Span
from streams.media.inits import timescales
from streams.media.packets import Track
from streams.media.playlists import PlaylistSegment
from vms_privacy.ids import SegmentId

_HOLE_US: Final = 500_000
_LETTER: Final[Mapping[Track, str]] = MappingProxyType({Track.VIDEO: "v", Track.AUDIO: "a"})
_Coding = tuple[Line, str]


@dataclass(frozen=True, slots=True)
class _Home:
    """Where the init segment of a line is, and by how many ticks the decode times of its fragments are moved."""

    segment_id: SegmentId
    shifts: Mapping[Track, int]

    def query(self, key: str) -> str:
        """Return what the address of a piece says behind its path."""
        moved = "".join(f"&{_LETTER[track]}={ticks}" for track, ticks in self.shifts.items())
        return f"?s={key}{moved}"


def listed(footage: Footage, look: Look, wanted: Span, key: str) -> list[PlaylistSegment]:
    """Return what may be seen of a span; the URIs carry the key of a session. Raises as `Footage.find`.

    Another run of stamps, other tracks and a hole in the recording each begin a new timeline.
    """
    parts = footage.find(look, wanted)
    homes = _homes(footage, look, parts)
    found: list[PlaylistSegment] = []
    before: _Coding | None = None
    until_us = 0
    for part in parts:
        coding, segment_id = _coding(part), part.sealed.segment.id
        home = homes[coding]
        for piece in pieces(part.index.entries, part.chosen):
            begins_new = coding != before or piece.from_us - until_us > _HOLE_US
            found.append(
                PlaylistSegment(
                    uri=f"archive/{segment_id}/{piece.first}-{piece.last}.m4s{home.query(key)}",
                    init_uri=f"archive/{home.segment_id}/init.mp4?s={key}",
                    duration_us=piece.until_us - piece.from_us,
                    captured_from_us=piece.from_us,
                    begins_new_timeline=before is not None and begins_new,
                )
            )
            before, until_us = coding, piece.until_us
    return found


def init_of(footage: Footage, look: Look, segment_id: SegmentId) -> bytes:
    """Return the init segment of a segment of which something may be seen. Raises FootageIsGone."""
    seen, index = footage.segment(look, segment_id)
    allowed = footage.allowed(look, seen)
    if not any(may_show(entry, allowed) for entry in index.entries):
        raise FootageIsGone("this part of the footage is gone")
    return footage.init(look, seen.sealed, index)


def _homes(footage: Footage, look: Look, parts: Sequence[Part]) -> dict[_Coding, _Home]:
    """Say where a player takes the init segments from: from the last segment of each coding, which stays longest.

    Where there are several, those that are the very same have one home, since many players take another address for
    another coding, and decode times are moved to the wall clock: ffmpeg drops pictures whose stamps begin anew.
    """
    last = {_coding(part): part for part in parts}
    if len(last) == 1:
        return {coding: _Home(part.sealed.segment.id, {}) for coding, part in last.items()}
    inits = {coding: footage.init(look, part.sealed, part.index) for coding, part in last.items()}
    scales = {coding: timescales(init) for coding, init in inits.items()}
    newest = {inits[coding]: part.sealed.segment.id for coding, part in last.items()}
    offsets = _offsets(parts, {coding: own[Track.VIDEO] for coding, own in scales.items()})
    return {
        (line, tracks): _Home(
            newest[init],
            {track: offsets[line] * scale // 1_000_000 for track, scale in scales[line, tracks].items()},
        )
        for (line, tracks), init in inits.items()
    }


def _offsets(parts: Sequence[Part], scales: Mapping[_Coding, int]) -> dict[Line, int]:
    """Say how many microseconds lie between the decode times of each line and the wall clock.

    Where a camera's stamps ran ahead of the clock, the next line begins a little later than it was captured.
    """
    found: dict[Line, int] = {}
    until_us = 0
    for part in parts:
        coding = _coding(part)
        line, scale = coding[0], scales[coding]
        pictures = [entry for entry in part.entries if entry.track is Track.VIDEO]
        first, last = pictures[0], pictures[-1]
        if line not in found:
            found[line] = max(first.captured_from_us, until_us) - first.decode_time * 1_000_000 // scale
        until_us = found[line] + (last.decode_time + last.duration) * 1_000_000 // scale
    return found


def _coding(part: Part) -> _Coding:
    segment = part.sealed.segment
    return Line(segment.run, segment.epoch), part.sealed.tracks

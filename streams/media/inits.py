"""Init segments: ftyp + moov for exactly the tracks that are wanted, under our track numbers. Pure.

libav writes the first one (it knows every codec's sample entry); `init_for` puts it into our form, so that any
fragment of `fmp4.Fragmenter` fits every init segment of its epoch. Source: ISO/IEC 14496-12, 8.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from streams.media.boxes import Box, DamagedBox, box, boxes_in, find, full_box, pack_u32, u32
from streams.media.fmp4 import TRACK_ID
from streams.media.packets import Track, TrackInfo

_HANDLER: Final = {Track.VIDEO: b"vide", Track.AUDIO: b"soun"}
# default-base-is-moof needs iso5, signed composition offsets iso4: iso6 says both.
_FTYP: Final = box(b"ftyp", b"iso6", pack_u32(0), b"iso6", b"iso5", b"mp42")
_STSD: Final = (b"mdia", b"minf", b"stbl", b"stsd")


def init_for(init: bytes, tracks: Collection[TrackInfo]) -> bytes:
    """Return an init segment for exactly `tracks`, out of one that has them all.

    Track numbers become those of `fmp4.TRACK_ID` and timescales those of `tracks`; edit lists, user data and
    traces of the writer are left out. Doing it twice changes nothing. Raises DamagedBox if a track is missing.
    """
    moov = find(init, b"moov")
    wanted = sorted(tracks, key=lambda info: TRACK_ID[info.track])
    if not wanted:
        raise ValueError("an init segment has at least one track")
    traks = [_renumbered(init, _trak_of(init, moov, info.track), info) for info in wanted]
    trexes = [full_box(b"trex", 0, 0, *map(pack_u32, (TRACK_ID[info.track], 1, 0, 0, 0))) for info in wanted]
    return _FTYP + box(b"moov", _mvhd(init, moov), *traks, box(b"mvex", *trexes))


def merge_inits(inits: Sequence[bytes]) -> bytes:
    """Return one init segment in which the sample descriptions of `inits[n]` have index n + 1 in each track.

    For one MP4 over a change of parameters; the fragments are made to point there with
    `fragments.set_sample_description`. All must come from `init_for` with the same tracks and timescales, or
    DamagedBox is raised. Size and rotation of the first one stand in its track head.
    """
    if not inits:
        raise ValueError("nothing to merge")
    first = inits[0]
    moov = find(first, b"moov")
    shapes = {tuple(sorted(_timescales(init).items())) for init in inits}
    if len(shapes) != 1:
        raise DamagedBox("init segments of different tracks or timescales cannot be merged")
    merged = []
    for part in boxes_in(first, moov.body, moov.end):
        if part.kind != b"trak":
            merged.append(first[part.start : part.end])
            continue
        handler = _handler(first, part)
        entries = [entry for init in inits for entry in _sample_entries(init, handler)]
        merged.append(_replaced(first, part, _STSD, full_box(b"stsd", 0, 0, pack_u32(len(entries)), *entries)))
    return _FTYP + box(b"moov", *merged)


def sample_entry_kind(init: bytes, track: Track) -> str:
    """Return the four characters of a track's sample entry, such as `avc1`. Raises DamagedBox."""
    stsd = find(init, *_STSD, within=_trak_of(init, find(init, b"moov"), track))
    entry = next(boxes_in(init, stsd.body + 8, stsd.end), None)
    if entry is None:
        raise DamagedBox("a track has no sample description")
    return entry.kind.decode("latin-1")


def timescales(init: bytes) -> dict[Track, int]:
    """Return the timescale of each track. Raises DamagedBox."""
    known = {handler: track for track, handler in _HANDLER.items()}
    return {known[handler]: scale for handler, scale in _timescales(init).items() if handler in known}


def _trak_of(init: bytes, moov: Box, track: Track) -> Box:
    for part in boxes_in(init, moov.body, moov.end):
        if part.kind == b"trak" and _handler(init, part) == _HANDLER[track]:
            return part
    raise DamagedBox(f"the init segment has no {track} track")


def _handler(init: bytes, trak: Box) -> bytes:
    hdlr = find(init, b"mdia", b"hdlr", within=trak)
    return init[hdlr.body + 8 : hdlr.body + 12]


def _renumbered(init: bytes, trak: Box, info: TrackInfo) -> bytes:
    tkhd = find(init, b"tkhd", within=trak)
    mdhd = find(init, b"mdia", b"mdhd", within=trak)
    patches = (
        (_after_times(init, tkhd), pack_u32(TRACK_ID[info.track])),
        (_after_times(init, mdhd), pack_u32(info.timescale)),
    )
    changed = bytearray(init[trak.start : trak.end])
    for at, value in patches:
        changed[at - trak.start : at - trak.start + 4] = value
    whole = bytes(changed)
    kept = [part for part in boxes_in(whole, trak.body - trak.start) if part.kind not in {b"edts", b"udta"}]
    return box(b"trak", *(whole[part.start : part.end] for part in kept))


def _after_times(init: bytes, head: Box) -> int:
    """Where the field behind the times of creation and change lies: eight bytes each in version 1, else four."""
    version = u32(init, head.body) >> 24
    at = head.body + (20 if version else 12)
    if at + 4 > head.end:
        raise DamagedBox("a box is too short for its fields")
    return at


def _mvhd(init: bytes, moov: Box) -> bytes:
    mvhd = find(init, b"mvhd", within=moov)
    # Its last field is the next free track number, whatever the version.
    return init[mvhd.start : mvhd.end - 4] + pack_u32(max(TRACK_ID.values()) + 1)


def _timescales(init: bytes) -> dict[bytes, int]:
    moov = find(init, b"moov")
    found = {}
    for part in boxes_in(init, moov.body, moov.end):
        if part.kind == b"trak":
            found[_handler(init, part)] = u32(init, _after_times(init, find(init, b"mdia", b"mdhd", within=part)))
    return found


def _sample_entries(init: bytes, handler: bytes) -> Iterator[bytes]:
    moov = find(init, b"moov")
    for part in boxes_in(init, moov.body, moov.end):
        if part.kind == b"trak" and _handler(init, part) == handler:
            stsd = find(init, *_STSD, within=part)
            entries = [init[entry.start : entry.end] for entry in boxes_in(init, stsd.body + 8, stsd.end)]
            if len(entries) != 1:
                raise DamagedBox("an init segment to merge has one sample description for each track")
            yield from entries


def _replaced(data: bytes, outer: Box, path: tuple[bytes, ...], new: bytes) -> bytes:
    """Return `outer` as it is, but with the first box at `path` inside it replaced by `new`."""
    if not path:
        return new
    parts: list[bytes] = []
    left = path[0]
    for inner in boxes_in(data, outer.body, outer.end):
        if inner.kind == left:
            parts.append(_replaced(data, inner, path[1:], new))
            left = b""
        else:
            parts.append(data[inner.start : inner.end])
    return box(outer.kind, *parts)

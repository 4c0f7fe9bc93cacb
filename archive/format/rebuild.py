"""Rebuild the index of a recovered file from the boxes of its plaintext: sealed-file-v1, section 11.

Box layouts are those of ISO/IEC 14496-12. Only what our own fragment writer writes is understood: one track a
fragment, one run a track fragment, and `mdat` right after `moof`. Everything else ends the walk.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from archive.format.index import FragmentEntry, FragmentIndex
from streams.media.packets import Track

_PASSED_OVER: Final = frozenset({b"free", b"styp", b"sidx", b"prft", b"emsg"})
_MOST_TABLE: Final = 4 * 1024 * 1024
_KINDS: Final = {b"vide": Track.VIDEO, b"soun": Track.AUDIO}
_NOT_SYNC: Final = 0x0001_0000


class Plaintext(Protocol):
    """Authenticated media of a known length; a `SealedReader` is one."""

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes from `offset`, fewer at the end."""
        ...

    @property
    def media_length(self) -> int:
        """How many bytes there are."""
        ...


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    start: int
    body: int
    end: int


@dataclass(frozen=True, slots=True)
class _TrackFacts:
    track: Track
    timescale: int
    default_duration: int
    default_flags: int


@dataclass(frozen=True, slots=True)
class _Run:
    track_id: int
    decode_time: int
    duration: int
    first_is_sync: bool


class _Odd(Exception):
    """A box that our writer does not write; it ends the walk."""


def rebuild_index(plaintext: Plaintext, starts_at_us: int) -> FragmentIndex:
    """List the whole fragments of a recovered file (C7).

    `starts_at_us` is the segment's start in its row; each track's first fragment is taken to be captured then, so
    times are exact to the distance between the first fragments of the two tracks. Raises what reading raises; a box
    that is torn or not of ours ends the list without an error.
    """
    init_length = 0
    entries: list[FragmentEntry] = []
    tracks: dict[int, _TrackFacts] = {}
    first_decode: dict[int, int] = {}
    moof: tuple[_Box, _Run] | None = None
    try:
        for box in _boxes(plaintext, 0, plaintext.media_length):
            if box.kind in (b"ftyp", b"moov") and not entries and moof is None:
                if box.kind == b"moov":
                    tracks = _tracks(_body(plaintext, box))
                init_length = box.end
            elif box.kind == b"moof" and moof is None:
                moof = (box, _run(_body(plaintext, box), tracks))
            elif box.kind == b"mdat" and moof is not None:
                head, run = moof
                first_decode.setdefault(run.track_id, run.decode_time)
                entries.append(_entry(head, box, run, tracks, starts_at_us, first_decode[run.track_id]))
                moof = None
            elif box.kind not in _PASSED_OVER or moof is not None:
                break
    except (_Odd, struct.error):
        # What was understood so far is what can be shown.
        return FragmentIndex(init_length, tuple(entries))
    return FragmentIndex(init_length, tuple(entries))


def _entry(
    moof: _Box, mdat: _Box, run: _Run, tracks: dict[int, _TrackFacts], start_us: int, first: int
) -> FragmentEntry:
    facts = tracks[run.track_id]
    since = start_us + max(run.decode_time - first, 0) * 1_000_000 // facts.timescale
    return FragmentEntry(
        track=facts.track,
        captured_from_us=since,
        captured_until_us=since + run.duration * 1_000_000 // facts.timescale,
        offset=moof.start,
        length=mdat.end - moof.start,
        starts_with_key=run.first_is_sync,
        decode_time=run.decode_time,
        duration=run.duration,
    )


def within(index: FragmentIndex, until_us: int) -> FragmentIndex:
    """Return a rebuilt index in which nothing was captured after the end of its segment.

    Its times come from the camera's stamps, which may have jumped; the row's end was bounded when it was recovered.
    """
    if all(entry.captured_until_us <= until_us for entry in index.entries):
        return index
    return FragmentIndex(
        index.init_length,
        tuple(
            entry._replace(
                captured_from_us=min(entry.captured_from_us, until_us),
                captured_until_us=min(entry.captured_until_us, until_us),
            )
            for entry in index.entries
        ),
    )


def _boxes(plaintext: Plaintext, start: int, end: int) -> Iterator[_Box]:
    """Go through boxes that lie wholly between two offsets (4.2); sizes of 64 bits and `to the end` are not ours."""
    while start + 8 <= end:
        size, kind = struct.unpack(">I4s", plaintext.read(start, 8))
        if size < 8 or start + size > end:
            return
        yield _Box(kind, start, start + 8, start + size)
        start += size


def _body(plaintext: Plaintext, box: _Box) -> bytes:
    if box.end - box.body > _MOST_TABLE:
        raise _Odd
    return plaintext.read(box.body, box.end - box.body)


def _children(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    start = 0
    while start + 8 <= len(body):
        size, kind = struct.unpack_from(">I4s", body, start)
        if size < 8 or start + size > len(body):
            raise _Odd
        yield kind, body[start + 8 : start + size]
        start += size


def _child(body: bytes, *path: bytes) -> bytes:
    for wanted in path:
        body = next((inner for kind, inner in _children(body) if kind == wanted), b"")
    if not body:
        raise _Odd
    return body


def _tracks(moov: bytes) -> dict[int, _TrackFacts]:
    """Read track id, kind, timescale and defaults: 8.3.2, 8.4.2, 8.4.3, 8.8.3."""
    defaults: dict[int, tuple[int, int]] = {}
    for kind, trex in _children(_child(moov, b"mvex")):
        if kind == b"trex":
            track_id, _, duration, _, flags = struct.unpack_from(">5I", trex, 4)
            defaults[track_id] = (duration, flags)
    tracks = {}
    for kind, trak in _children(moov):
        if kind == b"trak":
            handler = _child(trak, b"mdia", b"hdlr")[8:12]
            tkhd, mdhd = _child(trak, b"tkhd"), _child(trak, b"mdia", b"mdhd")
            (track_id,) = struct.unpack_from(">I", tkhd, 20 if tkhd[0] else 12)
            (timescale,) = struct.unpack_from(">I", mdhd, 20 if mdhd[0] else 12)
            if handler not in _KINDS or track_id not in defaults or not timescale:
                raise _Odd
            tracks[track_id] = _TrackFacts(_KINDS[handler], timescale, *defaults[track_id])
    return tracks


def _run(moof: bytes, tracks: dict[int, _TrackFacts]) -> _Run:
    """Read the one run of the one track fragment: 8.8.7, 8.8.8, 8.8.12."""
    trafs = [inner for kind, inner in _children(moof) if kind == b"traf"]
    if len(trafs) != 1 or sum(kind == b"trun" for kind, _ in _children(trafs[0])) != 1:
        raise _Odd
    tfhd, tfdt, trun = (_child(trafs[0], kind) for kind in (b"tfhd", b"tfdt", b"trun"))
    given, track_id = struct.unpack_from(">II", tfhd)
    given &= 0xFF_FFFF
    facts = tracks.get(track_id)
    if facts is None:
        raise _Odd
    # Optional fields of tfhd stand in this order: data offset, description, duration, size, flags.
    optional = [(0x01, ">Q"), (0x02, ">I"), (0x08, ">I"), (0x10, ">I"), (0x20, ">I")]
    values, at = {}, 8
    for bit, form in optional:
        if given & bit:
            (values[bit],) = struct.unpack_from(form, tfhd, at)
            at += struct.calcsize(form)
    (decode_time,) = struct.unpack_from(">Q" if tfdt[0] else ">I", tfdt, 4)
    duration, flags = _samples(trun, values.get(0x08, facts.default_duration), values.get(0x20, facts.default_flags))
    return _Run(track_id, decode_time, duration, not flags & _NOT_SYNC)


def _samples(trun: bytes, default_duration: int, default_flags: int) -> tuple[int, int]:
    """Return the duration of the run and the flags of its first sample (8.8.8)."""
    given, count = struct.unpack_from(">II", trun)
    given &= 0xFF_FFFF
    at = 8 + 4 * bool(given & 0x01)
    first_flags = default_flags
    if given & 0x04:
        (first_flags,) = struct.unpack_from(">I", trun, at)
        at += 4
    fields = [bit for bit in (0x100, 0x200, 0x400, 0x800) if given & bit]
    table = struct.Struct(f">{len(fields)}I")
    if not count or at + table.size * count > len(trun):
        raise _Odd
    if not fields:
        return count * default_duration, first_flags
    rows = [dict(zip(fields, row, strict=True)) for row in table.iter_unpack(trun[at : at + table.size * count])]
    if 0x400 in fields and not given & 0x04:
        first_flags = rows[0][0x400]
    duration = sum(row.get(0x100, default_duration) for row in rows)
    return duration, first_flags

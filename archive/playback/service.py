"""Finding and reading recorded fragments of one camera. Blocking: called from threads."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from archive.blobs.store import BlobStore
from archive.errors import FootageIsDamaged, FootageIsGone, NoFootage, SpanTooLong
from archive.format.index import FragmentEntry, FragmentIndex
from archive.format.sealed_file import SealedReader
from archive.keys.rules import WrapIsForeign
from archive.keys.wrap import SegmentKeys
from archive.playback.opening import Look, SealedFiles
from archive.playback.rules import Bounds, bounds, may_show, selected, shown_until_us
from archive.recorder.growing import Growing
from archive.segments import store as segments
from archive.segments.rules import Span
from archive.segments.store import Sealed
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.errors import Refusal
from vms_privacy.ids import CameraId, SegmentId
from vms_privacy.keyring.port import KeyIsDestroyed, WrapIsDamaged

MOST_SEGMENTS: Final = 20_000
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class Part:
    """One segment's share of a span: which of its fragments are shown."""

    sealed: Sealed
    index: FragmentIndex
    chosen: range

    @property
    def entries(self) -> tuple[FragmentEntry, ...]:
        """Return the chosen fragments."""
        return self.index.entries[self.chosen.start : self.chosen.stop]


class Footage:
    """Reads sealed footage for those whose look allows it, judged per fragment on the clock for reading (P4).

    `damaged` counts segments that could not be opened and were left out of an answer.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        keys: SegmentKeys,
        spool: Path,
        store: BlobStore,
        growing: Callable[[CameraId], Growing | None],
    ) -> None:
        self._db = db
        self._clock = clock
        self._growing = growing
        self._files = SealedFiles(db, keys, spool, store, growing)
        self.damaged = 0

    def forget(self, segment_id: SegmentId) -> None:
        """Drop what is remembered of a segment that is being destroyed."""
        self._files.forget(segment_id)

    def find(self, look: Look, wanted: Span) -> list[Part]:
        """Return what may be shown of a span, by time.

        What is damaged is left out where there is something else to show, and counted. Raises FootageIsGone if all of
        it has expired, NoFootage, what opening says if all there is cannot be opened, and SpanTooLong.
        """
        with self._db.glancing() as connection:
            found = segments.in_span(connection, look.camera_id, wanted, MOST_SEGMENTS + 1)
        if len(found) > MOST_SEGMENTS:
            raise SpanTooLong("there is too much in this span; ask for less at once")
        looked = [self._part_or_damage(look, sealed, wanted) for sealed in found]
        parts = [one for one in looked if isinstance(one, Part)]
        if parts:
            return parts
        for one in looked:
            if isinstance(one, Refusal):
                raise one
        if found and all(self._has_expired(sealed, wanted) for sealed in found):
            raise FootageIsGone("the time asked for has expired")
        if not found and self._was_recorded(look.camera_id, wanted):
            raise FootageIsGone("the time asked for has expired")
        raise NoFootage("nothing was recorded in the time asked for")

    def segment(self, look: Look, segment_id: SegmentId) -> tuple[Sealed, FragmentIndex]:
        """Return one living segment. Raises FootageIsGone: it is destroyed, or never was this camera's."""
        with self._db.glancing() as connection:
            sealed = segments.by_id(connection, look.camera_id, segment_id)
        if sealed is None:
            raise FootageIsGone("this part of the footage is gone")
        return self._files.index(look, sealed)

    def init(self, look: Look, sealed: Sealed, index: FragmentIndex) -> bytes:
        """Return the init segment of a file. Raises FootageIsGone."""
        return self._files.init(look, sealed, index)

    def read(self, look: Look, sealed: Sealed, index: FragmentIndex, places: range) -> bytes:
        """Return fragments as they were sealed. Raises FootageIsGone if one of them may not be shown (any more).

        `sealed` may be as old as the look: what has become of the segment since (closed, moved, under another key, kept
        shorter, destroyed) is asked for here.
        """
        return self.read_now(look, self._files.row_of_now(look, sealed), index, places)

    def read_now(self, look: Look, sealed: Sealed, index: FragmentIndex, places: range) -> bytes:
        """Do as `read`, by a row that was looked at just now."""
        entries = index.entries[places.start : places.stop]
        if not entries or len(entries) != len(places):
            raise FootageIsGone("this part of the footage is gone")

        def shown(reader: SealedReader, now: Sealed) -> bytes:
            allowed = self.allowed(look, now)
            if not all(may_show(entry, allowed) for entry in entries):
                raise FootageIsGone("this part of the footage has expired, or is outside of what the token allows")
            return b"".join(_runs(reader, entries))

        return self._files.act_on(look, sealed, shown)

    def allowed(self, look: Look, sealed: Sealed) -> Bounds:
        """Return what may be shown of a segment at this moment."""
        return bounds(look.window, look.depth_us, sealed.segment.keep_us, self._now_us())

    def left_s(self, look: Look, sealed: Sealed, entry: FragmentEntry) -> float:
        """Return for how many seconds a fragment may still be shown, as far as its age decides about it."""
        until_us = shown_until_us(entry, look.depth_us, sealed.segment.keep_us)
        return max(0, until_us - self._now_us()) / 1_000_000

    def ranges(self, camera_id: CameraId, asked: Span, tolerance_us: int = 1_000_000) -> list[Span]:
        """Return the stretches that can be read now, neighbours joined; needs no key."""
        now_us = self._now_us()
        found: list[Span] = []
        for sealed in self._all_in(camera_id, asked):
            span = self._readable(sealed, now_us)
            if span is None:
                continue
            if found and span.from_us - found[-1].until_us <= tolerance_us:
                found[-1] = Span(found[-1].from_us, max(found[-1].until_us, span.until_us))
            else:
                found.append(span)
        return found

    def _all_in(self, camera_id: CameraId, asked: Span, most: int = MOST_SEGMENTS) -> Iterator[Sealed]:
        """Go through the segments of a span, however many there are."""
        rest: Span | None = asked
        while rest is not None:
            with self._db.glancing() as connection:
                rows = segments.in_span(connection, camera_id, rest, most)
            yield from rows
            last = rows[-1].segment.ends_us if len(rows) == most else None
            rest = Span(last, rest.until_us) if last is not None and last < rest.until_us else None

    def _readable(self, sealed: Sealed, now_us: int) -> Span | None:
        segment = sealed.segment
        until_us = segment.ends_us
        if until_us is None:
            growing = self._growing(segment.camera_id)
            if growing is None or growing.segment_id != segment.id:
                closed = self._files.closed_since(sealed)
                return None if closed is None else self._readable(closed, now_us)
            until_us = max(entry.captured_until_us for entry in growing.entries)
        from_us = max(segment.starts_us, now_us - segment.keep_us + 1)
        return Span(from_us, until_us) if from_us < until_us else None

    def _part_or_damage(self, look: Look, sealed: Sealed, wanted: Span) -> Part | Refusal | None:
        try:
            return self._part(look, sealed, wanted)
        except FootageIsGone:
            return None  # It was destroyed since its row was read.
        except (FootageIsDamaged, WrapIsDamaged, WrapIsForeign, KeyIsDestroyed) as refusal:
            self.damaged += 1
            return refusal

    def _part(self, look: Look, sealed: Sealed, wanted: Span) -> Part | None:
        allowed = self.allowed(look, sealed)
        segment = sealed.segment
        if allowed.until_us <= allowed.from_us or (segment.ends_us is not None and segment.ends_us <= allowed.from_us):
            return None
        sealed, index = self._files.index(look, sealed)
        chosen = selected(index.entries, wanted, allowed)
        return Part(sealed, index, chosen) if chosen else None

    def _has_expired(self, sealed: Sealed, wanted: Span) -> bool:
        segment = sealed.segment
        end_us = wanted.until_us if segment.ends_us is None else min(segment.ends_us, wanted.until_us)
        return end_us + segment.keep_us <= self._now_us()

    def _was_recorded(self, camera_id: CameraId, wanted: Span) -> bool:
        with self._db.reading() as session:
            return segments.was_recorded(session, camera_id, wanted)

    def _now_us(self) -> int:
        return (self._clock.for_reading() - _EPOCH) // timedelta(microseconds=1)


def _runs(reader: SealedReader, entries: tuple[FragmentEntry, ...]) -> Iterator[bytes]:
    """Read fragments that follow each other with one fetch; the padding between them is left out."""
    begin = entries[0].offset
    plain = reader.read(begin, entries[-1].end - begin)
    for entry in entries:
        yield plain[entry.offset - begin : entry.end - begin]

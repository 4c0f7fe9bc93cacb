"""Finding and reading recorded fragments of one camera. Blocking: called from threads."""

from collections.abc import Callable, Iterable, Iterator
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
from archive.mandates import store as mandates
from archive.orders import store as orders
from archive.orders.rules import FOREVER_US, SOUND_AROUND_US, Ordered, ordered
from archive.playback.opening import Look, SealedFiles, Seen, ordered_about
from archive.playback.rules import Bounds, bounds, may_show, selections, shown_until_us
from archive.recorder.growing import Growing
from archive.segments import store as segments
from archive.segments.rules import Span, readable_from_us
from archive.segments.store import Sealed
from auth.tokens.errors import FootageIsRestricted
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.errors import Refusal
from vms_privacy.ids import CameraId, PersonId, SegmentId
from vms_privacy.keyring.port import KeyIsDestroyed, WrapIsDamaged

MOST_SEGMENTS: Final = 20_000
_LONGEST_LEFT_S: Final = 3600.0
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class Part:
    """One segment's share of a span: which of its fragments are shown."""

    seen: Seen
    index: FragmentIndex
    chosen: range

    @property
    def sealed(self) -> Sealed:
        """Return the segment's row."""
        return self.seen.sealed

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

        What is damaged or restricted is left out where there is something else to show. Raises FootageIsGone if all
        of it has expired, FootageIsRestricted, NoFootage, what opening says if all there is cannot be opened, and
        SpanTooLong.
        """
        with self._db.glancing(at_one_moment=True) as connection:
            found = segments.in_span(connection, look.camera_id, wanted, MOST_SEGMENTS + 1)
            ordered = ordered_about(connection, look, found)
        if len(found) > MOST_SEGMENTS:
            raise SpanTooLong("there is too much in this span; ask for less at once")
        seen = [Seen(sealed, _around(ordered, sealed)) for sealed in found]
        looked = [self._parts_or_damage(look, one, wanted) for one in seen]
        parts = [part for one in looked if isinstance(one, list) for part in one]
        if parts:
            return parts
        for one in looked:
            if isinstance(one, Refusal):
                raise one
        if any(self._is_closed(one, wanted) for one in seen):
            raise FootageIsRestricted("the time asked for is restricted: nobody reads it at present")
        if found and all(self._is_gone(one, wanted) for one in seen):
            raise FootageIsGone("the time asked for has expired")
        if not found and self._was_recorded(look.camera_id, wanted):
            raise FootageIsGone("the time asked for has expired")
        raise NoFootage("nothing was recorded in the time asked for")

    def segment(self, look: Look, segment_id: SegmentId) -> tuple[Seen, FragmentIndex]:
        """Return one living segment. Raises FootageIsGone: it is destroyed, or never was this camera's."""
        seen = self._files.see(look, segment_id)
        # Before any file is opened: what is held after its time answers like what was destroyed (P6).
        if not self._has_something(look, seen):
            raise FootageIsGone("this part of the footage is gone")
        sealed, index = self._files.index(look, seen.sealed)
        return Seen(sealed, seen.ordered), index

    def init(self, look: Look, sealed: Sealed, index: FragmentIndex) -> bytes:
        """Return the init segment of a file. Raises FootageIsGone."""
        return self._files.init(look, sealed, index)

    def read(self, look: Look, seen: Seen, index: FragmentIndex, places: range) -> bytes:
        """Return fragments as they were sealed. Raises FootageIsGone if one of them may not be shown (any more).

        `seen` may be as old as the look: what has become of the segment since (closed, moved, under another key, kept
        shorter, ordered about, destroyed) is asked for here.
        """
        return self.read_now(look, self._files.see(look, seen.sealed.segment.id), index, places)

    def read_now(self, look: Look, seen: Seen, index: FragmentIndex, places: range) -> bytes:
        """Do as `read`, by a row that was looked at just now."""
        entries = index.entries[places.start : places.stop]
        if not entries or len(entries) != len(places):
            raise FootageIsGone("this part of the footage is gone")

        def shown(reader: SealedReader, now: Sealed) -> bytes:
            refuse_unshown(entries, self.allowed(look, Seen(now, seen.ordered)))
            return b"".join(_runs(reader, entries))

        return self._files.act_on(look, seen.sealed, shown)

    def allowed(self, look: Look, seen: Seen) -> Bounds:
        """Return what may be shown of a segment at this moment."""
        return bounds(look.window, look.depth_us, seen.sealed.segment.keep_us, self._now_us(), seen.ordered)

    def left_s(self, look: Look, seen: Seen, entry: FragmentEntry) -> float:
        """Return for how many seconds a fragment may still be shown, as far as its age decides about it."""
        until_us = shown_until_us(entry, look.depth_us, seen.sealed.segment.keep_us, seen.ordered)
        return min(max(0, until_us - self._now_us()) / 1_000_000, _LONGEST_LEFT_S)

    def ranges(
        self,
        camera_id: CameraId,
        asked: Span,
        case_person: PersonId | None = None,
        tolerance_us: int = 1_000_000,
    ) -> list[Span]:
        """Return the stretches that can be read now, neighbours joined; needs no key."""
        now_us = self._now_us()
        with self._db.glancing() as connection:
            known, gone = orders.touching(connection, camera_id, asked), mandates.touching(connection, camera_id, asked)
        rules = ordered(known, case_person, gone)
        found: list[Span] = []
        for sealed in self._all_in(camera_id, asked):
            for span in self._readable(sealed, _around(rules, sealed), now_us):
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

    def _readable(self, sealed: Sealed, rules: Ordered, now_us: int) -> list[Span]:
        segment = sealed.segment
        until_us = segment.ends_us
        if until_us is None:
            growing = self._growing(segment.camera_id)
            if growing is None or growing.segment_id != segment.id:
                closed = self._files.closed_since(sealed)
                return [] if closed is None else self._readable(closed, rules, now_us)
            until_us = max(entry.captured_until_us for entry in growing.entries)
        return rules.leaves(segment.starts_us, until_us, readable_from_us(segment.keep_us, now_us))

    def _parts_or_damage(self, look: Look, seen: Seen, wanted: Span) -> list[Part] | Refusal:
        try:
            return self._parts(look, seen, wanted)
        except FootageIsGone:
            return []  # It was destroyed since its row was read.
        except (FootageIsDamaged, WrapIsDamaged, WrapIsForeign, KeyIsDestroyed) as refusal:
            self.damaged += 1
            return refusal

    def _parts(self, look: Look, seen: Seen, wanted: Span) -> list[Part]:
        if not self._has_something(look, seen):
            return []
        allowed = self.allowed(look, seen)
        sealed, index = self._files.index(look, seen.sealed)
        seen = Seen(sealed, seen.ordered)
        return [Part(seen, index, chosen) for chosen in selections(index.entries, wanted, allowed)]

    def _has_something(self, look: Look, seen: Seen) -> bool:
        """Say whether there may be something to show of a segment, by its row alone."""
        allowed, ends_us = self.allowed(look, seen), seen.sealed.segment.ends_us
        floor_us = allowed.from_us if seen.ordered.opened else allowed.floor_us
        return floor_us < allowed.until_us and (ends_us is None or floor_us < ends_us)

    def _is_closed(self, seen: Seen, wanted: Span) -> bool:
        """Say whether a restriction closes something of a span that has not expired."""
        return any(seen.ordered.closes(one.from_us, one.until_us) for one in self._left_open(seen, wanted))

    def _is_gone(self, seen: Seen, wanted: Span) -> bool:
        """Say whether nothing of a span could be read any more even if nothing were restricted."""
        return not self._left_open(seen, wanted)

    def _left_open(self, seen: Seen, wanted: Span) -> list[Span]:
        segment = seen.sealed.segment
        from_us = max(segment.starts_us, wanted.from_us)
        until_us = min(FOREVER_US if segment.ends_us is None else segment.ends_us, wanted.until_us)
        return seen.ordered.left_open(from_us, until_us, readable_from_us(segment.keep_us, self._now_us()))

    def _was_recorded(self, camera_id: CameraId, wanted: Span) -> bool:
        with self._db.reading() as session:
            return segments.was_recorded(session, camera_id, wanted)

    def _now_us(self) -> int:
        return (self._clock.for_reading() - _EPOCH) // timedelta(microseconds=1)


def _around(ordered: Ordered, sealed: Sealed) -> Ordered:
    """Return what is ordered about one segment's time."""
    segment = sealed.segment
    until_us = FOREVER_US if segment.ends_us is None else segment.ends_us + SOUND_AROUND_US
    return ordered.around(segment.starts_us - SOUND_AROUND_US, until_us)


def refuse_unshown(entries: Iterable[FragmentEntry], allowed: Bounds) -> None:
    """Raise what stands against showing fragments: FootageIsRestricted, FootageIsGone."""
    for entry in entries:
        if not may_show(entry, allowed):
            times = (entry.captured_from_us, entry.captured_until_us)
            has_gone = entry.captured_from_us < allowed.kept_from_us or allowed.ordered.is_gone(*times)
            if allowed.ordered.closes(*times) and not has_gone:
                raise FootageIsRestricted("this part of the footage is restricted: nobody reads it at present")
            # What is outside of the window is gone like what never was: nobody learns what there is beyond it.
            raise FootageIsGone("this part of the footage is gone")


def _runs(reader: SealedReader, entries: tuple[FragmentEntry, ...]) -> Iterator[bytes]:
    """Read fragments that follow each other with one fetch; the padding between them is left out."""
    begin = entries[0].offset
    plain = reader.read(begin, entries[-1].end - begin)
    for entry in entries:
        yield plain[entry.offset - begin : entry.end - begin]

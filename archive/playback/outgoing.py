"""Recorded fragments on their way out: read a little at a time, judged again before every piece of them (P4, P8)."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from starlette.concurrency import run_in_threadpool

from archive.errors import FootageIsGone
from archive.format.index import FragmentEntry, FragmentIndex
from archive.playback.opening import Look, Seen
from archive.playback.service import Footage, refuse_unshown
from auth.media_sessions.session import MediaSession
from streams.live.stream import Block
from vms_privacy.clock import Clock
from vms_privacy.ids import SegmentId

BLOCK: Final = 128 * 1024
"""How much is read and held at once for one viewer, unless a single fragment is larger."""
JUDGED_FOR_S: Final = 0.5
"""How old a look at the row may be when a piece goes out: shorter retention and destruction act within that."""
Change = Callable[[FragmentEntry, bytes], bytes]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is looking at recorded footage, and how it is read for them."""

    footage: Footage
    look: Look
    session: MediaSession
    clock: Clock

    def open(self, segment_id: SegmentId, places: range) -> "Run":
        """Return fragments of a segment, ready to go out: all are judged, the first are read and authenticated.

        Blocking. Raises FootageIsGone, FootageIsRestricted, OutsideWindow, and what `Footage.segment` and
        `Footage.read` raise.
        """
        return self.open_row(self.row(segment_id), places)

    def open_row(self, row: "Row", places: range) -> "Run":
        """Do as `open`, by a row that was looked at just now."""
        entries = row.at(places)
        self.judge(row, entries)
        return Run(self, row, self.read(row, places), sum(entry.length for entry in entries))

    def row(self, segment_id: SegmentId) -> "Row":
        """Look at a segment as it is now."""
        looked_at = self.clock.monotonic()
        return Row(*self.footage.segment(self.look, segment_id), looked_at)

    def judge(self, row: "Row", entries: Sequence[FragmentEntry]) -> None:
        """Raise what stands against showing fragments at this moment; memory only."""
        self.session.check()
        refuse_unshown(entries, self.footage.allowed(self.look, row.seen))
        moments = [entry.captured_from_us for entry in entries]
        # What a session covers is one stretch, so what lies between the two is covered with them.
        for moment_us in {min(moments), max(moments)}:
            self.session.check(moment_us)

    def read(self, row: "Row", places: range) -> "_Batch":
        """Read the first of some fragments: as many as fit a block, and at least one.

        The row is at most as old as the last judgement; what was destroyed since has no key any more.
        """
        count, size = 0, 0
        for entry in row.at(places):
            if count and size + entry.length > BLOCK:
                break
            count, size = count + 1, size + entry.length
        now = places[:count]
        data = self.footage.read_now(self.look, row.seen, row.index, now)
        return _Batch(row.at(now), places[count:], data)


class Run:
    """Fragments that follow each other in one segment, on their way to one viewer. Made by `Viewer.open`."""

    def __init__(self, viewer: Viewer, row: "Row", first: "_Batch", length: int) -> None:
        self._viewer = viewer
        self._row = row
        self._first = first
        self.length = length

    async def blocks(self, change: Change | None = None) -> AsyncGenerator[Block, None]:
        """Yield the fragments, each changed by `change`, to be judged before every piece. Raises as `Viewer.open`."""
        batch: _Batch | None = self._first
        while batch is not None:
            at = 0
            for entry in batch.entries:
                data = batch.data[at : at + entry.length]
                at += entry.length
                yield Block(data if change is None else change(entry, data), partial(self._judge, entry))
            batch = await run_in_threadpool(self._viewer.read, self._row, batch.rest) if batch.rest else None

    async def _judge(self, entry: FragmentEntry) -> float:
        """Return in how many seconds a fragment expires. Raises as `Viewer.open`, once it is so."""
        viewer = self._viewer
        # What is known already may say no: then nobody waits for the database.
        viewer.judge(self._row, (entry,))
        if viewer.clock.monotonic() - self._row.looked_at >= JUDGED_FOR_S:
            self._row = await run_in_threadpool(viewer.row, self._row.seen.sealed.segment.id)
            viewer.judge(self._row, (entry,))
        return viewer.footage.left_s(viewer.look, self._row.seen, entry)


@dataclass(frozen=True, slots=True)
class Row:
    """A segment and its index as they were at a moment of the monotonic clock."""

    seen: Seen
    index: FragmentIndex
    looked_at: float

    def at(self, places: range) -> Sequence[FragmentEntry]:
        """Return the entries at these places. Raises FootageIsGone if there is not one for each."""
        entries = self.index.entries[places.start : places.stop]
        if not entries or len(entries) != len(places):
            raise FootageIsGone("this part of the footage is gone")
        return entries


@dataclass(frozen=True, slots=True)
class _Batch:
    """Fragments that were read together; `rest` are the places behind them."""

    entries: Sequence[FragmentEntry]
    rest: range
    data: bytes

"""From the spool to the store: recording goes on while the store is away, sealed, and catches up by itself."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from archive.blobs.store import BlobStore
from archive.errors import StoreUnavailable
from archive.segments import store as segments
from archive.segments.rules import Segment
from vms_privacy.db import Database
from vms_privacy.errors import Refusal
from vms_privacy.ids import SegmentId

BATCH: Final = 200
_LONGEST_MOVE_S: Final = 30.0


@dataclass(slots=True)
class DeliveryReport:
    """What one round moved, and what it could not move and why. `removed`: spool files that a crash had left."""

    moved: list[SegmentId] = field(default_factory=list)
    failed: dict[SegmentId, str] = field(default_factory=dict)
    removed: int = 0

    @property
    def is_clean(self) -> bool:
        return not self.failed


class Delivery:
    """Moves closed segments. A file leaves the spool only when the store has confirmed its size and the row says so.

    Steps: (1) put, (2) compare sizes, (3) row to `store`, (4) remove from the spool. A crash after (1) or (2) puts
    again and finds the name taken with the right size, or a piece, which is erased and put anew; after (3) the next
    round removes the file. One round at a time.
    Joins the eraser as one of its `DerivedCopies`: a segment that is being moved is not erased beside it.
    """

    def __init__(self, db: Database, spool: Path, store: BlobStore) -> None:
        self._db = db
        self._spool = spool
        self._store = store
        self._one_round = threading.Lock()
        self._moving: SegmentId | None = None
        self._change = threading.Condition()

    def deliver(self) -> DeliveryReport:
        """Move what is waiting, oldest first; stop early where the store does not answer."""
        with self._one_round:
            report = DeliveryReport()
            self._remove_moved(report)
            last: Segment | None = None
            while True:
                with self._db.reading() as session:
                    waiting = segments.in_spool(session, BATCH, last)
                for segment in waiting:
                    if not self._try(segment, report):
                        return report
                if len(waiting) < BATCH:
                    return report
                last = waiting[-1]

    def forget(self, segment_id: SegmentId) -> None:
        """Wait until this segment is not being moved. From then on it is not: its row says that it is being erased.

        Raises StoreUnavailable if that takes too long.
        """
        with self._change:
            if not self._change.wait_for(lambda: self._moving != segment_id, _LONGEST_MOVE_S):
                raise StoreUnavailable("it is being put into the store just now")

    def _try(self, segment: Segment, report: DeliveryReport) -> bool:
        """Move one; False where the store does not answer at all."""
        with self._change:
            self._moving = segment.id
        try:
            if self._move(segment):
                report.moved.append(segment.id)
        except StoreUnavailable as refusal:
            report.failed[segment.id] = refusal.code
            return False
        except (Refusal, OSError, ValueError) as error:
            report.failed[segment.id] = error.code if isinstance(error, Refusal) else type(error).__name__
        finally:
            with self._change:
                self._moving = None
                self._change.notify_all()
        return True

    def _move(self, segment: Segment) -> bool:
        with self._db.reading() as session:
            if not segments.is_waiting(session, segment.id):
                return False
        path = self._spool / segment.blob_name
        size = path.stat().st_size
        kept = self._store.size(segment.blob_name)
        if kept is not None and kept != size == segment.size_bytes:
            # Some stores keep what was broken off on its way. The file here is whole; the piece there goes.
            self._store.erase(segment.blob_name)
        if kept != size:
            with path.open("rb") as file:
                self._store.put(segment.blob_name, file, size)
        if self._store.size(segment.blob_name) != size:
            raise StoreUnavailable("the store does not confirm what it was given")
        with self._db.writing() as session:
            is_kept = segments.moved_to_store(session, segment.id)
        if not is_kept:
            # An erasure came first, of another service: what we put is taken away again here at once.
            self._store.erase(segment.blob_name)
        path.unlink(missing_ok=True)
        return is_kept

    def _remove_moved(self, report: DeliveryReport) -> None:
        """Remove spool files of segments that the store holds: the round that moved them ended before its last step."""
        names = [path.name for path in self._spool.iterdir()]
        for at in range(0, len(names), BATCH):
            with self._db.reading() as session:
                moved = segments.in_store(session, names[at : at + BATCH])
            for segment in moved:
                try:
                    if self._store.size(segment.blob_name) == segment.size_bytes:
                        (self._spool / segment.blob_name).unlink(missing_ok=True)
                        report.removed += 1
                except (Refusal, OSError) as error:
                    report.failed[segment.id] = error.code if isinstance(error, Refusal) else type(error).__name__

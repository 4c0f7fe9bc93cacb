"""From the spool to the store: recording goes on while the store is away, sealed, and catches up by itself."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from archive.blobs.store import BlobStore
from archive.errors import StoreUnavailable
from archive.segments import store as segments
from archive.segments.rules import Segment
from vms_privacy.db import Database
from vms_privacy.ids import SegmentId

BATCH: Final = 200


@dataclass(slots=True)
class DeliveryReport:
    """What one round moved, and what it could not move and why."""

    moved: list[SegmentId] = field(default_factory=list)
    failed: dict[SegmentId, str] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        return not self.failed


class Delivery:
    """Moves closed segments. A file leaves the spool only when the store has confirmed its size and the row says so.

    Steps: (1) put, (2) compare sizes, (3) row to `store`, (4) remove from the spool. A crash after (1) or (2) puts
    again and finds the name taken with the right size; after (3) the next round removes the file.
    """

    def __init__(self, db: Database, spool: Path, store: BlobStore) -> None:
        self._db = db
        self._spool = spool
        self._store = store

    def deliver(self) -> DeliveryReport:
        """Move what is waiting, oldest first; stop early where the store does not answer."""
        report = DeliveryReport()
        with self._db.reading() as session:
            waiting = segments.in_spool(session, BATCH)
        for segment in waiting:
            try:
                self._move(segment)
                report.moved.append(segment.id)
            except StoreUnavailable as refusal:
                report.failed[segment.id] = refusal.code
                break
            except OSError as error:
                report.failed[segment.id] = type(error).__name__
        return report

    def remove_moved(self, names: frozenset[str]) -> int:
        """Remove spool files of segments that the store holds already; return how many there were."""
        removed = 0
        for name in names:
            path = self._spool / name
            if path.exists():
                path.unlink()
                removed += 1
        return removed

    def _move(self, segment: Segment) -> None:
        path = self._spool / segment.blob_name
        size = path.stat().st_size
        if self._store.size(segment.blob_name) != size:
            with path.open("rb") as file:
                self._store.put(segment.blob_name, file, size)
        if self._store.size(segment.blob_name) != size:
            raise StoreUnavailable("the store does not confirm what it was given")
        with self._db.writing() as session:
            is_kept = segments.moved_to_store(session, segment.id)
        if not is_kept:
            # An erasure came first: it looks in both places, so what we put is taken away again here at once.
            self._store.erase(segment.blob_name)
        path.unlink(missing_ok=True)

"""What every part of the engine uses, and what it reports."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sqlalchemy.orm import Session

from archive.blobs.store import BlobStore
from archive.erasure.rules import Step
from archive.erasure.store import Erasure
from archive.keys.service import BucketKeys
from archive.keys.wrap import SegmentKeys
from archive.mandates.edges import Edges
from archive.mandates.service import Minimums
from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.errors import Refusal
from vms_privacy.ids import ErasureId, MandateId, Randomness, SegmentId, WorkerId
from vms_privacy.journal.journal import Journal

Progress = Callable[[Step], None]


class DerivedCopies(Protocol):
    """Whatever makes or remembers copies of a segment joins here, so that they go with it."""

    def forget(self, segment_id: SegmentId) -> None:
        """Destroy every copy of this segment, durable on return. Raises if it cannot tell."""
        ...


def nobody(_: Step) -> None:
    """Tell nobody of the progress."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the engine works with. `progress` is told each step once it is durable."""

    db: Database
    keys: SegmentKeys
    buckets: BucketKeys
    blobs: BlobStore
    spool: Path
    journal: Journal
    audit: AuditLog
    clock: Clock
    randomness: Randomness
    worker: WorkerId
    edges: Edges
    minimums: Minimums
    copies: Sequence[DerivedCopies] = ()
    progress: Progress = nobody

    def note(self, session: Session, tag: Tag, erasure: Erasure, failure: str = "", **counts: int) -> None:
        """Write an event of an erasure into the audit, with the caller's transaction."""
        detail: dict[str, str | int | bool | None] = {"erasure_id": str(erasure.id), **counts}
        if erasure.mandate_id is not None:
            detail |= {"mandate": str(erasure.mandate_id)}
        self.audit.note(
            session,
            Event(
                tag,
                self.clock.now(),
                erasure.actor,
                Outcome.FAILED if failure else Outcome.DONE,
                operator_id=erasure.operator_id,
                reason=failure or erasure.cause,
                detail=detail,
            ),
        )


@dataclass(slots=True)
class SweepReport:
    """What one sweep did, of erasures that failed too: those are retried, counted, and shown as deletion debt.

    `taken_over`: what another worker goes on with, since this one was too slow.
    """

    erased: list[SegmentId] = field(default_factory=list)
    failed: dict[ErasureId | MandateId, str] = field(default_factory=dict)
    taken_over: list[ErasureId] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not self.failed


def code_of(error: Exception) -> str:
    """Return a refusal's code, or the name of what else it was."""
    return error.code if isinstance(error, Refusal) else type(error).__name__

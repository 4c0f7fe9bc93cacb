"""Who carries an erasure out: of several workers one, for as long as it lives and not much longer (decision 0034).

Promise: what one worker is at, no other touches; what a dead one has left is gone on with once its claim has run out.
Every step may be repeated, so a worker that was only slow has done no harm. Nothing here commits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final

from sqlalchemy import and_, or_, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from archive.erasure.rules import Step
from archive.erasure.store import Erasure
from archive.erasure.tables import ErasureRow
from archive.mandates.rules import Cause
from archive.orders.store import IS_KEPT
from archive.segments.rules import Segment, State
from archive.segments.tables import SegmentRow
from vms_privacy.db import changed
from vms_privacy.errors import Kind, Refusal
from vms_privacy.ids import ErasureId, MandateId, OperatorId, WorkerId

CLAIM: Final = timedelta(minutes=2)
"""Nodes' clocks may be a minute apart before that is a doubt about the time."""
_AT_ONCE: Final = 500


class ClaimIsLost(Refusal):
    """Another worker goes on with it: this one was too slow, or its claim ran out while it waited."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "claim-is-lost"


@dataclass(slots=True)
class Claimed:
    """An erasure that this worker alone may go on with; `until` is moved by `keep`."""

    erasure: Erasure
    started_at: datetime
    until: datetime


def take(session: Session, worker: WorkerId, now: datetime, after: Claimed | None = None) -> Claimed | None:
    """Claim the oldest unfinished erasure that may be gone on with now and that nobody else is at.

    Of those that come `after` one, so that a round meets each once. A worker that was started again takes up its own.
    """
    query = select(ErasureRow).where(
        ErasureRow.done_at.is_(None),
        ErasureRow.next_attempt_at <= now,
        or_(ErasureRow.claimed_until.is_(None), ErasureRow.claimed_until <= now, ErasureRow.claimed_by == worker),
    )
    if after is not None:
        place = tuple_(ErasureRow.started_at, ErasureRow.id)
        query = query.where(place > tuple_(after.started_at, after.erasure.id))
    order = (ErasureRow.started_at, ErasureRow.id)
    row = session.scalars(query.order_by(*order).limit(1).with_for_update(skip_locked=True)).one_or_none()
    if row is None:
        return None
    erasure = Erasure(
        ErasureId(row.id),
        OperatorId(row.operator_id),
        Cause(row.cause),
        row.actor,
        Step(row.step),
        row.attempts,
        None if row.mandate_id is None else MandateId(row.mandate_id),
    )
    return Claimed(erasure, row.started_at, hold(session, worker, erasure.id, now))


def hold(session: Session, worker: WorkerId, erasure_id: ErasureId, now: datetime) -> datetime:
    """Claim an erasure that is this worker's, or nobody's, for a while from now; return until when."""
    until = now + CLAIM
    claim = update(ErasureRow).where(ErasureRow.id == erasure_id)
    session.execute(claim.values(claimed_by=worker, claimed_until=until))
    return until


def keep(session: Session, worker: WorkerId, claimed: Claimed, now: datetime) -> None:
    """Go on holding a claim. Raises ClaimIsLost if another worker has it."""
    until = now + CLAIM
    mine = update(ErasureRow).where(ErasureRow.id == claimed.erasure.id, ErasureRow.claimed_by == worker)
    if not changed(session, mine.values(claimed_until=until)):
        raise ClaimIsLost("another worker goes on with this erasure")
    claimed.until = until


def give_back(session: Session, worker: WorkerId, erasure_id: ErasureId) -> bool:
    """End a claim; say whether it was this worker's still."""
    mine = update(ErasureRow).where(ErasureRow.id == erasure_id, ErasureRow.claimed_by == worker)
    return changed(session, mine.values(claimed_by=None, claimed_until=None)) > 0


def free(session: Session, worker: WorkerId, due: Sequence[Segment], now: datetime) -> list[Segment]:
    """Return those of some due segments that nobody has begun to destroy, nor destroys the bucket key of just now.

    What an order has come to cover since it was looked for is left (P6). What lies under a bucket that another worker
    re-keys is that worker's, in this round or the next.
    """
    others = aliased(SegmentRow)
    is_being_re_keyed = (
        select(others.id)
        .join(ErasureRow, ErasureRow.id == others.erasure_id)
        .where(
            others.bucket_key_id == SegmentRow.bucket_key_id,
            others.state == State.ERASING,
            and_(ErasureRow.claimed_by != worker, ErasureRow.claimed_until > now),
        )
        .exists()
    )
    found: set[object] = set()
    for at in range(0, len(due), _AT_ONCE):
        ids = [one.id for one in due[at : at + _AT_ONCE]]
        query = select(SegmentRow.id).where(
            SegmentRow.id.in_(ids), SegmentRow.state == State.STORED, ~IS_KEPT, ~is_being_re_keyed
        )
        found.update(session.scalars(query.with_for_update(skip_locked=True, of=SegmentRow)))
    return [one for one in due if one.id in found]

"""Queries over mandates, and over the footage that they are about. Nothing here decides; nothing here commits."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, Table, and_, bindparam, case, func, insert, select, update
from sqlalchemy.orm import Session

from archive.mandates.rules import Cause, Mandate
from archive.mandates.tables import MandateRow
from archive.orders.store import FIRST_US, IS_KEPT, LAST_US, may_touch
from archive.segments import store as segments
from archive.segments.rules import Span, State
from archive.segments.store import Sealed
from archive.segments.tables import SegmentAheadRow, SegmentRow
from vms_privacy.db import Reading, changed, connection_of
from vms_privacy.ids import CameraId, MandateId, OperatorId, SegmentId

_MANDATES: Final = cast("Table", MandateRow.__table__)
# Asked before every look at recorded footage: made once.
_STANDING: Final = select(_MANDATES.c.from_us, _MANDATES.c.until_us).where(
    _MANDATES.c.camera_id == bindparam("camera_id"),
    _MANDATES.c.done_at.is_(None),
    _MANDATES.c.from_us < bindparam("until_us"),
    _MANDATES.c.until_us > bindparam("from_us"),
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A segment of which something may lie in a stretch. `last_us`: the end of its last packet."""

    sealed: Sealed
    last_us: int
    is_kept: bool


@dataclass(frozen=True, slots=True)
class Whole:
    """Segments that lie in a stretch with all they have: so many, their bytes and time, and from when to when."""

    segments: int
    size_bytes: int
    recorded_us: int
    span: Span | None


@dataclass(frozen=True, slots=True)
class Left:
    """What of a mandate is not destroyed, in segments: being destroyed, growing, kept by orders or a minimum, due."""

    under_way: int = 0
    growing: int = 0
    kept_by_orders: int = 0
    too_young: int = 0
    due: int = 0

    @property
    def is_nothing(self) -> bool:
        """Say whether nothing is left."""
        return self.is_nothing_but_kept and not self.kept_by_orders

    @property
    def is_nothing_but_kept(self) -> bool:
        """Say whether nothing is left but what orders keep."""
        return not (self.under_way or self.growing or self.too_young or self.due)


def add(session: Session, mandate: Mandate, reason: str, journal_number: int | None = None) -> None:
    """Keep a new mandate; `journal_number` says which entry of the journal it stands again by."""
    session.execute(
        insert(MandateRow).values(
            id=mandate.id,
            operator_id=mandate.operator_id,
            camera_id=mandate.camera_id,
            from_us=mandate.span.from_us,
            until_us=mandate.span.until_us,
            cause=mandate.cause,
            reference=mandate.reference,
            reason=reason,
            proposed_by=mandate.proposed_by,
            approved_by=mandate.approved_by,
            placed_at=mandate.placed_at,
            attempts=0,
            last_failure="",
            next_attempt_at=mandate.placed_at,
            journal_number=journal_number,
        )
    )


def by_id(asked: Reading, mandate_id: MandateId) -> Mandate | None:
    """Return one mandate, done or not."""
    row = connection_of(asked).execute(select(_MANDATES).where(_MANDATES.c.id == mandate_id)).one_or_none()
    return None if row is None else _mandate(row)


def by_ids(asked: Reading, mandates: Collection[MandateId]) -> list[Mandate]:
    """Return some mandates, done or not, in the order of their time."""
    wanted = select(_MANDATES).where(_MANDATES.c.id.in_(list(mandates)))
    rows = connection_of(asked).execute(wanted.order_by(_MANDATES.c.from_us, _MANDATES.c.camera_id, _MANDATES.c.id))
    return [_mandate(row) for row in rows]


def of_operator(asked: Reading, operator_id: OperatorId, *, only_standing: bool, most: int) -> list[Mandate]:
    """Return an operator's mandates, newest first."""
    wanted = select(_MANDATES).where(_MANDATES.c.operator_id == operator_id)
    if only_standing:
        wanted = wanted.where(_MANDATES.c.done_at.is_(None))
    rows = connection_of(asked).execute(wanted.order_by(_MANDATES.c.placed_at.desc(), _MANDATES.c.id).limit(most))
    return [_mandate(row) for row in rows]


def of_reference(asked: Reading, operator_id: OperatorId, cause: Cause, reference: str) -> list[Mandate]:
    """Return an operator's mandates of one cause and reference, done or not, by camera and time."""
    wanted = select(_MANDATES).where(
        _MANDATES.c.operator_id == operator_id, _MANDATES.c.cause == cause, _MANDATES.c.reference == reference
    )
    rows = connection_of(asked).execute(wanted.order_by(_MANDATES.c.camera_id, _MANDATES.c.from_us))
    return [_mandate(row) for row in rows]


def ready(session: Session, now: datetime) -> list[Mandate]:
    """Return the mandates that stand and may be gone on with now, oldest first."""
    wanted = select(_MANDATES).where(_MANDATES.c.done_at.is_(None), _MANDATES.c.next_attempt_at <= now)
    rows = session.execute(wanted.order_by(_MANDATES.c.placed_at, _MANDATES.c.id))
    return [_mandate(row) for row in rows]


def standing_since(session: Session, before: datetime, operator_id: OperatorId | None = None) -> list[Mandate]:
    """Return the mandates that were placed before a moment and stand, of one operator or of all."""
    wanted = select(_MANDATES).where(_MANDATES.c.done_at.is_(None), _MANDATES.c.placed_at < before)
    if operator_id is not None:
        wanted = wanted.where(_MANDATES.c.operator_id == operator_id)
    return [_mandate(row) for row in session.execute(wanted)]


def touching(asked: Reading, camera_id: CameraId, span: Span) -> list[Span]:
    """Return what standing mandates say is to be destroyed of a camera's stretch."""
    values = {"camera_id": camera_id, "from_us": span.from_us, "until_us": span.until_us}
    return [Span(row.from_us, row.until_us) for row in connection_of(asked).execute(_STANDING, values)]


def cause_at(session: Session, camera_id: CameraId, moment_us: int) -> Cause | None:
    """Return why a moment is to be destroyed before its time; None if no mandate over it stands."""
    wanted = select(MandateRow.cause).where(
        MandateRow.camera_id == camera_id,
        MandateRow.done_at.is_(None),
        MandateRow.from_us <= moment_us,
        MandateRow.until_us > moment_us,
    )
    found = session.scalars(wanted.order_by(MandateRow.placed_at).limit(1)).one_or_none()
    return None if found is None else Cause(found)


def count_standing(session: Session, camera_id: CameraId) -> int:
    """Return how many mandates stand over a camera."""
    wanted = select(func.count()).where(MandateRow.camera_id == camera_id, MandateRow.done_at.is_(None))
    return session.scalar(wanted) or 0


def candidates(
    session: Session,
    camera_id: CameraId,
    span: Span,
    young_after_us: int,
    limit: int,
    but: Collection[SegmentId] = (),
    *,
    even_kept: bool = False,
    only_partly: bool = False,
) -> list[Candidate]:
    """Return closed segments of which something may lie in a stretch and that may be destroyed, oldest first.

    `young_after_us`: what ends later than that is kept by the operator's minimum. `even_kept`: those too that orders
    keep. `only_partly`: those alone that may reach beyond the stretch.
    """
    wanted = _destroyable(camera_id, span, young_after_us, even_kept=even_kept)
    if only_partly:
        wanted.append(~_lies_within(span))
    if but:
        wanted.append(SegmentRow.id.not_in(list(but)))
    query = segments.LIVING.add_columns(LAST_US.label("last_us"), IS_KEPT.label("is_kept")).where(*wanted)
    rows = session.execute(query.order_by(SegmentRow.starts_us, SegmentRow.id).limit(limit), {"camera_id": camera_id})
    return [Candidate(segments.sealed_of(row), row.last_us, row.is_kept) for row in rows]


def whole(
    session: Session,
    camera_id: CameraId,
    span: Span,
    young_after_us: int,
    *,
    even_kept: bool,
    even_partly: bool = False,
) -> Whole:
    """Add up the segments that lie in a stretch with all they have, and that may be destroyed."""
    wanted = _destroyable(camera_id, span, young_after_us, even_kept=even_kept)
    if not even_partly:
        wanted.append(_lies_within(span))
    row = session.execute(
        select(
            func.count(),
            func.coalesce(func.sum(SegmentRow.size_bytes), 0),
            func.coalesce(func.sum(SegmentRow.ends_us - SegmentRow.starts_us), 0),
            func.min(SegmentRow.starts_us),
            func.max(SegmentRow.ends_us),
        ).where(*wanted)
    ).one()
    reach = None if row[3] is None or row[4] is None else Span(row[3], row[4])
    return Whole(row[0], int(row[1] or 0), int(row[2] or 0), reach)


def left(session: Session, mandate: Mandate, young_after_us: int, untouched: Collection[SegmentId] = ()) -> Left:
    """Count what of a mandate is not destroyed. `untouched`: those of which nothing lies in it, as their files tell."""
    return left_of(session, mandate.camera_id, mandate.span, young_after_us, untouched)


def left_of(
    session: Session, camera_id: CameraId, span: Span, young_after_us: int, untouched: Collection[SegmentId] = ()
) -> Left:
    """Count what of a stretch is not destroyed."""
    is_young = young_after_us < LAST_US
    kind = case(
        (SegmentRow.state == State.ERASING, "under_way"),
        (SegmentRow.state == State.WRITING, "growing"),
        (IS_KEPT, "kept_by_orders"),
        (is_young, "too_young"),
        else_="due",
    )
    touched = (
        *may_touch(camera_id, span),
        SegmentRow.state != State.ERASED,
        SegmentRow.id.not_in(list(untouched)),
    )
    rows = session.execute(select(kind.label("kind"), func.count()).where(*touched).group_by("kind"))
    counts = {str(row[0]): int(row[1]) for row in rows}
    # It may have begun while the database was away: then it grows, and has no segment's row yet.
    ahead = select(func.count()).where(
        SegmentAheadRow.camera_id == camera_id, SegmentAheadRow.registered_us < span.until_us
    )
    counts["growing"] = counts.get("growing", 0) + (session.scalar(ahead) or 0)
    return Left(**counts)


def finish(session: Session, mandate_id: MandateId, at: datetime) -> bool:
    """Note that nothing of a mandate is left; say whether it stood."""
    stands = (MandateRow.id == mandate_id, MandateRow.done_at.is_(None))
    return changed(session, update(MandateRow).where(*stands).values(done_at=at)) > 0


def rest(session: Session, mandate_id: MandateId, until: datetime) -> None:
    """Let a mandate rest of which nothing can be destroyed now."""
    stands = (MandateRow.id == mandate_id, MandateRow.done_at.is_(None))
    session.execute(update(MandateRow).where(*stands).values(next_attempt_at=until))


def note_failure(session: Session, mandate_id: MandateId, attempts: int, failure: str, next_at: datetime) -> None:
    """Count a round that failed, and say when the next one is."""
    session.execute(
        update(MandateRow)
        .where(MandateRow.id == mandate_id, MandateRow.done_at.is_(None))
        .values(attempts=attempts, last_failure=failure[:80], next_attempt_at=next_at)
    )


def _destroyable(camera_id: CameraId, span: Span, young_after_us: int, *, even_kept: bool) -> list[ColumnElement[bool]]:
    wanted = [*may_touch(camera_id, span), SegmentRow.state == State.STORED, young_after_us >= LAST_US]
    return wanted if even_kept else [*wanted, ~IS_KEPT]


def _lies_within(span: Span) -> ColumnElement[bool]:
    """Say what `rules.lies_within` says."""
    return and_(span.from_us <= FIRST_US, span.until_us >= LAST_US)


def _mandate(row: Any) -> Mandate:
    return Mandate(
        id=MandateId(row.id),
        operator_id=OperatorId(row.operator_id),
        camera_id=CameraId(row.camera_id),
        span=Span(row.from_us, row.until_us),
        cause=Cause(row.cause),
        reference=row.reference,
        proposed_by=row.proposed_by,
        approved_by=row.approved_by,
        placed_at=row.placed_at,
        done_at=row.done_at,
        attempts=row.attempts,
        last_failure=row.last_failure,
    )

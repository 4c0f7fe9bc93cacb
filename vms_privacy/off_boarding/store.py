"""Queries over off-boardings. Nothing here decides; nothing here commits."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, Table, func, insert, select, update
from sqlalchemy.orm import Session

from vms_privacy.db import Reading, changed, connection_of
from vms_privacy.ids import ManifestId, OffBoardingId, OperatorId
from vms_privacy.off_boarding.rules import Confirmation, OffBoarding, Step
from vms_privacy.off_boarding.tables import OffBoardingRow

_OFF_BOARDINGS: Final = cast("Table", OffBoardingRow.__table__)


def add(session: Session, new: OffBoarding, reason: str) -> None:
    """Keep an off-boarding that begins. The database refuses it without its two people."""
    session.execute(
        insert(OffBoardingRow).values(
            id=new.id,
            operator_id=new.operator_id,
            reason=reason,
            proposed_by=new.proposed_by,
            approved_by=new.approved_by,
            begun_at=new.begun_at,
            taken_back_by="",
            attempts=0,
            last_failure="",
            journal_number=new.journal_number,
            step=Step.BEGUN,
            manifest_digest="",
            confirm_proposed_by="",
            confirm_approved_by="",
        )
    )


def confirm(session: Session, off_boarding_id: OffBoardingId, confirmation: Confirmation, number: int | None) -> None:
    """Note what two people have confirmed; `number`: the journal's entry by which it is confirmed again."""
    values: dict[str, Any] = {
        "step": Step.CONFIRMED,
        "manifest_id": confirmation.manifest_id,
        "manifest_digest": confirmation.digest,
        "confirm_proposed_by": confirmation.proposed_by,
        "confirm_approved_by": confirmation.approved_by,
        "confirmed_at": confirmation.at,
    }
    if number is not None:
        values["journal_number"] = number
    session.execute(update(OffBoardingRow).where(OffBoardingRow.id == off_boarding_id).values(values))


def take_back(session: Session, off_boarding_id: OffBoardingId, by: str, at: datetime) -> None:
    """Note that one that is not confirmed was taken back."""
    session.execute(
        update(OffBoardingRow).where(OffBoardingRow.id == off_boarding_id).values(taken_back_at=at, taken_back_by=by)
    )


def done(session: Session, off_boarding_id: OffBoardingId, step: Step, at: datetime) -> bool:
    """Note that a step is done; say whether it was the next one."""
    closed_at = at if step is Step.CLOSED else None
    taken = (OffBoardingRow.id == off_boarding_id, OffBoardingRow.step == step - 1)
    values = {"step": step, "closed_at": closed_at, "attempts": 0, "last_failure": ""}
    return changed(session, update(OffBoardingRow).where(*taken).values(values)) > 0


def note_failure(session: Session, off_boarding_id: OffBoardingId, code: str) -> None:
    """Count a round that failed."""
    stands = (OffBoardingRow.id == off_boarding_id, OffBoardingRow.closed_at.is_(None))
    failed = {"attempts": OffBoardingRow.attempts + 1, "last_failure": code[:80]}
    session.execute(update(OffBoardingRow).where(*stands).values(failed))


def present(asked: Reading, operator_id: OperatorId) -> OffBoarding | None:
    """Return an operator's off-boarding that was not taken back; else the one that was taken back last."""
    newest = (_OFF_BOARDINGS.c.taken_back_at.is_not(None), _OFF_BOARDINGS.c.begun_at.desc())
    found = _found(asked, _OFF_BOARDINGS.c.operator_id == operator_id, order=newest, most=1)
    return found[0] if found else None


def by_id(asked: Reading, off_boarding_id: OffBoardingId) -> OffBoarding | None:
    """Return one off-boarding, whatever became of it."""
    found = _found(asked, _OFF_BOARDINGS.c.id == off_boarding_id, order=(), most=1)
    return found[0] if found else None


def every(asked: Reading, most: int) -> list[OffBoarding]:
    """Return the off-boardings of all operators, newest first."""
    return _found(asked, order=(_OFF_BOARDINGS.c.begun_at.desc(), _OFF_BOARDINGS.c.id), most=most)


def under_way(asked: Reading) -> list[OffBoarding]:
    """Return the off-boardings that are confirmed and not at their end, oldest first."""
    wanted = (_OFF_BOARDINGS.c.confirmed_at.is_not(None), _OFF_BOARDINGS.c.closed_at.is_(None))
    return _found(asked, *wanted, order=(_OFF_BOARDINGS.c.confirmed_at, _OFF_BOARDINGS.c.id), most=10_000)


def count_by_step(asked: Reading) -> dict[Step, int]:
    """Count the off-boardings that were not taken back, by the last step that is done."""
    wanted = select(_OFF_BOARDINGS.c.step, func.count()).where(_OFF_BOARDINGS.c.taken_back_at.is_(None))
    rows = connection_of(asked).execute(wanted.group_by(_OFF_BOARDINGS.c.step))
    return {Step(step): count for step, count in rows}


def _found(asked: Reading, *wanted: ColumnElement[bool], order: Iterable[Any], most: int) -> list[OffBoarding]:
    rows = connection_of(asked).execute(select(_OFF_BOARDINGS).where(*wanted).order_by(*order).limit(most))
    return [_off_boarding(row) for row in rows]


def _off_boarding(row: Any) -> OffBoarding:
    confirmation = None
    if row.confirmed_at is not None:
        confirmation = Confirmation(
            manifest_id=None if row.manifest_id is None else ManifestId(row.manifest_id),
            digest=row.manifest_digest,
            proposed_by=row.confirm_proposed_by,
            approved_by=row.confirm_approved_by,
            at=row.confirmed_at,
        )
    return OffBoarding(
        id=OffBoardingId(row.id),
        operator_id=OperatorId(row.operator_id),
        proposed_by=row.proposed_by,
        approved_by=row.approved_by,
        begun_at=row.begun_at,
        step=Step(row.step),
        confirmation=confirmation,
        taken_back_at=row.taken_back_at,
        taken_back_by=row.taken_back_by,
        closed_at=row.closed_at,
        attempts=row.attempts,
        last_failure=row.last_failure,
        journal_number=row.journal_number,
    )

"""Queries over restores. Nothing here decides; nothing here commits."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from vms_privacy.custody.rules import Open, Unsettled
from vms_privacy.custody.tables import RestoreRow, UnsettledRow
from vms_privacy.ids import Randomness


@dataclass(frozen=True, slots=True)
class Restore:
    """One restore of this database; `replayed_number` is None until the journal was replayed whole."""

    id: uuid.UUID
    backup_id: uuid.UUID | None
    copied_at: datetime | None
    copied_number: int | None
    begun_at: datetime
    replayed_at: datetime | None
    replayed_number: int | None


def add(
    session: Session,
    restore_id: uuid.UUID,
    begun_at: datetime,
    backup_id: uuid.UUID | None = None,
    copied_at: datetime | None = None,
    copied_number: int | None = None,
) -> None:
    """Put this database into custody."""
    session.execute(
        insert(RestoreRow).values(
            id=restore_id,
            backup_id=backup_id,
            copied_at=copied_at,
            copied_number=copied_number,
            begun_at=begun_at,
        )
    )


def unreleased(session: Session) -> Restore | None:
    """Return the restore for which this database is in custody; None if it is not."""
    wanted = select(RestoreRow).where(RestoreRow.released_at.is_(None)).order_by(RestoreRow.begun_at.desc())
    row = session.scalars(wanted.limit(1).execution_options(populate_existing=True)).one_or_none()
    if row is None:
        return None
    return Restore(
        row.id, row.backup_id, row.copied_at, row.copied_number, row.begun_at, row.replayed_at, row.replayed_number
    )


def note_unsettled(session: Session, restore_id: uuid.UUID, found: Iterable[Open], randomness: Randomness) -> None:
    """Note what could not be settled, each thing once."""
    known = set(unsettled(session, restore_id))
    for one in dict.fromkeys(found):
        if one not in known:
            session.execute(
                insert(UnsettledRow).values(
                    id=randomness.uuid(), restore_id=restore_id, code=one.code, subject=one.subject
                )
            )


def unsettled(session: Session, restore_id: uuid.UUID) -> list[Open]:
    """Return what a restore could not settle."""
    wanted = select(UnsettledRow.code, UnsettledRow.subject).where(UnsettledRow.restore_id == restore_id)
    rows = session.execute(wanted.order_by(UnsettledRow.code, UnsettledRow.subject))
    return [Open(Unsettled(code), subject) for code, subject in rows]


def note_replayed(session: Session, restore_id: uuid.UUID, number: int, at: datetime) -> None:
    """Note that the journal was replayed whole, up to an entry."""
    replayed = update(RestoreRow).where(RestoreRow.id == restore_id)
    session.execute(replayed.values(replayed_at=at, replayed_number=number))


def release(session: Session, at: datetime, reason: str) -> None:
    """Note that somebody has released this database from every restore."""
    kept = update(RestoreRow).where(RestoreRow.released_at.is_(None))
    session.execute(kept.values(released_at=at, release_reason=reason))

"""Queries over the ledger, and the one way to add to it: an entry and its head together."""

from collections.abc import Mapping
from typing import Final, cast

from sqlalchemy import Table, func, insert, select, update
from sqlalchemy.orm import Session, aliased

from vms_privacy.audit.rules import microseconds
from vms_privacy.consent.rules import Answer, ConsentEntry, ConsentKind, LegalBasis, Method
from vms_privacy.consent.tables import ConsentEntryRow, ConsentHeadRow
from vms_privacy.db import Reading, connection_of
from vms_privacy.ids import CameraId, ConsentEntryId, OperatorId

Active = Mapping[tuple[CameraId, ConsentKind], ConsentEntryId]
"""The opt-in given last and not withdrawn, ended or not, of each camera and kind that has one."""
_Later: Final = aliased(ConsentEntryRow)
_HEADS: Final = cast("Table", ConsentHeadRow.__table__)
# Asked many times a second as long as anything is recorded: made once, and it makes no objects.
_ACTIVE: Final = select(_HEADS.c.camera_id, _HEADS.c.kind, _HEADS.c.active_entry_id).where(
    _HEADS.c.active_entry_id.is_not(None)
)
# Only these can decide anything, however long the history is.
_NEWEST: Final = (
    select(ConsentEntryRow)
    .where(
        ConsentEntryRow.number
        == select(func.max(_Later.number))
        .where(_Later.camera_id == ConsentEntryRow.camera_id, _Later.kind == ConsentEntryRow.kind)
        .scalar_subquery()
    )
    .execution_options(populate_existing=True)
)


class ConsentStore:
    """Rows in and out as plain values. Holds nothing itself; every call takes a session."""

    def newest(self, session: Session, camera_id: CameraId) -> list[ConsentEntry]:
        """Return the newest entry of each kind that the camera has."""
        return [_entry(row) for row in session.scalars(_NEWEST.where(ConsentEntryRow.camera_id == camera_id))]

    def history(self, session: Session, camera_id: CameraId) -> list[ConsentEntry]:
        """Return every entry of a camera, oldest first."""
        rows = session.scalars(
            select(ConsentEntryRow)
            .where(ConsentEntryRow.camera_id == camera_id)
            .order_by(ConsentEntryRow.from_at, ConsentEntryRow.kind, ConsentEntryRow.number)
        )
        return [_entry(row) for row in rows]

    def active_entry(self, session: Session, camera_id: CameraId, kind: ConsentKind) -> ConsentEntryId | None:
        """Return what the head says: the opt-in given last and not withdrawn, ended or not."""
        found = session.scalars(
            select(ConsentHeadRow.active_entry_id).where(
                ConsentHeadRow.camera_id == camera_id, ConsentHeadRow.kind == kind
            )
        ).one_or_none()
        return None if found is None else ConsentEntryId(found)

    def active(self, asked: Reading) -> Active:
        """Return what all heads say, as `active_entry` does for one."""
        rows = connection_of(asked).execute(_ACTIVE)
        return {(CameraId(camera_id), ConsentKind(kind)): ConsentEntryId(entry) for camera_id, kind, entry in rows}

    def opted_in(self, session: Session) -> list[CameraId]:
        """Return the cameras whose recording was opted in and not withdrawn; ended or not, their permit says."""
        rows = session.scalars(
            select(ConsentHeadRow.camera_id)
            .where(ConsentHeadRow.kind == ConsentKind.VIDEO_RECORDING, ConsentHeadRow.active_entry_id.is_not(None))
            .order_by(ConsentHeadRow.camera_id)
        )
        return [CameraId(camera_id) for camera_id in rows]

    def lock(self, session: Session, camera_id: CameraId) -> None:
        """Let no other change, and no segment's insert, pass between what is read now and what is added then."""
        session.execute(
            select(ConsentHeadRow.kind)
            .where(ConsentHeadRow.camera_id == camera_id)
            .order_by(ConsentHeadRow.kind)
            .with_for_update()
        ).all()

    def add(self, session: Session, entry: ConsentEntry) -> None:
        """Add an entry and let the head say it, at once."""
        session.execute(insert(ConsentEntryRow).values(_values(entry)))
        is_given = entry.answer is Answer.GIVEN
        says = {
            "active_entry_id": entry.entry_id if is_given else None,
            "until_us": microseconds(entry.until_at) if entry.until_at is not None else None,
            "changed_at": entry.from_at,
        }
        if entry.number == 1:
            session.execute(insert(ConsentHeadRow).values(camera_id=entry.camera_id, kind=entry.kind, **says))
            return
        session.execute(
            update(ConsentHeadRow)
            .where(ConsentHeadRow.camera_id == entry.camera_id, ConsentHeadRow.kind == entry.kind)
            .values(says)
        )


def _values(entry: ConsentEntry) -> dict[str, object]:
    return {
        "id": entry.entry_id,
        "number": entry.number,
        "camera_id": entry.camera_id,
        "operator_id": entry.operator_id,
        "actor": entry.actor,
        "kind": entry.kind,
        "answer": entry.answer,
        "from_at": entry.from_at,
        "until_at": entry.until_at,
        "purpose": entry.purpose,
        "legal_basis": entry.legal_basis or "",
        "wording_version": entry.wording_version,
        "method": entry.method or "",
        "sign_confirmed_at": entry.sign_confirmed_at,
        "reason": entry.reason,
    }


def _entry(row: ConsentEntryRow) -> ConsentEntry:
    return ConsentEntry(
        entry_id=ConsentEntryId(row.id),
        number=row.number,
        camera_id=CameraId(row.camera_id),
        operator_id=OperatorId(row.operator_id),
        actor=row.actor,
        kind=ConsentKind(row.kind),
        answer=Answer(row.answer),
        from_at=row.from_at,
        until_at=row.until_at,
        purpose=row.purpose,
        legal_basis=LegalBasis(row.legal_basis) if row.legal_basis else None,
        wording_version=row.wording_version,
        method=Method(row.method) if row.method else None,
        sign_confirmed_at=row.sign_confirmed_at,
        reason=row.reason,
    )

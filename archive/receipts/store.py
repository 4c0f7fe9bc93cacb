"""Queries over receipts, and over destroyed segments that no receipt tells of yet."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, and_, insert, or_, select, update
from sqlalchemy.orm import Session, aliased, defer

from archive.erasure.tables import ErasureRow
from archive.mandates.tables import MandateRow
from archive.orders.store import LIFTED_LAST
from archive.receipts.tables import ReceiptRow, ToldMandateRow
from archive.segments.rules import State
from archive.segments.tables import SegmentRow
from vms_privacy.ids import BucketKeyId, CameraId, ErasureId, MandateId, OperatorId, ReceiptId, SegmentId


@dataclass(frozen=True, slots=True)
class Line:
    """What receipts of one operator tell of together, one after the other, so that nothing of it is missing.

    What expired is one line; what mandates of one cause and reference had destroyed is one each.
    """

    operator_id: OperatorId
    cause: str | None = None
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What a row still tells of a destroyed segment. A moment or cause that is not there: the row is damaged.

    `expired_us` is when its retention was over, `lifted_at` when the last order was that kept it, `begun_at` when it
    was decided to destroy it.
    """

    id: SegmentId
    camera_id: CameraId
    starts_us: int
    ends_us: int
    erasure_id: ErasureId | None
    mandate_id: MandateId | None
    cause: str | None
    bucket_key_id: BucketKeyId
    key_destroyed_at: datetime | None
    bytes_gone_at: datetime
    store_answer: str | None
    size_bytes: int | None
    expired_us: int | None
    lifted_at: datetime | None
    begun_at: datetime | None


_UNTOLD: Final = (SegmentRow.receipt_id.is_(None), SegmentRow.state == State.ERASED)
_LINES: Final = (
    select(SegmentRow.operator_id, MandateRow.cause, MandateRow.reference)
    .outerjoin(ErasureRow, ErasureRow.id == SegmentRow.erasure_id)
    .outerjoin(MandateRow, MandateRow.id == ErasureRow.mandate_id)
    .where(*_UNTOLD)
    .distinct()
)


def waiting(session: Session, before: datetime) -> list[Line]:
    """Return of what no receipt tells: destroyed before a moment, or by mandates of which nothing is under way.

    Whether they are done is not asked: then the time of a receipt would tell of a hold (P6).
    """
    under_way = _under_way(MandateRow.operator_id, MandateRow.cause, MandateRow.reference)
    is_over = and_(MandateRow.id.is_not(None), ~under_way.exists())
    return _lines(session, _LINES.where(or_(SegmentRow.bytes_gone_at < before, is_over)))


def untold_lines(session: Session, operator_id: OperatorId, limit: int) -> list[Line]:
    """Return of what of an operator no receipt tells."""
    return _lines(session, _LINES.where(SegmentRow.operator_id == operator_id).limit(limit))


def is_under_way(session: Session, line: Line) -> bool:
    """Say whether an erasure by a line's mandates is not done."""
    wanted = _under_way(line.operator_id, line.cause, line.reference)
    return session.scalars(wanted.limit(1)).one_or_none() is not None


def untold(session: Session, line: Line, before: datetime, limit: int) -> list[Destroyed]:
    """Return destroyed segments of a line without a receipt, in the order of their destruction."""
    is_of_line = (
        (ErasureRow.mandate_id.is_(None),)
        if line.cause is None
        else (MandateRow.cause == line.cause, MandateRow.reference == line.reference)
    )
    # Columns, not objects: there are many, and whoever signs holds up all other writers.
    rows = session.execute(
        select(
            SegmentRow.id,
            SegmentRow.camera_id,
            SegmentRow.starts_us,
            SegmentRow.ends_us,
            SegmentRow.erasure_id,
            ErasureRow.mandate_id,
            ErasureRow.cause,
            SegmentRow.bucket_key_id,
            SegmentRow.key_destroyed_at,
            SegmentRow.bytes_gone_at,
            SegmentRow.store_answer,
            SegmentRow.size_bytes,
            SegmentRow.destroy_from_us,
            LIFTED_LAST.label("lifted_at"),
            ErasureRow.started_at,
        )
        .outerjoin(ErasureRow, ErasureRow.id == SegmentRow.erasure_id)
        .outerjoin(MandateRow, MandateRow.id == ErasureRow.mandate_id)
        .where(*_UNTOLD, SegmentRow.operator_id == line.operator_id, SegmentRow.bytes_gone_at < before, *is_of_line)
        .order_by(SegmentRow.bytes_gone_at, SegmentRow.camera_id, SegmentRow.starts_us)
        .limit(limit)
    )
    return [_destroyed(row) for row in rows]


def told(
    session: Session, segments: Sequence[SegmentId], mandates: Collection[MandateId], receipt_id: ReceiptId
) -> None:
    """Note which receipt tells of these segments, and of the mandates that destroyed them."""
    session.flush()
    if mandates:
        named = [{"receipt_id": receipt_id, "mandate_id": one} for one in mandates]
        session.execute(insert(ToldMandateRow), named)
    for at in range(0, len(segments), 500):
        session.execute(
            update(SegmentRow).where(SegmentRow.id.in_(segments[at : at + 500])).values(receipt_id=receipt_id),
            execution_options={"synchronize_session": False},
        )


def of_operator(session: Session, operator_id: OperatorId, limit: int, before: datetime | None) -> list[ReceiptRow]:
    """Return an operator's receipts, newest first, without their documents: some have megabytes."""
    query = select(ReceiptRow).options(defer(ReceiptRow.document, raiseload=True))
    query = query.where(ReceiptRow.operator_id == operator_id)
    if before is not None:
        query = query.where(ReceiptRow.signed_at < before)
    return list(session.scalars(query.order_by(ReceiptRow.signed_at.desc()).limit(limit)))


def mandates_of(session: Session, receipts: Sequence[ReceiptId]) -> dict[ReceiptId, list[MandateId]]:
    """Return which mandates receipts tell of; those of none are left out."""
    wanted = select(ToldMandateRow.receipt_id, ToldMandateRow.mandate_id).where(
        ToldMandateRow.receipt_id.in_(list(receipts))
    )
    found: dict[ReceiptId, list[MandateId]] = {}
    for receipt_id, mandate_id in session.execute(wanted.order_by(ToldMandateRow.mandate_id)):
        found.setdefault(ReceiptId(receipt_id), []).append(MandateId(mandate_id))
    return found


def of_mandate(session: Session, mandate_id: MandateId) -> list[ReceiptId]:
    """Return the receipts that tell of a mandate, in the order of their signing."""
    found = session.scalars(
        select(ReceiptRow.id)
        .join(ToldMandateRow, ToldMandateRow.receipt_id == ReceiptRow.id)
        .where(ToldMandateRow.mandate_id == mandate_id)
        .order_by(ReceiptRow.signed_at, ReceiptRow.id)
    )
    return [ReceiptId(one) for one in found]


def by_id(session: Session, operator_id: OperatorId, receipt_id: ReceiptId) -> ReceiptRow | None:
    """Return one receipt of this operator."""
    return session.scalars(
        select(ReceiptRow).where(ReceiptRow.operator_id == operator_id, ReceiptRow.id == receipt_id)
    ).one_or_none()


def _under_way(operator_id: Any, cause: Any, reference: Any) -> Select[uuid.UUID]:
    """Return the erasures that are not done of mandates of one operator, cause and reference: columns, or values."""
    mandate, erasure = aliased(MandateRow), aliased(ErasureRow)
    return (
        select(erasure.id)
        .join(mandate, mandate.id == erasure.mandate_id)
        .where(
            erasure.done_at.is_(None),
            mandate.operator_id == operator_id,
            mandate.cause == cause,
            mandate.reference == reference,
        )
    )


def _lines(session: Session, wanted: Select[uuid.UUID, str, str]) -> list[Line]:
    found = session.execute(wanted.order_by(SegmentRow.operator_id, MandateRow.cause, MandateRow.reference))
    return [Line(OperatorId(row[0]), row[1], row[2] or "") for row in found]


def _destroyed(row: Any) -> Destroyed:
    return Destroyed(
        id=SegmentId(row.id),
        camera_id=CameraId(row.camera_id),
        starts_us=row.starts_us,
        ends_us=row.ends_us,
        erasure_id=None if row.erasure_id is None else ErasureId(row.erasure_id),
        mandate_id=None if row.mandate_id is None else MandateId(row.mandate_id),
        cause=row.cause,
        bucket_key_id=BucketKeyId(row.bucket_key_id),
        key_destroyed_at=row.key_destroyed_at,
        bytes_gone_at=row.bytes_gone_at,
        store_answer=row.store_answer,
        size_bytes=row.size_bytes,
        expired_us=row.destroy_from_us,
        lifted_at=row.lifted_at,
        begun_at=row.started_at,
    )

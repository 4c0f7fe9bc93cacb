"""Queries over receipts, and over destroyed segments that no receipt tells of yet."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from archive.erasure.tables import ErasureRow
from archive.receipts.tables import ReceiptRow
from archive.segments.rules import State
from archive.segments.tables import SegmentRow
from vms_privacy.db import changed
from vms_privacy.ids import OperatorId, ReceiptId


def operators_waiting(session: Session, before: datetime) -> list[OperatorId]:
    """Return the operators with destroyed segments that no receipt tells of, destroyed before a moment."""
    found = session.scalars(
        select(SegmentRow.operator_id)
        .where(SegmentRow.receipt_id.is_(None), SegmentRow.state == State.ERASED, SegmentRow.bytes_gone_at < before)
        .distinct()
    )
    return [OperatorId(one) for one in found]


def untold(session: Session, operator_id: OperatorId, before: datetime, limit: int) -> list[tuple[SegmentRow, str]]:
    """Return destroyed segments without a receipt, with the cause of each, in the order of their destruction."""
    rows = session.execute(
        select(SegmentRow, ErasureRow.cause)
        .join(ErasureRow, ErasureRow.id == SegmentRow.erasure_id)
        .where(
            SegmentRow.receipt_id.is_(None),
            SegmentRow.state == State.ERASED,
            SegmentRow.operator_id == operator_id,
            SegmentRow.bytes_gone_at < before,
        )
        .order_by(SegmentRow.bytes_gone_at, SegmentRow.camera_id, SegmentRow.starts_us)
        .limit(limit)
    )
    return [(row, cause) for row, cause in rows]


def told(session: Session, segments: Sequence[SegmentRow], receipt_id: ReceiptId) -> int:
    """Note which receipt tells of these segments."""
    return sum(
        changed(
            session,
            update(SegmentRow)
            .where(SegmentRow.id.in_([one.id for one in segments[at : at + 500]]))
            .values(receipt_id=receipt_id),
        )
        for at in range(0, len(segments), 500)
    )


def of_operator(session: Session, operator_id: OperatorId, limit: int, before: datetime | None) -> list[ReceiptRow]:
    """Return an operator's receipts, newest first."""
    query = select(ReceiptRow).where(ReceiptRow.operator_id == operator_id)
    if before is not None:
        query = query.where(ReceiptRow.signed_at < before)
    return list(session.scalars(query.order_by(ReceiptRow.signed_at.desc()).limit(limit)))


def by_id(session: Session, operator_id: OperatorId, receipt_id: ReceiptId) -> ReceiptRow | None:
    """Return one receipt of this operator."""
    return session.scalars(
        select(ReceiptRow).where(ReceiptRow.operator_id == operator_id, ReceiptRow.id == receipt_id)
    ).one_or_none()


def count(session: Session) -> int:
    """Return how many receipts there are."""
    return session.scalar(select(func.count()).select_from(ReceiptRow)) or 0

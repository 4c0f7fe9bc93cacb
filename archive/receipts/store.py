"""Queries over receipts, and over destroyed segments that no receipt tells of yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session, defer

from archive.erasure.tables import ErasureRow
from archive.orders.store import LIFTED_LAST
from archive.receipts.tables import ReceiptRow
from archive.segments.rules import State
from archive.segments.tables import SegmentRow
from vms_privacy.ids import BucketKeyId, CameraId, ErasureId, OperatorId, ReceiptId, SegmentId


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
    cause: str | None
    bucket_key_id: BucketKeyId
    key_destroyed_at: datetime | None
    bytes_gone_at: datetime
    store_answer: str | None
    size_bytes: int | None
    expired_us: int | None
    lifted_at: datetime | None
    begun_at: datetime | None


def operators_waiting(session: Session, before: datetime) -> list[OperatorId]:
    """Return the operators with destroyed segments that no receipt tells of, destroyed before a moment."""
    found = session.scalars(
        select(SegmentRow.operator_id)
        .where(SegmentRow.receipt_id.is_(None), SegmentRow.state == State.ERASED, SegmentRow.bytes_gone_at < before)
        .distinct()
    )
    return [OperatorId(one) for one in found]


def untold(session: Session, operator_id: OperatorId, before: datetime, limit: int) -> list[Destroyed]:
    """Return destroyed segments without a receipt, in the order of their destruction."""
    # Columns, not objects: there are many, and whoever signs holds up all other writers.
    rows = session.execute(
        select(
            SegmentRow.id,
            SegmentRow.camera_id,
            SegmentRow.starts_us,
            SegmentRow.ends_us,
            SegmentRow.erasure_id,
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
        .where(
            SegmentRow.receipt_id.is_(None),
            SegmentRow.state == State.ERASED,
            SegmentRow.operator_id == operator_id,
            SegmentRow.bytes_gone_at < before,
        )
        .order_by(SegmentRow.bytes_gone_at, SegmentRow.camera_id, SegmentRow.starts_us)
        .limit(limit)
    )
    return [_destroyed(row) for row in rows]


def told(session: Session, segments: Sequence[SegmentId], receipt_id: ReceiptId) -> None:
    """Note which receipt tells of these segments."""
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


def by_id(session: Session, operator_id: OperatorId, receipt_id: ReceiptId) -> ReceiptRow | None:
    """Return one receipt of this operator."""
    return session.scalars(
        select(ReceiptRow).where(ReceiptRow.operator_id == operator_id, ReceiptRow.id == receipt_id)
    ).one_or_none()


def _destroyed(row: Any) -> Destroyed:
    return Destroyed(
        id=SegmentId(row.id),
        camera_id=CameraId(row.camera_id),
        starts_us=row.starts_us,
        ends_us=row.ends_us,
        erasure_id=None if row.erasure_id is None else ErasureId(row.erasure_id),
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

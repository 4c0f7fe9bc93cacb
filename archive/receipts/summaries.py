"""Queries over monthly summaries, and over receipts that none of them lists yet."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session, defer

from archive.receipts.tables import ReceiptRow, SummaryRow, SummedReceiptRow
from auth.operators.tables import OperatorRow
from vms_privacy.ids import OperatorId, ReceiptId


@dataclass(frozen=True, slots=True)
class Reached:
    """How far an operator's months are summed up: `last` is the newest month that is, None if none is.

    Of one that was closed at `until` there is nothing to say of a month behind that.
    """

    operator_id: OperatorId
    since: datetime
    last: str | None
    until: datetime | None


def reached(session: Session) -> list[Reached]:
    """Return of every operator since when there is something to say, and how far it was said."""
    found = session.execute(
        select(OperatorRow.id, OperatorRow.created_at, func.max(SummaryRow.month), OperatorRow.closed_at)
        .outerjoin(SummaryRow, SummaryRow.operator_id == OperatorRow.id)
        .group_by(OperatorRow.id, OperatorRow.created_at, OperatorRow.closed_at)
        .order_by(OperatorRow.created_at, OperatorRow.id)
    )
    return [Reached(OperatorId(row[0]), row[1], row[2], row[3]) for row in found]


def newest(session: Session, operator_id: OperatorId) -> SummaryRow | None:
    """Return an operator's newest summary."""
    query = select(SummaryRow).where(SummaryRow.operator_id == operator_id)
    return session.scalars(query.order_by(SummaryRow.month.desc()).limit(1)).one_or_none()


def unlisted(session: Session, operator_id: OperatorId, before: datetime) -> list[ReceiptId]:
    """Return the receipts signed before a moment that no summary lists, in the order of their signing."""
    is_listed = select(SummedReceiptRow.receipt_id).where(SummedReceiptRow.receipt_id == ReceiptRow.id).exists()
    found = session.scalars(
        select(ReceiptRow.id)
        .where(ReceiptRow.operator_id == operator_id, ReceiptRow.signed_at < before, ~is_listed)
        .order_by(ReceiptRow.signed_at, ReceiptRow.id)
    )
    return [ReceiptId(one) for one in found]


def add(session: Session, row: SummaryRow, receipts: Collection[ReceiptId]) -> None:
    """Keep a summary, and which receipts it lists."""
    session.add(row)
    session.flush()
    if receipts:
        listed = [{"receipt_id": one, "summary_id": row.id} for one in receipts]
        session.execute(insert(SummedReceiptRow), listed)


def of_operator(session: Session, operator_id: OperatorId, limit: int, before: str | None) -> list[SummaryRow]:
    """Return an operator's summaries, newest month first, without their documents."""
    query = select(SummaryRow).options(defer(SummaryRow.document, raiseload=True))
    query = query.where(SummaryRow.operator_id == operator_id)
    if before is not None:
        query = query.where(SummaryRow.month < before)
    return list(session.scalars(query.order_by(SummaryRow.month.desc()).limit(limit)))


def of_month(session: Session, operator_id: OperatorId, month: str) -> SummaryRow | None:
    """Return an operator's summary of one month."""
    query = select(SummaryRow).where(SummaryRow.operator_id == operator_id, SummaryRow.month == month)
    return session.scalars(query).one_or_none()

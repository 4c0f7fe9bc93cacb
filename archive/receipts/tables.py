"""Receipts and monthly summaries as they were signed, byte for byte. Rows are only ever added."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vms_privacy.db import Base, UTCDateTime
from vms_privacy.db_guards import refuse


class ReceiptRow(Base):
    """One signed receipt. Its document is the evidence; the other columns only help to find it."""

    __tablename__ = "receipt"
    __table_args__ = (Index("ix_receipt_operator_id_signed_at", "operator_id", "signed_at"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[uuid.UUID] = mapped_column()
    kind: Mapped[str] = mapped_column(String(16), comment="hourly, on-demand, or the cause of its mandates")
    covers_from: Mapped[datetime] = mapped_column(UTCDateTime)
    covers_until: Mapped[datetime] = mapped_column(UTCDateTime)
    leaf_count: Mapped[int] = mapped_column()
    signed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    document: Mapped[bytes] = mapped_column(LargeBinary, comment="docs/formats/receipt-v1.md")


class ToldMandateRow(Base):
    """Which mandates a receipt tells of: those that destroyed its segments."""

    __tablename__ = "receipt_mandate"
    __table_args__ = (Index("ix_receipt_mandate_mandate_id", "mandate_id"),)

    receipt_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(ReceiptRow.id), primary_key=True)
    mandate_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)


class SummaryRow(Base):
    """One operator's month, signed. Its document is the evidence; the other columns only help to find it."""

    __tablename__ = "receipt_summary"
    __table_args__ = (
        UniqueConstraint("operator_id", "month"),
        CheckConstraint("length(month) = 7", name="month_has_its_form"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[uuid.UUID] = mapped_column()
    month: Mapped[str] = mapped_column(String(7), comment="in UTC, as 2030-01")
    receipts: Mapped[int] = mapped_column(comment="how many it lists; none is a statement too")
    segments: Mapped[int] = mapped_column()
    signed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    document: Mapped[bytes] = mapped_column(LargeBinary, comment="docs/formats/receipt-v1.md")


class SummedReceiptRow(Base):
    """Which summary lists a receipt: exactly one does, in the end."""

    __tablename__ = "receipt_summed"
    __table_args__ = (Index("ix_receipt_summed_summary_id", "summary_id"),)

    receipt_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(ReceiptRow.id), primary_key=True)
    summary_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(SummaryRow.id))


for _act in ("UPDATE", "DELETE", "TRUNCATE"):
    refuse(ReceiptRow, f"receipt_no_{_act.lower()}", _act, "receipts are only ever added")
    refuse(ToldMandateRow, f"receipt_mandate_no_{_act.lower()}", _act, "a receipt goes on telling of its mandates")
    refuse(SummaryRow, f"receipt_summary_no_{_act.lower()}", _act, "summaries are only ever added")
    refuse(SummedReceiptRow, f"receipt_summed_no_{_act.lower()}", _act, "a receipt stays in its summary")

"""Receipts as they were signed, byte for byte. Rows are only ever added."""

import uuid
from datetime import datetime

from sqlalchemy import Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from vms_privacy.db import Base, UTCDateTime
from vms_privacy.db_guards import refuse


class ReceiptRow(Base):
    """One signed receipt. Its document is the evidence; the other columns only help to find it."""

    __tablename__ = "receipt"
    __table_args__ = (Index("ix_receipt_operator_id_signed_at", "operator_id", "signed_at"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[uuid.UUID] = mapped_column()
    kind: Mapped[str] = mapped_column(String(16), comment="hourly, or on-demand")
    covers_from: Mapped[datetime] = mapped_column(UTCDateTime)
    covers_until: Mapped[datetime] = mapped_column(UTCDateTime)
    leaf_count: Mapped[int] = mapped_column()
    signed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    document: Mapped[bytes] = mapped_column(LargeBinary, comment="docs/formats/receipt-v1.md")


for _act in ("UPDATE", "DELETE", "TRUNCATE"):
    refuse(ReceiptRow, f"receipt_no_{_act.lower()}", _act, "receipts are only ever added")

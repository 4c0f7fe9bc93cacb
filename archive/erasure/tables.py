"""Erasures: which step each has reached, what failed, and when it is tried again."""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from vms_privacy.db import Base, UTCDateTime


class ErasureRow(Base):
    """One erasure of one operator's segments. The segments point here; this row never leaves."""

    __tablename__ = "erasure"
    __table_args__ = (
        CheckConstraint("step BETWEEN 1 AND 8", name="known_step"),
        CheckConstraint("(step = 8) = (done_at IS NOT NULL)", name="done_means_done"),
        Index("ix_erasure_done_at_next_attempt_at", "done_at", "next_attempt_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[uuid.UUID] = mapped_column()
    cause: Mapped[str] = mapped_column(String(16))
    mandate_id: Mapped[uuid.UUID | None] = mapped_column(index=True, comment="the mandate it carries out; none: expiry")
    due_us: Mapped[int | None] = mapped_column(BigInteger, comment="our clock, of a mandate's; else each segment's own")
    verified: Mapped[int] = mapped_column(
        server_default=text("0"), comment="segments of a sample that were shown to be gone; -1: one opened"
    )
    actor: Mapped[str] = mapped_column(String(80), comment="a principal's label, an id")
    journal_number: Mapped[int] = mapped_column(BigInteger, comment="the custody journal's entry, made first")
    step: Mapped[int] = mapped_column(comment="the last step that is durable; see rules.Step")
    segments: Mapped[int] = mapped_column()
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    started_at: Mapped[datetime] = mapped_column(UTCDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    attempts: Mapped[int] = mapped_column(comment="failed rounds so far")
    last_failure: Mapped[str] = mapped_column(String(80), comment="a code or a type, never a path")
    next_attempt_at: Mapped[datetime] = mapped_column(UTCDateTime)
    claimed_by: Mapped[uuid.UUID | None] = mapped_column(comment="the worker that is at it, an installation's id")
    claimed_until: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="then another may go on with it")

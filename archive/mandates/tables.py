"""Mandates. What one says never changes, it is never deleted, and it takes two people: the database sees to it.

Two people have decided as well on one that the custody journal tells of: their proposal went with the lost database.
"""

import uuid
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from vms_privacy.db import Base, UTCDateTime
from vms_privacy.db_guards import refuse

_STANDS: Final = "done_at IS NULL"


class MandateRow(Base):
    """A stretch of one camera's time that is to be destroyed. It stands until nothing is left of it."""

    __tablename__ = "mandate"
    __table_args__ = (
        CheckConstraint("cause IN ('request', 'withdrawal', 'off-boarding')", name="known_cause"),
        CheckConstraint("until_us > from_us", name="runs_forward"),
        CheckConstraint("trim(reference) <> '' AND trim(reason) <> ''", name="is_told"),
        CheckConstraint("proposed_by <> approved_by", name="two_people"),
        Index(
            "ix_mandate_standing",
            "camera_id",
            "from_us",
            sqlite_where=text(_STANDS),
            postgresql_where=text(_STANDS),
        ),
        Index("ix_mandate_operator_id_placed_at", "operator_id", "placed_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[uuid.UUID]
    camera_id: Mapped[uuid.UUID]
    from_us: Mapped[int] = mapped_column(BigInteger, comment="our clock; this moment is destroyed")
    until_us: Mapped[int] = mapped_column(BigInteger, comment="our clock; not destroyed")
    cause: Mapped[str] = mapped_column(String(16))
    reference: Mapped[str] = mapped_column(String(80), comment="the request's id, or the operator's own word for it")
    reason: Mapped[str] = mapped_column(String(2000), comment="in words")
    proposed_by: Mapped[str] = mapped_column(String(80), comment="a principal's label, an id")
    approved_by: Mapped[str] = mapped_column(String(80), comment="the second person: an id")
    placed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="when nothing of it was left")
    attempts: Mapped[int] = mapped_column(comment="failed rounds so far")
    last_failure: Mapped[str] = mapped_column(String(80), comment="a code or a type, never a path")
    next_attempt_at: Mapped[datetime] = mapped_column(UTCDateTime)
    journal_number: Mapped[int | None] = mapped_column(
        BigInteger, comment="the custody journal's entry, of one that stands again after a restore"
    )


for _act in ("DELETE", "TRUNCATE"):
    refuse(MandateRow, f"mandate_no_{_act.lower()}", _act, "mandates are never deleted")
refuse(
    MandateRow,
    "mandate_takes_two",
    "INSERT",
    "two people alone have footage destroyed before its time",
    "NOT (NEW.proposed_by = 'worker:replay' AND NEW.journal_number IS NOT NULL) "
    "AND NOT EXISTS (SELECT 1 FROM proposal WHERE operator_id = NEW.operator_id AND camera_id = NEW.camera_id "
    "AND act = 'erase-footage' AND decision = 'approved' AND proposed_by = NEW.proposed_by "
    "AND decided_by = NEW.approved_by) "
    # Whoever confirms an off-boarding has decided about all of an operator's cameras at once.
    "AND NOT (NEW.cause = 'off-boarding' AND EXISTS (SELECT 1 FROM proposal WHERE operator_id = NEW.operator_id "
    "AND act = 'confirm-off-boarding' AND decision = 'approved' AND proposed_by = NEW.proposed_by "
    "AND decided_by = NEW.approved_by))",
)
refuse(
    MandateRow,
    "mandate_stays",
    "UPDATE",
    "a mandate keeps what it says, and once done stays done",
    "OLD.done_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id "
    "OR NEW.camera_id <> OLD.camera_id OR NEW.from_us <> OLD.from_us OR NEW.until_us <> OLD.until_us "
    "OR NEW.cause <> OLD.cause OR NEW.reference <> OLD.reference OR NEW.reason <> OLD.reason "
    "OR NEW.proposed_by <> OLD.proposed_by OR NEW.approved_by <> OLD.approved_by OR NEW.placed_at <> OLD.placed_at "
    "OR NEW.journal_number IS DISTINCT FROM OLD.journal_number",
)

"""Proposals and how they were decided. A decided row never changes, and nobody approves their own."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from vms_privacy.db import Base, UTCDateTime
from vms_privacy.db_guards import refuse

_WAITS = "decision IS NULL"


class ProposalRow(Base):
    """One act that needs two people."""

    __tablename__ = "proposal"
    __table_args__ = (
        CheckConstraint("decision IS NULL OR decision IN ('approved', 'refused', 'taken-back')", name="known_decision"),
        CheckConstraint(
            "(decision IS NULL) = (decided_by IS NULL) AND (decision IS NULL) = (decided_at IS NULL)",
            name="decided_by_somebody",
        ),
        CheckConstraint("decision IS NULL OR decision <> 'approved' OR decided_by <> proposed_by", name="two_people"),
        CheckConstraint("expires_at > proposed_at", name="runs_forward"),
        Index(
            "ix_proposal_waiting",
            "operator_id",
            "proposed_at",
            sqlite_where=text(_WAITS),
            postgresql_where=text(_WAITS),
        ),
        Index("ix_proposal_operator_id_proposed_at", "operator_id", "proposed_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[uuid.UUID]
    camera_id: Mapped[uuid.UUID | None] = mapped_column(comment="what both must hold the right over; empty: all of it")
    act: Mapped[str] = mapped_column(String(32))
    needs: Mapped[str] = mapped_column(String(16), comment="the right that both must hold")
    facts: Mapped[str] = mapped_column(Text, comment="JSON: ids, counts, moments; exactly what would be done")
    reason: Mapped[str] = mapped_column(String(2000), comment="the proposer's words")
    proposed_by: Mapped[str] = mapped_column(String(80), comment="a principal's label, an id")
    proposed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    decision: Mapped[str | None] = mapped_column(String(10), comment="approved, refused or taken-back")
    decided_by: Mapped[str | None] = mapped_column(String(80), comment="a principal's label, an id")
    decided_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


for _act in ("DELETE", "TRUNCATE"):
    refuse(ProposalRow, f"proposal_no_{_act.lower()}", _act, "proposals are never deleted")
refuse(
    ProposalRow,
    "proposal_is_decided_once",
    "UPDATE",
    "a proposal keeps what it says, and is decided once",
    "OLD.decision IS NOT NULL OR NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id "
    "OR NEW.camera_id IS DISTINCT FROM OLD.camera_id OR NEW.act <> OLD.act OR NEW.needs <> OLD.needs "
    "OR NEW.facts <> OLD.facts OR NEW.reason <> OLD.reason OR NEW.proposed_by <> OLD.proposed_by "
    "OR NEW.proposed_at <> OLD.proposed_at OR NEW.expires_at <> OLD.expires_at",
)

"""Orders, the people of their cases, and the guard that keeps what they cover from being destroyed."""

import uuid
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from archive.segments.tables import SegmentRow
from vms_privacy.db import Base, UTCDateTime
from vms_privacy.db_guards import refuse

_IN_FORCE: Final = "lifted_at IS NULL"


class OrderRow(Base):
    """One hold or restriction over a stretch of one camera's time. In force until it is lifted."""

    __tablename__ = "footage_order"
    __table_args__ = (
        CheckConstraint("kind IN ('hold', 'restriction')", name="known_kind"),
        CheckConstraint("until_us > from_us", name="runs_forward"),
        CheckConstraint("trim(case_ref) <> '' AND trim(authority) <> '' AND trim(reason) <> ''", name="is_told"),
        CheckConstraint(
            "(lifted_at IS NULL) = (lifted_by IS NULL) AND (lifted_at IS NULL) = (lift_approved_by IS NULL)",
            name="lifted_by_somebody",
        ),
        CheckConstraint("lifted_at IS NULL OR lifted_by <> lift_approved_by", name="lifted_by_two_people"),
        Index(
            "ix_footage_order_in_force",
            "camera_id",
            "from_us",
            sqlite_where=text(_IN_FORCE),
            postgresql_where=text(_IN_FORCE),
        ),
        Index("ix_footage_order_operator_id_placed_at", "operator_id", "placed_at"),
        Index("ix_footage_order_camera_id_lifted_at", "camera_id", "lifted_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[uuid.UUID]
    kind: Mapped[str] = mapped_column(String(11))
    camera_id: Mapped[uuid.UUID]
    from_us: Mapped[int] = mapped_column(BigInteger, comment="our clock; this moment is covered")
    until_us: Mapped[int] = mapped_column(BigInteger, comment="our clock, not covered; 2^60 for one without an end")
    case_ref: Mapped[str] = mapped_column(String(80), comment="the operator's own reference")
    ground: Mapped[str] = mapped_column(String(24))
    authority: Mapped[str] = mapped_column(String(200), comment="who asked for it")
    reason: Mapped[str] = mapped_column(String(2000), comment="in words")
    placed_by: Mapped[str] = mapped_column(String(80), comment="a principal's label, an id")
    placed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    review_at: Mapped[datetime] = mapped_column(UTCDateTime, comment="when somebody has to look at it again")
    lifted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    lifted_by: Mapped[str | None] = mapped_column(String(80), comment="who proposed its end: an id")
    lift_approved_by: Mapped[str | None] = mapped_column(String(80), comment="the second person: an id")


class OrderPersonRow(Base):
    """Somebody for whom a hold opens what has expired. Rows stay; a name that is taken off gets an end."""

    __tablename__ = "footage_order_person"
    __table_args__ = (
        Index("ix_footage_order_person_order_id", "order_id"),
        CheckConstraint("(removed_at IS NULL) = (removed_by IS NULL)", name="removed_by_somebody"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    order_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(OrderRow.id))
    person_id: Mapped[uuid.UUID]
    added_by: Mapped[str] = mapped_column(String(80), comment="a principal's label, an id")
    added_at: Mapped[datetime] = mapped_column(UTCDateTime)
    removed_by: Mapped[str | None] = mapped_column(String(80), comment="a principal's label, an id")
    removed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


for _act in ("DELETE", "TRUNCATE"):
    refuse(OrderRow, f"footage_order_no_{_act.lower()}", _act, "orders are lifted, never deleted")
    refuse(OrderPersonRow, f"footage_order_person_no_{_act.lower()}", _act, "people are taken off, never deleted")
refuse(
    OrderRow,
    "footage_order_stays",
    "UPDATE",
    "an order keeps what it says, and once lifted stays lifted",
    "OLD.lifted_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id OR NEW.kind <> OLD.kind "
    "OR NEW.camera_id <> OLD.camera_id OR NEW.from_us <> OLD.from_us OR NEW.until_us <> OLD.until_us "
    "OR NEW.case_ref <> OLD.case_ref OR NEW.ground <> OLD.ground OR NEW.authority <> OLD.authority "
    "OR NEW.reason <> OLD.reason OR NEW.placed_by <> OLD.placed_by OR NEW.placed_at <> OLD.placed_at",
)
refuse(
    OrderPersonRow,
    "footage_order_person_stays",
    "UPDATE",
    "who was of a case, and from when, stays written",
    "OLD.removed_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.order_id <> OLD.order_id "
    "OR NEW.person_id <> OLD.person_id OR NEW.added_by <> OLD.added_by OR NEW.added_at <> OLD.added_at",
)
# Nobody lifts an order alone, past the service either: two people have approved it in this very transaction.
refuse(
    OrderRow,
    "footage_order_is_lifted_by_approval",
    "UPDATE",
    "an order is lifted by two people alone",
    "NEW.lifted_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM proposal WHERE camera_id = NEW.camera_id "
    "AND act IN ('lift-hold', 'lift-restriction') AND decision = 'approved' AND proposed_by = NEW.lifted_by "
    "AND decided_by = NEW.lift_approved_by)",
)
# P6: by the times that the row has had, whatever the statement says; what grows has no end yet. Sound may lie before
# the first picture: rules.SOUND_AROUND_US.
refuse(
    SegmentRow,
    "segment_is_kept_by_orders",
    "UPDATE",
    "a hold or a restriction keeps this segment",
    "NEW.state IN ('erasing', 'erased') AND OLD.state NOT IN ('erasing', 'erased') AND EXISTS (SELECT 1 "
    "FROM footage_order WHERE camera_id = OLD.camera_id AND lifted_at IS NULL "
    "AND until_us > OLD.starts_us - CASE OLD.tracks WHEN 'video' THEN 0 ELSE 10000000 END "
    "AND from_us < coalesce(OLD.destroy_from_us - OLD.keep_us, 9223372036854775807))",
    of=("state",),
)
refuse(
    SegmentRow,
    "segment_keeps_its_last_packet",
    "UPDATE",
    "a closed segment keeps its last packet",
    "OLD.destroy_from_us IS NOT NULL AND (NEW.destroy_from_us IS NULL "
    "OR NEW.destroy_from_us - NEW.keep_us < OLD.destroy_from_us - OLD.keep_us)",
    of=("destroy_from_us", "keep_us"),
)
refuse(SegmentRow, "segment_no_delete", "DELETE", "what was recorded stays written", "OLD.state <> 'writing'")
refuse(SegmentRow, "segment_no_truncate", "TRUNCATE", "what was recorded stays written")

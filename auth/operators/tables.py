"""The rows of operators."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vms_privacy.db import Base, UTCDateTime
from vms_privacy.db_guards import refuse


class OperatorRow(Base):
    """One customer who owns cameras and footage."""

    __tablename__ = "operator"
    __table_args__ = (CheckConstraint("length(name) BETWEEN 1 AND 63", name="name_has_a_length"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(63), unique=True, comment="first segment of its streaming URLs")
    title: Mapped[str] = mapped_column(String(200), comment="for people")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    leaving_since: Mapped[datetime | None] = mapped_column(
        UTCDateTime, comment="its off-boarding has begun: nothing new is recorded, registered or given away"
    )
    closed_at: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="nothing of it is left; its name is free")


class OperatorRegionRow(Base):
    """One version of the region that an operator's footage was promised to go to; the newest is in force."""

    __tablename__ = "operator_region"
    __table_args__ = (
        UniqueConstraint("operator_id", "version"),
        CheckConstraint("length(region) BETWEEN 1 AND 63", name="region_has_a_length"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(OperatorRow.id))
    version: Mapped[int] = mapped_column(comment="1, 2, 3, …")
    region: Mapped[str] = mapped_column(String(63), comment="as the settings call it")
    set_by: Mapped[str] = mapped_column(String(80), comment="a principal's label, an id; or the worker of the start")
    set_at: Mapped[datetime] = mapped_column(UTCDateTime)


refuse(
    OperatorRow,
    "operator_stays_closed",
    "UPDATE",
    "an operator leaves before it is closed, and stays closed",
    "(NEW.closed_at IS NOT NULL AND NEW.leaving_since IS NULL) "
    "OR (OLD.closed_at IS NOT NULL AND NEW.closed_at IS DISTINCT FROM OLD.closed_at)",
)
for _act in ("UPDATE", "DELETE", "TRUNCATE"):
    refuse(OperatorRegionRow, f"operator_region_no_{_act.lower()}", _act, "regions are only ever added")

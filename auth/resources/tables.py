"""The rows that rights are about."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from auth.resources.rules import GROUP_PATH_LENGTH
from vms_privacy.db import Base, UTCDateTime
from vms_privacy.db_guards import IS_LEAVING, refuse


class ResourceRow(Base):
    """One camera, living or removed. The operator never changes: rights and footage hang on it."""

    __tablename__ = "resource"
    __table_args__ = (
        UniqueConstraint("operator_id", "name"),
        CheckConstraint("version >= 1", name="version_counts_up"),
    )

    camera_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[uuid.UUID] = mapped_column(Uuid, ForeignKey("operator.id"))
    name: Mapped[str] = mapped_column(
        String(63), comment="unique in its operator, removed cameras included: footage outlives them"
    )
    group_path: Mapped[str] = mapped_column(String(GROUP_PATH_LENGTH), comment="names joined by /; empty: in no group")
    version: Mapped[int] = mapped_column(comment="rises with every change of this row")
    removed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


refuse(ResourceRow, "resource_of_nobody_who_leaves", "INSERT", "no camera comes to an operator that leaves", IS_LEAVING)

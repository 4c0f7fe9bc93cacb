"""The rows of grants."""

import uuid
from datetime import datetime
from typing import Final

from sqlalchemy import CheckConstraint, ForeignKey, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from auth.principal import GIVES_FOOTAGE_AWAY
from auth.resources.rules import GROUP_PATH_LENGTH
from vms_privacy.db import Base, UTCDateTime
from vms_privacy.db_guards import IS_LEAVING, refuse


class GrantRow(Base):
    """One person's rights over one scope. Person, operator and scope never change; the terms do, by version."""

    __tablename__ = "access_grant"
    __table_args__ = (
        CheckConstraint("camera_id IS NULL OR group_path IS NULL", name="one_scope"),
        CheckConstraint("group_path IS NULL OR group_path <> ''", name="a_group_has_a_path"),
        CheckConstraint("rights <> ''", name="gives_something"),
        CheckConstraint("valid_until IS NULL OR valid_until > valid_from", name="runs_forward"),
        CheckConstraint(
            "window_until IS NULL OR window_from IS NULL OR window_until > window_from", name="window_opens"
        ),
        CheckConstraint("depth_seconds IS NULL OR depth_seconds > 0", name="depth_is_positive"),
        CheckConstraint("version >= 1", name="version_counts_up"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[uuid.UUID] = mapped_column(Uuid, ForeignKey("operator.id"), index=True)
    person_id: Mapped[uuid.UUID] = mapped_column(Uuid, ForeignKey("person.id"), index=True)
    role: Mapped[str | None] = mapped_column(String(32), comment="the bundle the rights were taken from, for people")
    rights: Mapped[str] = mapped_column(String(255), comment="sorted, joined by a comma; these decide, not the role")
    camera_id: Mapped[uuid.UUID | None] = mapped_column(Uuid, ForeignKey("resource.camera_id"))
    group_path: Mapped[str | None] = mapped_column(
        String(GROUP_PATH_LENGTH), comment="this group and all below it; camera and group empty: the whole operator"
    )
    valid_from: Mapped[datetime] = mapped_column(UTCDateTime)
    valid_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    depth_seconds: Mapped[int | None] = mapped_column(comment="how far back the archive may be read")
    window_from: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="start of a fixed archive window")
    window_until: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="end of a fixed archive window")
    version: Mapped[int] = mapped_column(comment="rises with every change and with the withdrawal")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


_GIVES_FOOTAGE: Final = " OR ".join(
    f"',' || NEW.rights || ',' LIKE '%,{right},%'" for right in sorted(GIVES_FOOTAGE_AWAY)
)
refuse(
    GrantRow,
    "access_grant_of_nobody_who_leaves",
    "INSERT",
    "nobody is given footage of an operator that leaves",
    f"({_GIVES_FOOTAGE}) AND {IS_LEAVING}",
)

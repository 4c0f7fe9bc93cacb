"""The versions of each camera's recording times. Rows are only ever added."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vms_privacy.db import Base, UTCDateTime
from vms_privacy.db_guards import refuse


class RecordingTimesRow(Base):
    """One version of a camera's weekly plan; the highest decides."""

    __tablename__ = "recording_times"
    __table_args__ = (
        UniqueConstraint("camera_id", "version"),
        CheckConstraint("version > 0", name="version_counts_from_one"),
        CheckConstraint("zone <> '' AND stretches <> ''", name="says_something"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[uuid.UUID] = mapped_column()
    camera_id: Mapped[uuid.UUID] = mapped_column()
    version: Mapped[int] = mapped_column(comment="1, 2, 3, …; without any row it is recorded always")
    zone: Mapped[str] = mapped_column(String(64), comment="a name of the IANA time zone database")
    stretches: Mapped[str] = mapped_column(
        String(1200), comment="such as mon+tue=08:00-18:00, by one blank; unreadable: no recording"
    )
    set_by: Mapped[str] = mapped_column(String(80), comment="a principal's label, an id")
    set_at: Mapped[datetime] = mapped_column(UTCDateTime)


for _act in ("UPDATE", "DELETE", "TRUNCATE"):
    refuse(RecordingTimesRow, f"recording_times_no_{_act.lower()}", _act, "recording times are only ever added")

"""The versions of each camera's retention. Rows are only ever added."""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vms_privacy.db import Base, UTCDateTime
from vms_privacy.db_guards import refuse


class RetentionPolicyRow(Base):
    """One version. What it did to footage that was there is in the journal and the audit."""

    __tablename__ = "retention_policy"
    __table_args__ = (
        UniqueConstraint("camera_id", "version"),
        CheckConstraint("keep_seconds >= 10", name="long_enough_to_exist"),
        CheckConstraint("keep_seconds <= 259200 OR length(justification) > 0", name="longer_is_justified"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[uuid.UUID] = mapped_column()
    camera_id: Mapped[uuid.UUID] = mapped_column()
    version: Mapped[int] = mapped_column(comment="1, 2, 3, …; without any row the default of 72 h holds as version 0")
    keep_seconds: Mapped[int] = mapped_column(BigInteger)
    justification: Mapped[str] = mapped_column(String(2000))
    set_by: Mapped[str] = mapped_column(String(80), comment="a principal's label, an id")
    set_at: Mapped[datetime] = mapped_column(UTCDateTime)


class RetentionTermsRow(Base):
    """One version of what an operator has set for all its cameras: whose law, the default, the minimum."""

    __tablename__ = "retention_terms"
    __table_args__ = (
        UniqueConstraint("operator_id", "version"),
        CheckConstraint("at_least_seconds >= 10 AND keep_seconds >= at_least_seconds", name="kept_for_the_minimum"),
        CheckConstraint("keep_seconds <= 259200 OR length(justification) > 0", name="longer_is_justified"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[uuid.UUID] = mapped_column()
    version: Mapped[int] = mapped_column(comment="1, 2, 3, …; without any row 72 h hold, under no profile")
    profile: Mapped[str] = mapped_column(String(8), comment="general, fr, lu, kz or uk")
    keep_seconds: Mapped[int] = mapped_column(BigInteger, comment="where a camera has no retention of its own")
    at_least_seconds: Mapped[int] = mapped_column(BigInteger)
    justification: Mapped[str] = mapped_column(String(2000))
    set_by: Mapped[str] = mapped_column(String(80), comment="a principal's label, an id")
    set_at: Mapped[datetime] = mapped_column(UTCDateTime)


for _act in ("UPDATE", "DELETE", "TRUNCATE"):
    refuse(RetentionTermsRow, f"retention_terms_no_{_act.lower()}", _act, "retention terms are only ever added")
    refuse(RetentionPolicyRow, f"retention_policy_no_{_act.lower()}", _act, "retention policies are only ever added")

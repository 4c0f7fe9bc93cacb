"""The rows of people and of the codes they start with."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from vms_privacy.db import Base, UTCDateTime


class PersonRow(Base):
    """Somebody who can log in. A platform admin belongs to no operator, everybody else to exactly one, for good."""

    __tablename__ = "person"
    __table_args__ = (
        CheckConstraint("is_platform_admin = (operator_id IS NULL)", name="platform_admins_have_no_operator"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[uuid.UUID | None] = mapped_column(Uuid, ForeignKey("operator.id"), index=True)
    login: Mapped[str] = mapped_column(String(127), unique=True, comment="what the person types to log in")
    display_name: Mapped[str] = mapped_column(String(200), comment="for people; never in the audit")
    password_hash: Mapped[str | None] = mapped_column(
        String(255), comment="Argon2id with its salt and parameters; empty until the person sets a password"
    )
    is_platform_admin: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class CodeRow(Base):
    """A single-use code. With a person: sets their password. Without: makes the first platform admin."""

    __tablename__ = "enrolment_code"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True, comment="SHA-256 of the code")
    person_id: Mapped[uuid.UUID | None] = mapped_column(Uuid, ForeignKey("person.id"), index=True)
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="used, or replaced by a newer one")

"""The rows of log-in sessions."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from vms_privacy.db import Base, UTCDateTime


class LoginSessionRow(Base):
    """One family of tokens. Only digests: a copy of this table logs nobody in."""

    __tablename__ = "login_session"
    __table_args__ = (CheckConstraint("(ended_at IS NULL) = (ended_why IS NULL)", name="an_end_has_a_reason"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    person_id: Mapped[uuid.UUID] = mapped_column(Uuid, ForeignKey("person.id"), index=True)
    family_digest: Mapped[bytes] = mapped_column(
        LargeBinary(32), unique=True, comment="SHA-256 of the part that all refresh tokens of the family share"
    )
    refresh_digest: Mapped[bytes] = mapped_column(LargeBinary(32), comment="SHA-256 of the one that works now")
    access_digest: Mapped[bytes] = mapped_column(
        LargeBinary(32), unique=True, comment="SHA-256 of the current access token; refreshing ends the one before"
    )
    access_expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    opened_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, comment="absolute; rotating does not move it")
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ended_why: Mapped[str | None] = mapped_column(String(32))

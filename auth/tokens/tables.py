"""The rows of issued tokens."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from vms_privacy.db import Base, UTCDateTime


class StreamTokenRow(Base):
    """One issued token, for its handle and for its withdrawal. Gone soon after nothing can rest on it any more."""

    __tablename__ = "stream_token"
    __table_args__ = (
        CheckConstraint("expires_at > not_before", name="runs_forward"),
        CheckConstraint("session_until >= expires_at", name="session_outlives_start"),
        CheckConstraint(
            "window_from IS NULL OR window_until IS NULL OR window_until > window_from", name="window_opens"
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    handle_digest: Mapped[bytes] = mapped_column(
        LargeBinary(32), unique=True, comment="SHA-256 of the handle; the handle itself is nowhere"
    )
    person_id: Mapped[uuid.UUID]
    operator_id: Mapped[uuid.UUID]
    camera_id: Mapped[uuid.UUID]
    actions: Mapped[str] = mapped_column(String(40), comment="sorted names joined by commas")
    purpose: Mapped[str] = mapped_column(String(20))
    not_before: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, comment="nothing may be started with it from here on")
    session_until: Mapped[datetime] = mapped_column(UTCDateTime, index=True, comment="and nothing goes on")
    grants: Mapped[str] = mapped_column(
        String(300), comment="right=grant id.version, joined by commas: what the token rests on"
    )
    window_from: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="archive only")
    window_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    depth_seconds: Mapped[int | None] = mapped_column(comment="archive only; counted back from the moment of looking")
    withdrawn_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

"""The rows of issued tokens."""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from auth.tokens.signing import LONGEST_TOKEN
from vms_privacy.db import Base, UTCDateTime


class StreamTokenRow(Base):
    """One issued token, for its handle and for its withdrawal. Gone soon after nothing can rest on it any more."""

    __tablename__ = "stream_token"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    handle_digest: Mapped[bytes] = mapped_column(
        LargeBinary(32), unique=True, comment="SHA-256 of the handle; the handle itself is nowhere"
    )
    payload: Mapped[str] = mapped_column(
        String(LONGEST_TOKEN),
        comment="second part of the JWT, so that both forms say the same; nothing without its signature",
    )
    session_until: Mapped[int] = mapped_column(
        BigInteger, index=True, comment="seconds since 1970 UTC; nothing goes on with it from here on"
    )
    withdrawn_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

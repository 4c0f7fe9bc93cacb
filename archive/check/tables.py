"""What a check remembers: which file it looked at how deep and when, and how far a turn through all of them is."""

import uuid
from datetime import datetime
from typing import Final

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vms_privacy.db import Base, UTCDateTime

_KNOWN_DEPTH: Final = "depth BETWEEN 1 AND 4"


class CheckLookRow(Base):
    """One file was looked at and was in order. What was found wrong has no row, and so is always looked at again."""

    __tablename__ = "check_look"
    __table_args__ = (CheckConstraint(_KNOWN_DEPTH, name="known_depth"),)

    segment_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    depth: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="check.rules.Depth")
    looked_at: Mapped[datetime] = mapped_column(UTCDateTime)


class CheckTurnRow(Base):
    """The newest turn through all files at a depth; it may take many runs."""

    __tablename__ = "check_turn"
    __table_args__ = (CheckConstraint(_KNOWN_DEPTH, name="known_depth"),)

    depth: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="check.rules.Depth")
    began_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="empty while files are left to look at")

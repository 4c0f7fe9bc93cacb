"""The rows of operators."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from vms_privacy.db import Base, UTCDateTime


class OperatorRow(Base):
    """One customer who owns cameras and footage."""

    __tablename__ = "operator"
    __table_args__ = (CheckConstraint("length(name) BETWEEN 1 AND 63", name="name_has_a_length"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(63), unique=True, comment="first segment of its streaming URLs")
    title: Mapped[str] = mapped_column(String(200), comment="for people")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)

"""Rows of the audit. Nothing here is ever changed or deleted; the database itself refuses."""

import uuid
from typing import Final, cast

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    type_coerce,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from vms_privacy.db import Base
from vms_privacy.db_guards import follow, refuse


class IdBytes(TypeDecorator[uuid.UUID]):
    """An id as its 16 bytes, as it is hashed. Whoever reads many rows reads them as bytes and makes no objects."""

    impl = LargeBinary(16)
    cache_ok = True

    def process_bind_param(self, value: uuid.UUID | None, dialect: Dialect) -> bytes | None:
        return None if value is None else value.bytes

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> uuid.UUID | None:
        return None if value is None else uuid.UUID(bytes=value)


# SQLite numbers rows by itself only for a key of exactly this type.
_Number = BigInteger().with_variant(Integer, "sqlite")


class EventRow(Base):
    """One event, written with the act it tells of."""

    __tablename__ = "audit_event"
    __table_args__ = (
        CheckConstraint("outcome IN ('done', 'refused', 'failed')", name="outcome_is_known"),
        CheckConstraint("tag > 0", name="tag_is_given"),
    )

    number: Mapped[int] = mapped_column(
        _Number, primary_key=True, comment="order of arrival, with gaps; the chain's position is the order that counts"
    )
    event_id: Mapped[uuid.UUID] = mapped_column(
        IdBytes, comment="random; also keeps a published leaf from being guessed"
    )
    tag: Mapped[int] = mapped_column(SmallInteger, comment="audit/events.py, Tag")
    outcome: Mapped[str] = mapped_column(String(8))
    at_us: Mapped[int] = mapped_column(BigInteger, comment="microseconds since 1970, UTC; hashed as it stands")
    operator_id: Mapped[uuid.UUID | None] = mapped_column(IdBytes, comment="null: an event of the platform itself")
    camera_id: Mapped[uuid.UUID | None] = mapped_column(IdBytes)
    actor: Mapped[str] = mapped_column(String(200), comment="a principal's label, an id")
    reason: Mapped[str] = mapped_column(String(200), comment="a stable code or our own sentence")
    detail: Mapped[str] = mapped_column(Text, comment="JSON as audit-chain-v1, 3.2 says; hashed as it stands")


EVENTS: Final = cast("Table", EventRow.__table__)
# What `rules.event_bytes` takes, in its order; ids as bytes.
EVENT_FIELDS: Final = (
    type_coerce(EventRow.event_id, LargeBinary).label("event_id"),
    EventRow.tag,
    EventRow.outcome,
    EventRow.at_us,
    type_coerce(EventRow.operator_id, LargeBinary).label("operator_id"),
    type_coerce(EventRow.camera_id, LargeBinary).label("camera_id"),
    EventRow.actor,
    EventRow.reason,
    EventRow.detail,
)


class UnsealedRow(Base):
    """The sealer's list of work: events that have no place in the chain yet.

    A trigger fills it together with the event. So an event that is committed late, under a number lower than what
    is sealed already, is still found, whatever the order in which writers commit.
    """

    __tablename__ = "audit_unsealed"

    number: Mapped[int] = mapped_column(
        _Number, ForeignKey("audit_event.number"), primary_key=True, autoincrement=False
    )


class ChainRow(Base):
    """One place in the chain."""

    __tablename__ = "audit_chain"
    __table_args__ = (
        CheckConstraint("position > 0", name="position_counts_from_one"),
        CheckConstraint("length(leaf) = 32 AND length(head) = 32", name="hashes_are_whole"),
        Index(None, "operator_id", "position"),
    )

    position: Mapped[int] = mapped_column(
        _Number, primary_key=True, autoincrement=False, comment="1, 2, 3, …; two sealers at once cannot make a fork"
    )
    event_number: Mapped[int] = mapped_column(_Number, ForeignKey("audit_event.number"), unique=True)
    operator_id: Mapped[uuid.UUID | None] = mapped_column(
        IdBytes, comment="the event's; here so that a page is one index walk"
    )
    leaf: Mapped[bytes] = mapped_column(LargeBinary(32), comment="audit-chain-v1, 4")
    head: Mapped[bytes] = mapped_column(LargeBinary(32), comment="audit-chain-v1, 4: over the one before and leaf")


PLACES: Final = cast("Table", ChainRow.__table__)
OPERATOR_BYTES: Final = type_coerce(ChainRow.operator_id, LargeBinary).label("operator")


class CheckpointRow(Base):
    """A copy of one line of the anchor, so that a line cut from the anchor is missed."""

    __tablename__ = "audit_checkpoint"
    __table_args__ = (CheckConstraint("number > 0", name="number_counts_from_one"),)

    number: Mapped[int] = mapped_column(_Number, primary_key=True, autoincrement=False)
    line: Mapped[str] = mapped_column(Text, comment="the line of the anchor, audit-chain-v1, 6.2")


def _append_only(row: type[Base], is_there: str) -> None:
    table = row.__tablename__
    for act in ("UPDATE", "DELETE", "TRUNCATE"):
        refuse(row, f"{table}_refuses_{act.lower()}", act, f"{table} is append-only")
    # SQLite's INSERT OR REPLACE deletes the old row without asking a DELETE trigger.
    why, when = f"{table} is append-only", f"EXISTS ({is_there})"
    refuse(row, f"{table}_refuses_replace", "INSERT", why, when, sqlite_only=True)


_append_only(EventRow, "SELECT 1 FROM audit_event WHERE number = NEW.number")
_append_only(ChainRow, "SELECT 1 FROM audit_chain WHERE position = NEW.position OR event_number = NEW.event_number")
_append_only(CheckpointRow, "SELECT 1 FROM audit_checkpoint WHERE number = NEW.number")
follow(
    EventRow,
    "audit_event_waits_for_its_seal",
    "INSERT",
    "INSERT INTO audit_unsealed (number) VALUES (NEW.number)",
)

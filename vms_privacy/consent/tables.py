"""The ledger's rows. Entries are only ever added, and the head says what they say: the database itself sees to it."""

import uuid
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from vms_privacy.db import Base, UTCDateTime
from vms_privacy.db_guards import IS_LEAVING, refuse

_KIND_IS_KNOWN: Final = "kind IN ('video-recording', 'live-audio', 'recorded-audio')"


class ConsentEntryRow(Base):
    """One answer: given, or withdrawn."""

    __tablename__ = "consent_entry"
    __table_args__ = (
        UniqueConstraint("camera_id", "kind", "number"),
        CheckConstraint(_KIND_IS_KNOWN, name="kind_is_known"),
        CheckConstraint("answer IN ('given', 'withdrawn')", name="answer_is_known"),
        CheckConstraint(
            "answer = 'withdrawn' OR (actor LIKE 'person:%' AND method IN ('console', 'api', 'command-line'))",
            name="given_by_a_person",
        ),
        CheckConstraint(
            "answer = 'withdrawn' OR (trim(purpose) <> '' AND legal_basis <> '' AND length(wording_version) = 64 "
            "AND sign_confirmed_at IS NOT NULL AND sign_confirmed_at <= from_at)",
            name="given_is_whole",
        ),
        CheckConstraint("until_at IS NULL OR (answer = 'given' AND until_at > from_at)", name="runs_forward"),
        CheckConstraint("number > 0", name="number_counts_from_one"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(comment="1, 2, 3, … per camera and kind; the highest decides")
    camera_id: Mapped[uuid.UUID]
    operator_id: Mapped[uuid.UUID] = mapped_column(comment="whose act it is")
    actor: Mapped[str] = mapped_column(String(200), comment="a principal's label, an id")
    kind: Mapped[str] = mapped_column(String(16))
    answer: Mapped[str] = mapped_column(String(9))
    from_at: Mapped[datetime] = mapped_column(UTCDateTime, comment="when it was written and took effect")
    until_at: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="when an opt-in ends by itself")
    purpose: Mapped[str] = mapped_column(String(200))
    legal_basis: Mapped[str] = mapped_column(String(20), comment="GDPR, Article 6(1)")
    wording_version: Mapped[str] = mapped_column(
        String(64), comment="SHA-256 of the text agreed to; consent/wording.py"
    )
    method: Mapped[str] = mapped_column(String(16))
    sign_confirmed_at: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="when the sign was seen to hang")
    reason: Mapped[str] = mapped_column(String(200), comment="of a withdrawal; a stable code")


class ConsentHeadRow(Base):
    """What the newest entry of a camera and kind says; the row that a segment's insert looks at.

    A row of another room is bound to the ledger by a foreign key to `consent_entry.id` and a trigger that compares
    with `_ACTIVE_ENTRY`. On PostgreSQL that trigger reads this row FOR SHARE: a withdrawal locks it FOR UPDATE, so one
    of the two is first, and a segment never slips in beside a withdrawal. SQLite has one writer at a time.
    """

    __tablename__ = "consent_head"
    __table_args__ = (CheckConstraint(_KIND_IS_KNOWN, name="kind_is_known"),)

    camera_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    active_entry_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey(ConsentEntryRow.id), comment="the opt-in given last; null once withdrawn"
    )
    until_us: Mapped[int | None] = mapped_column(BigInteger, comment="its end, microseconds since 1970, UTC")
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime)


# The entry that allows to record the camera of a new row; NULL if none does. For triggers of other rooms, whose rows
# have `camera_id`, and a moment in microseconds since 1970. `{for_share}`: `db_guards.FOR_SHARE`.
_ACTIVE_ENTRY: Final = (
    "(SELECT active_entry_id FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' "
    "AND (until_us IS NULL OR NEW.{at} < until_us){for_share})"
)


def needs_active_entry(
    row: type[DeclarativeBase], column: str = "consent_entry_id", *, at: str = "starts_us", unless: str = ""
) -> None:
    """Have the database refuse a row without the entry that is in force for its camera at its moment `at`.

    `unless` is the one condition under which it is taken all the same.
    """
    entry = _ACTIVE_ENTRY.replace("{at}", at)
    when = f"{entry} IS NULL OR NEW.{column} IS DISTINCT FROM {entry}"
    if unless:
        when = f"({when}) AND NOT {unless}"
    refuse(row, f"{row.__tablename__}_needs_opt_in", "INSERT", "no active opt-in", when)


_ENTRY_STAYS: Final = "consent_entry is append-only"
for _act in ("UPDATE", "DELETE", "TRUNCATE"):
    refuse(ConsentEntryRow, f"consent_entry_refuses_{_act.lower()}", _act, _ENTRY_STAYS)
# SQLite's INSERT OR REPLACE deletes the old row without asking a DELETE trigger.
refuse(
    ConsentEntryRow,
    "consent_entry_refuses_replace",
    "INSERT",
    _ENTRY_STAYS,
    "EXISTS (SELECT 1 FROM consent_entry WHERE id = NEW.id "
    "OR (camera_id = NEW.camera_id AND kind = NEW.kind AND number = NEW.number))",
    sqlite_only=True,
)
refuse(
    ConsentEntryRow,
    "consent_entry_leaves_no_number_out",
    "INSERT",
    "consent_entry leaves no number out",
    "NEW.number <> 1 + (SELECT coalesce(max(number), 0) FROM consent_entry "
    "WHERE camera_id = NEW.camera_id AND kind = NEW.kind)",
)
refuse(
    ConsentEntryRow,
    "consent_entry_records_sound_only_beside_pictures",
    "INSERT",
    "recorded audio needs video recording",
    "NEW.kind = 'recorded-audio' AND NEW.answer = 'given' AND NOT EXISTS "
    "(SELECT 1 FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' "
    "AND active_entry_id IS NOT NULL)",
)
refuse(
    ConsentEntryRow,
    "consent_entry_of_nobody_who_leaves",
    "INSERT",
    "nothing is switched on for an operator that leaves",
    f"NEW.answer = 'given' AND {IS_LEAVING}",
)
_NEWEST_SAYS: Final = (
    "(SELECT CASE answer WHEN 'given' THEN id END FROM consent_entry "
    "WHERE camera_id = NEW.camera_id AND kind = NEW.kind ORDER BY number DESC LIMIT 1)"
)
for _act in ("INSERT", "UPDATE"):
    refuse(
        ConsentHeadRow,
        f"consent_head_tells_the_newest_on_{_act.lower()}",
        _act,
        "consent_head tells what the newest entry says",
        f"NEW.active_entry_id IS DISTINCT FROM {_NEWEST_SAYS}",
    )
for _act in ("DELETE", "TRUNCATE"):
    refuse(ConsentHeadRow, f"consent_head_refuses_{_act.lower()}", _act, "consent_head is never deleted")

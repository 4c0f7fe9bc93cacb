"""Off-boardings and their manifests. What two people decided never changes, and no step is taken back."""

import uuid
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from vms_privacy.db import Base, UTCDateTime
from vms_privacy.db_guards import refuse

_STANDS: Final = "taken_back_at IS NULL"


class OffBoardingRow(Base):
    """One operator's off-boarding. An operator has one at a time, and after one that is confirmed no other."""

    __tablename__ = "off_boarding"
    __table_args__ = (
        CheckConstraint("step BETWEEN 1 AND 8", name="known_step"),
        CheckConstraint("proposed_by <> approved_by", name="two_people_begin_it"),
        CheckConstraint("(confirmed_at IS NULL) = (step = 1)", name="confirmed_before_it_is_carried_out"),
        CheckConstraint(
            "(confirmed_at IS NULL) = (confirm_proposed_by = '') "
            "AND (confirmed_at IS NULL) = (confirm_approved_by = '') "
            "AND (confirmed_at IS NULL OR confirm_proposed_by <> confirm_approved_by)",
            name="two_people_confirm_it",
        ),
        CheckConstraint("(closed_at IS NULL) = (step < 8)", name="closed_by_its_last_step"),
        CheckConstraint(
            "(taken_back_at IS NULL) = (taken_back_by = '') AND (taken_back_at IS NULL OR step = 1)",
            name="taken_back_before_it_is_confirmed",
        ),
        Index(
            "ix_off_boarding_operator_id",
            "operator_id",
            unique=True,
            sqlite_where=text(_STANDS),
            postgresql_where=text(_STANDS),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[uuid.UUID]
    reason: Mapped[str] = mapped_column(String(2000), comment="in words")
    proposed_by: Mapped[str] = mapped_column(String(80), comment="a principal's label, an id")
    approved_by: Mapped[str] = mapped_column(String(80), comment="the second person: an id")
    begun_at: Mapped[datetime] = mapped_column(UTCDateTime)
    step: Mapped[int] = mapped_column(comment="the last step that is done; see rules.Step")
    manifest_id: Mapped[uuid.UUID | None] = mapped_column(comment="the manifest that was confirmed")
    manifest_digest: Mapped[str] = mapped_column(String(64), comment="its SHA-256, by which two people named it")
    confirm_proposed_by: Mapped[str] = mapped_column(String(80), comment="a principal's label, an id")
    confirm_approved_by: Mapped[str] = mapped_column(String(80), comment="the second person: an id")
    confirmed_at: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="from then on nothing is shown")
    taken_back_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    taken_back_by: Mapped[str] = mapped_column(String(80), comment="a principal's label, an id")
    closed_at: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="nothing of the operator is left")
    attempts: Mapped[int] = mapped_column(comment="rounds that failed at the present step")
    last_failure: Mapped[str] = mapped_column(String(80), comment="a code or a type, never a path")
    journal_number: Mapped[int | None] = mapped_column(
        BigInteger, comment="the custody journal's entry, of one that stands again after a restore"
    )


class ManifestRow(Base):
    """A manifest that is being made, or is signed; the newest one of an off-boarding counts."""

    __tablename__ = "off_boarding_manifest"
    __table_args__ = (
        CheckConstraint("(signed_at IS NULL) = (head IS NULL)", name="signed_with_a_head"),
        CheckConstraint("(signed_at IS NULL) = (digest = '')", name="signed_with_a_digest"),
        UniqueConstraint("off_boarding_id", "number"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    off_boarding_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(OffBoardingRow.id))
    number: Mapped[int] = mapped_column(comment="1, 2, 3, … of the off-boarding; the highest counts")
    operator_id: Mapped[uuid.UUID]
    asked_by: Mapped[str] = mapped_column(String(80), comment="a principal's label, an id")
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    listed: Mapped[int] = mapped_column(BigInteger, comment="segments listed so far")
    attempts: Mapped[int] = mapped_column(comment="rounds that failed")
    last_failure: Mapped[str] = mapped_column(String(80), comment="a code or a type, never a path")
    signed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    digest: Mapped[str] = mapped_column(String(64), comment="SHA-256 of what is signed")
    head: Mapped[bytes | None] = mapped_column(
        LargeBinary, comment="its first three lines: docs/formats/manifest-v1.md"
    )


class ManifestEntryRow(Base):
    """One segment that a manifest lists. Gone with the operator: the head, which binds them all, stays."""

    __tablename__ = "off_boarding_manifest_entry"
    __table_args__ = (
        CheckConstraint("(file_digest IS NULL) = (flaw <> '')", name="hashed_or_told_why_not"),
        CheckConstraint("ends_us > starts_us", name="runs_forward"),
    )

    manifest_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(ManifestRow.id), primary_key=True)
    camera_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    starts_us: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    segment_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    ends_us: Mapped[int] = mapped_column(BigInteger)
    size_bytes: Mapped[int] = mapped_column(BigInteger, comment="of the sealed file, as its row says")
    file_digest: Mapped[bytes | None] = mapped_column(LargeBinary(32), comment="SHA-256 of the sealed file, all of it")
    flaw: Mapped[str] = mapped_column(String(40), comment="why its bytes could not be hashed; a stable code")
    is_kept: Mapped[bool] = mapped_column(comment="a hold or a restriction covered it when it was listed")


_TWO: Final = (
    "EXISTS (SELECT 1 FROM proposal WHERE operator_id = NEW.operator_id AND act = '{act}' AND decision = 'approved' "
    "AND proposed_by = NEW.{proposed} AND decided_by = NEW.{approved})"
)
# Two people have decided as well on one that the custody journal tells of: their proposal went with the lost database.
_REPLAYED: Final = "NEW.{proposed} = 'worker:replay' AND NEW.journal_number IS NOT NULL"

for _act in ("DELETE", "TRUNCATE"):
    refuse(OffBoardingRow, f"off_boarding_no_{_act.lower()}", _act, "off-boardings are never deleted")
    refuse(ManifestRow, f"off_boarding_manifest_no_{_act.lower()}", _act, "manifests are never deleted")
refuse(
    OffBoardingRow,
    "off_boarding_takes_two",
    "INSERT",
    "two people alone begin an off-boarding",
    f"NOT ({_REPLAYED.format(proposed='proposed_by')}) "
    f"AND NOT {_TWO.format(act='begin-off-boarding', proposed='proposed_by', approved='approved_by')}",
)
_CONFIRMED_BY_TWO: Final = f"({_REPLAYED.format(proposed='confirm_proposed_by')}) OR " + _TWO.format(
    act="confirm-off-boarding", proposed="confirm_proposed_by", approved="confirm_approved_by"
)
for _act in ("INSERT", "UPDATE"):
    refuse(
        OffBoardingRow,
        f"off_boarding_is_confirmed_by_two_on_{_act.lower()}",
        _act,
        "two people alone confirm an off-boarding",
        f"NEW.confirmed_at IS NOT NULL AND NOT ({_CONFIRMED_BY_TWO})",
    )
refuse(
    OffBoardingRow,
    "off_boarding_stays",
    "UPDATE",
    "an off-boarding keeps what it says, and no step of it is taken back",
    "OLD.closed_at IS NOT NULL OR OLD.taken_back_at IS NOT NULL OR NEW.step < OLD.step OR NEW.id <> OLD.id "
    "OR NEW.operator_id <> OLD.operator_id OR NEW.reason <> OLD.reason OR NEW.proposed_by <> OLD.proposed_by "
    "OR NEW.approved_by <> OLD.approved_by OR NEW.begun_at <> OLD.begun_at "
    "OR (OLD.confirmed_at IS NOT NULL AND (NEW.confirmed_at IS DISTINCT FROM OLD.confirmed_at "
    "OR NEW.manifest_digest <> OLD.manifest_digest OR NEW.manifest_id IS DISTINCT FROM OLD.manifest_id "
    "OR NEW.confirm_proposed_by <> OLD.confirm_proposed_by OR NEW.confirm_approved_by <> OLD.confirm_approved_by))",
)
refuse(
    ManifestRow,
    "off_boarding_manifest_stays",
    "UPDATE",
    "what is signed stays as it is",
    "OLD.signed_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.off_boarding_id <> OLD.off_boarding_id "
    "OR NEW.number <> OLD.number "
    "OR NEW.operator_id <> OLD.operator_id OR NEW.asked_by <> OLD.asked_by OR NEW.asked_at <> OLD.asked_at",
)
refuse(
    ManifestEntryRow,
    "off_boarding_manifest_entry_is_written_before_it_is_signed",
    "INSERT",
    "nothing is added to what is signed",
    "EXISTS (SELECT 1 FROM off_boarding_manifest WHERE id = NEW.manifest_id AND signed_at IS NOT NULL)",
)
refuse(
    ManifestEntryRow,
    "off_boarding_manifest_entry_no_update",
    "UPDATE",
    "what a manifest lists stays as it was listed",
)

"""Restores of this database, and what each could not settle. Whether it is in custody, it says itself."""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vms_privacy.db import Base, UTCDateTime
from vms_privacy.db_guards import refuse


class RestoreRow(Base):
    """One restore, written into the copy before it is put in place: the database is in custody until it is released."""

    __tablename__ = "custody_restore"
    __table_args__ = (
        CheckConstraint("(released_at IS NULL) = (release_reason IS NULL)", name="released_for_a_reason"),
        CheckConstraint("released_at IS NULL OR replayed_at IS NOT NULL", name="replayed_before_released"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    backup_id: Mapped[uuid.UUID | None] = mapped_column(comment="the copy; none: it was put back by other tools")
    copied_at: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="when the copy was made")
    copied_number: Mapped[int | None] = mapped_column(BigInteger, comment="the journal's last entry at that time")
    begun_at: Mapped[datetime] = mapped_column(UTCDateTime)
    replayed_at: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="when the whole journal was replayed")
    replayed_number: Mapped[int | None] = mapped_column(BigInteger, comment="the journal's last entry at that time")
    released_at: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="from then on it is like any other")
    release_reason: Mapped[str | None] = mapped_column(String(64), comment="small words joined by hyphens")


class UnsettledRow(Base):
    """One thing that a restore could not settle, for somebody to look at."""

    __tablename__ = "custody_unsettled"
    __table_args__ = (UniqueConstraint("restore_id", "code", "subject"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    restore_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(RestoreRow.id))
    code: Mapped[str] = mapped_column(String(48), comment="a stable code")
    subject: Mapped[str] = mapped_column(String(80), comment="an id, or a place")


for _act in ("DELETE", "TRUNCATE"):
    refuse(RestoreRow, f"custody_restore_no_{_act.lower()}", _act, "that a database was put back stays written")
    refuse(UnsettledRow, f"custody_unsettled_no_{_act.lower()}", _act, "what was not settled stays written")
refuse(UnsettledRow, "custody_unsettled_no_update", "UPDATE", "what was not settled stays written")
refuse(
    RestoreRow,
    "custody_restore_stays",
    "UPDATE",
    "a restore keeps what it says, and once released stays released",
    "OLD.released_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.backup_id IS DISTINCT FROM OLD.backup_id "
    "OR NEW.copied_at IS DISTINCT FROM OLD.copied_at OR NEW.copied_number IS DISTINCT FROM OLD.copied_number "
    "OR NEW.begun_at <> OLD.begun_at",
)

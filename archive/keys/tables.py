"""Which bucket key belongs to which camera and hour. The keys themselves are in the keyring, never here."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from vms_privacy.db import Base, UTCDateTime
from vms_privacy.db_guards import refuse


class BucketRow(Base):
    """One bucket key, for one camera and UTC hour at one generation. The row outlives the key: it is evidence."""

    __tablename__ = "archive_bucket"
    __table_args__ = (
        UniqueConstraint("camera_id", "hour", "generation"),
        CheckConstraint("generation >= 1", name="counted_from_one"),
        CheckConstraint("destroyed_at IS NULL OR replaced_at IS NOT NULL", name="replaced_before_destroyed"),
        Index(
            "ix_archive_bucket_current",
            "camera_id",
            "hour",
            unique=True,
            sqlite_where=text("replaced_at IS NULL"),
            postgresql_where=text("replaced_at IS NULL"),
        ),
    )

    bucket_key_id: Mapped[uuid.UUID] = mapped_column(primary_key=True, comment="its name in the keyring")
    operator_id: Mapped[uuid.UUID] = mapped_column()
    camera_id: Mapped[uuid.UUID] = mapped_column()
    hour: Mapped[int] = mapped_column(comment="hours since 1970, UTC")
    generation: Mapped[int] = mapped_column(comment="1, 2, 3, … within camera and hour; each re-key adds one")
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    replaced_at: Mapped[datetime | None] = mapped_column(
        UTCDateTime, comment="no survivor is wrapped under it any more"
    )
    destroyed_at: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="the keyring has destroyed it")


refuse(
    BucketRow,
    "bucket_stays_destroyed",
    "UPDATE",
    "a bucket keeps its place, and what is destroyed stays destroyed",
    "NEW.bucket_key_id <> OLD.bucket_key_id OR NEW.operator_id <> OLD.operator_id OR NEW.camera_id <> OLD.camera_id "
    "OR NEW.hour <> OLD.hour OR NEW.generation <> OLD.generation "
    "OR (OLD.replaced_at IS NOT NULL AND NEW.replaced_at IS DISTINCT FROM OLD.replaced_at) "
    "OR (OLD.destroyed_at IS NOT NULL AND NEW.destroyed_at IS DISTINCT FROM OLD.destroyed_at)",
)

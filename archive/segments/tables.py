"""The segment table and the gap table, with what the database itself refuses."""

import uuid
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from archive.blobs.rules import DEFAULT_STORE
from vms_privacy.consent.tables import ConsentEntryRow, needs_active_entry
from vms_privacy.db import Base, UTCDateTime
from vms_privacy.db_guards import refuse

_IN_SPOOL: Final = "place = 'spool'"
# For rows of before there were several; whoever writes one names its store.
_DEFAULT_STORE: Final = text(f"'{DEFAULT_STORE}'")


class SegmentRow(Base):
    """One sealed file. Invariants: docs/design/archive-lifecycle.md."""

    __tablename__ = "segment"
    __table_args__ = (
        CheckConstraint("ends_us IS NULL OR ends_us > starts_us", name="runs_forward"),
        CheckConstraint("state IN ('writing', 'stored', 'erasing', 'erased')", name="known_state"),
        CheckConstraint("place IN ('spool', 'store')", name="known_place"),
        CheckConstraint("state = 'writing' OR ends_us IS NOT NULL", name="only_growing_is_open"),
        CheckConstraint("state IN ('erasing', 'erased') OR wrapped_key IS NOT NULL", name="kept_means_keyed"),
        CheckConstraint("state <> 'erased' OR wrapped_key IS NULL", name="erased_means_keyless"),
        CheckConstraint("keep_us > 0", name="keeps_for_a_time"),
        Index("ix_segment_camera_id_ends_us", "camera_id", "ends_us"),
        Index("ix_segment_camera_id_starts_us", "camera_id", "starts_us"),
        Index("ix_segment_state_destroy_from_us", "state", "destroy_from_us"),
        Index("ix_segment_bucket_key_id", "bucket_key_id"),
        # Few rows of many: what waits for the store is asked for every few seconds.
        Index(
            "ix_segment_in_spool",
            "state",
            "starts_us",
            "id",
            sqlite_where=text(_IN_SPOOL),
            postgresql_where=text(_IN_SPOOL),
        ),
        Index("ix_segment_erasure_id", "erasure_id"),
        Index("ix_segment_receipt_id_state", "receipt_id", "state"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[uuid.UUID] = mapped_column(comment="who owns the footage; never changes")
    camera_id: Mapped[uuid.UUID] = mapped_column(comment="what recorded it; never changes")
    consent_entry_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey(ConsentEntryRow.id), comment="the opt-in it rests on; the database compares it with the head"
    )
    policy_version: Mapped[int] = mapped_column(comment="the retention policy in force at its start; 0 is the default")
    state: Mapped[str] = mapped_column(String(8), comment="writing, stored, erasing or erased; see rules.NEXT")
    place: Mapped[str] = mapped_column(String(5), comment="spool until the store has confirmed the bytes")
    blob_name: Mapped[str] = mapped_column(String(22), unique=True, comment="opaque, used once, ever")
    store: Mapped[str] = mapped_column(
        String(63), server_default=_DEFAULT_STORE, comment="the store that its bytes go to and lie in; never changes"
    )
    starts_us: Mapped[int] = mapped_column(BigInteger, comment="our clock, first picture")
    ends_us: Mapped[int | None] = mapped_column(BigInteger, comment="our clock, end of the last picture")
    keep_us: Mapped[int] = mapped_column(BigInteger, comment="retention of these pictures; shortening lowers it")
    destroy_from_us: Mapped[int | None] = mapped_column(BigInteger, comment="end of its last packet + keep_us")
    run: Mapped[str] = mapped_column(String(36), comment="one connection to the camera; decode times go on within")
    epoch: Mapped[int] = mapped_column(comment="one set of parameters within the run")
    tracks: Mapped[str] = mapped_column(String(16), comment="video, or video+audio")
    chunk_size: Mapped[int] = mapped_column(comment="bytes of plaintext per sealed chunk")
    bucket_key_id: Mapped[uuid.UUID] = mapped_column(comment="the key in the keyring that wraps its own")
    bucket_hour: Mapped[int] = mapped_column(comment="hours since 1970, UTC, of the bucket")
    wrapped_key: Mapped[bytes | None] = mapped_column(LargeBinary, comment="gone once destroyed")
    salt: Mapped[bytes | None] = mapped_column(LargeBinary(32), comment="of the file's header; a foreign copy differs")
    last_tag: Mapped[bytes | None] = mapped_column(LargeBinary(16), comment="of the last chunk; an older copy differs")
    size_bytes: Mapped[int | None] = mapped_column(BigInteger, comment="of the sealed file, once it is closed")
    recovered: Mapped[bool] = mapped_column(default=False, comment="closed after a crash; its end was cut")
    erasure_id: Mapped[uuid.UUID | None] = mapped_column(comment="the erasure that took it")
    key_destroyed_at: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="from then on no key opens it")
    bytes_gone_at: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="the store has confirmed it")
    store_answer: Mapped[str | None] = mapped_column(String(16), comment="erased, or was-not-there")
    receipt_id: Mapped[uuid.UUID | None] = mapped_column(comment="the receipt that tells of it")
    resealed_from: Mapped[uuid.UUID | None] = mapped_column(comment="the destroyed segment of which this part was kept")


class SegmentAheadRow(Base):
    """A camera's next segment, registered before it is needed: its file may begin while the database is away.

    It becomes the segment's row, or goes unused. There is one at most of a camera.
    """

    __tablename__ = "segment_ahead"
    __table_args__ = (CheckConstraint("keep_us > 0", name="keeps_for_a_time"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, comment="the segment's, once it is one")
    operator_id: Mapped[uuid.UUID] = mapped_column()
    camera_id: Mapped[uuid.UUID] = mapped_column(unique=True)
    consent_entry_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey(ConsentEntryRow.id), comment="the opt-in it rests on; the database compares it with the head"
    )
    policy_version: Mapped[int] = mapped_column(comment="the retention policy in force when it was registered")
    keep_us: Mapped[int] = mapped_column(BigInteger, comment="retention of its pictures; shortening lowers it")
    blob_name: Mapped[str] = mapped_column(String(22), unique=True, comment="opaque, used once, ever")
    store: Mapped[str] = mapped_column(
        String(63), server_default=_DEFAULT_STORE, comment="the store that its bytes will go to"
    )
    bucket_key_id: Mapped[uuid.UUID] = mapped_column(comment="the key in the keyring that wraps its own")
    bucket_hour: Mapped[int] = mapped_column(comment="hours since 1970, UTC, of the bucket")
    wrapped_key: Mapped[bytes] = mapped_column(LargeBinary, comment="of a file that may not exist yet")
    salt: Mapped[bytes] = mapped_column(LargeBinary(32), comment="of the file's header; a foreign copy differs")
    registered_us: Mapped[int] = mapped_column(BigInteger, comment="our clock; its file begins no earlier")


class KeptPartRow(Base):
    """A file that is being made of what is kept of a segment. It becomes a segment's, or goes again.

    Its key is in no row before that: what a crash leaves of it nobody opens, and it is made anew under another name.
    """

    __tablename__ = "kept_part"

    blob_name: Mapped[str] = mapped_column(String(22), primary_key=True, comment="opaque, used once, ever")
    worker_id: Mapped[uuid.UUID] = mapped_column(index=True, comment="who makes it, in whose spool")
    segment_id: Mapped[uuid.UUID] = mapped_column(comment="of which it is a part")
    begun_at: Mapped[datetime] = mapped_column(UTCDateTime)


class GapRow(Base):
    """A stretch in which an opted-in camera was not recorded, and why. `check` accounts for every second by it."""

    __tablename__ = "recording_gap"
    __table_args__ = (
        CheckConstraint("until_us IS NULL OR until_us >= from_us", name="runs_forward"),
        Index("ix_recording_gap_camera_id_from_us", "camera_id", "from_us"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[uuid.UUID] = mapped_column()
    camera_id: Mapped[uuid.UUID] = mapped_column()
    from_us: Mapped[int] = mapped_column(BigInteger)
    until_us: Mapped[int | None] = mapped_column(BigInteger, comment="empty while it lasts")
    why: Mapped[str] = mapped_column(String(40), comment="a stable code, such as camera-unreachable")


class FootageDayRow(Base):
    """What is stored of a camera: sums over the segments that ended on one day (UTC) and are kept for the same time."""

    __tablename__ = "footage_day"

    camera_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    day: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, comment="days since 1970, UTC, by the end of the last packet"
    )
    keep_us: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    segments: Mapped[int] = mapped_column(BigInteger)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    recorded_us: Mapped[int] = mapped_column(BigInteger)


# P1: the row of a segment is refused unless its consent entry is the one in force for exactly this camera. One that was
# registered ahead was compared then: its pictures may be older than a withdrawal that came before its row could.
_WAS_REGISTERED: Final = (
    "EXISTS (SELECT 1 FROM segment_ahead WHERE id = NEW.id AND camera_id = NEW.camera_id "
    "AND consent_entry_id = NEW.consent_entry_id AND blob_name = NEW.blob_name AND store = NEW.store "
    "AND registered_us <= NEW.starts_us)"
)
# A part of a segment that is destroyed lies right beside what goes of it, and rests on the same opt-in. It was recorded
# under it; whether that has been withdrawn since is of no account.
_IS_KEPT_PART: Final = (
    "EXISTS (SELECT 1 FROM segment WHERE id = NEW.resealed_from AND state = 'erasing' AND camera_id = NEW.camera_id "
    "AND operator_id = NEW.operator_id AND consent_entry_id = NEW.consent_entry_id AND keep_us = NEW.keep_us "
    "AND tracks = NEW.tracks AND run = NEW.run AND epoch = NEW.epoch AND store = NEW.store "
    "AND blob_name <> NEW.blob_name "
    "AND salt <> NEW.salt AND (NEW.ends_us = starts_us OR NEW.starts_us = ends_us) "
    "AND NEW.destroy_from_us <= destroy_from_us)"
)
needs_active_entry(SegmentRow, unless=f"({_WAS_REGISTERED} OR {_IS_KEPT_PART})")
refuse(
    SegmentRow,
    "segment_kept_part_has_its_origin",
    "INSERT",
    "a kept part lies beside what is destroyed of its segment",
    f"NEW.resealed_from IS NOT NULL AND NOT {_IS_KEPT_PART}",
)
needs_active_entry(SegmentAheadRow, at="registered_us")
refuse(
    SegmentAheadRow,
    "segment_ahead_keeps_its_place",
    "UPDATE",
    "what is registered ahead keeps its place, and is never kept longer",
    "NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id OR NEW.camera_id <> OLD.camera_id "
    "OR NEW.consent_entry_id <> OLD.consent_entry_id OR NEW.blob_name <> OLD.blob_name OR NEW.store <> OLD.store "
    "OR NEW.salt <> OLD.salt OR NEW.registered_us <> OLD.registered_us OR NEW.keep_us > OLD.keep_us",
)
refuse(
    SegmentRow,
    "segment_never_overlaps",
    "INSERT",
    "segment overlaps another",
    "EXISTS (SELECT 1 FROM segment WHERE camera_id = NEW.camera_id AND ends_us > NEW.starts_us "
    "AND (NEW.ends_us IS NULL OR starts_us < NEW.ends_us)) "
    "OR EXISTS (SELECT 1 FROM segment WHERE camera_id = NEW.camera_id AND ends_us IS NULL "
    "AND (NEW.resealed_from IS NULL OR starts_us < NEW.ends_us))",
)
refuse(
    SegmentRow,
    "segment_keeps_its_owner",
    "UPDATE",
    "a segment keeps its owner, camera, start, name and store",
    "NEW.operator_id <> OLD.operator_id OR NEW.camera_id <> OLD.camera_id OR NEW.blob_name <> OLD.blob_name "
    "OR NEW.store <> OLD.store OR NEW.resealed_from IS DISTINCT FROM OLD.resealed_from "
    # Of one that is destroyed in part, the row tells of the time that is gone.
    "OR (NEW.starts_us <> OLD.starts_us AND (OLD.state <> 'erasing' OR OLD.key_destroyed_at IS NOT NULL "
    "OR NEW.starts_us < OLD.starts_us OR NEW.starts_us >= OLD.ends_us))",
    of=("operator_id", "camera_id", "starts_us", "blob_name", "store", "resealed_from"),
)
refuse(
    SegmentRow,
    "segment_is_never_kept_longer",
    "UPDATE",
    "longer retention never reaches footage taken before",
    "NEW.keep_us > OLD.keep_us",
    of=("keep_us",),
)
refuse(
    SegmentRow,
    "segment_stays_erased",
    "UPDATE",
    "what is destroyed stays destroyed",
    "(OLD.wrapped_key IS NULL AND NEW.wrapped_key IS NOT NULL) "
    "OR (OLD.state = 'erased' AND NEW.state <> 'erased') "
    "OR (OLD.state = 'erasing' AND NEW.state IN ('writing', 'stored'))",
)

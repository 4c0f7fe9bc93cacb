"""What is registered ahead: of each camera its next segment, so that the database may be away when it begins.

Promise: no file begins without a row in which its opt-in, its name and its wrapped key are; here, or in `segment`.
Nothing here decides; nothing here commits.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from archive.keys.rules import WrappedKey
from archive.segments.tables import SegmentAheadRow
from vms_privacy.ids import BucketKeyId, CameraId, ConsentEntryId, OperatorId, SegmentId


@dataclass(frozen=True, slots=True)
class Ahead:
    """A segment that may begin. `registered_us`: no earlier than that."""

    id: SegmentId
    operator_id: OperatorId
    camera_id: CameraId
    consent_entry_id: ConsentEntryId
    policy_version: int
    keep_us: int
    blob_name: str
    store: str
    bucket_key_id: BucketKeyId
    bucket_hour: int
    wrapped_key: bytes
    salt: bytes
    registered_us: int

    def wrapped_place(self) -> WrappedKey:
        """Return the wrapped key with the place it belongs to, as `archive.keys` opens it."""
        return WrappedKey(self.operator_id, self.camera_id, self.id, self.bucket_key_id, self.wrapped_key)


def add(session: Session, ahead: Ahead) -> None:
    """Register one. The database refuses it without an active opt-in (P1), and a second one of a camera."""
    session.execute(
        insert(SegmentAheadRow).values(
            id=ahead.id,
            operator_id=ahead.operator_id,
            camera_id=ahead.camera_id,
            consent_entry_id=ahead.consent_entry_id,
            policy_version=ahead.policy_version,
            keep_us=ahead.keep_us,
            blob_name=ahead.blob_name,
            store=ahead.store,
            bucket_key_id=ahead.bucket_key_id,
            bucket_hour=ahead.bucket_hour,
            wrapped_key=ahead.wrapped_key,
            salt=ahead.salt,
            registered_us=ahead.registered_us,
        )
    )


def every(session: Session, camera_id: CameraId | None = None) -> list[Ahead]:
    """Return what is registered of every camera, or of one."""
    query = select(SegmentAheadRow).order_by(SegmentAheadRow.camera_id)
    if camera_id is not None:
        query = query.where(SegmentAheadRow.camera_id == camera_id)
    return [_ahead(row) for row in session.scalars(query.execution_options(populate_existing=True))]


def by_id(session: Session, segment_id: SegmentId) -> Ahead | None:
    """Return one of them, with the wrapped key as it is now."""
    query = select(SegmentAheadRow).where(SegmentAheadRow.id == segment_id)
    row = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    return None if row is None else _ahead(row)


def cameras(session: Session) -> set[tuple[OperatorId, CameraId]]:
    """Return the cameras that have one, each with its operator."""
    found = session.execute(select(SegmentAheadRow.operator_id, SegmentAheadRow.camera_id))
    return {(OperatorId(row.operator_id), CameraId(row.camera_id)) for row in found}


def wraps_under(session: Session, keys: Collection[BucketKeyId]) -> list[WrappedKey]:
    """Return the keys that are wrapped under these bucket keys: each lives on when its bucket is re-keyed."""
    rows = session.scalars(
        select(SegmentAheadRow)
        .where(SegmentAheadRow.bucket_key_id.in_(list(keys)))
        .execution_options(populate_existing=True)
    )
    return [_ahead(row).wrapped_place() for row in rows]


def store_rewrapped(session: Session, rewrapped: Sequence[WrappedKey]) -> None:
    """Store keys under their new bucket key, those of them that are of what is registered: one of a camera at most."""
    registered = set(session.scalars(select(SegmentAheadRow.id)))
    for one in rewrapped:
        if one.segment_id in registered:
            session.execute(
                update(SegmentAheadRow)
                .where(SegmentAheadRow.id == one.segment_id)
                .values(bucket_key_id=one.bucket_key_id, wrapped_key=one.wrapped)
            )


def remove(session: Session, segment_id: SegmentId) -> None:
    """Remove a row that has become a segment's, or under which nothing was ever sealed.

    Its bucket lives on: there is always a segment that was begun under it.
    """
    session.execute(delete(SegmentAheadRow).where(SegmentAheadRow.id == segment_id))


def _ahead(row: SegmentAheadRow) -> Ahead:
    return Ahead(
        id=SegmentId(row.id),
        operator_id=OperatorId(row.operator_id),
        camera_id=CameraId(row.camera_id),
        consent_entry_id=ConsentEntryId(row.consent_entry_id),
        policy_version=row.policy_version,
        keep_us=row.keep_us,
        blob_name=row.blob_name,
        store=row.store,
        bucket_key_id=BucketKeyId(row.bucket_key_id),
        bucket_hour=row.bucket_hour,
        wrapped_key=row.wrapped_key,
        salt=row.salt,
        registered_us=row.registered_us,
    )

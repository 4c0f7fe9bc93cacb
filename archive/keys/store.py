"""Queries over bucket rows. Nothing here decides; nothing here commits."""

from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from archive.keys.rules import Bucket
from archive.keys.tables import BucketRow
from vms_privacy.ids import BucketKeyId, CameraId, OperatorId


def current(session: Session, camera_id: CameraId, hour: int) -> Bucket | None:
    """Return the bucket that new keys of this hour go under."""
    row = session.scalars(
        select(BucketRow).where(
            BucketRow.camera_id == camera_id, BucketRow.hour == hour, BucketRow.replaced_at.is_(None)
        )
    ).one_or_none()
    return None if row is None else _bucket(row)


def by_id(session: Session, bucket_key_id: BucketKeyId) -> Bucket | None:
    """Return the bucket of a key, whatever became of it."""
    row = session.scalars(select(BucketRow).where(BucketRow.bucket_key_id == bucket_key_id)).one_or_none()
    return None if row is None else _bucket(row)


def next_generation(session: Session, camera_id: CameraId, hour: int) -> int:
    """Return the generation that the next key of this camera and hour has."""
    newest = session.scalar(
        select(func.max(BucketRow.generation)).where(BucketRow.camera_id == camera_id, BucketRow.hour == hour)
    )
    return (newest or 0) + 1


def add(session: Session, bucket: Bucket, made_at: datetime) -> None:
    """Register a bucket key that the keyring has made."""
    session.add(
        BucketRow(
            bucket_key_id=bucket.bucket_key_id,
            operator_id=bucket.operator_id,
            camera_id=bucket.camera_id,
            hour=bucket.hour,
            generation=bucket.generation,
            made_at=made_at,
        )
    )
    session.flush()


def mark_replaced(session: Session, bucket_key_id: BucketKeyId, at: datetime) -> None:
    """Note that nothing living is wrapped under this key any more; the first time stands."""
    session.execute(
        update(BucketRow)
        .where(BucketRow.bucket_key_id == bucket_key_id, BucketRow.replaced_at.is_(None))
        .values(replaced_at=at)
    )


def mark_destroyed(session: Session, bucket_key_id: BucketKeyId, at: datetime) -> None:
    """Note that the keyring has destroyed the key; the first time stands."""
    session.execute(
        update(BucketRow)
        .where(BucketRow.bucket_key_id == bucket_key_id, BucketRow.destroyed_at.is_(None))
        .values(destroyed_at=at)
    )


def living(session: Session) -> frozenset[BucketKeyId]:
    """Return the keys that the keyring must still have."""
    found = session.scalars(select(BucketRow.bucket_key_id).where(BucketRow.destroyed_at.is_(None)))
    return frozenset(BucketKeyId(one) for one in found)


def is_destroyed(session: Session, bucket_key_id: BucketKeyId) -> bool:
    """Say whether it is noted that the keyring has destroyed a key."""
    row = session.scalars(select(BucketRow).where(BucketRow.bucket_key_id == bucket_key_id)).one_or_none()
    return row is not None and row.destroyed_at is not None


def destroyed(session: Session) -> frozenset[BucketKeyId]:
    """Return the keys that are noted as destroyed."""
    found = session.scalars(select(BucketRow.bucket_key_id).where(BucketRow.destroyed_at.is_not(None)))
    return frozenset(BucketKeyId(one) for one in found)


def replaced(session: Session) -> frozenset[BucketKeyId]:
    """Return the keys that are to be destroyed and are not yet: a re-key that was interrupted."""
    found = session.scalars(
        select(BucketRow.bucket_key_id).where(BucketRow.replaced_at.is_not(None), BucketRow.destroyed_at.is_(None))
    )
    return frozenset(BucketKeyId(one) for one in found)


def _bucket(row: BucketRow) -> Bucket:
    return Bucket(
        BucketKeyId(row.bucket_key_id),
        OperatorId(row.operator_id),
        CameraId(row.camera_id),
        row.hour,
        row.generation,
    )

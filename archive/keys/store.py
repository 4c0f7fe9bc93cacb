"""Queries over bucket rows. Nothing here decides; nothing here commits."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Final

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from archive.keys.rules import Bucket
from archive.keys.tables import BucketRow
from vms_privacy.ids import BucketKeyId, CameraId, OperatorId

_AT_ONCE: Final = 500


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
    return by_ids(session, [bucket_key_id]).get(bucket_key_id)


def by_ids(session: Session, keys: Collection[BucketKeyId]) -> dict[BucketKeyId, Bucket]:
    """Return the buckets of keys, whatever became of them; those that were never registered are left out."""
    found: dict[BucketKeyId, Bucket] = {}
    for some in _some_of(keys):
        rows = session.scalars(select(BucketRow).where(BucketRow.bucket_key_id.in_(some)))
        found |= {BucketKeyId(row.bucket_key_id): _bucket(row) for row in rows}
    return found


def next_generation(session: Session, camera_id: CameraId, hour: int) -> int:
    """Return the generation that the next key of this camera and hour has."""
    newest = session.scalar(
        select(func.max(BucketRow.generation)).where(BucketRow.camera_id == camera_id, BucketRow.hour == hour)
    )
    return (newest or 0) + 1


def add(session: Session, bucket: Bucket, made_at: datetime) -> None:
    """Register a bucket key that the keyring has made."""
    session.execute(
        insert(BucketRow).values(
            bucket_key_id=bucket.bucket_key_id,
            operator_id=bucket.operator_id,
            camera_id=bucket.camera_id,
            hour=bucket.hour,
            generation=bucket.generation,
            made_at=made_at,
        )
    )


def mark_replaced(session: Session, keys: Collection[BucketKeyId], at: datetime) -> None:
    """Note that nothing living is wrapped under these keys any more; the first time stands."""
    for some in _some_of(keys):
        unmarked = (BucketRow.bucket_key_id.in_(some), BucketRow.replaced_at.is_(None))
        session.execute(update(BucketRow).where(*unmarked).values(replaced_at=at))


def mark_destroyed(session: Session, keys: Collection[BucketKeyId], at: datetime) -> None:
    """Note that the keyring has destroyed these keys; the first time stands."""
    for some in _some_of(keys):
        unmarked = (BucketRow.bucket_key_id.in_(some), BucketRow.destroyed_at.is_(None))
        session.execute(update(BucketRow).where(*unmarked).values(destroyed_at=at))


def living(session: Session) -> frozenset[BucketKeyId]:
    """Return the keys that the keyring must still have."""
    found = session.scalars(select(BucketRow.bucket_key_id).where(BucketRow.destroyed_at.is_(None)))
    return frozenset(BucketKeyId(one) for one in found)


def ended_of(session: Session, keys: Collection[BucketKeyId]) -> tuple[frozenset[BucketKeyId], frozenset[BucketKeyId]]:
    """Return which of these keys are replaced and not yet noted as destroyed, and which are noted as destroyed."""
    replaced, gone = set[BucketKeyId](), set[BucketKeyId]()
    for some in _some_of(keys):
        wanted = select(BucketRow.bucket_key_id, BucketRow.destroyed_at)
        for row in session.execute(wanted.where(BucketRow.bucket_key_id.in_(some), BucketRow.replaced_at.is_not(None))):
            (replaced if row.destroyed_at is None else gone).add(BucketKeyId(row.bucket_key_id))
    return frozenset(replaced), frozenset(gone)


def living_of(session: Session, operator_id: OperatorId) -> list[BucketKeyId]:
    """Return an operator's keys that the keyring must still have, of the oldest hour first."""
    wanted = select(BucketRow.bucket_key_id).where(
        BucketRow.operator_id == operator_id, BucketRow.destroyed_at.is_(None)
    )
    found = session.scalars(wanted.order_by(BucketRow.hour, BucketRow.bucket_key_id))
    return [BucketKeyId(one) for one in found]


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


def _some_of(keys: Collection[BucketKeyId]) -> Iterator[list[BucketKeyId]]:
    ordered = sorted(keys)
    return (ordered[at : at + _AT_ONCE] for at in range(0, len(ordered), _AT_ONCE))


def _bucket(row: BucketRow) -> Bucket:
    return Bucket(
        BucketKeyId(row.bucket_key_id),
        OperatorId(row.operator_id),
        CameraId(row.camera_id),
        row.hour,
        row.generation,
    )

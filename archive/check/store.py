"""Queries of a check: pages of rows, in short transactions. Nothing here decides."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import or_, select, tuple_, union, update
from sqlalchemy.orm import Session

from archive.check.rules import Row
from archive.keys.tables import BucketRow
from archive.orders.rules import FOREVER_US
from archive.orders.store import IS_KEPT, LIFTED_LAST
from archive.segments import ahead
from archive.segments.ahead import Ahead
from archive.segments.rules import Place, State
from archive.segments.tables import GapRow, SegmentRow
from auth.tokens.rules import microseconds
from vms_privacy.consent.rules import ConsentEntry, ConsentKind
from vms_privacy.consent.store import ConsentStore
from vms_privacy.consent.tables import ConsentHeadRow
from vms_privacy.db import changed
from vms_privacy.ids import BucketKeyId, CameraId, ConsentEntryId, SegmentId

PAGE: Final = 1000
_COLUMNS: Final = (
    SegmentRow.id,
    SegmentRow.camera_id,
    SegmentRow.consent_entry_id,
    SegmentRow.state,
    SegmentRow.place,
    SegmentRow.blob_name,
    SegmentRow.starts_us,
    SegmentRow.ends_us,
    SegmentRow.keep_us,
    SegmentRow.destroy_from_us,
    SegmentRow.size_bytes,
    SegmentRow.chunk_size,
    SegmentRow.bucket_key_id,
    SegmentRow.salt,
    SegmentRow.last_tag,
    SegmentRow.key_destroyed_at,
    SegmentRow.bytes_gone_at,
    IS_KEPT.label("is_kept"),
    LIFTED_LAST.label("lifted_last"),
)


def cameras(session: Session) -> list[CameraId]:
    """Return every camera that was ever opted in, has a segment or a gap."""
    opted_in = select(ConsentHeadRow.camera_id).where(ConsentHeadRow.kind == ConsentKind.VIDEO_RECORDING)
    known = union(opted_in, select(SegmentRow.camera_id), select(GapRow.camera_id))
    return sorted(CameraId(row.camera_id) for row in session.execute(known))


def history(session: Session, camera_id: CameraId) -> list[ConsentEntry]:
    """Return every entry of the ledger about a camera."""
    return ConsentStore().history(session, camera_id)


def page(session: Session, camera_id: CameraId, after: Row | None, *, living: bool = False) -> list[Row]:
    """Return a camera's rows in the order of their starts, a page at a time; all, or those that have a file."""
    query = select(*_COLUMNS).where(SegmentRow.camera_id == camera_id)
    if living:
        query = query.where(SegmentRow.state.in_((State.WRITING, State.STORED)))
    if after is not None:
        query = query.where(tuple_(SegmentRow.starts_us, SegmentRow.id) > tuple_(after.starts_us, after.id))
    rows = session.execute(query.order_by(SegmentRow.starts_us, SegmentRow.id).limit(PAGE))
    return [_row(row) for row in rows]


def by_id(session: Session, segment_id: SegmentId) -> Row | None:
    """Return one row, whatever became of its segment."""
    row = session.execute(select(*_COLUMNS).where(SegmentRow.id == segment_id)).one_or_none()
    return None if row is None else _row(row)


def by_names(session: Session, names: Collection[str]) -> dict[str, Row]:
    """Return the rows of blobs by their names."""
    rows = session.execute(select(*_COLUMNS).where(SegmentRow.blob_name.in_(names)))
    return {row.blob_name: _row(row) for row in rows}


def registered(session: Session) -> list[Ahead]:
    """Return what is registered ahead: at most one of each camera."""
    return ahead.every(session)


def as_expected(session: Session, names: Collection[str], *, in_spool: bool) -> set[str]:
    """Return those of these names that nothing speaks against where they lie: nearly all of them, so names alone."""
    expected = SegmentRow.state != State.ERASED
    if in_spool:
        expected &= or_(SegmentRow.state != State.STORED, SegmentRow.place == Place.SPOOL)
    return set(session.scalars(select(SegmentRow.blob_name).where(SegmentRow.blob_name.in_(names), expected)))


def note_place(session: Session, segment_id: SegmentId, now_in: Place, really_in: Place) -> bool:
    """Note where the bytes of a closed segment are; say whether the row still said otherwise."""
    done = changed(
        session,
        update(SegmentRow)
        .where(SegmentRow.id == segment_id, SegmentRow.state == State.STORED, SegmentRow.place == now_in)
        .values(place=really_in),
    )
    return done > 0


def gaps(session: Session, camera_id: CameraId) -> Sequence[tuple[int, int | None]]:
    """Return from when to when a camera has gaps; None while one lasts."""
    rows = session.execute(select(GapRow.from_us, GapRow.until_us).where(GapRow.camera_id == camera_id))
    return [(row.from_us, row.until_us) for row in rows]


def living_buckets(session: Session) -> dict[BucketKeyId, datetime | None]:
    """Return the bucket keys that are not noted as destroyed, and since when each is only to be destroyed."""
    rows = session.execute(
        select(BucketRow.bucket_key_id, BucketRow.replaced_at).where(BucketRow.destroyed_at.is_(None))
    )
    return {BucketKeyId(row.bucket_key_id): row.replaced_at for row in rows}


def is_registered(session: Session, bucket_key_id: BucketKeyId) -> bool:
    """Say whether a row knows this bucket key, destroyed or not."""
    return session.get(BucketRow, bucket_key_id) is not None


def keyless(session: Session) -> list[Row]:
    """Return living segments whose bucket key is noted as destroyed, or was never noted: nothing opens them."""
    rows = session.execute(
        select(*_COLUMNS)
        .outerjoin(BucketRow, BucketRow.bucket_key_id == SegmentRow.bucket_key_id)
        .where(
            SegmentRow.state.in_((State.WRITING, State.STORED)),
            or_(
                BucketRow.bucket_key_id.is_(None), BucketRow.destroyed_at.is_not(None), SegmentRow.wrapped_key.is_(None)
            ),
        )
        .limit(PAGE)
    )
    return [_row(row) for row in rows]


def _row(row: Any) -> Row:
    return Row(
        id=SegmentId(row.id),
        camera_id=CameraId(row.camera_id),
        consent_entry_id=ConsentEntryId(row.consent_entry_id),
        state=State(row.state),
        place=Place(row.place),
        blob_name=row.blob_name,
        starts_us=row.starts_us,
        ends_us=row.ends_us,
        keep_us=row.keep_us,
        destroy_from_us=row.destroy_from_us,
        size_bytes=row.size_bytes,
        chunk_size=row.chunk_size,
        bucket_key_id=BucketKeyId(row.bucket_key_id),
        salt=row.salt,
        last_tag=row.last_tag,
        is_proven=row.key_destroyed_at is not None and row.bytes_gone_at is not None,
        kept_until_us=FOREVER_US if row.is_kept else 0 if row.lifted_last is None else microseconds(row.lifted_last),
    )

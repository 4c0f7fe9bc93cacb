"""Queries over segments. Nothing here decides; nothing here commits."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.orm import Session

from archive.keys.rules import WrappedKey
from archive.segments import days
from archive.segments.rules import Newest, Place, Segment, Span, State, step
from archive.segments.tables import KeptPartRow, SegmentAheadRow, SegmentRow
from vms_privacy.db import changed
from vms_privacy.ids import BucketKeyId, CameraId, ConsentEntryId, OperatorId, SegmentId


@dataclass(frozen=True, slots=True)
class NewSegment:
    """What a row says before the first byte of its file is written."""

    id: SegmentId
    operator_id: OperatorId
    camera_id: CameraId
    consent_entry_id: ConsentEntryId
    policy_version: int
    blob_name: str
    store: str
    starts_us: int
    keep_us: int
    run: str
    epoch: int
    tracks: str
    chunk_size: int
    bucket_key_id: BucketKeyId
    bucket_hour: int
    wrapped_key: bytes
    salt: bytes


@dataclass(frozen=True, slots=True)
class Closed:
    """What is known of a file once its last chunk is written."""

    ends_us: int
    last_packet_until_us: int
    last_tag: bytes
    size_bytes: int
    recovered: bool = False


@dataclass(frozen=True, slots=True)
class Sealed:
    """What is needed to open one file; `wrapped_key` is useless without the keyring."""

    segment: Segment
    bucket_key_id: BucketKeyId
    bucket_hour: int
    wrapped_key: bytes
    salt: bytes
    last_tag: bytes | None
    chunk_size: int
    tracks: str

    def wrapped_place(self) -> WrappedKey:
        """Return the wrapped key with the place it belongs to, as `archive.keys` opens it."""
        one = self.segment
        return WrappedKey(one.operator_id, one.camera_id, one.id, self.bucket_key_id, self.wrapped_key)


COLUMNS = (
    SegmentRow.id,
    SegmentRow.operator_id,
    SegmentRow.camera_id,
    SegmentRow.state,
    SegmentRow.place,
    SegmentRow.starts_us,
    SegmentRow.ends_us,
    SegmentRow.keep_us,
    SegmentRow.run,
    SegmentRow.epoch,
    SegmentRow.blob_name,
    SegmentRow.size_bytes,
)
_SEALED = (
    SegmentRow.bucket_key_id,
    SegmentRow.bucket_hour,
    SegmentRow.wrapped_key,
    SegmentRow.salt,
    SegmentRow.last_tag,
    SegmentRow.chunk_size,
    SegmentRow.tracks,
)

# Made once: putting these together takes longer than carrying them out.
_OF_CAMERA = SegmentRow.camera_id == bindparam("camera_id")
LIVING = select(*COLUMNS, *_SEALED).where(_OF_CAMERA, SegmentRow.state.in_((State.WRITING, State.STORED)))
# Times of a camera never overlap, so of all that starts before a span only the newest can reach into it. Without this
# bound the database goes through everything that is older.
_FIRST_START = func.coalesce(
    select(func.max(SegmentRow.starts_us))
    .where(_OF_CAMERA, SegmentRow.starts_us <= bindparam("from_us"))
    .scalar_subquery(),
    bindparam("from_us", type_=BigInteger),
)
_SPAN = (
    SegmentRow.starts_us >= _FIRST_START,
    SegmentRow.starts_us < bindparam("until_us"),
    or_(SegmentRow.ends_us.is_(None), SegmentRow.ends_us > bindparam("from_us")),
)
_IN_SPAN = LIVING.where(*_SPAN).order_by(SegmentRow.starts_us).limit(bindparam("most"))
_ANY_IN_SPAN = select(SegmentRow.id).where(_OF_CAMERA, SegmentRow.ends_us.is_not(None), *_SPAN).limit(1)
_BY_ID = LIVING.where(SegmentRow.id == bindparam("segment_id"))


def add(session: Session, new: NewSegment) -> None:
    """Register a segment in state `writing`. The database refuses it without an active opt-in (P1)."""
    session.execute(
        insert(SegmentRow).values(
            id=new.id,
            operator_id=new.operator_id,
            camera_id=new.camera_id,
            consent_entry_id=new.consent_entry_id,
            policy_version=new.policy_version,
            state=State.WRITING,
            place=Place.SPOOL,
            blob_name=new.blob_name,
            store=new.store,
            starts_us=new.starts_us,
            keep_us=new.keep_us,
            run=new.run,
            epoch=new.epoch,
            tracks=new.tracks,
            chunk_size=new.chunk_size,
            bucket_key_id=new.bucket_key_id,
            bucket_hour=new.bucket_hour,
            wrapped_key=new.wrapped_key,
            salt=new.salt,
            recovered=False,
        )
    )


def close(session: Session, segment_id: SegmentId, closed: Closed) -> bool:
    """Move a growing segment to `stored`; say whether it was still growing (an erasure may have come first)."""
    done = changed(
        session,
        update(SegmentRow)
        .where(SegmentRow.id == segment_id, SegmentRow.state == State.WRITING)
        .values(
            state=step(State.WRITING, State.STORED),
            ends_us=closed.ends_us,
            destroy_from_us=SegmentRow.keep_us + closed.last_packet_until_us,
            last_tag=closed.last_tag,
            size_bytes=closed.size_bytes,
            recovered=closed.recovered,
        ),
    )
    if done:
        days.stored(session, SegmentRow.id == segment_id)
    return done > 0


def moved_to_store(session: Session, segment_id: SegmentId) -> bool:
    """Note that the store has confirmed the bytes; say whether the segment is still one to keep."""
    done = changed(
        session,
        update(SegmentRow)
        .where(SegmentRow.id == segment_id, SegmentRow.state == State.STORED)
        .values(place=Place.STORE),
    )
    return done > 0


def in_span(session: Session | Connection, camera_id: CameraId, span: Span, limit: int = 20_000) -> list[Sealed]:
    """Return the living segments of a camera that overlap a span, by time; the growing one is the last."""
    asked = {"camera_id": camera_id, "from_us": span.from_us, "until_us": span.until_us, "most": limit}
    return [sealed_of(row) for row in session.execute(_IN_SPAN, asked)]


def by_id(session: Session | Connection, camera_id: CameraId, segment_id: SegmentId) -> Sealed | None:
    """Return one living segment of this camera."""
    row = session.execute(_BY_ID, {"camera_id": camera_id, "segment_id": segment_id}).one_or_none()
    return None if row is None else sealed_of(row)


def marked(session: Session, ids: Collection[SegmentId]) -> list[Sealed]:
    """Return segments that are being destroyed and have their keys still, with all that is needed to open them."""
    wanted = select(*COLUMNS, *_SEALED).where(
        SegmentRow.id.in_(ids), SegmentRow.state == State.ERASING, SegmentRow.wrapped_key.is_not(None)
    )
    return [sealed_of(row) for row in session.execute(wanted)]


def take_back(session: Session, segment_id: SegmentId) -> None:
    """Remove the row of a segment of which no byte was ever written."""
    session.execute(delete(SegmentRow).where(SegmentRow.id == segment_id, SegmentRow.state == State.WRITING))


def unknown_blobs(session: Session, names: Collection[str]) -> frozenset[str]:
    """Return those of these blob names, some hundred at most, that no row of any kind has."""
    known = set(session.scalars(select(SegmentRow.blob_name).where(SegmentRow.blob_name.in_(names))))
    for row in (SegmentAheadRow, KeptPartRow):
        known |= set(session.scalars(select(row.blob_name).where(row.blob_name.in_(names))))
    return frozenset(names) - known


def growing(session: Session) -> list[Sealed]:
    """Return every segment in state `writing`; at start-up these are the leftovers of a crash."""
    rows = session.execute(select(*COLUMNS, *_SEALED).where(SegmentRow.state == State.WRITING))
    return [sealed_of(row) for row in rows]


def growing_cameras(session: Session) -> set[tuple[OperatorId, CameraId]]:
    """Return the cameras with a segment in state `writing`, each with its operator."""
    found = session.execute(
        select(SegmentRow.operator_id, SegmentRow.camera_id).where(SegmentRow.state == State.WRITING)
    )
    return {(OperatorId(row.operator_id), CameraId(row.camera_id)) for row in found}


# Written out, not bound: only then do both databases see that `ix_segment_in_spool` has all of it.
_IS_IN_SPOOL: Final = SegmentRow.place == literal(Place.SPOOL.value, literal_execute=True)


def in_spool(session: Session, limit: int, after: Segment | None = None) -> list[Segment]:
    """Return closed segments whose bytes the store has not confirmed, oldest first; those that come after one."""
    query = select(*COLUMNS).where(SegmentRow.state == State.STORED, _IS_IN_SPOOL)
    if after is not None:
        query = query.where(tuple_(SegmentRow.starts_us, SegmentRow.id) > tuple_(after.starts_us, after.id))
    rows = session.execute(query.order_by(SegmentRow.starts_us, SegmentRow.id).limit(limit))
    return [_segment(row) for row in rows]


def is_waiting(session: Session, segment_id: SegmentId) -> bool:
    """Say whether a segment is still one whose bytes are to go from the spool to the store."""
    found = session.scalar(
        select(SegmentRow.id).where(
            SegmentRow.id == segment_id, SegmentRow.state == State.STORED, SegmentRow.place == Place.SPOOL
        )
    )
    return found is not None


def in_store(session: Session, names: Collection[str]) -> list[Segment]:
    """Return those of these blobs whose bytes the store has confirmed, and that are to be kept."""
    rows = session.execute(
        select(*COLUMNS).where(
            SegmentRow.blob_name.in_(names), SegmentRow.state == State.STORED, SegmentRow.place == Place.STORE
        )
    )
    return [_segment(row) for row in rows]


def shorten(session: Session, camera_id: CameraId, keep_us: int) -> int:
    """Lower the retention of everything already taken; return how many segments that met (P10).

    That of a file that is registered, and may have begun while the database was away, is lowered with them.
    """
    days.shortened(session, camera_id, keep_us)
    session.execute(
        update(SegmentAheadRow)
        .where(SegmentAheadRow.camera_id == camera_id, SegmentAheadRow.keep_us > keep_us)
        .values(keep_us=keep_us)
    )
    return changed(
        session,
        update(SegmentRow)
        .where(
            SegmentRow.camera_id == camera_id,
            SegmentRow.keep_us > keep_us,
            SegmentRow.state.in_((State.WRITING, State.STORED)),
        )
        .values(keep_us=keep_us, destroy_from_us=SegmentRow.destroy_from_us - SegmentRow.keep_us + keep_us),
    )


def was_recorded(session: Session, camera_id: CameraId, span: Span) -> bool:
    """Say whether something was recorded in a span, whatever became of it since."""
    asked = {"camera_id": camera_id, "from_us": span.from_us, "until_us": span.until_us}
    found = session.scalar(_ANY_IN_SPAN, asked)
    return found is not None


def last_end_us(session: Session, camera_id: CameraId) -> int | None:
    """Return when the newest footage of a camera ended, whatever became of it since."""
    return session.scalar(select(func.max(SegmentRow.ends_us)).where(SegmentRow.camera_id == camera_id))


def newest(session: Session, camera_id: CameraId) -> Newest | None:
    """Return the closed segment of a camera that ends last, whatever became of it since."""
    row = session.execute(
        select(SegmentRow.id, SegmentRow.starts_us, SegmentRow.ends_us, SegmentRow.state)
        .where(SegmentRow.camera_id == camera_id, SegmentRow.ends_us.is_not(None))
        .order_by(SegmentRow.ends_us.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return Newest(SegmentId(row.id), row.starts_us, row.ends_us, State(row.state) is State.STORED)


def found(session: Session, wanted: Select[Any, *tuple[Any, ...]]) -> list[Segment]:
    """Return what a query of another room over `COLUMNS` finds."""
    return [_segment(row) for row in session.execute(wanted)]


def end_earlier(session: Session, segment_id: SegmentId, ends_us: int) -> None:
    """Let a kept segment give way to the one that begins there; when it is due stays as it is."""
    chosen = and_(SegmentRow.id == segment_id, SegmentRow.state == State.STORED, SegmentRow.ends_us > ends_us)
    days.ended_earlier(session, chosen, ends_us)
    session.execute(update(SegmentRow).where(chosen).values(ends_us=ends_us))


def _segment(row: Any) -> Segment:
    return Segment(
        id=SegmentId(row.id),
        operator_id=OperatorId(row.operator_id),
        camera_id=CameraId(row.camera_id),
        state=State(row.state),
        place=Place(row.place),
        starts_us=row.starts_us,
        ends_us=row.ends_us,
        keep_us=row.keep_us,
        run=row.run,
        epoch=row.epoch,
        blob_name=row.blob_name,
        size_bytes=row.size_bytes,
    )


def sealed_of(row: Any) -> Sealed:
    """Return a row of `LIVING` as a value."""
    return Sealed(
        segment=_segment(row),
        bucket_key_id=BucketKeyId(row.bucket_key_id),
        bucket_hour=row.bucket_hour,
        wrapped_key=row.wrapped_key,
        salt=row.salt,
        last_tag=row.last_tag,
        chunk_size=row.chunk_size,
        tracks=row.tracks,
    )

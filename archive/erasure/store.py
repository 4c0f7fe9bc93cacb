"""Queries over erasures and the segments they took."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, cast

from sqlalchemy import Table, and_, bindparam, case, func, insert, or_, select, update
from sqlalchemy.orm import Session

from archive.erasure.rules import NOT_BEGUN, STILL_OPEN, TIME_IN_DOUBT, UNDER_WAY, DebtPart, Step
from archive.erasure.tables import ErasureRow
from archive.keys.rules import WrappedKey
from archive.keys.tables import BucketRow
from archive.mandates.rules import Cause
from archive.orders.store import IS_KEPT, was_kept
from archive.segments import ahead, days
from archive.segments import store as segments
from archive.segments.rules import LONGEST_FILE_US, Segment, State, step
from archive.segments.tables import SegmentAheadRow, SegmentRow
from auth.tokens.rules import microseconds
from vms_privacy.db import changed
from vms_privacy.errors import Kind, Refusal
from vms_privacy.ids import BucketKeyId, CameraId, ErasureId, MandateId, OperatorId, SegmentId

FOUND_OPEN: Final = -1
_SEGMENTS: Final = cast("Table", SegmentRow.__table__)
_REWRAP: Final = (
    update(_SEGMENTS)
    .where(_SEGMENTS.c.id == bindparam("of"))
    .values(bucket_key_id=bindparam("bucket_key_id"), wrapped_key=bindparam("wrapped_key"))
)


class NotAllErased(Refusal):
    """An erasure is not done while one of its segments is not destroyed, whatever the steps say."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "not-all-erased"


class NotAllTaken(Refusal):
    """Segments that were to be destroyed have been taken by another erasure, or an order has come to cover them."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "not-all-taken"


@dataclass(frozen=True, slots=True)
class Erasure:
    """One erasure that is not done."""

    id: ErasureId
    operator_id: OperatorId
    cause: Cause
    actor: str
    step: Step
    attempts: int
    mandate_id: MandateId | None = None
    due_us: int | None = None


@dataclass(frozen=True, slots=True)
class Remains:
    """What is still to be removed of one segment: its bytes, wherever they are.

    `was_found`: an attempt before has found some and removed them, but could not be sure of it.
    """

    segment_id: SegmentId
    blob_name: str
    was_found: bool


def due(session: Session, now_us: int, limit: int) -> list[Segment]:
    """Return segments whose very last picture has expired and that no order keeps, longest overdue first."""
    return segments.found(
        session,
        select(*segments.COLUMNS)
        .where(SegmentRow.state == State.STORED, SegmentRow.destroy_from_us <= now_us, ~IS_KEPT)
        .order_by(SegmentRow.destroy_from_us)
        .limit(limit),
    )


def stored(session: Session) -> Iterator[tuple[Segment, BucketKeyId]]:
    """Go through everything that is kept, with the bucket key it is under."""
    wanted = select(*segments.COLUMNS).where(SegmentRow.state == State.STORED)
    under = select(SegmentRow.id, SegmentRow.bucket_key_id).where(SegmentRow.state == State.STORED)
    buckets_of = {row[0]: BucketKeyId(row[1]) for row in session.execute(under)}
    for one in segments.found(session, wanted.order_by(SegmentRow.starts_us)):
        yield one, buckets_of[one.id]


def begin(session: Session, erasure: Erasure, doomed: Sequence[Segment], journal_number: int, now: datetime) -> int:
    """Mark segments and write the erasure's row; return how many. Raises NotAllTaken if one is not to be had now.

    What of them is kept is added after that, in the same transaction: `segments.kept_parts.take_over`.
    """
    taken = 0
    for at in range(0, len(doomed), 500):
        taken += changed(
            session,
            update(SegmentRow)
            .where(
                SegmentRow.id.in_([one.id for one in doomed[at : at + 500]]), SegmentRow.state == State.STORED, ~IS_KEPT
            )
            .values(state=step(State.STORED, State.ERASING), erasure_id=erasure.id),
        )
    if taken != len(doomed):
        # The journal names them all; what is not to be had any more was to be left out before.
        raise NotAllTaken("what was to be destroyed is not to be had any more")
    days.taken(session, SegmentRow.erasure_id == erasure.id)
    size = select(func.sum(SegmentRow.size_bytes)).where(SegmentRow.erasure_id == erasure.id)
    session.execute(
        insert(ErasureRow).values(
            id=erasure.id,
            operator_id=erasure.operator_id,
            cause=erasure.cause,
            actor=erasure.actor,
            journal_number=journal_number,
            step=Step.MARKED,
            segments=taken,
            size_bytes=session.scalar(size) or 0,
            mandate_id=erasure.mandate_id,
            due_us=erasure.due_us,
            verified=0,
            started_at=now,
            attempts=0,
            last_failure="",
            next_attempt_at=now,
        )
    )
    return taken


def doomed_buckets(session: Session, erasure_id: ErasureId) -> list[BucketKeyId]:
    """Return the bucket keys that wrap, or wrapped, keys of this erasure whose destruction is not noted yet."""
    found = session.scalars(
        select(SegmentRow.bucket_key_id)
        .where(SegmentRow.erasure_id == erasure_id, SegmentRow.key_destroyed_at.is_(None))
        .distinct()
    )
    return sorted(BucketKeyId(one) for one in found)


def survivors(session: Session, keys: Collection[BucketKeyId]) -> dict[BucketKeyId, list[WrappedKey]]:
    """Return the living keys under these bucket keys, those of segments registered ahead with them, by bucket key."""
    rows = session.execute(
        select(
            SegmentRow.operator_id,
            SegmentRow.camera_id,
            SegmentRow.id,
            SegmentRow.bucket_key_id,
            SegmentRow.wrapped_key,
        ).where(
            SegmentRow.bucket_key_id.in_(list(keys)),
            SegmentRow.state.in_((State.WRITING, State.STORED)),
            SegmentRow.wrapped_key.is_not(None),
        )
    )
    found: dict[BucketKeyId, list[WrappedKey]] = {}
    for row in rows:
        key = BucketKeyId(row[3])
        one = WrappedKey(OperatorId(row[0]), CameraId(row[1]), SegmentId(row[2]), key, row[4] or b"")
        found.setdefault(key, []).append(one)
    for one in ahead.wraps_under(session, keys):
        found.setdefault(one.bucket_key_id, []).append(one)
    return found


def count_survivors(session: Session, keys: Collection[BucketKeyId]) -> dict[BucketKeyId, int]:
    """Return how many segments that are not destroyed lie under these bucket keys; those with none are left out."""
    found: dict[BucketKeyId, int] = {}
    ordered = sorted(keys)
    for at in range(0, len(ordered), 500):
        rows = session.execute(
            select(SegmentRow.bucket_key_id, func.count())
            .where(
                SegmentRow.bucket_key_id.in_(ordered[at : at + 500]),
                SegmentRow.state.in_((State.WRITING, State.STORED)),
            )
            .group_by(SegmentRow.bucket_key_id)
        )
        found |= {BucketKeyId(row[0]): int(row[1]) for row in rows}
    return found


def store_rewrapped(session: Session, rewrapped: Sequence[WrappedKey]) -> None:
    """Put survivors under their new bucket key."""
    if not rewrapped:
        return
    ahead.store_rewrapped(session, rewrapped)
    placed = (
        {"of": one.segment_id, "bucket_key_id": one.bucket_key_id, "wrapped_key": one.wrapped} for one in rewrapped
    )
    session.connection().execute(_REWRAP, list(placed))


def idle_buckets(session: Session, before_hour: int) -> frozenset[BucketKeyId]:
    """Return the bucket keys of earlier hours that are not noted as destroyed, and under which every segment is."""
    needed = select(SegmentRow.id).where(
        SegmentRow.bucket_key_id == BucketRow.bucket_key_id, SegmentRow.state != State.ERASED
    )
    registered = select(SegmentAheadRow.id).where(SegmentAheadRow.bucket_key_id == BucketRow.bucket_key_id)
    found = session.scalars(
        select(BucketRow.bucket_key_id).where(
            BucketRow.destroyed_at.is_(None), BucketRow.hour < before_hour, ~needed.exists(), ~registered.exists()
        )
    )
    return frozenset(BucketKeyId(one) for one in found)


def doomed_segments(session: Session, keys: Collection[BucketKeyId]) -> list[SegmentId]:
    """Return the segments that die with these bucket keys."""
    found = session.scalars(
        select(SegmentRow.id).where(SegmentRow.bucket_key_id.in_(list(keys)), SegmentRow.state == State.ERASING)
    )
    return [SegmentId(one) for one in found]


def note_key_destroyed(session: Session, keys: Collection[BucketKeyId], now: datetime) -> int:
    """Note that the keys over these segments are destroyed, and take the wraps out of their rows; return how many."""
    return changed(
        session,
        update(SegmentRow)
        .where(
            SegmentRow.bucket_key_id.in_(list(keys)),
            SegmentRow.state == State.ERASING,
            SegmentRow.key_destroyed_at.is_(None),
        )
        .values(key_destroyed_at=now, wrapped_key=None),
    )


def remains(session: Session, erasure_id: ErasureId) -> list[Remains]:
    """Return what of an erasure has no key any more, and bytes left whose removal is not confirmed."""
    rows = session.execute(
        select(SegmentRow.id, SegmentRow.blob_name, SegmentRow.store_answer).where(
            SegmentRow.erasure_id == erasure_id,
            SegmentRow.key_destroyed_at.is_not(None),
            SegmentRow.bytes_gone_at.is_(None),
        )
    )
    return [Remains(SegmentId(row[0]), row[1], row[2] is not None) for row in rows]


def note_found(session: Session, segment_ids: Collection[SegmentId], answer: str) -> None:
    """Note of segments that bytes were there and were removed, before it is certain that they are gone."""
    session.execute(update(SegmentRow).where(SegmentRow.id.in_(segment_ids)).values(store_answer=answer))


def note_bytes_gone(session: Session, erasure_id: ErasureId, answers: Mapping[SegmentId, str], now: datetime) -> None:
    """Note what the store answered for each segment; with its key destroyed it is `erased`."""
    by_answer: dict[str, list[SegmentId]] = {}
    for segment_id, answer in answers.items():
        by_answer.setdefault(answer, []).append(segment_id)
    for answer, ids in by_answer.items():
        for at in range(0, len(ids), 500):
            session.execute(
                update(SegmentRow)
                .where(
                    SegmentRow.erasure_id == erasure_id,
                    SegmentRow.id.in_(ids[at : at + 500]),
                    SegmentRow.key_destroyed_at.is_not(None),
                    SegmentRow.bytes_gone_at.is_(None),
                )
                .values(bytes_gone_at=now, store_answer=answer, state=step(State.ERASING, State.ERASED))
            )


def keyed(session: Session, erasure_id: ErasureId) -> list[SegmentId]:
    """Return segments of an erasure whose keys are in their rows still; some hundred at most."""
    found = session.scalars(
        select(SegmentRow.id).where(SegmentRow.erasure_id == erasure_id, SegmentRow.wrapped_key.is_not(None)).limit(500)
    )
    return [SegmentId(one) for one in found]


def was_found_open(session: Session, erasure_id: ErasureId) -> bool:
    """Say whether a sample of this erasure has opened after its destruction."""
    return session.scalar(select(ErasureRow.verified).where(ErasureRow.id == erasure_id)) == FOUND_OPEN


def note_found_open(session: Session, erasure_id: ErasureId) -> None:
    """Note that a sample of this erasure has opened after its destruction: it is never done after that."""
    session.execute(update(ErasureRow).where(ErasureRow.id == erasure_id).values(verified=FOUND_OPEN))


def note_verified(session: Session, erasure_id: ErasureId, more: int) -> None:
    """Count segments that were shown to be gone."""
    added = ErasureRow.verified + more
    session.execute(update(ErasureRow).where(ErasureRow.id == erasure_id).values(verified=added))


def reach(session: Session, erasure_id: ErasureId, reached: Step) -> None:
    """Note the last durable step."""
    session.execute(update(ErasureRow).where(ErasureRow.id == erasure_id).values(step=reached))


def finish(session: Session, erasure_id: ErasureId, now: datetime) -> int | None:
    """Note that an erasure is done; return how many segments it destroyed, None if it was done. Raises NotAllErased."""
    mine = select(func.count()).where(SegmentRow.erasure_id == erasure_id)
    if session.scalar(mine.where(SegmentRow.state != State.ERASED)):
        raise NotAllErased("a segment of this erasure is not destroyed yet")
    is_open = (ErasureRow.id == erasure_id, ErasureRow.done_at.is_(None))
    if not changed(session, update(ErasureRow).where(*is_open).values(step=Step.DONE, done_at=now)):
        return None
    return session.scalar(mine) or 0


def note_failure(session: Session, erasure_id: ErasureId, attempts: int, failure: str, next_at: datetime) -> None:
    """Count a failed round and say when the next one is."""
    session.execute(
        update(ErasureRow)
        .where(ErasureRow.id == erasure_id)
        .values(attempts=attempts, last_failure=failure[:80], next_attempt_at=next_at)
    )


def debt(
    session: Session, overdue_before: datetime, safe_until_us: int, operator_id: OperatorId | None = None
) -> list[DebtPart]:
    """Return what was due before a moment and is not destroyed, of one operator or of all, by camera and reason.

    What orders keep, or have kept until then, is no debt: it must not be destroyed. What falls due only after
    `safe_until_us` waits for the doubt about the time to be settled.
    """
    overdue_before_us = microseconds(overdue_before)
    # One that is still open long after all of it should have been destroyed: nobody closes it.
    open_until_us = SegmentRow.starts_us + SegmentRow.keep_us + LONGEST_FILE_US
    is_open = SegmentRow.state == State.WRITING
    reason = case(
        (is_open, STILL_OPEN),
        (ErasureRow.attempts > 0, ErasureRow.last_failure),
        (SegmentRow.state == State.ERASING, UNDER_WAY),
        (SegmentRow.destroy_from_us > safe_until_us, TIME_IN_DOUBT),
        else_=NOT_BEGUN,
    )
    due_us = func.coalesce(ErasureRow.due_us, SegmentRow.destroy_from_us)
    overdue = (
        select(
            SegmentRow.camera_id,
            reason.label("reason"),
            func.count(),
            func.coalesce(func.sum(SegmentRow.size_bytes), 0),
            func.min(func.coalesce(due_us, open_until_us)),
            func.max(func.coalesce(ErasureRow.attempts, 0)),
        )
        .outerjoin(ErasureRow, ErasureRow.id == SegmentRow.erasure_id)
        .where(
            or_(
                and_(SegmentRow.state == State.ERASING, due_us < overdue_before_us),
                and_(
                    SegmentRow.state == State.STORED,
                    SegmentRow.destroy_from_us < overdue_before_us,
                    ~was_kept(overdue_before),
                ),
                and_(is_open, open_until_us < overdue_before_us),
            )
        )
        .group_by(SegmentRow.camera_id, "reason")
    )
    if operator_id is not None:
        overdue = overdue.where(SegmentRow.operator_id == operator_id)
    return [DebtPart(CameraId(row[0]), row[1], row[2], int(row[3]), row[4], row[5]) for row in session.execute(overdue)]

"""Queries over the footage of one whole operator, by rows alone. Nothing here decides; nothing here commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, case, exists, func, select, tuple_
from sqlalchemy.orm import Session

from archive.erasure.tables import ErasureRow
from archive.mandates.rules import Cause
from archive.mandates.tables import MandateRow
from archive.orders.store import IS_KEPT, LAST_US
from archive.segments.rules import Place, Span, State
from archive.segments.tables import SegmentAheadRow, SegmentRow
from auth.resources.tables import ResourceRow
from vms_privacy.ids import CameraId, ManifestId, OffBoardingId, OperatorId, ReceiptId, SegmentId
from vms_privacy.off_boarding.rules import Left
from vms_privacy.off_boarding.tables import ManifestEntryRow


@dataclass(frozen=True, slots=True)
class Stored:
    """A closed segment that is not destroyed, as far as a list of it needs to know. `is_kept`: an order covers it."""

    id: SegmentId
    camera_id: CameraId
    starts_us: int
    ends_us: int
    size_bytes: int
    blob_name: str
    is_spooled: bool
    is_kept: bool

    @property
    def place(self) -> tuple[CameraId, int, SegmentId]:
        """Where it stands in the order of a manifest."""
        return self.camera_id, self.starts_us, self.id


@dataclass(frozen=True, slots=True)
class Gone:
    """What was destroyed under an off-boarding, and which receipts tell of it."""

    segments: int
    size_bytes: int
    untold: int
    receipts: tuple[ReceiptId, ...]


_STORED: Final[tuple[Any, ...]] = (
    SegmentRow.id,
    SegmentRow.camera_id,
    SegmentRow.starts_us,
    SegmentRow.ends_us,
    SegmentRow.size_bytes,
    SegmentRow.blob_name,
    SegmentRow.place,
    IS_KEPT.label("is_kept"),
)


def _of(operator_id: OperatorId) -> tuple[ColumnElement[bool], ...]:
    """Say of a segment that it is an operator's. By its cameras the index finds it; `is_anything_left` goes without."""
    cameras = select(ResourceRow.camera_id).where(ResourceRow.operator_id == operator_id)
    return SegmentRow.operator_id == operator_id, SegmentRow.camera_id.in_(cameras)


def is_anything_left(session: Session, operator_id: OperatorId) -> bool:
    """Say whether any row of an operator is not destroyed, of whatever camera: all rows there are are looked at."""
    wanted = select(SegmentRow.id).where(SegmentRow.operator_id == operator_id, SegmentRow.state != State.ERASED)
    return session.scalar(wanted.limit(1)) is not None


def standing_mandates(session: Session, operator_id: OperatorId, off_boarding_id: OffBoardingId) -> int:
    """Count the mandates of an off-boarding that stand."""
    standing = select(func.count()).where(*_mandates(operator_id, off_boarding_id), MandateRow.done_at.is_(None))
    return session.scalar(standing) or 0


def stored_after(
    session: Session, operator_id: OperatorId, after: tuple[CameraId, int, SegmentId] | None, limit: int
) -> list[Stored]:
    """Return closed segments that are not destroyed, in the order of a manifest, behind a place in it."""
    wanted = select(*_STORED).where(*_of(operator_id), SegmentRow.state == State.STORED)
    if after is not None:
        wanted = wanted.where(tuple_(SegmentRow.camera_id, SegmentRow.starts_us, SegmentRow.id) > tuple_(*after))
    return _stored(session, wanted, limit)


def unlisted(session: Session, operator_id: OperatorId, manifest_id: ManifestId, limit: int) -> list[Stored]:
    """Return closed segments that are not destroyed and that a manifest does not list."""
    wanted = select(*_STORED).where(*_of(operator_id), SegmentRow.state == State.STORED, ~_is_listed(manifest_id))
    return _stored(session, wanted, limit)


def count_unlisted(session: Session, operator_id: OperatorId, manifest_id: ManifestId) -> int:
    """Count the closed segments that are not destroyed and that a manifest does not list."""
    wanted = select(func.count()).where(
        SegmentRow.operator_id == operator_id, SegmentRow.state == State.STORED, ~_is_listed(manifest_id)
    )
    return session.scalar(wanted) or 0


def is_stored(session: Session, segment_id: SegmentId) -> bool:
    """Say whether a segment is closed and nothing has begun to destroy it."""
    state = session.scalar(select(SegmentRow.state).where(SegmentRow.id == segment_id))
    return state == State.STORED


def growing(session: Session, operator_id: OperatorId) -> int:
    """Count the files of an operator that grow, or may have begun while the database was away."""
    grow = select(func.count()).where(SegmentRow.state == State.WRITING, SegmentRow.operator_id == operator_id)
    ahead = select(func.count()).where(SegmentAheadRow.operator_id == operator_id)
    return (session.scalar(grow) or 0) + (session.scalar(ahead) or 0)


def reach(session: Session, operator_id: OperatorId) -> dict[CameraId, Span]:
    """Return from when to when there is something of each camera, removed ones too, that is not destroyed."""
    rows = session.execute(
        select(SegmentRow.camera_id, func.min(SegmentRow.starts_us), func.max(LAST_US))
        .where(SegmentRow.operator_id == operator_id, SegmentRow.state.in_((State.STORED, State.ERASING)))
        .group_by(SegmentRow.camera_id)
        .order_by(SegmentRow.camera_id)
    )
    return {CameraId(row[0]): Span(int(row[1]), max(int(row[2] or 0), int(row[1]) + 1)) for row in rows}


def left(session: Session, operator_id: OperatorId, off_boarding_id: OffBoardingId, young_after_us: int) -> Left:
    """Count what of an operator is not destroyed. `young_after_us`: what ends later is kept by its minimum."""
    kind = case(
        (SegmentRow.state == State.ERASING, "under_way"),
        (SegmentRow.state == State.WRITING, "growing"),
        (IS_KEPT, "kept_by_orders"),
        (young_after_us < LAST_US, "too_young"),
        else_="due",
    )
    rows = session.execute(
        select(kind.label("kind"), func.count())
        .where(*_of(operator_id), SegmentRow.state != State.ERASED)
        .group_by("kind")
    )
    counts = {str(row[0]): int(row[1]) for row in rows}
    ahead = select(func.count()).where(SegmentAheadRow.operator_id == operator_id)
    counts["growing"] = counts.get("growing", 0) + (session.scalar(ahead) or 0)
    return Left(**counts, standing_mandates=standing_mandates(session, operator_id, off_boarding_id))


def gone(session: Session, operator_id: OperatorId, off_boarding_id: OffBoardingId) -> Gone:
    """Say what was destroyed by the mandates of an off-boarding, and which receipts tell of it."""
    of_it = select(MandateRow.id).where(*_mandates(operator_id, off_boarding_id))
    destroyed = (
        *_of(operator_id),
        SegmentRow.state == State.ERASED,
        SegmentRow.erasure_id.in_(select(ErasureRow.id).where(ErasureRow.mandate_id.in_(of_it))),
    )
    row = session.execute(
        select(
            func.count(),
            func.coalesce(func.sum(SegmentRow.size_bytes), 0),
            func.coalesce(func.sum(case((SegmentRow.receipt_id.is_(None), 1), else_=0)), 0),
        ).where(*destroyed)
    ).one()
    told = select(SegmentRow.receipt_id).where(*destroyed, SegmentRow.receipt_id.is_not(None)).distinct()
    receipts = tuple(ReceiptId(one) for one in session.scalars(told.order_by(SegmentRow.receipt_id)) if one is not None)
    return Gone(int(row[0]), int(row[1]), int(row[2]), receipts)


def destroyed_since(session: Session, operator_id: OperatorId, since: datetime) -> int:
    """Count the segments of an operator whose bytes have gone since a moment, for whatever cause."""
    wanted = select(func.count()).where(
        *_of(operator_id), SegmentRow.state == State.ERASED, SegmentRow.bytes_gone_at >= since
    )
    return session.scalar(wanted) or 0


def _mandates(operator_id: OperatorId, off_boarding_id: OffBoardingId) -> Sequence[ColumnElement[bool]]:
    return (
        MandateRow.operator_id == operator_id,
        MandateRow.cause == Cause.OFF_BOARDING,
        MandateRow.reference == str(off_boarding_id),
    )


def _is_listed(manifest_id: ManifestId) -> ColumnElement[bool]:
    return exists(
        select(ManifestEntryRow.segment_id)
        .where(
            ManifestEntryRow.manifest_id == manifest_id,
            ManifestEntryRow.camera_id == SegmentRow.camera_id,
            ManifestEntryRow.starts_us == SegmentRow.starts_us,
            ManifestEntryRow.segment_id == SegmentRow.id,
        )
        .correlate(SegmentRow)
    )


def _stored(session: Session, wanted: Select[Any], limit: int) -> list[Stored]:
    ordered = wanted.order_by(SegmentRow.camera_id, SegmentRow.starts_us, SegmentRow.id).limit(limit)
    return [
        Stored(
            SegmentId(row.id),
            CameraId(row.camera_id),
            row.starts_us,
            row.ends_us,
            row.size_bytes or 0,
            row.blob_name,
            Place(row.place) is Place.SPOOL,
            row.is_kept,
        )
        for row in session.execute(ordered)
    ]

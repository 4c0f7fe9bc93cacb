"""Queries over the footage that requests are about, by rows alone: no file is opened. Nothing here decides."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import and_, case, exists, func, select
from sqlalchemy.orm import Session

from archive.erasure.tables import ErasureRow
from archive.mandates.tables import MandateRow
from archive.orders.store import IS_KEPT
from archive.segments.rules import LONGEST_FILE_US, State
from archive.segments.tables import SegmentRow
from vms_privacy.ids import CameraId, ConsentEntryId, MandateId
from vms_privacy.subject_requests.request import Item, Place, Request

# All of a segment lies within a stretch that two people have decided about: nobody reads it any more.
_IS_MANDATED: Final = exists(
    select(MandateRow.id).where(
        MandateRow.camera_id == SegmentRow.camera_id,
        MandateRow.done_at.is_(None),
        MandateRow.from_us <= SegmentRow.starts_us,
        MandateRow.until_us >= SegmentRow.destroy_from_us - SegmentRow.keep_us,
    )
)


@dataclass(frozen=True, slots=True)
class There:
    """What is there of a stretch, by rows alone. `kept_by_orders` is None for whoever may not know of holds."""

    segments: int
    size_bytes: int
    recorded_us: int
    growing: int
    kept_by_orders: int | None

    @property
    def is_nothing(self) -> bool:
        """Say whether there is nothing."""
        return not self.segments and not self.growing


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What keyring and store have confirmed of a mandate's erasures, in segments.

    `unfinished` counts erasures that are not done, `failure` is the code of one of them, if it has failed.
    """

    segments: int
    keys_gone: int
    bytes_gone: int
    unfinished: int
    failure: str

    @property
    def is_whole(self) -> bool:
        """Say whether both have confirmed everything that was begun."""
        return self.segments == self.keys_gone == self.bytes_gone and not self.unfinished


def there(session: Session, place: Place, now_us: int, *, knows_orders: bool) -> There:
    """Say what is there of a place: what is expired, or a mandate's, is gone for whoever may not know of holds."""
    is_kept = and_(SegmentRow.state == State.STORED, IS_KEPT)
    is_there = func.coalesce(SegmentRow.destroy_from_us > now_us, True)
    wanted = [
        SegmentRow.camera_id == place.camera_id,
        SegmentRow.state.in_((State.WRITING, State.STORED)),
        SegmentRow.starts_us < place.span.until_us,
        # No file is longer: with this bound the index finds the place.
        SegmentRow.starts_us > place.span.from_us - 2 * LONGEST_FILE_US,
        func.coalesce(SegmentRow.ends_us > place.span.from_us, True),
        (is_there | is_kept) if knows_orders else is_there & ~_IS_MANDATED,
    ]
    grows = SegmentRow.state == State.WRITING
    row = session.execute(
        select(
            func.count(),
            func.coalesce(func.sum(SegmentRow.size_bytes), 0),
            func.coalesce(func.sum(SegmentRow.ends_us - SegmentRow.starts_us), 0),
            func.coalesce(func.sum(case((grows, 1), else_=0)), 0),
            func.coalesce(func.sum(case((is_kept, 1), else_=0)), 0),
        ).where(*wanted)
    ).one()
    growing = int(row[3])
    return There(int(row[0]) - growing, int(row[1]), int(row[2]), growing, int(row[4]) if knows_orders else None)


def recorded_under(session: Session, camera_id: CameraId, entry_id: ConsentEntryId) -> int | None:
    """Return since when there is something that was recorded under an opt-in, as microseconds; None if nothing is."""
    found: int | None = session.scalar(
        select(func.min(SegmentRow.starts_us)).where(
            SegmentRow.camera_id == camera_id,
            SegmentRow.consent_entry_id == entry_id,
            SegmentRow.state.in_((State.WRITING, State.STORED)),
        )
    )
    return found


def mandate_of(session: Session, request: Request, item: Item, proposed_by: str) -> MandateId | None:
    """Return the mandate that an approved proposal for an item has become."""
    found = session.scalars(
        select(MandateRow.id)
        .where(
            MandateRow.operator_id == request.operator_id,
            MandateRow.reference == str(request.id),
            MandateRow.camera_id == item.place.camera_id,
            MandateRow.from_us == item.place.span.from_us,
            MandateRow.until_us == item.place.span.until_us,
            MandateRow.proposed_by == proposed_by,
        )
        .order_by(MandateRow.placed_at.desc())
        .limit(1)
    ).one_or_none()
    return None if found is None else MandateId(found)


def confirmed(session: Session, mandate_id: MandateId) -> Confirmed:
    """Say what keyring and store have confirmed of what a mandate has had destroyed."""
    row = session.execute(
        select(
            func.count(),
            func.count(SegmentRow.key_destroyed_at),
            func.count(SegmentRow.bytes_gone_at),
        )
        .join(ErasureRow, ErasureRow.id == SegmentRow.erasure_id)
        .where(ErasureRow.mandate_id == mandate_id)
    ).one()
    open_ones = (ErasureRow.mandate_id == mandate_id, ErasureRow.done_at.is_(None))
    left = session.execute(select(func.count(), func.max(ErasureRow.last_failure)).where(*open_ones)).one()
    return Confirmed(int(row[0]), int(row[1]), int(row[2]), int(left[0]), left[1] or "")

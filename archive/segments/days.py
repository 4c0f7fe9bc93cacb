"""What is stored, summed by camera, day and retention: kept in the transactions that change it, and asked from there.

A question about ten million segments reads some thousand sums, and the rows of the days at their rims.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Select, and_, delete, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from archive.segments.rules import LONGEST_FILE_US, State
from archive.segments.tables import FootageDayRow, SegmentRow
from vms_privacy.ids import CameraId

DAY_US: Final = 86_400_000_000
_SOME: Final = 5000
_Query = Select[Any, *tuple[Any, ...]]
_LAST_US: Final = SegmentRow.destroy_from_us - SegmentRow.keep_us
_DAY: Final = _LAST_US // literal(DAY_US, BigInteger)


@dataclass(frozen=True, slots=True)
class Amount:
    """So many segments, bytes, and microseconds of recorded time."""

    segments: int = 0
    size_bytes: int = 0
    recorded_us: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(
            self.segments + other.segments,
            self.size_bytes + other.size_bytes,
            self.recorded_us + other.recorded_us,
        )


def stored(session: Session, chosen: ColumnElement[bool]) -> None:
    """Add the chosen segments, which have just become stored."""
    _add(session, _sums(chosen, sign=1))


def taken(session: Session, chosen: ColumnElement[bool]) -> None:
    """Take off the chosen segments, which have just been marked for destruction; a day with nothing left goes too."""
    _add(session, _sums(chosen, sign=-1))
    session.execute(
        delete(FootageDayRow).where(
            FootageDayRow.camera_id.in_(select(SegmentRow.camera_id).where(chosen)),
            FootageDayRow.segments == 0,
            FootageDayRow.size_bytes == 0,
            FootageDayRow.recorded_us == 0,
        )
    )


def shortened(session: Session, camera_id: CameraId, keep_us: int) -> None:
    """Put what was to be kept for longer than `keep_us` under that."""
    longer = and_(FootageDayRow.camera_id == camera_id, FootageDayRow.keep_us > keep_us)
    merged = (
        select(
            FootageDayRow.camera_id,
            FootageDayRow.day,
            literal(keep_us, BigInteger),
            func.sum(FootageDayRow.segments),
            func.sum(FootageDayRow.size_bytes),
            func.sum(FootageDayRow.recorded_us),
        )
        .where(longer)
        .group_by(FootageDayRow.camera_id, FootageDayRow.day)
    )
    _add(session, merged)
    session.execute(delete(FootageDayRow).where(longer))


def ended_earlier(session: Session, chosen: ColumnElement[bool], ends_us: int) -> None:
    """Take off the time by which a chosen segment is about to end earlier."""
    less = select(
        SegmentRow.camera_id, _DAY, SegmentRow.keep_us, literal(0), literal(0), literal(ends_us) - SegmentRow.ends_us
    ).where(chosen)
    _add(session, less)


def by_day(session: Session, camera_id: CameraId) -> dict[tuple[int, int], Amount]:
    """Return a camera's sums, by day and microseconds of retention, as they are kept."""
    rows = session.scalars(select(FootageDayRow).where(FootageDayRow.camera_id == camera_id))
    return {(row.day, row.keep_us): Amount(row.segments, row.size_bytes, row.recorded_us) for row in rows}


def recount(session: Session, camera_id: CameraId) -> None:
    """Make a camera's sums anew from its rows."""
    session.execute(delete(FootageDayRow).where(FootageDayRow.camera_id == camera_id))
    stored(session, and_(SegmentRow.camera_id == camera_id, SegmentRow.state == State.STORED))


def expiring(session: Session, camera_id: CameraId, keep_us: int, now_us: int) -> Amount:
    """Return what of a camera would expire at once if everything were kept for `keep_us`, and has not expired yet."""
    border_us = now_us - keep_us
    found = Amount()
    longer = select(FootageDayRow.keep_us).where(FootageDayRow.camera_id == camera_id, FootageDayRow.keep_us > keep_us)
    for kept_us in session.scalars(longer.distinct()).all():
        found += _between(session, camera_id, kept_us, now_us - kept_us, border_us)
    return found


def lost_us(session: Session, camera_id: CameraId, keep_us: int, longest_us: int, now_us: int) -> int:
    """Return how much of a camera lies beyond `keep_us` and not beyond `longest_us`, whatever became of it since.

    Some thousand segments are added up at most: whoever asks wants to know whether it is much.
    """
    some = (
        select((SegmentRow.ends_us - SegmentRow.starts_us).label("length_us"))
        .where(
            SegmentRow.camera_id == camera_id,
            SegmentRow.ends_us.is_not(None),
            SegmentRow.starts_us <= now_us - keep_us,
            SegmentRow.starts_us > now_us - longest_us,
        )
        .limit(_SOME)
        .subquery()
    )
    return int(session.scalar(select(func.coalesce(func.sum(some.c.length_us), 0))) or 0)


def in_all(session: Session, camera_id: CameraId) -> Amount:
    """Return what is stored of a camera."""
    return _amount(session, _of_days(FootageDayRow.camera_id == camera_id))


def is_expiring(camera_id: CameraId, keep_us: int, now_us: int) -> ColumnElement[bool]:
    """Say of a segment whether `expiring` counts it."""
    return and_(
        SegmentRow.camera_id == camera_id,
        SegmentRow.state == State.STORED,
        SegmentRow.keep_us > keep_us,
        now_us - keep_us >= _LAST_US,
        SegmentRow.destroy_from_us > now_us,
        # No file is longer: with this bound the index finds the place.
        SegmentRow.starts_us <= now_us - keep_us,
    )


def _between(session: Session, camera_id: CameraId, keep_us: int, after_us: int, until_us: int) -> Amount:
    """Add up what ended after one moment and not after another: whole days from sums, the two at the rims by rows."""
    first, last = after_us // DAY_US, until_us // DAY_US
    if first == last:
        return _rows(session, camera_id, keep_us, after_us, until_us)
    whole = _of_days(
        FootageDayRow.camera_id == camera_id,
        FootageDayRow.keep_us == keep_us,
        FootageDayRow.day > first,
        FootageDayRow.day < last,
    )
    return (
        _rows(session, camera_id, keep_us, after_us, (first + 1) * DAY_US - 1)
        + _amount(session, whole)
        + _rows(session, camera_id, keep_us, last * DAY_US - 1, until_us)
    )


def _rows(session: Session, camera_id: CameraId, keep_us: int, after_us: int, until_us: int) -> Amount:
    return _amount(
        session,
        select(*_columns(1)).where(
            SegmentRow.camera_id == camera_id,
            SegmentRow.state == State.STORED,
            SegmentRow.keep_us == keep_us,
            after_us < _LAST_US,
            until_us >= _LAST_US,
            SegmentRow.starts_us > after_us - 2 * LONGEST_FILE_US,
            SegmentRow.starts_us <= until_us,
        ),
    )


def _of_days(*chosen: ColumnElement[bool]) -> _Query:
    return select(
        func.coalesce(func.sum(FootageDayRow.segments), 0),
        func.coalesce(func.sum(FootageDayRow.size_bytes), 0),
        func.coalesce(func.sum(FootageDayRow.recorded_us), 0),
    ).where(*chosen)


def _columns(sign: int) -> tuple[ColumnElement[Any], ...]:
    return (
        sign * func.count(),
        sign * func.coalesce(func.sum(SegmentRow.size_bytes), 0),
        sign * func.coalesce(func.sum(SegmentRow.ends_us - SegmentRow.starts_us), 0),
    )


def _sums(chosen: ColumnElement[bool], sign: int) -> _Query:
    return (
        select(SegmentRow.camera_id, _DAY, SegmentRow.keep_us, *_columns(sign))
        .where(chosen)
        .group_by(SegmentRow.camera_id, _DAY, SegmentRow.keep_us)
    )


def _amount(session: Session, query: _Query) -> Amount:
    row = session.execute(query).one()
    return Amount(int(row[0]), int(row[1]), int(row[2]))


def _add(session: Session, sums: _Query) -> None:
    """Add sums to what is there; on both databases one statement."""
    make = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    names = ["camera_id", "day", "keep_us", "segments", "size_bytes", "recorded_us"]
    # SQLite takes the ON of an upsert for that of a join, unless there is a WHERE before it.
    wanted = make(FootageDayRow).from_select(names, sums)
    now = FootageDayRow.__table__.c
    session.execute(
        wanted.on_conflict_do_update(
            index_elements=["camera_id", "day", "keep_us"],
            set_={name: now[name] + wanted.excluded[name] for name in names[3:]},
        )
    )

"""Queries over orders, and the one condition that says which segments they keep."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, Select, Table, and_, bindparam, case, exists, func, insert, select, update
from sqlalchemy.orm import Session

from archive.orders.rules import FOREVER_US, SOUND_AROUND_US, Covered, Ground, Order, OrderKind
from archive.orders.tables import OrderPersonRow, OrderRow
from archive.segments.rules import LONGEST_FILE_US, Span, State
from archive.segments.tables import SegmentRow
from streams.media.packets import Track
from vms_privacy.db import Reading, connection_of
from vms_privacy.ids import CameraId, ErasureId, OperatorId, OrderId, PersonId, Randomness

FIRST_US: Final = SegmentRow.starts_us - case((SegmentRow.tracks == str(Track.VIDEO), 0), else_=SOUND_AROUND_US)
"""Of a segment: the earliest moment that a packet of it may have."""
LAST_US: Final = func.coalesce(SegmentRow.destroy_from_us - SegmentRow.keep_us, FOREVER_US)
"""Of a segment: the end of its last packet; while it grows, none."""


def _covering(lifted: ColumnElement[bool], *columns: Any) -> Select[Any]:
    """Return what finds, for a segment, the orders that cover a moment of it."""
    return (
        select(*columns)
        .where(
            OrderRow.camera_id == SegmentRow.camera_id,
            lifted,
            OrderRow.from_us < LAST_US,
            OrderRow.until_us > FIRST_US,
        )
        .correlate(SegmentRow)
    )


IS_KEPT: Final[ColumnElement[bool]] = exists(_covering(OrderRow.lifted_at.is_(None), OrderRow.id))
"""Of a segment: an order in force covers a moment of it, so it must not be destroyed (P6)."""
LIFTED_LAST: Final = _covering(OrderRow.lifted_at.is_not(None), func.max(OrderRow.lifted_at)).scalar_subquery()
"""Of a segment: when the last of the orders was lifted that covered it; until then no sweep could have it."""
_ORDERS: Final = cast("Table", OrderRow.__table__)
_PEOPLE: Final = cast("Table", OrderPersonRow.__table__)
# Asked before every look at recorded footage: made once.
_TOUCHING: Final = select(_ORDERS).where(
    _ORDERS.c.camera_id == bindparam("camera_id"),
    _ORDERS.c.lifted_at.is_(None),
    _ORDERS.c.from_us < bindparam("until_us"),
    _ORDERS.c.until_us > bindparam("from_us"),
)
_RESTRICTED: Final = select(_ORDERS.c.camera_id, _ORDERS.c.from_us, _ORDERS.c.until_us).where(
    _ORDERS.c.kind == OrderKind.RESTRICTION, _ORDERS.c.lifted_at.is_(None)
)


def add(session: Session, order: Order, randomness: Randomness) -> None:
    """Keep a new order with the people of its case."""
    session.execute(
        insert(OrderRow).values(
            id=order.id,
            operator_id=order.operator_id,
            kind=order.kind,
            camera_id=order.camera_id,
            from_us=order.from_us,
            until_us=order.until_us,
            case_ref=order.case,
            ground=order.ground,
            authority=order.authority,
            reason=order.reason,
            placed_by=order.placed_by,
            placed_at=order.placed_at,
            review_at=order.review_at,
        )
    )
    add_people(session, order.id, order.people, order.placed_by, order.placed_at, randomness)


def add_people(
    session: Session, order_id: OrderId, people: Collection[PersonId], by: str, at: datetime, randomness: Randomness
) -> None:
    """Name people of a case."""
    for person_id in sorted(people):
        session.execute(
            insert(OrderPersonRow).values(
                id=randomness.uuid(), order_id=order_id, person_id=person_id, added_by=by, added_at=at
            )
        )


def take_off(session: Session, order_id: OrderId, people: Collection[PersonId], by: str, at: datetime) -> None:
    """Take people off a case."""
    session.execute(
        update(OrderPersonRow)
        .where(
            OrderPersonRow.order_id == order_id,
            OrderPersonRow.person_id.in_(people),
            OrderPersonRow.removed_at.is_(None),
        )
        .values(removed_by=by, removed_at=at)
    )


def set_review(session: Session, order_id: OrderId, review_at: datetime) -> None:
    """Move the date of the next review."""
    session.execute(update(OrderRow).where(OrderRow.id == order_id).values(review_at=review_at))


def lift(session: Session, order_id: OrderId, by: str, approved_by: str, at: datetime) -> None:
    """End an order by two people."""
    session.execute(
        update(OrderRow)
        .where(OrderRow.id == order_id, OrderRow.lifted_at.is_(None))
        .values(lifted_by=by, lift_approved_by=approved_by, lifted_at=at)
    )


def by_id(asked: Reading, order_id: OrderId) -> Order | None:
    """Return one order, lifted or not."""
    found = _orders(asked, select(_ORDERS).where(_ORDERS.c.id == order_id), {})
    return found[0] if found else None


def touching(asked: Reading, camera_id: CameraId, span: Span) -> list[Order]:
    """Return the orders in force that cover a moment of a span."""
    return _orders(asked, _TOUCHING, {"camera_id": camera_id, "from_us": span.from_us, "until_us": span.until_us})


def of_camera(asked: Reading, camera_id: CameraId, kind: OrderKind) -> list[Order]:
    """Return every order of a kind over a camera, lifted ones too, newest first."""
    wanted = select(_ORDERS).where(_ORDERS.c.camera_id == camera_id, _ORDERS.c.kind == kind)
    return _orders(asked, wanted.order_by(_ORDERS.c.placed_at.desc(), _ORDERS.c.id), {})


def of_operator(asked: Reading, operator_id: OperatorId, *, only_in_force: bool, most: int) -> list[Order]:
    """Return an operator's orders of both kinds, newest first."""
    wanted = select(_ORDERS).where(_ORDERS.c.operator_id == operator_id)
    if only_in_force:
        wanted = wanted.where(_ORDERS.c.lifted_at.is_(None))
    return _orders(asked, wanted.order_by(_ORDERS.c.placed_at.desc(), _ORDERS.c.id).limit(most), {})


def in_force(asked: Reading) -> list[Order]:
    """Return every order in force, of all operators, in the order of their ids."""
    return _orders(asked, select(_ORDERS).where(_ORDERS.c.lifted_at.is_(None)).order_by(_ORDERS.c.id), {})


def was_kept(since: datetime) -> ColumnElement[bool]:
    """Say of a segment whether an order has kept it at some moment after `since`, so that no sweep could have it."""
    return IS_KEPT | exists(_covering(OrderRow.lifted_at > since, OrderRow.id))


def count_in_force(session: Session, camera_id: CameraId) -> int:
    """Return how many orders are in force over a camera."""
    wanted = select(func.count()).where(OrderRow.camera_id == camera_id, OrderRow.lifted_at.is_(None))
    return session.scalar(wanted) or 0


def count_kept(session: Session, camera_id: CameraId, chosen: ColumnElement[bool]) -> int:
    """Count those of a camera's chosen segments that orders keep; only what lies within reach of one is looked at."""
    in_force = touching(session, camera_id, Span(0, FOREVER_US))
    if not in_force:
        return 0
    from_us, until_us = min(one.from_us for one in in_force), max(one.until_us for one in in_force)
    within_reach = and_(
        SegmentRow.starts_us < until_us + SOUND_AROUND_US, SegmentRow.starts_us > from_us - 2 * LONGEST_FILE_US
    )
    return session.scalar(select(func.count()).where(chosen, within_reach, IS_KEPT)) or 0


def count_overdue(asked: Reading, now: datetime) -> int:
    """Return how many orders in force should have been reviewed by now, of all operators."""
    wanted = select(func.count()).where(_ORDERS.c.lifted_at.is_(None), _ORDERS.c.review_at <= now)
    return connection_of(asked).execute(wanted).scalar_one()


def restricted(asked: Reading) -> dict[CameraId, tuple[Span, ...]]:
    """Return the restricted stretches of every camera that has one."""
    found: dict[CameraId, tuple[Span, ...]] = {}
    for camera_id, from_us, until_us in connection_of(asked).execute(_RESTRICTED):
        found[CameraId(camera_id)] = (*found.get(CameraId(camera_id), ()), Span(from_us, until_us))
    return found


def covered(session: Session, camera_id: CameraId, span: Span, expired_before_us: int) -> Covered:
    """Count what an order over a span meets. `expired_before_us`: destroyed from then or earlier, but for orders."""
    lives = SegmentRow.state.in_((State.WRITING, State.STORED))
    row = session.execute(
        select(
            func.count().filter(lives),
            func.coalesce(func.sum(SegmentRow.size_bytes).filter(lives), 0),
            func.count().filter(and_(lives, SegmentRow.destroy_from_us <= expired_before_us)),
            func.count().filter(~lives),
        ).where(
            *may_touch(camera_id, span),
        )
    ).one()
    return Covered(row[0], int(row[1] or 0), row[2], row[3])


def may_touch(camera_id: CameraId, span: Span) -> tuple[ColumnElement[bool], ...]:
    """Say of a segment, by its row alone, whether something of it may lie in a camera's stretch."""
    return (
        SegmentRow.camera_id == camera_id,
        span.until_us > FIRST_US,
        SegmentRow.starts_us < span.until_us + SOUND_AROUND_US,
        # No file is longer: with this bound the index finds the place.
        SegmentRow.starts_us > span.from_us - 2 * LONGEST_FILE_US,
        span.from_us < LAST_US,
    )


def held_up(session: Session, erasure_id: ErasureId) -> int:
    """Count, of the segments of an erasure, those that an order covered which was lifted since."""
    was_kept = exists(_covering(OrderRow.lifted_at.is_not(None), OrderRow.id))
    return session.scalar(select(func.count()).where(SegmentRow.erasure_id == erasure_id, was_kept)) or 0


def _orders(asked: Reading, wanted: Any, values: dict[str, Any]) -> list[Order]:
    connection = connection_of(asked)
    rows = connection.execute(wanted, values).all()
    if not rows:
        return []
    people: dict[Any, set[PersonId]] = {}
    named = select(_PEOPLE.c.order_id, _PEOPLE.c.person_id).where(
        _PEOPLE.c.order_id.in_([row.id for row in rows]), _PEOPLE.c.removed_at.is_(None)
    )
    for order_id, person_id in connection.execute(named):
        people.setdefault(order_id, set()).add(PersonId(person_id))
    return [_order(row, people.get(row.id, ())) for row in rows]


def _order(row: Any, people: Collection[PersonId] | Sequence[PersonId]) -> Order:
    return Order(
        id=OrderId(row.id),
        operator_id=OperatorId(row.operator_id),
        kind=OrderKind(row.kind),
        camera_id=CameraId(row.camera_id),
        from_us=row.from_us,
        until_us=row.until_us,
        case=row.case_ref,
        ground=Ground(row.ground),
        authority=row.authority,
        reason=row.reason,
        placed_by=row.placed_by,
        placed_at=row.placed_at,
        review_at=row.review_at,
        lifted_at=row.lifted_at,
        lifted_by=row.lifted_by,
        lift_approved_by=row.lift_approved_by,
        people=frozenset(people),
    )

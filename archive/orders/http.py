"""Routes of holds and restrictions: placing, listing, reviewing, and proposing their end."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from archive.orders.rules import FOREVER_US, NOTHING, Covered, Ground, NewOrder, Order, OrderKind
from archive.orders.service import OrderService, Placed
from auth.gate import Allowed, On, needs
from auth.principal import Granted, Right
from auth.tokens.rules import microseconds
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.ids import CameraId, OrderId, PersonId
from vms_privacy.web import LINES, ONE_LINE, Moment, Strict

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_Words = Annotated[str, Field(min_length=1, max_length=2000), LINES]


class HoldWanted(Strict):
    """What is to be kept from destruction: `from` is covered, `until` not; without `until`, until it is lifted.

    `people` may open what has expired meanwhile, for evidence; nobody else can.
    """

    from_: Annotated[Moment, Field(alias="from")]
    until: Moment | None = None
    case: Annotated[str, Field(min_length=1, max_length=80), ONE_LINE]
    ground: Literal["court-order", "authority-request", "legal-claim", "investigation"]
    authority: Annotated[str, Field(min_length=1, max_length=200), ONE_LINE]
    reason: _Words
    review_at: Moment
    people: Annotated[tuple[UUID, ...], Field(max_length=50)] = ()


class RestrictionWanted(Strict):
    """What nobody shall read and nothing destroy: `from` is covered, `until` not; without `until`, until it is lifted.

    `ground` is one of GDPR, Article 18(1), (a) to (d).
    """

    from_: Annotated[Moment, Field(alias="from")]
    until: Moment | None = None
    case: Annotated[str, Field(min_length=1, max_length=80), ONE_LINE]
    ground: Literal["accuracy-contested", "unlawful-processing", "needed-for-claims", "objection-pending"]
    authority: Annotated[str, Field(min_length=1, max_length=200), ONE_LINE]
    reason: _Words
    review_at: Moment


class ReviewWanted(Strict):
    """Somebody looked at it and it stays; `review_at` is when the next one is due."""

    review_at: Moment


class PeopleWanted(Strict):
    """For whom a hold opens what has expired, all of them."""

    people: Annotated[list[UUID], Field(max_length=50)]


class HoldEndWanted(Strict):
    """Why the hold shall end."""

    reason: _Words


class RestrictionEndWanted(Strict):
    """Why the restriction shall end, and when whoever had asked for it was told so (GDPR, Article 18(3))."""

    reason: _Words
    requester_told_at: Moment


class CoveredShown(Strict):
    """What an order meets: segments it keeps, how many of them it alone keeps, and those it came too late for."""

    segments: int
    size_bytes: int
    expired: int
    too_late: int


class OrderShown(Strict):
    """One hold or restriction. In force until `lifted_at`; `is_overdue`: it should have been reviewed by now."""

    order_id: UUID
    kind: OrderKind
    camera_id: UUID
    from_: Annotated[Moment, Field(alias="from")]
    until: Moment | None
    case: str
    ground: Ground
    authority: str
    reason: str
    placed_by: str
    placed_at: Moment
    review_at: Moment
    is_overdue: bool
    people: list[UUID]
    lifted_at: Moment | None
    lifted_by: str | None
    lift_approved_by: str | None


class OrderWithCover(OrderShown):
    """One order, and what it meets now."""

    covers: CoveredShown


class LiftProposed(Strict):
    """The end of an order waits for a second person, until `expires_at`."""

    proposal_id: UUID
    expires_at: Moment


def order_routes(db: Database, orders: OrderService, clock: Clock) -> APIRouter:
    """Return the routes: over a camera with the right `hold` or `restrict`, the register with `audit`."""
    routes = APIRouter(prefix="/api/v1", tags=["holds and restrictions"])

    @routes.get("/operators/{operator_id}/orders", **needs(Right.AUDIT, on=On.OPERATOR))
    def read_register(operator_id: str, granted: Allowed, *, in_force: bool = True) -> list[OrderShown]:
        """Return the operator's holds and restrictions, newest first; lifted ones too without `in_force`."""
        with db.reading() as session:
            found = orders.of_operator(session, granted.operator_id, only_in_force=in_force)
        return [OrderShown.model_validate(_told(one, clock.now())) for one in found]

    @routes.post("/cameras/{camera_id}/holds", status_code=201, **needs(Right.HOLD, on=On.CAMERA))
    def place_hold(camera_id: str, wanted: HoldWanted, granted: Allowed) -> OrderWithCover:
        """Keep a stretch of time from being destroyed, from now on, whatever expires or is asked for."""
        return place(granted, _new(OrderKind.HOLD, granted, wanted, wanted.people))

    @routes.get("/cameras/{camera_id}/holds", **needs(Right.HOLD, on=On.CAMERA))
    def list_holds(camera_id: str, granted: Allowed) -> list[OrderWithCover]:
        """Return the camera's holds, newest first, with what each keeps now; a lifted one keeps nothing."""
        return listed(granted, OrderKind.HOLD)

    @routes.put("/cameras/{camera_id}/holds/{order_id}/people", **needs(Right.HOLD, on=On.CAMERA))
    def set_people(camera_id: str, order_id: OrderId, wanted: PeopleWanted, granted: Allowed) -> OrderShown:
        """Say anew for whom the hold opens what has expired."""
        with db.writing() as session:
            order = orders.set_people(session, granted, order_id, [PersonId(one) for one in wanted.people])
        return OrderShown.model_validate(_told(order, clock.now()))

    @routes.put("/cameras/{camera_id}/holds/{order_id}/review", **needs(Right.HOLD, on=On.CAMERA))
    def review_hold(camera_id: str, order_id: OrderId, wanted: ReviewWanted, granted: Allowed) -> OrderShown:
        """Note that somebody has looked at it, and when the next review is due."""
        return reviewed(granted, OrderKind.HOLD, order_id, wanted)

    @routes.post("/cameras/{camera_id}/holds/{order_id}/end", status_code=202, **needs(Right.HOLD, on=On.CAMERA))
    def end_hold(camera_id: str, order_id: OrderId, wanted: HoldEndWanted, granted: Allowed) -> LiftProposed:
        """Propose the end of the hold; another person with the right `hold` approves it.

        Nothing is destroyed by that: what has expired meanwhile is for the next sweep.
        """
        return proposed(granted, OrderKind.HOLD, order_id, wanted.reason, None)

    @routes.post("/cameras/{camera_id}/restrictions", status_code=201, **needs(Right.RESTRICT, on=On.CAMERA))
    def place_restriction(camera_id: str, wanted: RestrictionWanted, granted: Allowed) -> OrderWithCover:
        """Keep a stretch of time from being read, live included, and from being destroyed."""
        return place(granted, _new(OrderKind.RESTRICTION, granted, wanted, ()))

    @routes.get("/cameras/{camera_id}/restrictions", **needs(Right.RESTRICT, on=On.CAMERA))
    def list_restrictions(camera_id: str, granted: Allowed) -> list[OrderWithCover]:
        """Return the camera's restrictions, newest first, with what each keeps now; a lifted one keeps nothing."""
        return listed(granted, OrderKind.RESTRICTION)

    @routes.put("/cameras/{camera_id}/restrictions/{order_id}/review", **needs(Right.RESTRICT, on=On.CAMERA))
    def review_restriction(camera_id: str, order_id: OrderId, wanted: ReviewWanted, granted: Allowed) -> OrderShown:
        """Note that somebody has looked at it, and when the next review is due."""
        return reviewed(granted, OrderKind.RESTRICTION, order_id, wanted)

    @routes.post(
        "/cameras/{camera_id}/restrictions/{order_id}/end", status_code=202, **needs(Right.RESTRICT, on=On.CAMERA)
    )
    def end_restriction(
        camera_id: str, order_id: OrderId, wanted: RestrictionEndWanted, granted: Allowed
    ) -> LiftProposed:
        """Propose the end of the restriction; another person with the right `restrict` approves it."""
        return proposed(granted, OrderKind.RESTRICTION, order_id, wanted.reason, wanted.requester_told_at)

    def place(granted: Granted, new: NewOrder) -> OrderWithCover:
        with db.writing() as session:
            placed = orders.place(session, granted, new)
        return _with_cover(placed, clock.now())

    def listed(granted: Granted, kind: OrderKind) -> list[OrderWithCover]:
        with db.reading() as session:
            found = orders.of_camera(session, _camera(granted), kind)
            placed = [Placed(one, orders.covered(session, one) if one.is_in_force else NOTHING) for one in found]
        return [_with_cover(one, clock.now()) for one in placed]

    def reviewed(granted: Granted, kind: OrderKind, order_id: OrderId, wanted: ReviewWanted) -> OrderShown:
        with db.writing() as session:
            order = orders.review(session, granted, kind, order_id, wanted.review_at)
        return OrderShown.model_validate(_told(order, clock.now()))

    def proposed(
        granted: Granted, kind: OrderKind, order_id: OrderId, reason: str, told_at: datetime | None
    ) -> LiftProposed:
        with db.writing() as session:
            proposal = orders.propose_lifting(session, granted, kind, order_id, reason, told_at)
        return LiftProposed(proposal_id=proposal.id, expires_at=proposal.expires_at)

    return routes


def _new(kind: OrderKind, granted: Granted, wanted: HoldWanted | RestrictionWanted, people: Sequence[UUID]) -> NewOrder:
    return NewOrder(
        kind=kind,
        camera_id=_camera(granted),
        from_us=microseconds(wanted.from_),
        until_us=FOREVER_US if wanted.until is None else microseconds(wanted.until),
        case=wanted.case,
        ground=Ground(wanted.ground),
        authority=wanted.authority,
        reason=wanted.reason,
        review_at=wanted.review_at,
        people=frozenset(PersonId(one) for one in people),
    )


def _told(order: Order, now: datetime) -> dict[str, object]:
    return {
        "order_id": order.id,
        "kind": order.kind,
        "camera_id": order.camera_id,
        "from": _EPOCH + timedelta(microseconds=order.from_us),
        "until": None if order.until_us == FOREVER_US else _EPOCH + timedelta(microseconds=order.until_us),
        "case": order.case,
        "ground": order.ground,
        "authority": order.authority,
        "reason": order.reason,
        "placed_by": order.placed_by,
        "placed_at": order.placed_at,
        "review_at": order.review_at,
        "is_overdue": order.is_overdue(now),
        "people": sorted(order.people),
        "lifted_at": order.lifted_at,
        "lifted_by": order.lifted_by,
        "lift_approved_by": order.lift_approved_by,
    }


def _with_cover(placed: Placed, now: datetime) -> OrderWithCover:
    return OrderWithCover.model_validate(_told(placed.order, now) | {"covers": _covered(placed.covered)})


def _covered(covered: Covered) -> CoveredShown:
    return CoveredShown(
        segments=covered.segments,
        size_bytes=covered.size_bytes,
        expired=covered.expired,
        too_late=covered.too_late,
    )


def _camera(granted: Granted) -> CameraId:
    if granted.camera_id is None:
        raise RuntimeError("the gate of a camera's route names the camera")
    return granted.camera_id

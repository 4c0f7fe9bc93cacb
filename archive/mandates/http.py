"""Routes of mandates: previewing, proposing and following what is destroyed before its time."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy.orm import Session

from archive.mandates.errors import MandateRefused
from archive.mandates.rules import Cause, Mandate, NewMandate
from archive.mandates.service import MandateService
from archive.segments.rules import Span
from auth.gate import Allowed, Gate, On, needs
from auth.principal import Granted, Right
from auth.tokens.rules import microseconds
from vms_privacy.db import Database
from vms_privacy.ids import CameraId
from vms_privacy.web import LINES, ONE_LINE, Duration, Moment, Strict

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_KNOWS_ORDERS: Final = (Right.HOLD, Right.AUDIT)


class MandateWanted(Strict):
    """What is to be destroyed: `from` is, `until` is not. `reference` is the request's id, or your own word for it."""

    from_: Annotated[Moment, Field(alias="from")]
    until: Moment
    cause: Literal["request", "withdrawal"] = "request"
    reference: Annotated[str, Field(min_length=1, max_length=80), ONE_LINE]
    reason: Annotated[str, Field(min_length=1, max_length=2000), LINES]


class MandateProposed(Strict):
    """It waits for a second person, until `expires_at`; nothing is destroyed before."""

    proposal_id: UUID
    expires_at: Moment


class MandatePreview(Strict):
    """What would be destroyed now: of what was asked for, and from when to when the recording would be gone.

    `gone_from` and `gone_until` may lie outside of it: what is kept behind it begins with a key picture. Of `in_part`
    segments a part is kept, sealed anew; `unreadable` ones cannot be cut and stay, `growing` ones are destroyed once
    they are closed, `too_young` ones once the operator's minimum allows it. `kept_by_orders` is told to those alone who
    may know of holds.
    """

    from_: Annotated[Moment, Field(alias="from")]
    until: Moment
    gone_from: Moment | None
    gone_until: Moment | None
    segments: int
    in_part: int
    size_bytes: int
    recorded: Duration
    growing: int
    too_young: int
    unreadable: int
    kept_by_orders: int | None


class LeftShown(Strict):
    """What of it is not destroyed yet, in segments."""

    under_way: int
    growing: int
    too_young: int
    due: int
    kept_by_orders: int | None


class MandateShown(Strict):
    """One mandate. `is_done`: nothing is left of it; when that was, and what orders keep, those learn who may know.

    `last_failure` is a code, empty after a good round.
    """

    mandate_id: UUID
    camera_id: UUID
    from_: Annotated[Moment, Field(alias="from")]
    until: Moment
    cause: Cause
    reference: str
    proposed_by: str
    approved_by: str
    placed_at: Moment
    is_done: bool
    done_at: Moment | None
    left: LeftShown
    attempts: int
    last_failure: str


def mandate_routes(db: Database, mandates: MandateService, gate: Gate) -> APIRouter:
    """Return the routes: over a camera with the right `erase`, the register with `audit`."""
    routes = APIRouter(prefix="/api/v1", tags=["erasure"])

    @routes.get("/operators/{operator_id}/mandates", **needs(Right.AUDIT, on=On.OPERATOR))
    def read_mandates(operator_id: str, granted: Allowed, *, standing: bool = False) -> list[MandateShown]:
        """Return the operator's mandates, newest first; with `standing`, those alone of which something is left."""
        with db.reading() as session:
            found = mandates.of_operator(session, granted.operator_id, only_standing=standing)
            return _shown(session, mandates, found, knows_orders=True)

    @routes.get("/cameras/{camera_id}/mandates", **needs(Right.ERASE, on=On.CAMERA))
    def list_mandates(camera_id: str, granted: Allowed) -> list[MandateShown]:
        """Return a camera's mandates, newest first."""
        with db.reading() as session:
            found = mandates.of_operator(session, granted.operator_id, only_standing=False)
            here = [one for one in found if one.camera_id == granted.camera_id]
            return _shown(session, mandates, here, knows_orders=_knows_orders(session, gate, granted))

    @routes.get("/cameras/{camera_id}/mandates/preview", **needs(Right.ERASE, on=On.CAMERA))
    def preview_mandate(
        camera_id: str, from_: Annotated[Moment, Query(alias="from")], until: Moment, granted: Allowed
    ) -> MandatePreview:
        """Say what a mandate would destroy, exact to the picture; changes nothing."""
        asked = _span(from_, until)
        with db.reading() as session:
            knows = _knows_orders(session, gate, granted)
            found = mandates.preview(session, granted, asked, knows_orders=knows)
        gone = found.gone
        return MandatePreview.model_validate(
            {
                "from": from_,
                "until": until,
                "gone_from": None if gone is None else _moment(gone.from_us),
                "gone_until": None if gone is None else _moment(gone.until_us),
                "segments": found.segments,
                "in_part": found.in_part,
                "size_bytes": found.size_bytes,
                "recorded": timedelta(microseconds=found.recorded_us),
                "growing": found.growing,
                "too_young": found.too_young,
                "unreadable": found.unreadable,
                "kept_by_orders": found.kept_by_orders,
            }
        )

    @routes.post("/cameras/{camera_id}/mandates", status_code=202, **needs(Right.ERASE, on=On.CAMERA))
    def propose_mandate(camera_id: str, wanted: MandateWanted, granted: Allowed) -> MandateProposed:
        """Propose to destroy a stretch; another person with the right `erase` approves it."""
        new = NewMandate(
            camera_id=_camera(granted),
            span=_span(wanted.from_, wanted.until),
            cause=Cause(wanted.cause),
            reference=wanted.reference,
            reason=wanted.reason,
        )
        with db.writing() as session:
            made = mandates.propose(session, granted, new)
        return MandateProposed(proposal_id=made.id, expires_at=made.expires_at)

    return routes


def _shown(
    session: Session, mandates: MandateService, found: Sequence[Mandate], *, knows_orders: bool
) -> list[MandateShown]:
    shown = []
    for one in found:
        left = mandates.left(session, one)
        # Whoever may not know of orders is told what they would be told without them.
        is_done = left.is_nothing_but_kept if not knows_orders else left.is_nothing
        shown.append(
            MandateShown.model_validate(
                {
                    "mandate_id": one.id,
                    "camera_id": one.camera_id,
                    "from": _moment(one.span.from_us),
                    "until": _moment(one.span.until_us),
                    "cause": one.cause,
                    "reference": one.reference,
                    "proposed_by": one.proposed_by,
                    "approved_by": one.approved_by,
                    "placed_at": one.placed_at,
                    "is_done": is_done,
                    "done_at": one.done_at if knows_orders else None,
                    "left": {
                        "under_way": left.under_way,
                        "growing": left.growing,
                        "too_young": left.too_young,
                        "due": left.due,
                        "kept_by_orders": left.kept_by_orders if knows_orders else None,
                    },
                    "attempts": one.attempts,
                    "last_failure": one.last_failure,
                }
            )
        )
    return shown


def _knows_orders(session: Session, gate: Gate, granted: Granted) -> bool:
    camera = _camera(granted)
    return any(gate.holds(session, granted.principal, one, granted.operator_id, camera) for one in _KNOWS_ORDERS)


def _span(from_: datetime, until: datetime) -> Span:
    if until <= from_:
        raise MandateRefused("the stretch of time ends before it begins", rule="runs-backward")
    return Span(microseconds(from_), microseconds(until))


def _moment(moment_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=moment_us)


def _camera(granted: Granted) -> CameraId:
    if granted.camera_id is None:
        raise RuntimeError("the gate of a camera's route names the camera")
    return granted.camera_id

"""The route that answers why."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from fastapi import APIRouter

from archive.explain.rules import Answer, MayKnow, What
from archive.explain.service import Explainer
from auth.gate import Asker, Gate, On, needs
from auth.principal import Principal, Right
from auth.tokens.rules import microseconds
from vms_privacy.db import Database, Reading
from vms_privacy.ids import CameraId
from vms_privacy.web import Moment, Strict

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LOOKING_AFTER: Final = (Right.RETAIN, Right.ERASE, Right.HOLD, Right.RESTRICT, Right.AUDIT)


class ReasonShown(Strict):
    """One reason: a stable code, and what it is about, where there is something to name."""

    code: str
    about: str


class NextShown(Strict):
    """What happens next, and when at the latest; `at` is empty where it waits for people."""

    code: str
    at: Moment | None


class Why(Strict):
    """What is there at a moment, why it still is or is gone, and what happens next."""

    camera_id: UUID
    moment: Moment
    what: What
    because: list[ReasonShown]
    readable_until: Moment | None
    then: NextShown | None


def explain_routes(db: Database, explainer: Explainer, gate: Gate) -> APIRouter:
    """Return the route. It asks for any right over the camera, and then for one that may know of recordings."""
    routes = APIRouter(prefix="/api/v1/cameras/{camera_id}", tags=["why"])

    @routes.get("/why", **needs(None, on=On.CAMERA))
    def why(camera_id: CameraId, moment: Moment, asker: Asker) -> Why:
        """Say what became of a moment: footage, a gap, a hold, a restriction, a receipt, a debt.

        It takes the right `archive`, as far back as that reaches, or one of those who look after recordings. Of holds
        those learn with the right `hold` or `audit`, of receipts and debts those with `audit`, of open requests those
        with `erase` over the operator, who handle them.
        """
        with db.glancing() as connection:
            held = {one for one in _LOOKING_AFTER if _holds(gate, connection, asker, one, camera_id)}
            handles = _holds(gate, connection, asker, Right.ERASE, None)
        if not held:
            gate.judge_moment(asker, Right.ARCHIVE, camera_id, moment)
        may = MayKnow(holds=bool(held & {Right.HOLD, Right.AUDIT}), proof=Right.AUDIT in held, requests=handles)
        with db.reading() as session:
            return _shown(camera_id, moment, explainer.why(session, camera_id, microseconds(moment), may))

    return routes


def _holds(gate: Gate, asked: Reading, asker: Principal, right: Right, camera_id: CameraId | None) -> bool:
    return asker.operator_id is not None and gate.holds(asked, asker, right, asker.operator_id, camera_id)


def _shown(camera_id: CameraId, moment: datetime, answer: Answer) -> Why:
    then = answer.then
    return Why(
        camera_id=camera_id,
        moment=moment,
        what=answer.what,
        because=[ReasonShown(code=one.code, about=one.about) for one in answer.because],
        readable_until=_moment(answer.readable_until_us),
        then=None if then is None else NextShown(code=then.code, at=_moment(then.at_us)),
    )


def _moment(moment_us: int | None) -> datetime | None:
    return None if moment_us is None else _EPOCH + timedelta(microseconds=moment_us)

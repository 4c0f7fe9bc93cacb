"""The gate: the one place where a yes to a person is made, and the one line with which a route asks for it.

Promises P7 and P8. `@routes.get("/x", **needs(Right.RETAIN, on=On.CAMERA))` sets the check *and* the OpenAPI note, so
they cannot drift; a route that asks nobody says why: `**public("the probe of a load balancer")`. The path of a
request: docs/design/request-path.md. The app joins the parts by `app.state.gate = Gate(...)`, the middleware
`Authenticate` (auth/authenticate.py) inside and `GateBackstop` (auth/backstop.py) outside of everything.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Annotated, Any, Final, NoReturn
from uuid import UUID

from fastapi import Depends
from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection
from starlette.types import Scope as AsgiScope

from auth.errors import NotAllowed, NotAuthenticated, NotFound
from auth.grants.rules import (
    Grant,
    Refused,
    Span,
    judge,
    judge_membership,
    judge_operator,
    judge_sight,
    judge_within,
)
from auth.grants.store import GrantStore
from auth.principal import NOBODY, Granted, Principal, PrincipalKind, Right
from auth.resources.rules import Resource
from auth.resources.store import ResourceStore
from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.audit.refusals import RefusalCounter
from vms_privacy.clock import Clock
from vms_privacy.db import Database, Reading
from vms_privacy.errors import Refusal
from vms_privacy.ids import CameraId, OperatorId

# An id that cannot be one asks for this one, which nothing has: the same queries run, the same answer comes.
_NO_ID: Final = UUID(int=0)
_MARK: Final = "vms.gate"
_LEAST: Final = timedelta(microseconds=1)


@unique
class On(StrEnum):
    """What a right is asked on. The path names it: `camera_id` for a camera, `operator_id` for an operator."""

    CAMERA = "camera"
    """One camera. Without a right: any right over it, which makes it visible."""
    OPERATOR = "operator"
    """The whole operator. Without a right: being one of its people."""
    WITHIN = "within"
    """Anything in the operator; the route itself checks how far the right reaches."""
    SELF = "self"
    """Whoever is logged in, about themselves. Takes no right."""
    PLATFORM = "platform"
    """The platform's own account data, for platform admins. Takes no right: they hold none."""


class Gate:
    """Says yes with a `Granted`, or refuses and leaves a trace of it. Reads only; safe in many threads.

    A refusal is written after the reading transaction has ended, in its own: call nothing that raises from here
    while holding `db.writing()`. `weigh` and `visible_cameras` neither raise nor write.
    """

    def __init__(self, db: Database, clock: Clock, audit: AuditLog, refusals: RefusalCounter) -> None:
        self._db = db
        self._clock = clock
        self._audit = audit
        self._refusals = refusals
        self._grants = GrantStore()
        self._resources = ResourceStore()

    def judge(
        self,
        asker: Principal,
        right: Right,
        camera_id: CameraId,
        now: datetime | None = None,
        span: Span | None = None,
    ) -> Granted:
        """Return the yes for one camera, and for the recorded `span` if one is given.

        Raises NotAuthenticated, NotFound (missing and invisible look alike and cost alike), NotAllowed (visible,
        without the right).
        """
        with self._db.glancing(at_one_moment=True) as connection:
            verdict = self.weigh(connection, asker, right, camera_id, now, span)
        if isinstance(verdict, Refused):
            self._refuse(asker, verdict, camera_id, right)
        return verdict

    def judge_moment(self, asker: Principal, right: Right, camera_id: CameraId, moment: datetime) -> Granted:
        """Do as `judge` for one recorded moment: the grant's depth and window have to reach it."""
        return self.judge(asker, right, camera_id, None, Span(moment, moment + _LEAST))

    def judge_sight(self, asker: Principal, camera_id: CameraId, now: datetime | None = None) -> Resource:
        """Return the camera if the asker may know of it. Raises NotAuthenticated, NotFound."""
        with self._db.glancing(at_one_moment=True) as connection:
            camera = self._resources.by_id(connection, camera_id)
            verdict = judge_sight(asker, camera, self._held(connection, asker), self._moment(now))
        if isinstance(verdict, Refused):
            self._refuse(asker, verdict, camera_id, None)
        return verdict

    def judge_operator(
        self, asker: Principal, right: Right | None, operator_id: OperatorId, *, whole: bool = True
    ) -> Granted | None:
        """Return the yes over an operator; None if no right was asked, only membership.

        `whole`: the right must reach the whole operator, else it may be held anywhere in it. Raises
        NotAuthenticated, NotFound for everybody who is not one of its people, NotAllowed.
        """
        with self._db.glancing() as connection:
            held = self._held(connection, asker)
        verdict: Granted | Refused | None
        if right is None:
            verdict = judge_membership(asker, operator_id)
        else:
            rule = judge_operator if whole else judge_within
            verdict = rule(asker, right, operator_id, held, self._moment(None))
        if isinstance(verdict, Refused):
            self._refuse(asker, verdict, None, right)
        return verdict

    def judge_self(self, asker: Principal) -> None:
        """Let everybody pass who is logged in. Raises NotAuthenticated."""
        if asker.kind not in {PrincipalKind.PERSON, PrincipalKind.PLATFORM_ADMIN}:
            self.refuse_nobody()

    def judge_platform(self, asker: Principal) -> None:
        """Let platform admins pass. Raises NotAuthenticated, NotAllowed."""
        self.judge_self(asker)
        if asker.kind is not PrincipalKind.PLATFORM_ADMIN:
            refusal = NotAllowed("this is for platform admins")
            self._note(asker, refusal.code, None, None)
            raise refusal

    def weigh(
        self,
        asked: Reading,
        asker: Principal,
        right: Right,
        camera_id: CameraId,
        now: datetime | None = None,
        span: Span | None = None,
    ) -> Granted | Refused:
        """Return the verdict for one camera without raising or writing: two queries by index, of one moment."""
        camera = self._resources.by_id(asked, camera_id)
        return judge(asker, right, camera, self._held(asked, asker), self._moment(now), span)

    def holds(
        self, asked: Reading, asker: Principal, right: Right, operator_id: OperatorId, camera_id: CameraId | None
    ) -> bool:
        """Say whether somebody holds a right over a camera or (None) a whole operator; neither raises nor writes."""
        return isinstance(self._weigh_over(asked, asker, right, operator_id, camera_id), Granted)

    def ask(
        self, asked: Reading, asker: Principal, right: Right, operator_id: OperatorId, camera_id: CameraId | None
    ) -> None:
        """Do nothing if `holds` says yes. Raises NotFound, NotAllowed, and writes nothing: `noting` stands outside."""
        verdict = self._weigh_over(asked, asker, right, operator_id, camera_id)
        if isinstance(verdict, Refused):
            raise _refusal(verdict, right)

    def visible_cameras(self, session: Session, asker: Principal, now: datetime | None = None) -> list[Resource]:
        """Return the living cameras the asker may know of, by name."""
        if asker.operator_id is None:
            return []
        grants, moment = self._held(session, asker), self._moment(now)
        cameras = self._resources.of_operator(session, asker.operator_id)
        return [camera for camera in cameras if camera == judge_sight(asker, camera, grants, moment)]

    @contextmanager
    def noting(self, asker: Principal, right: Right | None = None, camera_id: CameraId | None = None) -> Iterator[None]:
        """Write down a NotAllowed or NotFound that a service raises, and let it go on.

        Stand it outside of the transaction: `with gate.noting(asker), db.writing() as session:`.
        """
        try:
            yield
        except (NotAllowed, NotFound) as refusal:
            self._note(asker, refusal.code, camera_id, right)
            raise

    def refuse_nobody(self, reason: str = "") -> NoReturn:
        """Count and refuse somebody who did not say who they are, or not believably. Raises NotAuthenticated."""
        self._refusals.count(Tag.ACCESS_REFUSED, NotAuthenticated.code)
        facts = {"reason": reason} if reason else {}
        raise NotAuthenticated("log in first, and send the access token as `Authorization: Bearer`", **facts)

    def _weigh_over(
        self, asked: Reading, asker: Principal, right: Right, operator_id: OperatorId, camera_id: CameraId | None
    ) -> Granted | Refused:
        if camera_id is not None:
            return self.weigh(asked, asker, right, camera_id)
        return judge_operator(asker, right, operator_id, self._held(asked, asker), self._moment(None))

    def _held(self, asked: Reading, asker: Principal) -> Sequence[Grant]:
        if asker.person_id is None:
            return ()
        return self._grants.held_by(asked, (asker.person_id,))[asker.person_id]

    def _moment(self, now: datetime | None) -> datetime:
        return now or self._clock.for_reading()

    def _refuse(self, asker: Principal, refused: Refused, camera_id: CameraId | None, right: Right | None) -> NoReturn:
        if asker.kind is PrincipalKind.NOBODY:
            self.refuse_nobody()
        self._note(asker, refused.why if refused.visible else NotFound.code, camera_id, right)
        raise _refusal(refused, right)

    def _note(self, asker: Principal, reason: str, camera_id: CameraId | None, right: Right | None) -> None:
        """Write a refusal into the asker's own operator's log, in the same words for foreign and for missing."""
        self._audit.note_refusal(
            Event(
                tag=Tag.ACCESS_REFUSED,
                at=self._clock.now(),
                actor=asker.label,
                outcome=Outcome.REFUSED,
                operator_id=asker.operator_id,
                camera_id=camera_id,
                reason=reason,
                detail={} if right is None else {"right": str(right)},
            )
        )


class GateMark:
    """Whether a request has passed a gate. One object per request, shared by all copies of its scope."""

    __slots__ = ("passed",)

    def __init__(self) -> None:
        self.passed = ""


def mark(scope: AsgiScope, passed: str) -> None:
    """Note in the ASGI scope which gate a request has passed; `needs` and `public` do it for routes."""
    mark_of(scope).passed = passed


def mark_of(scope: AsgiScope) -> GateMark:
    """Return the mark of a request, as yet empty if it is new."""
    found: GateMark = scope.setdefault(_MARK, GateMark())
    return found


def asker_of(connection: HTTPConnection) -> Principal:
    """Return who asks, as the middleware found out; nobody if it did not run."""
    found: Principal = getattr(connection.state, "asker", NOBODY)
    return found


def granted_of(connection: HTTPConnection) -> Granted:
    """Return the gate's yes to this request. A route without a right in its gate line has none."""
    found: Granted | None = getattr(connection.state, "granted", None)
    if found is None:
        raise RuntimeError("this route asked its gate for no right, so there is no yes to take")
    return found


# Coroutines, because they wait for nothing: a plain function would be sent through a thread for each request.
async def _asked_by(connection: HTTPConnection) -> Principal:
    return asker_of(connection)


async def _allowed_to(connection: HTTPConnection) -> Granted:
    return granted_of(connection)


Asker = Annotated[Principal, Depends(_asked_by)]
Allowed = Annotated[Granted, Depends(_allowed_to)]


def needs(right: Right | None, on: On) -> dict[str, Any]:
    """Return what a route decorator takes to let through only those who hold `right` on what the path names."""
    if (right is None and on is On.WITHIN) or (right is not None and on in {On.SELF, On.PLATFORM}):
        raise ValueError(f"a gate on {on} does not go with the right {right}")
    note = _note_of(right, on)

    def gate_line(connection: HTTPConnection) -> None:
        _pass(connection, right, on)
        mark(connection.scope, note)

    async def gate_line_of_self(connection: HTTPConnection) -> None:
        # Whether somebody is logged in is known by now: no database is asked, so no thread is needed.
        gate_line(connection)

    line = gate_line_of_self if on is On.SELF else gate_line
    return {"dependencies": [Depends(line)], "openapi_extra": {"x-needs": note}}


def public(why: str) -> dict[str, Any]:
    """Return what a route decorator takes to be open to everybody; `why` is in the OpenAPI document."""
    if not why:
        raise ValueError("an open route says why it is open")

    async def gate_line(connection: HTTPConnection) -> None:
        mark(connection.scope, "public")

    return {"dependencies": [Depends(gate_line)], "openapi_extra": {"x-needs": "nobody", "x-public": why}}


def _refusal(refused: Refused, right: Right | None) -> Refusal:
    return NotAllowed(f"this needs the right {right}", needs=str(right)) if refused.visible else NotFound()


def _note_of(right: Right | None, on: On) -> str:
    match on:
        case On.CAMERA:
            return f"{right or 'any right'} on camera"
        case On.OPERATOR:
            return f"{right or 'membership'} on operator"
        case On.WITHIN:
            return f"{right} within operator"
        case On.SELF | On.PLATFORM:
            return str(on)


def _pass(connection: HTTPConnection, right: Right | None, on: On) -> None:
    gate: Gate = connection.app.state.gate
    asker = asker_of(connection)
    if asker.kind is PrincipalKind.NOBODY:
        gate.refuse_nobody(getattr(connection.state, "asker_reason", ""))
    granted: Granted | None = None
    match on:
        case On.CAMERA:
            camera_id = CameraId(_id_in(connection, "camera_id"))
            if right is None:
                gate.judge_sight(asker, camera_id)
            else:
                granted = gate.judge(asker, right, camera_id)
        case On.OPERATOR | On.WITHIN:
            operator_id = OperatorId(_id_in(connection, "operator_id"))
            granted = gate.judge_operator(asker, right, operator_id, whole=on is On.OPERATOR)
        case On.SELF:
            gate.judge_self(asker)
        case On.PLATFORM:
            gate.judge_platform(asker)
    connection.state.granted = granted


def _id_in(connection: HTTPConnection, name: str) -> UUID:
    """Return an id from the path. Anything but its one canonical form is an id that nothing has."""
    text = str(connection.path_params[name])
    try:
        found = UUID(text)
    except ValueError:
        return _NO_ID
    return found if str(found) == text else _NO_ID

"""No refusal without a trace: what nobody below has written down is written here, once.

Services raise many refusals, of conflicts, limits and wrong terms, that are no matter of rights; whoever was refused
something by name is in the audit all the same (P9). What the gate, the ledgers and the tokens note themselves, with
more to say, is not noted twice. A failure of the service (5xx) is no refusal of a person: it is logged.
"""

from typing import Final
from uuid import UUID

import structlog
from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from auth.gate import asker_of
from auth.principal import Principal, PrincipalKind
from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.audit.refusals import RefusalCounter
from vms_privacy.audit.traces import has_left_trace
from vms_privacy.clock import Clock
from vms_privacy.errors import Refusal
from vms_privacy.http.problems import STATUS, of_refusal
from vms_privacy.ids import CameraId

_FAILURES: Final = 500
_log = structlog.get_logger("http")


class Witness:
    """Answers an app's refusals, and sees to their trace: an event for somebody known, a count for nobody.

    Whether there is one already it learns from `watching()`, which `Edge` does around each request.
    """

    def __init__(self, audit: AuditLog, refusals: RefusalCounter, clock: Clock) -> None:
        self._audit = audit
        self._refusals = refusals
        self._clock = clock

    def stand_in(self, app: FastAPI) -> None:
        """Answer all refusals of this app from now on."""
        app.add_exception_handler(Refusal, self._refused)

    async def _refused(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, Refusal):
            raise error
        if STATUS[error.kind] >= _FAILURES:
            _log.error("failed", code=error.code)
        elif not has_left_trace():
            await self._note(request, error)
        return of_refusal(error)

    async def _note(self, request: Request, refusal: Refusal) -> None:
        asker = asker_of(request)
        if asker.kind is PrincipalKind.NOBODY:
            self._refusals.count(Tag.ACT_REFUSED, refusal.code)
        else:
            # The refused transaction is closed: the exception has left it.
            await run_in_threadpool(self._audit.note_refusal, self._event(request, asker, refusal))

    def _event(self, request: Request, asker: Principal, refusal: Refusal) -> Event:
        return Event(
            tag=Tag.ACT_REFUSED,
            at=self._clock.now(),
            actor=asker.label,
            outcome=Outcome.REFUSED,
            operator_id=asker.operator_id,
            camera_id=_camera_in(request),
            reason=refusal.code,
            # The route as we wrote it, never the path as it was sent.
            detail={"act": f"{request.method} {request.scope['route'].path}"},
        )


def _camera_in(request: Request) -> CameraId | None:
    text = str(request.path_params.get("camera_id", ""))
    try:
        return CameraId(UUID(text))
    except ValueError:
        return None

"""What stands at the door of a service whose database is in custody: nobody comes in, whoever it is."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from vms_privacy.audit.events import Tag
from vms_privacy.audit.refusals import RefusalCounter
from vms_privacy.custody.errors import InCustody
from vms_privacy.http.problems import of_refusal

STILL_ANSWERED: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""Whether it lives, and why it is not ready: these open nothing and change nothing."""


class CustodyDoor:
    """ASGI wrapper. Refuses everything but the questions whether the service lives; each refusal is counted."""

    def __init__(self, app: ASGIApp, refusals: RefusalCounter) -> None:
        self._app = app
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in STILL_ANSWERED:
            await self._app(scope, receive, send)
            return
        self._refusals.count(Tag.ACCESS_REFUSED, InCustody.code)
        await of_refusal(
            InCustody("the database was put back from a copy; it opens once somebody has released it from custody")
        )(scope, receive, send)

"""Who is asking: from the `Authorization` header to a principal, before any route runs.

It never refuses: whoever cannot be identified is nobody, with the reason beside it, and the gate line of the route
decides what nobody may have (RFC 6750, 3.1). Access tokens are taken from the header alone, never from an address.
"""

import re
from collections.abc import Callable
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from auth.principal import NOBODY, Principal
from auth.sessions.rules import ACCESS_PREFIX, Stranger

# The form of RFC 6750, 2.1; ours are 25 characters, so nothing much longer is looked at.
_BEARER: Final = re.compile(rb"bearer +([A-Za-z0-9\-._~+/]{1,128}=*)\Z", re.IGNORECASE)


class Authenticate:
    """ASGI middleware. Sets `asker` and, for a token that does not count, `asker_reason` in the request's state.

    `remembered` knows at once or not at all; `identify` may block: it is called in a thread. Both are asked only for
    what looks like an access token.
    """

    def __init__(
        self,
        app: ASGIApp,
        identify: Callable[[str], Principal | Stranger],
        remembered: Callable[[str], Principal | None],
    ) -> None:
        self._app = app
        self._identify = identify
        self._remembered = remembered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            found = await self._asker(scope)
            state = {**scope.get("state", {})}
            if isinstance(found, Stranger):
                state |= {"asker": NOBODY, "asker_reason": str(found.why)}
            else:
                state["asker"] = found
            scope["state"] = state
        await self._app(scope, receive, send)

    async def _asker(self, scope: Scope) -> Principal | Stranger:
        headers = [value for name, value in scope["headers"] if name == b"authorization"]
        found = _BEARER.match(headers[0]) if len(headers) == 1 else None
        if found is None:
            return NOBODY
        token = found.group(1).decode("ascii")
        if not token.startswith(f"{ACCESS_PREFIX}."):
            return Stranger.unknown()
        known = self._remembered(token)
        return await run_in_threadpool(self._identify, token) if known is None else known

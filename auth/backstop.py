"""The outermost wrapper: a success that passed no gate is not sent.

The gate line of a route is a habit; this is what holds when somebody forgets it. It also catches mounts, hidden
routes and websockets, which the guard over the OpenAPI document cannot see.
"""

from collections.abc import MutableMapping
from typing import Any, Final

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from auth.gate import mark_of

_BODY: Final = (
    b'{"type":"/problems/ungated-route","title":"internal error","status":500,"code":"ungated-route",'
    b'"detail":"this route asked nobody for permission, so its answer is not sent"}'
)
_HEADERS: Final = (
    (b"content-type", b"application/problem+json"),
    (b"content-length", str(len(_BODY)).encode()),
    (b"cache-control", b"no-store"),
)
_log = structlog.get_logger("gate")


class GateBackstop:
    """ASGI wrapper. A status below 400, or an accepted websocket, without a gate's mark becomes a refusal."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, _Watched(scope, send))
        except _Stopped:
            # The refusal is sent already; what was stopped is the answer it replaced.
            return


class _Stopped(Exception):
    """Ends an answer that would go on without an end, such as a live picture."""


class _Watched:
    """One answer on its way out."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._mark = mark_of(scope)
        self._path = scope.get("path", "")
        self._send = send
        self._is_stopped = False

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if self._is_stopped:
            if message.get("more_body", False):
                raise _Stopped
            return
        kind = message["type"]
        succeeds = kind == "websocket.accept" or (kind == "http.response.start" and message["status"] < 400)
        if not succeeds or self._mark.passed:
            await self._send(message)
            return
        self._is_stopped = True
        _log.error("ungated-route", path=self._path)
        if kind == "websocket.accept":
            await self._send({"type": "websocket.close", "code": 1011})
            return
        await self._send({"type": "http.response.start", "status": 500, "headers": list(_HEADERS)})
        await self._send({"type": "http.response.body", "body": _BODY})

"""What stands around the whole app: bounds on what comes in, and what no answer may lack.

Outermost of all, so that it also holds for the answers of the backstop, and for what fails on its way.
"""

from collections.abc import Sequence
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vms_privacy.audit.traces import watching
from vms_privacy.http.problems import of_failure, of_status

LARGEST_BODY: Final = 1024 * 1024
LARGEST_HEAD: Final = 32 * 1024
NO_LESS: Final = (
    # Whatever an answer says otherwise, such as the public keys, it says so itself.
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    # An answer that a browser shows as a page is nobody's frame and runs nothing.
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)
"""Headers that every answer has, with these values unless it has its own."""


class Edge:
    """ASGI wrapper. Refuses what is too large or cannot be told apart, before anything looks at it.

    An error that reaches it ends here: the server would write its whole text to the log. An answer that was begun by
    then is left unfinished, and its connection is reset (auth/media_sessions/transport.py).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        flaw = flaw_of(scope)
        if flaw is not None:
            await of_status(flaw)(scope, receive, answer)
            return
        with watching():
            try:
                await self._app(scope, _Bounded(receive), answer)
            except Exception as error:  # noqa: BLE001 - whatever it is, its text must not reach the log
                await _answer_failure(error, scope, receive, answer)


class _Answer:
    """An answer on its way out, which gets what it lacks."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.is_begun = False
        self.is_whole = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.is_begun = True
            headers = MutableHeaders(scope=message)
            for name, value in NO_LESS:
                headers.setdefault(name, value)
        elif message["type"] == "http.response.body":
            self.is_whole = not message.get("more_body", False)
        await self._send(message)


class _Bounded:
    """A body on its way in, up to `LARGEST_BODY`."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._taken = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._taken += len(message.get("body", b""))
        if self._taken > LARGEST_BODY:
            # The one exception that FastAPI lets through while it reads a body.
            raise HTTPException(413)
        return message


def flaw_of(scope: Scope) -> int | None:
    """Return the status that says what is wrong with the head of a request; None if nothing is.

    Exactly one Host (RFC 9112, 3.2), no body announced beyond the bound, not too much of it all.
    """
    headers: Sequence[tuple[bytes, bytes]] = scope["headers"]
    octets = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    if octets + sum(len(name) + len(value) for name, value in headers) > LARGEST_HEAD:
        return 431
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) != 1 and (scope["http_version"] != "1.0" or hosts):
        return 400
    lengths = [value for name, value in headers if name == b"content-length"]
    if any(not value.isdigit() for value in lengths) or len(lengths) > 1:
        return 400
    return 413 if lengths and int(lengths[0]) > LARGEST_BODY else None


async def _answer_failure(error: Exception, scope: Scope, receive: Receive, answer: _Answer) -> None:
    if answer.is_whole:
        # The app has answered and logged it, and then let it go on for the server to see.
        return
    told = of_failure(error)
    if not answer.is_begun:
        await told(scope, receive, answer)

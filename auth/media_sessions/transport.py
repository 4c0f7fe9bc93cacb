"""Connections that can be cut: an HTTP protocol for uvicorn that lets go of its transport, and the cut itself.

A clean close sends what the kernel still holds, seconds of video. A cut throws it away: SO_LINGER of zero makes the
closing of the socket a reset (tcp(7), socket(7)), and `abort` drops what the event loop still holds, TLS included,
where it also skips the close notification. docs/design/cutting-a-session.md has the measurements.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, MutableMapping
from typing import Any, Final, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

TRANSPORT: Final = "vms.transport"
"""Where in the ASGI scope the transport of a request is."""
# Linux keeps twice what is asked for, and counts its own overhead in it: 128 KiB in the kernel.
SEND_BUFFER: Final = 64 * 1024
# What the event loop holds back before `send` waits: at most a fragment or two on top of the kernel's.
HIGH_WATER: Final = 64 * 1024
LOW_WATER: Final = 16 * 1024
_LINGER_ZERO: Final = struct.pack("ii", 1, 0)


class MediaHttpProtocol(HttpToolsProtocol):
    """HTTP/1.1 with small send buffers and the transport in `scope["vms.transport"]`; `uvicorn.Config(http=…)`.

    An answer that its app does not finish is always cut, never closed cleanly: so an app whose session ended simply
    returns, and a truncated file never looks like a whole one.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.app = cast("Any", _WholeOrCut(cast("ASGIApp", self.app)))

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        bound_buffers(transport)
        super().connection_made(transport)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)[TRANSPORT] = self.transport


class _WholeOrCut:
    """ASGI wrapper: resets the connection of an HTTP response that was begun and not finished."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        unfinished = False

        async def watched(message: Message) -> None:
            nonlocal unfinished
            unfinished = message["type"] == "http.response.start" or message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            if unfinished:
                cut_transport(scope[TRANSPORT])
        while unfinished and (await receive())["type"] != "http.disconnect":
            # Until the server has seen it, it would take the missing end for a mistake of ours.
            continue


def bound_buffers(transport: asyncio.Transport) -> None:
    """Bound what can be unsent at any moment, in the kernel and in the event loop, so that a cut loses little time."""
    _socket_of(transport).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    transport.set_write_buffer_limits(high=HIGH_WATER, low=LOW_WATER)


def cut_transport(transport: asyncio.Transport) -> None:
    """Reset the connection and drop everything unsent. Called in the transport's own event loop; never waits."""
    if transport.is_closing():
        # A close that is under way would still flush; abort ends it. The socket may be gone already.
        transport.abort()
        return
    _socket_of(transport).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()


def cut_of(scope: MutableMapping[str, Any]) -> Callable[[], None]:
    """Return a cut for `MediaSession.attach`, good from any thread, for the request whose scope this is.

    Called inside the event loop that serves the request. Raises KeyError if the server is not `MediaHttpProtocol`:
    media that cannot be cut is not sent.
    """
    loop = asyncio.get_running_loop()
    transport: asyncio.Transport = scope[TRANSPORT]

    def cut() -> None:
        loop.call_soon_threadsafe(cut_transport, transport)

    return cut


def _socket_of(transport: asyncio.BaseTransport) -> Any:
    return transport.get_extra_info("socket")

"""A response of media bytes: judged before every piece, never buffered without bound, and cut rather than closed.

A piece of at most 64 KiB is handed over only when the one before has gone to the kernel, so no more than that is ever
unsent in this process, and at the end nothing; `auth/media_sessions/transport.py` bounds what the kernel holds. The
bytes of a fragment are referred to while it is being sent and not longer: who takes none for long is cut.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, aclosing
from enum import Enum, auto, unique
from types import MappingProxyType
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from auth.media_sessions.rules import End
from auth.media_sessions.session import MediaSession
from auth.media_sessions.transport import HIGH_WATER, LOW_WATER, TRANSPORT, cut_of, cut_transport
from vms_privacy.errors import Refusal

MEDIA_HEADERS: Final = {
    # No copy of a picture in any cache, and no URL with a token or a session key in a Referer.
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PIECE: Final = 64 * 1024
_LEAVE_TAKING_S: Final = 5.0
Attach = Callable[[Callable[[], None]], Callable[[], None]]


@unique
class Ending(Enum):
    """How a response of media ended."""

    COMPLETE = auto()
    LEFT = auto()
    STALLED = auto()
    CUT = auto()


END_OF: Final[Mapping[Ending, End]] = MappingProxyType(
    {
        Ending.COMPLETE: End.MEDIA_OVER,
        Ending.LEFT: End.CLIENT_LEFT,
        Ending.STALLED: End.SILENCE,
        Ending.CUT: End.BROKEN_OFF,
    }
)
"""Why a session ends with its one response. Ending what was cut already changes nothing: the first reason stands."""


class PieceIsGone(Exception):
    """Raised by a body that cannot go on: what it promised is held no more. The connection is cut."""


class MediaResponse(Response):
    """Sends the blocks of `body` while the session lasts.

    `attach` are the places that may want to cut it, the session's first; each may refuse, and then nothing is sent.
    `ended` hears once how it ended. With `length` the body must be exactly that long.
    """

    def __init__(
        self,
        session: MediaSession,
        body: AsyncGenerator[bytes, None],
        content_type: str,
        attach: Sequence[Attach],
        stall_seconds: float,
        ended: Callable[[Ending], Awaitable[None]],
        length: int | None = None,
    ) -> None:
        headers = {**MEDIA_HEADERS, "Content-Type": content_type}
        if length is not None:
            headers["Content-Length"] = str(length)
        super().__init__(None, 200, headers)
        self._session = session
        self._blocks = body
        self._attach = attach
        self._stall_seconds = stall_seconds
        self._ended = ended
        if length is None:
            del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._blocks):
            with ExitStack() as attached:
                cut = cut_of(scope)
                for attach in self._attach:
                    attached.callback(attach(cut))
                transport: asyncio.Transport = scope[TRANSPORT]
                _hold_back(transport, high=0, low=0)
                attached.callback(_hold_back, transport, high=HIGH_WATER, low=LOW_WATER)
                ending = await self._watch(scope, receive, send)
        await self._ended(ending)

    async def _watch(self, scope: Scope, receive: Receive, send: Send) -> Ending:
        """Send until the body is complete or the client is gone, whichever comes first."""
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                return Ending.LEFT
            ending = sending.result()
            if ending in {Ending.STALLED, Ending.CUT}:
                cut_transport(scope[TRANSPORT])
                # The server takes a response that is left unfinished for a mistake until it has seen the reset.
                await asyncio.wait({leaving}, timeout=_LEAVE_TAKING_S)
            return ending
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send(self, send: Send) -> Ending:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async for block in self._blocks:
                await self._hand_over(send, block)
                # While the next one is waited for, nothing here may keep a picture alive.
                del block
            async with asyncio.timeout(self._stall_seconds):
                # Waits until the last piece is with the kernel: until then the response can be cut.
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            return Ending.STALLED
        except (Refusal, PieceIsGone):
            return Ending.CUT
        return Ending.COMPLETE

    async def _hand_over(self, send: Send, block: bytes) -> None:
        for at in range(0, len(block), _PIECE):
            self._session.check()
            piece = block[at : at + _PIECE]
            async with asyncio.timeout(self._stall_seconds):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            self._session.count(len(piece))


def _hold_back(transport: asyncio.Transport, high: int, low: int) -> None:
    """Say how much the event loop may hold before `send` waits; uvloop refuses to be told after the end."""
    if not transport.is_closing():
        transport.set_write_buffer_limits(high=high, low=low)


async def _gone(receive: Receive) -> None:
    """Wait until the client has gone, or its connection was cut."""
    while (await receive())["type"] != "http.disconnect":
        continue

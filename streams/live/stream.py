"""A response of media bytes: judged before every piece, never buffered without bound, and cut rather than closed.

A piece of at most 64 KiB is judged only when the one before has gone to the kernel, and written in that moment: no more
than that is ever unsent in this process, and at the end nothing; `auth/media_sessions/transport.py` bounds what the
kernel holds. What is unsent is judged again while it waits, and cut when it expires. The bytes of a fragment are
referred to while it is being sent and not longer: who takes none for long is cut.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import dataclass
from enum import Enum, auto, unique
from types import MappingProxyType
from typing import Final

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

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
_JUDGED_FOR_S: Final = 0.5
_EARLY_S: Final = 0.01
"""How much before it expires what waits unsent is cut: a timer is late by a turn of the event loop, a picture never."""
_NOTHING: Final[Message] = {"type": "http.response.body", "body": b"", "more_body": True}
"""Waits like any other part of a body until all before it is with the kernel, and writes nothing."""
Attach = Callable[[Callable[[], None]], Callable[[], None]]
Judge = Callable[[], Awaitable[float]]


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


async def _never_expires() -> float:
    return math.inf


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes of a body. `judge` raises the refusal that stands against showing them now, beside the session's.

    Else it returns in how many seconds they expire, if nothing changes. Asked before each piece of them, and again
    while one waits to be sent.
    """

    data: bytes
    judge: Judge = _never_expires


class MediaResponse(Response):
    """Sends the blocks of `body` while the session lasts.

    `attach` are the places that may want to cut it, the session's first; each may refuse, and then nothing is sent.
    `ended` hears once how it ended. With `length` the body must be exactly that long.
    """

    def __init__(
        self,
        session: MediaSession,
        body: AsyncGenerator[Block, None],
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
        self._has_expired = False
        if length is None:
            del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._blocks):
            with ExitStack() as attached:
                cut = cut_of(scope)
                for attach in self._attach:
                    attached.callback(attach(cut))
                transport: asyncio.Transport = scope[TRANSPORT]
                _hold_nothing(transport)
                attached.callback(_hold_back, transport, high=HIGH_WATER, low=LOW_WATER)
                ending = await self._watch(scope, receive, send)
        await self._ended(ending)

    async def _watch(self, scope: Scope, receive: Receive, send: Send) -> Ending:
        """Send until the body is complete or the client is gone, whichever comes first."""
        transport: asyncio.Transport = scope[TRANSPORT]
        sending = asyncio.create_task(self._send(send, transport))
        leaving = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            ending = sending.result() if sending.done() else Ending.LEFT
            if self._has_expired:
                ending = Ending.CUT
            if ending in {Ending.STALLED, Ending.CUT}:
                cut_transport(transport)
                # The server takes a response that is left unfinished for a mistake until it has seen the reset.
                await asyncio.wait({leaving}, timeout=_LEAVE_TAKING_S)
            return ending
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send(self, send: Send, transport: asyncio.Transport) -> Ending:
        try:
            async with asyncio.timeout(self._stall_seconds):
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await send(_NOTHING)
            async for block in self._blocks:
                await self._hand_over(send, transport, block)
                # While the next one is waited for, nothing here may keep a picture alive.
                del block
            await send({**_NOTHING, "more_body": False})
        except TimeoutError:
            return Ending.STALLED
        except (Refusal, PieceIsGone):
            return Ending.CUT
        return Ending.COMPLETE

    async def _hand_over(self, send: Send, transport: asyncio.Transport, block: Block) -> None:
        for at in range(0, len(block.data), _PIECE):
            left_s = await self._judge(block)
            piece = block.data[at : at + _PIECE]
            async with asyncio.timeout(self._stall_seconds):
                # Nothing is unsent, so this does not wait: between the judgement and the kernel there is nothing.
                await send({**_NOTHING, "body": piece})
                self._session.count(len(piece))
                await self._until_sent(send, transport, block, left_s)

    async def _until_sent(self, send: Send, transport: asyncio.Transport, block: Block, left_s: float) -> None:
        """Wait until the kernel has all that was written, judging the block again and again; `left_s` until it expires.

        Until then the response can be cut.
        """
        while True:
            with self._cut_in(transport, left_s):
                if await _is_sent_within(send, min(left_s, _JUDGED_FOR_S)):
                    return
                left_s = await self._judge(block)

    async def _judge(self, block: Block) -> float:
        self._session.check()
        return await block.judge()

    @contextmanager
    def _cut_in(self, transport: asyncio.Transport, seconds: float) -> Iterator[None]:
        """Cut when so many seconds are over, whatever else is being waited for then."""
        if seconds > self._stall_seconds:
            yield
            return

        def cut() -> None:
            self._has_expired = True
            cut_transport(transport)

        timer = asyncio.get_running_loop().call_later(max(0.0, seconds - _EARLY_S), cut)
        try:
            yield
        finally:
            timer.cancel()


async def _is_sent_within(send: Send, seconds: float) -> bool:
    """Wait until the kernel has all that was written; say whether it had in time."""
    try:
        async with asyncio.timeout(seconds):
            await send(_NOTHING)
    except TimeoutError:
        return False
    return True


def _hold_nothing(transport: asyncio.Transport) -> None:
    """Make `send` wait until nothing is unsent in the event loop."""
    # TLS pauses as soon as it holds as much as `high`, so none at all would be a pause without end.
    is_tls = transport.get_extra_info("ssl_object") is not None
    _hold_back(transport, high=1 if is_tls else 0, low=0)


def _hold_back(transport: asyncio.Transport, high: int, low: int) -> None:
    """Say how much the event loop may hold before `send` waits; uvloop refuses to be told after the end."""
    if not transport.is_closing():
        transport.set_write_buffer_limits(high=high, low=low)


async def _gone(receive: Receive) -> None:
    """Wait until the client has gone, or its connection was cut."""
    while (await receive())["type"] != "http.disconnect":
        continue

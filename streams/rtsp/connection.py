"""One control connection: bytes in and out, time-outs, and the cut."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from auth.media_sessions.transport import bound_buffers, cut_transport
from streams.rtsp.conversation import Conversation
from streams.rtsp.protocol import Parser, Request, Response
from streams.rtsp.sources import RtspSources
from streams.rtsp.statuses import refused
from vms_privacy.errors import Refusal
from vms_privacy.ids import Randomness

_READ = 16 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may use up, in seconds, bytes and counts."""

    connections: int = 512
    first_request_s: float = 10.0
    session_s: float = 60.0
    stalled_s: float = 10.0
    most_waiting: int = 1024 * 1024
    refusals: int = 16


class Connection:
    """Serves one client until it leaves, is quiet for too long, or is cut."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        sources: RtspSources,
        randomness: Randomness,
        limits: Limits,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._transport = cast("asyncio.Transport", writer.transport)
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self.secure = writer.get_extra_info("ssl_object") is not None
        self.local: Sequence[object] = writer.get_extra_info("sockname")
        self.peer: Sequence[object] = writer.get_extra_info("peername")
        self._heard_at = self._loop.time()
        self._written = 0
        self._taken = 0
        self._taken_at = self._heard_at
        self._conversation = Conversation(self, sources, randomness, limits.session_s, limits.most_waiting)

    async def serve(self) -> None:
        """Answer until the end of the connection; everything is released afterwards, whatever the end was."""
        bound_buffers(self._transport)
        try:
            await self._converse()
        except (ConnectionError, TimeoutError):
            # The other side left without a word or was quiet for too long: nothing it has not had is owed to it.
            self.cut_here()
        finally:
            try:
                await self._conversation.release()
            finally:
                self._writer.close()

    def write(self, data: bytes) -> None:
        self._written += len(data)
        self._transport.write(data)

    def waiting(self) -> int:
        """Return the bytes not taken yet; cuts a client that has taken nothing at all for too long."""
        waiting, now = self._transport.get_write_buffer_size(), self._loop.time()
        if waiting == 0 or self._written - waiting > self._taken:
            self._taken, self._taken_at = self._written - waiting, now
        elif now - self._taken_at > self._limits.stalled_s:
            self.cut_here()
        return waiting

    def heard(self) -> None:
        self._heard_at = self._loop.time()

    def cut(self) -> None:
        self._loop.call_soon_threadsafe(self.cut_here)

    def cut_here(self) -> None:
        """Do what `cut` does, from inside the loop: silence UDP, reset the connection, drop what the kernel holds."""
        self._conversation.silence()
        cut_transport(self._transport)

    def play_is_over(self, fault: BaseException | None) -> None:
        if fault is None:
            self._writer.close()
        else:
            self.cut_here()

    async def _converse(self) -> None:
        parser = Parser()
        while data := await self._read():
            parser.feed(data)
            while True:
                try:
                    message = parser.take()
                except Refusal as refusal:
                    self._send(refused(refusal, "Bearer"), None)
                    return
                if message is None:
                    break
                if isinstance(message, Request):
                    self._send(await self._conversation.answer(message), message.sequence)
                if isinstance(message, Response) or self._conversation.refusals > self._limits.refusals:
                    return

    async def _read(self) -> bytes:
        """Return what came, b"" at the end; raises TimeoutError when nothing was heard for too long."""
        while True:
            allowed = self._limits.session_s if self._conversation.has_session else self._limits.first_request_s
            left = self._heard_at + allowed - self._loop.time()
            if left <= 0:
                raise TimeoutError
            try:
                async with asyncio.timeout(left):
                    data = await self._reader.read(_READ)
            except TimeoutError:
                # A receiver report over UDP may have been heard meanwhile.
                continue
            self.heard()
            return data

    def _send(self, response: Response, sequence: str | None) -> None:
        headers = {} if sequence is None else {"CSeq": sequence}
        headers.update(response.headers)
        self.write(Response(response.status, response.reason, headers, response.body).encode())
        if self._transport.get_write_buffer_size() > 2 * self._limits.most_waiting:
            # It asks and asks and reads no answer.
            self.cut_here()

"""A small RTSP client that does exactly what a test says, wrong things too."""

import asyncio
import base64
import ssl
from collections.abc import Mapping

from streams.rtsp.protocol import Bounds, Interleaved, Parser, Request, Response

DEADLINE_S = 10.0


class RtspClient:
    """One control connection; interleaved frames that come between answers are kept in `frames`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, base: str) -> None:
        self.reader = reader
        self.writer = writer
        self.base = base
        self.frames: list[Interleaved] = []
        self.session: str | None = None
        self._parser = Parser(Bounds(body=64 * 1024))
        self._sequence = 0

    @classmethod
    async def to(cls, url: str, tls: ssl.SSLContext | None = None) -> "RtspClient":
        """Connect to the server of a URL that has a numeric host and a port."""
        host, _, port = url.split("/")[2].rpartition(":")
        reader, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=tls, limit=1 << 20)
        return cls(reader, writer, url)

    async def ask(self, method: str, url: str | None = None, **headers: str) -> Response:
        """Send a request and return its answer; `Session` and `CSeq` are added unless given."""
        self._sequence += 1
        wanted = {"CSeq": str(self._sequence)}
        if self.session is not None:
            wanted["Session"] = self.session
        wanted |= {name.replace("_", "-"): value for name, value in headers.items()}
        await self.send(Request(method, url or self.base, wanted).encode())
        answer = await self.answer()
        if answer.status == 200 and "session" in answer.headers:
            self.session = answer.headers["session"].partition(";")[0]
        return answer

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> Response:
        """Return the next answer."""
        while True:
            message = await self._message()
            if isinstance(message, Response):
                return message
            self.frames.append(message)

    async def frame(self) -> Interleaved:
        """Return the next interleaved frame."""
        if self.frames:
            return self.frames.pop(0)
        message = await self._message()
        assert isinstance(message, Interleaved)
        return message

    async def is_over(self) -> bool:
        """Read until the end; True if the connection was reset rather than closed."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while await self.reader.read(65536):
                    pass
        except ConnectionResetError:
            return True
        return False

    async def set_up(self, *transports: str, url: str | None = None) -> list[Response]:
        """Set up the tracks 0, 1, … with these transports."""
        base = (url or self.base).partition("?")[0]
        return [
            await self.ask("SETUP", f"{base}/trackID={number}", Transport=transport)
            for number, transport in enumerate(transports)
        ]

    async def close(self) -> None:
        """Leave without a word."""
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            # It was cut from the other side: gone is gone.
            return

    async def _message(self) -> Response | Interleaved:
        async with asyncio.timeout(DEADLINE_S):
            while (message := self._parser.take()) is None:
                data = await self.reader.read(65536)
                if not data:
                    raise EOFError
                self._parser.feed(data)
        assert not isinstance(message, Request)
        return message


def basic(user: str, password: str) -> Mapping[str, str]:
    """Return the header of a log-in."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}

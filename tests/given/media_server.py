"""Media routes behind a real uvicorn on a real socket, and clients to look with."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn
from fastapi import APIRouter, FastAPI

from auth.backstop import GateBackstop
from auth.media_sessions.transport import MediaHttpProtocol
from tests.given.tls import client_context, make_certificate, server_context
from tests.given.tokens import TokenParts
from vms_privacy.http.problems import install_problems

DEADLINE_S = 20


class MediaServer:
    """Serves routes of one camera, whose paths begin with `place`. Use as an async context manager."""

    def __init__(self, parts: TokenParts, place: str, *routes: APIRouter) -> None:
        self.parts = parts
        self.place = place
        app = FastAPI(redirect_slashes=False)
        for router in routes:
            app.include_router(router)
        install_problems(app)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            GateBackstop(app), http=MediaHttpProtocol, ws="none", lifespan="off", access_log=False, log_level="warning"
        )
        self._config = config
        self._tls: ssl.SSLContext | None = None
        self._server = uvicorn.Server(config)
        self._serving: asyncio.Task[None] | None = None

    def over_tls(self, folder: Path) -> Self:
        """Serve, and ask, over TLS from the start on."""
        files = make_certificate(folder)
        self._config.load()
        self._config.ssl = server_context(*files)
        self._tls = client_context(files[0])
        return self

    async def __aenter__(self) -> Self:
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        if self._serving is not None:
            await self._serving
        await asyncio.to_thread(self.parts.sessions.write_ends)

    async def idle(self) -> None:
        """Wait until nobody has a media session."""
        async with asyncio.timeout(DEADLINE_S):
            while self.parts.sessions.of_operator(self.parts.operator_id):
                await asyncio.sleep(0.01)
        await asyncio.to_thread(self.parts.sessions.write_ends)

    async def sent(self, octets: int) -> None:
        """Wait until so many media bytes have gone out to the one who is looking."""
        async with asyncio.timeout(DEADLINE_S):
            while sum(one.bytes_out for one in self.parts.sessions.of_operator(self.parts.operator_id)) < octets:
                await asyncio.sleep(0.01)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{self.target(path)}"

    def target(self, path: str) -> str:
        """A path below the camera's place, or one that begins with a slash."""
        return path if path.startswith("/") else f"{self.place}/{path}"

    @asynccontextmanager
    async def asking(self, path: str, *, buffer: int | None = None, method: str = "GET") -> AsyncIterator["Answer"]:
        """Ask for a path; `buffer` bounds what the client takes."""
        link = socket.socket()
        if buffer is not None:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        link.setblocking(False)
        await asyncio.get_running_loop().sock_connect(link, ("127.0.0.1", self.port))
        name = None if self._tls is None else "127.0.0.1"
        reader, writer = await asyncio.open_connection(
            sock=link, limit=buffer or 2**16, ssl=self._tls, server_hostname=name
        )
        request = f"{method} {self.target(path)} HTTP/1.1\r\nHost: camera\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        try:
            async with asyncio.timeout(DEADLINE_S):
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
            yield Answer(head, reader)
        finally:
            writer.transport.abort()

    async def get(self, path: str, *, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """Ask for a path and return status, headers and the whole body."""
        async with self.asking(path, method=method) as answer:
            return answer.status, answer.headers, await answer.rest()


class Answer:
    """A response whose body is read as slowly as the test wants."""

    def __init__(self, head: str, reader: asyncio.StreamReader) -> None:
        lines = head.split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
        self._reader = reader
        self._is_chunked = self.headers.get("transfer-encoding") == "chunked"
        self.is_complete = False

    async def more(self) -> bytes:
        """Return the next bytes of the body; none when it is complete. Raises ConnectionError on a cut."""
        async with asyncio.timeout(DEADLINE_S):
            if not self._is_chunked:
                data = await self._reader.read(2**16)
                self.is_complete = not data
                return data
            size = int(await self._line(), 16)
            data = await self._reader.readexactly(size)
            await self._line()
        self.is_complete = size == 0
        return data

    async def rest(self) -> bytes:
        blocks = []
        while block := await self.more():
            blocks.append(block)
        return b"".join(blocks)

    async def until_cut(self) -> int:
        """Read until the connection is reset; return how many bytes still came. A clean end is a failure."""
        count = 0
        try:
            while block := await self.more():
                count += len(block)
        except (ConnectionError, asyncio.IncompleteReadError):
            return count
        raise AssertionError("the response ended cleanly")

    async def _line(self) -> bytes:
        line = await self._reader.readuntil(b"\r\n")
        return line[:-2]

"""The listening end: accepts control connections up to a number and ends them all when told."""

import asyncio
import ssl

from streams.rtsp.connection import Connection, Limits
from streams.rtsp.errors import TooManyConnections
from streams.rtsp.sources import RtspSources
from streams.rtsp.statuses import refused
from vms_privacy.ids import Randomness

_HANDSHAKE_S = 10.0


class RtspServer:
    """Serves `sources` at one address; RTSPS when given a TLS context.

    `port` 0 takes any free one. Use as `async with server:` or `start` and `close`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        sources: RtspSources,
        randomness: Randomness,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._sources = sources
        self._randomness = randomness
        self._tls = tls
        self._limits = limits or Limits()
        self._server: asyncio.Server | None = None
        self._connections: dict[Connection, asyncio.Task[None]] = {}
        self.turned_away = 0

    @property
    def port(self) -> int:
        """The port that is listened on; only while started."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """How many control connections are open."""
        return len(self._connections)

    def url(self, path: str) -> str:
        """Return the URL of a path, without any credential."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'rtsps' if self._tls else 'rtsp'}://{host}:{self.port}/{path}"

    async def start(self) -> None:
        """Listen. Raises OSError when the address cannot be had."""
        self._server = await asyncio.start_server(
            self._accept,
            self._host,
            self._port,
            ssl=self._tls,
            ssl_handshake_timeout=_HANDSHAKE_S if self._tls else None,
        )

    async def close(self) -> None:
        """Stop listening and cut everyone; returns when everything is released."""
        if self._server is not None:
            self._server.close()
        self.cut_all()
        await asyncio.gather(*self._connections.values(), return_exceptions=True)

    def cut_all(self) -> None:
        """Cut everyone who is connected, from inside the loop; goes on listening."""
        for connection in tuple(self._connections):
            connection.cut_here()

    async def __aenter__(self) -> "RtspServer":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= self._limits.connections:
            self.turned_away += 1
            writer.write(refused(TooManyConnections("the server is full"), "Bearer").encode())
            writer.close()
            return
        connection = Connection(reader, writer, self._sources, self._randomness, self._limits)
        task = asyncio.current_task()
        assert task is not None
        self._connections[connection] = task
        try:
            await connection.serve()
        finally:
            del self._connections[connection]

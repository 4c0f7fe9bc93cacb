"""Serves simulated cameras over RTSP: for the command line, the demo and the tests."""

import asyncio
import hmac
import ssl
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from streams.rtsp.connection import Limits
from streams.rtsp.errors import NoSuchPresentation, NotLetIn
from streams.rtsp.server import RtspServer
from streams.rtsp.sources import RtspFeed
from vms_privacy.ids import Randomness


class SimulatedCamera(Protocol):
    """`CameraSimulator`, or a `Replay`, which may stand under several paths."""

    def subscribe(self) -> RtspFeed: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Login:
    """User and password that every camera of a server wants."""

    user: str
    password: str = field(repr=False)


class SimulatedSources:
    """Leads a path to its camera; with a login only for who knows it."""

    def __init__(self, cameras: Mapping[str, SimulatedCamera], login: Login | None) -> None:
        self._cameras = cameras
        self._login = login
        self.opened = 0
        self.turned_away = 0

    async def open(self, path: str, query: str, basic: tuple[str, str] | None, peer: str) -> RtspFeed:
        if self._login is not None and not self._knows(basic):
            self.turned_away += 1
            raise NotLetIn("the camera wants its user and password")
        camera = self._cameras.get(path)
        if camera is None:
            raise NoSuchPresentation("there is no such camera")
        self.opened += 1
        return camera.subscribe()

    def _knows(self, basic: tuple[str, str] | None) -> bool:
        assert self._login is not None
        mine = f"{self._login.user}:{self._login.password}".encode()
        return basic is not None and hmac.compare_digest(mine, f"{basic[0]}:{basic[1]}".encode())


@asynccontextmanager
async def serve_simulators(
    cameras: Mapping[str, SimulatedCamera],
    host: str,
    port: int,
    randomness: Randomness,
    login: Login | None = None,
    tls: ssl.SSLContext | None = None,
    limits: Limits | None = None,
) -> AsyncIterator[RtspServer]:
    """Film and serve inside the running loop until the block ends; the keys of `cameras` are the paths.

    Raises:
        OSError: the address cannot be had.

    """
    server = RtspServer(host, port, SimulatedSources(cameras, login), randomness, tls, limits)
    await server.start()
    try:
        for camera in dict.fromkeys(cameras.values()):
            camera.start()
        yield server
    finally:
        for camera in dict.fromkeys(cameras.values()):
            await asyncio.to_thread(camera.stop)
        await server.close()


class SimulatorThread:
    """The same beside a program that has no event loop, as a block: `with SimulatorThread(...) as simulators`."""

    def __init__(
        self,
        cameras: Mapping[str, SimulatedCamera],
        randomness: Randomness,
        host: str = "127.0.0.1",
        port: int = 0,
        login: Login | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._arguments = (cameras, host, port, randomness, login, tls)
        self._ready = threading.Event()
        self._problem: OSError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._server: RtspServer | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="simulators", daemon=True)

    def __enter__(self) -> "SimulatorThread":
        self._thread.start()
        self._ready.wait()
        if self._problem is not None:
            raise self._problem
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        assert self._over is not None
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def url(self, path: str) -> str:
        """Return the URL of a path, without a login."""
        assert self._server is not None
        return self._server.url(path)

    def hang_up(self) -> None:
        """Reset every connection, as a camera does that loses its power; new ones are welcome."""
        assert self._loop is not None
        assert self._server is not None
        self._loop.call_soon_threadsafe(self._server.cut_all)

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with serve_simulators(*self._arguments) as self._server:
                self._ready.set()
                await self._over.wait()
        except OSError as problem:
            self._problem = problem
        finally:
            self._ready.set()

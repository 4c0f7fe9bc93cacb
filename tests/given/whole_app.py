"""The whole service as it is joined for real, behind its real web server, on a clock that a test moves.

Only what costs time is another one: hashing is cheap, cameras are scripted, and nothing comes round by itself.
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import httpx
import uvicorn
import uvloop
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy import event, func, select

from auth.identities.passwords import Passwords
from auth.media_sessions.loading import load_revocations
from auth.media_sessions.transport import MediaHttpProtocol
from streams.live.service import LiveFeed
from tests.given.auth_app import CHEAP
from tests.given.clock import HandClock
from tests.given.databases import Addresses, DatabaseServer
from tests.given.loose_clock import LooseClock
from tests.given.scripted_source import ScriptedSource
from vms_privacy.app import Assembly
from vms_privacy.audit.tables import EventRow
from vms_privacy.clock import Clock
from vms_privacy.faces import build_api, surround
from vms_privacy.guarded_clock import GuardedClock
from vms_privacy.ids import CameraId
from vms_privacy.install import initialise
from vms_privacy.serve import join
from vms_privacy.settings import Settings

DEADLINE_S = 20
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class HandAssembly(Assembly):
    """The service's own parts, on a hand clock, with hashing for tests and one scripted source for all cameras."""

    def __init__(self, settings: Settings, clock: HandClock) -> None:
        super().__init__(settings)
        self.hand = clock
        self.machine = LooseClock()
        self.database_apart = timedelta(0)
        self.source = ScriptedSource()
        # More than any test promises, whatever disk it runs on; None: what the store says itself.
        self.holds: int | None = 10**15

    def _capacity(self, store: str, ours: int) -> int | None:
        """As much as a test says that the store holds; else what it says itself."""
        return super()._capacity(store, ours) if self.holds is None else self.holds

    @cached_property
    def clock(self) -> Clock:
        return self.hand

    @cached_property
    def guarded_clock(self) -> GuardedClock:
        """The clock that is shown and settled; nothing else goes by it here, so no other test sees its doubts.

        Its mark is its own: the one beside it is of the day on which `init` ran, which is not the day of the tests.
        """
        mark = self.settings.data_dir / "clock-mark-of-the-tests"
        return GuardedClock(self.machine, mark, lambda: self.machine.now() + self.database_apart)

    @cached_property
    def passwords(self) -> Passwords:
        return Passwords(self.randomness, CHEAP)

    def feed_of(self, camera_id: CameraId) -> LiveFeed:
        return self.source.feed()


class WholeApp:
    """One installation in a folder, served on a port of its own by `whole_app`."""

    def __init__(self, folder: Path, database: Addresses) -> None:
        service, owner = database
        self.settings = Settings(data_dir=folder / "data", port=0, database_url=service, database_owner_url=owner)
        self.bootstrap_code = initialise(self.settings).bootstrap_code
        self.clock = HandClock()
        self.parts = HandAssembly(self.settings, self.clock)
        # Thousands of small transactions, and nobody pulls the plug on a test.
        if self.parts.db.engine.dialect.name == "sqlite":
            event.listen(self.parts.db.engine, "connect", _write_lazily)
        join(self.parts)
        self.parts.live_restrictions.read()
        load_revocations(self.parts.db, self.parts.revocation, self.parts.withdrawals)
        self.api = build_api(self.parts, {"database": lambda: ""}, CollectorRegistry())
        self.api.router.lifespan_context = self._alive
        self.loop: asyncio.AbstractEventLoop | None = None
        self.port = 0
        self.url = ""

    def client(self, token: str | None = None) -> httpx.Client:
        """Somebody with an access token, or without one."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        # Nothing of this machine's environment, and no certificates: reading those takes longer than asking.
        return httpx.Client(base_url=self.url, headers=headers, timeout=DEADLINE_S, verify=_NO_TLS, trust_env=False)

    def forward(self, step: timedelta) -> None:
        """Let time pass; what is heard of withdrawals stays fresh, as the service's own ticker keeps it."""
        self.clock.forward(step)
        self.parts.revocation.heartbeat()

    def events_after(self, number: int) -> list[EventRow]:
        """The audit's events since its event `number`, in their order."""
        with self.parts.db.reading() as session:
            wanted = select(EventRow).where(EventRow.number > number).order_by(EventRow.number)
            return list(session.scalars(wanted))

    def last_event(self) -> int:
        with self.parts.db.reading() as session:
            return session.execute(select(func.max(EventRow.number))).scalar_one() or 0

    @asynccontextmanager
    async def _alive(self, _: FastAPI) -> AsyncIterator[None]:
        self.loop = asyncio.get_running_loop()
        self.parts.live.open()
        try:
            yield
        finally:
            await asyncio.to_thread(self.parts.sessions.stop)
            await self.parts.live.close()


@contextmanager
def whole_app(folder: Path, server: DatabaseServer) -> Iterator[WholeApp]:
    """Serve an installation in a thread, as `vms_privacy/serve.py` does, until the block ends."""
    with server.for_one_test() as databases, _served(WholeApp(folder, databases.of_installation())) as app:
        yield app


@contextmanager
def _served(app: WholeApp) -> Iterator[WholeApp]:
    config = uvicorn.Config(
        surround(app.api, app.parts),
        http=MediaHttpProtocol,
        loop="uvloop",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
    )
    web = uvicorn.Server(config)
    with ExitStack() as stack:
        stack.callback(app.parts.db.close)
        stack.callback(app.parts.journal.close)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        app.port = listener.getsockname()[1]
        app.url = f"http://127.0.0.1:{app.port}"
        thread = threading.Thread(target=_serve, args=(web, listener), name="whole-app", daemon=True)
        thread.start()
        stack.callback(thread.join, DEADLINE_S)
        stack.callback(_stop, web)
        _wait_until_alive(app)
        yield app


def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve(sockets=[listener]))


def _stop(server: uvicorn.Server) -> None:
    server.should_exit = True


def _wait_until_alive(app: WholeApp) -> None:
    # The socket listens already: the first answer comes when the service is up.
    with app.client() as nobody:
        assert nobody.get("/healthz").status_code == 200


def _write_lazily(connection: object, _: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")  # type: ignore[attr-defined]

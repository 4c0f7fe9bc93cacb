"""Running one service: parts started in order, the port opened last; stopped in the opposite order.

Whoever asks before everything is started is refused by the system, and does not wait. Whatever fails while a part is
stopped, those after it are stopped all the same: a growing segment is sealed though the database is away.
"""

import asyncio
import contextlib
import ctypes
import gc
import resource
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

import structlog
import uvicorn
import uvloop
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from archive.orders.replay import replay_orders
from archive.recorder.regions import refuse_without_stores
from archive.recorder.start import bring_in_order
from auth.media_sessions.loading import load_revocations
from auth.media_sessions.transport import MediaHttpProtocol
from vms_privacy.app import Assembly
from vms_privacy.audit.events import Event, Tag
from vms_privacy.camera_care import CameraCare
from vms_privacy.custody.errors import InCustody
from vms_privacy.errors import Refusal
from vms_privacy.faces import build_api, surround
from vms_privacy.http.health import Probe
from vms_privacy.keyring.port import Purpose
from vms_privacy.metrics import ServiceCollector
from vms_privacy.rounds import cameras_job, jobs_in_custody, jobs_of
from vms_privacy.worker import Jobs

_STOP_WITHIN_S: Final = 10.0
# A request makes some hundred objects that outlive a look for garbage, and next to no cycles: fewer looks.
_GARBAGE: Final = (10_000, 20, 50)
_PR_SET_DUMPABLE: Final = 4
_log = structlog.get_logger("serve")


class Running:
    """One service from start to stop. `serve` blocks until `stop`; `port` is known once `is_up` is set."""

    def __init__(self, parts: Assembly) -> None:
        self.parts = parts
        self.registry = CollectorRegistry()
        self.cameras = CameraCare(parts, str(parts.randomness.uuid()))
        self.jobs = Jobs([*jobs_of(parts), cameras_job(self.cameras)], parts.clock)
        self.is_up = threading.Event()
        self.port = 0
        self.failed_to_stop: dict[str, str] = {}
        self.in_custody = False
        self._server: uvicorn.Server | None = None

    def serve(self) -> None:
        """Start, open the port and serve until `stop`, or a signal where this is the main thread.

        Raises what keeps a part from starting, OSError where address or port cannot be had. Whoever owns the process
        has called `leave_no_core`: it cannot be taken back.
        """
        settings = self.parts.settings
        tls = None
        if settings.tls_certificate is not None and settings.tls_key is not None:
            tls = tls_context(str(settings.tls_certificate), str(settings.tls_key))
        join(self.parts)
        _settle_regions(self.parts)
        self.in_custody = self.parts.custody.state() is not None
        if self.in_custody:
            _replay_journal(self.parts)
            self.jobs = Jobs(jobs_in_custody(self.parts), self.parts.clock)
        else:
            _replay_orders(self.parts)
        self.parts.live_restrictions.read()
        load_revocations(self.parts.db, self.parts.revocation, self.parts.withdrawals)
        self.registry.register(ServiceCollector(self.parts, self.jobs, self.cameras))
        config = uvicorn.Config(
            surround(self.api(), self.parts, in_custody=self.in_custody),
            http=MediaHttpProtocol,
            loop="uvloop",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
        )
        with _bound(settings.host, settings.port) as listener:
            self.port = listener.getsockname()[1]
            if tls is not None:
                config.load()
                config.ssl = tls
            server = self._server = uvicorn.Server(config)
            # Round everything: a signal while parts are started or stopped ends the service in order, too.
            with server.capture_signals(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._live(server, listener))

    def stop(self) -> None:
        """Ask the service to stop; `serve` returns once everything is closed."""
        if self._server is not None:
            self._server.should_exit = True

    def api(self) -> FastAPI:
        """Return everything that is asked over HTTP."""
        return build_api(self.parts, self.probes(), self.registry)

    def probes(self) -> Mapping[str, Probe]:
        """Return one probe per part; each answers a stable code where its part is not ready."""
        parts = self.parts
        custody: Mapping[str, Probe] = {"custody": lambda: InCustody.code} if self.in_custody else {}
        return {
            **custody,
            "database": lambda: _code_of(parts.db.now),
            "keyring": lambda: _code_of(parts.keyring.refuse_if_lost),
            "store": lambda: _code_of(lambda: parts.store.size("A" * 22)),
            "clock": lambda: "time-doubt" if parts.guarded_clock.doubt is not None else "",
            # Anybody may ask, and the journal only grows: nothing is read for it, a job does that.
            "journal": lambda: _code_of(parts.journal.refuse_if_changed) or self.jobs.states()["journal"].last_failure,
            "jobs": lambda: next(
                (f"{name}-failing" for name, one in self.jobs.states().items() if one.last_failure), ""
            ),
        }

    async def _live(self, server: uvicorn.Server, listener: socket.socket) -> None:
        async with contextlib.AsyncExitStack() as ending:
            await self._start(ending)
            if server.should_exit:
                return
            listener.listen(server.config.backlog)
            await asyncio.to_thread(self._note_start)
            self.is_up.set()
            ending.callback(self.is_up.clear)
            await server.serve(sockets=[listener])

    async def _start(self, ending: contextlib.AsyncExitStack) -> None:
        """Start every part, and leave with `ending` how it is stopped."""
        parts = self.parts

        def ends(name: str, end: Callable[[], Awaitable[object]]) -> None:
            ending.push_async_callback(self._end, name, end)

        ends("refusals", partial(asyncio.to_thread, parts.refusals.flush_all))
        ends("camera-events", partial(asyncio.to_thread, parts.camera_events.close))
        if self.in_custody:
            ends("jobs", partial(asyncio.to_thread, self.jobs.stop))
            self.jobs.start()
            return
        # Before anything records, looks or sweeps: a key that came back with an older keyring opens nothing.
        await asyncio.to_thread(_bring_in_order, parts)
        # A keyring that is older than requests are has no key yet to seal their contacts with.
        await asyncio.to_thread(parts.keyring.give_first, Purpose.REQUEST_CONTACT)
        ends("jobs", partial(asyncio.to_thread, self.jobs.stop))
        ends("recorder", partial(asyncio.to_thread, parts.recorder.stop, _STOP_WITHIN_S))
        parts.live.open()
        ends("live", parts.live.close)
        self.cameras.open()
        ends("feeds", self.cameras.close)
        parts.ingest.open()
        ends("ingest", parts.ingest.close)
        ends("sessions", partial(asyncio.to_thread, parts.sessions.stop))
        parts.cameras.on_change(self.cameras.hear)
        await asyncio.to_thread(self.cameras.start_all)
        self.jobs.start()
        # What is loaded by now stays for good. Looking through all of it for garbage, as Python does now and then, held
        # up every viewer and every request for some 190 ms each time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GARBAGE)

    async def _end(self, name: str, end: Callable[[], Awaitable[object]]) -> None:
        """Stop one part; what fails is told, and keeps no other from being stopped."""
        try:
            why = "" if await end() is not False else "not-in-time"
        except Exception as error:  # noqa: BLE001 - whatever it is, the other parts are stopped
            why = _name_of(error)
        if why:
            self.failed_to_stop[name] = why
            _log.error("stop-failed", part=name, why=why)

    def _note_start(self) -> None:
        """Tell the audit, once it listens: a service that never listened never started."""
        parts = self.parts
        with parts.db.writing() as session:
            parts.audit.note(session, Event(Tag.SERVICE_STARTED, parts.clock.now(), "worker:service"))


def leave_no_core() -> None:
    """See to it that this process leaves no core dump, which would hold pictures and keys (P2). Raises OSError.

    The limit alone stops files only: a kernel that hands dumps to a program does so whatever the limit is. A process
    that is not dumpable is not dumped at all, and nobody without the right to trace any process looks into its memory.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel does not let this process be kept from core dumps")


def join(parts: Assembly) -> None:
    """Let the parts hear of each other's changes. A listener runs after the commit, in the committing thread."""
    parts.grants.on_change(parts.sessions.hear_grant)
    # Before anything that starts or stops the camera itself: whoever looks is judged again even if that fails.
    parts.cameras.on_change(parts.sessions.hear_camera)
    parts.people.on_disabled(parts.sessions.hear_person)
    parts.withdrawals.on_withdrawn(parts.sessions.hear_token)
    parts.ingest.on_status(parts.camera_events.hear)
    parts.ledger.on_change(parts.recorder.ask_again)
    parts.ledger.on_change(parts.live.consent_changed)
    parts.retention.on_change(parts.recorder.ask_again)
    parts.recording_times.on_change(parts.recorder.ask_again)
    parts.orders.on_change(parts.live_restrictions.hear)


def tls_context(certificate: str, key: str) -> ssl.SSLContext:
    """Return a context for TLS 1.2 and 1.3 with forward secrecy (RFC 9325, 4.2)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    # Without one here, a key that is encrypted would have OpenSSL ask for its password at the terminal.
    context.load_cert_chain(certificate, key, password="")
    return context


def _settle_regions(parts: Assembly) -> None:
    """Before anything: each operator has a region, each region a store, and each store with footage is set up."""
    with parts.db.writing() as session:
        parts.operators.settle_regions(session, "worker:service")
        refuse_without_stores(session, parts.regions.served, {place.name for place in parts.store_places})


def _replay_orders(parts: Assembly) -> None:
    """Before anything is shown or destroyed: what the database has lost of holds and restrictions is placed again."""
    placed = replay_orders(parts.db, parts.journal, parts.audit, parts.clock, parts.randomness)
    if placed:
        _log.warning("orders-placed-again", orders=placed)


def _replay_journal(parts: Assembly) -> None:
    """The database was put back: everything that the journal tells of is done again, before the port is opened."""
    unsettled = parts.custody.replay()
    _log.warning("in-custody", unsettled=len(unsettled))


def _bring_in_order(parts: Assembly) -> None:
    did = bring_in_order(parts.recorder_tools, parts.recovery, parts.buckets, parts.store, parts.journal, parts.audit)
    recovered, keys = did.recovered, did.keys
    _log.info(
        "recovered",
        closed=len(recovered.closed),
        empty=len(recovered.empty),
        failed=len(recovered.failed),
        stray_files=recovered.stray_files,
        unaccounted_cameras=len(did.failed_cameras),
        destroyed_keys=len(keys.destroyed),
        unproven_keys=len(keys.left),
    )


def _code_of(probe: Callable[[], object]) -> str:
    try:
        probe()
    except Exception as error:  # noqa: BLE001 - whatever it is, the part is not ready
        return _name_of(error)
    return ""


def _name_of(error: Exception) -> str:
    return error.code if isinstance(error, Refusal) else type(error).__name__


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket that has its address and does not listen yet. Raises OSError."""
    is_v6 = ":" in host
    bound = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_v6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound

"""One right is withdrawn while four people look: its viewer is cut within a second, the other three lose nothing (P8).

A real uvicorn with the service's own HTTP protocol, real sockets, real time with deadlines; plain and over TLS, on both
event loops. The endless response numbers its pieces, so that a gap or a repetition would show.
"""

import asyncio
import json
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import uvicorn
from starlette.concurrency import run_in_threadpool

from auth.grants.rules import Grant
from auth.media_sessions.door import MediaDoor
from auth.media_sessions.rules import End, Protocol
from auth.media_sessions.session import MediaSession
from auth.media_sessions.transport import MediaHttpProtocol, cut_of
from auth.principal import Right
from auth.tokens.rules import Action
from auth.tokens.service import Asked
from tests.given.tls import client_context, make_certificate
from tests.given.tokens import TokenParts
from vms_privacy.audit.events import Tag
from vms_privacy.clock import SystemClock
from vms_privacy.db import Database
from vms_privacy.errors import Refusal
from vms_privacy.ids import SystemRandomness

pytestmark = pytest.mark.story

PIECE = 32 * 1024
EVERY_S = 0.02
DEADLINE_S = 20.0
CUT_OFF_S = 1.0


class EndlessVideo:
    """An ASGI app with one endless response: pieces of 32 KiB, each filled with its own number."""

    def __init__(self, door: MediaDoor) -> None:
        self._door = door
        self.sessions: dict[str, MediaSession] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        who = scope["path"].strip("/")
        token = parse_qs(scope["query_string"].decode())["token"][0]
        asked = Asked("north", "door", Action.LIVE)
        session, _ = await run_in_threadpool(self._door.enter, token, asked, Protocol.STREAM, "someone")
        self.sessions[who] = session
        detach = session.attach(cut_of(scope))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % 2**40)]})
            number = 0
            while True:
                session.check()
                piece = number.to_bytes(8, "big") * (PIECE // 8)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                session.count(len(piece))
                number += 1
                await asyncio.sleep(EVERY_S)
        except Refusal:
            # Cut: the connection is being reset, there is nobody left to tell.
            return
        finally:
            detach()


@dataclass(frozen=True, slots=True)
class Seen:
    """What one viewer got: whole pieces in order, the longest wait between two of them, and how it ended."""

    octets: int
    in_order: bool
    longest_wait_s: float
    was_reset: bool
    ended_at: float


class Viewer:
    """One client on a raw socket. `stalls` reads the head of the answer and then nothing until told."""

    def __init__(self, port: int, tls: ssl.SSLContext | None, who: str, token: str, *, stalls: bool = False) -> None:
        self._who, self._token, self._stalls = who, token, stalls
        self.reads = threading.Event()
        self.leaves = threading.Event()
        raw = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        self._socket = (
            raw if tls is None else tls.wrap_socket(raw, server_hostname="127.0.0.1", suppress_ragged_eofs=False)
        )
        if not stalls:
            self.reads.set()

    def watch(self) -> Seen:
        with self._socket:
            self._socket.sendall(f"GET /{self._who}?token={self._token} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            head = b""
            while b"\r\n\r\n" not in head:
                head += self._socket.recv(1024)
            assert head.startswith(b"HTTP/1.1 200"), head
            assert self.reads.wait(DEADLINE_S)
            return self._read(head.partition(b"\r\n\r\n")[2])

    def _is_reset(self) -> bool:
        """After a reset both directions are gone; after a clean close one could still send (poll(2))."""
        looking = select.poll()
        looking.register(self._socket.fileno(), select.POLLIN)
        return any(flags & select.POLLHUP for _, flags in looking.poll(0))

    def _read(self, buffer: bytes) -> Seen:
        octets, expected, in_order, longest, last = len(buffer), 0, True, 0.0, time.perf_counter()
        was_reset = False
        while not self.leaves.is_set():
            try:
                piece = self._socket.recv(PIECE)
            except OSError:
                # TLS has its own words for the end of a connection: the socket below knows which it was.
                piece = b""
            if not piece:
                was_reset = self._is_reset()
                break
            octets += len(piece)
            buffer += piece
            while len(buffer) >= PIECE:
                in_order &= buffer[:PIECE] == expected.to_bytes(8, "big") * (PIECE // 8)
                expected += 1
                buffer = buffer[PIECE:]
                longest, last = max(longest, time.perf_counter() - last), time.perf_counter()
        return Seen(octets, in_order, longest, was_reset, time.perf_counter())


@dataclass
class Service:
    parts: TokenParts
    video: EndlessVideo
    port: int
    tls: ssl.SSLContext | None


@pytest.fixture(params=["asyncio", "uvloop", "asyncio with TLS", "uvloop with TLS"])
def service(request: pytest.FixtureRequest, db: Database, tmp_path: Path) -> Iterator[Service]:
    parts = TokenParts(db, SystemClock(), SystemRandomness(), tmp_path)
    video = EndlessVideo(parts.door)
    loop, _, tls = request.param.partition(" with ")
    files = make_certificate(tmp_path) if tls else None
    config = uvicorn.Config(
        video,
        http=MediaHttpProtocol,
        loop=loop,
        host="127.0.0.1",
        port=0,
        lifespan="off",
        log_level="error",
        timeout_graceful_shutdown=1,
        ssl_certfile=files and files[0],
        ssl_keyfile=files and files[1],
    )
    server = uvicorn.Server(config)
    serving = threading.Thread(target=server.run, name="uvicorn")
    serving.start()
    stopping = threading.Event()
    ticking = threading.Thread(target=tick, args=(parts, stopping), name="ticker")
    ticking.start()
    try:
        until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Service(parts, video, port, client_context(files[0]) if files else None)
    finally:
        parts.sessions.stop()
        server.should_exit = True
        serving.join(DEADLINE_S)
        stopping.set()
        ticking.join(DEADLINE_S)
        parts.close()


def tick(parts: TokenParts, stopping: threading.Event) -> None:
    """The app's ticker: the heartbeat of what we hear, and the timer that judges again."""
    while not stopping.wait(0.25):
        parts.view.heartbeat()
        parts.sessions.rejudge()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + DEADLINE_S
    while not condition():
        assert time.perf_counter() < deadline, "it never came to that"
        threading.Event().wait(0.005)


def someone(service: Service, who: str, *, stalls: bool = False) -> tuple[Grant, Viewer]:
    person = service.parts.access.person(service.parts.operator_id, f"{who}@example.org")
    grant = service.parts.access.grant(person, [Right.LIVE], service.parts.camera.camera_id)
    token = service.parts.issue(person, Action.LIVE, purpose="live_view")
    return grant, Viewer(service.port, service.tls, who, token.handle, stalls=stalls)


@pytest.mark.parametrize("stalls", [False, True], ids=["who reads", "who stalls"])
def test_a_withdrawn_viewer_is_cut_alone(service: Service, stalls: bool) -> None:
    sent = service.video.sessions
    grant, withdrawn = someone(service, "withdrawn", stalls=stalls)
    others = [someone(service, f"other-{number}")[1] for number in range(3)]

    def others_have(pieces: int) -> bool:
        return len(sent) == 4 and all(one.bytes_out > pieces * PIECE for who, one in sent.items() if who != "withdrawn")

    with ThreadPoolExecutor(4) as pool:
        seen_by_withdrawn = pool.submit(withdrawn.watch)
        seen_by_others = [pool.submit(one.watch) for one in others]
        until(lambda: others_have(50))

        asked_at = time.perf_counter()
        service.parts.withdraw_grant(grant)
        handed_over = sent["withdrawn"].bytes_out
        withdrawn.reads.set()
        seen = seen_by_withdrawn.result(DEADLINE_S)

        # The others go on for longer than the cut-off, so that a late fault of theirs would show.
        until(lambda: others_have(150))
        for one in others:
            one.leaves.set()
        rest = [one.result(DEADLINE_S) for one in seen_by_others]

    assert seen.ended_at - asked_at < CUT_OFF_S
    assert seen.was_reset
    # One piece may have been on its way to the kernel, not yet counted, when the cut came.
    assert seen.octets <= handed_over + PIECE, "something was handed over after the commit"
    if stalls:
        # It has its own receive buffer's worth; what lay on our side was thrown away.
        assert seen.octets < handed_over - PIECE
    assert not any(other.was_reset for other in rest)
    assert max(other.longest_wait_s for other in rest) < CUT_OFF_S
    assert all(viewer.in_order for viewer in [seen, *rest])
    cut = service.parts.events(Tag.MEDIA_CUT)
    assert [(event.reason, json.loads(event.detail)["bytes"]) for event in cut] == [
        (End.NO_LONGER_ALLOWED, handed_over)
    ]

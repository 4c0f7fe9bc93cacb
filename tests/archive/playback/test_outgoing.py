"""Nothing goes out later than it was judged for, however long its viewer waits (P4). Real sockets, a hand clock."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from auth.media_sessions.session import MediaSession
from streams.media.packets import Track
from tests.given.clock import HandClock
from tests.given.encoded import Encoded, encoded
from tests.given.fragmented import fragments_of
from tests.given.media_server import DEADLINE_S, Answer
from tests.given.playback_server import NOON_S, PlaybackServer, groups
from tests.given.tokens import TokenParts
from vms_privacy.audit.events import Tag

KEEP = timedelta(seconds=10)
PIECE = 64 * 1024
BEHIND_THE_LAST_JUDGEMENT = 128 * 1024 + PIECE + 16 * 1024
"""What the kernel and the event loop may hold, and what the client has taken."""


@dataclass
class Wire:
    """What the event loop is given to write: when, how much, and how much before it was unsent; the last connection.

    And how often a session was judged since.
    """

    clock: HandClock
    written: list[tuple[float, int, int]] = field(default_factory=list)
    last: Any = None
    judged: int = 0

    def around(self, transport: Any) -> Any:
        self.last = transport
        return _Noted(self, transport)

    @property
    def octets(self) -> int:
        return sum(octets for _, octets, _ in self.written)

    async def quiet(self) -> None:
        """Wait until nothing more is written: the one who is looking takes nothing. Raises TimeoutError."""
        before = -1
        async with asyncio.timeout(DEADLINE_S):
            while before != self.octets:
                before = self.octets
                await asyncio.sleep(0.1)

    async def judged_again(self, times: int) -> None:
        """Wait until what is unsent was judged so many times more, and nothing was written. Raises TimeoutError."""
        octets, until = self.octets, self.judged + times
        async with asyncio.timeout(DEADLINE_S):
            while self.judged < until:
                await asyncio.sleep(0.01)
        assert self.octets == octets

    async def cut(self, within_s: float) -> None:
        """Wait until the connection is cut, although nobody reads. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while not self.last.is_closing():
                await asyncio.sleep(0.005)


class _Noted:
    def __init__(self, wire: Wire, transport: Any) -> None:
        self._wire = wire
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if data:
            at = self._wire.clock.for_reading().timestamp() - NOON_S
            self._wire.written.append((at, len(data), self._transport.get_write_buffer_size()))
        self._transport.write(data)


@pytest.fixture
def wire(clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> Wire:
    made = Wire(clock)
    begin = RequestResponseCycle.__init__

    def begin_noted(self: Any, scope: Any, transport: Any, *args: Any, **kwargs: Any) -> None:
        begin(self, scope, made.around(transport), *args, **kwargs)

    check = MediaSession.check

    def check_noted(self: MediaSession, picture_us: int | None = None) -> None:
        made.judged += 1
        check(self, picture_us)

    monkeypatch.setattr(RequestResponseCycle, "__init__", begin_noted)
    monkeypatch.setattr(MediaSession, "check", check_noted)
    return made


def big(server: PlaybackServer) -> Encoded:
    """Record a fragment of many pieces from 0 s on, and some more behind it."""
    made = encoded(2.0, gop=50, size=(640, 384), noise=240_000)
    server.vault.record(server.door, made.epoch(), fragments_of(made.epoch(), made.packets), keep=KEEP)
    return made


async def asked_for(server: PlaybackServer, kind: str, token: str) -> Callable[[], AbstractAsyncContextManager[Answer]]:
    """The two ways in which recorded pictures go out: of a known length, and in chunks without an end in sight."""
    path = f"archive-{NOON_S}-20.mp4?token={token}"
    if kind == "hls":
        path = (await server.pieces(f"archive-{NOON_S}-20.m3u8?token={token}")).uris[0]
    return lambda: server.asking(path, buffer=4096)


@pytest.mark.parametrize("kind", ["hls", "mp4"])
async def test_a_piece_is_judged_when_it_is_written_and_not_before_the_wait_for_its_turn(
    server: PlaybackServer, token: str, wire: Wire, kind: str
) -> None:
    big(server)
    async with server:
        ask = await asked_for(server, kind, token)
        wire.written.clear()
        async with ask() as answer:
            taken = len(await answer.more())
            await wire.quiet()
            before = wire.octets
            server.later(KEEP)
            taken += await answer.until_cut()
    assert before > PIECE
    assert {unsent for _, _, unsent in wire.written} == {0}
    assert [one for one in wire.written if one[0] >= KEEP.total_seconds()] == []
    assert taken <= before == wire.octets <= BEHIND_THE_LAST_JUDGEMENT


@pytest.mark.parametrize("kind", ["hls", "mp4"])
async def test_what_still_waits_when_its_picture_has_expired_is_cut_before_anybody_takes_it(
    server: PlaybackServer, parts: TokenParts, token: str, wire: Wire, kind: str
) -> None:
    big(server)
    async with server:
        ask = await asked_for(server, kind, token)
        async with ask() as answer:
            await wire.quiet()
            server.later(KEEP)
            await wire.cut(within_s=2.0)
            assert await answer.until_cut() < PIECE
        if kind == "mp4":
            await server.idle()
            assert [one.reason for one in parts.events(Tag.MEDIA_CUT)] == ["media-broken-off"]


async def test_what_waits_is_cut_in_the_moment_in_which_it_expires_even_if_no_clock_is_asked_again(
    server: PlaybackServer, parts: TokenParts, token: str, wire: Wire
) -> None:
    big(server)
    async with server:
        server.later(KEEP - timedelta(seconds=0.3))
        async with server.asking(f"archive-{NOON_S}-20.mp4?token={token}", buffer=4096):
            await wire.quiet()
            await wire.cut(within_s=2.0)
        await server.idle()
    assert [one.reason for one in parts.events(Tag.MEDIA_CUT)] == ["media-broken-off"]


async def test_shorter_retention_cuts_what_waits_as_well(server: PlaybackServer, token: str, wire: Wire) -> None:
    big(server)
    async with server:
        server.later(timedelta(seconds=6))
        async with server.asking(f"archive-{NOON_S}-20.mp4?token={token}", buffer=4096):
            await wire.quiet()
            await asyncio.to_thread(server.vault.shorten, server.door, timedelta(seconds=5))
            server.later(timedelta(seconds=0.5))
            await wire.cut(within_s=2.0)


async def test_a_viewer_who_takes_little_at_a_time_gets_it_whole_while_it_lasts(
    server: PlaybackServer, token: str, wire: Wire
) -> None:
    made = big(server)
    async with server:
        async with server.asking(f"archive-{NOON_S}-20.mp4?token={token}", buffer=4096) as answer:
            await wire.quiet()
            await wire.judged_again(2)
            body = await answer.rest()
    assert answer.is_complete
    assert len(body) > sum(len(one.data) for one in made.of(Track.VIDEO))


async def test_a_film_comes_over_tls_as_it_does_without(server: PlaybackServer, token: str, tmp_path: Path) -> None:
    made = encoded(8.0, gop=25, size=(320, 192), noise=60_000)
    for group in groups(made, 4):
        server.vault.record(server.door, made.epoch(), group, keep=KEEP)
    async with server.over_tls(tmp_path):
        played = await server.pieces(f"archive-{NOON_S}-20.m3u8?token={token}")
        pieces = [await server.body_of(uri) for uri in played.uris]
        film = await server.film(f"archive-{NOON_S}-20.mp4?token={token}")
    assert len(film) > sum(len(one) for one in pieces) > sum(len(one.data) for one in made.of(Track.VIDEO))


async def test_what_waits_over_tls_is_cut_when_it_expires(
    server: PlaybackServer, token: str, wire: Wire, tmp_path: Path
) -> None:
    big(server)
    async with server.over_tls(tmp_path):
        async with server.asking(f"archive-{NOON_S}-20.mp4?token={token}", buffer=4096):
            await wire.quiet()
            server.later(KEEP)
            await wire.cut(within_s=2.0)
    assert [one for one in wire.written if one[0] >= KEEP.total_seconds()] == []

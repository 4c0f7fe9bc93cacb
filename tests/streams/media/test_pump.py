"""Moving the bytes of many cameras by one timer: what goes wrong with one of them is that one's alone."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from streams.address import parse_address
from streams.media.demux import Channel
from streams.media.faults import Fault, SourceFailed
from streams.media.relay import Pacer, Pump, Relay, RelayLimits
from streams.media.wire import Trust
from tests.given.randomness import CountedRandomness
from tests.given.scripted_camera import Conversation, Handler, RtpTrack, scripted_camera
from tests.given.tls import make_certificate, server_context
from vms_privacy.clock import SystemClock

LIMITS = RelayLimits(stall_s=5, gulp_s=0.01)
# A whole record of application data that the connection's keys never made.
DAMAGED_RECORD = b"\x17\x03\x03\x00\x40" + bytes(64)


class Child(Channel):
    """Where bytes are to go, without a process behind it."""

    is_full = False

    def __init__(self) -> None:
        self.fed = asyncio.Event()

    def feed(self, frames: bytes, arrived_us: int) -> None:
        self.fed.set()


class LostChild(Child):
    """One that cannot be fed, for a reason that nobody foresaw."""

    def feed(self, frames: bytes, arrived_us: int) -> None:
        raise KeyError("no such slot")


class Moving:
    """Some cameras under one pacer, and why each failed."""

    def __init__(self) -> None:
        self.failed: asyncio.Queue[SourceFailed] = asyncio.Queue()
        self.pacer = Pacer(LIMITS.gulp_s, lambda: None)

    @asynccontextmanager
    async def camera(self, handler: Handler, child: Child, tls: Path | None = None) -> AsyncIterator[Pump]:
        paths = None if tls is None else make_certificate(tls)
        trust = Trust() if paths is None else Trust(paths[0])
        relay = Relay(SystemClock(), CountedRandomness(), trust, limits=LIMITS)
        async with scripted_camera(handler, tls=None if paths is None else server_context(*paths)) as camera:
            url = camera.url if paths is None else camera.url.replace("rtsp:", "rtsps:")
            pump = await relay.play(await relay.connect(parse_address(url)), child, self.failed.put_nowait)
            self.pacer.add(pump)
            yield pump
            pump.stop()

    async def why(self) -> Fault:
        async with asyncio.timeout(10):
            return (await self.failed.get()).fault


@pytest.fixture
async def moving() -> AsyncIterator[Moving]:
    moving = Moving()
    pacing = asyncio.create_task(moving.pacer.run())
    yield moving
    pacing.cancel()


async def goes_on(child: Child) -> None:
    """Wait until a camera's bytes come anew."""
    child.fed.clear()
    async with asyncio.timeout(10):
        await child.fed.wait()


async def filming(camera: Conversation) -> None:
    track = RtpTrack(0, 96)
    await camera.until_play()
    while not camera.writer.is_closing():
        await camera.send(track.frame(b"\x09\xf0", 0, marker=False))
        await asyncio.sleep(0.01)


async def test_a_damaged_tls_record_ends_the_connection_of_that_camera_alone(moving: Moving, tmp_path: Path) -> None:
    child, playing = Child(), asyncio.Event()

    async def damaging(camera: Conversation) -> None:
        await camera.until_play()
        await playing.wait()
        os.write(camera.writer.get_extra_info("socket").fileno(), DAMAGED_RECORD)
        await camera.until_gone()

    async with moving.camera(filming, child), moving.camera(damaging, Child(), tls=tmp_path) as damaged:
        playing.set()
        assert await moving.why() is Fault.ENDED_BY_CAMERA
        assert damaged.is_over
        await goes_on(child)
    assert moving.pacer.failed_rounds == 0


async def test_what_nobody_foresaw_ends_the_connection_of_that_camera_alone_and_is_told(moving: Moving) -> None:
    child = Child()
    with capture_logs() as told:
        async with moving.camera(filming, LostChild()) as lost, moving.camera(filming, child):
            assert await moving.why() is Fault.INTERNAL_ERROR
            assert lost.is_over
            await goes_on(child)
    assert [(one["event"], one["error"]) for one in told] == [("connection-failed", "KeyError")]
    assert told[0]["place"].startswith("test_pump.py:")
    assert "no such slot" not in str(told)
    assert moving.pacer.failed_rounds == 0


async def test_a_round_that_fails_is_told_and_the_next_one_comes() -> None:
    rounds: list[int] = []
    enough = asyncio.Event()

    def flush() -> None:
        rounds.append(len(rounds))
        if len(rounds) == 1:
            raise MemoryError
        enough.set()

    pacer = Pacer(LIMITS.gulp_s, flush)
    pacing = asyncio.create_task(pacer.run())
    with capture_logs() as told:
        async with asyncio.timeout(10):
            await enough.wait()
    pacing.cancel()
    assert [(one["event"], one["error"]) for one in told] == [("round-failed", "MemoryError")]
    assert pacer.failed_rounds == 1

"""The ingest service on real sockets and real time, for one block of a test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

from streams.address import parse_address
from streams.cameras.rules import CameraSource, CameraState, CameraStatus
from streams.ingest.rules import BackOff
from streams.ingest.service import IngestService
from streams.ingest.subscription import Item, Subscription
from streams.media.fmp4 import Fragmenter
from streams.media.packets import Epoch, Fragment, Packet, Track
from streams.media.relay import Relay, RelayLimits
from streams.media.wire import Resolve, Trust, resolve_by_system
from vms_privacy.clock import SystemClock
from vms_privacy.ids import CameraId, OperatorId, SystemRandomness

OPERATOR = OperatorId(UUID(int=1))
SOON = BackOff(
    first=timedelta(milliseconds=20),
    longest=timedelta(milliseconds=100),
    slow_first=timedelta(milliseconds=20),
    slow_longest=timedelta(milliseconds=100),
)
DEADLINE_S = 30.0


def source(url: str, number: int = 7, pin: str | None = None) -> CameraSource:
    return CameraSource(CameraId(UUID(int=number)), OPERATOR, parse_address(url), pin)


@asynccontextmanager
async def ingesting(
    limits: RelayLimits | None = None,
    trust: Trust | None = None,
    key_picture_within: timedelta = timedelta(seconds=15),
    resolve: Resolve = resolve_by_system,
) -> AsyncIterator[IngestService]:
    clock, randomness = SystemClock(), SystemRandomness()
    limits = limits or RelayLimits(gulp_s=0.02)
    relay = Relay(clock, randomness, trust or Trust(), limits=limits, resolve=resolve)
    service = IngestService(relay, clock, randomness, Fragmenter, SOON, key_picture_within)
    service.open()
    try:
        yield service
    finally:
        await service.close()


async def until(service: IngestService, camera: CameraSource, state: CameraState, why: str = "") -> CameraStatus:
    """Wait until a camera is in that state, for that reason."""
    news = asyncio.Event()
    service.on_status(lambda source, status: news.set())
    async with asyncio.timeout(DEADLINE_S):
        while True:
            news.clear()
            status = service.status(camera.camera_id)
            if status.state is state and status.why == why:
                return status
            await news.wait()


async def drawn(subscription: Subscription, pictures: int) -> list[Item]:
    """Draw until so many pictures came: packets, or those in fragments."""
    items: list[Item] = []
    async with asyncio.timeout(DEADLINE_S):
        while _pictures(items) < pictures:
            batch = await subscription.batch()
            assert batch, "the camera was stopped"
            items += batch
    return items


def _pictures(items: list[Item]) -> int:
    return sum(
        item.packets if isinstance(item, Fragment) else 1
        for item in items
        if isinstance(item, Packet | Fragment) and item.track is Track.VIDEO
    )


def file_of(items: list[Item], tracks: frozenset[Track] | None = None) -> bytes:
    """Put the last epoch and its fragments together: one MP4."""
    start = max(at for at, item in enumerate(items) if isinstance(item, Epoch))
    epoch = items[start]
    assert isinstance(epoch, Epoch)
    wanted = tracks or frozenset(info.track for info in epoch.tracks)
    parts = [item.data for item in items[start:] if isinstance(item, Fragment) and item.track in wanted]
    return epoch.init[wanted] + b"".join(parts)

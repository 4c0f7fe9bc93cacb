"""An RTSP server with sources by hand, and a client of it."""

from collections.abc import AsyncIterator

import pytest

from streams.rtsp.server import RtspServer
from tests.given.randomness import CountedRandomness
from tests.given.rtsp_client import RtspClient
from tests.given.rtsp_sources import HandSources


@pytest.fixture
def sources() -> HandSources:
    return HandSources()


@pytest.fixture
async def server(sources: HandSources, randomness: CountedRandomness) -> AsyncIterator[RtspServer]:
    async with RtspServer("127.0.0.1", 0, sources, randomness) as running:
        yield running


@pytest.fixture
async def client(server: RtspServer) -> AsyncIterator[RtspClient]:
    connected = await RtspClient.to(server.url("open/yard"))
    yield connected
    await connected.close()

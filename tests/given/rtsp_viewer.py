"""A client of the RTSP server that plays both tracks over TCP."""

import asyncio

from tests.given.rtp_reader import read_rtp
from tests.given.rtsp_client import DEADLINE_S, RtspClient
from tests.given.rtsp_sources import HandFeed, HandSources

TCP = ("RTP/AVP/TCP;unicast;interleaved=0-1", "RTP/AVP/TCP;unicast;interleaved=2-3")


async def until(condition: asyncio.Event) -> None:
    async with asyncio.timeout(DEADLINE_S):
        await condition.wait()


async def playing(client: RtspClient, sources: HandSources) -> HandFeed:
    """Bring a client to where packets flow, both tracks over TCP."""
    assert (await client.ask("DESCRIBE")).status == 200
    assert [answer.status for answer in await client.set_up(*TCP)] == [200, 200]
    assert (await client.ask("PLAY")).status == 200
    return sources.feeds[-1]


async def number_of_next_picture(client: RtspClient) -> int:
    while True:
        frame = await client.frame()
        if frame.channel == 0:
            unit = read_rtp(frame.payload).payload
            if unit[0] & 0x1F in {1, 5}:
                return int.from_bytes(unit[1:5], "big")

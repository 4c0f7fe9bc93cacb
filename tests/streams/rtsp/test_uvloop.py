"""The server does the same in the event loop that the service runs on."""

import asyncio

import uvloop

from streams.rtsp.server import RtspServer
from tests.given.randomness import CountedRandomness
from tests.given.rtp_reader import read_rtp
from tests.given.rtsp_client import DEADLINE_S, RtspClient
from tests.given.rtsp_sources import HandSources, picture


async def play_and_be_cut(transport: str, ear: asyncio.Queue[bytes], port: int) -> None:
    sources = HandSources()
    async with RtspServer("127.0.0.1", 0, sources, CountedRandomness()) as server:
        client = await RtspClient.to(server.url("open/yard"))
        assert (await client.ask("DESCRIBE")).status == 200
        (answer,) = await client.set_up(transport.format(port=port, next=port + 1))
        assert answer.status == 200
        assert (await client.ask("PLAY")).status == 200
        feed = sources.feeds[-1]
        feed.put(picture(1, is_key=True))
        async with asyncio.timeout(DEADLINE_S):
            data = await ear.get() if "client_port" in transport else (await client.frame()).payload
        assert data[1] in {96, 200}
        assert feed.cut is not None
        await asyncio.to_thread(feed.cut)
        assert await client.is_over()
        async with asyncio.timeout(DEADLINE_S):
            await feed.closed.wait()
        await client.close()


def test_over_the_control_connection() -> None:
    uvloop.run(play_and_be_cut("RTP/AVP/TCP;unicast", asyncio.Queue(), 0))


def test_over_udp() -> None:
    async def play() -> None:
        arrived: asyncio.Queue[bytes] = asyncio.Queue()

        class Ear(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: object) -> None:
                assert read_rtp(data).payload_type == 96
                arrived.put_nowait(data)

        ear, _ = await asyncio.get_running_loop().create_datagram_endpoint(Ear, ("127.0.0.1", 0))
        port = ear.get_extra_info("sockname")[1]
        await play_and_be_cut("RTP/AVP;unicast;client_port={port}-{next}", arrived, port)
        ear.close()

    uvloop.run(play())

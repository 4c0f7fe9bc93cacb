"""What flows to the viewers of the RTSP server, and what ends it."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from streams.media.packets import Epoch
from streams.rtsp.connection import Limits
from streams.rtsp.server import RtspServer
from tests.given.randomness import CountedRandomness
from tests.given.rtp_reader import h264_units, read_compound, read_rtp
from tests.given.rtsp_client import DEADLINE_S, RtspClient
from tests.given.rtsp_sources import AUDIO, VIDEO, HandSources, RightWithdrawn, picture, sound
from tests.given.rtsp_viewer import number_of_next_picture, playing, until


async def test_pictures_flow_from_the_first_key_picture_on(client: RtspClient, sources: HandSources) -> None:
    feed = await playing(client, sources)
    feed.put(picture(1), sound(1), picture(2, is_key=True), sound(2), picture(3))
    frames = [await client.frame() for _ in range(7)]
    assert [frame.channel for frame in frames] == [1, 0, 0, 0, 3, 2, 0]
    report, kinds = read_compound(frames[0].payload)
    assert kinds == [200, 202]
    assert report.utc_seconds == pytest.approx(picture(2).captured_at_us / 1e6, abs=1e-6)
    units = h264_units([read_rtp(frame.payload) for frame in frames if frame.channel == 0])
    assert [unit[0] & 0x1F for unit in units] == [7, 8, 5, 1]
    assert feed.octets == sum(len(frame.payload) for frame in frames if frame.channel in {0, 2})


async def test_reports_come_every_five_seconds_of_film(client: RtspClient, sources: HandSources) -> None:
    feed = await playing(client, sources)
    feed.put(picture(0, is_key=True), *(picture(n) for n in range(1, 251)))
    channels = [(await client.frame()).channel for _ in range(2 + 251 + 3)]
    assert channels.count(1) == 3


async def test_udp_goes_to_the_address_that_asked_and_nowhere_else(client: RtspClient, sources: HandSources) -> None:
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    class Ear(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            arrived.put_nowait(data)

    elsewhere, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, ("127.0.0.2", 0))
    port = elsewhere.get_extra_info("sockname")[1]
    here, _ = await loop.create_datagram_endpoint(Ear, ("127.0.0.1", port))
    await client.ask("DESCRIBE")
    (answer,) = await client.set_up(f"RTP/AVP;unicast;destination=127.0.0.2;client_port={port}-{port + 1}")
    assert answer.headers["transport"].startswith(f"RTP/AVP;unicast;client_port={port}-{port + 1};server_port=")
    await client.ask("PLAY")
    sources.feeds[-1].put(picture(1, is_key=True))
    async with asyncio.timeout(DEADLINE_S):
        units = h264_units([read_rtp(await arrived.get()) for _ in range(3)])
    assert units[-1][1:5] == (1).to_bytes(4, "big")
    elsewhere.close()
    here.close()


async def test_a_viewer_of_udp_is_kept_alive_by_its_reports(
    sources: HandSources, randomness: CountedRandomness
) -> None:
    async with RtspServer("127.0.0.1", 0, sources, randomness, limits=Limits(session_s=0.4)) as server:
        client = await RtspClient.to(server.url("open/yard"))
        await client.ask("DESCRIBE")
        loop = asyncio.get_running_loop()
        ear, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, ("127.0.0.1", 0))
        port = ear.get_extra_info("sockname")[1]
        (answer,) = await client.set_up(f"RTP/AVP;unicast;client_port={port - 1}-{port}")
        rtcp = int(answer.headers["transport"].partition("server_port=")[2].partition("-")[2].partition(";")[0])
        ends_at = loop.time() + 1.0
        while loop.time() < ends_at:
            ear.sendto(bytes.fromhex("80c90001cafecafe"), ("127.0.0.1", rtcp))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(sources.feeds[-1].closed.wait(), 0.1)
        await until(sources.feeds[-1].closed)
        ear.close()
        await client.close()


async def test_a_silent_client_loses_its_session(sources: HandSources, randomness: CountedRandomness) -> None:
    async with RtspServer("127.0.0.1", 0, sources, randomness, limits=Limits(session_s=0.2)) as server:
        client = await RtspClient.to(server.url("open/yard"))
        await playing(client, sources)
        await until(sources.feeds[-1].closed)
        assert await client.is_over()
        await client.close()


async def test_a_client_that_asks_nothing_is_sent_away(sources: HandSources, randomness: CountedRandomness) -> None:
    async with RtspServer("127.0.0.1", 0, sources, randomness, limits=Limits(first_request_s=0.1)) as server:
        client = await RtspClient.to(server.url("open/yard"))
        await client.is_over()
        await client.close()
        assert sources.asked == []


async def test_teardown_releases_everything_and_the_connection_may_begin_again(
    client: RtspClient, sources: HandSources
) -> None:
    first = await playing(client, sources)
    assert (await client.ask("TEARDOWN")).status == 200
    assert first.closed.is_set()
    client.session = None
    second = await playing(client, sources)
    assert second is not first


async def test_a_lost_connection_releases_everything(client: RtspClient, sources: HandSources) -> None:
    feed = await playing(client, sources)
    await client.close()
    await until(feed.closed)


@pytest.mark.parametrize("from_thread", [False, True])
async def test_a_cut_viewer_is_reset_and_gets_no_further_byte(
    client: RtspClient, sources: HandSources, from_thread: bool
) -> None:
    feed = await playing(client, sources)
    feed.put(picture(1, is_key=True))
    assert await number_of_next_picture(client) == 1
    assert feed.cut is not None
    if from_thread:
        await asyncio.to_thread(feed.cut)
    else:
        feed.cut()
    feed.put(picture(2))
    assert await client.is_over()
    await until(feed.closed)
    assert feed.queue.qsize() == 1


async def test_a_refusal_while_playing_cuts_the_viewer(client: RtspClient, sources: HandSources) -> None:
    feed = await playing(client, sources)
    feed.put(picture(1, is_key=True), RightWithdrawn("no more"))
    assert await client.is_over()
    await until(feed.closed)


async def test_the_end_of_the_camera_is_said_goodbye(client: RtspClient, sources: HandSources) -> None:
    feed = await playing(client, sources)
    feed.put(picture(1, is_key=True), None)
    await until(feed.closed)
    frames = [await client.frame() for _ in range(6)]
    assert [frame.payload[9] for frame in frames[-2:]] == [203, 203]
    with pytest.raises(EOFError):
        await client.frame()


async def test_a_slow_viewer_is_dropped_forward_to_a_key_picture(
    sources: HandSources, randomness: CountedRandomness
) -> None:
    limits = Limits(most_waiting=200_000)
    async with RtspServer("127.0.0.1", 0, sources, randomness, limits=limits) as server:
        client = await RtspClient.to(server.url("open/yard"))
        feed = await playing(client, sources)
        # Nobody reads: 20,000 pictures of 1 kB are much more than the kernel and the buffer hold.
        for number in range(20_000):
            feed.put(picture(number, is_key=number % 25 == 0, size=1000))
            if number % 100 == 0:
                await asyncio.sleep(0)
        async with asyncio.timeout(DEADLINE_S):
            while not feed.queue.empty():
                await asyncio.sleep(0)
        before = feed.octets
        assert before < 10_000_000
        feed.put(*(picture(number, is_key=number % 25 == 0) for number in range(20_000, 20_001)))
        seen: list[int] = []
        while not seen or seen[-1] < 40_000:
            seen.append(await number_of_next_picture(client))
            if feed.queue.empty() and len(seen) % 50 == 0:
                number = 40_000 + len(seen)
                feed.put(picture(number, is_key=True))
        steps = [(a, b) for a, b in pairwise(seen) if b != a + 1]
        assert steps
        assert all(later > earlier for earlier, later in steps)
        assert all(later % 25 == 0 or later >= 40_000 for _, later in steps)
        await client.close()


async def test_a_viewer_that_reads_nothing_at_all_is_cut(sources: HandSources, randomness: CountedRandomness) -> None:
    limits = Limits(most_waiting=100_000, stalled_s=0.1)
    async with RtspServer("127.0.0.1", 0, sources, randomness, limits=limits) as server:
        client = await RtspClient.to(server.url("open/yard"))
        feed = await playing(client, sources)
        number = 0
        async with asyncio.timeout(DEADLINE_S):
            while not feed.closed.is_set():
                if feed.queue.empty():
                    feed.put(picture(number, is_key=True, size=50_000))
                    number += 1
                await asyncio.sleep(0)
        await client.close()


async def test_a_damaged_picture_is_left_out_and_the_viewer_goes_on_at_a_key_picture(
    client: RtspClient, sources: HandSources
) -> None:
    feed = await playing(client, sources)
    damaged = replace(picture(2), data=b"\x00\x00\xff\xff")
    feed.put(picture(1, is_key=True), damaged, picture(3), picture(4, is_key=True))
    assert await number_of_next_picture(client) == 1
    assert await number_of_next_picture(client) == 4


async def test_a_new_epoch_goes_on_at_its_key_picture(client: RtspClient, sources: HandSources) -> None:
    feed = await playing(client, sources)
    feed.put(picture(1, is_key=True), Epoch(2, (VIDEO, AUDIO), {}), picture(2), picture(3, is_key=True))
    assert await number_of_next_picture(client) == 1
    assert await number_of_next_picture(client) == 3


async def test_the_end_of_the_server_is_the_end_of_everyone(
    sources: HandSources, randomness: CountedRandomness
) -> None:
    server = RtspServer("127.0.0.1", 0, sources, randomness)
    await server.start()
    client = await RtspClient.to(server.url("open/yard"))
    feed = await playing(client, sources)
    await server.close()
    assert feed.closed.is_set()
    assert await client.is_over()
    await client.close()

"""Viewers of a simulated camera are bounded and do not hold each other up."""

import asyncio

from streams.media.packets import Epoch
from streams.simulator.broadcast import Broadcast
from tests.given.rtsp_sources import AUDIO, VIDEO, picture, sound

EPOCH = Epoch(1, (VIDEO, AUDIO), {})


async def test_every_viewer_gets_what_comes_after_it_came() -> None:
    broadcast = Broadcast(EPOCH)
    early = broadcast.subscribe()
    broadcast.publish([picture(1, is_key=True)])
    late = broadcast.subscribe()
    other = Epoch(2, (VIDEO,), {})
    broadcast.publish([sound(1)])
    broadcast.begin(other)
    broadcast.end()
    assert [item async for item in early.packets()] == [picture(1, is_key=True), sound(1), other]
    assert [item async for item in late.packets()] == [sound(1), other]
    assert broadcast.subscribe().tracks == (VIDEO,)


async def test_a_viewer_that_takes_nothing_goes_on_at_a_key_picture() -> None:
    broadcast = Broadcast(EPOCH)
    feed = broadcast.subscribe()
    for number in range(0, 1000, 10):
        broadcast.publish([picture(n, is_key=n % 50 == 0) for n in range(number, number + 10)])
    broadcast.end()
    got = [item async for item in feed.packets()]
    assert got == [picture(n, is_key=n % 50 == 0) for n in range(512)]
    assert feed.dropped == 488


async def test_after_an_overflow_the_next_key_picture_is_the_first() -> None:
    broadcast = Broadcast(EPOCH)
    feed = broadcast.subscribe()
    broadcast.publish([picture(n, is_key=n == 0) for n in range(600)])
    packets = feed.packets()
    first = [await anext(packets) for _ in range(512)]
    broadcast.publish([picture(600), sound(1), picture(601, is_key=True), picture(602)])
    assert first[-1] == picture(511)
    assert [await anext(packets), await anext(packets)] == [picture(601, is_key=True), picture(602)]


async def test_a_viewer_that_left_gets_nothing() -> None:
    broadcast = Broadcast(EPOCH)
    feed = broadcast.subscribe()
    await feed.close()
    broadcast.publish([picture(1, is_key=True)])
    broadcast.end()
    assert feed.dropped == 0


def test_a_viewer_whose_loop_is_gone_does_not_stop_the_camera() -> None:
    broadcast = Broadcast(EPOCH)

    async def look() -> None:
        broadcast.subscribe()

    asyncio.run(look())
    broadcast.publish([picture(1, is_key=True)])
    broadcast.publish([picture(2)])
    assert broadcast.vanished == 1

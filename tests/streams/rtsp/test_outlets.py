"""RTP and RTCP leave from an even port and the next, to one address; a lost datagram is counted, not fatal."""

import asyncio

from streams.rtsp.addresses import OverControl, OverUdp
from streams.rtsp.outlets import ControlOutlet, open_udp
from tests.given.rtsp_client import DEADLINE_S

HERE = ("127.0.0.1", 8554)


async def test_ports_are_a_pair() -> None:
    outlets = [await open_udp(HERE, ("127.0.0.1", 50_000), OverUdp(6000, 6001), lambda: None) for _ in range(20)]
    ports = [outlet.describe().partition("server_port=")[2].split("-") for outlet in outlets]
    assert all(int(rtp) % 2 == 0 and int(rtcp) == int(rtp) + 1 for rtp, rtcp in ports)
    for outlet in outlets:
        outlet.close()


async def test_a_port_that_nobody_listens_on_loses_packets_only() -> None:
    outlet = await open_udp(HERE, ("127.0.0.1", 50_000), OverUdp(1025, 1026), lambda: None)
    async with asyncio.timeout(DEADLINE_S):
        while outlet.lost < 3:
            outlet.media([b"rtp"])
            await asyncio.sleep(0)
    outlet.report(b"rtcp")
    outlet.close()


async def test_strangers_are_not_heard() -> None:
    heard: list[int] = []
    loop = asyncio.get_running_loop()
    friend, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, ("127.0.0.1", 0))
    stranger, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, ("127.0.0.1", 0))
    port = friend.get_extra_info("sockname")[1]
    outlet = await open_udp(HERE, ("127.0.0.1", 50_000), OverUdp(port - 1, port), lambda: heard.append(1))
    rtcp = int(outlet.describe().rpartition("-")[2])
    stranger.sendto(b"report", ("127.0.0.1", rtcp))
    for _ in range(3):
        friend.sendto(b"report", ("127.0.0.1", rtcp))
    # Loopback keeps the order: had the stranger been let in, the third of four would be the friend's second.
    async with asyncio.timeout(DEADLINE_S):
        while len(heard) < 3:
            await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(heard) == 3
    for transport in (friend, stranger):
        transport.close()
    outlet.close()


def test_interleaved_packets_are_framed() -> None:
    written: list[bytes] = []
    outlet = ControlOutlet(written.append, OverControl(2, 3))
    outlet.media([b"ab", b"c"])
    outlet.report(b"d")
    outlet.close()
    assert written == [b"$\x02\x00\x02ab$\x02\x00\x01c", b"$\x03\x00\x01d"]

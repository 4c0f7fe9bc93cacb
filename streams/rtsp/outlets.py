"""Where the packets of one track go: channels of the control connection, or a pair of UDP ports of its address."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Protocol

from streams.rtsp.addresses import OverControl, OverUdp
from streams.rtsp.protocol import Interleaved

_TRIES = 64


class Outlet(Protocol):
    """Takes whole RTP and RTCP packets; never waits."""

    def media(self, datagrams: Sequence[bytes]) -> None:
        """Send the RTP packets of one access unit."""
        ...

    def report(self, datagram: bytes) -> None:
        """Send one compound RTCP packet."""
        ...

    def describe(self) -> str:
        """Return the Transport header's answer, without ssrc."""
        ...

    def close(self) -> None:
        """Send nothing more and give up the ports."""
        ...


class ControlOutlet:
    """Interleaved in the control connection; what waits for it is the connection's own buffer."""

    def __init__(self, write: Callable[[bytes], None], channels: OverControl) -> None:
        self._write = write
        self._channels = channels

    def media(self, datagrams: Sequence[bytes]) -> None:
        self._write(b"".join(Interleaved(self._channels.rtp, d).encode() for d in datagrams))

    def report(self, datagram: bytes) -> None:
        self._write(Interleaved(self._channels.rtcp, datagram).encode())

    def describe(self) -> str:
        return f"RTP/AVP/TCP;unicast;interleaved={self._channels.rtp}-{self._channels.rtcp}"

    def close(self) -> None:
        """The control connection closes itself."""


class _Ear(asyncio.DatagramProtocol):
    """Hears receiver reports; what they say is not needed, that they come is."""

    def __init__(self, heard: Callable[[], None]) -> None:
        self._heard = heard
        self.refused = 0

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._heard()

    def error_received(self, exc: Exception) -> None:
        """Nobody listens on the client's port; counted, the session's time-out ends it."""
        self.refused += 1


class UdpOutlet:
    """Two connected sockets: nobody else's datagrams come in, nothing goes anywhere else."""

    def __init__(self, rtp: socket.socket, rtcp: asyncio.DatagramTransport, ports: OverUdp) -> None:
        self._rtp = rtp
        self._rtcp = rtcp
        self._ports = ports
        self._server_port = int(rtp.getsockname()[1])
        self.lost = 0

    def media(self, datagrams: Sequence[bytes]) -> None:
        for datagram in datagrams:
            try:
                self._rtp.send(datagram)
            except OSError:
                # The kernel is full or nobody listens on that port: over UDP that is a lost packet.
                self.lost += 1

    def report(self, datagram: bytes) -> None:
        self._rtcp.sendto(datagram)

    def describe(self) -> str:
        mine = f"{self._server_port}-{self._server_port + 1}"
        return f"RTP/AVP;unicast;client_port={self._ports.rtp}-{self._ports.rtcp};server_port={mine}"

    def close(self) -> None:
        self._rtp.close()
        self._rtcp.abort()


async def open_udp(
    local: Sequence[object], peer: Sequence[object], ports: OverUdp, heard: Callable[[], None]
) -> UdpOutlet:
    """Bind an even port and the next of the address the client reached us at, connected to the client's two.

    `local` and `peer` are socket names of the control connection.

    Raises:
        OSError: no pair of ports was free.

    """
    family = socket.AF_INET6 if ":" in str(local[0]) else socket.AF_INET
    rtp, rtcp = _bind_pair(family, local)
    rtp.connect((peer[0], ports.rtp, *peer[2:]))
    rtcp.connect((peer[0], ports.rtcp, *peer[2:]))
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Ear(heard), sock=rtcp)
    return UdpOutlet(rtp, transport, ports)


def _bind_pair(family: socket.AddressFamily, local: Sequence[object]) -> tuple[socket.socket, socket.socket]:
    """RFC 3550, 11: RTP on an even port, RTCP on the next."""
    problem: OSError | None = None
    for _ in range(_TRIES):
        rtp, rtcp = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_DGRAM)
        try:
            rtp.bind((local[0], 0, *local[2:]))
            port = rtp.getsockname()[1]
            rtcp.bind((local[0], (port + 1) & 0xFFFF, *local[2:]))
        except OSError as error:
            problem = error
        else:
            if port % 2 == 0:
                rtp.setblocking(False)
                rtcp.setblocking(False)
                return rtp, rtcp
        rtp.close()
        rtcp.close()
    raise problem or OSError("no pair of UDP ports was free")

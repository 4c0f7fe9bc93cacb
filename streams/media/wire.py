"""The only socket that reaches a camera: to an allowed address, encrypted and verified where the address says so.

Promise: a name is resolved once, and the address that was checked is the one that is connected to. With `rtsps` not
a byte of RTSP is sent before the certificate is verified, or is the very one pinned at registration (SE-1).

The first part of a conversation is awaited (`send`, `receive`); streaming is polled (`take`, `hand`), so that one
timer serves all cameras and no event loop wakes for each packet.
"""

import asyncio
import hashlib
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from streams.address import Network, RtspAddress, lies_in
from streams.media.faults import Fault, SourceFailed

# Which IP addresses a host and port stand for.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_READ: Final = 256 * 1024
_RECORD: Final = 64 * 1024
# Link-local is not among them: cloud machines keep their secrets there.
PRIVATE_NETWORKS: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(text)
    for text in ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)


async def resolve_by_system(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def allowed_among(addresses: Sequence[str], networks: Sequence[Network]) -> list[str]:
    """Return those addresses that lie in one of the networks, in their order; mapped IPv4 counts as IPv4."""
    return [text for text in addresses if lies_in(text, networks)]


class Trust:
    """Which certificates are believed: the system's authorities or those of `authorities`, or one pinned by SHA-256."""

    def __init__(self, authorities: Path | None = None) -> None:
        self._verifying = ssl.create_default_context(cafile=None if authorities is None else str(authorities))
        self._verifying.minimum_version = ssl.TLSVersion.TLSv1_2
        self._pinning = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._pinning.minimum_version = ssl.TLSVersion.TLSv1_2
        # Cameras sign their own certificates: the fingerprint is compared before anything is sent.
        self._pinning.check_hostname = False
        self._pinning.verify_mode = ssl.CERT_NONE

    def context(self, pin: str | None) -> ssl.SSLContext:
        return self._verifying if pin is None else self._pinning


class Wire:
    """One connection to a camera. Closing it is all that is ever needed to end it, from the loop's thread.

    `peer` is the address that was connected to: one that hung up already has none that the system could tell.
    """

    def __init__(self, sock: socket.socket, peer: str) -> None:
        self._sock = sock
        self.peer = peer
        self._buffer = memoryview(bytearray(_READ))
        self._tls: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()

    @classmethod
    async def connect(
        cls, address: RtspAddress, networks: Sequence[Network], trust: Trust, pin: str | None, resolve: Resolve
    ) -> "Wire":
        """Return an open connection. Raises SourceFailed (unreachable, not allowed, not verified)."""
        peer = await _allowed(address, networks, resolve)
        wire = cls(await _connected(peer, address.port), peer)
        try:
            if address.is_encrypted:
                await wire._shake_hands(address.host, trust.context(pin), pin)
        except BaseException:
            wire.close()
            raise
        return wire

    async def send(self, data: bytes) -> None:
        """Send all of it. Raises SourceFailed (ended)."""
        try:
            await asyncio.get_running_loop().sock_sendall(self._sock, self._sealed(data))
        except (OSError, ssl.SSLError):
            raise _ended() from None

    async def receive(self) -> bytes:
        """Return what comes next, at least one byte. Raises SourceFailed (ended)."""
        while True:
            if self._tls is not None:
                plain = self._opened()
                if plain:
                    return plain
            try:
                data = await asyncio.get_running_loop().sock_recv(self._sock, _RECORD)
            except OSError:
                raise _ended() from None
            if not data:
                raise _ended()
            if self._tls is None:
                return data
            self._incoming.write(data)

    def take(self) -> bytes:
        """Return what has come without waiting; nothing if nothing has. Raises SourceFailed (ended)."""
        try:
            count = self._sock.recv_into(self._buffer)
        except BlockingIOError:
            return b""
        except OSError:
            raise _ended() from None
        if count == 0:
            raise _ended()
        data = bytes(self._buffer[:count])
        if self._tls is None:
            return data
        self._incoming.write(data)
        return self._opened()

    def hand(self, data: bytes) -> None:
        """Send a short message without waiting. Raises SourceFailed (ended) if the camera takes nothing any more."""
        try:
            # An `ssl.SSLError` is an OSError too: after a damaged record nothing can be encrypted any more.
            sealed = self._sealed(data)
            sent = self._sock.send(sealed)
        except OSError:
            raise _ended() from None
        if sent != len(sealed):
            raise _ended()

    def close(self) -> None:
        """Let go of it. Closing twice is harmless."""
        self._sock.close()

    async def _shake_hands(self, host: str, context: ssl.SSLContext, pin: str | None) -> None:
        tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        loop = asyncio.get_running_loop()
        try:
            while True:
                is_done = _step(tls)
                if flight := self._outgoing.read():
                    await loop.sock_sendall(self._sock, flight)
                if is_done:
                    break
                data = await loop.sock_recv(self._sock, _RECORD)
                if not data:
                    raise SourceFailed(
                        Fault.TLS_NOT_VERIFIED, "the camera ended the connection instead of encrypting it"
                    )
                self._incoming.write(data)
        except ssl.SSLCertVerificationError as error:
            raise SourceFailed(
                Fault.TLS_NOT_VERIFIED, f"the camera's certificate is not to be trusted (code {error.verify_code})"
            ) from None
        except (ssl.SSLError, OSError):
            raise SourceFailed(Fault.TLS_NOT_VERIFIED, "the camera does not speak TLS 1.2 or 1.3") from None
        certificate = tls.getpeercert(binary_form=True)
        if pin is not None and (certificate is None or hashlib.sha256(certificate).hexdigest() != pin):
            raise SourceFailed(Fault.TLS_NOT_VERIFIED, "the camera shows another certificate than the pinned one")
        self._tls = tls

    def _sealed(self, data: bytes) -> bytes:
        if self._tls is None:
            return data
        self._tls.write(data)
        return self._outgoing.read()

    def _opened(self) -> bytes:
        parts: list[bytes] = []
        try:
            while part := self._read():
                parts.append(part)
        except ssl.SSLError:
            raise _ended() from None
        return b"".join(parts)

    def _read(self) -> bytes:
        if self._tls is None:
            return b""
        try:
            plain = self._tls.read(_RECORD)
        except ssl.SSLWantReadError:
            return b""
        if not plain:
            raise _ended()
        return plain


def _step(tls: ssl.SSLObject) -> bool:
    """Go on with a handshake; return whether it is finished."""
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


async def _allowed(address: RtspAddress, networks: Sequence[Network], resolve: Resolve) -> str:
    try:
        addresses = await resolve(address.host, address.port)
    except OSError:
        raise SourceFailed(Fault.UNREACHABLE, "the camera's name is not known") from None
    allowed = allowed_among(addresses, networks)
    if not allowed:
        raise SourceFailed(Fault.ADDRESS_NOT_ALLOWED, "the camera's address lies outside the allowed networks")
    return allowed[0]


async def _connected(peer: str, port: int) -> socket.socket:
    try:
        sock = socket.socket(socket.AF_INET6 if ":" in peer else socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        raise SourceFailed(Fault.UNREACHABLE, "this machine has no socket left for the camera") from None
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, (peer, port))
    except OSError:
        sock.close()
        raise SourceFailed(Fault.UNREACHABLE, "the camera does not take the connection") from None
    except BaseException:
        sock.close()
        raise
    return sock


def _ended() -> SourceFailed:
    return SourceFailed(Fault.ENDED_BY_CAMERA, "the camera ended the connection")

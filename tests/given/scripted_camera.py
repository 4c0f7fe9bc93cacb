"""A camera that says exactly what the test wants it to say: one TCP server on loopback, RTSP answered by hand."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from streams.media.packets import Packet, Track
from tests.given.encoded import Encoded, encoded

SPS_PPS = "a=fmtp:96 packetization-mode=1\r\n"
VIDEO = f"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n{SPS_PPS}a=control:video\r\n"
AUDIO = (
    "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/48000/2\r\n"
    "a=fmtp:97 mode=AAC-hbr;config=1190;sizelength=13;indexlength=3;indexdeltalength=3\r\na=control:audio\r\n"
)
HEAD = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=control:*\r\n"

Handler = Callable[["Conversation"], Awaitable[None]]


@dataclass
class Conversation:
    """One connection of a client. `asked` keeps every request as it came; `over` is set when it has ended."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    asked: list[str] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def question(self) -> tuple[str, str]:
        """Return method and CSeq of the next request."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head)
        sequence = next(line.split(":")[1].strip() for line in head.split("\r\n") if line.startswith("CSeq"))
        return head.split(" ")[0], sequence

    async def answer(self, sequence: str, status: str = "200 OK", headers: str = "", body: str = "") -> None:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        self.writer.write(f"RTSP/1.0 {status}\r\nCSeq: {sequence}\r\n{headers}{length}\r\n{body}".encode())
        await self.writer.drain()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def until_play(self, sdp: str = HEAD + VIDEO) -> None:
        """Answer everything up to PLAY as a good camera does."""
        channel = 0
        while True:
            method, sequence = await self.question()
            if method == "DESCRIBE":
                await self.answer(sequence, headers="Content-Type: application/sdp\r\n", body=sdp)
            elif method == "SETUP":
                transport = f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}"
                await self.answer(sequence, headers=f"Session: 12345678;timeout=60\r\nTransport: {transport}\r\n")
                channel += 2
            else:
                await self.answer(sequence, headers="Session: 12345678\r\n")
                if method == "PLAY":
                    return

    async def until_gone(self) -> None:
        """Wait until the client leaves."""
        while data := await self.reader.read(4096):
            self.asked.append(data.decode("latin-1"))


@dataclass
class ScriptedCamera:
    """Where the camera is, and every conversation so far."""

    port: int
    conversations: list[Conversation] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/cam"

    @property
    def asked(self) -> str:
        return "".join(head for one in self.conversations for head in one.asked)


@asynccontextmanager
async def scripted_camera(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedCamera]:
    """Serve `handler`, once for each connection, until the block ends."""
    camera = ScriptedCamera(0)
    open_writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = Conversation(reader, writer)
        camera.conversations.append(conversation)
        open_writers.add(writer)
        try:
            await handler(conversation)
        except (ConnectionError, asyncio.IncompleteReadError) as left:
            conversation.asked.append(f"left: {type(left).__name__}\r\n")
        finally:
            open_writers.discard(writer)
            writer.close()
            conversation.over.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    camera.port = server.sockets[0].getsockname()[1]
    try:
        yield camera
    finally:
        server.close()
        for writer in list(open_writers):
            writer.transport.abort()
        await asyncio.sleep(0)


@dataclass
class RtpTrack:
    """Numbers packets of one track as RFC 3550 wants it."""

    channel: int
    payload_type: int
    stamp: int = 0xFFFFF000
    sequence: int = 0xFFF0

    def frame(self, payload: bytes, ticks: int, *, marker: bool) -> bytes:
        """Return one `$` frame."""
        head = struct.pack(
            ">BBHII",
            0x80,
            self.payload_type | (0x80 if marker else 0),
            self.sequence & 0xFFFF,
            (self.stamp + ticks) & 0xFFFFFFFF,
            0x01020304,
        )
        self.sequence += 1
        return struct.pack(">BBH", 0x24, self.channel, len(head) + len(payload)) + head + payload

    def report(self, wall_us: int, ticks: int) -> bytes:
        """Return one `$` frame with a sender report."""
        seconds, rest = divmod(wall_us, 1_000_000)
        ntp = (seconds + 2_208_988_800, (rest << 32) // 1_000_000)
        body = struct.pack(">BBHIIIIII", 0x80, 200, 6, 0x01020304, *ntp, (self.stamp + ticks) & 0xFFFFFFFF, 1, 1)
        return struct.pack(">BBH", 0x24, self.channel + 1, len(body)) + body

    def picture(self, units: list[bytes], ticks: int, *, most: int = 1200, marker: bool = True) -> bytes:
        """Return the `$` frames of one picture: whole units, or fragments of large ones (RFC 6184, 5.8)."""
        out = []
        for number, unit in enumerate(units):
            is_last = marker and number == len(units) - 1
            if len(unit) <= most:
                out.append(self.frame(unit, ticks, marker=is_last))
                continue
            pieces = [unit[at : at + most] for at in range(1, len(unit), most)]
            for at, piece in enumerate(pieces):
                flags = (0x80 if at == 0 else 0) | (0x40 if at == len(pieces) - 1 else 0) | unit[0] & 0x1F
                is_end = is_last and at == len(pieces) - 1
                out.append(self.frame(bytes((unit[0] & 0xE0 | 28, flags)) + piece, ticks, marker=is_end))
        return b"".join(out)

    def sound(self, frames: list[bytes], ticks: int) -> bytes:
        """Return one `$` frame with AAC frames (RFC 3640, 13 and 3 bits)."""
        heads = b"".join(struct.pack(">H", len(frame) << 3) for frame in frames)
        payload = struct.pack(">H", len(heads) * 8) + heads + b"".join(frames)
        return self.frame(payload, ticks, marker=True)


def units_of(packet: Packet) -> list[bytes]:
    """Return the NAL units of a packet with four bytes of length before each."""
    units, at = [], 0
    while at < len(packet.data):
        end = at + 4 + int.from_bytes(packet.data[at : at + 4], "big")
        units.append(packet.data[at + 4 : end])
        at = end
    return units


def parameter_sets_of(made: Encoded) -> list[bytes]:
    """Return SPS and PPS of an encoded stream."""
    record = made.tracks[0].extradata
    size = int.from_bytes(record[6:8], "big")
    sps = record[8 : 8 + size]
    at = 8 + size + 1
    size = int.from_bytes(record[at : at + 2], "big")
    return [sps, record[at + 2 : at + 2 + size]]


def filmed(seconds: float = 2.0, **options: int) -> tuple[Encoded, list[tuple[list[bytes], Packet]]]:
    """Return a small real stream, and its pictures as units, with parameter sets before each key picture."""
    made = encoded(seconds, **options)
    sets = parameter_sets_of(made)
    pictures = [(sets + units_of(one) if one.is_key else units_of(one), one) for one in made.of(Track.VIDEO)]
    return made, pictures


def frames_of(track: RtpTrack, pictures: list[tuple[list[bytes], Packet]]) -> Iterator[bytes]:
    """Yield each picture as `$` frames under its own presentation time."""
    for units, packet in pictures:
        yield track.picture(units, packet.pts)

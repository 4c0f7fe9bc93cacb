"""A camera that does what the test says: epochs and packets by hand, through a real fragmenter, to any listener."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator

from streams.media.boxes import box, full_box, pack_u32
from streams.media.fmp4 import Fragmenter
from streams.media.packets import Epoch, Fragment, Packet, Track, TrackInfo
from tests.given.encoded import START_US

VIDEO = TrackInfo(Track.VIDEO, "h264", 90_000, b"\x01\x64\x00\x1f", width=1280, height=720)
AUDIO = TrackInfo(Track.AUDIO, "aac", 48_000, b"\x11\x90", sample_rate=48_000, channels=2)


def plain_epoch(number: int = 1, *, audio: bool = False, init: bytes = b"init") -> Epoch:
    """An epoch whose init segments say which codecs there are, and `init`; for tests that decode nothing."""
    tracks = (VIDEO, AUDIO) if audio else (VIDEO,)
    inits = {frozenset({Track.VIDEO}): _init((VIDEO,), init), frozenset(Track): _init((VIDEO, AUDIO), init)}
    return Epoch(number, tracks, inits)


def _init(tracks: tuple[TrackInfo, ...], name: bytes) -> bytes:
    kinds = {Track.VIDEO: (b"vide", b"avc1"), Track.AUDIO: (b"soun", b"mp4a")}
    traks = []
    for handler, entry in (kinds[info.track] for info in tracks):
        stsd = full_box(b"stsd", 0, 0, pack_u32(1), box(entry))
        media = (full_box(b"hdlr", 0, 0, pack_u32(0), handler), box(b"minf", box(b"stbl", stsd)))
        traks.append(box(b"trak", box(b"mdia", *media)))
    return box(b"moov", *traks) + box(b"free", name)


def drawn(
    seconds: float,
    *,
    start_s: float = 0.0,
    gop_s: float = 2.0,
    fps: int = 25,
    octets: int = 100,
    audio: bool = False,
    captured_from_s: float | None = None,
) -> Iterator[Packet]:
    """Packets of plain bytes whose stamps begin at `start_s`; captured then, or at `captured_from_s`."""
    later_us = 0 if captured_from_s is None else round((captured_from_s - start_s) * 1_000_000)
    per_gop = round(gop_s * fps)
    pictures = [(number / fps, Track.VIDEO, number) for number in range(round(seconds * fps))]
    sounds = [(number * 1024 / 48_000, Track.AUDIO, number) for number in range(round(seconds * 48_000 / 1024))]
    for at_s, track, number in sorted(pictures + (sounds if audio else [])):
        scale, step = (90_000, 90_000 // fps) if track is Track.VIDEO else (48_000, 1024)
        dts = round(start_s * scale) + number * step
        captured = START_US + round((start_s + at_s) * 1_000_000) + later_us
        is_key = track is Track.AUDIO or number % per_gop == 0
        data = f"{track} {number} ".encode().ljust(octets, b".")
        yield Packet(track, dts, dts, step, is_key, data, captured + 10_000, captured)


class ScriptedSource:
    """One camera. `feed()` is what its tap would give a listener; every listener gets what comes from then on."""

    def __init__(self) -> None:
        self._fragmenter = Fragmenter()
        self._listeners: list[asyncio.Queue[Epoch | Fragment | None]] = []
        self._epoch: Epoch | None = None
        self._is_listened_to = asyncio.Event()

    async def listened_to(self) -> None:
        """Wait for the first listener: what is sent before goes nowhere."""
        await self._is_listened_to.wait()

    def begin(self, epoch: Epoch) -> None:
        self.flush()
        self._fragmenter.begin(epoch)
        self._epoch = epoch
        self._tell(epoch)

    def send(self, packets: Iterable[Packet]) -> None:
        """Give packets to the fragmenter, and what becomes of them to the listeners; one may be held back."""
        for packet in packets:
            for fragment in self._fragmenter.add(packet):
                self._tell(fragment)

    def flush(self) -> None:
        for fragment in self._fragmenter.flush():
            self._tell(fragment)

    def end(self) -> None:
        """The camera is stopped: every feed ends."""
        self._tell(None)

    def feed(self) -> AsyncGenerator[Epoch | Fragment, None]:
        listener: asyncio.Queue[Epoch | Fragment | None] = asyncio.Queue()
        if self._epoch is not None:
            listener.put_nowait(self._epoch)
        self._listeners.append(listener)
        self._is_listened_to.set()
        return _read(listener)

    def _tell(self, item: Epoch | Fragment | None) -> None:
        for listener in self._listeners:
            listener.put_nowait(item)


async def _read(listener: asyncio.Queue[Epoch | Fragment | None]) -> AsyncGenerator[Epoch | Fragment, None]:
    while (item := await listener.get()) is not None:
        yield item

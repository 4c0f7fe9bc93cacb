"""Pictures for an RTSP server that a test hands out by hand."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from streams.media import nal
from streams.media.packets import Epoch, Packet, Track, TrackInfo
from vms_privacy.errors import Kind, Refusal

SPS, PPS = bytes.fromhex("6742c01fda014016e8"), bytes.fromhex("68ce0fc8")
VIDEO = TrackInfo(Track.VIDEO, "h264", 90_000, nal.make_avcc([SPS], [PPS]), width=1280, height=720)
AUDIO = TrackInfo(Track.AUDIO, "aac", 48_000, bytes.fromhex("1188"), sample_rate=48_000, channels=1)
NOON_US = 1_894_708_800_000_000


class WantsPassword(Refusal):
    kind, code = Kind.UNAUTHENTICATED, "wants-password"


class NothingThere(Refusal):
    kind, code = Kind.NOT_FOUND, "nothing-there"


class RightWithdrawn(Refusal):
    kind, code = Kind.FORBIDDEN, "right-withdrawn"


def picture(number: int, is_key: bool = False, size: int = 100) -> Packet:
    """Picture `number` of 25 a second, whose unit begins with its number."""
    unit = bytes((0x65 if is_key else 0x41,)) + number.to_bytes(4, "big") + b"\xaa" * (size - 5)
    at = NOON_US + number * 40_000
    return Packet(Track.VIDEO, number * 3600, number * 3600, 3600, is_key, nal.with_lengths([unit]), at, at)


def sound(number: int) -> Packet:
    """Audio unit `number`."""
    at = NOON_US + number * 1024 * 1_000_000 // 48_000
    return Packet(Track.AUDIO, number * 1024, number * 1024, 1024, True, number.to_bytes(4, "big"), at, at)


class HandFeed:
    """Yields what the test puts in; an exception put in is raised, None ends it."""

    def __init__(self, tracks: Sequence[TrackInfo]) -> None:
        self.tracks = tracks
        self.queue: asyncio.Queue[Packet | Epoch | Refusal | None] = asyncio.Queue()
        self.cut: Callable[[], None] | None = None
        self.octets = 0
        self.closed = asyncio.Event()

    async def packets(self) -> AsyncIterator[Packet | Epoch]:
        while (item := await self.queue.get()) is not None:
            if isinstance(item, Refusal):
                raise item
            yield item

    def put(self, *items: Packet | Epoch | Refusal | None) -> None:
        for item in items:
            self.queue.put_nowait(item)

    def attach(self, cut: Callable[[], None]) -> None:
        self.cut = cut

    def sent(self, octets: int) -> None:
        self.octets += octets

    async def close(self) -> None:
        assert not self.closed.is_set()
        self.closed.set()


class HandSources:
    """Everything is open under `open/…`; `secret/…` wants eve's password "apple" or the token "pear"."""

    def __init__(self, *tracks: TrackInfo) -> None:
        self._tracks = tracks or (VIDEO, AUDIO)
        self.asked: list[tuple[str, str, tuple[str, str] | None, str]] = []
        self.feeds: list[HandFeed] = []

    async def open(self, path: str, query: str, basic: tuple[str, str] | None, peer: str) -> HandFeed:
        self.asked.append((path, query, basic, peer))
        if path.startswith("secret/") and basic != ("eve", "apple") and query != "token=pear":
            raise WantsPassword("who are you?")
        if not path.startswith(("secret/", "open/")):
            raise NothingThere("nothing there")
        self.feeds.append(HandFeed(self._tracks))
        return self.feeds[-1]

"""One camera's live channel: its ring, the news that something changed in it, and the viewers who follow it.

One event loop owns a channel; nothing here is thread-safe.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from streams.live.errors import CameraNotLive
from streams.live.ring import Piece, Ring
from streams.live.rules import Wait, next_for
from streams.live.segments import LiveSegment
from streams.media.packets import Epoch, Fragment
from vms_privacy.clock import Clock
from vms_privacy.ids import CameraId

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LiveLimits:
    """How much is held, and how long anybody is waited for.

    `idle_seconds` is what a camera that nobody watches holds, so that a viewer starts at once. A viewer more than
    `patience_us` behind is brought forward. One who takes no byte for `stall_seconds` is cut. A camera that has just
    begun is waited for until `start_seconds`. Every `tidy_seconds` the clock decides what is too old.
    """

    ring_seconds: float = 30.0
    idle_seconds: float = 8.0
    ring_bytes: int = 64 * 1024 * 1024
    patience_us: int = 4_000_000
    stall_seconds: float = 10.0
    start_seconds: float = 6.0
    tidy_seconds: float = 2.0


class Channel:
    """The ring of one camera, and the news that something changed in it."""

    def __init__(self, camera_id: CameraId, limits: LiveLimits, clock: Clock) -> None:
        self.camera_id = camera_id
        self.limits = limits
        self.is_over = False
        self.ring = Ring(limits.idle_seconds, limits.ring_bytes)
        self._clock = clock
        self._news = asyncio.Event()
        self._cuts: dict[int, Callable[[], None]] = {}
        self._attached = 0
        self._watchers = 0
        self._asked_at = -limits.ring_seconds
        self._sound_until: datetime | None = None

    def take(self, item: Epoch | Fragment) -> None:
        """Take what the tap gave, and wake everybody who waits for it."""
        self._fit()
        self._end_sound_in_time()
        if isinstance(item, Epoch):
            self.ring.begin(item)
        elif self.ring.put(item) is not None:
            self._tell()

    def hear(self, sound_until: datetime | None) -> None:
        """Follow the camera's live-sound opt-in, which lasts until a moment; None if there is none.

        Once it is withdrawn or over, unsent sound of every viewer is thrown away.
        """
        self._sound_until = sound_until
        if self.ring.hear(None if sound_until is None else _microseconds(self._clock.now())):
            self._cut_all()

    def attach(self, cut: Callable[[], None]) -> Callable[[], None]:
        """Keep a response's `cut` ready for the moment when sound is no longer allowed; return what takes it off."""
        self._attached += 1
        number = self._attached
        self._cuts[number] = cut

        def detach() -> None:
            self._cuts.pop(number, None)

        return detach

    def close(self) -> None:
        """Forget everything and let every viewer go: the camera is stopped."""
        self.is_over = True
        self.ring.forget()
        self._tell()

    def tidy(self) -> None:
        """Forget what is older than a ring ought to hold by the clock, though nothing new came to push it out."""
        self._fit()
        self._end_sound_in_time()
        self.ring.forget_before(_microseconds(self._clock.now() - timedelta(seconds=self.ring.max_seconds)))

    def asked(self) -> None:
        """Note that a viewer who comes with many requests asked for something."""
        self._asked_at = self._clock.monotonic()
        self._fit()
        self._end_sound_in_time()

    def enter(self) -> None:
        """Count a viewer of the endless kind."""
        self._watchers += 1
        self._fit()

    def leave(self) -> None:
        """Count one less."""
        self._watchers -= 1

    def size_of(self, segment: LiveSegment) -> int:
        """Return the bytes of a segment that is held."""
        pieces = (self.ring.piece(number) for number in range(segment.first, segment.end))
        return sum(len(piece.fragment.data) for piece in pieces if piece is not None)

    def peak_bits(self) -> int:
        """Return the highest rate of a listed segment, in bits a second."""
        rates = [self.size_of(one) * 8_000_000 // max(1, one.duration_us) for one in self.ring.listed()]
        return max(rates, default=1)

    async def news(self) -> None:
        """Wait until something was added, or the channel is over."""
        await self._news.wait()

    async def first_segment(self) -> None:
        """Wait until there is a playlist to show. Raises CameraNotLive if that takes too long."""
        try:
            async with asyncio.timeout(self.limits.start_seconds):
                while not self.ring.listed():
                    if self.is_over:
                        raise CameraNotLive
                    await self.news()
        except TimeoutError:
            raise CameraNotLive from None

    def _end_sound_in_time(self) -> None:
        """An opt-in that ends by itself changes nothing in the ledger, so nobody tells of it."""
        if self._sound_until is not None and self._clock.for_reading() >= self._sound_until:
            self.hear(None)

    def _cut_all(self) -> None:
        cuts = list(self._cuts.values())
        self._cuts.clear()
        for cut in cuts:
            cut()

    def _tell(self) -> None:
        told, self._news = self._news, asyncio.Event()
        told.set()

    def _fit(self) -> None:
        is_asked = self._clock.monotonic() - self._asked_at < self.limits.ring_seconds
        self.ring.max_seconds = self.limits.ring_seconds if self._watchers or is_asked else self.limits.idle_seconds


class Follower:
    """One viewer's way through a channel: always the next fragment, or forward to a key picture. Nothing is queued."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._position: int | None = None
        self._run: int | None = None
        self.dropped = 0

    async def next(self) -> Piece | None:
        """Return the viewer's next piece, waiting for it; None when what follows needs another init segment."""
        channel, ring = self._channel, self._channel.ring
        while not channel.is_over:
            verdict = next_for(self._position, ring.view(), ring.behind_us(self._position), channel.limits.patience_us)
            piece = None if isinstance(verdict, Wait) else ring.piece(verdict.position)
            if isinstance(verdict, Wait) or piece is None:
                await channel.news()
                continue
            if self._run is not None and piece.run.number != self._run:
                return None
            self.dropped += verdict.dropped
            self._position, self._run = piece.number + 1, piece.run.number
            return piece
        return None


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)

"""From a camera's one thread to the event loops of its viewers, bounded."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence

from streams.media.packets import Epoch, Packet, Track, TrackInfo

_MOST_HELD = 512


class SimulatedFeed:
    """One viewer of a simulated camera. Made and read in one event loop, filled from the camera's thread."""

    def __init__(self, epoch: Epoch, leave: Callable[["SimulatedFeed"], None]) -> None:
        self._epoch = epoch
        self._leave = leave
        self._loop = asyncio.get_running_loop()
        self._held: deque[Packet | Epoch] = deque()
        self._more = asyncio.Event()
        self._over = False
        self._needs_key = False
        self.dropped = 0

    @property
    def tracks(self) -> Sequence[TrackInfo]:
        return self._epoch.tracks

    async def packets(self) -> AsyncIterator[Packet | Epoch]:
        while True:
            while self._held:
                yield self._held.popleft()
            if self._over:
                return
            self._more.clear()
            await self._more.wait()

    def attach(self, cut: Callable[[], None]) -> None:
        """A simulated camera cuts nobody."""

    def sent(self, octets: int) -> None:
        """A simulated camera counts nothing."""

    async def close(self) -> None:
        self._leave(self)

    def offer(self, items: Sequence[Packet | Epoch] | None) -> None:
        """Take items from the camera's thread; None is the end."""
        self._loop.call_soon_threadsafe(self._take, items)

    def _take(self, items: Sequence[Packet | Epoch] | None) -> None:
        if items is None:
            self._over = True
        for item in items or ():
            if self._lets(item):
                self._held.append(item)
            else:
                self.dropped += 1
        self._more.set()

    def _lets(self, item: Packet | Epoch) -> bool:
        """Keep at most so much; after an overflow go on at the next key picture."""
        if isinstance(item, Epoch):
            return True
        if len(self._held) >= _MOST_HELD:
            self._needs_key = True
        elif self._needs_key and item.track is Track.VIDEO and item.is_key:
            self._needs_key = False
        return not self._needs_key


class Broadcast:
    """The viewers of one camera; safe to use from the camera's thread and any loop."""

    def __init__(self, epoch: Epoch) -> None:
        self._lock = threading.Lock()
        self._epoch = epoch
        self._feeds: set[SimulatedFeed] = set()
        self.vanished = 0

    @property
    def epoch(self) -> Epoch:
        """Return what viewers get now."""
        return self._epoch

    def subscribe(self) -> SimulatedFeed:
        """Return a feed that begins with the next packet; call it inside the viewer's loop."""
        with self._lock:
            feed = SimulatedFeed(self._epoch, self._leave)
            self._feeds.add(feed)
        return feed

    def publish(self, packets: Sequence[Packet]) -> None:
        """Hand packets to every viewer."""
        if packets:
            self._offer(packets)

    def begin(self, epoch: Epoch) -> None:
        """Go on under other parameters."""
        with self._lock:
            self._epoch = epoch
        self._offer([epoch])

    def end(self) -> None:
        """Tell every viewer that nothing more comes."""
        self._offer(None)

    def _offer(self, items: Sequence[Packet | Epoch] | None) -> None:
        with self._lock:
            for feed in tuple(self._feeds):
                try:
                    feed.offer(items)
                except RuntimeError:
                    # Its event loop is closed: it went without a word, and must not take the camera with it.
                    self._feeds.discard(feed)
                    self.vanished += 1

    def _leave(self, feed: SimulatedFeed) -> None:
        with self._lock:
            self._feeds.discard(feed)

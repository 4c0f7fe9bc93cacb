"""One listener's way of drawing from a tap: a bounded queue that an event loop or a thread can empty."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum, unique

from streams.media.packets import Epoch, Fragment, Packet, Track


@unique
class Wants(StrEnum):
    """What a listener draws."""

    PACKETS = "packets"
    FRAGMENTS = "fragments"


@dataclass(frozen=True, slots=True)
class Lost:
    """The camera is lost for now; what comes next begins with an epoch. Only for listeners who asked to be told."""

    why: str


Item = Epoch | Packet | Fragment | Lost


class Subscription:
    """What a listener has not drawn yet, at most `max_bytes` of it.

    It begins with the current epoch and a key picture. When it overflows, what is queued stays, everything up to the
    next key picture that fits is dropped whole and counted in `dropped` and `dropped_bytes`.

    Draw by `async for` (or `batch`) in the tap's event loop, or by `take` in one thread of your own.
    """

    def __init__(
        self, name: str, wants: Wants, max_bytes: int, *, tells_loss: bool, leave: Callable[["Subscription"], None]
    ) -> None:
        self.name = name
        self.wants = wants
        self.max_bytes = max_bytes
        self.dropped = 0
        self.dropped_bytes = 0
        self._tells_loss = tells_loss
        self._leave = leave
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._needs_key = True
        self._is_behind = False
        self._is_over = False
        self._lock = threading.Condition()
        self._waiter: asyncio.Future[None] | None = None
        self._waits_in = 0

    @property
    def is_over(self) -> bool:
        """Say whether nothing more will come, though something may still be queued."""
        return self._is_over

    @property
    def queued_bytes(self) -> int:
        """Return how many media bytes wait to be drawn."""
        return self._bytes

    def close(self) -> None:
        """Draw no more: the queue is emptied and whoever waits is let go. Any thread; closing twice is harmless."""
        self.end()
        with self._lock:
            self._items.clear()
            self._bytes = 0
        self._leave(self)

    def take(self, timeout_s: float) -> list[Item]:
        """Return everything that is queued, waiting in this thread for something; empty after the time or the end."""
        with self._lock:
            if not self._items and not self._is_over:
                self._lock.wait(timeout_s)
            return self._drain()

    async def batch(self) -> list[Item]:
        """Return everything that is queued, waiting in the tap's event loop for something; empty at the end."""
        while True:
            with self._lock:
                if self._items or self._is_over:
                    return self._drain()
                waiter = self._waiter = asyncio.get_running_loop().create_future()
                self._waits_in = threading.get_ident()
            await waiter

    async def __aiter__(self) -> AsyncIterator[Item]:
        while True:
            items = await self.batch()
            for item in items:
                yield item
            if not items and self._is_over:
                return

    def begin(self, epoch: Epoch, *, from_its_start: bool = True) -> None:
        """Hear of a new epoch from the tap, or of the one that runs already. It is never dropped."""
        with self._lock:
            self._put_aside(Epoch)
            self._items.append(epoch)
            # Its first picture is a key picture; who comes later waits for the next one.
            self._needs_key = not from_its_start
            self._wake()

    def put(self, item: Packet | Fragment) -> None:
        """Take an item from the tap, or drop it."""
        size = len(item.data)
        with self._lock:
            if self._is_over:
                return
            is_needed = not self._needs_key or _begins(item)
            if is_needed and self._bytes + size <= self.max_bytes:
                self._needs_key = self._is_behind = False
                self._items.append(item)
                self._bytes += size
                self._wake()
                return
            # Nothing was lost of what came before the listener's first key picture.
            self._is_behind = self._is_behind or is_needed
            if self._is_behind:
                self._needs_key = True
                self.dropped += 1
                self.dropped_bytes += size

    def lose(self, why: str) -> None:
        """Hear from the tap that the camera is lost for now."""
        if not self._tells_loss:
            return
        with self._lock:
            self._put_aside(Epoch, Lost)
            self._items.append(Lost(why))
            self._wake()

    def end(self) -> None:
        """Hear from the tap that nothing more will come."""
        with self._lock:
            self._is_over = True
            self._wake()

    def _put_aside(self, *kinds: type[Epoch] | type[Lost]) -> None:
        """Forget what is at the end of the queue and has no media behind it: a camera may come and go for days."""
        while self._items and isinstance(self._items[-1], kinds):
            self._items.pop()

    def _drain(self) -> list[Item]:
        items = list(self._items)
        self._items.clear()
        self._bytes = 0
        return items

    def _wake(self) -> None:
        self._lock.notify_all()
        waiter, self._waiter = self._waiter, None
        if waiter is None:
            return
        if threading.get_ident() == self._waits_in:
            _settle(waiter)
        else:
            waiter.get_loop().call_soon_threadsafe(_settle, waiter)


def _settle(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)


def _begins(item: Packet | Fragment) -> bool:
    if isinstance(item, Fragment):
        return item.track is Track.VIDEO and item.starts_with_key
    return item.track is Track.VIDEO and item.is_key

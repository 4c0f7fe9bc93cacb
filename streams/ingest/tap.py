"""The tap of one camera: packets go in once, and out to everybody who listens.

One event loop pushes; listeners may come and go from any thread. The tap outlives connections: a listener sees a new
epoch after a reconnect, and nothing else.
"""

import threading
from collections.abc import Sequence
from typing import Final, Protocol

from streams.errors import TooManyListeners
from streams.ingest.subscription import Subscription, Wants
from streams.media.packets import Epoch, Fragment, Packet
from vms_privacy.errors import Refusal
from vms_privacy.ids import CameraId

_MOST_LISTENERS: Final = 2000


class FragmentMaker(Protocol):
    """Cuts packets into fragments: `streams.media.fmp4.Fragmenter`."""

    def begin(self, epoch: Epoch) -> None:
        """Start over with the tracks of `epoch`."""
        ...

    def add(self, packet: Packet) -> list[Fragment]:
        """Take a packet; return the fragments that it completed."""
        ...

    def flush(self) -> list[Fragment]:
        """Return what is still open."""
        ...


class Tap:
    """Where one camera's pictures come out.

    `epochs` is the number of the newest epoch, `captured_us` when the newest packet was taken, `unwritable` counts
    packets whose stamps no file can hold.
    """

    def __init__(self, camera_id: CameraId, fragmenter: FragmentMaker) -> None:
        self.camera_id = camera_id
        self.unwritable = 0
        self.epochs = 0
        self.captured_us = 0
        self._fragmenter = fragmenter
        self._epoch: Epoch | None = None
        self._lock = threading.Lock()
        self._listeners: tuple[Subscription, ...] = ()
        self._is_over = False

    def subscribe(self, name: str, wants: Wants, max_bytes: int, *, tells_loss: bool = False) -> Subscription:
        """Listen from the next key picture on. Any thread. `name` is for metrics. Raises TooManyListeners."""
        subscription = Subscription(name, wants, max_bytes, tells_loss=tells_loss, leave=self._leave)
        with self._lock:
            if len(self._listeners) >= _MOST_LISTENERS:
                raise TooManyListeners
            if self._epoch is not None:
                subscription.begin(self._epoch, from_its_start=False)
            if self._is_over:
                subscription.end()
            else:
                self._listeners = (*self._listeners, subscription)
        return subscription

    def new_epoch(self, epoch: Epoch) -> None:
        """Begin an epoch: what is open of the one before goes out first."""
        self._give_fragments(self._fragmenter.flush())
        self._fragmenter.begin(epoch)
        with self._lock:
            self._epoch, self.epochs = epoch, epoch.number
            listeners = self._listeners
        for listener in listeners:
            listener.begin(epoch)

    def push(self, packets: Sequence[Packet]) -> None:
        """Give out packets of the present epoch, in order."""
        for packet in packets:
            self.captured_us = max(self.captured_us, packet.captured_at_us)
        for listener in self._listeners:
            if listener.wants is Wants.PACKETS:
                for packet in packets:
                    listener.put(packet)
        for packet in packets:
            self._give_fragments(self._fragment(packet))

    def lose(self, why: str) -> None:
        """The camera is lost for now: what is open goes out, and the next thing will be an epoch."""
        self._give_fragments(self._fragmenter.flush())
        with self._lock:
            self._epoch = None
            listeners = self._listeners
        for listener in listeners:
            listener.lose(why)

    def close(self) -> None:
        """End every subscription: the camera is stopped."""
        self._give_fragments(self._fragmenter.flush())
        with self._lock:
            self._is_over = True
            listeners, self._listeners = self._listeners, ()
        for listener in listeners:
            listener.end()

    @property
    def listeners(self) -> tuple[Subscription, ...]:
        """Return who listens, for metrics: each says what was dropped."""
        return self._listeners

    def _fragment(self, packet: Packet) -> list[Fragment]:
        try:
            return self._fragmenter.add(packet)
        except Refusal:
            self.unwritable += 1
            return []

    def _give_fragments(self, fragments: Sequence[Fragment]) -> None:
        if not fragments:
            return
        for listener in self._listeners:
            if listener.wants is Wants.FRAGMENTS:
                for fragment in fragments:
                    listener.put(fragment)

    def _leave(self, subscription: Subscription) -> None:
        with self._lock:
            self._listeners = tuple(one for one in self._listeners if one is not subscription)

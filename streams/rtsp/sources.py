"""What the server asks of whoever has pictures: the simulator now, watchers' admission later."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from streams.media.packets import Epoch, Packet, TrackInfo


class RtspFeed(Protocol):
    """What one let-in viewer gets. Belongs to one control connection."""

    @property
    def tracks(self) -> Sequence[TrackInfo]:
        """Return the tracks of the present epoch, those that RTP has no format for included."""
        ...

    def packets(self) -> AsyncIterator[Packet | Epoch]:
        """Yield packets as they come; an `Epoch` before the first packet of every further one.

        A `Refusal` out of the iterator ends the viewer at once; its end is the end of the camera.
        """
        ...

    def attach(self, cut: Callable[[], None]) -> None:
        """Take the thread-safe call that ends this viewer at once, for the time until `close`."""
        ...

    def sent(self, octets: int) -> None:
        """Hear how many media bytes were handed to the kernel."""
        ...

    async def close(self) -> None:
        """Release everything. Called exactly once."""
        ...


class RtspSources(Protocol):
    """Where an RTSP URL leads."""

    async def open(self, path: str, query: str, basic: tuple[str, str] | None, peer: str) -> RtspFeed:
        """Let a viewer in or refuse.

        `path` is as it stood in the URL, without outer slashes and not percent-decoded; `query` without its
        question mark; `basic` is None unless the connection may carry a password; `peer` is an IP address.

        Raises:
            Refusal: answered with the status of its kind; a password is asked for only when it is unauthenticated.

        """
        ...

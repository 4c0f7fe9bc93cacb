"""Live pictures of all cameras: one channel each, filled from the camera's tap.

One event loop owns the channels; `start`, `stop` and `consent_changed` may be called from any thread.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

from streams.live.channel import Channel, LiveLimits
from streams.live.errors import CameraNotLive
from streams.live.segments import Run
from streams.media.packets import Epoch, Fragment
from vms_privacy.clock import Clock
from vms_privacy.ids import CameraId

LiveFeed = AsyncGenerator[Epoch | Fragment, None]
"""Epochs and fragments of one camera as they come, from its tap; it ends when the camera is stopped, and is closed."""


@dataclass(frozen=True, slots=True)
class LiveState:
    """What is known of a camera's live picture now. `newest_us` is when it was captured; 0 if there is none."""

    is_alive: bool
    newest_us: int
    run: Run | None


class LiveService:
    """Starts and stops the channels, and keeps them honest about sound and age."""

    def __init__(
        self,
        feeds: Callable[[CameraId], LiveFeed],
        live_audio_until: Callable[[CameraId], datetime | None],
        clock: Clock,
        limits: LiveLimits,
    ) -> None:
        self._feeds = feeds
        self._live_audio_until = live_audio_until
        self._clock = clock
        self._limits = limits
        # Answers of the ledger reach the loop in the order in which they were true.
        self._asking = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._channels: dict[CameraId, Channel] = {}
        self._tasks: dict[CameraId, asyncio.Task[None]] = {}
        self._tidying: asyncio.Task[None] | None = None
        self.failed_feeds = 0

    def open(self) -> None:
        """Belong to the running event loop from now on, and tidy up by a timer."""
        self._loop = asyncio.get_running_loop()
        self._tidying = self._loop.create_task(self._keep_tidy())

    async def close(self) -> None:
        """Stop every camera and the timer."""
        tasks = [*self._tasks.values(), *([self._tidying] if self._tidying else [])]
        for camera_id in list(self._channels):
            self._stop(camera_id)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tidying = None

    def start(self, camera_id: CameraId) -> None:
        """Hold the newest seconds of a camera from now on. Asks the ledger about sound; any thread."""
        with self._asking:
            until = self._live_audio_until(camera_id)
            self._in_loop(lambda: self._start(camera_id, until))

    def stop(self, camera_id: CameraId) -> None:
        """Forget a camera and let its viewers go. Any thread."""
        self._in_loop(lambda: self._stop(camera_id))

    def consent_changed(self, camera_id: CameraId) -> None:
        """Ask the ledger again whether sound may be heard. Any thread; called after the change is committed."""
        with self._asking:
            until = self._live_audio_until(camera_id)
            self._in_loop(lambda: self._hear(camera_id, until))

    def channel(self, camera_id: CameraId) -> Channel:
        """Return the channel of a camera. Raises CameraNotLive if it was not started."""
        found = self._channels.get(camera_id)
        if found is None:
            raise CameraNotLive
        return found

    def state(self, camera_id: CameraId) -> LiveState:
        """Return what is known of a camera's live picture; alive while pictures are held."""
        channel = self._channels.get(camera_id)
        if channel is None:
            return LiveState(is_alive=False, newest_us=0, run=None)
        return LiveState(channel.ring.held_bytes > 0, channel.ring.newest_us, channel.ring.run)

    def tidy(self) -> None:
        """Forget what is too old in every ring."""
        for channel in self._channels.values():
            channel.tidy()

    @property
    def held_bytes(self) -> int:
        """How many media bytes all rings hold."""
        return sum(channel.ring.held_bytes for channel in self._channels.values())

    def _in_loop(self, act: Callable[[], None]) -> None:
        if self._loop is None:
            raise RuntimeError("open comes first")
        self._loop.call_soon_threadsafe(act)

    def _start(self, camera_id: CameraId, sound_until: datetime | None) -> None:
        if camera_id in self._channels:
            return
        channel = Channel(camera_id, self._limits, self._clock)
        channel.hear(sound_until)
        self._channels[camera_id] = channel
        task = asyncio.get_running_loop().create_task(self._fill(channel))
        self._tasks[camera_id] = task
        task.add_done_callback(lambda done: self._ended(camera_id, done))

    def _stop(self, camera_id: CameraId) -> None:
        task = self._tasks.pop(camera_id, None)
        if task is not None:
            task.cancel()
        channel = self._channels.pop(camera_id, None)
        if channel is not None:
            channel.close()

    def _hear(self, camera_id: CameraId, sound_until: datetime | None) -> None:
        channel = self._channels.get(camera_id)
        if channel is not None:
            channel.hear(sound_until)

    def _ended(self, camera_id: CameraId, done: asyncio.Task[None]) -> None:
        """The feed is over, or failed: either way nothing live remains of the camera."""
        if not done.cancelled() and done.exception() is not None:
            self.failed_feeds += 1
        if self._tasks.get(camera_id) is done:
            self._stop(camera_id)

    async def _fill(self, channel: Channel) -> None:
        async with aclosing(self._feeds(channel.camera_id)) as feed:
            async for item in feed:
                channel.take(item)

    async def _keep_tidy(self) -> None:
        while True:
            await asyncio.sleep(self._limits.tidy_seconds)
            self.tidy()

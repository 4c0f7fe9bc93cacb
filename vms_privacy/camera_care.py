"""Seeing to it that what takes, holds and records pictures follows the registry of cameras."""

import asyncio
import threading
from contextlib import aclosing

import structlog

from archive.recorder.feed import feed_recorder
from auth.errors import NotFound
from streams.errors import CameraNotStarted
from vms_privacy.app import Assembly
from vms_privacy.errors import Refusal
from vms_privacy.ids import CameraId

_log = structlog.get_logger("cameras")


class CameraCare:
    """Starts each living camera, moves it, and stops it once it is removed, as its row says now.

    What fails with one camera keeps no other from being started; it is counted, told, and tried again by `round`.
    """

    def __init__(self, parts: Assembly, run: str) -> None:
        self._parts = parts
        # The tap outlives connections but not this process: its epochs are counted within this run.
        self._run = run
        # What is read of a camera is applied before anybody reads it anew: two changes at once leave the later one.
        self._following = threading.Lock()
        self._failed: dict[CameraId, str] = {}
        self._feeds: dict[CameraId, asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self.failed_feeds = 0

    @property
    def failed(self) -> dict[CameraId, str]:
        """Return why cameras do not follow their rows at the moment: a code each, or the name of an error."""
        with self._following:
            return dict(self._failed)

    def open(self) -> None:
        """Belong to the running event loop from now on."""
        self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        """Wait for the recorders to have been given everything; the cameras have been let go before."""
        await asyncio.gather(*self._feeds.values(), return_exceptions=True)

    def start_all(self) -> None:
        """Start every living camera. Raises what the database raises when it is asked which there are."""
        with self._parts.db.reading() as session:
            living = self._parts.cameras.living(session)
        for camera_id in living:
            self.hear(camera_id)

    def round(self) -> None:
        """Try again what has failed. For a timer."""
        for camera_id in self.failed:
            self.hear(camera_id)

    def hear(self, camera_id: CameraId) -> None:
        """Hear that a camera was created, changed or removed; called in the thread that committed it."""
        with self._following:
            # Beforehand: what fails in the event loop because of this may be noted before this is over.
            self._failed.pop(camera_id, None)
            try:
                self._follow(camera_id)
            except Exception as error:  # noqa: BLE001 - whatever it is, this camera is tried again and no other waits
                self._failed[camera_id] = why = error.code if isinstance(error, Refusal) else type(error).__name__
                _log.warning("camera-not-followed", camera=str(camera_id), why=why)

    def _follow(self, camera_id: CameraId) -> None:
        parts = self._parts
        try:
            with parts.db.reading() as session:
                source = parts.cameras.source_of(session, camera_id)
        except NotFound:
            parts.ingest.stop(camera_id)
            parts.live.stop(camera_id)
            parts.recorder.remove(camera_id)
            return
        parts.ingest.start(source)
        parts.recorder.add(source.operator_id, camera_id)
        parts.live.start(camera_id)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._feed_recorder, camera_id)

    def _feed_recorder(self, camera_id: CameraId) -> None:
        if camera_id not in self._feeds:
            task = self._feeds[camera_id] = asyncio.get_running_loop().create_task(self._feed(camera_id))
            task.add_done_callback(lambda done: self._fed(camera_id, done))

    async def _feed(self, camera_id: CameraId) -> None:
        try:
            items = self._parts.recorder_feed_of(camera_id)
        except CameraNotStarted:
            # It was removed meanwhile.
            return
        async with aclosing(items):
            await feed_recorder(self._parts.recorder, camera_id, self._run, items)

    def _fed(self, camera_id: CameraId, done: "asyncio.Task[None]") -> None:
        """Nothing reaches the recorder any more: the camera was let go, or this failed and is begun anew."""
        del self._feeds[camera_id]
        if not done.cancelled() and (error := done.exception()) is not None:
            self.failed_feeds += 1
            self._failed[camera_id] = why = type(error).__name__
            _log.warning("camera-not-followed", camera=str(camera_id), why=why)

"""All cameras of the service: each kept connected, watched and told about.

One event loop owns the connections; `start`, `stop`, `status` and `tap` may be called from any thread. A camera that
fails is tried again for ever, slower and slower, and says why.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from streams.cameras.rules import CameraSource, CameraState, CameraStatus
from streams.errors import CameraNotStarted
from streams.ingest.camera import KeptCamera
from streams.ingest.connection import Joints
from streams.ingest.rules import BackOff
from streams.ingest.tap import FragmentMaker, Tap
from streams.media.demux import DemuxPool
from streams.media.faults import Fault
from streams.media.relay import Pacer, Relay
from vms_privacy.clock import Clock
from vms_privacy.ids import CameraId, Randomness

StatusListener = Callable[[CameraSource, CameraStatus], None]


class IngestService:
    """Keeps cameras connected. `open` in the event loop that is to own them; `start` may come before or after."""

    def __init__(
        self,
        relay: Relay,
        clock: Clock,
        randomness: Randomness,
        fragmenter_factory: Callable[[], FragmentMaker],
        back_off: BackOff | None = None,
        key_picture_within: timedelta = timedelta(seconds=15),
    ) -> None:
        self._clock = clock
        self._randomness = randomness
        self._fragmenter_factory = fragmenter_factory
        self._back_off = back_off or BackOff()
        self._pool = DemuxPool(clock)
        self._pacer = Pacer(relay.limits.gulp_s, self._pool.flush)
        self._joints = Joints(relay, self._pool, self._pacer, clock, key_picture_within)
        self._lock = threading.Lock()
        self._kept: dict[CameraId, KeptCamera] = {}
        self._listeners: list[StatusListener] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pacing: asyncio.Task[None] | None = None
        # Every reason from the start: read by other threads while it counts.
        self._failures = Counter(dict.fromkeys(Fault, 0))

    def on_status(self, listener: StatusListener) -> None:
        """Call `listener` in the event loop with each change of state; it must not wait and must not raise."""
        self._listeners.append(listener)

    def open(self) -> None:
        """Belong to the running event loop from now on, and connect what was started."""
        self._loop = asyncio.get_running_loop()
        self._pacing = self._loop.create_task(self._pacer.run())
        with self._lock:
            waiting = list(self._kept.values())
        for kept in waiting:
            kept.run()

    async def close(self) -> None:
        """Disconnect every camera, end every subscription and every child."""
        with self._lock:
            cameras, self._kept = list(self._kept.values()), {}
        tasks = [task for camera in cameras if (task := camera.let_go()) is not None]
        if self._pacing is not None:
            self._pacing.cancel()
            tasks.append(self._pacing)
        await asyncio.gather(*tasks, return_exceptions=True)
        for camera in cameras:
            camera.tap.close()
        self._pool.close()
        self._loop = self._pacing = None

    def start(self, source: CameraSource) -> None:
        """Keep this camera connected from now on; with another address than before, connect anew. Any thread."""
        with self._lock:
            before = self._kept.get(source.camera_id)
            if before is not None and before.source == source:
                return
            tap = Tap(source.camera_id, self._fragmenter_factory()) if before is None else before.tap
            camera = KeptCamera(source, tap, self._joints, self._randomness, self._back_off, self._tell)
            self._kept[source.camera_id] = camera
        self._in_loop(lambda: self._swap(before, camera))

    def stop(self, camera_id: CameraId) -> None:
        """Let a camera go, and everybody who listens to it. Any thread; stopping what is not started is harmless."""
        with self._lock:
            camera = self._kept.pop(camera_id, None)
        if camera is not None:
            self._in_loop(lambda: self._end(camera))

    def status(self, camera_id: CameraId) -> CameraStatus:
        """Return how a camera is doing; `off` if it is not started. Any thread."""
        with self._lock:
            camera = self._kept.get(camera_id)
        return CameraStatus(CameraState.OFF, self._clock.now()) if camera is None else camera.status

    def tap(self, camera_id: CameraId) -> Tap:
        """Return the camera's tap. Any thread. Raises CameraNotStarted."""
        with self._lock:
            camera = self._kept.get(camera_id)
        if camera is None:
            raise CameraNotStarted
        return camera.tap

    def states(self) -> Counter[CameraState]:
        """Return how many cameras are in each state, for the metrics. Any thread."""
        with self._lock:
            return Counter(camera.status.state for camera in self._kept.values())

    def failures(self) -> Counter[Fault]:
        """Return how often a connection failed, by reason, since the start. Any thread."""
        return Counter(self._failures)

    @property
    def failed_rounds(self) -> int:
        """Return how many rounds of moving the cameras' bytes failed since the start."""
        return self._pacer.failed_rounds

    @property
    def child_processes(self) -> tuple[int, ...]:
        """Return the process ids of the demux children."""
        return self._pool.process_ids

    @property
    def children_died(self) -> int:
        """Return how many demux children died or hung since the start."""
        return self._pool.died

    def _in_loop(self, act: Callable[[], None]) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(act)

    def _swap(self, before: KeptCamera | None, camera: KeptCamera) -> None:
        if before is not None:
            before.let_go()
            camera.tap.lose("address-changed")
        camera.run()

    def _end(self, camera: KeptCamera) -> None:
        camera.let_go()
        camera.tap.close()

    def _tell(self, source: CameraSource, status: CameraStatus) -> None:
        if status.state is CameraState.WAITING:
            self._failures[Fault(status.why)] += 1
        for listener in self._listeners:
            listener(source, status)

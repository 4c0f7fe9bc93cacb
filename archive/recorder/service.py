"""All cameras' recorders: fed from the taps without ever blocking them, on a few shared threads."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

from archive.recorder.camera import CameraRecorder, Tally
from archive.recorder.delivery import Delivery, DeliveryReport
from archive.recorder.growing import Growing
from archive.recorder.heads import Heads
from archive.recorder.recovery import Recovery
from archive.recorder.rules import Why
from archive.recorder.strand import Strand
from archive.recorder.tools import Tools
from streams.media.packets import Epoch, Fragment
from vms_privacy.ids import CameraId, OperatorId, SegmentId

MOST_WAITING_BYTES: Final = 32 * 1024 * 1024
THREADS: Final = 4
_ENOUGH_US: Final = 5_000_000

_Work = Callable[[CameraRecorder], None]


@dataclass(slots=True)
class _Lane:
    recorder: CameraRecorder
    strand: Strand[_Work]
    is_leaving: bool = False
    is_told_of_loss: bool = False
    is_tidying_due: bool = False


class RecorderService:
    """Feeds one `CameraRecorder` per camera, in order. `epoch`, `fragment` and `lost` may be called by an event loop.

    A camera whose disk is slower than its pictures loses whole fragments, loudly: the segment is closed and the gap
    has its reason. A slow store delays no recording: delivery has a thread of its own. `failed_deliveries` counts
    rounds between timers that ended in an error; the timer's own raise it.
    """

    def __init__(self, tools: Tools, recovery: Recovery, delivery: Delivery) -> None:
        self._tools = tools
        self._recovery = recovery
        self._delivery = delivery
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="recorder")
        self._courier = ThreadPoolExecutor(1, thread_name_prefix="delivery")
        self._heads = Heads(tools.db, tools.ledger, tools.clock)
        self._lanes: dict[CameraId, _Lane] = {}
        self._lock = threading.Lock()
        self._is_delivery_due = False
        self._is_stopping = False
        self.last_delivery = DeliveryReport()
        self.failed_deliveries = 0

    def add(self, operator_id: OperatorId, camera_id: CameraId) -> None:
        """Make a lane for a camera; it writes nothing before there is a permit and a key picture."""
        with self._lock:
            lane = self._lanes.get(camera_id)
            if lane is None:
                self._lanes[camera_id] = self._lane(operator_id, camera_id)
            else:
                lane.is_leaving = False

    def remove(self, camera_id: CameraId) -> None:
        """Close what is open of a camera, then forget it; if it is added again before that, it keeps its lane."""
        with self._lock:
            lane = self._lanes.get(camera_id)
            if lane is None:
                return
            lane.is_leaving = True
        lane.strand.put(lambda recorder: self._leave(camera_id, recorder))

    def epoch(self, camera_id: CameraId, run: str, epoch: Epoch) -> None:
        """Take note of an unbroken run that begins."""
        self._put(camera_id, lambda recorder: recorder.begin(run, epoch))

    def fragment(self, camera_id: CameraId, fragment: Fragment) -> None:
        """Take one fragment. One that finds too much waiting is lost, with the segment it belongs to closed."""
        lane = self._lanes.get(camera_id)
        if lane is None:
            return
        came_s = self._tools.clock.monotonic()
        if lane.strand.put(lambda recorder: recorder.take(fragment, came_s), len(fragment.data)):
            lane.is_told_of_loss = False
        elif not lane.is_told_of_loss:
            # Once for all that is lost in a row: on a disk that hangs nothing may pile up.
            lane.is_told_of_loss = lane.strand.put(lambda recorder: recorder.overloaded())

    def lost(self, camera_id: CameraId, why: Why) -> None:
        """Take note that nothing comes from a camera any more."""
        self._put(camera_id, lambda recorder: recorder.lost(why))

    def ask_again(self, camera_id: CameraId) -> None:
        """Opt-in or retention of a camera has changed."""
        self._put(camera_id, lambda recorder: recorder.ask_again())

    def growing(self, camera_id: CameraId) -> Growing | None:
        """Return the growing segment of a camera as a reader may rely on it now."""
        lane = self._lanes.get(camera_id)
        return None if lane is None else lane.recorder.growing()

    def tallies(self) -> dict[CameraId, Tally]:
        """Return what each camera's recorder did so far."""
        with self._lock:
            return {camera_id: lane.recorder.tally for camera_id, lane in self._lanes.items()}

    def seen_bytes_per_s(self, camera_id: CameraId) -> int | None:
        """Return how many bytes a second have come from a camera since the start; None before there is enough."""
        lane = self._lanes.get(camera_id)
        if lane is None or lane.recorder.tally.seen_us < _ENOUGH_US:
            return None
        return lane.recorder.tally.seen_bytes * 1_000_000 // lane.recorder.tally.seen_us

    def deliver(self) -> DeliveryReport:
        """Move closed segments to the store, and let idle recorders tidy up; for a timer.

        What the start could not close of a camera that is gone gets a recorder for as long as that takes.
        """
        left_open = self._recovery.left_open()
        with self._lock:
            for operator_id, camera_id in left_open:
                if camera_id not in self._lanes:
                    self._lanes[camera_id] = self._lane(operator_id, camera_id, is_leaving=True)
            lanes = {} if self._is_stopping else dict(self._lanes)
        for camera_id, lane in lanes.items():
            if not lane.is_tidying_due:
                lane.is_tidying_due = lane.strand.put(partial(self._tidy, camera_id, lane))
        self.last_delivery = self._delivery.deliver()
        return self.last_delivery

    def stop(self, within_s: float) -> bool:
        """Close every open segment and the threads; say whether that came about in time."""
        until_s = self._tools.clock.monotonic() + within_s
        with self._lock:
            lanes = list(self._lanes.values())
            self._is_stopping = True
        for lane in lanes:
            lane.strand.put(lambda recorder: recorder.lost(Why.STOPPING))
        settled = [lane.strand.settle(max(0.0, until_s - self._tools.clock.monotonic())) for lane in lanes]
        in_time = all(settled)
        self._pool.shutdown(wait=in_time, cancel_futures=True)
        self._courier.shutdown(wait=in_time, cancel_futures=True)
        return in_time

    def _lane(self, operator_id: OperatorId, camera_id: CameraId, *, is_leaving: bool = False) -> _Lane:
        recorder = CameraRecorder(self._tools, operator_id, camera_id, self._finished, self._recover, self._heads)
        strand: Strand[_Work] = Strand(self._pool, lambda work: _do(recorder, work), MOST_WAITING_BYTES)
        return _Lane(recorder, strand, is_leaving)

    def _put(self, camera_id: CameraId, work: _Work) -> None:
        lane = self._lanes.get(camera_id)
        if lane is not None:
            lane.strand.put(work)

    def _leave(self, camera_id: CameraId, recorder: CameraRecorder) -> None:
        recorder.lost(Why.CAMERA_LOST)
        recorder.tidy()
        with self._lock:
            lane = self._lanes.get(camera_id)
            # What could not be closed now is tried again with every round: nobody else would ask for it.
            if lane is not None and lane.is_leaving and recorder.is_tidy:
                del self._lanes[camera_id]

    def _tidy(self, camera_id: CameraId, lane: _Lane, recorder: CameraRecorder) -> None:
        lane.is_tidying_due = False
        # Asked only now: the camera may have been added again since.
        if lane.is_leaving:
            self._leave(camera_id, recorder)
        else:
            recorder.tidy()

    def _finished(self, _: SegmentId) -> None:
        """Have what was closed delivered soon; many closed at once make one round."""
        with self._lock:
            if self._is_stopping or self._is_delivery_due:
                return
            self._is_delivery_due = True
            self._courier.submit(self._deliver_soon)

    def _deliver_soon(self) -> None:
        with self._lock:
            self._is_delivery_due = False
        try:
            self.last_delivery = self._delivery.deliver()
        except Exception:  # noqa: BLE001 - counted here, and the timer's next round meets and tells it again
            self.failed_deliveries += 1

    def _recover(self, camera_id: CameraId, in_use: SegmentId | None) -> int:
        return len(self._recovery.recover(camera_id, in_use).failed)


def _do(recorder: CameraRecorder, work: _Work) -> None:
    try:
        work(recorder)
    except Exception:
        # Whatever it was, what is open is closed by recovery, and the camera goes on with its next key picture.
        recorder.failed()
        raise

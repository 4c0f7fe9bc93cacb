"""All cameras' recorders: fed from the taps without ever blocking them, on a few shared threads."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from archive.recorder.camera import CameraRecorder, Tally, Tools, micros
from archive.recorder.delivery import Delivery, DeliveryReport
from archive.recorder.growing import Growing
from archive.recorder.recovery import Recovery, RecoveryReport
from archive.recorder.rules import Why
from archive.recorder.strand import Strand
from archive.segments import store as segments
from auth.resources.store import ResourceStore
from streams.media.packets import Epoch, Fragment
from vms_privacy.ids import CameraId, OperatorId, SegmentId

MOST_WAITING_BYTES: Final = 32 * 1024 * 1024
THREADS: Final = 4

_Work = Callable[[CameraRecorder], None]


@dataclass(frozen=True, slots=True)
class _Lane:
    recorder: CameraRecorder
    strand: Strand[_Work]


class RecorderService:
    """Feeds one `CameraRecorder` per camera, in order. `epoch`, `fragment` and `lost` may be called by an event loop.

    A camera whose disk is slower than its pictures loses whole fragments, loudly: the segment is closed and the gap
    has its reason.
    """

    def __init__(self, tools: Tools, recovery: Recovery, delivery: Delivery) -> None:
        self._tools = tools
        self._recovery = recovery
        self._delivery = delivery
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="recorder")
        self._lanes: dict[CameraId, _Lane] = {}
        self._lock = threading.Lock()
        self._delivering = threading.Lock()
        self._is_stopping = False
        self.last_delivery = DeliveryReport()

    def start(self) -> RecoveryReport:
        """Close what a crash left open, and begin the gap of every opted-in camera until its first segment."""
        report = self._recovery.recover()
        now_us = micros(self._tools.clock.now())
        with self._tools.db.writing() as session:
            opted_in = self._tools.ledger.opted_in(session)
            owners = ResourceStore().by_ids(session, opted_in)
            for camera_id, owner in owners.items():
                permit = self._tools.ledger.permit(session, camera_id)
                if permit is None:
                    continue
                last_us = segments.last_end_us(session, camera_id) or micros(permit.given_at)
                from_us = min(max(last_us, micros(permit.given_at)), now_us)
                segments.open_gap(
                    session, self._tools.randomness, owner.operator_id, camera_id, from_us, Why.NOT_RUNNING
                )
        return report

    def add(self, operator_id: OperatorId, camera_id: CameraId) -> None:
        """Make a lane for a camera; it writes nothing before there is a permit and a key picture."""
        recorder = CameraRecorder(self._tools, operator_id, camera_id, self._finished, self._recover)
        with self._lock:
            if camera_id not in self._lanes:
                self._lanes[camera_id] = _Lane(
                    recorder, Strand(self._pool, lambda work: work(recorder), MOST_WAITING_BYTES)
                )

    def remove(self, camera_id: CameraId) -> None:
        """Close what is open of a camera and forget it."""
        with self._lock:
            lane = self._lanes.pop(camera_id, None)
        if lane is not None:
            lane.strand.put(lambda recorder: recorder.lost(Why.CAMERA_LOST))

    def epoch(self, camera_id: CameraId, run: str, epoch: Epoch) -> None:
        """Take note of an unbroken run that begins."""
        self._put(camera_id, lambda recorder: recorder.begin(run, epoch))

    def fragment(self, camera_id: CameraId, fragment: Fragment) -> None:
        """Take one fragment. One that finds too much waiting is lost, with the segment it belongs to closed."""
        lane = self._lanes.get(camera_id)
        if lane is not None and not lane.strand.put(lambda recorder: recorder.take(fragment), len(fragment.data)):
            lane.strand.put(lambda recorder: recorder.overloaded())

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

    def deliver(self) -> DeliveryReport:
        """Move closed segments to the store; for a timer, and after each closed segment."""
        with self._delivering:
            self.last_delivery = self._delivery.deliver()
            return self.last_delivery

    def stop(self, within_s: float) -> bool:
        """Close every open segment and the threads; say whether that came about in time."""
        with self._lock:
            lanes = list(self._lanes.values())
            self._is_stopping = True
        for lane in lanes:
            lane.strand.put(lambda recorder: recorder.lost(Why.STOPPING))
        settled = all(lane.strand.settle(within_s) for lane in lanes)
        self._pool.shutdown(wait=settled, cancel_futures=True)
        return settled

    def _put(self, camera_id: CameraId, work: _Work) -> None:
        lane = self._lanes.get(camera_id)
        if lane is not None:
            lane.strand.put(work)

    def _finished(self, _: SegmentId) -> None:
        with self._lock:
            if not self._is_stopping:
                self._pool.submit(self.deliver)

    def _recover(self, camera_id: CameraId) -> int:
        return len(self._recovery.recover(camera_id).failed)

"""That a camera was lost or came back, written into the audit without holding up a single picture."""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from auth.principal import worker
from streams.cameras.rules import CameraSource, CameraState, CameraStatus
from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.ids import CameraId

_MOST_WAITING: Final = 10_000


class CameraEvents:
    """Hears each change of state and notes each outage once: when it began, why, and when it was over.

    How often a camera can come and go is bounded by the back-off. What the database refuses waits, in its order, for
    the next event or `retry`; `failed` counts refusals, `dropped` the oldest events that gave way to `most_waiting`.
    """

    def __init__(self, db: Database, audit: AuditLog, clock: Clock, most_waiting: int = _MOST_WAITING) -> None:
        self._db = db
        self._audit = audit
        self._clock = clock
        self._most_waiting = most_waiting
        self._is_lost: dict[CameraId, bool] = {}
        self._waiting: deque[Event] = deque()
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="camera-events")
        self.failed = 0
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """Return how many events are not written yet."""
        return len(self._waiting)

    def hear(self, source: CameraSource, status: CameraStatus) -> None:
        """Take note of a status; for `IngestService.on_status`. Does not wait."""
        was_lost = self._is_lost.get(source.camera_id)
        if status.state is CameraState.RUNNING and was_lost is not False:
            self._is_lost[source.camera_id] = False
            self._note(source, Tag.CAMERA_CONNECTED, Outcome.DONE, "")
        elif status.state is CameraState.WAITING and was_lost is not True:
            self._is_lost[source.camera_id] = True
            self._note(source, Tag.CAMERA_UNREACHABLE, Outcome.FAILED, status.why)

    def retry(self) -> None:
        """Write what still waits; for a timer. Raises what the database raises."""
        if self._waiting:
            self._writing.submit(self._write).result()

    def close(self) -> None:
        """Write what is still to be written. Raises what the database raises: then the events are lost."""
        last = self._writing.submit(self._write)
        self._writing.shutdown(wait=True)
        last.result()

    def _note(self, source: CameraSource, tag: Tag, outcome: Outcome, why: str) -> None:
        event = Event(
            tag=tag,
            at=self._clock.now(),
            actor=worker("ingest").label,
            outcome=outcome,
            operator_id=source.operator_id,
            camera_id=source.camera_id,
            reason=why,
        )
        self._waiting.append(event)
        self._writing.submit(self._write).add_done_callback(self._count)

    def _write(self) -> None:
        while len(self._waiting) > self._most_waiting:
            self._waiting.popleft()
            self.dropped += 1
        while self._waiting:
            with self._db.writing() as session:
                self._audit.note(session, self._waiting[0])
            # By one thread alone, so what was written is still the oldest.
            self._waiting.popleft()

    def _count(self, written: "Future[None]") -> None:
        if written.exception() is not None:
            self.failed += 1

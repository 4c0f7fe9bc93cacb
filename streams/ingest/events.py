"""That a camera was lost or came back, written into the audit without holding up a single picture."""

from concurrent.futures import Future, ThreadPoolExecutor

from auth.principal import worker
from streams.cameras.rules import CameraSource, CameraState, CameraStatus
from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.ids import CameraId


class CameraEvents:
    """Hears each change of state and notes each outage once: when it began, why, and when it was over.

    How often a camera can come and go is bounded by the back-off. `failed` counts notes that the database refused.
    """

    def __init__(self, db: Database, audit: AuditLog, clock: Clock) -> None:
        self._db = db
        self._audit = audit
        self._clock = clock
        self._is_lost: dict[CameraId, bool] = {}
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="camera-events")
        self.failed = 0

    def hear(self, source: CameraSource, status: CameraStatus) -> None:
        """Take note of a status; for `IngestService.on_status`. Does not wait."""
        was_lost = self._is_lost.get(source.camera_id)
        if status.state is CameraState.RUNNING and was_lost is not False:
            self._is_lost[source.camera_id] = False
            self._note(source, Tag.CAMERA_CONNECTED, Outcome.DONE, "")
        elif status.state is CameraState.WAITING and was_lost is not True:
            self._is_lost[source.camera_id] = True
            self._note(source, Tag.CAMERA_UNREACHABLE, Outcome.FAILED, status.why)

    def close(self) -> None:
        """Write what is still to be written."""
        self._writing.shutdown(wait=True)

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
        self._writing.submit(self._write, event).add_done_callback(self._count)

    def _write(self, event: Event) -> None:
        with self._db.writing() as session:
            self._audit.note(session, event)

    def _count(self, written: "Future[None]") -> None:
        if written.exception() is not None:
            self.failed += 1

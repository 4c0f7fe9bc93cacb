"""Setting recording times: a new version, in the journal and the audit, heard of at once."""

from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session

from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import after_commit
from vms_privacy.ids import CameraId, OperatorId, Randomness
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalKind
from vms_privacy.recording_times import store
from vms_privacy.recording_times.errors import RecordingTimesRefused
from vms_privacy.recording_times.room import BOUNDLESS, Change, Room
from vms_privacy.recording_times.rules import Plan, Stretch, judge_plan
from vms_privacy.recording_times.tables import RecordingTimesRow
from vms_privacy.recording_times.zones import zone_named


class RecordingTimes:
    """The only writer of plans. Listeners hear of a change once it is durable, in the committing thread.

    `listener_failures` counts those that raised.
    """

    def __init__(
        self, audit: AuditLog, journal: Journal, clock: Clock, randomness: Randomness, room: Room = BOUNDLESS
    ) -> None:
        self._audit = audit
        self._journal = journal
        self._clock = clock
        self._randomness = randomness
        self._room = room
        self._listeners: list[Callable[[CameraId], None]] = []
        self.listener_failures = 0

    def on_change(self, listener: Callable[[CameraId], None]) -> None:
        """Call `listener` with the camera after each change."""
        self._listeners.append(listener)

    def set(
        self,
        session: Session,
        asker_label: str,
        operator_id: OperatorId,
        camera_id: CameraId,
        zone: str,
        stretches: Sequence[Stretch],
    ) -> Plan:
        """Add the next version; it holds from now on, for what comes from now on.

        Raises RecordingTimesRefused, and what `Room` raises. It can be set while what was set before cannot be read:
        that is how such a camera is recorded again.
        """
        refused = judge_plan(stretches)
        if refused is not None:
            raise RecordingTimesRefused(refused.why, rule=refused.code)
        known_zone = zone_named(zone)
        if known_zone is None:
            raise RecordingTimesRefused("name a zone of the IANA database, such as Europe/Paris", rule="unknown-zone")
        now, before = self._clock.now(), store.rows(session, camera_id)
        version = before[-1].version + 1 if before else 1
        self._room.refuse_if_full(
            session, {camera_id: Change(plan=Plan(version, zone, known_zone, tuple(stretches), now))}
        )
        told = [str(one) for one in stretches]
        session.add(
            RecordingTimesRow(
                id=self._randomness.uuid(),
                operator_id=operator_id,
                camera_id=camera_id,
                version=version,
                zone=zone,
                stretches=" ".join(told),
                set_by=asker_label,
                set_at=now,
            )
        )
        session.flush()
        self._audit.note(
            session,
            Event(
                Tag.RECORDING_TIMES_SET,
                now,
                asker_label,
                operator_id=operator_id,
                camera_id=camera_id,
                detail={"version": version, "zone": zone, "stretches": len(told)},
            ),
        )
        # Before the answer: a restored older database must not bring back a plan that allowed more.
        self._journal.append(
            JournalKind.RECORDING_TIMES,
            {
                "operator": str(operator_id),
                "camera": str(camera_id),
                "version": version,
                "zone": zone,
                **{f"stretch_{at}": one for at, one in enumerate(told, 1)},
            },
        )
        after_commit(session, lambda: self._tell(camera_id))
        return store.current(session, camera_id)

    def _tell(self, camera_id: CameraId) -> None:
        for listener in self._listeners:
            try:
                listener(camera_id)
            except Exception:  # noqa: BLE001 - the change is committed; one deaf listener must not silence the others
                self.listener_failures += 1

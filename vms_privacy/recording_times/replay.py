"""Recording times that the custody journal tells of and an older database does not: they hold again, for a restore."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.ids import CameraId, OperatorId, Randomness
from vms_privacy.journal.rules import JournalEntry, JournalKind
from vms_privacy.recording_times import store
from vms_privacy.recording_times.tables import RecordingTimesRow

_ACTOR: Final = "worker:replay"


def replay_recording_times(
    session: Session, entries: Iterable[JournalEntry], audit: AuditLog, clock: Clock, randomness: Randomness
) -> int:
    """Set again every version that is missing behind the newest one; return how many. May be repeated."""
    told = [entry for entry in entries if entry.kind is JournalKind.RECORDING_TIMES]
    return sum(_again(session, entry, audit, clock, randomness) for entry in told)


def _again(session: Session, entry: JournalEntry, audit: AuditLog, clock: Clock, randomness: Randomness) -> bool:
    facts = entry.facts
    camera_id, version = CameraId(UUID(str(facts["camera"]))), int(facts["version"] or 0)
    before = store.rows(session, camera_id)
    if before and before[-1].version >= version:
        return False
    stretches = [str(facts[f"stretch_{at}"]) for at in range(1, len(facts) + 1) if f"stretch_{at}" in facts]
    operator_id, now = OperatorId(UUID(str(facts["operator"]))), clock.now()
    session.add(
        RecordingTimesRow(
            id=randomness.uuid(),
            operator_id=operator_id,
            camera_id=camera_id,
            version=version,
            zone=str(facts["zone"]),
            stretches=" ".join(stretches),
            set_by=_ACTOR,
            set_at=now,
        )
    )
    session.flush()
    detail: dict[str, str | int | bool | None] = {"version": version, "zone": str(facts["zone"])}
    detail |= {"stretches": len(stretches), "journal_number": entry.number}
    audit.note(
        session,
        Event(Tag.RECORDING_TIMES_SET, now, _ACTOR, operator_id=operator_id, camera_id=camera_id, detail=detail),
    )
    return True

"""Recording times that the custody journal tells of and an older database does not: they hold again, for a restore."""

from collections import defaultdict
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
    """Set again what is missing, so that of each camera the last one that was told of holds; return how many.

    Of two of one version the first was told of and never committed, or was left behind by an earlier restore: the last
    counts. May be repeated.
    """
    of_cameras: dict[CameraId, list[JournalEntry]] = defaultdict(list)
    for entry in entries:
        if entry.kind is JournalKind.RECORDING_TIMES:
            of_cameras[CameraId(UUID(str(entry.facts["camera"])))].append(entry)
    changed = 0
    for camera_id, told in of_cameras.items():
        last_of = {int(entry.facts["version"] or 0): entry for entry in told}
        known = store.rows(session, camera_id)
        newest = known[-1].version if known else 0
        missing = [(version, entry) for version, entry in sorted(last_of.items()) if version > newest]
        deciding = _words(missing[-1][1]) if missing else (known[-1].zone, known[-1].stretches)
        if deciding != _words(told[-1]):
            missing.append((max(newest, *last_of) + 1, told[-1]))
        for version, entry in missing:
            _again(session, camera_id, version, entry, audit, clock, randomness)
        changed += len(missing)
    return changed


def _again(
    session: Session,
    camera_id: CameraId,
    version: int,
    entry: JournalEntry,
    audit: AuditLog,
    clock: Clock,
    randomness: Randomness,
) -> None:
    operator_id, now = OperatorId(UUID(str(entry.facts["operator"]))), clock.now()
    zone, stretches = _words(entry)
    session.add(
        RecordingTimesRow(
            id=randomness.uuid(),
            operator_id=operator_id,
            camera_id=camera_id,
            version=version,
            zone=zone,
            stretches=stretches,
            set_by=_ACTOR,
            set_at=now,
        )
    )
    session.flush()
    detail: dict[str, str | int | bool | None] = {"version": version, "zone": zone}
    detail |= {"stretches": len(stretches.split(" ")), "journal_number": entry.number}
    audit.note(
        session,
        Event(Tag.RECORDING_TIMES_SET, now, _ACTOR, operator_id=operator_id, camera_id=camera_id, detail=detail),
    )


def _words(entry: JournalEntry) -> tuple[str, str]:
    """Return zone and stretches as a row has them."""
    facts = entry.facts
    stretches = [str(facts[f"stretch_{at}"]) for at in range(1, len(facts) + 1) if f"stretch_{at}" in facts]
    return str(facts["zone"]), " ".join(stretches)

"""Cameras that the custody journal says were removed: removed again, for a restore, and connected to no more."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from auth.resources.store import ResourceStore
from streams.cameras.store import forget_address
from streams.cameras.tables import CameraRow
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.ids import CameraId
from vms_privacy.journal.rules import JournalEntry, JournalKind

_ACTOR: Final = "worker:replay"


def replay_removals(session: Session, entries: Iterable[JournalEntry], audit: AuditLog, clock: Clock) -> int:
    """Remove again every camera that an older database has for a living one; return how many. May be repeated."""
    told = [entry for entry in entries if entry.kind is JournalKind.CAMERA_REMOVED]
    return sum(_again(session, CameraId(UUID(str(one.facts["camera"]))), audit, clock) for one in told)


def _again(session: Session, camera_id: CameraId, audit: AuditLog, clock: Clock) -> bool:
    row = session.get(CameraRow, camera_id)
    if row is None or row.removed_at is not None:
        return False
    now = clock.now()
    row.removed_at = now
    forget_address(row)
    row.version += 1
    owner = ResourceStore().remove(session, camera_id, now)
    event = Event(Tag.CAMERA_REMOVED, now, _ACTOR, operator_id=owner.operator_id, camera_id=camera_id)
    audit.note(session, event)
    return True

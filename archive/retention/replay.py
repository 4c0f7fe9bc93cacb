"""Shortenings that the custody journal tells of and an older database does not: they hold again, for a restore.

A longer retention that was set behind one is not in the journal, so the shorter one holds: what it destroys was to be
destroyed once, and nothing is kept for longer than somebody has said.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from archive.retention import store
from archive.retention.tables import RetentionPolicyRow, RetentionTermsRow
from archive.segments import store as segments
from auth.resources.store import ResourceStore
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.ids import CameraId, OperatorId, Randomness
from vms_privacy.journal.rules import JournalEntry, JournalKind

_ACTOR: Final = "worker:replay"
_WHY: Final = "from the custody journal"


class Shortenings:
    """Shortens again. Takes a session, never commits."""

    def __init__(self, audit: AuditLog, clock: Clock, randomness: Randomness) -> None:
        self._audit = audit
        self._clock = clock
        self._randomness = randomness

    def replay(self, session: Session, entries: Iterable[JournalEntry]) -> int:
        """Shorten again what an older database keeps for longer; return how many times. May be repeated."""
        told = [entry for entry in entries if entry.kind is JournalKind.SHORTENING]
        return sum(
            self._of_operator(session, one) if "operator" in one.facts else self._of_camera(session, one)
            for one in told
        )

    def _of_camera(self, session: Session, entry: JournalEntry) -> bool:
        camera_id = CameraId(UUID(str(entry.facts["camera_id"])))
        keep_for, version = _told(entry)
        camera = ResourceStore().by_id(session, camera_id)
        if camera is None:
            return False
        known = store.history(session, camera_id)
        if _is_known(((one.version, one.keep_seconds) for one in known), version, keep_for):
            return False
        session.add(
            RetentionPolicyRow(
                id=self._randomness.uuid(),
                operator_id=camera.operator_id,
                camera_id=camera_id,
                version=max(version, known[0].version + 1 if known else version),
                keep_seconds=int(keep_for.total_seconds()),
                justification=_WHY,
                set_by=_ACTOR,
                set_at=self._clock.now(),
            )
        )
        session.flush()
        shortened = segments.shorten(session, camera_id, _microseconds(keep_for))
        self._note(session, Tag.RETENTION_SET, camera.operator_id, entry, shortened, camera_id)
        return True

    def _of_operator(self, session: Session, entry: JournalEntry) -> bool:
        operator_id = OperatorId(UUID(str(entry.facts["operator"])))
        keep_for, version = _told(entry)
        present = store.terms(session, operator_id)
        if _is_known(store.terms_numbers(session, operator_id), version, keep_for):
            return False
        session.add(
            RetentionTermsRow(
                id=self._randomness.uuid(),
                operator_id=operator_id,
                version=max(version, present.version + 1),
                profile=present.profile,
                keep_seconds=int(keep_for.total_seconds()),
                at_least_seconds=int(min(present.at_least, keep_for).total_seconds()),
                justification=_WHY,
                set_by=_ACTOR,
                set_at=self._clock.now(),
            )
        )
        session.flush()
        own = store.of_cameras(session, operator_id)
        cameras = [one.camera_id for one in ResourceStore().of_operator(session, operator_id, even_removed=True)]
        others = [camera_id for camera_id in cameras if camera_id not in own]
        shortened = sum(segments.shorten(session, one, _microseconds(keep_for)) for one in others)
        self._note(session, Tag.RETENTION_TERMS_SET, operator_id, entry, shortened)
        return True

    def _note(
        self,
        session: Session,
        tag: Tag,
        operator_id: OperatorId,
        entry: JournalEntry,
        shortened: int,
        camera_id: CameraId | None = None,
    ) -> None:
        detail: dict[str, str | int | bool | None] = {
            "version": entry.facts["version"],
            "keep_seconds": entry.facts["keep_seconds"],
            "segments_shortened": shortened,
            "journal_number": entry.number,
        }
        event = Event(tag, self._clock.now(), _ACTOR, operator_id=operator_id, camera_id=camera_id, detail=detail)
        self._audit.note(session, event)


def _is_known(versions: Iterable[tuple[int, int]], version: int, keep_for: timedelta) -> bool:
    """Say whether a database knows of a shortening, given the number and the seconds of each version it has.

    Not by the number alone: after an earlier restore there may be another rule under it, of what came to nothing.
    """
    return any(number >= version and kept <= keep_for.total_seconds() for number, kept in versions)


def _told(entry: JournalEntry) -> tuple[timedelta, int]:
    return timedelta(seconds=int(entry.facts["keep_seconds"] or 0)), int(entry.facts["version"] or 0)


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)

"""Shortenings that the custody journal tells of and an older database does not: they hold again, for a restore.

A longer retention that was set behind one is not in the journal, so the shorter one holds: what it destroys was to be
destroyed once, and nothing is kept for longer than somebody has said.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
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
        """Shorten again what an older database keeps for longer; return how many times. May be repeated.

        What is behind the last one that it has by its id. Others before that were told of and never committed: had they
        been, each restore in between would have taken them along.
        """
        told: dict[str, list[JournalEntry]] = defaultdict(list)
        for entry in entries:
            if entry.kind is JournalKind.SHORTENING:
                told[str(entry.facts.get("operator", entry.facts.get("camera_id")))].append(entry)
        missing = [entry for of_one in told.values() for entry in self._missing(session, of_one)]
        # In the journal's order: a default does not reach a camera that has had a policy of its own before.
        return sum(self._again(session, entry) for entry in sorted(missing, key=lambda one: one.number))

    def _missing(self, session: Session, told: Sequence[JournalEntry]) -> list[JournalEntry]:
        """Return, of one camera's or one operator's, what the database has not been told yet."""
        versions: Sequence[RetentionPolicyRow | RetentionTermsRow]
        if "operator" in told[0].facts:
            versions = store.terms_history(session, OperatorId(UUID(str(told[0].facts["operator"]))))
        else:
            versions = store.history(session, CameraId(UUID(str(told[0].facts["camera_id"]))))
        ids = {one.id for one in versions}
        known = [at for at, entry in enumerate(told) if _id(entry) in ids]
        behind = told[known[-1] + 1 :] if known else told
        return [entry for entry in behind if _id(entry) is not None or not _has_like(versions, entry)]

    def _again(self, session: Session, entry: JournalEntry) -> bool:
        return self._of_operator(session, entry) if "operator" in entry.facts else self._of_camera(session, entry)

    def _of_camera(self, session: Session, entry: JournalEntry) -> bool:
        camera_id = CameraId(UUID(str(entry.facts["camera_id"])))
        keep_for, version = _told(entry)
        camera = ResourceStore().by_id(session, camera_id)
        if camera is None:
            return False
        known = store.history(session, camera_id)
        session.add(
            RetentionPolicyRow(
                id=_id(entry) or self._randomness.uuid(),
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
        session.add(
            RetentionTermsRow(
                id=_id(entry) or self._randomness.uuid(),
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


def _id(entry: JournalEntry) -> UUID | None:
    """Return the id of the version that an entry tells of, by which the next replay knows it; older ones have none."""
    told = entry.facts.get("terms", entry.facts.get("policy"))
    return None if told is None else UUID(str(told))


def _has_like(versions: Sequence[RetentionPolicyRow | RetentionTermsRow], entry: JournalEntry) -> bool:
    """Say whether a version is the one that an older entry tells of, without its id: rather shortened twice than never.

    The same number and seconds; or it was set by a replay, under that number or a higher one.
    """
    keep_for, version = _told(entry)
    return any(
        one.keep_seconds == keep_for.total_seconds()
        and (one.version == version or (one.version > version and one.set_by == _ACTOR))
        for one in versions
    )


def _told(entry: JournalEntry) -> tuple[timedelta, int]:
    return timedelta(seconds=int(entry.facts["keep_seconds"] or 0)), int(entry.facts["version"] or 0)


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)

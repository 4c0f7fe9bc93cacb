"""What an operator sets for all its cameras: whose law it keeps to, the default, and the minimum."""

from datetime import timedelta

from sqlalchemy.orm import Session

from archive.retention import store
from archive.retention.rules import Terms, judge_terms
from archive.retention.service import RetentionRefused, RetentionService, ShorteningTakesTwo
from archive.retention.tables import RetentionTermsRow
from archive.segments import store as segments
from auth.principal import Granted
from auth.resources.store import ResourceStore
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import after_commit
from vms_privacy.ids import CameraId, OperatorId, Randomness
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalKind


class OperatorTerms:
    """Keeps the versions of each operator's terms. A shorter default reaches what is there at once (P10)."""

    def __init__(
        self,
        retention: RetentionService,
        audit: AuditLog,
        journal: Journal,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._retention = retention
        self._audit = audit
        self._journal = journal
        self._clock = clock
        self._randomness = randomness
        self._resources = ResourceStore()

    def current(self, session: Session, operator_id: OperatorId) -> Terms:
        """Return what is set now."""
        return store.terms(session, operator_id)

    def at_least_us(self, session: Session, operator_id: OperatorId) -> int:
        """Return for how many microseconds an operator has set its footage to be kept at least; 0 if nobody has."""
        terms = store.terms(session, operator_id)
        return terms.at_least // timedelta(microseconds=1) if terms.version else 0

    def set(self, session: Session, granted: Granted, wanted: Terms) -> Terms:
        """Add the next version; `wanted.version` is not looked at.

        Raises RetentionRefused, what `Room` raises, and ShorteningTakesTwo where a shorter default would destroy much
        at once: then the cameras are shortened one by one, by two people, before.
        """
        operator_id = granted.operator_id
        living = {one.camera_id for one in self._resources.of_operator(session, operator_id)}
        own = store.of_cameras(session, operator_id)
        before = store.terms(session, operator_id)
        refused = judge_terms(wanted, [keep for one, keep in own.items() if one in living])
        if refused is not None:
            raise RetentionRefused(refused.why, rule=refused.code)
        others = [one.camera_id for one in self._resources.of_operator(session, operator_id, even_removed=True)]
        others = [camera_id for camera_id in others if camera_id not in own]
        reaches_back = wanted.keep_for < before.keep_for
        if reaches_back:
            self._refuse_strong(session, others, wanted)
        self._retention.refuse_if_full(session, others, wanted.keep_for)
        now, version = self._clock.now(), before.version + 1
        terms_id = self._randomness.uuid()
        session.add(
            RetentionTermsRow(
                id=terms_id,
                operator_id=operator_id,
                version=version,
                profile=wanted.profile,
                keep_seconds=_seconds(wanted.keep_for),
                at_least_seconds=_seconds(wanted.at_least),
                justification=wanted.justification.strip(),
                set_by=granted.principal.label,
                set_at=now,
            )
        )
        session.flush()
        keep_us = wanted.keep_for // timedelta(microseconds=1)
        shortened = sum(segments.shorten(session, one, keep_us) for one in others) if reaches_back else 0
        detail: dict[str, str | int | bool | None] = {
            "version": version,
            "profile": str(wanted.profile),
            "keep_seconds": _seconds(wanted.keep_for),
            "at_least_seconds": _seconds(wanted.at_least),
            "segments_shortened": shortened,
        }
        event = Event(Tag.RETENTION_TERMS_SET, now, granted.principal.label, operator_id=operator_id, detail=detail)
        self._audit.note(session, event)
        if reaches_back:
            # Before the answer: a restored older database must not bring the longer default back.
            self._journal.append(
                JournalKind.SHORTENING,
                {
                    "operator": str(operator_id),
                    "terms": str(terms_id),
                    "keep_seconds": _seconds(wanted.keep_for),
                    "version": version,
                },
            )
        after_commit(session, lambda: self._tell(others))
        return store.terms(session, operator_id)

    def _refuse_strong(self, session: Session, cameras: list[CameraId], wanted: Terms) -> None:
        for camera_id in cameras:
            if self._retention.takes_two(session, camera_id, wanted.keep_for):
                raise ShorteningTakesTwo(
                    "a camera would lose much of its footage; shorten such cameras one by one, by two people",
                    camera=str(camera_id),
                )

    def _tell(self, cameras: list[CameraId]) -> None:
        for camera_id in cameras:
            self._retention.tell(camera_id)


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())

"""Setting retention."""

from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar

from sqlalchemy.orm import Session

from archive.retention import store
from archive.retention.rules import Policy, Refused, judge_change
from archive.retention.tables import RetentionPolicyRow
from archive.segments import store as segments
from auth.principal import Granted
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import after_commit
from vms_privacy.errors import Kind, Refusal
from vms_privacy.ids import CameraId, Randomness
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalKind


class RetentionRefused(Refusal):
    """The retention asked for may not be set; `rule` says which rule it breaks."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "retention-refused"


class RetentionService:
    """Keeps the policies. Listeners hear of a change once it is durable, in the committing thread."""

    def __init__(self, audit: AuditLog, journal: Journal, clock: Clock, randomness: Randomness) -> None:
        self._audit = audit
        self._journal = journal
        self._clock = clock
        self._randomness = randomness
        self._listeners: list[Callable[[CameraId], None]] = []

    def on_change(self, listener: Callable[[CameraId], None]) -> None:
        """Call `listener` with the camera after each change."""
        self._listeners.append(listener)

    def current(self, session: Session, camera_id: CameraId) -> Policy:
        """Return the policy under which footage is taken now."""
        return store.current(session, camera_id)

    def set(self, session: Session, granted: Granted, keep_for: timedelta, justification: str) -> Policy:
        """Add the next version; shortening reaches what is there in the same transaction (P10).

        Raises RetentionRefused, whose fact `rule` is the code of the rule that was broken.
        """
        camera_id = granted.camera_id
        if camera_id is None:
            raise ValueError("retention is set per camera")
        verdict = judge_change(store.current(session, camera_id), keep_for, justification)
        if isinstance(verdict, Refused):
            raise RetentionRefused(verdict.why, rule=verdict.code)
        policy = verdict.policy
        now = self._clock.now()
        session.add(
            RetentionPolicyRow(
                id=self._randomness.uuid(),
                operator_id=granted.operator_id,
                camera_id=camera_id,
                version=policy.version,
                keep_seconds=int(policy.keep_for.total_seconds()),
                justification=policy.justification,
                set_by=granted.principal.label,
                set_at=now,
            )
        )
        session.flush()
        shortened = segments.shorten(session, camera_id, policy.keep_us) if verdict.reaches_back else 0
        if verdict.reaches_back:
            # Before the answer: a restored older database must not bring the longer retention back.
            self._journal.append(
                JournalKind.SHORTENING,
                {"camera_id": str(camera_id), "keep_seconds": int(keep_for.total_seconds()), "version": policy.version},
            )
        self._audit.note(
            session,
            Event(
                Tag.RETENTION_SET,
                now,
                granted.principal.label,
                operator_id=granted.operator_id,
                camera_id=camera_id,
                detail={
                    "version": policy.version,
                    "keep_seconds": int(keep_for.total_seconds()),
                    "segments_shortened": shortened,
                },
            ),
        )
        for listener in self._listeners:
            after_commit(session, lambda listener=listener: listener(camera_id))  # type: ignore[misc]
        return policy

"""Setting retention: what a change would do, who has to agree to it, and doing it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from sqlalchemy.orm import Session

from archive.orders import store as orders
from archive.retention import store
from archive.retention.rules import (
    DEFAULT_KEEP_FOR,
    Accepted,
    Policy,
    Refused,
    judge_change,
    longest_lately,
    needs_second_person,
)
from archive.retention.tables import RetentionPolicyRow
from archive.segments import days
from archive.segments import store as segments
from archive.segments.days import Amount
from auth.principal import Granted, Right
from auth.resources.store import ResourceStore
from auth.tokens.rules import microseconds
from vms_privacy.approvals.rules import Act, Approved, Fact, Proposal
from vms_privacy.approvals.service import Approvals, Wanted
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import after_commit
from vms_privacy.errors import Kind, Refusal
from vms_privacy.ids import CameraId, OperatorId, Randomness
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalKind
from vms_privacy.recording_times.room import BOUNDLESS, Change, Outlook, Room

_MORE_SINCE: Final = 120
"""So many segments may have been added to what a proposal would destroy while it waited, and as many as it named."""


class RetentionRefused(Refusal):
    """The retention asked for may not be set; `rule` says which rule it breaks."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "retention-refused"


class ShorteningTakesTwo(Refusal):
    """So much shorter a retention destroys much of what is there at once: another person has to agree."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "shortening-takes-two"


@dataclass(frozen=True, slots=True)
class Preview:
    """What a retention would do to a camera's footage at this moment.

    `expires`: what can be read now and then could not; `held` of its segments are kept from destruction by orders.
    """

    current: Policy
    verdict: Accepted
    expires: Amount
    held: int
    takes_two: bool
    outlook: Outlook


class RetentionService:
    """Keeps the policies. Listeners hear of a change once it is durable, in the committing thread.

    `listener_failures` counts those that raised.
    """

    def __init__(
        self,
        audit: AuditLog,
        journal: Journal,
        clock: Clock,
        randomness: Randomness,
        approvals: Approvals,
        room: Room = BOUNDLESS,
    ) -> None:
        self._audit = audit
        self._journal = journal
        self._clock = clock
        self._randomness = randomness
        self._approvals = approvals
        self._room = room
        self._listeners: list[Callable[[CameraId], None]] = []
        self.listener_failures = 0
        approvals.carry_out_with(Act.SHORTEN_RETENTION, self._carry_out)

    def on_change(self, listener: Callable[[CameraId], None]) -> None:
        """Call `listener` with the camera after each change."""
        self._listeners.append(listener)

    def current(self, session: Session, camera_id: CameraId) -> Policy:
        """Return the policy under which footage is taken now."""
        return store.current(session, camera_id)

    def preview(self, session: Session, camera_id: CameraId, keep_for: timedelta, justification: str) -> Preview:
        """Return what setting a retention would do now, exact to the segment. Raises RetentionRefused."""
        current = store.current(session, camera_id)
        terms = store.terms_of_camera(session, camera_id)
        verdict = judge_change(current, keep_for, justification, terms)
        if isinstance(verdict, Refused):
            raise RetentionRefused(verdict.why, rule=verdict.code)
        now, keep_us = self._clock.now(), verdict.policy.keep_us
        expires = days.expiring(session, camera_id, keep_us, microseconds(now))
        held = 0
        if expires.segments:
            held = orders.count_kept(session, camera_id, days.is_expiring(camera_id, keep_us, microseconds(now)))
        takes_two = self.takes_two(session, camera_id, keep_for)
        outlook = self._room.outlook(session, camera_id, Change(keep_for=keep_for))
        return Preview(current, verdict, expires, held, takes_two, outlook)

    def takes_two(self, session: Session, camera_id: CameraId, keep_for: timedelta) -> bool:
        """Say whether to keep a camera's footage so long needs a second person; small steps count together."""
        now = self._clock.now()
        camera = ResourceStore().by_id(session, camera_id)
        of_operator = [] if camera is None else store.terms_versions(session, camera.operator_id)
        default = longest_lately(of_operator, DEFAULT_KEEP_FOR, now)
        longest = longest_lately(store.versions(session, camera_id), default, now)
        microsecond = timedelta(microseconds=1)
        lost = days.lost_us(session, camera_id, keep_for // microsecond, longest // microsecond, microseconds(now))
        return needs_second_person(longest, keep_for, timedelta(microseconds=lost))

    def set(self, session: Session, granted: Granted, keep_for: timedelta, justification: str) -> Policy:
        """Add the next version; shortening reaches what is there in the same transaction (P10).

        Raises RetentionRefused, whose fact `rule` is the code of the rule that was broken, ShorteningTakesTwo, and
        what `Room` raises where it is longer than there is room for.
        """
        camera_id = _camera(granted)
        preview = self.preview(session, camera_id, keep_for, justification)
        if preview.takes_two:
            raise ShorteningTakesTwo(
                f"{preview.expires.segments} segments would expire at once; it takes another person, too",
                segments=preview.expires.segments,
                size_bytes=preview.expires.size_bytes,
            )
        return self._apply(session, granted.operator_id, camera_id, preview.verdict, granted.principal.label, "")

    def propose(
        self, session: Session, granted: Granted, keep_for: timedelta, justification: str, reason: str
    ) -> Proposal:
        """Propose a retention that takes two people, with what it would destroy. Raises RetentionRefused."""
        camera_id = _camera(granted)
        preview = self.preview(session, camera_id, keep_for, justification)
        facts: dict[str, Fact] = {
            "keep_seconds": int(keep_for.total_seconds()),
            "justification": preview.verdict.policy.justification,
            "version": preview.verdict.policy.version,
            "segments": preview.expires.segments,
            "size_bytes": preview.expires.size_bytes,
            "recorded_seconds": preview.expires.recorded_us // 1_000_000,
        }
        return self._approvals.propose(
            session,
            Wanted(
                operator_id=granted.operator_id,
                camera_id=camera_id,
                act=Act.SHORTEN_RETENTION,
                right=str(Right.RETAIN),
                facts=facts,
                reason=reason.strip(),
                proposed_by=granted.principal.label,
            ),
        )

    def _carry_out(self, session: Session, approved: Approved) -> None:
        """Set what two people want; if somebody has changed it in between, they decide anew."""
        proposal = approved.proposal
        if proposal.camera_id is None:
            raise ValueError("retention is set per camera")
        keep_for = timedelta(seconds=int(proposal.facts["keep_seconds"] or 0))
        current = store.current(session, proposal.camera_id)
        terms = store.terms_of_camera(session, proposal.camera_id)
        verdict = judge_change(current, keep_for, str(proposal.facts["justification"]), terms)
        if isinstance(verdict, Refused):
            raise RetentionRefused(verdict.why, rule=verdict.code)
        now_us = microseconds(self._clock.now())
        loses = days.expiring(session, proposal.camera_id, verdict.policy.keep_us, now_us).segments
        shown = int(proposal.facts["segments"] or 0)
        if verdict.policy.version != proposal.facts["version"] or loses > 2 * shown + _MORE_SINCE:
            raise RetentionRefused("it was changed since this was proposed; propose it anew", rule="changed-since")
        self._apply(session, proposal.operator_id, proposal.camera_id, verdict, proposal.proposed_by, approved.second)

    def _apply(
        self,
        session: Session,
        operator_id: OperatorId,
        camera_id: CameraId,
        verdict: Accepted,
        actor: str,
        approved_by: str,
    ) -> Policy:
        policy, now = verdict.policy, self._clock.now()
        self.refuse_if_full(session, [camera_id], policy.keep_for)
        keep_seconds = int(policy.keep_for.total_seconds())
        policy_id = self._randomness.uuid()
        session.add(
            RetentionPolicyRow(
                id=policy_id,
                operator_id=operator_id,
                camera_id=camera_id,
                version=policy.version,
                keep_seconds=keep_seconds,
                justification=policy.justification,
                set_by=actor,
                set_at=now,
            )
        )
        session.flush()
        shortened = segments.shorten(session, camera_id, policy.keep_us) if verdict.reaches_back else 0
        if verdict.reaches_back:
            # Before the answer: a restored older database must not bring the longer retention back.
            self._journal.append(
                JournalKind.SHORTENING,
                {
                    "camera_id": str(camera_id),
                    "policy": str(policy_id),
                    "keep_seconds": keep_seconds,
                    "version": policy.version,
                },
            )
        detail: dict[str, str | int | bool | None] = {
            "version": policy.version,
            "keep_seconds": keep_seconds,
            "segments_shortened": shortened,
        }
        self._audit.note(
            session,
            Event(
                Tag.RETENTION_SET,
                now,
                actor,
                operator_id=operator_id,
                camera_id=camera_id,
                detail=detail | ({"approved_by": approved_by} if approved_by else {}),
            ),
        )
        after_commit(session, lambda: self.tell(camera_id))
        return policy

    def refuse_if_full(self, session: Session, cameras: Iterable[CameraId], keep_for: timedelta) -> None:
        """Raise what `Room` raises where there is no room for keeping these cameras' footage so long."""
        self._room.refuse_if_full(session, {one: Change(keep_for=keep_for) for one in cameras})

    def tell(self, camera_id: CameraId) -> None:
        """Tell the listeners that what holds for a camera has changed, once that is durable."""
        for listener in self._listeners:
            try:
                listener(camera_id)
            except Exception:  # noqa: BLE001 - the change is committed; one deaf listener must not silence the others
                self.listener_failures += 1


def _camera(granted: Granted) -> CameraId:
    if granted.camera_id is None:
        raise ValueError("retention is set per camera")
    return granted.camera_id

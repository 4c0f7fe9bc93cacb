"""Beginning an off-boarding, confirming it, taking it back, and saying how far it is. What follows: rounds.py."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from archive.mandates.rules import young_after_us
from archive.mandates.service import MandateService, Minimums
from auth.errors import NotFound
from auth.operators.store import OperatorStore
from auth.principal import Granted, Right
from auth.resources.store import ResourceStore
from auth.tokens.rules import microseconds
from vms_privacy.approvals.rules import Act, Approved, Fact, Proposal
from vms_privacy.approvals.service import Approvals, Wanted
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.consent.ledger import ConsentLedger
from vms_privacy.consent.rules import ConsentKind
from vms_privacy.errors import Refusal
from vms_privacy.ids import ManifestId, OffBoardingId, OperatorId, Randomness
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalKind
from vms_privacy.off_boarding import footage, rules, store
from vms_privacy.off_boarding import manifest_store as manifests
from vms_privacy.off_boarding.errors import ManifestIsForgotten, ManifestIsNotReady, OffBoardingIsUnderWay
from vms_privacy.off_boarding.footage import Gone
from vms_privacy.off_boarding.manifest_store import Manifest
from vms_privacy.off_boarding.rules import Confirmation, JournalAct, Left, OffBoarding, Step, WaitsFor
from vms_privacy.subject_requests import store as requests

MOST_SHOWN: Final = 1000
_WHY: Final = "off-boarding"

Progress = Callable[[Step], None]


def nobody(_: Step) -> None:
    """Tell nobody of the progress."""


@dataclass(frozen=True, slots=True)
class HowFar:
    """An off-boarding as it is at this moment."""

    off_boarding: OffBoarding
    manifest: Manifest | None
    left: Left
    gone: Gone
    open_requests: int
    waits_for: WaitsFor | None


class OffBoardingService:
    """The two acts of an off-boarding. Each is in the custody journal before it is answered, and in the audit.

    `progress` is told of an act once the journal has it, before its commit.
    """

    def __init__(
        self,
        audit: AuditLog,
        journal: Journal,
        clock: Clock,
        randomness: Randomness,
        approvals: Approvals,
        ledger: ConsentLedger,
        mandates: MandateService,
        minimums: Minimums,
        progress: Progress = nobody,
    ) -> None:
        self._audit = audit
        self._journal = journal
        self._clock = clock
        self._randomness = randomness
        self._approvals = approvals
        self._ledger = ledger
        self._mandates = mandates
        self._minimums = minimums
        self._progress = progress
        self._operators = OperatorStore()
        self._resources = ResourceStore()
        approvals.carry_out_with(Act.BEGIN_OFF_BOARDING, self._begin)
        approvals.carry_out_with(Act.CONFIRM_OFF_BOARDING, self._confirm)

    def propose(self, session: Session, granted: Granted, reason: str) -> Proposal:
        """Propose to begin; nothing happens before another person approves. Raises OffBoardingIsUnderWay."""
        _raise(rules.may_begin(store.present(session, granted.operator_id)))
        return self._propose(session, granted, Act.BEGIN_OFF_BOARDING, {}, reason)

    def ask_for_manifest(self, session: Session, granted: Granted) -> Manifest:
        """Have a manifest made, or return the one that is being made.

        Raises NoOffBoarding, OffBoardingIsConfirmed.
        """
        present = self._begun(session, granted.operator_id)
        newest = manifests.newest(session, present.id)
        if newest is not None and newest.signed_at is None:
            return newest
        manifest_id = ManifestId(self._randomness.uuid())
        now = self._clock.now()
        made = Manifest(
            id=manifest_id,
            off_boarding_id=present.id,
            number=1 if newest is None else newest.number + 1,
            operator_id=present.operator_id,
            asked_by=granted.principal.label,
            asked_at=now,
            listed=0,
            attempts=0,
            last_failure="",
            signed_at=None,
            digest="",
            head=None,
        )
        manifests.add(session, made)
        self._note(session, Tag.MANIFEST_BEGUN, present, granted.principal.label, manifest=str(manifest_id))
        return made

    def signed_manifest(self, session: Session, operator_id: OperatorId) -> Manifest:
        """Return the manifest that was confirmed, or the newest one. Raises ManifestIsNotReady, ManifestIsForgotten."""
        present = store.present(session, operator_id)
        newest = None if present is None else manifests.newest(session, present.id)
        if present is None or newest is None or newest.head is None:
            raise ManifestIsNotReady("no manifest is signed yet: have one made, and wait for it")
        if present.step >= Step.ACCESS_ENDED or present.taken_back_at is not None:
            raise ManifestIsForgotten("its lines are not kept any more")
        return newest

    def propose_confirmation(self, session: Session, granted: Granted, digest: str, reason: str) -> Proposal:
        """Propose to destroy what a manifest lists, and everything else of the operator with it.

        Raises NoOffBoarding, OffBoardingIsConfirmed, ManifestIsNotReady, ManifestIsAnother, ManifestDoesNotCover.
        """
        present = self._begun(session, granted.operator_id)
        manifest = self._covering(session, present, digest)
        facts: dict[str, Fact] = {"off_boarding": str(present.id), "manifest": digest, "segments": manifest.listed}
        return self._propose(session, granted, Act.CONFIRM_OFF_BOARDING, facts, reason)

    def take_back(self, session: Session, granted: Granted) -> OffBoarding:
        """Let the operator stay: nothing that ended is switched on again by it.

        Raises NoOffBoarding, OffBoardingIsConfirmed.
        """
        present = self._begun(session, granted.operator_id)
        by, now = granted.principal.label, self._clock.now()
        store.take_back(session, present.id, by, now)
        self._operators.leave(session, present.operator_id, None)
        self._note(session, Tag.OFF_BOARDING_TAKEN_BACK, present, by)
        self._write_journal(present.id, present.operator_id, JournalAct.TAKEN_BACK)
        return self._again(session, present.id)

    def how_far(self, session: Session, operator_id: OperatorId) -> HowFar:
        """Say how far an operator's off-boarding is. Raises NotFound where there never was one."""
        present = store.present(session, operator_id)
        if present is None:
            raise NotFound
        return self._how_far(session, present)

    def every(self, session: Session) -> list[HowFar]:
        """Say how far each operator's off-boarding is, newest first."""
        return [self._how_far(session, one) for one in store.every(session, MOST_SHOWN)]

    def _how_far(self, session: Session, present: OffBoarding) -> HowFar:
        manifest = manifests.newest(session, present.id)
        young_us = young_after_us(self._now_us(), self._minimums.at_least_us(session, present.operator_id))
        left = footage.left(session, present.operator_id, present.id, young_us)
        waiting = requests.count_open(session, present.operator_id)
        has_manifest = manifest is not None and manifest.signed_at is not None
        return HowFar(
            present,
            manifest,
            left,
            footage.gone(session, present.operator_id, present.id),
            waiting,
            rules.waits_for(present, left, waiting, has_manifest=has_manifest),
        )

    def _propose(self, session: Session, granted: Granted, act: Act, facts: dict[str, Fact], reason: str) -> Proposal:
        return self._approvals.propose(
            session,
            Wanted(
                operator_id=granted.operator_id,
                camera_id=None,
                act=act,
                right=str(Right.ERASE),
                facts=facts,
                reason=reason.strip(),
                proposed_by=granted.principal.label,
            ),
        )

    def _begin(self, session: Session, approved: Approved) -> None:
        """Carry out what two people decided: from the commit on nothing is recorded, registered or given away."""
        proposal = approved.proposal
        operator_id = proposal.operator_id
        _raise(rules.may_begin(store.present(session, operator_id)))
        began = OffBoarding(
            id=OffBoardingId(self._randomness.uuid()),
            operator_id=operator_id,
            proposed_by=proposal.proposed_by,
            approved_by=approved.second,
            begun_at=approved.at,
            step=Step.BEGUN,
        )
        store.add(session, began, proposal.reason)
        self._operators.leave(session, operator_id, approved.at)
        ended = self._withdraw(session, operator_id, approved.second)
        self._note(
            session,
            Tag.OFF_BOARDING_BEGUN,
            began,
            approved.second,
            proposal=str(proposal.id),
            proposed_by=proposal.proposed_by,
            withdrawn=ended,
        )
        # Last, when the database has taken everything: a restored older database must not let it stay.
        self._write_journal(began.id, operator_id, JournalAct.BEGUN)
        self._progress(Step.BEGUN)

    def _withdraw(self, session: Session, operator_id: OperatorId, actor: str) -> int:
        """Switch off recording for good, with its sound. Live goes on, with its sound, until the confirmation."""
        active = self._ledger.active(session)
        cameras = [one.camera_id for one in self._resources.of_operator(session, operator_id, even_removed=True)]
        recorded = [one for one in cameras if (one, ConsentKind.VIDEO_RECORDING) in active]
        for camera_id in recorded:
            self._ledger.withdraw(session, actor, operator_id, camera_id, ConsentKind.VIDEO_RECORDING, _WHY)
        return len(recorded)

    def _confirm(self, session: Session, approved: Approved) -> None:
        """Carry out what two people decided: from the commit on everything reads like what has expired."""
        proposal = approved.proposal
        present = self._begun(session, proposal.operator_id)
        if str(present.id) != proposal.facts["off_boarding"]:
            raise OffBoardingIsUnderWay("this is another off-boarding than the one that was to be confirmed")
        digest = str(proposal.facts["manifest"])
        manifest = self._covering(session, present, digest)
        confirmation = Confirmation(manifest.id, digest, proposal.proposed_by, approved.second, approved.at)
        store.confirm(session, present.id, confirmation, None)
        wanted = rules.to_destroy(footage.reach(session, present.operator_id), self._now_us())
        placed = self._mandates.place_for_off_boarding(session, approved, wanted, str(present.id))
        self._note(
            session,
            Tag.OFF_BOARDING_CONFIRMED,
            present,
            approved.second,
            proposal=str(proposal.id),
            proposed_by=proposal.proposed_by,
            manifest=str(manifest.id),
            digest=digest,
            mandates=placed,
        )
        # Last, as above: from here on only the commit itself can fail.
        self._write_journal(present.id, present.operator_id, JournalAct.CONFIRMED, digest)
        self._progress(Step.CONFIRMED)

    def _covering(self, session: Session, present: OffBoarding, digest: str) -> Manifest:
        """Return the newest manifest, if it is the one that is named and lists everything."""
        newest = manifests.newest(session, present.id)
        if newest is None:
            raise ManifestIsNotReady("no manifest is signed yet: have one made, and read it")
        signed = newest.digest if newest.signed_at is not None else None
        unlisted = footage.count_unlisted(session, present.operator_id, newest.id)
        _raise(rules.may_confirm(signed, digest, unlisted, footage.growing(session, present.operator_id)))
        return newest

    def _begun(self, session: Session, operator_id: OperatorId) -> OffBoarding:
        present = store.present(session, operator_id)
        _raise(rules.may_change(present))
        if present is None:
            raise NotFound
        return present

    def _again(self, session: Session, off_boarding_id: OffBoardingId) -> OffBoarding:
        found = store.by_id(session, off_boarding_id)
        if found is None:
            raise NotFound
        return found

    def _note(
        self, session: Session, tag: Tag, present: OffBoarding, actor: str, **detail: str | int | bool | None
    ) -> None:
        told: dict[str, str | int | bool | None] = {"off_boarding": str(present.id), **detail}
        self._audit.note(session, Event(tag, self._clock.now(), actor, operator_id=present.operator_id, detail=told))

    def _write_journal(self, one: OffBoardingId, operator_id: OperatorId, act: JournalAct, digest: str = "") -> None:
        write_journal(self._journal, one, operator_id, act, digest)

    def _now_us(self) -> int:
        return microseconds(self._clock.for_destroying())


def write_journal(
    journal: Journal, one: OffBoardingId, operator_id: OperatorId, act: JournalAct, digest: str = ""
) -> None:
    """Write an act of an off-boarding into the custody journal."""
    facts = {"act": str(act), "off_boarding": str(one), "operator": str(operator_id)}
    journal.append(JournalKind.OFF_BOARDING, {**facts, "manifest": digest} if digest else facts)


def _raise(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise refusal

"""Proposing an act, and deciding about it. The act itself is carried out by its own room, in the same transaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.orm import Session

from vms_privacy.approvals import store
from vms_privacy.approvals.errors import (
    ApprovalRefusal,
    ProposalIsDecided,
    ProposerLostTheRight,
)
from vms_privacy.approvals.rules import GOOD_FOR, Act, Approved, Decision, Fact, Proposal, judge_decision
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.ids import CameraId, OperatorId, ProposalId, Randomness

MOST_SHOWN: Final = 2000
CarryOut = Callable[[Session, Approved], None]
"""Does what was approved, or raises a refusal: then nothing is decided either."""
Holds = Callable[[str], bool]
"""Says of a principal's label whether they hold the right that a proposal needs, now."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody proposes. See `rules.Proposal`."""

    operator_id: OperatorId
    camera_id: CameraId | None
    act: Act
    right: str
    facts: Mapping[str, Fact]
    reason: str
    proposed_by: str


class Approvals:
    """The one queue of acts that wait for a second person."""

    def __init__(self, audit: AuditLog, clock: Clock, randomness: Randomness) -> None:
        self._audit = audit
        self._clock = clock
        self._randomness = randomness
        self._carried_out_by: dict[Act, CarryOut] = {}

    def carry_out_with(self, act: Act, carry_out: CarryOut) -> None:
        """Join the room that carries out an act. Each act has one."""
        if act in self._carried_out_by:
            raise ValueError(f"{act} is carried out by one room alone")
        self._carried_out_by[act] = carry_out

    def propose(self, session: Session, wanted: Wanted) -> Proposal:
        """Keep a proposal, or return the one that waits already and says the very same by the same person."""
        now = self._clock.now()
        if wanted.camera_id is not None:
            for known in store.waiting(session, wanted.operator_id, wanted.act, wanted.camera_id):
                is_same = known.facts == wanted.facts and known.proposed_by == wanted.proposed_by
                if is_same and now < known.expires_at:
                    return known
        proposal = Proposal(
            id=ProposalId(self._randomness.uuid()),
            operator_id=wanted.operator_id,
            camera_id=wanted.camera_id,
            act=wanted.act,
            right=wanted.right,
            facts=dict(wanted.facts),
            reason=wanted.reason,
            proposed_by=wanted.proposed_by,
            proposed_at=now,
            expires_at=now + GOOD_FOR,
        )
        store.add(session, proposal)
        self._note(session, Tag.ACT_PROPOSED, proposal, wanted.proposed_by)
        return proposal

    def find(self, session: Session, operator_id: OperatorId, proposal_id: ProposalId) -> Proposal | None:
        """Return one proposal of an operator, decided or not."""
        return store.by_id(session, operator_id, proposal_id)

    def of_operator(self, session: Session, operator_id: OperatorId, *, only_waiting: bool) -> list[Proposal]:
        """Return the newest proposals of an operator; `only_waiting`: those that can still be decided."""
        return store.of_operator(session, operator_id, MOST_SHOWN, self._clock.now() if only_waiting else None)

    def decide(self, session: Session, proposal: Proposal, decision: Decision, decider: str, holds: Holds) -> Proposal:
        """Decide, and with an approval have the act carried out in this very transaction.

        That the decider holds the right was asked before. Raises ProposalIsDecided, ProposalHasExpired,
        SecondPersonNeeded, ProposerLostTheRight, and what carrying out raises.
        """
        now = self._clock.now()
        verdict = judge_decision(proposal, decision, decider, now)
        if isinstance(verdict, ApprovalRefusal):
            raise verdict
        if isinstance(verdict, Approved) and not holds(proposal.proposed_by):
            raise ProposerLostTheRight("who proposed this does not hold the right any more; propose it yourself")
        outcome = Decision.APPROVED if isinstance(verdict, Approved) else verdict
        decided = replace(proposal, decision=outcome, decided_by=decider, decided_at=now)
        if not store.decide(session, proposal, outcome, decided):
            raise ProposalIsDecided("somebody else has just decided about this")
        self._note(session, Tag.ACT_DECIDED, decided, decider)
        if isinstance(verdict, Approved):
            self._carried_out_by[proposal.act](session, verdict)
        return decided

    def _note(self, session: Session, tag: Tag, proposal: Proposal, actor: str) -> None:
        detail: dict[str, str | int | bool | None] = {
            "proposal": str(proposal.id),
            "act": str(proposal.act),
            "proposed_by": proposal.proposed_by,
        }
        if proposal.decision is not None:
            detail |= {"decision": str(proposal.decision)}
        self._audit.note(
            session,
            Event(
                tag,
                self._clock.now(),
                actor,
                operator_id=proposal.operator_id,
                camera_id=proposal.camera_id,
                detail=detail,
            ),
        )

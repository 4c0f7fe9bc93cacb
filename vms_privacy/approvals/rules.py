"""Who may decide about a proposal, and until when. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Final

from vms_privacy.approvals.errors import (
    ApprovalRefusal,
    ProposalHasExpired,
    ProposalIsDecided,
    SecondPersonNeeded,
)
from vms_privacy.ids import CameraId, OperatorId, ProposalId

GOOD_FOR: Final = timedelta(days=7)
"""How long a proposal waits for its second person; after that it is proposed anew."""
Fact = str | int | None


@unique
class Act(StrEnum):
    """What needs two people. Stable: rows and the audit carry these."""

    LIFT_HOLD = "lift-hold"
    LIFT_RESTRICTION = "lift-restriction"
    SHORTEN_RETENTION = "shorten-retention"
    ERASE_FOOTAGE = "erase-footage"
    BEGIN_OFF_BOARDING = "begin-off-boarding"
    CONFIRM_OFF_BOARDING = "confirm-off-boarding"


@unique
class Decision(StrEnum):
    """How a proposal ended."""

    APPROVED = "approved"
    REFUSED = "refused"
    TAKEN_BACK = "taken-back"


@dataclass(frozen=True, slots=True)
class Proposal:
    """An act that somebody wants and that waits for another person, or waited.

    `right` is what both must hold, over the camera if one is named, else over the whole operator. `facts` say exactly
    what would be done; `reason` is the proposer's words. `proposed_by` and `decided_by` are principals' labels.
    """

    id: ProposalId
    operator_id: OperatorId
    camera_id: CameraId | None
    act: Act
    right: str
    facts: Mapping[str, Fact]
    reason: str
    proposed_by: str
    proposed_at: datetime
    expires_at: datetime
    decision: Decision | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Approved:
    """Proof that two people want an act. Made only by `judge_decision`; good for this one transaction."""

    proposal: Proposal
    second: str
    at: datetime


def judge_decision(
    proposal: Proposal, decision: Decision, decider: str, now: datetime
) -> Approved | Decision | ApprovalRefusal:
    """Say what becomes of a proposal by somebody's decision; whether they hold the right was asked before.

    Taking back is for the proposer, approving for anybody else, refusing for both: doing nothing never needs two.
    """
    if proposal.decision is not None:
        return ProposalIsDecided(f"this was {proposal.decision} already", decision=str(proposal.decision))
    if now >= proposal.expires_at:
        return ProposalHasExpired("nobody decided in time; propose it again if it is still wanted")
    is_own = decider == proposal.proposed_by
    if decision is Decision.APPROVED:
        if is_own:
            return SecondPersonNeeded("you have proposed this yourself; another person with the same right approves it")
        return Approved(proposal, decider, now)
    return Decision.TAKEN_BACK if is_own else Decision.REFUSED

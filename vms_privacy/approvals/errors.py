"""Refusals of `approvals`."""

from typing import ClassVar

from vms_privacy.errors import Kind, Refusal


class ApprovalRefusal(Refusal):
    """Any refusal of a decision, so that an edge can tell them from others and note them."""


class SecondPersonNeeded(ApprovalRefusal):
    """Who has proposed an act does not approve it: that takes another person with the same right."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "second-person-needed"


class ProposalIsDecided(ApprovalRefusal):
    """Somebody has approved, refused or taken it back already; what was decided stays."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "proposal-is-decided"


class ProposalHasExpired(ApprovalRefusal):
    """Nobody decided in time; if it is still wanted, it is proposed anew."""

    kind: ClassVar[Kind] = Kind.GONE
    code: ClassVar[str] = "proposal-has-expired"


class ProposerLostTheRight(ApprovalRefusal):
    """Who has proposed it holds the right no longer, so one of the two people is missing."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "proposer-lost-the-right"

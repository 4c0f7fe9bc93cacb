"""Routes of acts that need two people: what waits, and deciding about it."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from fastapi import APIRouter

from auth.errors import NotFound
from auth.gate import Asker, Gate, On, needs
from auth.principal import Principal, PrincipalKind, Right
from vms_privacy.approvals.rules import Act, Decision, Proposal
from vms_privacy.approvals.service import Approvals
from vms_privacy.db import Database
from vms_privacy.ids import OperatorId, PersonId, ProposalId
from vms_privacy.web import Moment, Strict

_PERSON: Final = f"{PrincipalKind.PERSON}:"


class ProposalShown(Strict):
    """An act that needs two people with the right `needs`, and how it was decided, if it was."""

    proposal_id: UUID
    act: Act
    camera_id: UUID | None
    needs: str
    facts: Mapping[str, str | int | None]
    reason: str
    proposed_by: str
    proposed_at: Moment
    expires_at: Moment
    decision: Decision | None
    decided_by: str | None
    decided_at: Moment | None


def approval_routes(db: Database, approvals: Approvals, gate: Gate) -> APIRouter:
    """Return the routes. Each asks for membership; the right that an act needs is asked for over what it is about."""
    routes = APIRouter(prefix="/api/v1/operators/{operator_id}/approvals", tags=["approvals"])

    @routes.get("", **needs(None, on=On.OPERATOR))
    def list_proposals(operator_id: OperatorId, asker: Asker, *, waiting: bool = True) -> list[ProposalShown]:
        """Return the acts about which the asker may decide, newest first; decided ones too without `waiting`."""
        with db.reading() as session:
            found = approvals.of_operator(session, operator_id, only_waiting=waiting)
            return [
                _shown(one) for one in found if gate.holds(session, asker, Right(one.right), operator_id, one.camera_id)
            ]

    @routes.post("/{proposal_id}/approve", **needs(None, on=On.OPERATOR))
    def approve(operator_id: OperatorId, proposal_id: ProposalId, asker: Asker) -> ProposalShown:
        """Approve what another person has proposed; it is carried out in this moment."""
        return decide(operator_id, proposal_id, asker, Decision.APPROVED)

    @routes.post("/{proposal_id}/refuse", **needs(None, on=On.OPERATOR))
    def refuse(operator_id: OperatorId, proposal_id: ProposalId, asker: Asker) -> ProposalShown:
        """Refuse a proposal, or take one's own back."""
        return decide(operator_id, proposal_id, asker, Decision.REFUSED)

    def decide(operator_id: OperatorId, proposal_id: ProposalId, asker: Principal, decision: Decision) -> ProposalShown:
        with gate.noting(asker), db.writing() as session:
            proposal = approvals.find(session, operator_id, proposal_id)
            if proposal is None:
                raise NotFound
            right = Right(proposal.right)
            gate.ask(session, asker, right, operator_id, proposal.camera_id)

            def still_holds(label: str) -> bool:
                return gate.holds(session, _person(label, operator_id), right, operator_id, proposal.camera_id)

            return _shown(approvals.decide(session, proposal, decision, asker.label, still_holds))

    return routes


def _person(label: str, operator_id: OperatorId) -> Principal:
    """Return the person whom a label names, as one of an operator's people."""
    return Principal(PrincipalKind.PERSON, PersonId(UUID(label.removeprefix(_PERSON))), operator_id)


def _shown(proposal: Proposal) -> ProposalShown:
    return ProposalShown(
        proposal_id=proposal.id,
        act=proposal.act,
        camera_id=proposal.camera_id,
        needs=proposal.right,
        facts=proposal.facts,
        reason=proposal.reason,
        proposed_by=proposal.proposed_by,
        proposed_at=proposal.proposed_at,
        expires_at=proposal.expires_at,
        decision=proposal.decision,
        decided_by=proposal.decided_by,
        decided_at=proposal.decided_at,
    )

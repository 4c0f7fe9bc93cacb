"""Queries over proposals."""

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.orm import Session

from vms_privacy.approvals.rules import Act, Decision, Proposal
from vms_privacy.approvals.tables import ProposalRow
from vms_privacy.db import changed
from vms_privacy.ids import CameraId, OperatorId, ProposalId


def add(session: Session, new: Proposal) -> None:
    """Keep a proposal that nobody has decided yet."""
    session.execute(
        insert(ProposalRow).values(
            id=new.id,
            operator_id=new.operator_id,
            camera_id=new.camera_id,
            act=new.act,
            needs=new.right,
            facts=json.dumps(dict(new.facts), sort_keys=True, separators=(",", ":")),
            reason=new.reason,
            proposed_by=new.proposed_by,
            proposed_at=new.proposed_at,
            expires_at=new.expires_at,
        )
    )


def by_id(session: Session, operator_id: OperatorId, proposal_id: ProposalId) -> Proposal | None:
    """Return one proposal of an operator."""
    found = _found(session, ProposalRow.id == proposal_id, ProposalRow.operator_id == operator_id, most=1)
    return found[0] if found else None


def waiting(session: Session, operator_id: OperatorId, act: Act, camera_id: CameraId) -> list[Proposal]:
    """Return what nobody has decided of one kind of act and camera, expired or not, newest first."""
    return _found(
        session,
        ProposalRow.operator_id == operator_id,
        ProposalRow.decision.is_(None),
        ProposalRow.act == act,
        ProposalRow.camera_id == camera_id,
    )


def of_operator(
    session: Session, operator_id: OperatorId, most: int, waiting_at: datetime | None = None
) -> list[Proposal]:
    """Return an operator's proposals, newest first; with a moment, those that can still be decided then."""
    wanted = [ProposalRow.operator_id == operator_id]
    if waiting_at is not None:
        wanted += [ProposalRow.decision.is_(None), ProposalRow.expires_at > waiting_at]
    return _found(session, *wanted, most=most)


def decide(session: Session, proposal: Proposal, decision: Decision, decided: Proposal) -> bool:
    """Note a decision; say whether nobody had decided before."""
    done = changed(
        session,
        update(ProposalRow)
        .where(ProposalRow.id == proposal.id, ProposalRow.decision.is_(None))
        .values(decision=decision, decided_by=decided.decided_by, decided_at=decided.decided_at),
    )
    return done > 0


def _found(session: Session, *wanted: ColumnElement[bool], most: int = 1000) -> list[Proposal]:
    rows: Sequence[ProposalRow] = session.scalars(
        select(ProposalRow)
        .where(*wanted)
        .order_by(ProposalRow.proposed_at.desc(), ProposalRow.id)
        .limit(most)
        .execution_options(populate_existing=True)
    ).all()
    return [_proposal(row) for row in rows]


def _proposal(row: ProposalRow) -> Proposal:
    return Proposal(
        id=ProposalId(row.id),
        operator_id=OperatorId(row.operator_id),
        camera_id=None if row.camera_id is None else CameraId(row.camera_id),
        act=Act(row.act),
        right=row.needs,
        facts=json.loads(row.facts),
        reason=row.reason,
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        expires_at=row.expires_at,
        decision=None if row.decision is None else Decision(row.decision),
        decided_by=row.decided_by,
        decided_at=row.decided_at,
    )

"""Acts that need two people: nobody decides alone, nothing is decided twice, and both are named (P6, P9)."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.given.clock import HandClock
from tests.given.randomness import CountedRandomness
from vms_privacy.approvals.errors import (
    ProposalHasExpired,
    ProposalIsDecided,
    ProposerLostTheRight,
    SecondPersonNeeded,
)
from vms_privacy.approvals.rules import GOOD_FOR, Act, Approved, Decision, Proposal
from vms_privacy.approvals.service import Approvals, Wanted
from vms_privacy.audit.events import Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.audit.tables import EventRow
from vms_privacy.db import Database
from vms_privacy.errors import Kind, Refusal
from vms_privacy.ids import CameraId, OperatorId


def events(db: Database, tag: Tag) -> list[EventRow]:
    with db.reading() as session:
        return list(session.scalars(select(EventRow).where(EventRow.tag == tag).order_by(EventRow.number)))


class Refused(Refusal):
    """What carrying out may raise."""

    kind = Kind.CONFLICT
    code = "order-is-lifted"


class Queue:
    """A queue of acts over one camera; what is carried out is remembered."""

    def __init__(self, db: Database, clock: HandClock, randomness: CountedRandomness) -> None:
        self.db, self.clock = db, clock
        self.approvals = Approvals(AuditLog(db, randomness), clock, randomness)
        self.operator_id = OperatorId(randomness.uuid())
        self.camera_id = CameraId(randomness.uuid())
        self.first, self.second = f"person:{randomness.uuid()}", f"person:{randomness.uuid()}"
        self.done: list[Approved] = []
        self.fails = False
        self.approvals.carry_out_with(Act.LIFT_HOLD, self._carry_out)

    def propose(self, reason: str = "the case is closed", **facts: str) -> Proposal:
        wanted = Wanted(
            self.operator_id, self.camera_id, Act.LIFT_HOLD, "hold", facts or {"order": "1"}, reason, self.first
        )
        with self.db.writing() as session:
            return self.approvals.propose(session, wanted)

    def decide(
        self, proposal: Proposal, by: str, decision: Decision = Decision.APPROVED, *, first_holds: bool = True
    ) -> Proposal:
        with self.db.writing() as session:
            return self.approvals.decide(session, proposal, decision, by, lambda _: first_holds)

    def kept(self, proposal: Proposal) -> Proposal:
        with self.db.reading() as session:
            found = self.approvals.find(session, self.operator_id, proposal.id)
        assert found is not None
        return found

    def _carry_out(self, _: Session, approved: Approved) -> None:
        if self.fails:
            raise Refused("it was done in the meantime")
        self.done.append(approved)


@pytest.fixture
def queue(db: Database, clock: HandClock, randomness: CountedRandomness) -> Queue:
    return Queue(db, clock, randomness)


def test_two_people_carry_an_act_out_and_both_are_in_the_audit(db: Database, queue: Queue) -> None:
    proposal = queue.propose()
    decided = queue.decide(proposal, queue.second)
    assert [(one.proposal.proposed_by, one.second) for one in queue.done] == [(queue.first, queue.second)]
    assert (decided.decision, queue.kept(proposal)) == (Decision.APPROVED, decided)
    proposed, told = events(db, Tag.ACT_PROPOSED)[0], events(db, Tag.ACT_DECIDED)[0]
    assert (proposed.actor, told.actor) == (queue.first, queue.second)
    assert json.loads(told.detail)["proposed_by"] == queue.first


def test_nobody_approves_their_own_proposal(queue: Queue) -> None:
    proposal = queue.propose()
    with pytest.raises(SecondPersonNeeded):
        queue.decide(proposal, queue.first)
    assert (queue.done, queue.kept(proposal).decision) == ([], None)


def test_the_database_itself_refuses_an_approval_by_the_proposer(queue: Queue) -> None:
    queue.propose()
    own = text("UPDATE proposal SET decision = 'approved', decided_by = proposed_by, decided_at = proposed_at")
    with pytest.raises(IntegrityError), queue.db.writing() as session:
        session.execute(own)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM proposal",
        "UPDATE proposal SET facts = '{}'",
        "UPDATE proposal SET proposed_by = 'person:2'",
        "UPDATE proposal SET expires_at = proposed_at",
    ],
)
def test_what_was_proposed_cannot_be_changed(queue: Queue, statement: str) -> None:
    queue.propose()
    with pytest.raises(IntegrityError), queue.db.writing() as session:
        session.execute(text(statement))


@pytest.mark.parametrize("decision", [Decision.APPROVED, Decision.REFUSED])
def test_nothing_is_decided_twice(queue: Queue, decision: Decision) -> None:
    proposal = queue.propose()
    queue.decide(proposal, queue.second, decision)
    for again in (proposal, queue.kept(proposal)):
        with pytest.raises(ProposalIsDecided):
            queue.decide(again, queue.second)
    assert len(queue.done) == (decision is Decision.APPROVED)
    with pytest.raises(IntegrityError), queue.db.writing() as session:
        session.execute(text("UPDATE proposal SET decision = NULL, decided_by = NULL, decided_at = NULL"))


def test_refusing_takes_one_person_and_ones_own_is_taken_back(queue: Queue) -> None:
    own, other = queue.propose(), queue.propose(order="2")
    assert queue.decide(own, queue.first, Decision.REFUSED).decision is Decision.TAKEN_BACK
    assert queue.decide(other, queue.second, Decision.REFUSED).decision is Decision.REFUSED
    assert queue.done == []


def test_a_proposal_waits_a_week_and_not_a_second_longer(queue: Queue) -> None:
    proposal = queue.propose()
    queue.clock.forward(GOOD_FOR - timedelta(seconds=1))
    with queue.db.reading() as session:
        assert queue.approvals.of_operator(session, queue.operator_id, only_waiting=True) == [proposal]
    queue.clock.forward(timedelta(seconds=1))
    with pytest.raises(ProposalHasExpired):
        queue.decide(proposal, queue.second)
    with queue.db.reading() as session:
        assert queue.approvals.of_operator(session, queue.operator_id, only_waiting=True) == []
        assert queue.approvals.of_operator(session, queue.operator_id, only_waiting=False) == [proposal]


def test_who_lost_the_right_since_is_no_first_person_any_more(queue: Queue) -> None:
    proposal = queue.propose()
    with pytest.raises(ProposerLostTheRight):
        queue.decide(proposal, queue.second, first_holds=False)
    assert queue.done == []
    assert queue.decide(proposal, queue.second, Decision.REFUSED, first_holds=False).decision is Decision.REFUSED


def test_what_cannot_be_carried_out_is_not_decided_either(queue: Queue) -> None:
    proposal = queue.propose()
    queue.fails = True
    with pytest.raises(Refused):
        queue.decide(proposal, queue.second)
    assert queue.kept(proposal).decision is None
    queue.fails = False
    queue.decide(proposal, queue.second)
    assert len(queue.done) == 1


def test_the_very_same_proposal_is_made_once(queue: Queue) -> None:
    first = queue.propose()
    assert queue.propose("in other words").id == first.id
    assert queue.propose(order="2").id != first.id
    queue.clock.forward(GOOD_FOR)
    assert queue.propose().id != first.id


def test_another_operators_proposal_is_not_found(queue: Queue, tmp_path: Path) -> None:
    proposal = queue.propose()
    with queue.db.reading() as session:
        assert queue.approvals.find(session, OperatorId(queue.camera_id), proposal.id) is None


def test_each_act_is_carried_out_by_one_room(queue: Queue) -> None:
    with pytest.raises(ValueError, match="one room"):
        queue.approvals.carry_out_with(Act.LIFT_HOLD, lambda _, __: None)

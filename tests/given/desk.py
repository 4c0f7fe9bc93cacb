"""The desk at which a house's requests are handled: every part joined as the service joins them."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from archive.segments.rules import Segment, Span
from auth.operators.service import OperatorService
from auth.principal import Granted, Right
from tests.given.auth_app import REGIONS
from tests.given.footage import House
from vms_privacy.approvals.rules import Decision as Vote
from vms_privacy.audit.events import Tag
from vms_privacy.audit.tables import EventRow
from vms_privacy.ids import GrantId, ProposalId
from vms_privacy.subject_requests.answering import RequestAnswers
from vms_privacy.subject_requests.care import RequestCare
from vms_privacy.subject_requests.deciding import Decision, RequestDecisions
from vms_privacy.subject_requests.following import Followed, RequestFollower
from vms_privacy.subject_requests.kinds import Answer, Channel, Doubt, IdentityState, Reason, RequestKind, Standing
from vms_privacy.subject_requests.request import Place, Request
from vms_privacy.subject_requests.rules import Decided
from vms_privacy.subject_requests.service import NewRequest, RequestService
from vms_privacy.subject_requests.withdrawing import ErasingWithdrawals

SECOND_US = 1_000_000
CONTACT = "Ida Invented, 1 Nowhere Lane, ida@example.org"
COMPLAINT = "the authority of nowhere, authority.example.org"


class Desk:
    """Handles the requests of one house's operator, as its owner does."""

    def __init__(self, house: House) -> None:
        self.house, self.db, self.clock = house, house.db, house.clock
        self.requests = RequestService(house.audit, house.journal, house.clock, house.randomness, house.keyring)
        self.follower = RequestFollower(house.approvals, house.mandates, house.clock)
        self.decisions = RequestDecisions(
            self.requests, self.follower, house.mandates, house.orders, house.terms, house.clock
        )
        operators = OperatorService(house.audit, house.clock, house.randomness, REGIONS)
        self.answers = RequestAnswers(self.requests, self.follower, operators, house.clock)
        self.care = RequestCare(house.db, self.requests, self.follower, house.clock)
        self.withdrawals = ErasingWithdrawals(house.ledger, self.requests, self.decisions)

    @property
    def granted(self) -> Granted:
        """The owner's right over the whole operator."""
        grant = GrantId(self.house.randomness.uuid())
        return Granted(self.house.owner, Right.ERASE, self.house.operator_id, None, grant, 1)

    def recorded(self, seconds: float = 6) -> Segment:
        """Record something, and return what there is of it."""
        self.house.opt_in()
        self.house.record(seconds)
        self.house.delivery.deliver()
        return self.house.rows()[-1]

    def place(self, from_us: int, until_us: int) -> Place:
        return Place(self.house.camera.camera_id, Span(from_us, until_us))

    def middle(self, segment: Segment) -> Place:
        """A second in the middle of a segment."""
        return self.place(segment.starts_us + 2 * SECOND_US, segment.starts_us + 3 * SECOND_US)

    def enter(
        self,
        *places: Place,
        kind: RequestKind = RequestKind.ERASURE,
        ago: timedelta = timedelta(0),
        identity: IdentityState = IdentityState.CONFIRMED,
        doubt: Doubt | None = None,
        contact: str = CONTACT,
        channel: Channel = Channel.LETTER,
    ) -> Request:
        """Enter a request that came so long ago."""
        new = NewRequest(kind, channel, self.clock.now() - ago, identity, doubt, contact, places)
        with self.db.writing() as session:
            return self.requests.enter(session, self.granted, new)

    def decide(self, request: Request, answer: Answer, reason: Reason | None = None, **more: Any) -> Request:
        """Decide the same of every item."""
        items = tuple(Decided(one.number, answer, reason) for one in self.again(request).items)
        with self.db.writing() as session:
            return self.decisions.decide(session, self.granted, request.id, Decision(items, **more))

    def second_person(self, request: Request, decision: Vote = Vote.APPROVED) -> None:
        """Have another person decide about everything of a request that waits for one."""
        with self.db.writing() as session:
            for item in self.again(request).items:
                assert item.proposal_id is not None
                proposal_id = ProposalId(item.proposal_id)
                proposal = self.house.approvals.find(session, self.house.operator_id, proposal_id)
                assert proposal is not None
                label = f"person:{self.house.randomness.uuid()}"
                self.house.approvals.decide(session, proposal, decision, label, lambda _: True)

    def close(self, request: Request, told_at: datetime | None = None, *, taken_back: bool = False) -> Request:
        with self.db.writing() as session:
            at = told_at or self.clock.now()
            return self.decisions.close(session, self.granted, request.id, at, taken_back=taken_back)

    def again(self, request: Request) -> Request:
        """The request as it is kept now."""
        with self.db.reading() as session:
            return self.requests.find(session, self.house.operator_id, request.id)

    def follow(self, request: Request) -> list[Followed]:
        with self.db.reading() as session:
            return self.follower.follow(session, self.requests.find(session, self.house.operator_id, request.id))

    def standings(self, request: Request) -> list[Standing]:
        return [one.standing for one in self.follow(request)]

    def statement(self, request: Request) -> str:
        with self.db.reading() as session:
            return self.answers.statement(session, self.house.operator_id, request.id)

    def events(self, tag: Tag) -> list[EventRow]:
        with self.db.reading() as session:
            return list(session.scalars(select(EventRow).where(EventRow.tag == tag).order_by(EventRow.number)))

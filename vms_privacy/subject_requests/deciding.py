"""Deciding about requests, having it done, and closing them."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from archive.mandates.errors import NothingToDestroy
from archive.mandates.rules import Cause, NewMandate
from archive.mandates.service import MandateService
from archive.orders.rules import Ground, NewOrder, OrderKind
from archive.orders.service import OrderService
from archive.retention.terms import OperatorTerms
from auth.principal import Granted
from auth.tokens.rules import microseconds
from vms_privacy.audit.events import Tag
from vms_privacy.clock import Clock
from vms_privacy.ids import OperatorId, RequestId
from vms_privacy.subject_requests import footage, rules, store
from vms_privacy.subject_requests.authorities import AUTHORITY_OF
from vms_privacy.subject_requests.errors import FootageIsThere, RequestRefused
from vms_privacy.subject_requests.following import RequestFollower
from vms_privacy.subject_requests.footage import There
from vms_privacy.subject_requests.kinds import Answer, Reason, RequestKind
from vms_privacy.subject_requests.request import Item, Request
from vms_privacy.subject_requests.rules import Decided
from vms_privacy.subject_requests.service import RequestService, taken

_WHY_ERASED: Final = {
    RequestKind.WITHDRAWAL: "the opt-in under which it was recorded was withdrawn, and it shall go with it",
}
_WHY_ELSE: Final = "a person concerned has asked for it; see the request"


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decides, and what goes with it. `words`: what whoever asked is told besides.

    `ground` and `review_at` are of a restriction. `complaint_to` is the authority to complain to; by default that of
    the law that the operator keeps to.
    """

    items: tuple[Decided, ...]
    words: str = ""
    complaint_to: str = ""
    ground: Ground | None = None
    review_at: datetime | None = None


class RequestDecisions:
    """Decides about what was entered. An erasure is proposed here and carried out once a second person approves."""

    def __init__(
        self,
        requests: RequestService,
        follower: RequestFollower,
        mandates: MandateService,
        orders: OrderService,
        terms: OperatorTerms,
        clock: Clock,
    ) -> None:
        self._requests = requests
        self._follower = follower
        self._mandates = mandates
        self._orders = orders
        self._terms = terms
        self._clock = clock

    def search(
        self, session: Session, operator_id: OperatorId, request_id: RequestId, *, knows_orders: bool
    ) -> list[tuple[Item, There]]:
        """Say of each item what is there, by rows alone. Raises NotFound."""
        request = self._requests.find(session, operator_id, request_id)
        now_us = microseconds(self._clock.for_reading())
        return [(one, footage.there(session, one.place, now_us, knows_orders=knows_orders)) for one in request.items]

    def decide(self, session: Session, granted: Granted, request_id: RequestId, decision: Decision) -> Request:
        """Decide about some items, and have done what one person may have done.

        Raises RequestRefused, RequestIsClosed, RequestIsUnderWay, IdentityIsUnconfirmed, FootageIsThere, NotFound,
        and what proposing a mandate and placing an order raise: then nothing is decided.
        """
        before = self._requests.find(session, granted.operator_id, request_id)
        standings = self._follower.standings(session, before)
        refuses = any(one.answer is Answer.REFUSE for one in decision.items)
        complaint_to = self._complaint_to(session, before, decision.complaint_to) if refuses else ""
        by, now = granted.principal.label, self._clock.now()
        made = taken(rules.decide(before, decision.items, standings, complaint_to, by, now))
        chosen = {one.number for one in decision.items}
        items = [
            self._done(session, granted, made, one, decision) if one.number in chosen else one for one in made.items
        ]
        made = replace(made, items=tuple(items))
        store.save(session, before, made)
        if decision.words.strip():
            self._requests.keep_words(session, made, decision.words.strip())
        for one in items:
            if one.number in chosen:
                self._note(session, made, one, by)
        return made

    def refuse_whole(
        self, session: Session, granted: Granted, request_id: RequestId, reason: Reason, words: str, complaint_to: str
    ) -> Request:
        """Refuse a request as a whole. Raises RequestRefused, RequestIsClosed, RequestIsUnderWay, NotFound."""
        before = self._requests.find(session, granted.operator_id, request_id)
        standings = self._follower.standings(session, before)
        whom = self._complaint_to(session, before, complaint_to)
        by = granted.principal.label
        made = taken(rules.refuse_whole(before, reason, standings, whom, by, self._clock.now()))
        store.save(session, before, made)
        if words.strip():
            self._requests.keep_words(session, made, words.strip())
        self._requests.note(session, Tag.REQUEST_DECIDED, made, by, str(reason), answer=str(Answer.REFUSE), item=0)
        return made

    def close(
        self, session: Session, granted: Granted, request_id: RequestId, told_at: datetime, *, taken_back: bool
    ) -> Request:
        """Close a request: it has an outcome, every store has confirmed, and whoever asked was told `told_at`.

        Raises RequestRefused, RequestIsClosed, RequestIsUndecided, RequestIsUnderWay, NotFound.
        """
        before = self._requests.find(session, granted.operator_id, request_id)
        act = rules.take_back if taken_back else rules.close
        standings = self._follower.standings(session, before)
        by = granted.principal.label
        made = taken(act(before, standings, told_at, by, self._clock.now()))
        self._requests.closed(session, before, made, by)
        return made

    def propose_erasing(self, session: Session, granted: Granted, request: Request) -> Request:
        """Decide that all of a new request's items are to be erased. Raises what proposing a mandate raises."""
        wanted = tuple(Decided(one.number, Answer.ERASE) for one in request.items)
        return self.decide(session, granted, request.id, Decision(wanted))

    def _done(self, session: Session, granted: Granted, request: Request, item: Item, decision: Decision) -> Item:
        """Have an item done as far as one person may."""
        match item.answer:
            case Answer.ERASE:
                return self._proposed(session, granted, request, item)
            case Answer.RESTRICT:
                return self._restricted(session, granted, request, item, decision)
            case Answer.NOTHING_THERE:
                if self._is_there(session, item):
                    raise FootageIsThere("footage of this time is kept", item=item.number)
        return item

    def _proposed(self, session: Session, granted: Granted, request: Request, item: Item) -> Item:
        if not self._is_there(session, item):
            # Of what is expired and held a mandate could be proposed: that would tell of the hold.
            raise NothingToDestroy("nothing is left of this time: it was never recorded, or is destroyed already")
        is_withdrawal = request.kind is RequestKind.WITHDRAWAL
        new = NewMandate(
            camera_id=item.place.camera_id,
            span=item.place.span,
            cause=Cause.WITHDRAWAL if is_withdrawal else Cause.REQUEST,
            reference=str(request.id),
            reason=_WHY_ERASED.get(request.kind, _WHY_ELSE),
        )
        return replace(item, proposal_id=self._mandates.propose(session, granted, new).id)

    def _restricted(self, session: Session, granted: Granted, request: Request, item: Item, decision: Decision) -> Item:
        if decision.ground is None or decision.review_at is None:
            raise RequestRefused("a restriction has a ground, and a date on which it is looked at", rule="no-ground")
        new = NewOrder(
            kind=OrderKind.RESTRICTION,
            camera_id=item.place.camera_id,
            from_us=item.place.span.from_us,
            until_us=item.place.span.until_us,
            case=f"request {request.id}",
            ground=decision.ground,
            authority="the person concerned",
            reason=_WHY_ELSE,
            review_at=decision.review_at,
        )
        return replace(item, order_id=self._orders.place(session, granted, new).order.id)

    def _is_there(self, session: Session, item: Item) -> bool:
        """Say whether something is there, as for whoever may not know of holds: what has expired is gone to all."""
        now_us = microseconds(self._clock.for_reading())
        return not footage.there(session, item.place, now_us, knows_orders=False).is_nothing

    def _complaint_to(self, session: Session, request: Request, named: str) -> str:
        if named.strip():
            return named.strip()
        if request.complaint_to:
            return request.complaint_to
        return AUTHORITY_OF.get(self._terms.current(session, request.operator_id).profile, "")

    def _note(self, session: Session, request: Request, item: Item, by: str) -> None:
        self._requests.note(
            session,
            Tag.REQUEST_DECIDED,
            request,
            by,
            str(item.reason or ""),
            item=item.number,
            answer=str(item.answer),
            camera=str(item.place.camera_id),
            proposal=str(item.proposal_id or ""),
            order=str(item.order_id or ""),
        )

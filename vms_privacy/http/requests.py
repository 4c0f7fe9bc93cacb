"""Routes of requests about footage: entering them, looking at them, and what is known of who asks."""

from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter
from sqlalchemy.orm import Session

from archive.mandates.service import MandateService
from auth.gate import Allowed, Gate, On, needs
from auth.principal import Right
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.http.request_shapes import ClocksShown, ContactShown, RequestListed, RequestShown, listed, shown
from vms_privacy.http.request_wishes import ExtensionWanted, IdentityWanted, RequestWanted, ScopeWanted, places_of
from vms_privacy.ids import RequestId
from vms_privacy.subject_requests.answering import RequestAnswers
from vms_privacy.subject_requests.deciding import RequestDecisions
from vms_privacy.subject_requests.following import RequestFollower
from vms_privacy.subject_requests.kinds import IdentityState, RequestKind
from vms_privacy.subject_requests.request import Request
from vms_privacy.subject_requests.service import NewRequest, RequestService

ONE: Final = "/{request_id}"


@dataclass(frozen=True, slots=True)
class RequestFaces:
    """The parts that the routes of requests ask."""

    db: Database
    requests: RequestService
    follower: RequestFollower
    decisions: RequestDecisions
    answers: RequestAnswers
    mandates: MandateService
    gate: Gate
    clock: Clock

    def as_it_stands(self, session: Session, request: Request) -> RequestShown:
        """Return a request with its items, as they are now."""
        return shown(request, self.follower.follow(session, request), self.clock.now())


def request_routes(parts: RequestFaces) -> APIRouter:
    """Return the routes: over the whole operator with the right `erase`; its clocks alone with `audit`.

    Deciding about them: `request_decisions.py`.
    """
    routes = APIRouter(prefix="/api/v1/operators/{operator_id}/requests", tags=["requests"])
    db, requests, gate, clock = parts.db, parts.requests, parts.gate, parts.clock

    @routes.post("", status_code=201, **needs(Right.ERASE, on=On.OPERATOR))
    def enter_request(operator_id: str, wanted: RequestWanted, granted: Allowed) -> RequestShown:
        """Enter what somebody has asked, whatever it is: its clock runs since it was received."""
        new = NewRequest(
            kind=RequestKind(wanted.kind),
            channel=wanted.channel,
            received_at=wanted.received_at,
            identity=IdentityState(wanted.identity),
            doubt=wanted.doubt,
            contact=wanted.contact,
            places=places_of(wanted.items),
        )
        with gate.noting(granted.principal), db.writing() as session:
            return parts.as_it_stands(session, requests.enter(session, granted, new))

    @routes.get("", **needs(Right.ERASE, on=On.OPERATOR))
    def list_requests(operator_id: str, granted: Allowed, *, only_open: bool = True) -> list[RequestListed]:
        """Return the requests; the one to be answered first comes first. Closed ones too without `only_open`."""
        with db.reading() as session:
            found = requests.of_operator(session, granted.operator_id, only_open=only_open)
        return [RequestListed.model_validate(listed(request, clock.now())) for request in found]

    @routes.get("/clocks", **needs(Right.AUDIT, on=On.OPERATOR))
    def read_clocks(operator_id: str, granted: Allowed) -> ClocksShown:
        """Say how many requests are open, how many of them too long, and when the next answer is due."""
        with db.reading() as session:
            found = requests.clocks(session, granted.operator_id)
        return ClocksShown(
            open=found.open,
            overdue=found.overdue,
            promise_missed=found.promise_missed,
            next_answer_by=found.next_answer_by,
        )

    @routes.get(ONE, **needs(Right.ERASE, on=On.OPERATOR))
    def read_request(operator_id: str, request_id: RequestId, granted: Allowed) -> RequestShown:
        """Return one request, how far each item is, and what each store has confirmed."""
        with gate.noting(granted.principal), db.reading() as session:
            return parts.as_it_stands(session, requests.find(session, granted.operator_id, request_id))

    @routes.get(ONE + "/contact", **needs(Right.ERASE, on=On.OPERATOR))
    def read_contact(operator_id: str, request_id: RequestId, granted: Allowed) -> ContactShown:
        """Return who asks, to answer them; it is noted that you have looked."""
        with gate.noting(granted.principal), db.writing() as session:
            return ContactShown(contact=requests.contact(session, granted, request_id))

    @routes.put(ONE + "/scope", **needs(Right.ERASE, on=On.OPERATOR))
    def narrow_request(operator_id: str, request_id: RequestId, wanted: ScopeWanted, granted: Allowed) -> RequestShown:
        """Say anew which cameras and times it is about, as long as nothing is decided."""
        places = places_of(wanted.items)
        with gate.noting(granted.principal), db.writing() as session:
            return parts.as_it_stands(session, requests.narrow(session, granted, request_id, places))

    @routes.put(ONE + "/identity", **needs(Right.ERASE, on=On.OPERATOR))
    def identify_requester(
        operator_id: str, request_id: RequestId, wanted: IdentityWanted, granted: Allowed
    ) -> RequestShown:
        """Note whether it is known who asks. Asking stops the clock for a reasonable doubt alone, 30 days at most."""
        with gate.noting(granted.principal), db.writing() as session:
            made = requests.identify(session, granted, request_id, wanted.state, wanted.doubt)
            return parts.as_it_stands(session, made)

    @routes.post(ONE + "/extension", **needs(Right.ERASE, on=On.OPERATOR))
    def extend_request(
        operator_id: str, request_id: RequestId, wanted: ExtensionWanted, granted: Allowed
    ) -> RequestShown:
        """Take longer, once, within the first period; what was promised is missed all the same, and shown so."""
        with gate.noting(granted.principal), db.writing() as session:
            made = requests.extend(session, granted, request_id, wanted.months, wanted.reason, wanted.told_at)
            return parts.as_it_stands(session, made)

    return routes

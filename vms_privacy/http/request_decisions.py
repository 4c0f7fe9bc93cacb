"""Routes of requests about footage: what is there, deciding about it, telling whoever asked, and closing."""

from typing import Final

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from sqlalchemy.orm import Session

from auth.gate import Allowed, On, needs
from auth.principal import Granted, Right
from vms_privacy.http.request_shapes import ItemPreview, RequestShown, ThereShown, preview_shown, there_shown
from vms_privacy.http.request_wishes import CloseWanted, DecisionWanted, RefusalWanted, ground_of
from vms_privacy.http.requests import ONE, RequestFaces
from vms_privacy.ids import RequestId
from vms_privacy.subject_requests.deciding import Decision
from vms_privacy.subject_requests.errors import RequestRefused
from vms_privacy.subject_requests.kinds import ANSWERS, Answer
from vms_privacy.subject_requests.rules import Decided

_KNOWS_ORDERS: Final = (Right.HOLD, Right.AUDIT)
_TAKES: Final = {
    Answer.RESTRICT: Right.RESTRICT,
    Answer.GIVE_COPY: Right.DISCLOSE,
    Answer.OFFER_VIEWING: Right.DISCLOSE,
}
"""What some answers take besides the right to handle requests."""


def request_decision_routes(parts: RequestFaces) -> APIRouter:
    """Return the routes: over the whole operator with the right `erase`.

    A restriction takes the right `restrict` as well, and showing footage to whoever asked takes `disclose`.
    """
    routes = APIRouter(prefix="/api/v1/operators/{operator_id}/requests", tags=["requests"])
    db, requests, decisions, gate = parts.db, parts.requests, parts.decisions, parts.gate

    @routes.get(ONE + "/search", **needs(Right.ERASE, on=On.OPERATOR))
    def search_footage(operator_id: str, request_id: RequestId, granted: Allowed) -> list[ThereShown]:
        """Say what is there of each item, by rows alone: no picture is opened for it."""
        with gate.noting(granted.principal), db.reading() as session:
            knows = _knows_orders(session, granted)
            found = decisions.search(session, granted.operator_id, request_id, knows_orders=knows)
        return [there_shown(item, there) for item, there in found]

    @routes.get(ONE + "/preview", **needs(Right.ERASE, on=On.OPERATOR))
    def preview_erasing(operator_id: str, request_id: RequestId, granted: Allowed) -> list[ItemPreview]:
        """Say what would be destroyed, exact to the picture; changes nothing."""
        with gate.noting(granted.principal), db.reading() as session:
            request = requests.find(session, granted.operator_id, request_id)
        if Answer.ERASE not in ANSWERS[request.kind]:
            raise RequestRefused("nothing is destroyed by a request of this kind", rule="answer-does-not-fit")
        over = [(item, gate.judge(granted.principal, Right.ERASE, item.place.camera_id)) for item in request.items]
        with db.reading() as session:
            knows = _knows_orders(session, granted)
            return [
                preview_shown(item, parts.mandates.preview(session, camera, item.place.span, knows_orders=knows))
                for item, camera in over
            ]

    @routes.post(ONE + "/decision", **needs(Right.ERASE, on=On.OPERATOR))
    def decide_request(
        operator_id: str, request_id: RequestId, wanted: DecisionWanted, granted: Allowed
    ) -> RequestShown:
        """Decide about items. What is to be erased is proposed, and another person with the right `erase` approves."""
        decision = Decision(
            items=tuple(Decided(item.item, item.answer, item.reason) for item in wanted.items),
            words=wanted.words,
            complaint_to=wanted.complaint_to,
            ground=ground_of(wanted),
            review_at=wanted.review_at,
        )
        with gate.noting(granted.principal), db.writing() as session:
            for right in sorted({_TAKES[item.answer] for item in wanted.items if item.answer in _TAKES}):
                gate.ask(session, granted.principal, right, granted.operator_id, None)
            return parts.as_it_stands(session, decisions.decide(session, granted, request_id, decision))

    @routes.post(ONE + "/refusal", **needs(Right.ERASE, on=On.OPERATOR))
    def refuse_request(
        operator_id: str, request_id: RequestId, wanted: RefusalWanted, granted: Allowed
    ) -> RequestShown:
        """Refuse all of it, with a reason and the authority that one can complain to."""
        with gate.noting(granted.principal), db.writing() as session:
            made = decisions.refuse_whole(
                session, granted, request_id, wanted.reason, wanted.words, wanted.complaint_to
            )
            return parts.as_it_stands(session, made)

    @routes.get(ONE + "/statement", response_class=PlainTextResponse, **needs(Right.ERASE, on=On.OPERATOR))
    def read_statement(operator_id: str, request_id: RequestId, granted: Allowed) -> PlainTextResponse:
        """Return what whoever asked is told, as text. It names no hold and nobody's contact."""
        with gate.noting(granted.principal), db.reading() as session:
            text = parts.answers.statement(session, granted.operator_id, request_id)
        return PlainTextResponse(text, headers={"Cache-Control": "no-store"})

    @routes.post(ONE + "/closing", **needs(Right.ERASE, on=On.OPERATOR))
    def close_request(operator_id: str, request_id: RequestId, wanted: CloseWanted, granted: Allowed) -> RequestShown:
        """Close it: all of it is decided, every store has confirmed, and whoever asked was told."""
        with gate.noting(granted.principal), db.writing() as session:
            made = decisions.close(session, granted, request_id, wanted.told_at, taken_back=wanted.taken_back)
            return parts.as_it_stands(session, made)

    def _knows_orders(session: Session, granted: Granted) -> bool:
        return any(gate.holds(session, granted.principal, right, granted.operator_id, None) for right in _KNOWS_ORDERS)

    return routes

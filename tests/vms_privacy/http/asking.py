"""How each operation of the API is asked for something that exists and that its asker may want."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from archive.orders.rules import FOREVER_US, Ground, NewOrder, OrderKind
from archive.orders.service import RIGHT_FOR
from archive.receipts import store as receipts
from archive.receipts.months import month_of
from archive.segments.rules import Span
from auth.grants.rules import Grant
from auth.media_sessions.rules import Protocol
from auth.principal import Right, Role
from auth.tokens.issuing import IssuedToken
from auth.tokens.rules import Action, Purpose, microseconds
from auth.tokens.service import Asked
from auth.tokens.wishes import Wish
from tests.given.consent import opt_in
from tests.given.destroyed import destroy, record
from tests.given.stage import Stage
from tests.given.tokens import token_for
from vms_privacy.approvals.rules import Decision as Vote
from vms_privacy.approvals.rules import Proposal
from vms_privacy.consent.rules import ConsentKind
from vms_privacy.consent.wording import current
from vms_privacy.ids import OrderId, RequestId
from vms_privacy.off_boarding.manifest_store import Manifest
from vms_privacy.subject_requests.deciding import Decision
from vms_privacy.subject_requests.kinds import Answer, Channel, IdentityState, RequestKind
from vms_privacy.subject_requests.request import Place
from vms_privacy.subject_requests.rules import Decided
from vms_privacy.subject_requests.service import NewRequest

PASSWORD = "nine green doors at noon"


@dataclass(frozen=True, slots=True)
class Ask:
    """What fills the path, and what goes with it."""

    path: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str] = field(default_factory=dict)

    def elsewhere(self, stage: Stage) -> "Ask":
        """The same for ids that nothing has."""
        return Ask(
            {name: _another(stage, text) for name, text in self.path.items()},
            None if self.body is None else {name: _another(stage, value) for name, value in self.body.items()},
            self.query,
        )


def _another(stage: Stage, value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _another(stage, inner) for name, inner in value.items()}
    try:
        UUID(value)
    except (ValueError, AttributeError, TypeError):
        return value
    return str(stage.parts.randomness.uuid())


def nothing(_: Stage) -> Ask:
    return Ask()


def log_in(stage: Stage) -> Ask:
    login = _login(stage)
    with stage.parts.db.writing() as session:
        made = stage.parts.people.create(session, stage.owner, stage.operator_id, login, "Somebody")
    stage.parts.enrolment.enrol(made.code, PASSWORD, "pseudonym")
    return Ask(body={"grant_type": "password", "username": login, "password": PASSWORD})


def bootstrap(stage: Stage) -> Ask:
    login = f"admin-{stage.parts.randomness.octets(4).hex()}"
    return Ask(body={"code": stage.app.bootstrap_code, "login": login, "password": PASSWORD})


def enrolment(stage: Stage) -> Ask:
    with stage.parts.db.writing() as session:
        made = stage.parts.people.create(session, stage.owner, stage.operator_id, _login(stage), "Somebody")
    return Ask(body={"code": made.code, "password": PASSWORD})


def password(_: Stage) -> Ask:
    return Ask(body={"present": "not the present one", "wanted": PASSWORD})


def new_operator(stage: Stage) -> Ask:
    return Ask(body={"name": f"east-{stage.parts.randomness.octets(4).hex()}", "title": "East"})


def settled_clock(stage: Stage) -> Ask:
    # Whoever asked before may have settled it or not: from here on it is in doubt in any case.
    stage.parts.machine.step(timedelta(hours=1))
    assert stage.parts.guarded_clock.doubt is not None
    return Ask(body={"reason": "time-server-was-wrong"})


def of_operator(stage: Stage) -> Ask:
    return Ask({"operator_id": str(stage.operator_id)})


def a_region(stage: Stage) -> Ask:
    # The one that the stage has a store in.
    return Ask(of_operator(stage).path, {"region": "here"})


def new_person(stage: Stage) -> Ask:
    return Ask(of_operator(stage).path, {"login": _login(stage), "display_name": "Somebody"})


def of_person(stage: Stage) -> Ask:
    return Ask({**of_operator(stage).path, "person_id": str(stage.person().person_id)})


def new_grant(stage: Stage) -> Ask:
    body = {
        "person_id": str(stage.person().person_id),
        "scope": {"on": "camera", "camera_id": str(stage.camera.camera_id)},
        "terms": {"rights": ["live"]},
    }
    return Ask(of_operator(stage).path, body)


def of_grant(stage: Stage) -> Ask:
    grant: Grant = stage.access.grant(stage.person(), {Right.LIVE}, stage.camera.camera_id)
    return Ask({**of_operator(stage).path, "grant_id": str(grant.id)})


def changed_grant(stage: Stage) -> Ask:
    return Ask(of_grant(stage).path, {"version": 1, "terms": {"rights": ["live"]}})


def new_camera(stage: Stage) -> Ask:
    body = {"name": "gate", "url": "rtsp://camera:secret@127.0.0.1:9/2", "purpose": "protection of the gate"}
    return Ask(of_operator(stage).path, body)


def of_camera(stage: Stage) -> Ask:
    return Ask({"camera_id": str(stage.camera.camera_id)})


def changed_camera(stage: Stage) -> Ask:
    return Ask(of_camera(stage).path, {"title": "The door"})


def of_wording(_: Stage) -> Ask:
    return Ask({"kind": ConsentKind.VIDEO_RECORDING})


def opted_in(stage: Stage) -> Ask:
    body = {
        "kind": ConsentKind.VIDEO_RECORDING,
        "purpose": "protection of the door against burglary",
        "legal_basis": "legitimate-interests",
        "sign_confirmed_at": iso(stage.app.clock.now() - timedelta(hours=1)),
        "wording_version": current(ConsentKind.VIDEO_RECORDING).version,
    }
    return Ask(of_camera(stage).path, body)


def withdrawn_opt_in(stage: Stage) -> Ask:
    camera = stage.camera
    with stage.parts.db.writing() as session:
        opt_in(stage.parts.ledger, session, stage.app.clock, camera.operator_id, camera.camera_id)
    return Ask({**of_camera(stage).path, "kind": ConsentKind.VIDEO_RECORDING})


def recorded_at(stage: Stage) -> Ask:
    night = {"days": ["mon", "sat"], "begins": "22:00", "ends": "06:00"}
    return Ask(of_camera(stage).path, {"zone": "Europe/Paris", "stretches": [night]})


def kept_for(stage: Stage) -> Ask:
    return Ask(of_camera(stage).path, {"keep_for": "PT24H"})


def new_terms(stage: Stage) -> Ask:
    return Ask(of_operator(stage).path, {"profile": "fr", "keep_for": "PT72H", "at_least": "PT1H"})


def previewed(stage: Stage) -> Ask:
    return Ask(of_camera(stage).path, query={"keep_for": "PT24H"})


def proposed_retention(stage: Stage) -> Ask:
    asked = kept_for(stage)
    return Ask(asked.path, {**(asked.body or {}), "reason": "less is enough"})


def why(stage: Stage) -> Ask:
    return Ask(of_camera(stage).path, query={"moment": iso(stage.app.clock.now() - timedelta(hours=1))})


def _recorded_span(stage: Stage) -> dict[str, str]:
    record(stage)
    now = stage.app.clock.now()
    return {"from": iso(now - timedelta(hours=1)), "until": iso(now)}


def previewed_mandate(stage: Stage) -> Ask:
    return Ask(of_camera(stage).path, query=_recorded_span(stage))


def mandate(stage: Stage) -> Ask:
    body = {**_recorded_span(stage), "reference": "request 17", "reason": "the person is to be seen in it"}
    return Ask(of_camera(stage).path, body)


def hold(stage: Stage) -> Ask:
    now = stage.app.clock.now()
    body = {
        "from": iso(now - timedelta(hours=1)),
        "until": iso(now + timedelta(hours=1)),
        "case": "2026/17",
        "ground": "court-order",
        "authority": "district court",
        "reason": "an accident at the gate",
        "review_at": iso(now + timedelta(days=30)),
    }
    return Ask(of_camera(stage).path, body)


def restriction(stage: Stage) -> Ask:
    asked = hold(stage)
    return Ask(asked.path, {**(asked.body or {}), "ground": "accuracy-contested"})


def _placed(stage: Stage, kind: OrderKind) -> Ask:
    now, owner = stage.app.clock.now(), stage.owner
    ground = Ground.COURT_ORDER if kind is OrderKind.HOLD else Ground.OBJECTION_PENDING
    new = NewOrder(
        kind,
        stage.camera.camera_id,
        0,
        FOREVER_US,
        "2026/17",
        ground,
        "district court",
        "an accident at the gate",
        now + timedelta(days=30),
    )
    granted = stage.parts.gate.judge(owner, RIGHT_FOR[kind], stage.camera.camera_id)
    with stage.parts.db.writing() as session:
        placed = stage.parts.orders.place(session, granted, new)
    return Ask({**of_camera(stage).path, "order_id": str(placed.order.id)})


def people_of_hold(stage: Stage) -> Ask:
    return Ask(_placed(stage, OrderKind.HOLD).path, {"people": [str(stage.person().person_id)]})


def reviewed_hold(stage: Stage) -> Ask:
    return Ask(_placed(stage, OrderKind.HOLD).path, {"review_at": iso(stage.app.clock.now() + timedelta(days=60))})


def ended_hold(stage: Stage) -> Ask:
    return Ask(_placed(stage, OrderKind.HOLD).path, {"reason": "the case is closed"})


def reviewed_restriction(stage: Stage) -> Ask:
    body = {"review_at": iso(stage.app.clock.now() + timedelta(days=60))}
    return Ask(_placed(stage, OrderKind.RESTRICTION).path, body)


def ended_restriction(stage: Stage) -> Ask:
    body = {"reason": "it was accurate", "requester_told_at": iso(stage.app.clock.now())}
    return Ask(_placed(stage, OrderKind.RESTRICTION).path, body)


def proposal(stage: Stage) -> Ask:
    path = _placed(stage, OrderKind.HOLD).path
    granted = stage.parts.gate.judge(stage.owner, Right.HOLD, stage.camera.camera_id)
    order_id = OrderId(UUID(path["order_id"]))
    with stage.parts.db.writing() as session:
        made = stage.parts.orders.propose_lifting(session, granted, OrderKind.HOLD, order_id, "the case is closed")
    return Ask({**of_operator(stage).path, "proposal_id": str(made.id)})


def new_request(stage: Stage) -> Ask:
    now = stage.app.clock.now()
    body = {
        "kind": "erasure",
        "channel": "letter",
        "received_at": iso(now - timedelta(days=2)),
        "identity": "confirmed",
        "contact": "somebody@example.org",
        "items": [_an_hour(stage)],
    }
    return Ask(of_operator(stage).path, body)


def _an_hour(stage: Stage) -> dict[str, str]:
    now = stage.app.clock.now()
    return {
        "camera_id": str(stage.camera.camera_id),
        "from": iso(now - timedelta(hours=2)),
        "until": iso(now - timedelta(hours=1)),
    }


def request_of(stage: Stage, identity: IdentityState = IdentityState.CONFIRMED) -> RequestId:
    """A request by letter, of two days ago, about an hour of the stage's camera."""
    now = stage.app.clock.now()
    span = Span(microseconds(now - timedelta(hours=2)), microseconds(now - timedelta(hours=1)))
    new = NewRequest(
        kind=RequestKind.ERASURE,
        channel=Channel.LETTER,
        received_at=now - timedelta(days=2),
        identity=identity,
        contact="somebody@example.org",
        places=(Place(stage.camera.camera_id, span),),
    )
    granted = stage.parts.gate.judge_operator(stage.owner, Right.ERASE, stage.operator_id)
    assert granted is not None
    with stage.parts.db.writing() as session:
        return stage.parts.requests.enter(session, granted, new).id


def of_request(stage: Stage) -> Ask:
    return Ask({**of_operator(stage).path, "request_id": str(request_of(stage))})


def narrowed_request(stage: Stage) -> Ask:
    return Ask(of_request(stage).path, {"items": [_an_hour(stage)]})


def identified_request(stage: Stage) -> Ask:
    path = {**of_operator(stage).path, "request_id": str(request_of(stage, IdentityState.NOT_NEEDED))}
    return Ask(path, {"state": "asked-for", "doubt": "sender-is-unknown"})


def extended_request(stage: Stage) -> Ask:
    body = {"months": 1, "reason": "complex", "told_at": iso(stage.app.clock.now() - timedelta(hours=1))}
    return Ask(of_request(stage).path, body)


def decided_request(stage: Stage) -> Ask:
    return Ask(of_request(stage).path, {"items": [{"item": 1, "answer": "nothing-there"}]})


def refused_request(stage: Stage) -> Ask:
    return Ask(of_request(stage).path, {"reason": "legal-claims", "complaint_to": "the authority"})


def answered_request(stage: Stage) -> Ask:
    asked = of_request(stage)
    granted = stage.parts.gate.judge_operator(stage.owner, Right.ERASE, stage.operator_id)
    assert granted is not None
    decision = Decision((Decided(1, Answer.NOTHING_THERE),))
    with stage.parts.db.writing() as session:
        stage.parts.request_decisions.decide(session, granted, RequestId(UUID(asked.path["request_id"])), decision)
    return asked


def closed_request(stage: Stage) -> Ask:
    return Ask(answered_request(stage).path, {"told_at": iso(stage.app.clock.now())})


def token_wish(stage: Stage) -> Ask:
    return Ask(of_camera(stage).path, {"actions": ["live"], "purpose": "live_view"})


def of_token(stage: Stage) -> Ask:
    return Ask({"token_id": str(issued(stage).claims.token_id)})


def of_session(stage: Stage) -> Ask:
    admission = stage.parts.tokens.admit(issued(stage).handle, Asked(stage.name, stage.camera.name, Action.LIVE))
    session = stage.parts.sessions.open(admission, Protocol.HLS, "pseudonym")
    return Ask({**of_operator(stage).path, "session_id": str(session.id)})


def something_destroyed(stage: Stage) -> Ask:
    destroy(stage)
    return of_operator(stage)


def of_receipt(stage: Stage) -> Ask:
    destroy(stage)
    with stage.parts.db.writing() as session:
        (made,) = stage.parts.receipts.sign_now(session, stage.operator_id, stage.owner.label)
    return Ask({**of_operator(stage).path, "receipt_id": str(made)})


def of_summary(stage: Stage) -> Ask:
    month = month_of(stage.parts.clock.now())
    stage.parts.summaries.sign(stage.operator_id, month)
    return Ask({**of_operator(stage).path, "month": month})


def wanted_off_boarding(stage: Stage) -> Ask:
    return Ask(of_operator(stage).path, {"reason": "the contract has ended"})


def off_boarding(stage: Stage) -> Ask:
    granted = stage.parts.gate.judge_operator(stage.owner, Right.ERASE, stage.operator_id)
    assert granted is not None
    with stage.parts.db.writing() as session:
        _approve(stage, session, stage.parts.off_boardings.propose(session, granted, "the contract has ended"))
    return of_operator(stage)


def listed(stage: Stage) -> Ask:
    _manifest(stage)
    return of_operator(stage)


def confirmed(stage: Stage) -> Ask:
    body = {"manifest": _manifest(stage).digest, "reason": "all of it was taken away"}
    return Ask(of_operator(stage).path, body)


def receipt_of_a_closed_operator(stage: Stage) -> Ask:
    destroy(stage)
    manifest = _manifest(stage)
    granted = stage.parts.gate.judge_operator(stage.owner, Right.ERASE, stage.operator_id)
    assert granted is not None
    off_boardings = stage.parts.off_boardings
    with stage.parts.db.writing() as session:
        _approve(stage, session, off_boardings.propose_confirmation(session, granted, manifest.digest, "it has ended"))
    assert stage.parts.off_boarding_rounds.round() == ""
    stage.parts.eraser.carry_out_mandates()
    assert stage.parts.off_boarding_rounds.round() == ""
    with stage.parts.db.reading() as session:
        far = off_boardings.how_far(session, stage.operator_id)
        (receipt,) = receipts.of_operator(session, stage.operator_id, 1, None)
    assert far.off_boarding.closed_at is not None
    return Ask({"off_boarding_id": str(far.off_boarding.id), "receipt_id": str(receipt.id)})


def _manifest(stage: Stage) -> Manifest:
    off_boarding(stage)
    granted = stage.parts.gate.judge_operator(stage.owner, Right.ERASE, stage.operator_id)
    assert granted is not None
    with stage.parts.db.writing() as session:
        stage.parts.off_boardings.ask_for_manifest(session, granted)
    assert stage.parts.manifest_maker.round() == ""
    with stage.parts.db.reading() as session:
        return stage.parts.off_boardings.signed_manifest(session, stage.operator_id)


def _approve(stage: Stage, session: Session, proposal: Proposal) -> None:
    second = f"person:{stage.parts.randomness.uuid()}"
    stage.parts.approvals.decide(session, proposal, Vote.APPROVED, second, lambda _: True)


def issued(stage: Stage, *actions: Action) -> IssuedToken:
    """A viewer's token for the stage's camera; for live pictures if nothing else is said."""
    viewer = stage.person(Role.INVESTIGATOR)
    wanted = frozenset(actions or (Action.LIVE,))
    purpose = Purpose.LIVE_VIEW if wanted == {Action.LIVE} else Purpose.ARCHIVE_VIEW
    return token_for(stage.parts, viewer, Wish(stage.camera.camera_id, wanted, purpose))


def iso(moment: datetime) -> str:
    return moment.isoformat()


def _login(stage: Stage) -> str:
    return f"person-{stage.parts.randomness.octets(4).hex()}@example.org"


_O: Final = "/api/v1/operators/{operator_id}"
_C: Final = "/api/v1/cameras/{camera_id}"
_Q: Final = f"{_O}/requests/{{request_id}}"
ASKS: Final[Mapping[str, Callable[[Stage], Ask]]] = {
    "GET /healthz": nothing,
    "GET /readyz": nothing,
    "GET /metrics": nothing,
    "GET /openapi.json": nothing,
    "GET /docs": nothing,
    "GET /.well-known/jwks.json": nothing,
    "GET /api/v1/receipt-keys": nothing,
    "GET /api/v1/receipt-keys/document": nothing,
    "GET /api/v1/opt-in-wordings/{kind}": of_wording,
    "POST /api/v1/auth/token": log_in,
    "POST /api/v1/auth/bootstrap": bootstrap,
    "POST /api/v1/auth/enrolment": enrolment,
    "POST /api/v1/auth/logout": nothing,
    "GET /api/v1/auth/me": nothing,
    "GET /api/v1/auth/me/grants": nothing,
    "PUT /api/v1/auth/password": password,
    "POST /api/v1/operators": new_operator,
    "GET /api/v1/operators": nothing,
    f"PUT {_O}/region": a_region,
    "GET /api/v1/platform/audit": nothing,
    "GET /api/v1/platform/audit/verdict": nothing,
    "GET /api/v1/clock": nothing,
    "POST /api/v1/clock/settle": settled_clock,
    f"GET {_O}": of_operator,
    f"POST {_O}/owner": new_person,
    f"POST {_O}/people": new_person,
    f"GET {_O}/people": of_operator,
    f"POST {_O}/people/{{person_id}}/invitation": of_person,
    f"DELETE {_O}/people/{{person_id}}": of_person,
    f"GET {_O}/grants": of_operator,
    f"POST {_O}/grants": new_grant,
    f"PUT {_O}/grants/{{grant_id}}": changed_grant,
    f"DELETE {_O}/grants/{{grant_id}}": of_grant,
    f"POST {_O}/cameras": new_camera,
    f"GET {_O}/cameras": of_operator,
    f"GET {_O}/sessions": of_operator,
    f"DELETE {_O}/sessions/{{session_id}}": of_session,
    f"GET {_O}/deletion-debt": of_operator,
    f"GET {_O}/receipts": of_operator,
    f"POST {_O}/receipts": something_destroyed,
    f"GET {_O}/receipts/{{receipt_id}}/document": of_receipt,
    f"GET {_O}/receipt-summaries": of_operator,
    f"GET {_O}/receipt-summaries/{{month}}/document": of_summary,
    f"GET {_O}/audit": of_operator,
    f"GET {_C}": of_camera,
    f"PATCH {_C}": changed_camera,
    f"DELETE {_C}": of_camera,
    f"GET {_C}/status": of_camera,
    f"GET {_C}/opt-ins": of_camera,
    f"POST {_C}/opt-ins": opted_in,
    f"DELETE {_C}/opt-ins/{{kind}}": withdrawn_opt_in,
    f"GET {_C}/recording-times": of_camera,
    f"PUT {_C}/recording-times": recorded_at,
    f"GET {_C}/recording-times/versions": of_camera,
    f"GET {_C}/retention": of_camera,
    f"PUT {_C}/retention": kept_for,
    f"GET {_C}/retention/versions": of_camera,
    f"GET {_C}/retention/preview": previewed,
    f"POST {_C}/retention/proposals": proposed_retention,
    f"GET {_O}/retention": of_operator,
    f"PUT {_O}/retention": new_terms,
    f"GET {_O}/forecast": of_operator,
    f"GET {_O}/orders": of_operator,
    f"GET {_O}/approvals": of_operator,
    f"POST {_O}/approvals/{{proposal_id}}/approve": proposal,
    f"POST {_O}/approvals/{{proposal_id}}/refuse": proposal,
    f"GET {_C}/why": why,
    f"POST {_C}/holds": hold,
    f"GET {_C}/holds": of_camera,
    f"PUT {_C}/holds/{{order_id}}/people": people_of_hold,
    f"PUT {_C}/holds/{{order_id}}/review": reviewed_hold,
    f"POST {_C}/holds/{{order_id}}/end": ended_hold,
    f"POST {_C}/restrictions": restriction,
    f"GET {_C}/restrictions": of_camera,
    f"PUT {_C}/restrictions/{{order_id}}/review": reviewed_restriction,
    f"POST {_C}/restrictions/{{order_id}}/end": ended_restriction,
    f"GET {_O}/mandates": of_operator,
    f"GET {_C}/mandates": of_camera,
    f"GET {_C}/mandates/preview": previewed_mandate,
    f"POST {_C}/mandates": mandate,
    f"POST {_O}/requests": new_request,
    f"GET {_O}/requests": of_operator,
    f"GET {_O}/requests/clocks": of_operator,
    f"GET {_Q}": of_request,
    f"GET {_Q}/contact": of_request,
    f"PUT {_Q}/scope": narrowed_request,
    f"PUT {_Q}/identity": identified_request,
    f"POST {_Q}/extension": extended_request,
    f"GET {_Q}/search": of_request,
    f"GET {_Q}/preview": of_request,
    f"POST {_Q}/decision": decided_request,
    f"POST {_Q}/refusal": refused_request,
    f"GET {_Q}/statement": answered_request,
    f"POST {_Q}/closing": closed_request,
    f"POST {_O}/off-boarding": wanted_off_boarding,
    f"GET {_O}/off-boarding": off_boarding,
    f"DELETE {_O}/off-boarding": off_boarding,
    f"POST {_O}/off-boarding/manifest": off_boarding,
    f"GET {_O}/off-boarding/manifest": listed,
    f"POST {_O}/off-boarding/confirmation": confirmed,
    "GET /api/v1/off-boardings": nothing,
    "GET /api/v1/off-boardings/{off_boarding_id}/receipts/{receipt_id}/document": receipt_of_a_closed_operator,
    f"POST {_C}/tokens": token_wish,
    "DELETE /api/v1/tokens/{token_id}": of_token,
}

"""Requests to erase: two people decide, the engine does it, and nothing is closed before every store has confirmed."""

import json
from datetime import timedelta

import pytest

from archive.blobs.memory_store import MemoryStore
from archive.errors import StoreUnavailable
from archive.mandates.errors import NothingToDestroy
from archive.orders.rules import OrderKind
from archive.receipts import store as receipts
from archive.receipts.rounds import sign_due
from archive.receipts.tables import ReceiptRow
from archive.segments.rules import Span, State
from tests.given.desk import COMPLAINT, SECOND_US, Desk
from vms_privacy.approvals.rules import GOOD_FOR, Decision
from vms_privacy.audit.events import Tag
from vms_privacy.ids import RequestId
from vms_privacy.subject_requests.deciding import Decision as Decided
from vms_privacy.subject_requests.errors import (
    FootageIsThere,
    IdentityIsUnconfirmed,
    RequestIsClosed,
    RequestIsUndecided,
    RequestIsUnderWay,
    RequestRefused,
)
from vms_privacy.subject_requests.kinds import Answer, Doubt, IdentityState, Outcome, Reason, Standing
from vms_privacy.subject_requests.rules import Decided as One


def test_a_request_is_erased_by_two_people_and_closed_once_every_store_has_confirmed(desk: Desk) -> None:
    segment = desk.recorded()
    request = desk.enter(desk.middle(segment), ago=timedelta(days=3))
    with pytest.raises(RequestIsUndecided):
        desk.close(request)
    desk.decide(request, Answer.ERASE)
    assert desk.standings(request) == [Standing.WAITS]
    with pytest.raises(RequestIsUnderWay):
        desk.close(request)
    desk.second_person(request)
    assert desk.standings(request) == [Standing.UNDER_WAY]
    with pytest.raises(RequestIsUnderWay):
        desk.close(request)
    assert "not all of it is done yet" in desk.statement(request)
    assert "not confirmed yet by: keyring, footage store" in desk.statement(request)
    assert desk.house.eraser.sweep().is_clean
    (followed,) = desk.follow(request)
    assert followed.standing is Standing.DONE
    assert followed.carrying is not None
    confirmed = followed.carrying.confirmed
    assert (confirmed.segments, confirmed.keys_gone, confirmed.bytes_gone, confirmed.failure) == (1, 1, 1, "")
    head, gone, tail = desk.house.rows()
    assert (head.state, gone.state, tail.state) == (State.STORED, State.ERASED, State.STORED)
    assert "It is granted." in desk.statement(request)
    with desk.db.writing() as session:
        (receipt,) = desk.house.receipts.sign_now(session, desk.house.operator_id, desk.house.owner.label)
        document = session.get_one(ReceiptRow, receipt).document
    assert str(gone.id).encode() in document
    assert f'"reference":"{request.id}"'.encode() in document, "the request has a receipt of its own"
    with desk.db.reading() as session:
        assert receipts.of_mandate(session, followed.carrying.mandate.id) == [receipt]
    closed = desk.close(request)
    assert (closed.outcome, desk.again(request)) == (Outcome.GRANTED, closed)
    with pytest.raises(RequestIsClosed):
        desk.decide(request, Answer.REFUSE, Reason.EXCESSIVE, complaint_to=COMPLAINT)
    with pytest.raises(RequestIsClosed):
        desk.close(request)


def test_each_act_is_in_the_audit_with_codes_and_the_mandate_names_the_request(desk: Desk) -> None:
    request = desk.enter(desk.middle(desk.recorded()))
    desk.decide(request, Answer.ERASE)
    desk.second_person(request)
    desk.house.eraser.sweep()
    desk.close(request)
    received, decided, closed = (
        json.loads(desk.events(tag)[0].detail)
        for tag in (Tag.REQUEST_RECEIVED, Tag.REQUEST_DECIDED, Tag.REQUEST_CLOSED)
    )
    assert {one["request"] for one in (received, decided, closed)} == {str(request.id)}
    assert (decided["answer"], decided["item"]) == ("erase", 1)
    assert desk.events(Tag.REQUEST_CLOSED)[0].reason == "granted"
    (mandate,) = [one.carrying.mandate for one in desk.follow(request) if one.carrying is not None]
    assert (mandate.reference, str(mandate.cause)) == (str(request.id), "request")
    told = [entry.facts["act"] for entry in desk.house.journal.entries() if entry.kind == "request"]
    assert told == ["received", "closed"]


class _Away(MemoryStore):
    """A store that cannot tell whether it erased, until it is back."""

    is_away = True

    def erase(self, name: str) -> bool:
        if self.is_away:
            raise StoreUnavailable("the store does not answer")
        return super().erase(name)


def test_while_a_store_has_not_confirmed_the_request_stays_open_and_names_it(desk: Desk) -> None:
    segment, away = desk.recorded(), _Away()
    with (desk.house.folder / "archive" / segment.blob_name[:2] / segment.blob_name).open("rb") as file:
        away.put(segment.blob_name, file, segment.size_bytes or 0)
    desk.house.store = away
    eraser = desk.house.new_eraser()
    desk.clock.forward(timedelta(seconds=1))
    request = desk.enter(desk.place(segment.starts_us, segment.ends_us or 0))
    desk.decide(request, Answer.ERASE)
    desk.second_person(request)
    assert not eraser.sweep().is_clean
    (followed,) = desk.follow(request)
    assert followed.standing is Standing.UNDER_WAY
    assert followed.carrying is not None
    confirmed = followed.carrying.confirmed
    assert (confirmed.keys_gone, confirmed.bytes_gone, confirmed.failure) == (1, 0, "store-unavailable")
    assert "not confirmed yet by: footage store" in desk.statement(request)
    with pytest.raises(RequestIsUnderWay):
        desk.close(request)
    away.is_away = False
    desk.clock.forward(timedelta(minutes=5))
    assert eraser.sweep().is_clean
    assert desk.close(request).outcome is Outcome.GRANTED


@pytest.mark.parametrize("decision", [Decision.REFUSED, None])
def test_without_a_second_person_it_is_to_be_decided_again(desk: Desk, decision: Decision | None) -> None:
    desk.house.keep_for(2 * GOOD_FOR)
    request = desk.enter(desk.middle(desk.recorded()))
    desk.decide(request, Answer.ERASE)
    with pytest.raises(RequestIsUnderWay):
        desk.decide(request, Answer.ERASE)
    if decision is None:
        desk.clock.forward(GOOD_FOR)
    else:
        desk.second_person(request, decision)
    assert desk.standings(request) == [Standing.UNDECIDED]
    with pytest.raises(RequestIsUndecided):
        desk.close(request)
    desk.decide(request, Answer.ERASE)
    desk.second_person(request)
    desk.house.eraser.sweep()
    assert desk.close(request).outcome is Outcome.GRANTED


def test_a_part_is_refused_with_a_reason_and_whom_to_complain_to(desk: Desk) -> None:
    segment = desk.recorded(12)
    at = segment.starts_us
    request = desk.enter(
        desk.place(at + SECOND_US, at + 2 * SECOND_US), desk.place(at + 5 * SECOND_US, at + 6 * SECOND_US)
    )
    first, second = request.items
    with pytest.raises(RequestRefused, match="which authority"):
        _decide_one(desk, request.id, second.number, Answer.REFUSE, Reason.LEGAL_CLAIMS, "")
    _decide_one(desk, request.id, second.number, Answer.REFUSE, Reason.LEGAL_CLAIMS, COMPLAINT)
    _decide_one(desk, request.id, first.number, Answer.ERASE, None, "")
    desk.house.eraser.sweep()
    assert desk.standings(request) == [Standing.WAITS, Standing.REFUSED]
    with desk.db.writing() as session:
        proposal_id = desk.again(request).items[0].proposal_id
        assert proposal_id is not None
        proposal = desk.house.approvals.find(session, desk.house.operator_id, proposal_id)
        assert proposal is not None
        desk.house.approvals.decide(
            session, proposal, Decision.APPROVED, f"person:{desk.house.randomness.uuid()}", lambda _: True
        )
    desk.house.eraser.sweep()
    text = desk.statement(request)
    assert "It is granted in part." in text
    assert "needed for legal claims" in text
    assert COMPLAINT in text
    assert desk.close(request).outcome is Outcome.PARTLY_GRANTED


def _decide_one(
    desk: Desk, request_id: RequestId, number: int, answer: Answer, reason: Reason | None, complaint_to: str
) -> None:
    decided = Decided((One(number, answer, reason),), complaint_to=complaint_to)
    with desk.db.writing() as session:
        desk.decisions.decide(session, desk.granted, request_id, decided)


def test_what_is_held_is_told_to_no_requester_and_keeps_no_request_open(desk: Desk) -> None:
    """The same words as without a hold; what is held goes by the same mandate once two people have lifted it."""
    segment = desk.recorded(12)
    at = segment.starts_us
    plain = desk.enter(desk.place(at + SECOND_US, at + 2 * SECOND_US))
    desk.decide(plain, Answer.ERASE)
    desk.second_person(plain)
    desk.house.eraser.sweep()
    left = [one for one in desk.house.rows() if one.state is State.STORED][-1]
    held = desk.house.order(OrderKind.HOLD, Span(left.starts_us, left.ends_us or 0)).order
    request = desk.enter(desk.place(at + 6 * SECOND_US, at + 7 * SECOND_US))
    desk.decide(request, Answer.ERASE)
    desk.second_person(request)
    desk.house.eraser.sweep()
    desk.clock.forward(timedelta(minutes=2))
    assert not sign_due(desk.db, desk.house.receipts).failed
    assert desk.standings(request) == [Standing.DONE]
    told, of_plain = (_impersonal(desk, one) for one in (request, plain))
    assert told == of_plain
    assert "hold" not in told.lower()
    assert desk.close(request).outcome is Outcome.GRANTED
    assert next(one.state for one in desk.house.rows() if one.id == left.id) is State.STORED
    desk.house.lift(held)
    desk.clock.forward(timedelta(minutes=1))
    desk.house.eraser.sweep()
    assert next(one.state for one in desk.house.rows() if one.id == left.id) is State.ERASED


def _impersonal(desk: Desk, request: object) -> str:
    lines = desk.statement(request).splitlines()  # type: ignore[arg-type]
    return "\n".join(
        line for line in lines if "request " not in line and "Camera" not in line and "you asked" not in line
    )


def test_of_footage_that_is_there_nobody_is_told_that_there_is_none(desk: Desk) -> None:
    segment = desk.recorded()
    request = desk.enter(desk.middle(segment))
    with pytest.raises(FootageIsThere):
        desk.decide(request, Answer.NOTHING_THERE)
    elsewhere = desk.enter(desk.place(SECOND_US, 2 * SECOND_US))
    with pytest.raises(NothingToDestroy):
        desk.decide(elsewhere, Answer.ERASE)
    desk.decide(elsewhere, Answer.NOTHING_THERE)
    assert "There is no footage" in desk.statement(elsewhere)
    assert desk.close(elsewhere).outcome is Outcome.NOTHING_THERE


def test_what_has_expired_and_is_held_is_gone_to_whoever_asks(desk: Desk) -> None:
    segment = desk.recorded()
    desk.house.order(OrderKind.HOLD)
    request = desk.enter(desk.middle(segment))
    desk.clock.forward(timedelta(hours=73))
    desk.house.eraser.sweep()
    with desk.db.reading() as session:
        for_all = desk.decisions.search(session, desk.house.operator_id, request.id, knows_orders=False)
        for_some = desk.decisions.search(session, desk.house.operator_id, request.id, knows_orders=True)
    assert [(one.segments, one.kept_by_orders) for _, one in for_all] == [(0, None)]
    assert [(one.segments, one.kept_by_orders) for _, one in for_some] == [(1, 1)]
    with pytest.raises(NothingToDestroy):
        desk.decide(request, Answer.ERASE)
    desk.decide(request, Answer.NOTHING_THERE)
    assert desk.close(request).outcome is Outcome.NOTHING_THERE


def test_what_two_people_have_decided_about_is_gone_to_whoever_may_not_know_of_holds(desk: Desk) -> None:
    segment = desk.recorded()
    desk.house.order(OrderKind.HOLD)
    desk.clock.forward(timedelta(seconds=1))
    request = desk.enter(desk.place(segment.starts_us, segment.ends_us or 0))
    desk.decide(request, Answer.ERASE)
    desk.second_person(request)
    desk.house.eraser.sweep()
    assert [row.state for row in desk.house.rows()] == [State.STORED]
    with desk.db.reading() as session:
        ((_, for_all),) = desk.decisions.search(session, desk.house.operator_id, request.id, knows_orders=False)
        ((_, for_some),) = desk.decisions.search(session, desk.house.operator_id, request.id, knows_orders=True)
    assert (for_all.is_nothing, for_some.kept_by_orders) == (True, 1)
    again = desk.enter(desk.middle(segment))
    desk.decide(again, Answer.NOTHING_THERE)


def test_a_search_counts_what_is_there_by_rows_alone(desk: Desk) -> None:
    segment = desk.recorded()
    request = desk.enter(desk.middle(segment), desk.place(SECOND_US, 2 * SECOND_US))
    with desk.db.reading() as session:
        first, second = desk.decisions.search(session, desk.house.operator_id, request.id, knows_orders=True)
    assert (first[1].segments, first[1].size_bytes, first[1].growing) == (1, segment.size_bytes, 0)
    assert first[1].recorded_us == (segment.ends_us or 0) - segment.starts_us
    assert second[1].is_nothing
    desk.house.record(2, close=False)
    now_us = int(desk.clock.now().timestamp() * SECOND_US)
    growing = desk.enter(desk.place(now_us - SECOND_US, now_us))
    with desk.db.reading() as session:
        ((_, found),) = desk.decisions.search(session, desk.house.operator_id, growing.id, knows_orders=False)
    assert found.growing == 1


def test_while_it_is_not_known_who_asks_nothing_is_granted_and_it_can_be_refused(desk: Desk) -> None:
    segment = desk.recorded()
    request = desk.enter(desk.middle(segment), identity=IdentityState.ASKED_FOR, doubt=Doubt.SENDER_IS_UNKNOWN)
    with pytest.raises(IdentityIsUnconfirmed):
        desk.decide(request, Answer.ERASE)
    with desk.db.writing() as session:
        desk.requests.identify(session, desk.granted, request.id, IdentityState.FAILED, None)
    with pytest.raises(IdentityIsUnconfirmed):
        desk.decide(request, Answer.ERASE)
    with desk.db.writing() as session:
        desk.decisions.refuse_whole(
            session, desk.granted, request.id, Reason.CANNOT_IDENTIFY, "write to us again", COMPLAINT
        )
    text = desk.statement(request)
    assert "could not establish that it is about you" in text
    assert "write to us again" in text
    assert COMPLAINT in text
    assert desk.close(request).outcome is Outcome.REFUSED


def test_what_was_asked_can_be_taken_back_while_nothing_of_it_is_granted(desk: Desk) -> None:
    request = desk.enter(desk.middle(desk.recorded()))
    desk.decide(request, Answer.ERASE)
    with pytest.raises(RequestIsUnderWay):
        desk.close(request, taken_back=True)
    desk.second_person(request, Decision.REFUSED)
    assert desk.close(request, taken_back=True).outcome is Outcome.TAKEN_BACK
    assert "You have taken it back." in desk.statement(request)

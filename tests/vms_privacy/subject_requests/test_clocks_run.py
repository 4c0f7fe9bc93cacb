"""Requests as they are kept: their clock runs from the true receipt, and somebody is reminded of it once."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError

from archive.orders.rules import Ground, OrderKind
from auth.errors import NotFound
from tests.given.desk import COMPLAINT, CONTACT, SECOND_US, Desk
from tests.given.failing_db import FailingDatabase, lost_connection
from vms_privacy.audit.events import Tag
from vms_privacy.db import Base
from vms_privacy.ids import CameraId, OperatorId
from vms_privacy.subject_requests import store
from vms_privacy.subject_requests.clocks import PROMISED_WITHIN, REMIND_DAYS
from vms_privacy.subject_requests.errors import ContactIsForgotten, RequestRefused, TooManyRequests
from vms_privacy.subject_requests.kinds import (
    Answer,
    Channel,
    Doubt,
    IdentityState,
    Outcome,
    Reason,
    RequestKind,
    Standing,
    WhyLonger,
)
from vms_privacy.subject_requests.request import Place, Request
from vms_privacy.subject_requests.rules import FORGOTTEN_AFTER, LONGEST_AGO, MOST_OPEN
from vms_privacy.subject_requests.store import Clocks
from vms_privacy.subject_requests.tables import RequestRow

DAY = timedelta(days=1)
CLOSED_ALONE = (
    "UPDATE subject_request SET closed_at = entered_at, closed_by = 'x', answered_at = entered_at, outcome = 'granted'"
)


def _clocks(desk: Desk) -> Clocks:
    with desk.db.glancing() as connection:
        return store.clocks(connection, desk.clock.now())


@pytest.mark.parametrize("channel", Channel)
def test_whatever_the_channel_the_clock_runs_from_the_true_receipt(desk: Desk, channel: Channel) -> None:
    request = desk.enter(channel=channel, ago=20 * DAY)
    assert request.entered_at == desk.clock.now()
    assert request.promised_by <= request.received_at + PROMISED_WITHIN
    assert request.answer_by == request.promised_by
    desk.clock.forward(request.answer_by - desk.clock.now())
    assert _clocks(desk).overdue == 0
    desk.clock.forward(timedelta(seconds=1))
    assert _clocks(desk) == Clocks(1, 1, 1, request.answer_by)


def test_what_was_received_long_ago_is_overdue_from_its_entry_on_and_nothing_is_received_ahead(desk: Desk) -> None:
    request = desk.enter(ago=40 * DAY)
    assert request.is_overdue(desk.clock.now())
    for ago, rule in ((-timedelta(seconds=1), "received-in-the-future"), (LONGEST_AGO + DAY, "received-too-long-ago")):
        with pytest.raises(RequestRefused) as refused:
            desk.enter(ago=ago)
        assert refused.value.facts["rule"] == rule


def test_an_extension_moves_what_the_law_allows_and_never_what_was_promised(desk: Desk) -> None:
    request = desk.enter(ago=10 * DAY)
    with desk.db.writing() as session:
        made = desk.requests.extend(
            session, desk.granted, request.id, 2, WhyLonger.COMPLEX, desk.clock.now() - timedelta(hours=1)
        )
    assert (made.promised_by, made.answer_by > request.answer_by) == (request.promised_by, True)
    desk.clock.forward(21 * DAY)
    assert _clocks(desk) == Clocks(1, 0, 1, made.answer_by)
    with pytest.raises(RequestRefused, match="once"), desk.db.writing() as session:
        desk.requests.extend(session, desk.granted, request.id, 1, WhyLonger.COMPLEX, desk.clock.now())


def test_after_the_first_period_nothing_is_extended(desk: Desk) -> None:
    request = desk.enter(ago=31 * DAY)
    with pytest.raises(RequestRefused, match="first period is over"), desk.db.writing() as session:
        desk.requests.extend(session, desk.granted, request.id, 1, WhyLonger.MANY_REQUESTS, desk.clock.now())


def test_a_reasonable_doubt_stops_the_clock_of_the_law_until_it_is_settled_and_asking_alone_does_not(
    desk: Desk,
) -> None:
    in_doubt = desk.enter(identity=IdentityState.ASKED_FOR, doubt=Doubt.CONTACT_DIFFERS)
    merely_asked = desk.enter(identity=IdentityState.ASKED_FOR)
    assert in_doubt.answer_by == in_doubt.promised_by + 30 * DAY
    assert merely_asked.answer_by == merely_asked.promised_by
    desk.clock.forward(5 * DAY)
    with desk.db.writing() as session:
        settled = desk.requests.identify(session, desk.granted, in_doubt.id, IdentityState.CONFIRMED, None)
    assert settled.answer_by == in_doubt.promised_by + 5 * DAY
    assert desk.again(in_doubt) == settled
    with desk.db.reading() as session:
        row = session.get(RequestRow, in_doubt.id)
        assert row is not None
        assert row.answer_by == settled.answer_by


def test_somebody_is_reminded_of_each_step_once_in_the_audit_and_in_the_count(desk: Desk) -> None:
    request = desk.enter()
    assert desk.care.round() == ""
    assert desk.care.reminded == 0
    for _ in range(35 * 4):
        desk.clock.forward(timedelta(hours=6))
        assert desk.care.round() == ""
    told = [json.loads(one.detail)["days"] for one in desk.events(Tag.REQUEST_REMINDED)]
    assert told == list(REMIND_DAYS)
    assert desk.care.reminded == len(REMIND_DAYS)
    assert {json.loads(one.detail)["request"] for one in desk.events(Tag.REQUEST_REMINDED)} == {str(request.id)}


def test_who_is_reminded_late_is_reminded_once_and_of_a_closed_request_nobody_is(desk: Desk) -> None:
    desk.enter(ago=29 * DAY)
    closed = desk.enter(ago=29 * DAY)
    _refuse(desk, closed)
    desk.close(closed)
    desk.care.round()
    desk.care.round()
    assert [json.loads(one.detail)["days"] for one in desk.events(Tag.REQUEST_REMINDED)] == [1]


def _refuse(desk: Desk, request: Request) -> None:
    with desk.db.writing() as session:
        desk.decisions.refuse_whole(session, desk.granted, request.id, Reason.EXCESSIVE, "", COMPLAINT)


def test_who_asks_is_nowhere_in_clear_is_shown_with_a_trace_and_forgotten_after_the_end(desk: Desk) -> None:
    request = desk.enter(ago=3 * DAY)
    words = "Dear Ida, this is why"
    with desk.db.writing() as session:
        desk.decisions.refuse_whole(session, desk.granted, request.id, Reason.EXCESSIVE, words, COMPLAINT)
    everything = _everything(desk)
    for secret in (CONTACT, "ida@example.org", "Ida", words):
        assert secret not in everything
    assert COMPLAINT in everything, "the search finds what is there"
    assert str(request.id) in everything
    with desk.db.writing() as session:
        assert desk.requests.contact(session, desk.granted, request.id) == CONTACT
    assert len(desk.events(Tag.REQUEST_CONTACT_SHOWN)) == 1
    assert words in desk.statement(request)
    desk.close(request)
    desk.clock.forward(FORGOTTEN_AFTER - timedelta(seconds=1))
    desk.care.round()
    assert desk.events(Tag.REQUEST_FORGOTTEN) == []
    desk.clock.forward(timedelta(seconds=1))
    desk.care.round()
    desk.care.round()
    assert len(desk.events(Tag.REQUEST_FORGOTTEN)) == 1
    with pytest.raises(ContactIsForgotten), desk.db.writing() as session:
        desk.requests.contact(session, desk.granted, request.id)
    assert words not in desk.statement(request)
    kept = desk.again(request)
    assert (kept.outcome, kept.received_at) == (Outcome.REFUSED, request.received_at)


def _everything(desk: Desk) -> str:
    """All rows of all tables, and the journal."""
    with desk.db.reading() as session:
        rows = [str(tuple(row)) for table in Base.metadata.tables.values() for row in session.execute(table.select())]
    journal = (desk.house.folder / "journal").read_text()
    return "\n".join([*rows, journal])


def test_another_operators_request_and_one_that_is_not_there_are_not_found_alike(desk: Desk) -> None:
    request = desk.enter()
    with desk.db.reading() as session, pytest.raises(NotFound):
        desk.requests.find(session, OperatorId(UUID(int=7)), request.id)
    with pytest.raises(NotFound):
        desk.enter(Place(CameraId(UUID(int=7)), desk.place(1, 2).span))


def test_a_request_that_names_nothing_is_entered_and_narrowed_down_until_it_is_decided(desk: Desk) -> None:
    segment = desk.recorded()
    request = desk.enter()
    with desk.db.writing() as session:
        desk.requests.narrow(session, desk.granted, request.id, [desk.place(1, 2), desk.middle(segment)])
        made = desk.requests.narrow(session, desk.granted, request.id, [desk.middle(segment)])
    assert made.items == desk.again(request).items
    assert [one.place for one in made.items] == [desk.middle(segment)]
    desk.decide(request, Answer.ERASE)
    with pytest.raises(RequestRefused, match="decided already"), desk.db.writing() as session:
        desk.requests.narrow(session, desk.granted, request.id, [desk.place(1, 2)])


def test_a_restriction_that_is_asked_for_is_placed_as_an_order_with_the_request_as_its_case(desk: Desk) -> None:
    segment = desk.recorded()
    request = desk.enter(desk.middle(segment), kind=RequestKind.RESTRICTION)
    with pytest.raises(RequestRefused, match="ground"):
        desk.decide(request, Answer.RESTRICT)
    review_at = desk.clock.now() + 30 * DAY
    made = desk.decide(request, Answer.RESTRICT, ground=Ground.ACCURACY_CONTESTED, review_at=review_at)
    with desk.db.reading() as session:
        (order,) = desk.house.orders.of_camera(session, desk.house.camera.camera_id, OrderKind.RESTRICTION)
    assert (order.id, order.case) == (made.items[0].order_id, f"request {request.id}")
    assert desk.standings(request) == [Standing.DONE]
    assert "restricted" in desk.statement(request)
    assert desk.close(request).outcome is Outcome.GRANTED


def test_access_is_answered_by_a_viewing_or_a_copy(desk: Desk) -> None:
    segment = desk.recorded()
    request = desk.enter(desk.middle(segment), kind=RequestKind.ACCESS)
    with pytest.raises(RequestRefused, match="not answered by"):
        desk.decide(request, Answer.ERASE)
    desk.decide(request, Answer.OFFER_VIEWING)
    assert "look at it with us" in desk.statement(request)
    assert desk.close(request).outcome is Outcome.GRANTED


def test_an_operator_has_so_many_requests_open_at_once_and_no_more(desk: Desk) -> None:
    request = desk.enter()
    with desk.db.writing() as session:
        row = session.execute(RequestRow.__table__.select()).mappings().one()
        more: list[dict[str, Any]] = [{**row, "id": UUID(int=number)} for number in range(1, MOST_OPEN)]
        session.execute(insert(RequestRow), more)
    with pytest.raises(TooManyRequests):
        desk.enter()
    _refuse(desk, request)
    desk.close(request)
    desk.enter()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM subject_request",
        "UPDATE subject_request SET received_at = answer_by",
        "UPDATE subject_request SET promised_by = answer_by, kind = 'access'",
        "UPDATE subject_request SET answer_by = received_at",
        "UPDATE subject_request SET closed_at = entered_at, closed_by = 'person:1'",
        CLOSED_ALONE,
        "UPDATE subject_request SET forgotten_at = entered_at",
        "UPDATE subject_request_item SET from_us = from_us + 1",
        "UPDATE subject_request_item SET answer = 'refuse', decided_by = 'person:1'",
    ],
)
def test_no_statement_past_the_service_closes_an_undecided_request_or_turns_its_clock(
    desk: Desk, statement: str
) -> None:
    desk.enter(desk.place(1, 2), ago=DAY)
    with pytest.raises(IntegrityError), desk.db.writing() as session:
        session.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE subject_request SET outcome = 'granted'",
        "UPDATE subject_request SET closed_at = NULL, outcome = NULL, answered_at = NULL, closed_by = ''",
        "UPDATE subject_request SET sealed_contact = sealed_words, sealed_words = sealed_contact",
        "UPDATE subject_request_item SET answer = NULL, reason = '', decided_by = '', decided_at = NULL",
        "DELETE FROM subject_request_item",
        "DELETE FROM subject_request_reminder",
    ],
)
def test_what_is_closed_stays_as_it_was_closed(desk: Desk, statement: str) -> None:
    request = desk.enter(desk.place(1, 2), ago=29 * DAY)
    desk.care.round()
    _refuse(desk, request)
    desk.close(request)
    with pytest.raises(IntegrityError), desk.db.writing() as session:
        session.execute(text(statement))


def test_what_fails_with_one_request_is_told_and_keeps_no_other_from_its_reminder(
    desk: Desk, failing_db: FailingDatabase
) -> None:
    """P12: here the first reminder is kept, and the answer that it is gets lost."""
    desk.enter(ago=29 * DAY)
    desk.enter(ago=29 * DAY)
    failing_db.after_commit = lost_connection()
    assert desk.care.round() == "OperationalError"
    assert desk.care.round() == ""
    assert len(desk.events(Tag.REQUEST_REMINDED)) == 2


def test_one_stretch_is_asked_about_once_in_a_request(desk: Desk) -> None:
    with pytest.raises(RequestRefused) as refused:
        desk.enter(desk.place(SECOND_US, 3 * SECOND_US), desk.place(2 * SECOND_US, 4 * SECOND_US))
    assert refused.value.facts["rule"] == "items-overlap"

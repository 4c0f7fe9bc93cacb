"""Withdrawing an opt-in keeps what was recorded under it, or has it erased by two people."""

import pytest

from archive.segments.rules import State
from tests.given.desk import Desk
from vms_privacy.approvals.rules import Decision
from vms_privacy.audit.events import Tag
from vms_privacy.consent.errors import NotOptedIn
from vms_privacy.consent.rules import ConsentKind
from vms_privacy.subject_requests.errors import FootageChoiceDoesNotFit, RequestRefused
from vms_privacy.subject_requests.kinds import Channel, IdentityState, Outcome, Reason, RequestKind, Standing
from vms_privacy.subject_requests.service import NewRequest
from vms_privacy.subject_requests.withdrawing import WithdrawnToErase


def _withdraw(desk: Desk, kind: ConsentKind = ConsentKind.VIDEO_RECORDING) -> WithdrawnToErase:
    with desk.db.writing() as session:
        done = desk.withdrawals.withdraw(session, desk.granted, desk.house.camera.camera_id, kind)
    desk.house.recorder.ask_again()
    return done


def test_what_was_recorded_under_the_opt_in_goes_by_two_people_and_the_request_closes_by_itself(desk: Desk) -> None:
    first = desk.recorded()
    desk.house.withdraw()
    second = desk.recorded()
    assert first.id != second.id
    request = _withdraw(desk).request
    assert request is not None
    assert (request.kind, request.identity.state) == (RequestKind.WITHDRAWAL, IdentityState.NOT_NEEDED)
    assert desk.standings(request) == [Standing.WAITS]
    desk.care.round()
    assert desk.again(request).closed_at is None
    desk.second_person(request)
    desk.house.eraser.sweep()
    assert {row.id: row.state for row in desk.house.rows()} == {first.id: State.STORED, second.id: State.ERASED}
    assert desk.care.round() == ""
    closed = desk.again(request)
    assert (closed.outcome, closed.closed_by) == (Outcome.GRANTED, "worker:requests")
    (mandate,) = [one.carrying.mandate for one in desk.follow(request) if one.carrying is not None]
    assert str(mandate.cause) == "withdrawal"


def test_recording_stops_at_once_whatever_the_second_person_says_and_then_it_is_kept(desk: Desk) -> None:
    segment = desk.recorded()
    request = _withdraw(desk).request
    assert request is not None
    assert desk.house.record(2) != []
    assert [row.id for row in desk.house.rows()] == [segment.id]
    desk.second_person(request, Decision.REFUSED)
    assert desk.standings(request) == [Standing.UNDECIDED]
    with desk.db.writing() as session:
        desk.decisions.refuse_whole(session, desk.granted, request.id, Reason.KEPT_AFTER_ALL, "", "")
    desk.care.round()
    assert desk.again(request).outcome is Outcome.REFUSED
    assert [row.state for row in desk.house.rows()] == [State.STORED]


def test_what_still_grows_when_it_is_withdrawn_goes_too(desk: Desk) -> None:
    desk.house.opt_in()
    desk.house.record(4, close=False)
    request = _withdraw(desk).request
    assert request is not None
    desk.house.delivery.deliver()
    desk.second_person(request)
    desk.house.eraser.sweep()
    assert [row.state for row in desk.house.rows()] == [State.ERASED]
    desk.care.round()
    assert desk.again(request).outcome is Outcome.GRANTED


def test_where_nothing_was_recorded_there_is_no_request(desk: Desk) -> None:
    desk.house.opt_in()
    done = _withdraw(desk)
    assert (done.request, done.entry.kinds) == (None, (ConsentKind.VIDEO_RECORDING,))
    assert desk.events(Tag.REQUEST_RECEIVED) == []


def test_only_video_recording_is_withdrawn_with_its_footage(desk: Desk) -> None:
    desk.recorded()
    desk.house.opt_in(ConsentKind.LIVE_AUDIO)
    with pytest.raises(FootageChoiceDoesNotFit):
        _withdraw(desk, ConsentKind.LIVE_AUDIO)
    _withdraw(desk)
    with pytest.raises(NotOptedIn):
        _withdraw(desk)


def test_nobody_enters_a_withdrawals_request_by_hand(desk: Desk) -> None:
    new = NewRequest(RequestKind.WITHDRAWAL, Channel.MAIL, desk.clock.now(), IdentityState.NOT_NEEDED)
    with pytest.raises(RequestRefused) as refused, desk.db.writing() as session:
        desk.requests.enter(session, desk.granted, new)
    assert refused.value.facts["rule"] == "not-entered"

"""Media sessions are judged again while they last: what ends them, and whom it does not touch (P8)."""

import json
from datetime import timedelta

import pytest

from auth.grants.rules import Grant, Terms
from auth.media_sessions.errors import NotSureEnough, SessionOver
from auth.media_sessions.rules import End, Protocol
from auth.principal import Right
from auth.resources.store import ResourceStore
from auth.tokens.errors import TokenExpired, TokenWithdrawn
from auth.tokens.rules import Action
from auth.tokens.service import Asked
from tests.given.clock import HandClock
from tests.given.tokens import TokenParts
from tests.given.viewers import Cut, beat, enter, opened, viewer, wait
from vms_privacy.audit.events import Tag
from vms_privacy.db import Database
from vms_privacy.ids import CameraId

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def test_one_withdrawn_grant_ends_one_viewer_and_the_other_99_lose_nothing(db: Database, parts: TokenParts) -> None:
    people = [opened(parts, f"viewer-{number}") for number in range(100)]
    cuts = [Cut() for _ in people]
    for (session, _), cut in zip(people, cuts, strict=True):
        session.attach(cut)
    unlucky = people[41]
    parts.withdraw_grant(unlucky[1])
    assert [cut.times for cut in cuts] == [int(one is unlucky) for one in people]
    with pytest.raises(TokenWithdrawn):
        unlucky[0].check()
    for session, _ in people:
        if session is not unlucky[0]:
            session.check()
    assert beat(parts) == 0
    assert [json.loads(event.detail)["session"] for event in parts.events(Tag.MEDIA_CUT)] == [str(unlucky[0].id)]


def test_a_withdrawn_token_ends_what_rests_on_it_and_not_what_its_person_has_besides(parts: TokenParts) -> None:
    person, _ = viewer(parts)
    first, second = parts.issue(person, Action.LIVE), parts.issue(person, Action.LIVE)
    ending, staying = enter(parts, first), enter(parts, second)
    parts.withdraw_token(parts.owner, first.claims.token_id)
    with pytest.raises(TokenWithdrawn):
        ending.check()
    assert ending.end is End.WITHDRAWN
    staying.check()


def test_a_disabled_person_is_cut_everywhere(parts: TokenParts) -> None:
    person, _ = viewer(parts)
    token = parts.issue(person, Action.LIVE, Action.ARCHIVE)
    sessions = [enter(parts, token), enter(parts, token, Protocol.HLS, action=Action.ARCHIVE)]
    other, _ = opened(parts, "other")
    assert person.person_id is not None
    parts.sessions.hear_person(person.person_id)
    assert [session.end for session in sessions] == [End.WITHDRAWN] * 2
    other.check()


def test_a_changed_grant_means_judge_again_not_end(parts: TokenParts, clock: HandClock) -> None:
    session, grant = opened(parts)
    cut = Cut()
    session.attach(cut)
    change(parts, grant, Terms(frozenset({Right.LIVE}), clock.now(), clock.now() + HOUR))
    session.check()
    assert cut.times == 0
    assert session.claims.session_until == clock.now() + HOUR
    wait(parts, clock, HOUR)
    assert (cut.times, session.end) == (1, End.TIME_OVER)


def test_a_change_that_takes_the_right_away_ends_it(parts: TokenParts, clock: HandClock) -> None:
    session, grant = opened(parts)
    change(parts, grant, Terms(frozenset({Right.ARCHIVE}), clock.now()))
    assert session.end is End.NO_LONGER_ALLOWED


def change(parts: TokenParts, grant: Grant, terms: Terms) -> None:
    with parts.db.writing() as session:
        parts.grants.change(session, parts.owner, parts.operator_id, grant.id, grant.version, terms)


def test_a_change_nobody_told_us_of_is_found_by_the_grants_within_ten_seconds(
    parts: TokenParts, clock: HandClock
) -> None:
    session, _ = opened(parts)
    with parts.db.writing() as own:
        ResourceStore().remove(own, parts.camera.camera_id, clock.now())
    assert wait(parts, clock, 9 * SECOND) == 0
    session.check()
    assert wait(parts, clock, SECOND) == 1
    assert session.end is End.NO_LONGER_ALLOWED


def test_a_camera_that_is_removed_has_its_live_viewers_cut_when_we_hear_of_it(
    parts: TokenParts, clock: HandClock
) -> None:
    session, _ = opened(parts)
    with parts.db.writing() as own:
        ResourceStore().remove(own, parts.camera.camera_id, clock.now())
    parts.sessions.hear_camera(CameraId(parts.randomness.uuid()))
    session.check()
    parts.sessions.hear_camera(parts.camera.camera_id)
    assert session.end is End.NO_LONGER_ALLOWED


def test_exp_ends_the_right_to_start_and_ses_ends_what_goes_on(parts: TokenParts, clock: HandClock) -> None:
    person, _ = viewer(parts)
    token = parts.issue(person, Action.LIVE)
    session = enter(parts, token)
    cut = Cut()
    session.attach(cut)
    wait(parts, clock, timedelta(minutes=6))
    session.check()
    with pytest.raises(TokenExpired):
        enter(parts, token)
    clock.forward(timedelta(hours=12) - timedelta(minutes=6))
    parts.view.heartbeat()
    # Not even until the next tick.
    with pytest.raises(SessionOver):
        session.check()
    beat(parts)
    assert (cut.times, session.end) == (1, End.TIME_OVER)


@pytest.mark.parametrize("protocol", [Protocol.HLS, Protocol.FILE])
def test_the_same_client_goes_on_after_exp_as_long_as_it_keeps_asking(
    parts: TokenParts, clock: HandClock, protocol: Protocol
) -> None:
    person, _ = viewer(parts)
    token = parts.issue(person, Action.LIVE)
    session = enter(parts, token, protocol)
    for _ in range(20):
        wait(parts, clock, 29 * SECOND)
        assert enter(parts, token, protocol) is session
    with pytest.raises(TokenExpired):
        enter(parts, token, protocol, address="another")
    wait(parts, clock, 31 * SECOND)
    assert session.end is End.SILENCE
    with pytest.raises(TokenExpired):
        enter(parts, token, protocol)
    assert len(parts.events(Tag.MEDIA_OPENED)) == 1


def test_a_gap_of_more_than_30_seconds_ends_it_even_before_the_next_tick(parts: TokenParts, clock: HandClock) -> None:
    session, _ = opened(parts, protocol=Protocol.HLS)
    clock.forward(30 * SECOND)
    parts.view.heartbeat()
    parts.sessions.resume(session.key, parts.camera.camera_id, Action.LIVE)
    clock.forward(31 * SECOND)
    parts.view.heartbeat()
    with pytest.raises(SessionOver):
        parts.sessions.resume(session.key, parts.camera.camera_id, Action.LIVE)
    assert session.end is End.SILENCE


def test_a_long_response_is_not_silence(parts: TokenParts, clock: HandClock) -> None:
    session, _ = opened(parts, protocol=Protocol.FILE)
    detach = session.attach(Cut())
    wait(parts, clock, HOUR)
    session.check()
    detach()
    detach()
    wait(parts, clock, 29 * SECOND)
    session.check()
    wait(parts, clock, 2 * SECOND)
    assert session.end is End.SILENCE


def test_without_a_heartbeat_for_a_second_nothing_starts_and_after_ten_nothing_goes_on(
    parts: TokenParts, clock: HandClock
) -> None:
    session, _ = opened(parts)
    person, _ = viewer(parts, "other")
    token = parts.issue(person, Action.LIVE)
    cut = Cut()
    session.attach(cut)
    clock.forward(timedelta(seconds=1))
    with pytest.raises(NotSureEnough):
        enter(parts, token)
    clock.forward(timedelta(seconds=8.9))
    assert parts.sessions.rejudge() == 0
    session.check()
    clock.forward(timedelta(seconds=0.2))
    # Whoever sends notices by itself: the ticker that would cut may be what died.
    with pytest.raises(NotSureEnough):
        session.check()
    assert parts.sessions.rejudge() == 1
    assert (cut.times, session.end) == (1, End.DEAF)
    assert [event.reason for event in parts.events(Tag.TOKEN_REFUSED)] == ["not-sure-enough"]
    parts.view.heartbeat()
    enter(parts, token)


def test_what_the_grants_cannot_be_asked_about_is_cut_and_the_rest_goes_on(parts: TokenParts, clock: HandClock) -> None:
    changed, grant = opened(parts, "changed")
    untouched, _ = opened(parts, "untouched")
    parts.db.engine.dispose()
    with parts.db.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE access_grant RENAME TO taken_away")
    parts.view.hear_grant(grant.id, 2)
    assert wait(parts, clock, 10 * SECOND) == 1
    assert changed.end is End.NOT_JUDGED
    untouched.check()
    assert parts.sessions.failed_judgements == 1
    with parts.db.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE taken_away RENAME TO access_grant")


def test_no_session_is_opened_on_a_grant_withdrawn_while_it_opens(parts: TokenParts) -> None:
    person, grant = viewer(parts)
    token = parts.issue(person, Action.LIVE)
    admission = parts.tokens.admit(token.jwt, Asked("north", "door", Action.LIVE))
    parts.withdraw_grant(grant)
    with pytest.raises(TokenWithdrawn):
        parts.sessions.open(admission, Protocol.STREAM, "address")
    assert parts.sessions.of_operator(parts.operator_id) == []

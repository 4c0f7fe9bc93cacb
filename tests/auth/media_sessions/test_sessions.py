"""Media sessions: opened with a trace, found again, limited, cut alone, and in the audit as a whole (P8, P9)."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import DatabaseError

from auth.errors import NotFound
from auth.media_sessions.errors import SessionOver, TooManySessions
from auth.media_sessions.rules import End, Limits, Protocol
from auth.principal import Right
from auth.tokens.errors import OutsideWindow, TokenExpired, TokenWithdrawn
from auth.tokens.issuing import IssuedToken
from auth.tokens.rules import Action, Claims, microseconds
from auth.tokens.service import Admission, Asked
from tests.given.clock import HandClock
from tests.given.randomness import CountedRandomness
from tests.given.tokens import TokenParts
from tests.given.viewers import Cut, beat, enter, opened, viewer, wait
from vms_privacy.audit.events import Tag
from vms_privacy.db import Database
from vms_privacy.group_commit import WriteFailed
from vms_privacy.ids import CameraId

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)


def test_a_session_is_in_the_audit_before_its_first_byte(parts: TokenParts) -> None:
    session, _ = opened(parts)
    (event,) = parts.events(Tag.MEDIA_OPENED)
    detail = json.loads(event.detail)
    assert (event.actor, event.camera_id) == (f"person:{session.person_id}", session.camera_id)
    assert detail == {
        "session": str(session.id),
        "token": str(session.claims.token_id),
        "protocol": "stream",
        "action": "live",
        "purpose": "archive_view",
        "address": "address",
    }


def test_a_session_that_cannot_be_audited_never_was(parts: TokenParts) -> None:
    person, _ = viewer(parts)
    token = parts.issue(person, Action.LIVE)
    parts.group.close()
    with pytest.raises(WriteFailed):
        enter(parts, token)
    assert parts.sessions.of_operator(parts.operator_id) == []


def test_how_it_ended_is_in_the_audit_with_its_bytes_and_seconds(parts: TokenParts, clock: HandClock) -> None:
    session, _ = opened(parts)
    session.count(1000)
    session.count(234)
    clock.forward(7 * SECOND)
    parts.sessions.end(session)
    parts.sessions.end(session, End.STOPPING)
    assert parts.events(Tag.MEDIA_ENDED) == []
    beat(parts)
    beat(parts)
    (event,) = parts.events(Tag.MEDIA_ENDED, Tag.MEDIA_CUT)
    detail = json.loads(event.detail)
    assert (event.tag, event.reason) == (Tag.MEDIA_ENDED, End.CLIENT_LEFT)
    assert (detail["bytes"], detail["seconds"]) == (1234, 7)


def test_an_end_that_could_not_be_written_is_written_later(parts: TokenParts) -> None:
    session, _ = opened(parts)
    parts.sessions.end(session)
    with parts.db.writing(), pytest.raises(RuntimeError):
        parts.sessions.write_ends()
    parts.sessions.write_ends()
    assert len(parts.events(Tag.MEDIA_ENDED)) == 1


def test_an_event_is_heard_though_the_end_it_causes_cannot_be_written_yet(parts: TokenParts) -> None:
    session, _ = opened(parts)
    with parts.db.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE audit_event RENAME TO taken_away")
    parts.sessions.hear_person(session.person_id)
    assert (session.end, parts.sessions.unwritten_ends) == (End.WITHDRAWN, 1)
    with pytest.raises(DatabaseError):
        parts.sessions.rejudge()
    with parts.db.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE taken_away RENAME TO audit_event")
    beat(parts)
    assert len(parts.events(Tag.MEDIA_CUT)) == 1


def test_each_endless_response_is_a_session_of_its_own(parts: TokenParts) -> None:
    person, _ = viewer(parts)
    token = parts.issue(person, Action.LIVE)
    assert enter(parts, token, Protocol.STREAM) is not enter(parts, token, Protocol.STREAM)


def test_a_key_finds_its_session_for_its_camera_and_action_alone(parts: TokenParts, clock: HandClock) -> None:
    session, _ = opened(parts, protocol=Protocol.HLS)
    assert len(session.key) == 22
    for _ in range(20):
        wait(parts, clock, 29 * SECOND)
        assert parts.sessions.resume(session.key, parts.camera.camera_id, Action.LIVE) is session
    for camera_id, action in [
        (CameraId(parts.randomness.uuid()), Action.LIVE),
        (parts.camera.camera_id, Action.ARCHIVE),
    ]:
        with pytest.raises(NotFound):
            parts.sessions.resume(session.key, camera_id, action)
    for key in ("", "x" * 22, session.key + "=", session.key.swapcase()):
        with pytest.raises(SessionOver):
            parts.sessions.resume(key, parts.camera.camera_id, Action.LIVE)


def test_who_was_cut_is_told_why_for_a_while_and_then_nothing(parts: TokenParts, clock: HandClock) -> None:
    session, grant = opened(parts, protocol=Protocol.HLS)
    parts.withdraw_grant(grant)
    with pytest.raises(TokenWithdrawn):
        parts.sessions.resume(session.key, parts.camera.camera_id, Action.LIVE)
    wait(parts, clock, 31 * SECOND)
    with pytest.raises(SessionOver):
        parts.sessions.resume(session.key, parts.camera.camera_id, Action.LIVE)


def test_what_is_attached_late_is_refused_and_what_left_is_not_cut(parts: TokenParts) -> None:
    session, grant = opened(parts)
    left, stayed, late = Cut(), Cut(), Cut()
    detach = session.attach(left)
    session.attach(stayed)
    detach()
    parts.withdraw_grant(grant)
    parts.sessions.rejudge()
    with pytest.raises(TokenWithdrawn):
        session.attach(late)
    assert (left.times, stayed.times, late.times) == (0, 1, 0)
    session.count(99)
    assert session.bytes_out == 0


def test_a_cut_that_fails_keeps_nobody_elses_from_being_called(parts: TokenParts) -> None:
    session, grant = opened(parts)

    def fails() -> None:
        raise OSError("this one is broken")

    before, after = Cut(), Cut()
    session.attach(before)
    session.attach(fails)
    session.attach(after)
    with pytest.raises(OSError, match="broken"):
        parts.withdraw_grant(grant)
    assert (before.times, after.times) == (1, 1)
    assert session.end is End.NO_LONGER_ALLOWED


def test_cuts_from_many_threads_come_once(parts: TokenParts) -> None:
    session, _ = opened(parts)
    cut = Cut()
    session.attach(cut)
    assert session.person_id is not None
    with ThreadPoolExecutor(8) as pool:
        for one in [pool.submit(parts.sessions.hear_person, session.person_id) for _ in range(16)]:
            one.result(10)
    assert cut.times == 1
    assert len(parts.events(Tag.MEDIA_CUT)) == 1


def test_an_expired_token_opens_nothing_though_what_it_goes_on_with_ends_while_it_is_judged(
    parts: TokenParts, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, _ = viewer(parts)
    token = parts.issue(person, Action.ARCHIVE, lifetime=timedelta(seconds=10))
    first = enter(parts, token, Protocol.FILE, action=Action.ARCHIVE)
    sent = first.attach(Cut())
    wait(parts, clock, timedelta(hours=1))
    assert enter(parts, token, Protocol.FILE, action=Action.ARCHIVE) is first
    admit = parts.tokens.admit_claims

    def ends_meanwhile(claims: Claims, asked: Asked, *, going_on: bool = False) -> Admission:
        admission = admit(claims, asked, going_on=going_on)
        sent()
        parts.sessions.end(first, End.MEDIA_OVER)
        return admission

    monkeypatch.setattr(parts.tokens, "admit_claims", ends_meanwhile)
    with pytest.raises(TokenExpired):
        enter(parts, token, Protocol.FILE, action=Action.ARCHIVE)
    assert parts.sessions.of_operator(parts.operator_id) == []


def test_an_archive_session_covers_pictures_inside_window_and_depth_alone(parts: TokenParts, clock: HandClock) -> None:
    person = parts.access.person(parts.operator_id, "some@example.org")
    noon = clock.now()
    parts.access.grant(person, [Right.ARCHIVE], window=(noon - 4 * HOUR, noon - HOUR), depth=3 * HOUR)
    session = enter(parts, parts.issue(person, Action.ARCHIVE), Protocol.FILE, action=Action.ARCHIVE)
    for inside in (noon - 3 * HOUR, noon - 2 * HOUR, noon - HOUR - SECOND):
        session.check(microseconds(inside))
    for outside in (noon - 3 * HOUR - MICROSECOND, noon - 5 * HOUR, noon - HOUR, noon):
        with pytest.raises(OutsideWindow):
            session.check(microseconds(outside))


@pytest.fixture
def crowded(db: Database, clock: HandClock, randomness: CountedRandomness, tmp_path: Path) -> Iterator[TokenParts]:
    parts = TokenParts(db, clock, randomness, tmp_path, Limits(per_person=2, per_camera=3, in_all=4))
    yield parts
    parts.close()


def test_person_camera_and_service_have_limits_and_an_end_makes_room(crowded: TokenParts) -> None:
    parts = crowded
    people = [viewer(parts, f"viewer-{number}")[0] for number in range(4)]
    tokens = [parts.issue(person, Action.LIVE) for person in people]
    first = enter(parts, tokens[0])
    enter(parts, tokens[0])
    assert refused_by(parts, tokens[0]) == "person"
    enter(parts, tokens[1])
    assert refused_by(parts, tokens[2]) == "camera"
    parts.sessions.end(first)
    enter(parts, tokens[2])
    assert refused_by(parts, tokens[3]) == "camera"
    assert [event.reason for event in parts.events(Tag.TOKEN_REFUSED)] == ["too-many-sessions"] * 3


def refused_by(parts: TokenParts, token: IssuedToken) -> object:
    with pytest.raises(TooManySessions) as refused:
        enter(parts, token)
    return refused.value.facts["of"]


def test_the_service_as_a_whole_has_a_limit_and_a_refused_one_takes_no_room(
    db: Database, clock: HandClock, randomness: CountedRandomness, tmp_path: Path
) -> None:
    parts = TokenParts(db, clock, randomness, tmp_path, Limits(in_all=2))
    person, _ = viewer(parts)
    token = parts.issue(person, Action.LIVE)
    first = enter(parts, token)
    enter(parts, token)
    assert [refused_by(parts, token) for _ in range(3)] == ["service"] * 3
    parts.sessions.end(first)
    enter(parts, token)
    parts.close()


def test_stopping_the_service_cuts_everybody_and_writes_it_down(parts: TokenParts) -> None:
    sessions = [opened(parts, f"viewer-{number}")[0] for number in range(3)]
    cut = Cut()
    sessions[0].attach(cut)
    parts.sessions.stop()
    assert cut.times == 1
    assert [event.reason for event in parts.events(Tag.MEDIA_CUT)] == [End.STOPPING] * 3


def test_the_list_shows_an_operators_own_sessions_oldest_first(parts: TokenParts, clock: HandClock) -> None:
    first, _ = opened(parts, "first")
    clock.forward(timedelta(milliseconds=100))
    second, _ = opened(parts, "second")
    assert parts.sessions.of_operator(parts.operator_id) == [first, second]
    assert parts.sessions.of_operator(parts.access.operator("south")) == []
    parts.sessions.end(first)
    assert parts.sessions.of_operator(parts.operator_id) == [second]


def test_what_is_printed_of_a_session_holds_no_key(parts: TokenParts) -> None:
    session, _ = opened(parts)
    assert session.key not in repr(session)

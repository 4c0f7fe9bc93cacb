"""Media sessions: what always ends them, and what never exceeds its limit (P8)."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from auth.media_sessions.book import SessionBook
from auth.media_sessions.rules import (
    LONGEST_GAP_S,
    AskAgain,
    End,
    Ends,
    Limits,
    Protocol,
    Signs,
    Stays,
    judge_session,
    over_limit,
)
from auth.media_sessions.session import MediaSession
from auth.principal import Right
from auth.revocation.rules import Footing, Hearing
from auth.revocation.view import RevocationView
from auth.tokens.rules import Action, Claims, GrantUse, Purpose
from tests.given.clock import HandClock
from vms_privacy.ids import CameraId, GrantId, MediaSessionId, OperatorId, PersonId, TokenId

_NOON = datetime(2030, 1, 15, 12, tzinfo=UTC)
_moments = st.timedeltas(timedelta(days=-400), timedelta(days=400)).map(lambda step: _NOON + step)
_signs = st.builds(Signs, _moments, st.floats(0, 100), st.sampled_from(Footing), st.sampled_from(Hearing))


@given(_signs, st.timedeltas(timedelta(0), timedelta(days=9)))
def test_no_session_outlives_its_ses(signs: Signs, later: timedelta) -> None:
    assert isinstance(judge_session(signs, signs.session_until + later), Ends)


@given(_signs, _moments)
def test_a_withdrawn_grant_is_never_judged_yes(signs: Signs, now: datetime) -> None:
    verdict = judge_session(signs, now)
    if signs.footing is Footing.WITHDRAWN:
        assert verdict == Ends(End.WITHDRAWN)
    if signs.footing is Footing.ASK_AGAIN:
        assert isinstance(verdict, Ends | AskAgain)


@given(_signs, _moments)
def test_who_is_deaf_to_withdrawals_lets_nobody_go_on(signs: Signs, now: datetime) -> None:
    if signs.hearing is Hearing.DEAF:
        assert isinstance(judge_session(signs, now), Ends)


@given(_signs, _moments)
def test_a_client_silent_for_longer_than_the_gap_is_gone(signs: Signs, now: datetime) -> None:
    if signs.silence_s > LONGEST_GAP_S:
        assert isinstance(judge_session(signs, now), Ends)


@given(_signs, _moments)
def test_only_certainty_lets_a_session_stay(signs: Signs, now: datetime) -> None:
    if isinstance(judge_session(signs, now), Stays):
        assert signs.footing is Footing.HOLDS
        assert signs.hearing is not Hearing.DEAF
        assert now < signs.session_until
        assert signs.silence_s <= LONGEST_GAP_S


@given(_signs, _moments, st.timedeltas(timedelta(0), timedelta(days=9)), st.floats(0, 100))
def test_waiting_never_turns_an_end_back(signs: Signs, now: datetime, later: timedelta, longer_s: float) -> None:
    if isinstance(judge_session(signs, now), Ends):
        waited = Signs(signs.session_until, signs.silence_s + longer_s, signs.footing, signs.hearing)
        assert isinstance(judge_session(waited, now + later), Ends)


@given(st.sampled_from(End))
def test_whatever_was_not_the_viewers_doing_is_a_cut(end: End) -> None:
    assert end.is_cut == (end not in {End.CLIENT_LEFT, End.MEDIA_OVER, End.SILENCE})


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.builds(Limits, *[st.integers(0, 9)] * 3))
def test_there_is_room_exactly_below_every_limit(of_person: int, of_camera: int, in_all: int, limits: Limits) -> None:
    room = of_person < limits.per_person and of_camera < limits.per_camera and in_all < limits.in_all
    assert (over_limit(of_person, of_camera, in_all, limits) is None) == room


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.booleans()), max_size=40))
def test_no_limit_is_ever_exceeded_and_every_end_makes_room(steps: list[tuple[int, int, bool]]) -> None:
    limits, clock = Limits(per_person=2, per_camera=3, in_all=5), HandClock()
    book, view = SessionBook(limits), RevocationView(clock)
    for number, (person, camera, ends) in enumerate(steps):
        living = book.living()
        if ends and living:
            book.retire(living[number % len(living)], 0.0)
            continue
        session = _session(number, person, camera, clock, view)
        same_person = [one for one in living if one.person_id == session.person_id]
        same_camera = [one for one in living if one.camera_id == session.camera_id]
        room = len(same_person) < 2 and len(same_camera) < 3 and len(living) < 5
        assert (book.add(session) is None) == room
        assert (session in book.living()) == room


def _session(number: int, person: int, camera: int, clock: HandClock, view: RevocationView) -> MediaSession:
    claims = Claims(
        token_id=TokenId(UUID(int=number)),
        person_id=PersonId(UUID(int=person)),
        operator_id=OperatorId(UUID(int=9)),
        camera_id=CameraId(UUID(int=camera)),
        actions=frozenset({Action.LIVE}),
        purpose=Purpose.LIVE_VIEW,
        not_before=_NOON,
        expires_at=_NOON + timedelta(minutes=5),
        session_until=_NOON + timedelta(hours=12),
        grants=(GrantUse(Right.LIVE, GrantId(UUID(int=1)), 1),),
    )
    key = f"{number:022d}"
    return MediaSession(
        MediaSessionId(UUID(int=number)), key, claims, Action.LIVE, Protocol.HLS, "address", clock, view
    )


@given(st.sampled_from(Protocol))
def test_only_what_is_many_requests_is_taken_for_the_same_session(protocol: Protocol) -> None:
    assert protocol.comes_again == (protocol in {Protocol.HLS, Protocol.FILE})

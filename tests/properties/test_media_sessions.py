"""Media sessions: what always ends them, and what never exceeds its limit (P8)."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

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
from auth.revocation.rules import Footing, Hearing

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


@given(st.sampled_from(Protocol))
def test_only_what_is_many_requests_is_taken_for_the_same_session(protocol: Protocol) -> None:
    assert protocol.comes_again == (protocol in {Protocol.HLS, Protocol.FILE})

"""When log-in tokens count."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from auth.sessions.rules import (
    ACCESS_LIFE,
    LoginSession,
    WhyNot,
    access_until,
    judge_access,
    judge_refresh,
)
from vms_privacy.ids import LoginSessionId, PersonId

NOON = datetime(2030, 1, 15, 12, 0, tzinfo=UTC)
moments = st.integers(-3, 3).map(lambda minutes: NOON + timedelta(minutes=minutes))
digests = st.sampled_from([bytes([number]) * 32 for number in range(3)])
sessions = st.builds(
    LoginSession,
    id=st.just(LoginSessionId(uuid.UUID(int=1))),
    person_id=st.just(PersonId(uuid.UUID(int=2))),
    expires_at=moments,
    access_expires_at=moments,
    refresh_digest=digests,
    ended_at=st.none() | moments,
    person_is_disabled=st.booleans(),
)


@given(sessions, moments)
def test_an_access_token_counts_only_while_session_and_person_do(session: LoginSession, now: datetime) -> None:
    if judge_access(session, now) is None:
        assert now < session.access_expires_at
        assert now < session.expires_at
        assert session.ended_at is None
        assert not session.person_is_disabled


@given(sessions, digests, moments)
def test_only_the_current_refresh_token_counts_and_every_other_is_a_replay(
    session: LoginSession, presented: bytes, now: datetime
) -> None:
    living = replace(session, ended_at=None, person_is_disabled=False, expires_at=now + timedelta(seconds=1))
    expected = None if presented == session.refresh_digest else WhyNot.REPLAYED
    assert judge_refresh(living, presented, now) is expected


@given(sessions, digests, moments)
def test_nothing_of_an_ended_session_or_a_disabled_person_counts(
    session: LoginSession, presented: bytes, now: datetime
) -> None:
    for over in (replace(session, ended_at=now), replace(session, person_is_disabled=True)):
        assert judge_access(over, now) is WhyNot.ENDED
        assert judge_refresh(over, presented, now) is WhyNot.ENDED


@given(sessions, moments, moments)
def test_waiting_never_makes_a_token_count_again(session: LoginSession, now: datetime, later: datetime) -> None:
    if judge_access(session, min(now, later)) is not None:
        assert judge_access(session, max(now, later)) is not None


@given(moments, moments)
def test_an_access_token_never_outlives_its_session(expires_at: datetime, now: datetime) -> None:
    assert access_until(expires_at, now) <= expires_at
    assert access_until(expires_at, now) <= now + ACCESS_LIFE


def test_a_token_nobody_was_given_is_unknown() -> None:
    assert judge_access(None, NOON) is WhyNot.UNKNOWN
    assert judge_refresh(None, b"", NOON) is WhyNot.UNKNOWN

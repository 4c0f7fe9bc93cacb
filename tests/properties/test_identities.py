"""Which passwords and codes count."""

import uuid
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from auth.identities.rules import (
    LONGEST_PASSWORD,
    SHORTEST_PASSWORD,
    Code,
    CodeProblem,
    Weakness,
    judge_code,
    weakness_of,
)
from vms_privacy.ids import PersonId

NOON = datetime(2030, 1, 15, 12, 0, tzinfo=UTC)
moments = st.integers(-3, 3).map(lambda hours: NOON + timedelta(hours=hours))
logins = st.from_regex(r"[a-z0-9][a-z0-9._@+-]{1,30}", fullmatch=True)
codes = st.builds(
    Code, st.none() | st.just(PersonId(uuid.UUID(int=1))), expires_at=moments, used_at=st.none() | moments
)


@given(st.text(max_size=40), logins)
def test_a_password_that_may_be_used_has_its_length_and_is_not_the_log_in(password: str, login: str) -> None:
    if weakness_of(password, login) is None:
        assert SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD
        assert len(set(password)) > 1
        assert password.casefold() != login


@given(st.characters(), st.integers(SHORTEST_PASSWORD, LONGEST_PASSWORD), logins)
def test_one_character_however_often_is_no_password(character: str, length: int, login: str) -> None:
    assert weakness_of(character * length, login) is Weakness.ONE_CHARACTER


@given(st.from_regex(r"[a-z0-9][a-z0-9._@+-]{11,60}", fullmatch=True), st.booleans())
def test_the_log_in_is_no_password_in_whatever_case(login: str, shout: bool) -> None:
    assert weakness_of(login.upper() if shout else login, login) in {Weakness.IS_THE_LOGIN, Weakness.ONE_CHARACTER}


@given(st.text(min_size=LONGEST_PASSWORD + 1, max_size=LONGEST_PASSWORD + 20), logins)
def test_nothing_is_cut_off_a_long_password(password: str, login: str) -> None:
    assert weakness_of(password, login) is Weakness.TOO_LONG


@given(codes, st.booleans(), moments)
def test_a_code_counts_once_in_time_and_for_its_own_purpose(code: Code, for_a_person: bool, now: datetime) -> None:
    counts = judge_code(code, for_a_person=for_a_person, now=now) is None
    assert counts is (code.used_at is None and now < code.expires_at and (code.person_id is not None) is for_a_person)


def test_a_code_nobody_was_given_is_unknown() -> None:
    assert judge_code(None, for_a_person=True, now=NOON) is CodeProblem.UNKNOWN

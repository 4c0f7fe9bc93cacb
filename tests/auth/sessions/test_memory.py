"""What is remembered of access tokens never outlives what it was read from."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from auth.principal import Principal
from auth.sessions.memory import MOST_REMEMBERED
from auth.sessions.rules import ACCESS_LIFE, Stranger, WhyNot
from auth.sessions.service import Tokens
from tests.auth.sessions.test_http import PASSWORD, given_anna
from tests.given.auth_app import AuthParts


def logged_in(auth: AuthParts) -> tuple[Tokens, Principal]:
    given_anna(auth)
    tokens = auth.logins.log_in("anna", PASSWORD, "here")
    assert auth.logins.remembered(tokens.access_token) is None
    anna = auth.logins.identify(tokens.access_token)
    assert isinstance(anna, Principal)
    assert auth.logins.remembered(tokens.access_token) == anna
    return tokens, anna


def log_out(auth: AuthParts, _: Tokens, anna: Principal) -> None:
    with auth.db.writing() as session:
        auth.logins.log_out(session, anna)


def refresh(auth: AuthParts, tokens: Tokens, _: Principal) -> None:
    auth.logins.refresh(tokens.refresh_token)


def change_password(auth: AuthParts, _: Tokens, anna: Principal) -> None:
    other = auth.logins.log_in("anna", PASSWORD, "there")
    here = auth.logins.identify(other.access_token)
    assert isinstance(here, Principal)
    assert auth.logins.remembered(other.access_token) == here
    auth.enrolment.change_password(here, PASSWORD, "another long password")


@pytest.mark.parametrize("change", [log_out, refresh, change_password])
def test_a_changed_session_is_forgotten_with_the_commit(
    auth: AuthParts, change: Callable[[AuthParts, Tokens, Principal], None]
) -> None:
    tokens, anna = logged_in(auth)
    change(auth, tokens, anna)
    assert auth.logins.remembered(tokens.access_token) is None
    assert isinstance(auth.logins.identify(tokens.access_token), Stranger)


def test_what_another_process_ended_counts_for_a_second_at_most(auth: AuthParts) -> None:
    tokens, _ = logged_in(auth)
    auth.clock.forward(timedelta(milliseconds=999))
    assert auth.logins.remembered(tokens.access_token) is not None
    auth.clock.forward(timedelta(milliseconds=1))
    assert auth.logins.remembered(tokens.access_token) is None


def test_a_token_that_expires_while_it_is_remembered_no_longer_counts(auth: AuthParts) -> None:
    tokens, anna = logged_in(auth)
    auth.clock.forward(ACCESS_LIFE - timedelta(milliseconds=1))
    assert auth.logins.identify(tokens.access_token) == anna
    auth.clock.forward(timedelta(milliseconds=1))
    assert auth.logins.remembered(tokens.access_token) is None
    assert auth.logins.identify(tokens.access_token) == Stranger(WhyNot.EXPIRED)


def test_what_was_read_before_something_was_forgotten_is_not_kept(auth: AuthParts) -> None:
    logged_in(auth)
    found = next(iter(auth.memory._known.values()))[:2]
    before = auth.memory.forgotten
    auth.memory.forget()
    auth.memory.keep(b"digest", found, before)
    assert auth.memory.find(b"digest") is None
    auth.memory.keep(b"digest", found, auth.memory.forgotten)
    assert auth.memory.find(b"digest") == found


def test_the_memory_is_bounded(auth: AuthParts) -> None:
    logged_in(auth)
    found = next(iter(auth.memory._known.values()))[:2]
    for number in range(2 * MOST_REMEMBERED):
        auth.memory.keep(number.to_bytes(4, "big"), found, auth.memory.forgotten)
    assert len(auth.memory._known) <= MOST_REMEMBERED

"""Slowing down guesses."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.throttle import LONGEST_WAIT, Failures, PerMinute, Throttle, TooManyAttempts, one_more, wait_left
from tests.given.clock import HandClock

failures = st.none() | st.builds(Failures, st.integers(0, 10_000), st.floats(0, 10_000))
seconds = st.floats(0, 20_000)


@given(failures, st.integers(1, 50), seconds)
def test_nobody_waits_longer_than_the_longest_wait(known: Failures | None, free: int, now: float) -> None:
    if known is None or now >= known.last_at:
        assert 0 <= wait_left(known, free, now) <= LONGEST_WAIT


@given(st.integers(1, 10_000), st.integers(1, 50), st.floats(0, 10_000))
def test_after_the_longest_wait_every_next_try_is_looked_at(count: int, free: int, last_at: float) -> None:
    assert wait_left(Failures(count, last_at), free, last_at + LONGEST_WAIT + 0.001) == 0


@given(failures, st.integers(1, 50), seconds)
def test_one_more_failure_never_shortens_the_wait(known: Failures | None, free: int, now: float) -> None:
    if known is None or now >= known.last_at:
        assert wait_left(one_more(known, now), free, now) >= wait_left(known, free, now)


@given(st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3)), max_size=60), st.integers(1, 8))
def test_memory_is_bounded_whoever_knocks(tries: list[tuple[str, str]], most: int) -> None:
    throttle = Throttle(HandClock(), most)
    for account, source in tries:
        try:
            throttle.attempt(account, source)
        except TooManyAttempts:
            continue
    assert len(throttle._failures) <= most


def test_a_hundred_tries_at_once_are_not_a_hundred_free_ones() -> None:
    throttle = Throttle(HandClock())
    passed = 0
    for _ in range(100):
        try:
            throttle.attempt("anna", "")
        except TooManyAttempts:
            continue
        passed += 1
    assert passed == 5


def test_success_forgets_the_accounts_failures_and_only_its_own_try_of_the_source() -> None:
    throttle = Throttle(HandClock())
    for number in range(19):
        throttle.attempt(f"guess-{number}", "here")
    throttle.attempt("anna", "here")
    throttle.succeeded("anna", "here")
    throttle.attempt("anna", "here")
    with pytest.raises(TooManyAttempts) as refused:
        throttle.attempt("anna", "here")
    assert refused.value.facts == {"retry_after": 1}


def test_a_person_gets_through_after_a_wait_while_somebody_else_keeps_guessing() -> None:
    clock = HandClock()
    throttle = Throttle(clock)
    for _ in range(50):
        try:
            throttle.attempt("anna", "elsewhere")
        except TooManyAttempts:
            clock.forward(timedelta(seconds=LONGEST_WAIT))
    clock.forward(timedelta(seconds=LONGEST_WAIT))
    throttle.attempt("anna", "at-home")
    throttle.succeeded("anna", "at-home")
    assert throttle.wait_for("anna", "at-home") == 0


def test_so_many_things_pass_in_a_minute_and_no_more() -> None:
    clock = HandClock()
    some = PerMinute(clock, 2)
    assert [some.take() for _ in range(4)] == [True, True, False, False]
    clock.forward(timedelta(minutes=1))
    assert some.take()

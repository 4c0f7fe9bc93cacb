"""Retention: what may be set, and that it works forward only."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from archive.retention.rules import (
    DEFAULT_KEEP_FOR,
    LARGEST_KEEP_FOR,
    SMALLEST_KEEP_FOR,
    Accepted,
    Policy,
    Refused,
    judge_change,
)

_durations = st.timedeltas(timedelta(days=-2), timedelta(days=500)) | st.integers(0, 400 * 24).map(
    lambda hours: timedelta(hours=hours)
)
_policies = st.builds(
    Policy, st.integers(0, 50), st.integers(10, 366 * 86400).map(lambda seconds: timedelta(seconds=seconds))
)
_words = st.text(max_size=40)


@given(_policies, _durations, _words)
def test_only_whole_seconds_within_the_limits_are_ever_accepted(current: Policy, wanted: timedelta, why: str) -> None:
    verdict = judge_change(current, wanted, why)
    if isinstance(verdict, Accepted):
        assert SMALLEST_KEEP_FOR <= wanted <= LARGEST_KEEP_FOR
        assert not wanted.microseconds
        assert verdict.policy.version == current.version + 1
    else:
        assert verdict.code.startswith("retention-")
        assert verdict.why


@given(_policies, st.integers(1, 300 * 24))
def test_more_than_the_default_is_never_accepted_without_a_justification(current: Policy, hours: int) -> None:
    verdict = judge_change(current, DEFAULT_KEEP_FOR + timedelta(hours=hours), "          ")
    assert isinstance(verdict, Refused)
    assert verdict.code == "retention-needs-justification"


@given(_policies, _durations)
def test_only_a_shorter_retention_reaches_back(current: Policy, wanted: timedelta) -> None:
    verdict = judge_change(current, wanted, "because the court asked for it")
    if isinstance(verdict, Accepted):
        assert verdict.reaches_back == (wanted < current.keep_for)

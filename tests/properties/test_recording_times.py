"""When a camera is recorded: by the clock on the wall, through every jump that a zone makes."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vms_privacy.recording_times.rules import (
    ALWAYS,
    DAY_MIN,
    DAYS,
    Plan,
    Stretch,
    Weekday,
    begins_at,
    changes,
    is_always,
    is_recorded_at,
    judge_plan,
    last_change,
    next_change,
    read_stretch,
    recorded_now,
    was_recorded_at,
)

US: Final = timedelta(microseconds=1)
# Jumps by an hour both ways, by half an hour, none, one at midnight, and a whole day that was left out.
ZONES: Final = (
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "America/Santiago",
    "Pacific/Apia",
)
days = st.frozensets(st.sampled_from(DAYS), min_size=1)


@st.composite
def stretches(draw: st.DrawFn) -> Stretch:
    from_min = draw(st.integers(0, DAY_MIN - 1))
    until_min = draw(st.integers(0, DAY_MIN).filter(lambda minute: minute != from_min))
    return Stretch(draw(days), from_min, until_min)


@st.composite
def plans(draw: st.DrawFn, version: int = 1, since: datetime | None = None) -> Plan:
    zone = draw(st.sampled_from(ZONES))
    return Plan(version, zone, ZoneInfo(zone), tuple(draw(st.lists(stretches(), min_size=1, max_size=4))), since)


moments = st.one_of(
    st.datetimes(datetime(2011, 12, 25), datetime(2012, 1, 5), timezones=st.just(UTC)),  # noqa: DTZ001 - the strategy puts the zone on
    st.datetimes(datetime(2023, 12, 1), datetime(2032, 4, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the strategy puts the zone on
    st.sampled_from([datetime(2026, 3, 29, 0, 59, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)]),
    st.sampled_from([datetime(2028, 2, 28, 23, 59, tzinfo=UTC), datetime(2028, 2, 29, 12, tzinfo=UTC)]),
)


def shown_minutes(plan: Plan) -> set[tuple[Weekday, int]]:
    """What a plan says, minute by minute of a wall's week: an account of its own beside the rule's."""
    found = set()
    for one in plan.stretches:
        for day in one.days:
            at, minute = DAYS.index(day), one.from_min
            while True:
                found.add((DAYS[(at + minute // DAY_MIN) % 7], minute % DAY_MIN))
                minute += 1
                if minute % DAY_MIN == one.until_min % DAY_MIN:
                    break
    return found


@given(plan=plans(), moment=moments)
def test_recorded_is_what_the_wall_shows_a_time_of_the_plan_for(plan: Plan, moment: datetime) -> None:
    shown = moment.astimezone(plan.zone)
    expected = (DAYS[shown.weekday()], 60 * shown.hour + shown.minute) in shown_minutes(plan)
    assert is_recorded_at(plan, moment) is expected


@given(plan=plans(), moment=moments)
def test_the_next_change_is_one_and_nothing_changes_before_it(plan: Plan, moment: datetime) -> None:
    says, ends = is_recorded_at(plan, moment), next_change(plan, moment)
    until = ends or moment + timedelta(days=40)
    if ends is not None:
        assert ends > moment
        assert is_recorded_at(plan, ends) is not says
        assert is_recorded_at(plan, ends - US) is says
    probe = moment
    while probe < min(until, moment + timedelta(days=8)):
        assert is_recorded_at(plan, probe) is says
        probe += timedelta(minutes=7)


@given(plan=plans(), moment=moments)
def test_the_last_change_mirrors_the_next(plan: Plan, moment: datetime) -> None:
    began = last_change(plan, moment)
    if began is None:
        assert is_always(plan)
        return
    assert began <= moment
    assert is_recorded_at(plan, began) is is_recorded_at(plan, moment) is not is_recorded_at(plan, began - US)
    ends = next_change(plan, began)
    assert ends is not None
    assert ends > moment


@given(plan=plans(), moment=moments)
def test_what_leaves_out_no_minute_never_changes_and_what_does_does(plan: Plan, moment: datetime) -> None:
    if is_always(plan):
        assert next_change(plan, moment) is None
        assert is_recorded_at(plan, moment)
    else:
        assert next_change(plan, moment) is not None


@given(stretch=stretches())
def test_a_stretch_is_read_back_from_its_one_form(stretch: Stretch) -> None:
    assert read_stretch(str(stretch)) == stretch
    assert judge_plan([stretch]) is None


@given(text=st.text(max_size=30) | st.from_regex(r"[a-z+]{3,12}=[0-9:]{4,6}-[0-9:]{4,6}", fullmatch=True))
def test_nothing_else_is_read_as_a_stretch(text: str) -> None:
    try:
        found = read_stretch(text)
    except ValueError:
        return
    assert str(found) == text


@pytest.mark.parametrize(
    "text",
    [
        "tue+mon=08:00-18:00",
        "mon+mon=08:00-18:00",
        "mon=08:00-08:00",
        "mon=24:00-08:00",
        "mon=8:00-18:00",
        "=08:00-18:00",
    ],
)
def test_another_form_of_the_same_or_of_nothing_is_no_stretch(text: str) -> None:
    with pytest.raises(ValueError, match="no stretch"):
        read_stretch(text)


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ([], "no-stretch"),
        ([Stretch(frozenset(DAYS), 0, 1)] * 22, "too-many-stretches"),
        ([Stretch(frozenset(), 0, 1)], "no-day"),
        ([Stretch(frozenset(DAYS), -1, 1)], "no-time-of-a-day"),
        ([Stretch(frozenset(DAYS), 0, DAY_MIN + 1)], "no-time-of-a-day"),
        ([Stretch(frozenset(DAYS), 60, 60)], "no-length"),
    ],
)
def test_what_is_no_plan_says_why(bad: list[Stretch], code: str) -> None:
    refused = judge_plan(bad)
    assert refused is not None
    assert refused.code == code


def wall(zone: str, *stretches: str) -> Plan:
    return Plan(1, zone, ZoneInfo(zone), tuple(read_stretch(one) for one in stretches))


def test_a_night_of_a_jump_forward_is_an_hour_shorter_and_one_back_an_hour_longer() -> None:
    night = wall("Europe/Paris", "sat=22:00-06:00")
    for begins, hours in (
        (datetime(2026, 3, 28, 21, tzinfo=UTC), 7),
        (datetime(2026, 10, 24, 20, tzinfo=UTC), 9),
        (datetime(2026, 6, 6, 20, tzinfo=UTC), 8),
    ):
        assert is_recorded_at(night, begins)
        assert not is_recorded_at(night, begins - US)
        assert next_change(night, begins) == begins + timedelta(hours=hours)


def test_a_time_that_is_shown_twice_is_recorded_twice_and_one_never_shown_not_at_all() -> None:
    plan = wall("Europe/Paris", "sun=02:15-02:45")
    at, found = datetime(2026, 10, 24, 12, tzinfo=UTC), []
    for _ in range(4):
        at = next_change(plan, at) or at
        found.append(at)
    assert found == [
        datetime(2026, 10, 25, 0, 15, tzinfo=UTC),
        datetime(2026, 10, 25, 0, 45, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 15, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 45, tzinfo=UTC),
    ]
    before = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert next_change(plan, before) == datetime(2026, 4, 5, 0, 15, tzinfo=UTC)


def test_the_29th_of_february_is_a_day_like_others() -> None:
    plan = wall("Europe/Paris", "tue=08:00-18:00")
    assert is_recorded_at(plan, datetime(2028, 2, 29, 12, tzinfo=UTC))
    assert next_change(plan, datetime(2028, 2, 28, 12, tzinfo=UTC)) == datetime(2028, 2, 29, 7, tzinfo=UTC)


@st.composite
def histories(draw: st.DrawFn) -> list[Plan]:
    since = draw(st.lists(moments, max_size=4).map(sorted))
    return [draw(plans(number, at)) for number, at in enumerate(since, 1)]


@given(history=histories(), now=moments)
def test_the_newest_plan_decides_now(history: list[Plan], now: datetime) -> None:
    newest = history[-1] if history else ALWAYS
    found = recorded_now(history, now)
    assert (found is not None) is is_recorded_at(newest, now)
    if found is None:
        assert begins_at(history, now) == next_change(newest, now)
        return
    assert found.until == next_change(newest, now)
    assert found.from_at is None or found.from_at <= now


@given(history=histories(), now=moments)
def test_since_when_it_is_recorded_is_told_through_all_changes_of_plan(history: list[Plan], now: datetime) -> None:
    """Every moment from there to now was recorded by the plan in force then, and the one just before was not."""
    if history and history[-1].since is not None and history[-1].since > now:
        return
    found = recorded_now(history, now)
    if found is None:
        return
    if found.from_at is not None:
        assert not was_recorded_at(history, found.from_at - US)
        assert was_recorded_at(history, found.from_at)
    began = found.from_at or now - timedelta(days=20)
    assert list(changes(history, began, now)) == []


@given(history=histories(), after=moments, hours=st.integers(1, 24 * 12))
def test_between_two_changes_nothing_changes(history: list[Plan], after: datetime, hours: int) -> None:
    before = after + timedelta(hours=hours)
    borders = [after, *changes(history, after, before), before]
    says = was_recorded_at(history, after)
    for begins, ends in pairwise(borders):
        assert begins < ends
        for at in (begins, begins + (ends - begins) / 3, begins + (ends - begins) * 2 / 3, ends - US):
            # A third of a microsecond is none, and two thirds are a whole one.
            assert was_recorded_at(history, min(at, ends - US)) is says
        says = not says


@given(now=moments, hours=st.integers(1, 10_000))
def test_without_any_plan_a_camera_is_always_recorded(now: datetime, hours: int) -> None:
    found = recorded_now([], now)
    assert found is not None
    assert (found.from_at, found.until) == (None, None)
    assert list(changes([], now, now + timedelta(hours=hours))) == []

"""What footage will come to at most, and when a store has no room for that."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from archive.forecast.rules import (
    SPARE_PER_CENT,
    Amount,
    Basis,
    Camera,
    Room,
    TooMuch,
    judge,
    most_recorded_us,
    needs_bytes,
    promised_bytes,
    rate_of,
)
from vms_privacy.ids import CameraId, OperatorId
from vms_privacy.recording_times.rules import ALWAYS, DAYS, Plan, Stretch, is_recorded_at, shown_week

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
MONDAY = datetime(2030, 1, 14, tzinfo=UTC)
days = st.frozensets(st.sampled_from(DAYS), min_size=1)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    def one() -> Stretch:
        from_min = draw(st.integers(0, 1439))
        return Stretch(draw(days), from_min, draw(st.integers(0, 1440).filter(lambda minute: minute != from_min)))

    return Plan(1, "UTC", UTC, tuple(one() for _ in range(draw(st.integers(1, 3)))))


amounts = st.builds(Amount, st.integers(0, 10**13), st.integers(0, 10**13))
keeps = st.integers(10, 366 * 86400).map(lambda seconds: seconds * SECOND_US)


@st.composite
def cameras(draw: st.DrawFn) -> Camera:
    return Camera(
        CameraId(UUID(int=draw(st.integers(1, 9)))),
        OperatorId(UUID(int=1)),
        is_recorded=draw(st.booleans()),
        keep_us=draw(keeps),
        plan=draw(plans() | st.just(ALWAYS)),
        stored=draw(amounts),
        lately=draw(amounts),
        seen_bytes_per_s=draw(st.none() | st.integers(0, 10**7)),
    )


@given(plan=plans(), keep_min=st.integers(1, 3 * 10_080), begins_min=st.integers(0, 10_079))
def test_no_stretch_as_long_as_the_retention_records_more(plan: Plan, keep_min: int, begins_min: int) -> None:
    week = shown_week(plan)
    within = sum(week[(begins_min + at) % len(week)] for at in range(keep_min))
    most_us = most_recorded_us(plan, keep_min * MINUTE_US)
    assert within * MINUTE_US <= most_us <= keep_min * MINUTE_US


@given(plan=plans(), keep_min=st.integers(1, 2 * 10_080))
def test_and_some_stretch_records_as_much(plan: Plan, keep_min: int) -> None:
    week = shown_week(plan)
    full, rest = divmod(keep_min, len(week))
    twice = week + week
    within = [sum(twice[at : at + rest]) for at in range(len(week))] if rest < 300 else None
    if within is not None:
        assert most_recorded_us(plan, keep_min * MINUTE_US) == (full * sum(week) + max(within)) * MINUTE_US


@given(plan=plans(), minute=st.integers(0, 10_079))
def test_the_minutes_of_a_week_are_those_that_are_recorded(plan: Plan, minute: int) -> None:
    assert bool(shown_week(plan)[minute]) is is_recorded_at(plan, MONDAY + timedelta(minutes=minute))


@given(keep_us=keeps)
def test_who_is_always_recorded_is_so_for_as_long_as_footage_is_kept(keep_us: int) -> None:
    assert most_recorded_us(ALWAYS, keep_us) == keep_us


@given(camera=cameras(), keep_us=keeps)
def test_longer_needs_no_less_and_what_is_there_is_always_counted(camera: Camera, keep_us: int) -> None:
    other = replace(camera, keep_us=keep_us)
    shorter, longer = sorted((camera, other), key=lambda one: one.keep_us)
    assert needs_bytes(shorter) <= needs_bytes(longer)
    assert needs_bytes(shorter) >= camera.stored.size_bytes


@given(camera=cameras())
def test_more_recording_times_need_no_less_and_no_recording_nothing_more(camera: Camera) -> None:
    assert needs_bytes(camera) <= needs_bytes(replace(camera, plan=ALWAYS))
    assert needs_bytes(replace(camera, is_recorded=False)) == camera.stored.size_bytes <= needs_bytes(camera)


@given(camera=cameras())
def test_a_rate_is_measured_where_anything_was_recorded_and_never_guessed(camera: Camera) -> None:
    rate = rate_of(camera)
    recorded = [one for one in (camera.stored, camera.lately) if one.recorded_us]
    if recorded:
        assert rate.basis is Basis.RECORDED
        assert rate.bytes_per_s is not None
        assert all(rate.bytes_per_s * one.recorded_us >= one.size_bytes * SECOND_US for one in recorded)
    elif camera.seen_bytes_per_s is not None:
        assert (rate.bytes_per_s, rate.basis) == (camera.seen_bytes_per_s, Basis.SEEN)
    else:
        assert (rate.bytes_per_s, rate.basis) == (None, Basis.UNKNOWN)


@given(found=st.lists(cameras(), max_size=5))
def test_what_is_promised_is_what_all_need_together(found: Sequence[Camera]) -> None:
    assert promised_bytes(found) == sum(needs_bytes(one) for one in found)


@given(
    capacity=st.none() | st.integers(0, 10**13),
    promised=st.integers(0, 10**13),
    adds=st.none() | st.integers(-(10**12), 10**13),
)
def test_only_what_adds_more_than_a_known_store_has_left_is_refused(
    capacity: int | None, promised: int, adds: int | None
) -> None:
    verdict = judge(Room(capacity, promised), adds)
    if capacity is None or (adds is not None and adds <= 0):
        assert verdict is None
        return
    left = capacity * (100 - SPARE_PER_CENT) // 100 - promised
    is_too_much = left <= 0 if adds is None else adds > left
    assert verdict == (TooMuch(adds, left) if is_too_much else None)

"""Invariants of time doubt. Truth is generated; the clocks go wrong in every way; the promises hold against truth."""

import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.given.clock import NOON
from tests.given.loose_clock import LooseClock
from vms_privacy.guarded_clock import GuardedClock
from vms_privacy.time_doubt import LIMIT, LONGEST_ABSENCE, Mark, Seen, Trust, begin, follow, look, mark_of, times

Act = tuple[str, timedelta]

lapses = st.timedeltas(timedelta(0), timedelta(days=2))
steps = st.timedeltas(timedelta(days=-400), timedelta(days=400)) | st.timedeltas(
    timedelta(seconds=-90), timedelta(seconds=90)
)
moments = st.timedeltas(timedelta(days=-3000), timedelta(days=3000)).map(NOON.__add__)
ticks = st.floats(0, 1e8)
seens = st.builds(Seen, moments, ticks)
marks = st.builds(lambda at: Mark(at, at, at), moments)
acts: st.SearchStrategy[list[Act]] = st.lists(
    st.tuples(st.just("forward"), lapses) | st.tuples(st.just("step"), steps) | st.tuples(st.just("check"), lapses),
    max_size=12,
)
# Trust follows the wall by a share of the time gone by, so that much is allowed on top.
SLACK = LIMIT + timedelta(seconds=1)


def play(machine: LooseClock, trust: Trust, story: list[Act], meanwhile: Callable[[Trust], None]) -> Trust:
    """Let a story happen, looking after every act as the guarded clock does."""
    for act, by in story:
        if act == "forward":
            machine.forward(by)
        elif act == "step":
            machine.step(by)
        seen = Seen(machine.now(), machine.monotonic())
        trust = look(trust, seen)
        if act == "check":
            trust = follow(trust, seen)
        meanwhile(trust)
    return trust


@given(story=acts)
def test_nothing_is_destroyed_early_and_nothing_shown_too_long_while_monotonic_time_is_right(story: list[Act]) -> None:
    machine = LooseClock()
    drift = timedelta(seconds=0.001 * sum(by.total_seconds() for act, by in story if act == "forward"))

    def promises_hold(trust: Trust) -> None:
        told = times(trust, Seen(machine.now(), machine.monotonic()))
        assert told.earliest <= machine.truth + SLACK + drift
        assert told.latest >= machine.truth - SLACK - drift

    play(machine, begin(Seen(machine.now(), machine.monotonic()), None), story, promises_hold)


@given(story=acts, wrong_by=steps)
def test_a_right_database_is_enough_for_both_promises_after_a_start_with_any_clock(
    story: list[Act], wrong_by: timedelta
) -> None:
    machine = LooseClock()
    machine.step(wrong_by)
    seen = Seen(machine.now(), machine.monotonic())
    trust = begin(seen, None)
    trust = Trust(trust.trusted, trust.ticks, trust.doubt, trust.carried, database=machine.truth)

    def promises_hold(trust: Trust) -> None:
        told = times(trust, Seen(machine.now(), machine.monotonic()))
        assert told.earliest <= machine.truth + SLACK
        assert told.latest >= machine.truth - SLACK

    play(machine, look(trust, seen), story, promises_hold)


@given(story=acts, steps_before=acts, gap=lapses)
def test_a_doubt_and_its_bound_for_destroying_outlive_a_restart(
    story: list[Act], steps_before: list[Act], gap: timedelta
) -> None:
    machine = LooseClock()
    trust = play(machine, begin(Seen(machine.now(), machine.monotonic()), None), steps_before, lambda _: None)
    seen = Seen(machine.now(), machine.monotonic())
    before, left = times(trust, seen), mark_of(trust, seen, None)
    machine.restart(gap)
    after = begin(Seen(machine.now(), machine.monotonic()), left)
    if trust.doubt is None:
        return
    assert after.doubt == trust.doubt
    told = times(after, Seen(machine.now(), machine.monotonic()))
    assert told.earliest <= before.earliest
    assert told.latest >= before.latest

    def never_early(trust: Trust) -> None:
        gone = timedelta(seconds=machine.monotonic() - 5.0)
        assert times(trust, Seen(machine.now(), machine.monotonic())).earliest <= before.earliest + gone

    play(machine, after, story, never_early)


@given(seen=seens, mark=st.none() | marks, story=acts)
def test_destroying_never_goes_by_a_later_time_than_reading(seen: Seen, mark: Mark | None, story: list[Act]) -> None:
    machine = LooseClock(seen.wall)

    def ordered(trust: Trust) -> None:
        here = Seen(machine.now(), machine.monotonic())
        told = times(trust, here)
        assert told.earliest <= told.now <= told.latest
        assert trust.doubt is not None or told.earliest == told.now == told.latest == here.wall

    play(machine, begin(Seen(machine.now(), machine.monotonic()), mark), story, ordered)


@given(seen=seens, mark=marks)
def test_a_start_within_a_minute_before_and_a_week_after_the_mark_is_trusted_and_no_other(
    seen: Seen, mark: Mark
) -> None:
    gone = seen.wall - mark.trusted
    assert (begin(seen, mark).doubt is None) == (-LIMIT <= gone <= LONGEST_ABSENCE)


@given(story=acts, further=acts)
def test_a_doubt_never_ends_by_itself(story: list[Act], further: list[Act]) -> None:
    machine = LooseClock()
    trust = play(machine, begin(Seen(machine.now(), machine.monotonic()), None), story, lambda _: None)
    later = play(machine, trust, further, lambda _: None)
    assert trust.doubt is None or later.doubt == trust.doubt


@given(story=acts)
def test_without_a_doubt_the_mark_never_goes_down(story: list[Act]) -> None:
    machine = LooseClock()
    left: list[Mark] = []

    def rises(trust: Trust) -> None:
        before = left[-1] if left else None
        left.append(mark_of(trust, Seen(machine.now(), machine.monotonic()), before))
        assert before is None or trust.doubt is not None or left[-1].trusted >= before.trusted

    play(machine, begin(Seen(machine.now(), machine.monotonic()), None), story, rises)


@given(story=acts)
@settings(max_examples=25, deadline=None)
def test_in_doubt_new_records_go_on_by_monotonic_time_without_a_jump(story: list[Act]) -> None:
    machine = LooseClock()
    with tempfile.TemporaryDirectory() as folder:
        clock = GuardedClock(machine, Path(folder) / "mark")
        last: tuple[datetime, float] | None = None
        for act, by in story:
            if act == "step":
                machine.step(by)
            else:
                machine.forward(by)
            if act == "check":
                clock.check()
            if clock.doubt is None:
                continue
            if last is not None:
                gone = timedelta(seconds=machine.monotonic() - last[1])
                assert abs(clock.now() - last[0] - gone) < timedelta(milliseconds=1)
            last = (clock.now(), machine.monotonic())

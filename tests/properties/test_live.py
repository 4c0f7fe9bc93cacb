from hypothesis import given
from hypothesis import strategies as st

from streams.live.rules import (
    Ends,
    RingView,
    Send,
    Wait,
    is_hole,
    judge_segment,
    listed_from,
    next_for,
    target_seconds_for,
)

SECOND = 1_000_000
lengths = st.integers(1, 30 * SECOND)
targets = st.none() | st.integers(2, 6)


@st.composite
def rings(draw: st.DrawFn) -> RingView:
    oldest = draw(st.integers(0, 1000))
    following = oldest + draw(st.integers(0, 200))
    keys = st.integers(oldest, following - 1) if following > oldest else st.nothing()
    return RingView(oldest, following, draw(st.none() | keys))


positions = st.none() | st.integers(0, 1300)
delays = st.integers(0, 60 * SECOND)


@given(ring=rings(), position=positions, behind_us=delays)
def test_a_viewer_is_never_sent_a_fragment_twice_or_one_that_is_gone(
    ring: RingView, position: int | None, behind_us: int
) -> None:
    verdict = next_for(position, ring, behind_us, 4 * SECOND)
    if isinstance(verdict, Send):
        assert ring.oldest <= verdict.position < ring.following
        assert position is None or verdict.position >= position


@given(ring=rings(), position=positions, behind_us=delays)
def test_whoever_is_brought_forward_goes_on_at_a_key_picture_and_is_told_what_is_missing(
    ring: RingView, position: int | None, behind_us: int
) -> None:
    verdict = next_for(position, ring, behind_us, 4 * SECOND)
    if isinstance(verdict, Send) and position is not None:
        assert verdict.dropped == verdict.position - position
        assert verdict.dropped == 0 or verdict.position == ring.newest_key


@given(ring=rings(), behind_us=delays)
def test_a_viewer_begins_at_the_newest_key_picture_or_waits_for_one(ring: RingView, behind_us: int) -> None:
    verdict = next_for(None, ring, behind_us, 4 * SECOND)
    assert verdict == (Wait(None) if ring.newest_key is None else Send(ring.newest_key))


@given(ring=rings(), position=st.integers(0, 1300))
def test_a_viewer_in_time_gets_every_fragment(ring: RingView, position: int) -> None:
    if ring.oldest <= position < ring.following:
        assert next_for(position, ring, 0, 4 * SECOND) == Send(position)


@given(ring=rings(), position=st.integers(0, 1300), behind_us=st.integers(4 * SECOND + 1, 60 * SECOND))
def test_a_viewer_who_is_behind_never_gets_more_than_there_is_from_the_newest_key_picture(
    ring: RingView, position: int, behind_us: int
) -> None:
    verdict = next_for(position, ring, behind_us, 4 * SECOND)
    if isinstance(verdict, Send) and ring.newest_key is not None:
        assert verdict.position >= ring.newest_key


@given(open_us=lengths, next_us=lengths, is_key=st.booleans(), target=targets)
def test_a_segment_only_ends_at_a_key_picture_or_where_it_would_break_the_playlist(
    open_us: int, next_us: int, is_key: bool, target: int | None
) -> None:
    verdict = judge_segment(open_us, next_us, next_is_key=is_key, target_seconds=target)
    longest = (target or 6) * SECOND + (499_999 if target else 0)
    if isinstance(verdict, Ends):
        assert is_key or open_us + next_us > longest
        assert verdict.is_regular == (is_key and open_us >= 2 * SECOND)
    else:
        assert open_us + next_us <= longest


@given(steps=st.lists(st.tuples(st.integers(1, 500_000), st.booleans()), min_size=1, max_size=200))
def test_no_listed_segment_is_ever_longer_than_the_target(steps: list[tuple[int, bool]]) -> None:
    target: int | None = None
    open_us = 0
    for length_us, is_key in steps:
        verdict = judge_segment(open_us, length_us, next_is_key=is_key, target_seconds=target)
        if isinstance(verdict, Ends):
            target = target or target_seconds_for(open_us)
            assert (open_us + 500_000) // SECOND <= target
            open_us = 0
        open_us += length_us


@given(durations=st.lists(lengths, max_size=40), target=st.integers(2, 6), span_us=lengths)
def test_the_list_holds_three_target_durations_or_everything(durations: list[int], target: int, span_us: int) -> None:
    first = listed_from(durations, target, span_us)
    assert first == 0 or sum(durations[first:]) >= max(3 * target * SECOND, span_us)


@given(durations=st.lists(lengths, min_size=1, max_size=40), target=st.integers(2, 6), span_us=lengths)
def test_the_list_never_slides_back(durations: list[int], target: int, span_us: int) -> None:
    assert listed_from(durations[:-1], target, span_us) <= listed_from(durations, target, span_us)


@given(ended_us=lengths, step_us=st.integers(-SECOND, SECOND))
def test_small_steps_are_no_holes(ended_us: int, step_us: int) -> None:
    assert not is_hole(ended_us, ended_us + step_us)
    assert is_hole(ended_us, ended_us + SECOND + 1)

"""The life of a segment, and what a moment says about it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.segments.rules import (
    NEXT,
    Span,
    State,
    StepNotAllowed,
    destroy_from_us,
    readable_from_us,
    step,
)
from tests.given.promised import is_readable

_times = st.integers(0, 4_000_000_000_000_000)
_keeps = st.integers(10_000_000, 366 * 86_400_000_000)


@given(st.lists(st.sampled_from(State), max_size=8))
def test_what_is_erased_never_comes_back(wishes: list[State]) -> None:
    now = State.WRITING
    seen = [now]
    for wish in wishes:
        if wish in NEXT[now]:
            now = step(now, wish)
            seen.append(now)
        else:
            with pytest.raises(StepNotAllowed):
                step(now, wish)
    gone = [State.ERASING, State.ERASED]
    first = next((at for at, state in enumerate(seen) if state in gone), len(seen))
    assert all(state in gone for state in seen[first:])


@given(_times, _keeps)
def test_a_picture_is_readable_until_its_second_of_expiry_and_not_in_it(captured: int, keep: int) -> None:
    assert readable_from_us(keep, captured + keep - 1) == captured
    assert readable_from_us(keep, captured + keep) > captured


@given(_times, _keeps, _times)
def test_the_first_readable_moment_agrees_with_every_picture(captured: int, keep: int, now: int) -> None:
    assert is_readable(captured, keep, now) == (captured >= readable_from_us(keep, now))


@given(_times, _keeps, st.lists(st.integers(0, 60_000_000), min_size=1, max_size=20))
def test_nothing_is_destroyed_while_one_of_its_pictures_is_readable(start: int, keep: int, offsets: list[int]) -> None:
    pictures = [start + offset for offset in offsets]
    earliest = destroy_from_us(max(pictures), keep)
    assert not any(is_readable(picture, keep, earliest) for picture in pictures)
    assert is_readable(max(pictures), keep, earliest - 1)


@given(_times, st.integers(1, 10**12), _times, st.integers(1, 10**12))
def test_two_spans_overlap_exactly_when_they_share_a_moment(a: int, la: int, b: int, lb: int) -> None:
    one, other = Span(a, a + la), Span(b, b + lb)
    assert one.overlaps(other) == (max(a, b) < min(a + la, b + lb))
    assert one.overlaps(other) == other.overlaps(one)


@given(_times, st.integers(0, 10**9))
def test_a_span_never_runs_backward(start: int, back: int) -> None:
    with pytest.raises(ValueError, match="forward"):
        Span(start, start - back)

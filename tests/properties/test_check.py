"""Accounting for time: nothing is counted twice, nothing falls between, and whoever is accused has done it."""

import itertools
from dataclasses import replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from archive.check.rules import (
    SECOND_US,
    Depth,
    Kind,
    Row,
    both,
    joined,
    judge_bytes,
    judge_name,
    judge_opt_in,
    judge_time,
    length_us,
    overlapping,
    unaccounted,
    without,
)
from archive.segments.rules import LONGEST_FILE_US, Place, Span, State
from vms_privacy.ids import BucketKeyId, CameraId, ConsentEntryId, SegmentId

_spans = st.lists(st.builds(lambda start, length: Span(start, start + length), st.integers(0, 60), st.integers(1, 20)))
ROW = Row(
    id=SegmentId(UUID(int=1)),
    camera_id=CameraId(UUID(int=2)),
    consent_entry_id=ConsentEntryId(UUID(int=3)),
    state=State.STORED,
    place=Place.STORE,
    blob_name="A" * 22,
    starts_us=10**15,
    ends_us=10**15 + 60_000_000,
    keep_us=10**9,
    destroy_from_us=10**15 + 60_000_000 + 10**9,
    size_bytes=1000,
    chunk_size=4096,
    bucket_key_id=BucketKeyId(UUID(int=4)),
    salt=bytes(32),
    last_tag=bytes(range(16)),
    is_proven=False,
)
_rows = st.builds(
    lambda state, place, size: replace(ROW, state=state, place=place, size_bytes=size),
    st.sampled_from(State),
    st.sampled_from(Place),
    st.integers(0, 5),
)
_sizes = st.none() | st.integers(0, 5)


def _moments(spans: list[Span]) -> set[int]:
    return {moment for span in spans for moment in range(span.from_us, span.until_us)}


@given(_spans)
def test_joining_changes_no_moment_and_leaves_no_neighbours(spans: list[Span]) -> None:
    found = joined(spans)
    assert _moments(found) == _moments(spans)
    assert all(one.until_us < other.from_us for one, other in itertools.pairwise(found))


@given(_spans, _spans)
def test_what_is_left_is_exactly_what_was_not_taken(whole: list[Span], taken: list[Span]) -> None:
    left = without(whole, taken)
    assert _moments(left) == _moments(whole) - _moments(taken)
    assert left == joined(left)


@given(_spans, _spans)
def test_what_is_in_both_is_exactly_that(one: list[Span], other: list[Span]) -> None:
    assert _moments(both(one, other)) == _moments(one) & _moments(other)


@given(_spans, _spans, _spans)
def test_every_moment_of_an_opt_in_is_counted_once(whole: list[Span], footage: list[Span], gaps: list[Span]) -> None:
    rest = without(whole, footage)
    counted = length_us(both(whole, footage)) + length_us(both(rest, gaps)) + length_us(without(rest, gaps))
    assert counted == length_us(joined(whole)) == len(_moments(whole))


@given(_spans, _spans)
def test_unaccounted_and_accounted_time_together_are_all_of_the_opt_in_but_for_less_than_a_second(
    whole: list[Span], told: list[Span]
) -> None:
    scale = SECOND_US // 4
    larger = [Span(one.from_us * scale, one.until_us * scale) for one in whole]
    told_of = [Span(one.from_us * scale, one.until_us * scale) for one in told]
    found = unaccounted(larger, told_of)
    small = [one for one in without(larger, told_of) if one not in found]
    assert all(one.until_us - one.from_us < SECOND_US for one in small)
    assert length_us(found) + length_us(small) + length_us(both(larger, told_of)) == length_us(joined(larger))


@given(_spans, _spans)
def test_nothing_outside_of_an_opt_in_and_nothing_told_of_is_ever_unaccounted(
    whole: list[Span], told: list[Span]
) -> None:
    found = _moments(unaccounted(whole, told))
    assert found <= _moments(whole)
    assert not found & _moments(told)


@given(_spans)
def test_segments_overlap_exactly_where_a_moment_is_in_two_of_them(spans: list[Span]) -> None:
    rows = [(SegmentId(UUID(int=at)), span) for at, span in enumerate(sorted(spans, key=lambda one: one.from_us))]
    assert bool(overlapping(rows)) == (len(_moments(spans)) < sum(one.until_us - one.from_us for one in spans))


@given(_rows, _sizes, _sizes)
def test_a_segment_is_lost_only_if_nobody_has_it_where_it_is_read(
    row: Row, spooled: int | None, stored: int | None
) -> None:
    if judge_bytes(row, spooled, stored) is Kind.LOST:
        assert row.state in {State.WRITING, State.STORED}
        assert stored is None
        assert spooled is None or row.place is Place.STORE


@given(_rows, _sizes, _sizes)
def test_bytes_of_the_right_size_in_their_place_are_never_accused(
    row: Row, spooled: int | None, stored: int | None
) -> None:
    in_place = stored if row.place is Place.STORE else spooled
    if in_place == row.size_bytes and row.state is State.STORED:
        assert judge_bytes(row, spooled, stored) is None


@given(_rows, _sizes, _sizes)
def test_a_file_is_misplaced_exactly_if_it_is_whole_in_the_other_place_alone(
    row: Row, spooled: int | None, stored: int | None
) -> None:
    here, elsewhere = (stored, spooled) if row.place is Place.STORE else (spooled, stored)
    is_elsewhere = row.state is State.STORED and here is None and elsewhere == row.size_bytes
    assert (judge_bytes(row, spooled, stored) is Kind.MISPLACED) == is_elsewhere


@given(_rows, _sizes, _sizes)
def test_who_looks_for_presence_alone_accuses_nobody_of_a_size(
    row: Row, spooled: int | None, stored: int | None
) -> None:
    kind = judge_bytes(row, spooled, stored, Depth.PRESENCE)
    assert kind is not Kind.WRONG_SIZE
    assert (kind is Kind.LOST) <= (spooled is None and stored is None)


@given(_rows | st.none(), st.booleans(), _sizes)
def test_a_file_is_a_stranger_exactly_if_no_row_knows_it(row: Row | None, in_spool: bool, size: int | None) -> None:
    kind = judge_name(row, in_spool=in_spool, size=size)
    assert (kind is Kind.STRANGER) == (row is None and size is not None)
    assert (kind is Kind.UNDEAD) == (row is not None and row.state is State.ERASED and size is not None)


@given(st.integers(0, 10**16), st.integers(1, 10**10), st.booleans() | st.none())
def test_nothing_is_overdue_before_a_sweep_could_have_taken_it(now: int, sweep: int, growing: bool | None) -> None:
    assert ROW.destroy_from_us is not None
    if judge_time(ROW, now, sweep, is_growing=growing) is Kind.OVERDUE:
        assert now > ROW.destroy_from_us + sweep


@given(st.integers(0, 10**16), st.booleans() | st.none())
def test_a_segment_that_somebody_writes_is_never_stuck(now: int, growing: bool | None) -> None:
    row = replace(ROW, state=State.WRITING, ends_us=None, destroy_from_us=None)
    kind = judge_time(row, now, SECOND_US, is_growing=growing)
    if kind is Kind.STUCK:
        assert growing is not True
        assert growing is False or now > row.starts_us + LONGEST_FILE_US


@given(st.integers(-(10**8), 10**8), st.integers(1, 10**8))
def test_footage_outside_of_the_opt_in_it_rests_on_is_always_named(early: int, length: int) -> None:
    opt_in = Span(ROW.starts_us + early, ROW.starts_us + early + length)
    assert ROW.ends_us is not None
    inside = opt_in.from_us <= ROW.starts_us < opt_in.until_us and ROW.ends_us <= opt_in.until_us + SECOND_US
    assert (judge_opt_in(ROW, opt_in) is None) == inside
    assert judge_opt_in(ROW, None) is Kind.WITHOUT_OPT_IN

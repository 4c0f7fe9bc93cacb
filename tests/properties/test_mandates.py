"""Mandates, as rules: what goes is all that was asked for, and what is kept can be decoded and touches none of it."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from archive.format.index import FragmentEntry
from archive.mandates.rules import LONGEST_US, cut_of, first_us, flaw_of, lies_within, touches, young_after_us
from archive.orders.rules import FOREVER_US, Ordered
from archive.segments.rules import Span
from streams.media.packets import Track

STARTS_US = 1_000
_NOW_US = int(datetime(2030, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
_spans = st.builds(lambda since, length: Span(since, since + length), st.integers(0, 2_500), st.integers(1, 1_500))


@st.composite
def _files(draw: st.DrawFn) -> tuple[FragmentEntry, ...]:
    """A file as the recorder writes it: pictures one after the other, sound around them, a key picture first."""
    entries: list[FragmentEntry] = []
    at, offset = STARTS_US, 100
    for number in range(draw(st.integers(1, 12))):
        until = at + draw(st.integers(1, 200))
        is_key = number == 0 or draw(st.booleans())
        entries.append(FragmentEntry(Track.VIDEO, at, until, offset, 10, is_key, at, until - at))
        offset += 10
        if draw(st.booleans()):
            heard = max(at + draw(st.integers(-50, 50)), 0)
            ends = heard + draw(st.integers(0, 100))
            entries.append(FragmentEntry(Track.AUDIO, heard, ends, offset, 5, True, heard, ends - heard))
            offset += 5
        at = until
    return tuple(entries)


def _ends(entries: tuple[FragmentEntry, ...]) -> int:
    return max(one.captured_until_us for one in entries if one.track is Track.VIDEO)


@given(_files(), _spans)
def test_nothing_that_is_kept_touches_what_was_asked_for(entries: tuple[FragmentEntry, ...], asked: Span) -> None:
    cut = cut_of(entries, STARTS_US, _ends(entries), asked)
    kept = range(0) if cut is None else [at for part in cut.kept for at in part.places]
    touched = [at for at, one in enumerate(entries) if touches(one, asked)]
    assert (cut is None) == (touched == [])
    assert not set(kept) & set(touched)


@given(_files(), _spans)
def test_what_is_kept_begins_with_a_key_picture_and_is_an_unbroken_run(
    entries: tuple[FragmentEntry, ...], asked: Span
) -> None:
    cut = cut_of(entries, STARTS_US, _ends(entries), asked)
    if cut is None:
        return
    if cut.head is not None:
        assert cut.head.places.start == 0
    if cut.tail is not None:
        first = entries[cut.tail.places.start]
        assert (first.track, first.starts_with_key) == (Track.VIDEO, True)
        assert cut.tail.places.stop == len(entries)
        assert cut.head is None or cut.head.places.stop <= cut.tail.places.start


@given(_files(), _spans)
def test_the_times_of_what_goes_and_of_what_is_kept_are_those_of_the_segment_without_hole_or_overlap(
    entries: tuple[FragmentEntry, ...], asked: Span
) -> None:
    ends_us = _ends(entries)
    cut = cut_of(entries, STARTS_US, ends_us, asked)
    if cut is None:
        return
    pieces = [*([(cut.head.starts_us, cut.head.ends_us)] if cut.head else []), (cut.gone.from_us, cut.gone.until_us)]
    pieces += [(cut.tail.starts_us, cut.tail.ends_us)] if cut.tail else []
    assert (pieces[0][0], pieces[-1][1]) == (STARTS_US, ends_us)
    assert all(one[1] == other[0] for one, other in pairwise(pieces))
    assert all(since < until for since, until in pieces)
    for part in cut.kept:
        assert part.last_us <= max(max(one.captured_until_us, one.captured_from_us + 1) for one in entries)


@given(_files(), _spans)
def test_no_more_goes_than_the_next_key_picture_makes_necessary(
    entries: tuple[FragmentEntry, ...], asked: Span
) -> None:
    """Every whole fragment before the stretch stays, and every group of pictures behind it that sound leaves alone."""
    cut = cut_of(entries, STARTS_US, _ends(entries), asked)
    if cut is None:
        return
    kept = {at for part in cut.kept for at in part.places}
    pictures = [at for at, one in enumerate(entries) if one.track is Track.VIDEO]
    before = [at for at in pictures if all(one.captured_until_us < asked.from_us for one in entries[: at + 1])]
    if before and cut.head is not None:
        assert set(before) <= kept
    late = [at for at in pictures if entries[at].starts_with_key]
    late = [at for at in late if all(one.captured_from_us >= asked.until_us for one in entries[at:])]
    if late and late[0] > 0:
        assert set(range(late[0], len(entries))) <= kept


@given(_files(), _spans)
def test_what_the_row_says_lies_within_is_cut_to_nothing(entries: tuple[FragmentEntry, ...], asked: Span) -> None:
    tracks = "+".join(sorted({one.track for one in entries}, reverse=True))
    last_us = max(max(one.captured_until_us, one.captured_from_us + 1) for one in entries)
    if lies_within(STARTS_US, last_us, tracks, asked):
        cut = cut_of(entries, STARTS_US, _ends(entries), asked)
        assert cut is not None
        assert cut.kept == ()
    assert first_us(STARTS_US, "video") == STARTS_US


@given(st.integers(-10, 2**61), st.integers(-10, 2**61), st.text(max_size=3), st.text(max_size=20))
def test_a_mandate_is_refused_unless_it_runs_forward_over_what_is_past_and_says_why(
    from_us: int, until_us: int, reference: str, reason: str
) -> None:
    flaw = flaw_of(from_us, until_us, reference, reason, _NOW_US)
    is_good = 0 <= from_us < until_us <= _NOW_US and until_us - from_us <= LONGEST_US
    assert (flaw is None) == (is_good and bool(reference.strip()) and len(reason.strip()) >= 10)


@given(st.integers(1, 2**50), st.integers(0, 2**40))
def test_a_minimum_keeps_what_is_younger_and_without_one_nothing_is_too_young(now_us: int, at_least_us: int) -> None:
    assert young_after_us(now_us, at_least_us) == (now_us - at_least_us if at_least_us else FOREVER_US)


@given(_spans, st.lists(_spans, max_size=3), st.lists(_spans, max_size=3), st.integers(0, 3_000), st.integers(0, 4_000))
def test_what_is_to_be_destroyed_is_read_by_people_of_a_case_alone(
    stretch: Span, gone: list[Span], opened: list[Span], kept_from_us: int, moment: int
) -> None:
    rules = Ordered((), tuple(opened), tuple(gone))
    left = rules.leaves(stretch.from_us, stretch.until_us, kept_from_us)
    is_there = moment >= kept_from_us and not any(one.from_us <= moment < one.until_us for one in gone)
    is_opened = any(one.from_us <= moment < one.until_us for one in opened)
    expected = stretch.from_us <= moment < stretch.until_us and (is_there or is_opened)
    assert any(one.from_us <= moment < one.until_us for one in left) == expected


def test_a_year_and_a_leap_day_is_the_longest() -> None:
    year_us = timedelta(days=366) // timedelta(microseconds=1)
    assert flaw_of(_NOW_US - year_us, _NOW_US, "1", "it was asked for", _NOW_US) is None
    flaw = flaw_of(_NOW_US - year_us - 1, _NOW_US, "1", "it was asked for", _NOW_US)
    assert flaw is not None
    assert flaw.rule == "too-long"

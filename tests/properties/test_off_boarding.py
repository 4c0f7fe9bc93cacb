"""Off-boarding: what is to be destroyed is all there is, no step is out of turn, and the journal's last word counts."""

from datetime import timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from archive.mandates.rules import LONGEST_US, lies_within
from archive.segments.rules import LONGEST_FILE_US, Span
from tests.given.clock import NOON
from vms_privacy.ids import CameraId, OffBoardingId, OperatorId
from vms_privacy.off_boarding.rules import (
    Confirmation,
    JournalAct,
    Left,
    OffBoarding,
    Step,
    Told,
    WaitsFor,
    may_begin,
    may_change,
    may_confirm,
    stretches,
    to_destroy,
    told_by,
    waits_for,
)

_YEAR_US = 366 * 86_400_000_000
_MOMENTS = st.integers(0, 20 * _YEAR_US)
_OPERATOR = OperatorId(UUID(int=1))


@given(since=_MOMENTS, length=st.integers(1, 12 * _YEAR_US))
def test_stretches_cover_all_of_a_time_and_none_is_longer_than_a_mandate_may_be(since: int, length: int) -> None:
    found = stretches(since, since + length)
    assert (found[0].from_us, found[-1].until_us) == (since, since + length)
    assert all(one.until_us - one.from_us <= LONGEST_US for one in found)
    for one, after in pairwise(found):
        assert one.from_us < after.from_us < one.until_us < after.until_us


@given(
    since=_MOMENTS,
    length=st.integers(1, 4 * _YEAR_US),
    data=st.data(),
    tracks=st.sampled_from(["video", "video+audio"]),
    behind_us=st.integers(0, _YEAR_US),
)
def test_every_file_lies_whole_in_one_stretch_so_none_is_cut(
    since: int, length: int, data: st.DataObject, tracks: str, behind_us: int
) -> None:
    """Also where the clock for destroying is behind what was recorded."""
    camera = CameraId(UUID(int=7))
    starts_us = data.draw(st.integers(since, since + length - 1))
    last_us = min(since + length, starts_us + data.draw(st.integers(1, LONGEST_FILE_US)))
    wanted = to_destroy({camera: Span(since, since + length)}, max(0, since + length - behind_us))
    assert list(wanted) == [camera]
    if starts_us >= 20_000_000:
        assert any(lies_within(starts_us, last_us, tracks, one) for one in wanted[camera])


@given(reach=st.dictionaries(st.integers(1, 50), st.tuples(_MOMENTS, st.integers(1, _YEAR_US))), now_us=_MOMENTS)
def test_no_camera_that_has_something_is_forgotten(reach: dict[int, tuple[int, int]], now_us: int) -> None:
    spans = {CameraId(UUID(int=one)): Span(since, since + length) for one, (since, length) in reach.items()}
    wanted = to_destroy(spans, now_us)
    assert set(wanted) == set(spans)
    for camera, span in spans.items():
        assert wanted[camera][0].from_us <= span.from_us
        assert wanted[camera][-1].until_us > span.until_us


def _off_boarding(step: Step, *, taken_back: bool = False) -> OffBoarding:
    confirmed = Confirmation(None, "d", "person:1", "person:2", NOON) if step > Step.BEGUN else None
    return OffBoarding(
        OffBoardingId(UUID(int=3)),
        _OPERATOR,
        "person:1",
        "person:2",
        NOON,
        step,
        confirmed,
        NOON if taken_back else None,
        "person:1" if taken_back else "",
        NOON if step is Step.CLOSED else None,
    )


_PRESENT = (
    st.none() | st.builds(_off_boarding, st.sampled_from(Step)) | st.just(_off_boarding(Step.BEGUN, taken_back=True))
)


@given(present=_PRESENT)
def test_it_begins_only_where_none_is_and_changes_only_between_beginning_and_confirmation(
    present: OffBoarding | None,
) -> None:
    is_there = present is not None and present.taken_back_at is None
    assert (may_begin(present) is None) == (not is_there)
    changes = is_there and present is not None and present.step is Step.BEGUN
    assert (may_change(present) is None) == changes
    assert not (may_begin(present) is None and may_change(present) is None)


@given(
    signed=st.none() | st.sampled_from(["a", "b"]),
    named=st.sampled_from(["a", "b"]),
    unlisted=st.integers(0, 3),
    growing=st.integers(0, 3),
)
def test_only_the_newest_signed_manifest_that_lists_everything_is_confirmed(
    signed: str | None, named: str, unlisted: int, growing: int
) -> None:
    allowed = may_confirm(signed, named, unlisted, growing) is None
    assert allowed == (signed == named and not unlisted and not growing)


_LEFT = st.builds(Left, *(st.integers(0, 2) for _ in range(6)))


@given(
    present=st.builds(_off_boarding, st.sampled_from(Step)),
    left=_LEFT,
    requests=st.integers(0, 2),
    signed=st.booleans(),
)
def test_whatever_is_not_at_its_end_waits_for_something(
    present: OffBoarding,
    left: Left,
    requests: int,
    signed: bool,
) -> None:
    found = waits_for(present, left, requests, has_manifest=signed)
    assert (found is None) == (present.step is Step.CLOSED)
    if found is WaitsFor.ORDERS:
        assert left.kept_by_orders
    if present.step is Step.CAMERAS_REMOVED:
        assert (found is WaitsFor.WORKER) == left.is_nothing


_TOLD = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 2), st.sampled_from(JournalAct)), max_size=12)


@given(told=_TOLD)
def test_the_last_word_of_the_journal_counts_and_one_off_boarding_of_an_operator_at_most_stands(
    told: list[tuple[int, int, JournalAct]],
) -> None:
    entries = [
        Told(
            # An id is one operator's.
            OffBoardingId(UUID(int=10 * operator + one)),
            OperatorId(UUID(int=operator)),
            act,
            NOON + timedelta(seconds=number),
            number,
            "d" if act is JournalAct.CONFIRMED else "",
        )
        for number, (one, operator, act) in enumerate(told, 1)
    ]
    found = {one.id: one for one in told_by(entries)}
    assert set(found) == {one.id for one in entries}
    for operator_id in {one.operator_id for one in entries}:
        began = [one.id for one in dict.fromkeys(entries) if one.operator_id == operator_id]
        newest = list(dict.fromkeys(began))[-1]
        last = next(one for one in reversed(entries) if one.id == newest)
        assert (found[newest].act, found[newest].number) == (last.act, last.number)
        if any(one.act is JournalAct.CONFIRMED for one in entries if one.id == newest):
            assert found[newest].digest == "d"

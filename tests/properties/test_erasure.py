"""How erasures are tried again, and in which order."""

from datetime import timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from archive.erasure.rules import (
    FIRST_RETRY,
    LAST_RETRY,
    MOST_REWRAPPED,
    MOST_TOGETHER,
    DebtPart,
    Step,
    by_camera,
    in_turns,
    portions,
    retry_after,
    total,
)
from archive.segments.rules import Place, Segment, State
from vms_privacy.ids import BucketKeyId, CameraId, OperatorId, SegmentId


def _segment(number: int, operator: int) -> Segment:
    return Segment(
        id=SegmentId(UUID(int=number)),
        operator_id=OperatorId(UUID(int=operator)),
        camera_id=CameraId(UUID(int=operator)),
        state=State.STORED,
        place=Place.STORE,
        starts_us=number,
        ends_us=number + 1,
        keep_us=1,
        run="run",
        epoch=1,
        blob_name="A" * 22,
        size_bytes=1,
    )


_due = st.lists(st.integers(1, 4), max_size=60).map(
    lambda owners: [_segment(number, owner) for number, owner in enumerate(owners)]
)


@given(st.integers(-5, 10_000))
def test_a_failed_erasure_is_always_tried_again_and_never_at_once(attempts: int) -> None:
    pause = retry_after(attempts)
    assert FIRST_RETRY <= pause <= LAST_RETRY


@given(st.integers(1, 100))
def test_pauses_never_get_shorter(attempts: int) -> None:
    assert retry_after(attempts) <= retry_after(attempts + 1) <= retry_after(attempts) * 2 + timedelta(0)


@given(_due, st.integers(1, 20))
def test_everything_due_is_taken_once_and_no_batch_mixes_operators(due: list[Segment], most: int) -> None:
    batches = list(in_turns(due, most))
    assert sorted(one.id for batch in batches for one in batch) == sorted(one.id for one in due)
    assert all(0 < len(batch) <= most for batch in batches)
    assert all(len({one.operator_id for one in batch}) == 1 for batch in batches)


@given(_due, st.integers(1, 20))
def test_of_one_operator_the_longest_overdue_goes_first(due: list[Segment], most: int) -> None:
    for operator in {one.operator_id for one in due}:
        order = [one.starts_us for batch in in_turns(due, most) for one in batch if one.operator_id == operator]
        assert order == sorted(order)


@given(_due, st.integers(1, 20))
def test_no_operator_waits_while_another_has_two_turns(due: list[Segment], most: int) -> None:
    turns = [batch[0].operator_id for batch in in_turns(due, most)]
    for operator in set(turns):
        places = [at for at, one in enumerate(turns) if one == operator]
        for one, other in pairwise([-1, *places]):
            between = turns[one + 1 : other]
            assert len(between) == len(set(between))


def test_the_steps_are_numbered_without_a_hole() -> None:
    assert [int(step) for step in Step] == list(range(Step.PART_NAMED, Step.DONE + 1))


_parts = st.lists(
    st.builds(
        DebtPart,
        camera_id=st.integers(1, 4).map(lambda number: CameraId(UUID(int=number))),
        reason=st.sampled_from(["still-open", "store-unavailable", "not-begun"]),
        segments=st.integers(1, 1000),
        size_bytes=st.integers(0, 10**12),
        oldest_overdue_us=st.integers(0, 10**15),
        attempts=st.integers(0, 50),
    ),
    max_size=12,
)


@given(_parts)
def test_a_debt_is_the_sum_of_its_cameras_shares_and_nothing_is_left_out_or_told_twice(parts: list[DebtPart]) -> None:
    whole, shares = total(parts), by_camera(parts)
    assert whole.segments == sum(share.segments for share in shares.values()) == sum(one.segments for one in parts)
    assert whole.size_bytes == sum(share.size_bytes for share in shares.values())
    assert set(whole.reasons) == {reason for share in shares.values() for reason in share.reasons}
    assert len(set(whole.reasons)) == len(whole.reasons)
    assert set(shares) == {part.camera_id for part in parts}
    assert whole.is_clear == (parts == [])


@given(_parts)
def test_the_worst_of_a_debt_is_what_failed_most_and_is_overdue_the_longest(parts: list[DebtPart]) -> None:
    whole = total(parts)
    assert whole.attempts == max((part.attempts for part in parts), default=0)
    assert whole.oldest_overdue_us == min((part.oldest_overdue_us for part in parts), default=None)
    assert (
        whole.reason == ""
        if not parts
        else (whole.reason, whole.attempts) in {(part.reason, part.attempts) for part in parts}
    )
    oldest = [share.oldest_overdue_us for share in by_camera(parts).values()]
    assert oldest == sorted(moment for moment in oldest if moment is not None)


@given(_parts)
def test_a_debt_is_the_same_in_whatever_order_it_was_read(parts: list[DebtPart]) -> None:
    assert total(parts) == total(parts[::-1])
    assert list(by_camera(parts)) == list(by_camera(parts[::-1]))


@given(st.lists(st.integers(0, MOST_REWRAPPED + 50), max_size=250))
def test_every_bucket_key_is_in_one_portion_and_none_makes_a_recorder_wait_for_more_than_its_share(
    survivors: list[int],
) -> None:
    counts = {BucketKeyId(UUID(int=number)): count for number, count in enumerate(survivors)}
    found = list(portions(list(counts), {key: count for key, count in counts.items() if count}))
    assert [one for portion in found for one in portion] == list(counts)
    for portion in found:
        assert 1 <= len(portion) <= MOST_TOGETHER
        assert len(portion) == 1 or sum(counts[one] for one in portion) <= MOST_REWRAPPED

"""How erasures are tried again, and in which order."""

from datetime import timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from archive.erasure.rules import FIRST_RETRY, LAST_RETRY, Step, in_turns, retry_after
from archive.segments.rules import Place, Segment, State
from vms_privacy.ids import CameraId, OperatorId, SegmentId


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
    assert [int(step) for step in Step] == list(range(1, len(Step) + 1))

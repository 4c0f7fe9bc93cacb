from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.media.boxes import DamagedBox
from streams.media.fragments import (
    fragment_info,
    renumber,
    samples_of,
    set_sample_description,
    shift_decode_time,
    with_parameter_sets,
)
from streams.media.packets import Track
from tests.given.encoded import encoded
from tests.given.fragmented import decoded, fragments_of, probed, stamps

STREAM = encoded(bframes=2)
FRAGMENTS = [fragment.data for fragment in fragments_of(STREAM.epoch(), STREAM.packets)]
ONE = FRAGMENTS[1]


def test_a_later_fragment_has_all_its_times_later_and_its_bytes_untouched() -> None:
    later = shift_decode_time(ONE, 2**40)
    for before, after in zip(samples_of(ONE), samples_of(later), strict=True):
        assert (after.dts - before.dts, after.pts - before.pts) == (2**40, 2**40)
        assert later[after.start : after.end] == ONE[before.start : before.end]


def test_a_fragment_can_move_to_zero_and_no_further() -> None:
    begins = fragment_info(ONE).decode_time
    assert fragment_info(shift_decode_time(ONE, -begins)).decode_time == 0
    with pytest.raises(ValueError):
        shift_decode_time(ONE, -begins - 1)


def test_numbers_change_and_nothing_else_does() -> None:
    assert renumber(renumber(ONE, 77), fragment_info(ONE).sequence) == ONE
    assert fragment_info(renumber(ONE, 2**32 + 5)).sequence == 5
    assert fragment_info(set_sample_description(ONE, 3)).sample_description == 3
    assert set_sample_description(set_sample_description(ONE, 3), 1) == ONE
    with pytest.raises(ValueError):
        set_sample_description(ONE, 0)


def test_parameter_sets_stand_before_the_first_packet_and_belong_to_it() -> None:
    changed = with_parameter_sets(ONE, b"sets")
    before, after = list(samples_of(ONE)), list(samples_of(changed))
    assert changed[after[0].start : after[0].end] == b"sets" + ONE[before[0].start : before[0].end]
    for old, new in zip(before[1:], after[1:], strict=True):
        assert changed[new.start : new.end] == ONE[old.start : old.end]
    assert fragment_info(changed) == fragment_info(ONE)


@pytest.mark.needs("ffprobe")
@pytest.mark.needs("ffmpeg")
def test_two_epochs_become_one_file_by_shifting_the_second(tmp_path: Path) -> None:
    ends = fragment_info(FRAGMENTS[-1])
    delta = ends.decode_time + ends.duration
    again = [renumber(shift_decode_time(one, delta), 1000 + at) for at, one in enumerate(FRAGMENTS)]
    file = tmp_path / "twice.mp4"
    file.write_bytes(b"".join((STREAM.inits[frozenset({Track.VIDEO})], *FRAGMENTS, *again)))
    once = stamps(STREAM.packets)
    assert probed(file)["video"] == once + [(dts + delta, pts + delta) for dts, pts in once]
    assert len(decoded(file)) == 2 * len(once)


@pytest.mark.parametrize("at", [4, 12, 28, 36, 56, 76])
def test_something_else_than_a_fragment_of_ours_is_refused(at: int) -> None:
    other = ONE[:at] + b"xxxx" + ONE[at + 4 :]
    for act in (
        fragment_info,
        lambda data: list(samples_of(data)),
        lambda data: shift_decode_time(data, 1),
        lambda data: renumber(data, 1),
        lambda data: set_sample_description(data, 2),
    ):
        with pytest.raises(DamagedBox):
            act(other)


@pytest.mark.parametrize("cut", [0, 50, 91, 92, 200, len(ONE) - 1])
def test_a_fragment_that_is_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(DamagedBox):
        fragment_info(ONE[:cut])


def test_packets_that_do_not_fill_the_fragment_are_refused() -> None:
    wrong = bytearray(ONE)
    wrong[96:100] = (7).to_bytes(4, "big")
    with pytest.raises(DamagedBox):
        list(samples_of(bytes(wrong)))


@given(at=st.integers(0, 91), value=st.integers(0, 255))
def test_a_changed_head_is_read_within_bounds_or_refused(at: int, value: int) -> None:
    changed = bytearray(ONE)
    changed[at] = value
    try:
        found = list(samples_of(bytes(changed)))
    except DamagedBox:
        return
    assert found[-1].end == len(ONE)

"""Stamps: whatever a camera sends, decode times rise, nothing is dropped, and what was right stays as it was."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streams.media.captured import CapturedTimes
from streams.media.packets import Track
from streams.media.stamps import DecodeOrder, Stamped, Unroller

CLOCK = 90_000
STEP = 3600
STEP_US = 40_000
anything = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2_000_000)), min_size=1, max_size=60)


def ordered(depth: int, stamps: list[int]) -> list[Stamped[int]]:
    order: DecodeOrder[int] = DecodeOrder(depth, STEP)
    out = [one for number, pts in enumerate(stamps) for one in order.add(pts, number)]
    return out + order.flush()


@given(st.integers(0, 20), st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=60))
def test_decode_times_rise_strictly_and_are_never_after_the_presentation_time(depth: int, stamps: list[int]) -> None:
    out = ordered(depth, stamps)
    assert all(before.dts < after.dts for before, after in pairwise(out))
    assert all(one.dts <= one.pts for one in out)
    assert all(one.duration > 0 for one in out)


@given(st.integers(0, 20), st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=60))
def test_no_picture_is_dropped_least_of_all_the_first(depth: int, stamps: list[int]) -> None:
    assert [one.item for one in ordered(depth, stamps)] == list(range(len(stamps)))


@st.composite
def reordered(draw: st.DrawFn) -> tuple[int, list[int]]:
    """Presentation times in decoding order, as encoders make them: each group's last picture first."""
    depth = draw(st.integers(1, 2))
    groups = draw(st.lists(st.integers(0, 4 if depth == 2 else 1), min_size=1, max_size=20))
    shown, out = 1, [0]
    for between in groups:
        middle = list(range(shown, shown + between))
        if depth == 2 and len(middle) > 2:
            # A pyramid: the middle one first.
            half = len(middle) // 2
            middle = [middle[half], *middle[:half], *middle[half + 1 :]]
        out += [shown + between, *middle]
        shown += between + 1
    return depth, [number * STEP for number in out]


@given(reordered(), st.integers(0, 2**40))
def test_presentation_times_of_b_pictures_stay_as_they_are(made: tuple[int, list[int]], start: int) -> None:
    depth, stamps = made
    out = ordered(depth, [start + pts for pts in stamps])
    assert [one.pts for one in out] == [start + pts for pts in stamps]
    if len(stamps) > depth:
        assert [one.dts for one in out] == [start + (number - depth) * STEP for number in range(len(stamps))]


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 20 * CLOCK // 10), min_size=1, max_size=50))
def test_stamps_go_on_without_a_wrap(start: int, steps: list[int]) -> None:
    unroller = Unroller(CLOCK)
    arrived_us, total = 0, 0
    assert unroller.unroll(start, 0).ticks == 0
    for step in steps:
        total += step
        arrived_us += step * 1_000_000 // CLOCK
        unrolled = unroller.unroll((start + total) % 2**32, arrived_us)
        assert (unrolled.ticks, unrolled.jumped) == (total, False)


@given(anything)
def test_whatever_the_stamps_ticks_stay_near_the_time_that_passed(seen: list[tuple[int, int]]) -> None:
    unroller = Unroller(CLOCK)
    arrived_us = 0
    for rtp, waited_us in seen:
        arrived_us += waited_us
        ticks = unroller.unroll(rtp, arrived_us).ticks
        assert -len(seen) * 2 * CLOCK <= ticks <= (arrived_us // 1_000_000 + 11 * (len(seen) + 1)) * CLOCK


@given(st.integers(2, 50), st.integers(0, 2**32 - 1))
def test_a_camera_without_stamps_is_counted_on_by_arrival(count: int, rtp: int) -> None:
    unroller = Unroller(CLOCK)
    ticks = [unroller.unroll(rtp, number * STEP_US).ticks for number in range(count)]
    assert ticks == [number * STEP for number in range(count)]


@given(st.integers(10, 100), st.integers(2 * CLOCK, 2**31 - 1), st.booleans())
def test_a_jump_is_noticed_once_and_the_rhythm_goes_on(count: int, jump: int, back: bool) -> None:
    if not back and jump < 11 * CLOCK:
        jump += 11 * CLOCK
    unroller = Unroller(CLOCK)
    ticks, jumps = [], []
    for number in range(count):
        moved = (-jump if back else jump) if number >= count // 2 else 0
        unrolled = unroller.unroll((number * STEP + moved) % 2**32, number * STEP_US)
        ticks.append(unrolled.ticks)
        jumps.append(unrolled.jumped)
    assert jumps == [number == count // 2 for number in range(count)]
    assert ticks == [number * STEP for number in range(count)]


@st.composite
def deliveries(draw: st.DrawFn) -> list[list[tuple[Track, int, int]]]:
    """Batches of (track, stamp, arrival): stamps rise per track, arrivals rise over all."""
    arrived_us, batches = 1_900_000_000_000_000, []
    stamps = {Track.VIDEO: draw(st.integers(0, 100_000)), Track.AUDIO: draw(st.integers(0, 100_000))}
    for _ in range(draw(st.integers(1, 15))):
        arrived_us += draw(st.integers(0, 3_000_000))
        batch = []
        for _ in range(draw(st.integers(1, 5))):
            track = draw(st.sampled_from(Track))
            stamps[track] += draw(st.integers(1, 1_000_000))
            batch.append((track, stamps[track], arrived_us))
        batches.append(batch)
    return batches


def placed(batches: list[list[tuple[Track, int, int]]]) -> list[tuple[Track, int, int, int]]:
    times = CapturedTimes()
    out = []
    for batch in batches:
        times.expect(min(arrived_us - stamp_us for _, stamp_us, arrived_us in batch), batch[-1][1], batch[-1][2])
        for track, stamp_us, arrived_us in batch:
            captured_us, now_us = times.place(track, stamp_us, arrived_us)
            out.append((track, captured_us, now_us, arrived_us))
    return out


@given(deliveries())
def test_a_picture_is_captured_before_it_arrives_and_after_the_one_before(
    batches: list[list[tuple[Track, int, int]]],
) -> None:
    out = placed(batches)
    assert all(captured_us <= now_us for _, captured_us, now_us, _ in out)
    for track in Track:
        captured = [captured_us for one, captured_us, _, _ in out if one is track]
        assert all(before < after for before, after in pairwise(captured))


@given(deliveries())
def test_arrival_is_moved_by_microseconds_only_and_never_back(batches: list[list[tuple[Track, int, int]]]) -> None:
    out = placed(batches)
    assert all(0 <= now_us - arrived_us <= len(out) for _, _, now_us, arrived_us in out)


@given(deliveries(), st.integers(-5_000_000, 0))
def test_an_epoch_begins_after_the_one_before(batches: list[list[tuple[Track, int, int]]], before_us: int) -> None:
    floor_us = batches[0][0][2] + before_us
    times = CapturedTimes(floor_us)
    assert times.newest_us == floor_us
    for batch in batches:
        times.expect(min(arrived_us - stamp_us for _, stamp_us, arrived_us in batch), batch[-1][1], batch[-1][2])
        for track, stamp_us, arrived_us in batch:
            captured_us, now_us = times.place(track, stamp_us, arrived_us)
            assert floor_us < captured_us <= now_us
            assert captured_us <= times.newest_us


@given(st.lists(st.integers(0, 500_000), min_size=50, max_size=200))
def test_a_late_network_does_not_make_pictures_late(delays: list[int]) -> None:
    batches, last_us = [], 0
    for number, delay_us in enumerate([0, *delays]):
        # TCP: what was sent later cannot arrive earlier.
        last_us = max(last_us, 10**15 + number * STEP_US + delay_us)
        batches.append([(Track.VIDEO, number * STEP_US, last_us)])
    for number, (_, captured_us, _, _) in enumerate(placed(batches)):
        assert 0 <= captured_us - (10**15 + number * STEP_US) <= 50_000

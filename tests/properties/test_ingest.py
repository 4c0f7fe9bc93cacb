"""Reconnecting and listening: never too often, never for ever, and never half of anything."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streams.ingest.rules import NEEDS_A_PERSON, BackOff, try_again
from streams.ingest.subscription import Subscription, Wants
from streams.media.faults import Fault
from streams.media.lip_sync import Skew, TrackTimes, is_worth_a_new_epoch, skew_between
from streams.media.packets import Epoch, Packet, Track

BACK_OFF = BackOff()
faults = st.sampled_from(Fault)
chances = st.floats(0, 1, exclude_max=True)


@given(faults, st.integers(0, 10_000), st.booleans(), chances)
def test_a_camera_is_always_tried_again_within_the_longest_wait(
    fault: Fault, failures: int, was_well: bool, chance: float
) -> None:
    again = try_again(fault, failures, was_well, chance, BACK_OFF)
    longest = BACK_OFF.slow_longest if fault in NEEDS_A_PERSON else BACK_OFF.longest
    assert timedelta(0) < again.after <= longest
    assert again.why is fault


@given(faults, st.integers(0, 40), chances)
def test_waiting_never_grows_shorter_while_nothing_gets_better(fault: Fault, failures: int, chance: float) -> None:
    first = try_again(fault, failures, False, chance, BACK_OFF)
    assert try_again(fault, first.failures, False, chance, BACK_OFF).after >= first.after


@given(faults, st.integers(0, 100), chances)
def test_a_connection_that_was_well_begins_the_count_anew(fault: Fault, failures: int, chance: float) -> None:
    assert try_again(fault, failures, True, chance, BACK_OFF) == try_again(fault, 0, False, chance, BACK_OFF)


@given(st.integers(0, 100), chances)
def test_a_wrong_password_is_tried_far_less_often_than_a_lost_network(failures: int, chance: float) -> None:
    wrong = try_again(Fault.WRONG_PASSWORD, failures, False, chance, BACK_OFF)
    lost = try_again(Fault.UNREACHABLE, failures, False, chance, BACK_OFF)
    assert wrong.after >= 10 * lost.after or lost.after >= BACK_OFF.longest / 2


@st.composite
def pushes(draw: st.DrawFn) -> list[Epoch | Packet | None]:
    """What happens to a listener: epochs, packets, and None where it draws everything."""
    out: list[Epoch | Packet | None] = []
    numbers: Iterator[int] = iter(range(10_000))
    for epoch in range(1, draw(st.integers(1, 4)) + 1):
        out.append(Epoch(epoch, (), {}))
        for group in range(draw(st.integers(0, 4))):
            for picture in range(draw(st.integers(1, 6))):
                number = next(numbers)
                is_key = picture == 0 and (group == 0 or draw(st.booleans()))
                out.append(Packet(Track.VIDEO, number, number, 1, is_key, b"x" * draw(st.integers(1, 40)), 0, 0))
                if draw(st.integers(0, 4)) == 0:
                    out.append(None)
                if draw(st.integers(0, 3)) == 0:
                    number = next(numbers)
                    out.append(Packet(Track.AUDIO, number, number, 1, False, b"y", 0, 0))
    return out


@given(pushes(), st.integers(40, 200), st.integers(0, 10))
def test_a_listener_is_bounded_begins_at_key_pictures_and_everything_else_is_counted(
    happening: list[Epoch | Packet | None], most: int, joins_at: int
) -> None:
    subscription = Subscription("test", Wants.PACKETS, most, tells_loss=False, leave=lambda _: None)
    drawn: list[object] = []
    put: list[Packet] = []
    for number, thing in enumerate(happening):
        if number < joins_at:
            continue
        if thing is None:
            drawn += subscription.take(0)
        elif isinstance(thing, Epoch):
            subscription.begin(thing)
        else:
            put.append(thing)
            subscription.put(thing)
        assert subscription.queued_bytes <= most
    drawn += subscription.take(0)
    packets = [item for item in drawn if isinstance(item, Packet)]
    before_the_first_key = len(put) - subscription.dropped - len(packets)
    assert before_the_first_key >= 0
    assert packets == [packet for packet in put if packet in packets]
    for before, after in pairwise([None, *packets]):
        assert after is not None
        is_next = before is not None and put.index(after) == put.index(before) + 1
        follows_an_epoch = isinstance(drawn[drawn.index(after) - 1], Epoch)
        assert is_next or follows_an_epoch or (after.is_key and after.track is Track.VIDEO)


times = st.integers(-(10**15), 10**15)


def track(delay_us: int | None, wall_us: int | None) -> TrackTimes:
    made = TrackTimes()
    made.delay_us, made.wall_us = delay_us, wall_us
    return made


@given(times, times, times, times)
def test_reports_are_believed_unless_arrival_contradicts_them(a: int, b: int, c: int, d: int) -> None:
    skew = skew_between(track(a, c), track(b, d))
    assert skew is not None
    assert skew.is_exact == (abs((d - c) - (b - a)) <= 3_000_000)
    assert skew.us == ((d - c) if skew.is_exact else (b - a))


@given(times)
def test_nothing_is_known_before_both_tracks_came(a: int) -> None:
    assert skew_between(track(a, None), track(None, None)) is None
    assert skew_between(track(None, a), track(a, a)) is None


@given(times, times, st.booleans(), st.integers(0, 10**9))
def test_sound_is_moved_only_for_what_people_notice_and_not_over_and_over(
    used_us: int, known_us: int, was_exact: bool, since_us: int
) -> None:
    used, known = Skew(used_us, was_exact), Skew(known_us, is_exact=True)
    if is_worth_a_new_epoch(used, known, since_us):
        assert abs(used_us - known_us) > 100_000
        assert not was_exact or since_us > 30_000_000
    assert not is_worth_a_new_epoch(known, known, since_us)
    assert not is_worth_a_new_epoch(known, Skew(used_us, is_exact=False), since_us)

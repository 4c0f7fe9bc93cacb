"""A slow viewer loses pictures, never the ability to decode the next one it gets."""

from hypothesis import given
from hypothesis import strategies as st

from streams.media.packets import Track
from streams.rtsp.rules import Pace, Send
from tests.given.rtsp_sources import picture, sound

MOST = 1000
steps = st.lists(st.tuples(st.sampled_from(["key", "picture", "sound"]), st.integers(0, 3000)), max_size=60)


@given(steps)
def test_a_picture_is_only_sent_if_everything_since_its_key_picture_was(taken: list[tuple[str, int]]) -> None:
    pace, unbroken = Pace(has_video=True, most_waiting=MOST), False
    for number, (kind, waiting) in enumerate(taken):
        packet = sound(number) if kind == "sound" else picture(number, is_key=kind == "key")
        sent = isinstance(pace.judge(packet, waiting), Send)
        if packet.track is Track.VIDEO:
            assert not sent or packet.is_key or unbroken
            unbroken = sent
        elif not sent:
            unbroken = False


@given(steps)
def test_nothing_is_sent_while_more_than_the_bound_waits(taken: list[tuple[str, int]]) -> None:
    pace = Pace(has_video=True, most_waiting=MOST)
    for number, (kind, waiting) in enumerate(taken):
        verdict = pace.judge(picture(number, is_key=kind == "key"), waiting)
        assert waiting <= MOST or not isinstance(verdict, Send)


@given(steps)
def test_a_viewer_that_keeps_up_loses_nothing_after_its_first_key_picture(taken: list[tuple[str, int]]) -> None:
    pace = Pace(has_video=True, most_waiting=MOST)
    assert isinstance(pace.judge(picture(0, is_key=True), 0), Send)
    for number, (kind, waiting) in enumerate(taken, 1):
        packet = sound(number) if kind == "sound" else picture(number, is_key=kind == "key")
        assert isinstance(pace.judge(packet, waiting % MOST), Send)
    assert pace.skipped == 0


@given(steps)
def test_every_packet_left_out_is_counted(taken: list[tuple[str, int]]) -> None:
    pace, left_out = Pace(has_video=True, most_waiting=MOST), 0
    for number, (kind, waiting) in enumerate(taken):
        left_out += not isinstance(pace.judge(picture(number, is_key=kind == "key"), waiting), Send)
    assert pace.skipped == left_out


def test_sound_alone_waits_for_no_key_picture() -> None:
    pace = Pace(has_video=False, most_waiting=MOST)
    assert isinstance(pace.judge(sound(0), 0), Send)
    assert not isinstance(pace.judge(sound(1), MOST + 1), Send)
    assert isinstance(pace.judge(sound(2), MOST), Send)


def test_beginning_again_waits_for_a_key_picture() -> None:
    pace = Pace(has_video=True, most_waiting=MOST)
    assert isinstance(pace.judge(picture(0, is_key=True), 0), Send)
    pace.begin_again()
    assert not isinstance(pace.judge(picture(1), 0), Send)
    assert isinstance(pace.judge(picture(2, is_key=True), 0), Send)

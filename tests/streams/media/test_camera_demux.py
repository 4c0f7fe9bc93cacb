"""One camera's frames become epochs and packets: order, stamps, new parameter sets, jumps, losses, lip sync."""

from functools import partial
from itertools import pairwise

import pytest

from streams.media.camera_demux import CameraDemux, Heard
from streams.media.child_protocol import Coded, NewEpoch, Plan
from streams.media.faults import Fault
from streams.media.nal import with_lengths
from streams.media.offer import AudioOffer, VideoOffer
from streams.media.packets import Track
from tests.given.made import made_without_libav
from tests.given.scripted_camera import RtpTrack

SPS, PPS, OTHER_SPS = b"\x67sps", b"\x68pps", b"\x67another"
IDR, SLICE, SECOND_SLICE, SEI = b"\x65\x88key", b"\x41\x9anot", b"\x41\x05more", b"\x06\x05sei"
AUDIO = AudioOffer(97, 48_000, 2, "a", b"\x11\x90")
STEP, STEP_US = 3600, 40_000


class Camera:
    """A camera that sends 25 pictures a second, each when it is due, and a demux that hears them."""

    def __init__(self, *, audio: bool = False, depth: int = 0, sets: tuple[bytes, ...] = (SPS, PPS)) -> None:
        plan = Plan(VideoOffer("h264", 96, 90_000, "v", sets), 0, 1, *((AUDIO, 2, 3) if audio else ()))
        self.demux = CameraDemux(plan, partial(made_without_libav, depth=depth))
        self.video, self.audio = RtpTrack(0, 96), RtpTrack(2, 97)
        self.heard: list[NewEpoch | Coded] = []
        self.lost = 0

    def feed(self, frames: bytes, at_us: int) -> Heard:
        heard = self.demux.feed(frames, at_us)
        self.heard += heard.items
        self.lost += heard.lost
        return heard

    def film(self, first: int, count: int, *, gop: int = 5, shift: int = 0, sets: list[bytes] | None = None) -> None:
        for number in range(first, first + count):
            units = [*(sets or []), IDR] if number % gop == 0 else [SLICE]
            self.feed(self.video.picture(units, number * STEP + shift), number * STEP_US)

    @property
    def packets(self) -> list[Coded]:
        return [item for item in self.heard if isinstance(item, Coded)]

    @property
    def epochs(self) -> list[list[Coded]]:
        """The packets of each epoch."""
        out: list[list[Coded]] = []
        for item in self.heard:
            if isinstance(item, NewEpoch):
                out.append([])
            else:
                out[-1].append(item)
        return out


def test_nothing_is_heard_before_a_key_picture_and_the_first_one_is_never_dropped() -> None:
    camera = Camera()
    camera.film(3, 4)
    assert [packet.dts for packet in camera.packets] == [0, STEP]
    assert [packet.is_key for packet in camera.packets] == [True, False]
    assert camera.packets[0].data == with_lengths([IDR])
    assert camera.packets[0].arrived_us == 5 * STEP_US


def test_a_picture_is_heard_with_its_last_packet_and_not_one_later() -> None:
    camera = Camera()
    frames = camera.video.picture([SEI, IDR + bytes(5000)], 0)
    cut = len(frames) - 50
    split = frames.rindex(b"$\x00", 0, cut)
    assert not camera.feed(frames[:split], 1).items
    heard = camera.feed(frames[split:], 2).items
    assert [item.arrived_us for item in heard if isinstance(item, Coded)] == [2]


def test_fragments_aggregates_and_padding_give_the_same_picture() -> None:
    unit = IDR + bytes(range(256)) * 20
    fragmented, aggregated, padded = Camera(), Camera(), Camera()
    fragmented.feed(fragmented.video.picture([SPS, PPS, unit], 0, most=300), 1)
    stap = b"\x78" + b"".join(len(part).to_bytes(2, "big") + part for part in (SPS, PPS, unit))
    aggregated.feed(aggregated.video.frame(stap, 0, marker=True), 1)
    frame = bytearray(padded.video.picture([SPS, PPS, unit], 0, most=60_000))
    last = frame.rindex(b"$\x00")
    frame[last + 4] |= 0x20
    frame[last + 2 : last + 4] = (int.from_bytes(frame[last + 2 : last + 4], "big") + 4).to_bytes(2, "big")
    padded.feed(bytes(frame) + b"\x00\x00\x00\x04", 1)
    assert [one.data for one in fragmented.packets] == [with_lengths([SPS, PPS, unit])]
    assert fragmented.packets[0].data == aggregated.packets[0].data == padded.packets[0].data


def test_new_parameter_sets_begin_a_new_epoch_at_their_key_picture() -> None:
    camera = Camera()
    camera.film(0, 5, sets=[SPS, PPS])
    camera.film(5, 5, sets=[OTHER_SPS, PPS])
    camera.film(10, 5, sets=[OTHER_SPS, PPS])
    epochs = [item for item in camera.heard if isinstance(item, NewEpoch)]
    assert [epoch.tracks[0].extradata for epoch in epochs] == [SPS + PPS, OTHER_SPS + PPS]
    assert [len(packets) for packets in camera.epochs] == [5, 10]
    assert [packets[0].is_key for packets in camera.epochs] == [True, True]
    assert [packet.dts for packet in camera.epochs[1]] == [number * STEP for number in range(10)]


def test_parameter_sets_on_their_own_belong_to_the_picture_that_follows() -> None:
    camera = Camera(sets=())
    camera.feed(camera.video.picture([SPS], 0), 1)
    camera.feed(camera.video.picture([PPS], 1), 2)
    camera.feed(camera.video.picture([IDR], 2), 3)
    assert [packet.data for packet in camera.packets] == [with_lengths([SPS, PPS, IDR])]


def test_without_parameter_sets_nothing_can_begin() -> None:
    camera = Camera(sets=())
    camera.film(0, 20)
    assert camera.heard == []


@pytest.mark.parametrize("shift", [10**9, -(10**9), 2**31 - 1, -100_000, 11 * 90_000])
def test_a_jump_of_the_camera_s_clock_begins_a_new_epoch_and_loses_no_picture(shift: int) -> None:
    camera = Camera()
    camera.film(0, 7)
    camera.film(7, 13, shift=shift)
    first, second = camera.epochs
    assert [packet.dts for packet in first] == [number * STEP for number in range(10)]
    assert [packet.dts for packet in second] == [number * STEP for number in range(10)]
    assert second[0].is_key
    assert camera.lost == 0


def test_stamps_that_stand_still_are_counted_on_by_arrival() -> None:
    camera = Camera()
    for number in range(10):
        camera.feed(camera.video.picture([IDR if number == 0 else SLICE], 0), number * STEP_US)
    assert [packet.dts for packet in camera.packets] == [number * STEP for number in range(10)]
    assert len(camera.epochs) == 1


def test_pictures_that_are_shown_in_another_order_keep_their_times() -> None:
    camera = Camera(depth=2)
    for at, pts in enumerate([0, 3, 1, 2, 6, 4, 5, 9, 7, 8]):
        camera.feed(camera.video.picture([IDR if pts == 0 else SLICE], pts * STEP), at * STEP_US)
    assert [packet.dts for packet in camera.packets] == [number * STEP for number in range(10)]
    assert [packet.pts - 2 * STEP for packet in camera.packets] == [n * STEP for n in [0, 3, 1, 2, 6, 4, 5, 9, 7, 8]]


def test_a_camera_that_does_not_say_that_it_reorders_is_found_out_at_the_next_key_picture() -> None:
    camera = Camera(depth=0)
    shown = [0, 2, 1, 4, 3]
    for number in range(30):
        pts = number - number % 5 + shown[number % 5]
        units = [IDR] if number % 5 == 0 else [SLICE]
        camera.feed(camera.video.picture(units, pts * STEP), number * STEP_US)
    assert len(camera.epochs) == 2
    last = camera.epochs[1]
    assert [one.pts - last[0].pts for one in last[:5]] == [n * STEP for n in shown]


def test_a_damaged_picture_is_dropped_whole_and_counted() -> None:
    camera = Camera()
    camera.film(0, 2)
    frames = camera.video.picture([SLICE + bytes(5000)], 2 * STEP)
    second = frames.index(b"$\x00", 4)
    third = frames.index(b"$\x00", second + 4)
    camera.feed(frames[:second] + frames[third:], 2 * STEP_US)
    camera.film(3, 2)
    assert [packet.dts for packet in camera.packets] == [0, STEP, 3 * STEP, 4 * STEP]
    assert camera.lost == 1


def test_a_lost_end_damages_the_picture_it_belongs_to() -> None:
    camera = Camera()
    camera.film(0, 1)
    frames = camera.video.picture([SLICE, SECOND_SLICE + bytes(3000)], STEP)
    camera.feed(frames[: frames.rindex(b"$\x00")], STEP_US)
    camera.video.sequence += 1
    camera.film(2, 3)
    assert [packet.dts // STEP for packet in camera.packets] == [0, 3, 4]
    assert camera.lost == 2


def test_a_marker_on_every_slice_is_found_out() -> None:
    camera = Camera()
    for number in range(15):
        first = IDR if number % 5 == 0 else SLICE
        more = b"\x65\x05more" if number % 5 == 0 else SECOND_SLICE
        for unit in (first, more):
            camera.feed(camera.video.frame(unit, number * STEP, marker=True), number * STEP_US)
    whole = camera.epochs[-1]
    assert [packet.data for packet in whole[:2]] == [
        with_lengths([IDR, b"\x65\x05more"]),
        with_lengths([SLICE, SECOND_SLICE]),
    ]


def test_goodbye_ends_it_and_what_came_before_is_heard() -> None:
    camera = Camera()
    bye = b"$\x01\x00\x08\x80\xcb\x00\x01\x01\x02\x03\x04"
    heard = camera.feed(camera.video.picture([IDR], 0) + bye, 1)
    assert len(camera.packets) == 1
    assert heard.over is not None
    assert heard.over.fault is Fault.ENDED_BY_CAMERA


def play(camera: Camera, seconds: float, *, sound_late_us: int = 0, frames_each: int = 1) -> None:
    """Picture and sound that began together, the sound arriving late."""
    happening = [(number * STEP_US, "v", number) for number in range(round(seconds * 25))]
    packets = round(seconds * 48_000 / 1024 / frames_each)
    length_us = 1024 * frames_each * 1_000_000 // 48_000
    happening += [(number * length_us + sound_late_us, "a", number) for number in range(packets)]
    for at_us, kind, number in sorted(happening):
        if kind == "v":
            camera.feed(camera.video.picture([IDR if number % 25 == 0 else SLICE], number * STEP), at_us)
        else:
            ticks = number * frames_each * 1024
            camera.feed(camera.audio.sound([b"aac%d" % n for n in range(frames_each)], ticks), at_us)


def of(packets: list[Coded], track: Track) -> list[Coded]:
    return [packet for packet in packets if packet.track is track]


@pytest.mark.parametrize("frames_each", [1, 3])
def test_sound_begins_where_reports_say_that_it_lies(frames_each: int) -> None:
    camera = Camera(audio=True)
    wall_us = 1_894_708_800_000_000
    camera.feed(camera.video.picture([IDR], 0) + camera.audio.sound([b"first"], 0), 0)
    camera.feed(camera.video.report(wall_us, 0) + camera.audio.report(wall_us, 0), 0)
    for number in range(1, 40):
        camera.feed(camera.audio.sound([b"aac"] * frames_each, number * 1024 * frames_each), 900_000)
    sound = of(camera.packets, Track.AUDIO)
    assert [packet.dts for packet in sound] == [number * 1024 for number in range(frames_each, 40 * frames_each)]
    assert len(camera.epochs) == 1


def test_without_reports_sound_is_laid_by_arrival_after_a_while() -> None:
    camera = Camera(audio=True)
    play(camera, 5)
    sound = of(camera.packets, Track.AUDIO)
    assert sound[0].dts == pytest.approx(3 * 48_000, abs=2048)
    assert {after.dts - before.dts for before, after in pairwise(sound)} == {1024}


def test_a_late_report_moves_the_sound_once_to_where_it_belongs() -> None:
    camera = Camera(audio=True)
    wall_us = 1_894_708_800_000_000
    play(camera, 4, sound_late_us=400_000)
    camera.feed(camera.video.report(wall_us, 0) + camera.audio.report(wall_us, 0), 4_400_000)
    for number in range(100, 200):
        units = [IDR] if number % 25 == 0 else [SLICE]
        camera.feed(camera.video.picture(units, number * STEP), number * STEP_US + 400_000)
        camera.feed(camera.audio.sound([b"aac"], number * 1920), number * STEP_US + 400_000)
    before, after = camera.epochs
    first = of(before, Track.AUDIO)[-1]
    assert first.dts / 48_000 == pytest.approx(4.38, abs=0.1)
    assert of(after, Track.AUDIO)[0].dts == pytest.approx(0, abs=2000)


def test_sound_from_before_the_first_picture_is_left_out() -> None:
    camera = Camera(audio=True)
    wall_us = 1_894_708_800_000_000
    for number in range(9):
        camera.feed(camera.audio.sound([b"early"], number * 1024), number * 21_333)
    camera.feed(camera.video.picture([IDR], 0), 213_333)
    camera.feed(camera.video.report(wall_us, 0) + camera.audio.report(wall_us, 10 * 1024), 213_333)
    camera.feed(camera.audio.sound([b"early", b"later"], 9 * 1024), 213_333)
    assert [packet.data for packet in of(camera.packets, Track.AUDIO)] == [b"later"]

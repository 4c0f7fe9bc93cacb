"""Every picture says who made it, as the how-manieth and when, in pixels; and carries the canary twice."""

from itertools import pairwise

import pytest

from streams.media import nal
from streams.media.packets import Packet, Track
from streams.simulator.pictures import Marker
from streams.simulator.reading import find_canary, read_bar_codes, read_pixel_canaries
from streams.simulator.reel import CameraOptions, Reel, tone_for

CANARY = bytes(range(201, 233))
NOON_US = 1_894_708_800_000_000


def film(options: CameraOptions, pictures: int, number: int = 7) -> tuple[Reel, list[Packet]]:
    reel = Reel(number, CANARY, options, tone_for(options.audio), NOON_US)
    made = [p for slot in range(pictures) for p in reel.film(slot, 100 + slot, NOON_US + slot * 40_000 + 5_000)]
    return reel, made + reel.end(NOON_US + pictures * 40_000)


def byte_stream(reel: Reel, packets: list[Packet]) -> bytes:
    sets = nal.read_avcc(reel.tracks[0].extradata)
    units = [bytes(u) for p in packets if p.track is Track.VIDEO for u in nal.split_lengths(p.data)]
    return b"".join(b"\x00\x00\x00\x01" + unit for unit in (*sets.sps, *sets.pps, *units))


@pytest.mark.parametrize(
    "options",
    [
        CameraOptions(),
        CameraOptions(bframes=2),
        CameraOptions(width=640, height=360, kbit_s=100),
        CameraOptions(width=320, height=180, bframes=2),
        CameraOptions(width=1920, height=1080, fps=30, gop=15),
    ],
    ids=str,
)
def test_bar_codes_and_canaries_are_read_back(options: CameraOptions) -> None:
    media = byte_stream(*film(options, 40))
    codes = read_bar_codes(media)
    assert [code.counter for code in codes] == list(range(100, 140))
    assert {code.camera for code in codes} == {7}
    assert [code.utc_ms for code in codes] == [NOON_US // 1000 + n * 1000 // options.fps for n in range(40)]
    assert read_pixel_canaries(media) == [CANARY] * 40
    assert len(find_canary(media, CANARY)) == 40


@pytest.mark.parametrize("bframes", [0, 2])
def test_captured_time_rises_with_decode_time_and_is_never_later_than_arrival(bframes: int) -> None:
    _, packets = film(CameraOptions(width=320, height=180, bframes=bframes, audio="aac"), 30)
    for track, timescale in ((Track.VIDEO, 90_000), (Track.AUDIO, 48_000)):
        mine = [packet for packet in packets if packet.track is track]
        assert all(later.dts > earlier.dts for earlier, later in pairwise(mine))
        assert all(packet.captured_at_us <= packet.arrived_at_us for packet in mine)
        assert all(abs(packet.captured_at_us - NOON_US - packet.dts * 1_000_000 / timescale) <= 1 for packet in mine)


def test_the_time_in_the_bar_code_is_the_captured_time_of_its_presentation() -> None:
    reel, packets = film(CameraOptions(width=320, height=180, bframes=2), 12)
    codes = read_bar_codes(byte_stream(reel, packets))
    shown = sorted((p for p in packets if p.track is Track.VIDEO), key=lambda p: p.pts)
    for code, packet in zip(codes, shown, strict=True):
        taken_us = packet.captured_at_us + (packet.pts - packet.dts) * 1_000_000 // 90_000
        assert taken_us // 1000 == code.utc_ms


def test_the_tone_is_as_long_as_the_film() -> None:
    _, packets = film(CameraOptions(width=320, height=180, audio="pcm_mulaw"), 26)
    tone = [packet for packet in packets if packet.track is Track.AUDIO]
    assert [packet.dts for packet in tone] == list(range(0, 8001, 160))
    assert {packet.duration for packet in tone} == {160}


@pytest.mark.parametrize("canary", [b"\x00\x00\x01" + bytes(range(1, 30)), bytes(range(1, 31)) + b"\x00\x00"])
def test_a_canary_that_would_be_escaped_is_refused(canary: bytes) -> None:
    with pytest.raises(ValueError, match="canary"):
        Marker.of(canary)


def test_an_escaped_canary_is_found_all_the_same() -> None:
    canary = b"\x00\x00\x01" + bytes(range(1, 30))
    assert find_canary(b"abc" + nal.escape(canary) + b"x" + canary, canary) == [3, 37]


def test_a_canary_that_is_not_there_is_not_found() -> None:
    assert find_canary(byte_stream(*film(CameraOptions(width=320, height=180), 3)), bytes(range(1, 33))) == []


@pytest.mark.parametrize(("width", "height", "fps"), [(270, 180, 25), (641, 360, 25), (640, 118, 25), (640, 360, 7)])
def test_a_camera_that_cannot_be_is_refused(width: int, height: int, fps: int) -> None:
    with pytest.raises(ValueError, match="the picture"):
        CameraOptions(width, height, fps)

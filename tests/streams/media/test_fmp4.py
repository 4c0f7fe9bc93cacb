from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from streams.media.boxes import boxes_in
from streams.media.fmp4 import Fragmenter, StampsOutOfRange
from streams.media.fragments import fragment_info, samples_of
from streams.media.packets import Epoch, Fragment, Packet, Track, TrackInfo
from tests.given.encoded import START_US, Encoded, encoded
from tests.given.fragmented import decoded, fragments_of, probed, stamps

VIDEO = TrackInfo(Track.VIDEO, "h264", 90_000, b"")
AUDIO = TrackInfo(Track.AUDIO, "aac", 48_000, b"")


def picture(number: int, *, step: int = 3600, key_every: int = 50, **changes: Any) -> Packet:
    captured = START_US + number * step * 1_000_000 // 90_000
    packet = Packet(
        track=Track.VIDEO,
        dts=number * step,
        pts=number * step,
        duration=step,
        is_key=number % key_every == 0,
        data=b"picture %d" % number,
        arrived_at_us=captured + 500,
        captured_at_us=captured,
    )
    return replace(packet, **changes)


def of(fragments: list[Fragment], track: Track) -> list[Fragment]:
    return [fragment for fragment in fragments if fragment.track is track]


def whole(stream: Encoded, fragments: list[Fragment]) -> bytes:
    tracks = frozenset(info.track for info in stream.tracks)
    return b"".join((stream.inits[tracks], *(fragment.data for fragment in fragments)))


@pytest.mark.needs("ffprobe")
@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize(
    "stream",
    [
        pytest.param({}, id="plain"),
        pytest.param({"bframes": 2}, id="B-pictures"),
        pytest.param({"bframes": 2, "audio": True}, id="B-pictures and sound"),
        pytest.param({"fps": 5, "gop": 7, "audio": True, "first_dts": 3600}, id="five pictures a second"),
        pytest.param({"first_dts": 9_000_000_000}, id="after 27 hours, past 32 bits"),
    ],
)
def test_init_and_all_fragments_are_one_file_with_every_packet_at_its_time(
    stream: dict[str, Any], tmp_path: Path
) -> None:
    made = encoded(**stream)
    fragments = fragments_of(made.epoch(), made.packets)
    file = tmp_path / "whole.mp4"
    file.write_bytes(whole(made, fragments))
    seen = probed(file)
    for track in Track:
        assert seen[track] == stamps(made.packets, track)
    assert len(decoded(file)) == len(made.of(Track.VIDEO))


@pytest.mark.needs("ffprobe")
@pytest.mark.needs("ffmpeg")
def test_the_sound_may_be_left_out_of_what_is_sent(tmp_path: Path) -> None:
    made = encoded(bframes=2, audio=True)
    pictures = of(fragments_of(made.epoch(), made.packets), Track.VIDEO)
    file = tmp_path / "mute.mp4"
    file.write_bytes(b"".join((made.inits[frozenset({Track.VIDEO})], *(one.data for one in pictures))))
    assert probed(file) == {"video": stamps(made.packets), "audio": []}
    assert len(decoded(file)) == len(made.of(Track.VIDEO))


@pytest.mark.needs("ffmpeg")
def test_any_run_that_begins_at_a_key_picture_can_be_sent_alone(tmp_path: Path) -> None:
    made = encoded(bframes=2)
    fragments = fragments_of(made.epoch(), made.packets)
    second_key = [at for at, one in enumerate(fragments) if one.starts_with_key][1]
    file = tmp_path / "tail.mp4"
    file.write_bytes(whole(made, fragments[second_key:]))
    assert len(decoded(file)) == 50


def test_our_own_reader_finds_every_packet_with_its_bytes() -> None:
    made = encoded(bframes=2, audio=True)
    for track in Track:
        found = []
        for fragment in of(fragments_of(made.epoch(), made.packets), track):
            assert [one.kind for one in boxes_in(fragment.data)] == [b"moof", b"mdat"]
            found += [(s.dts, s.pts, s.is_key, fragment.data[s.start : s.end]) for s in samples_of(fragment.data)]
        assert found == [(p.dts, p.pts, p.is_key, p.data) for p in made.of(track)]


def test_fragments_follow_each_other_without_a_gap() -> None:
    made = encoded(bframes=2, audio=True)
    fragments = fragments_of(made.epoch(), made.packets)
    for track in Track:
        mine = of(fragments, track)
        assert sum(one.packets for one in mine) == len(made.of(track))
        for one, following in pairwise(mine):
            assert one.decode_time + one.duration == following.decode_time
            assert one.captured_until_us == following.captured_from_us
    assert [one.sequence for one in fragments] == list(range(1, len(fragments) + 1))


def test_a_fragment_says_what_is_in_it() -> None:
    made = encoded(audio=True)
    for fragment in fragments_of(made.epoch(), made.packets):
        said = fragment_info(fragment.data)
        assert said.track_id == (1 if fragment.track is Track.VIDEO else 2)
        assert (said.sequence, said.decode_time, said.duration) == (
            fragment.sequence,
            fragment.decode_time,
            fragment.duration,
        )
        assert (said.packets, said.starts_with_key) == (fragment.packets, fragment.starts_with_key)
        assert said.sample_description == 1


def test_a_key_picture_is_only_ever_the_first_of_its_fragment() -> None:
    made = encoded(gop=20)
    for fragment in fragments_of(made.epoch(), made.packets):
        keys = [at for at, sample in enumerate(samples_of(fragment.data)) if sample.is_key]
        assert keys == ([0] if fragment.starts_with_key else [])


def test_no_fragment_is_longer_than_it_may_be() -> None:
    for fragment in fragments_of(Epoch(1, (VIDEO,), {}), map(picture, range(200))):
        assert fragment.duration <= 45_000
    slow = fragments_of(Epoch(1, (VIDEO,), {}), (picture(at, step=180_000) for at in range(5)))
    assert [one.packets for one in slow] == [1] * 5


def test_arrival_is_told_by_the_earliest_and_the_latest_packet() -> None:
    packets = [picture(0), picture(1, arrived_at_us=START_US + 999_999), picture(2)]
    (fragment,) = fragments_of(Epoch(1, (VIDEO,), {}), packets)
    assert (fragment.first_arrived_at_us, fragment.last_arrived_at_us) == (START_US + 500, START_US + 999_999)
    assert (fragment.captured_from_us, fragment.captured_until_us) == (START_US, START_US + 120_000)


def test_one_packet_is_held_back_until_its_length_is_known() -> None:
    fragmenter = Fragmenter()
    fragmenter.begin(Epoch(1, (VIDEO,), {}))
    assert fragmenter.add(picture(0)) == []
    (first,) = fragmenter.add(picture(50))
    assert (first.packets, first.duration) == (1, 50 * 3600)
    (last,) = fragmenter.flush()
    assert (last.packets, last.duration) == (1, 3600)
    assert fragmenter.flush() == []


def test_a_packet_without_a_length_lasts_as_long_as_the_one_before() -> None:
    packets = [picture(at, step=1800, duration=0) for at in range(3)]
    (fragment,) = fragments_of(Epoch(1, (VIDEO,), {}), packets)
    assert fragment.duration == 3 * 1800
    (alone,) = fragments_of(Epoch(1, (AUDIO,), {}), [sound(0)])
    assert alone.duration == 1024


def sound(number: int) -> Packet:
    return replace(picture(0, duration=0), track=Track.AUDIO, dts=number * 1024, pts=number * 1024)


def test_an_epoch_must_be_flushed_before_the_next_begins() -> None:
    fragmenter = Fragmenter()
    fragmenter.begin(Epoch(1, (VIDEO,), {}))
    fragmenter.add(picture(0))
    with pytest.raises(RuntimeError):
        fragmenter.begin(Epoch(2, (VIDEO,), {}))
    fragmenter.flush()
    fragmenter.begin(Epoch(2, (VIDEO,), {}))
    fragmenter.add(picture(0))
    (fragment,) = fragmenter.flush()
    assert (fragment.epoch, fragment.sequence, fragment.decode_time) == (2, 2, 0)


def test_a_track_that_the_epoch_does_not_have_is_a_mistake_of_the_caller() -> None:
    fragmenter = Fragmenter()
    fragmenter.begin(Epoch(1, (VIDEO,), {}))
    with pytest.raises(ValueError):
        fragmenter.add(sound(0))


def test_a_hole_ends_the_fragment_and_the_next_one_begins_at_its_own_time() -> None:
    packets = [picture(0), picture(1), picture(2, dts=90_000 * 60, pts=90_000 * 60), picture(3, dts=90_000 * 61)]
    first, second, third = fragments_of(Epoch(1, (VIDEO,), {}), packets)
    assert (first.packets, first.duration) == (2, 7200)
    assert first.captured_until_us == START_US + 80_000
    assert (second.decode_time, third.decode_time) == (90_000 * 60, 90_000 * 61)


def test_negative_decode_times_are_pressed_together_and_presentation_stays_exact() -> None:
    made = encoded(bframes=2, first_dts=-7200)
    fragments = fragments_of(made.epoch(), made.packets)
    samples = [sample for fragment in fragments for sample in samples_of(fragment.data)]
    assert [sample.pts for sample in samples] == [packet.pts for packet in made.packets]
    assert [sample.dts for sample in samples[:4]] == [0, 1, 2, 3600]


def test_decode_times_that_stand_still_or_go_back_still_rise_in_the_file() -> None:
    times = [0, 3600, 3600, 3500, 7200]
    packets = [picture(at, key_every=9, dts=dts, pts=dts) for at, dts in enumerate(times)]
    (fragment,) = fragments_of(Epoch(1, (VIDEO,), {}), packets)
    samples = list(samples_of(fragment.data))
    assert [sample.dts for sample in samples] == [0, 3600, 3601, 3602, 7200]
    assert [sample.pts for sample in samples] == times


def test_a_camera_whose_stamps_stand_still_cannot_fill_the_memory() -> None:
    packets = [picture(at, key_every=10_000, dts=0, pts=0) for at in range(1200)]
    assert max(one.packets for one in fragments_of(Epoch(1, (VIDEO,), {}), packets)) <= 501
    heavy = [replace(packet, data=bytes(4_000_000)) for packet in packets[:12]]
    assert max(len(one.data) for one in fragments_of(Epoch(1, (VIDEO,), {}), heavy)) < 24_000_000


@pytest.mark.parametrize(("dts", "pts"), [(3600, 2**32), (2**33, 0), (2**62, 2**62)])
def test_stamps_that_cannot_be_written_are_refused_and_nothing_else_is_lost(dts: int, pts: int) -> None:
    fragmenter = Fragmenter()
    fragmenter.begin(Epoch(1, (VIDEO,), {}))
    fragmenter.add(picture(0))
    with pytest.raises(StampsOutOfRange):
        fragmenter.add(picture(1, dts=dts, pts=pts))
    fragmenter.add(picture(2))
    (fragment,) = fragmenter.flush()
    assert fragment.packets == 2

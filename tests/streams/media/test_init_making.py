"""Init segments from parameter sets: read back by libav, and refused when a camera's bytes are no parameter sets."""

import io

import av
import pytest

from streams.media.boxes import find, u32
from streams.media.faults import Fault, SourceFailed
from streams.media.fmp4 import Fragmenter
from streams.media.init_making import make_init
from streams.media.offer import AudioOffer
from streams.media.packets import Epoch, Track
from tests.given.encoded import encoded
from tests.given.scripted_camera import parameter_sets_of, units_of

FILM = encoded(1.0)
SETS = parameter_sets_of(FILM)
KEY = [unit for unit in units_of(FILM.packets[0]) if unit[0] & 0x1F == 5]
AUDIO = AudioOffer(97, 48_000, 2, "", bytes.fromhex("1190"))


def test_there_is_one_init_segment_for_each_set_of_tracks() -> None:
    made = make_init("h264", 90_000, SETS, KEY, AUDIO)
    video, audio = frozenset({Track.VIDEO}), frozenset({Track.AUDIO})
    assert set(made.init) == {video, audio, video | audio}
    for tracks, init in made.init.items():
        with av.open(io.BytesIO(init), "r") as container:
            assert {stream.type for stream in container.streams} == set(tracks)


def test_timescales_are_those_of_the_packets_and_the_record_is_the_camera_s() -> None:
    made = make_init("h264", 90_000, SETS, KEY, AUDIO)
    picture, sound = made.tracks
    mdhd = find(made.init[frozenset({Track.VIDEO})], b"moov", b"trak", b"mdia", b"mdhd")
    assert u32(made.init[frozenset({Track.VIDEO})], mdhd.body + 12) == picture.timescale == 90_000
    mdhd = find(made.init[frozenset({Track.AUDIO})], b"moov", b"trak", b"mdia", b"mdhd")
    assert u32(made.init[frozenset({Track.AUDIO})], mdhd.body + 12) == sound.timescale == 48_000
    assert (picture.width, picture.height, sound.channels, sound.sample_rate) == (160, 96, 2, 48_000)
    assert parameter_sets_of(FILM) == SETS
    assert picture.extradata[9:].startswith(SETS[0][1:])
    assert sound.extradata == AUDIO.config


def test_fragments_of_the_same_pictures_decode_behind_it() -> None:
    made = make_init("h264", 90_000, SETS, KEY, None)
    fragmenter = Fragmenter()
    fragmenter.begin(Epoch(1, made.tracks, made.init))
    parts = [fragment.data for packet in FILM.packets for fragment in fragmenter.add(packet)]
    parts += [fragment.data for fragment in fragmenter.flush()]
    file = made.init[frozenset({Track.VIDEO})] + b"".join(parts)
    with av.open(io.BytesIO(file), "r") as container:
        assert len(list(container.decode(video=0))) == 25


@pytest.mark.parametrize("bframes", [0, 1, 2])
def test_how_many_pictures_are_reordered_is_read_from_the_parameter_sets(bframes: int) -> None:
    film = encoded(1.0, bframes=bframes)
    key = [unit for unit in units_of(film.packets[0]) if unit[0] & 0x1F == 5]
    assert make_init("h264", 90_000, parameter_sets_of(film), key, None).depth == bframes


@pytest.mark.parametrize(
    ("sets", "key"),
    [
        ((b"\x67", b"\x68"), (b"\x65",)),
        ((b"\x67" + bytes(50), b"\x68" + bytes(9)), (b"\x65" + bytes(500),)),
        ((b"\x67" + bytes(range(1, 200)), b"\x68\xff\xff"), (b"\x65" + bytes(range(1, 200)),)),
        ((SETS[1], SETS[0]), ()),
        ((b"",), (b"",)),
        ((SETS[0][:6], SETS[1]), KEY),
    ],
)
def test_what_is_no_parameter_set_is_garbage(sets: tuple[bytes, ...], key: tuple[bytes, ...]) -> None:
    with pytest.raises(SourceFailed) as failed:
        make_init("h264", 90_000, sets, key, AUDIO)
    assert failed.value.fault is Fault.GARBAGE
    assert failed.value.__cause__ is None


@pytest.mark.parametrize("config", [b"\xff\xff", b"\x00\x00", bytes(64)])
def test_sound_that_cannot_be_read_is_left_out_and_the_picture_goes_on(config: bytes) -> None:
    made = make_init("h264", 90_000, SETS, KEY, AudioOffer(97, 48_000, 2, "", config))
    if made.sound_refused:
        assert [info.track for info in made.tracks] == [Track.VIDEO]
    else:
        assert len(made.tracks) == 2

"""The encoder of simulated cameras keeps the structure that was asked for."""

import io

import av
import pytest

from streams.media import nal
from streams.media.encoder import EncodedPicture, PictureEncoder, Tone, aac_tone, g711_tone


def encode(encoder: PictureEncoder, pictures: int) -> list[EncodedPicture]:
    made: list[EncodedPicture] = []
    for number in range(pictures):
        (luma, line_size), *_ = encoder.planes
        luma[:] = bytes((number % 200,)) * line_size * (len(luma) // line_size)
        made += encoder.encode(number)
    return made + list(encoder.flush())


@pytest.mark.parametrize("bframes", [0, 2])
def test_every_group_begins_with_an_idr_and_stamps_are_whole(bframes: int) -> None:
    made = encode(PictureEncoder(320, 240, fps=25, gop=10, bframes=bframes), 40)
    assert [picture.pts for picture in made if picture.is_key] == [0, 10, 20, 30]
    assert sorted(picture.pts for picture in made) == list(range(40))
    assert [picture.dts for picture in made] == list(range(-bframes, 40 - bframes))
    assert all(picture.dts <= picture.pts for picture in made)
    assert (bframes == 0) == all(picture.dts == picture.pts for picture in made)


def test_parameter_sets_stand_in_the_record_and_not_in_the_pictures() -> None:
    encoder = PictureEncoder(320, 240, fps=25, gop=5)
    kinds = {nal.kind_of(unit) for picture in encode(encoder, 10) for unit in nal.split_lengths(picture.data)}
    assert {nal.IDR, nal.SLICE} <= kinds
    assert not kinds & {nal.SPS, nal.PPS, nal.DELIMITER}
    assert nal.read_avcc(encoder.avcc).length_size == 4


def test_what_nobody_painted_is_black_and_not_what_was_in_memory_before() -> None:
    for _ in range(20):
        planes = PictureEncoder(320, 240, fps=25, gop=25).planes
        assert [set(bytes(plane)) for plane, _ in planes] == [{16}, {128}, {128}]


def test_a_fixed_rate_is_kept_even_when_nothing_moves() -> None:
    encoder = PictureEncoder(320, 240, fps=25, gop=25, kbit_s=500)
    made = [picture for number in range(100) for picture in encoder.encode(number)]
    bits_a_second = sum(len(picture.data) for picture in made) * 8 / 4
    assert 400_000 < bits_a_second < 550_000


def decode(tone: Tone, rounds: int) -> memoryview:
    codec = av.CodecContext.create(tone.codec, "r")
    assert isinstance(codec, av.AudioCodecContext)
    codec.extradata = tone.extradata or None
    codec.sample_rate, codec.layout = tone.sample_rate, "mono"
    resampler = av.AudioResampler(format="s16", layout="mono", rate=tone.sample_rate)
    out = io.BytesIO()
    for unit in tone.units * rounds:
        for frame in codec.decode(av.Packet(unit)):
            for plain in resampler.resample(frame):
                out.write(memoryview(plain.planes[0])[: plain.samples * 2])
    return memoryview(out.getvalue()).cast("h")


@pytest.mark.parametrize("codec", ["aac", "pcm_mulaw", "pcm_alaw"])
def test_a_looped_tone_has_no_seam(codec: str) -> None:
    tone = aac_tone() if codec == "aac" else g711_tone(codec)
    samples = decode(tone, rounds=24)
    period = tone.sample_rate // 1000
    whole = range(4096, len(samples) - 4096 - period, period)
    heights = [max(samples[at : at + period]) for at in whole]
    assert len(heights) > 50
    assert 0.7 * 8192 < min(heights) <= max(heights) < 1.3 * 8192

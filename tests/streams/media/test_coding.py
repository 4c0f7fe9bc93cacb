from dataclasses import replace

import pytest

from streams.media.boxes import DamagedBox
from streams.media.coding import codec_name, parameter_sets
from streams.media.nal import kind_of, split_lengths
from streams.media.packets import Track, TrackInfo
from tests.given.encoded import encoded

VIDEO, AUDIO = encoded(bframes=2, audio=True).tracks
# Main profile, main tier, level 3.1 (93), progressive and frame-only; one VPS, one SPS, no PPS.
HVCC = bytes.fromhex(
    "01 01 60000000 900000000000 5D F000 FC FD F8 F8 0000 0F 02  A0 0001 0002 4001  A1 0001 0003 4201FF"
)
HEVC = TrackInfo(Track.VIDEO, "hevc", 90_000, HVCC)


def test_avc_is_named_by_profile_and_level() -> None:
    assert codec_name(VIDEO, "avc1") == f"avc1.{VIDEO.extradata[1:4].hex().upper()}"
    assert codec_name(replace(VIDEO, extradata=b"\x01\x64\x00\x1f"), "avc1") == "avc1.64001F"


def test_hevc_is_named_as_the_standard_spells_it() -> None:
    assert codec_name(HEVC, "hvc1") == "hvc1.1.6.L93.90"


def test_aac_is_named_by_its_object_type() -> None:
    assert codec_name(AUDIO, "mp4a") == "mp4a.40.2"
    assert codec_name(replace(AUDIO, extradata=b"\xf9\x46\x40"), "mp4a") == "mp4a.40.42"


def test_another_codec_is_named_by_its_sample_entry() -> None:
    assert codec_name(TrackInfo(Track.AUDIO, "opus", 48_000, b""), "Opus") == "Opus"


def test_parameter_sets_come_with_their_lengths() -> None:
    assert [kind_of(nal) for nal in split_lengths(parameter_sets(VIDEO))] == [7, 8]
    assert list(split_lengths(parameter_sets(HEVC))) == [b"\x40\x01", b"\x42\x01\xff"]


@pytest.mark.parametrize(
    "info",
    [
        replace(VIDEO, extradata=b"\x01\x64"),
        replace(HEVC, extradata=HVCC[:20]),
        replace(AUDIO, extradata=b"\x12"),
    ],
)
def test_a_record_that_is_cut_short_is_refused(info: TrackInfo) -> None:
    with pytest.raises(DamagedBox):
        codec_name(info, "xxxx")


@pytest.mark.parametrize("info", [replace(VIDEO, extradata=b"\x01\x64"), replace(HEVC, extradata=HVCC[:-1])])
def test_damaged_parameter_sets_are_refused(info: TrackInfo) -> None:
    with pytest.raises(DamagedBox):
        parameter_sets(info)
    with pytest.raises(DamagedBox):
        parameter_sets(replace(HEVC, extradata=HVCC[:5]))


def test_sound_has_no_parameter_sets() -> None:
    with pytest.raises(ValueError):
        parameter_sets(AUDIO)

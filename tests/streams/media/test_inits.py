from dataclasses import replace
from pathlib import Path

import pytest

from streams.media.boxes import DamagedBox, box, boxes_in, find, u32
from streams.media.coding import parameter_sets
from streams.media.fragments import set_sample_description, shift_decode_time, with_parameter_sets
from streams.media.inits import init_for, merge_inits, sample_entry_kind
from streams.media.packets import Track
from tests.given.encoded import encoded
from tests.given.fragmented import decoded, fragments_of

BOTH = encoded(bframes=2, audio=True)
WHOLE = BOTH.inits[frozenset(Track)]


def kinds(init: bytes) -> list[bytes]:
    moov = find(init, b"moov")
    return [one.kind for one in boxes_in(init, moov.body, moov.end)]


def test_an_init_segment_has_exactly_the_tracks_asked_for() -> None:
    assert kinds(WHOLE) == [b"mvhd", b"trak", b"trak", b"mvex"]
    only = init_for(WHOLE, BOTH.tracks[:1])
    assert kinds(only) == [b"mvhd", b"trak", b"mvex"]
    assert sample_entry_kind(only, Track.VIDEO) == "avc1"
    assert sample_entry_kind(WHOLE, Track.AUDIO) == "mp4a"
    with pytest.raises(DamagedBox):
        sample_entry_kind(only, Track.AUDIO)


def test_a_track_without_a_sample_description_is_refused() -> None:
    stsd = find(WHOLE, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    bare = box(b"stsd", bytes(8)) + box(b"free", bytes(stsd.end - stsd.start - 24))
    with pytest.raises(DamagedBox):
        sample_entry_kind(WHOLE[: stsd.start] + bare + WHOLE[stsd.end :], Track.VIDEO)


def test_sound_alone_keeps_the_number_its_fragments_carry() -> None:
    only = init_for(WHOLE, BOTH.tracks[1:])
    assert u32(only, find(only, b"moov", b"trak", b"tkhd").body + 12) == 2
    assert u32(only, find(only, b"moov", b"mvex", b"trex").body + 4) == 2


def test_the_timescale_is_the_one_of_the_packets() -> None:
    other = init_for(WHOLE, [replace(BOTH.tracks[0], timescale=12_345)])
    assert u32(other, find(other, b"moov", b"trak", b"mdia", b"mdhd").body + 12) == 12_345


def test_doing_it_twice_changes_nothing() -> None:
    assert init_for(WHOLE, BOTH.tracks) == WHOLE
    assert init_for(WHOLE, tuple(reversed(BOTH.tracks))) == WHOLE


def test_a_track_that_is_not_there_is_refused() -> None:
    with pytest.raises(DamagedBox):
        init_for(BOTH.inits[frozenset({Track.VIDEO})], BOTH.tracks)
    with pytest.raises(DamagedBox):
        init_for(b"", BOTH.tracks)
    with pytest.raises(ValueError):
        init_for(WHOLE, ())


def test_a_head_too_short_for_its_fields_is_refused() -> None:
    at = find(WHOLE, b"moov", b"trak", b"tkhd")
    short = (
        WHOLE[: at.start] + box(b"tkhd", b"\x00" * 8) + box(b"free", bytes(at.end - at.start - 24)) + WHOLE[at.end :]
    )
    with pytest.raises(DamagedBox):
        init_for(short, BOTH.tracks)


@pytest.mark.needs("ffprobe")
@pytest.mark.needs("ffmpeg")
def test_one_mp4_goes_on_over_a_change_of_parameters(tmp_path: Path) -> None:
    small, large = encoded(2.0, bframes=2), encoded(2.0, size=(320, 192))
    inits = [one.inits[frozenset({Track.VIDEO})] for one in (small, large)]
    first = [one.data for one in fragments_of(small.epoch(), small.packets)]
    second = [
        set_sample_description(shift_decode_time(one.data, 180_000 + 7_200), 2)
        for one in fragments_of(large.epoch(2), large.packets)
    ]
    # ffmpeg ignores the sample description of a fragment; the parameter sets in the picture make up for it.
    second[0] = with_parameter_sets(second[0], parameter_sets(large.tracks[0]))
    file = tmp_path / "changed.mp4"
    file.write_bytes(b"".join((merge_inits(inits), *first, *second)))
    assert decoded(file) == [(160, 96)] * 50 + [(320, 192)] * 50


def test_tracks_that_differ_are_not_merged() -> None:
    with pytest.raises(DamagedBox):
        merge_inits([WHOLE, BOTH.inits[frozenset({Track.VIDEO})]])
    with pytest.raises(DamagedBox):
        merge_inits([WHOLE, init_for(WHOLE, [replace(BOTH.tracks[0], timescale=1000), BOTH.tracks[1]])])
    with pytest.raises(DamagedBox):
        merge_inits([merge_inits([WHOLE, WHOLE])] * 2)
    with pytest.raises(ValueError):
        merge_inits([])
    assert merge_inits([WHOLE]) == WHOLE

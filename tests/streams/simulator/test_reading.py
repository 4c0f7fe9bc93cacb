"""Bar codes come back out of the service's own fragments, as HLS and `live.mp4` hand them out."""

import pytest

from streams.media import nal
from streams.media.decoder import NotDecodable
from streams.media.init_making import make_init
from streams.media.packets import Epoch, Packet, Track
from streams.simulator.reading import find_canary, read_bar_codes, read_pixel_canaries
from streams.simulator.reel import CameraOptions, Reel
from tests.given.fragmented import fragments_of

CANARY = bytes(range(101, 133))


def fragmented(options: CameraOptions, pictures: int) -> tuple[bytes, list[bytes]]:
    """Return the init segment and the fragments of a film."""
    reel = Reel(3, CANARY, options, None, 0)
    packets: list[Packet] = [p for slot in range(pictures) for p in reel.film(slot, slot, slot * 40_000)]
    packets += reel.end(pictures * 40_000)
    sets = nal.read_avcc(reel.tracks[0].extradata)
    key = [bytes(unit) for unit in nal.split_lengths(packets[0].data)]
    made = make_init("h264", 90_000, (*sets.sps, *sets.pps), key, None)
    fragments = fragments_of(Epoch(1, made.tracks, made.init), packets)
    return made.init[frozenset({Track.VIDEO})], [fragment.data for fragment in fragments]


@pytest.mark.parametrize("bframes", [0, 2])
def test_every_picture_of_every_fragment_is_accounted_for(bframes: int) -> None:
    init, fragments = fragmented(CameraOptions(width=320, height=180, gop=10, bframes=bframes), 50)
    media = init + b"".join(fragments)
    assert [code.counter for code in read_bar_codes(media)] == list(range(50))
    assert read_pixel_canaries(media) == [CANARY] * 50
    assert len(find_canary(media, CANARY)) == 50


def test_a_missing_fragment_is_seen_in_the_counters() -> None:
    init, fragments = fragmented(CameraOptions(width=320, height=180, gop=10), 50)
    counters = [code.counter for code in read_bar_codes(init + b"".join(fragments[:1] + fragments[2:]))]
    assert counters != list(range(50))
    assert set(counters) < set(range(50))


@pytest.mark.parametrize("bframes", [0, 2])
def test_what_a_cut_viewer_has_is_read_up_to_the_cut(bframes: int) -> None:
    init, fragments = fragmented(CameraOptions(width=320, height=180, gop=10, bframes=bframes), 50)
    media = init + b"".join(fragments[:3]) + fragments[3][: len(fragments[3]) // 2]
    with pytest.raises(NotDecodable):
        read_bar_codes(media)
    counters = [code.counter for code in read_bar_codes(media, cut_short=True)]
    assert counters == list(range(len(counters)))
    assert len(counters) >= 20
    with pytest.raises(NotDecodable):
        read_bar_codes(init[:40], cut_short=True)


def test_fragments_without_their_init_segment_are_no_media() -> None:
    _, fragments = fragmented(CameraOptions(width=320, height=180, gop=10), 20)
    with pytest.raises(NotDecodable):
        read_bar_codes(b"".join(fragments))

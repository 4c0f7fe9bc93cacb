import sys
from collections.abc import Iterable

import pytest

from streams.live.ring import Ring
from streams.media.fmp4 import Fragmenter
from streams.media.fragments import fragment_info
from streams.media.packets import Epoch, Fragment, Packet, Track
from tests.given.encoded import START_US
from tests.given.fragmented import fragments_of
from tests.given.scripted_source import drawn, plain_epoch

S = 1_000_000
PICTURES = plain_epoch().init[frozenset({Track.VIDEO})]
BOTH = plain_epoch().init[frozenset(Track)]


def fill(ring: Ring, packets: Iterable[Packet], epoch: Epoch | None = None, maker: Fragmenter | None = None) -> None:
    epoch = epoch or plain_epoch()
    ring.begin(epoch)
    for fragment in fragments_of(epoch, packets, maker):
        ring.put(fragment)


def held(ring: Ring) -> list[Fragment]:
    view = ring.view()
    pieces = [ring.piece(number) for number in range(view.oldest, view.following)]
    return [piece.fragment for piece in pieces if piece is not None]


def test_the_newest_seconds_are_held_and_older_ones_are_not() -> None:
    ring = Ring(max_seconds=10)
    fill(ring, drawn(60))
    assert held(ring)[0].captured_until_us >= START_US + 50 * S
    assert held(ring)[-1].captured_until_us == START_US + 60 * S
    assert ring.held_bytes == sum(len(fragment.data) for fragment in held(ring))


def test_a_heavy_camera_is_held_for_less_time_instead_of_more_bytes() -> None:
    ring = Ring(max_seconds=30, max_bytes=500_000)
    fill(ring, drawn(30, octets=10_000))
    assert 350_000 < ring.held_bytes <= 500_000


def test_what_left_the_ring_is_referred_to_by_nothing() -> None:
    ring = Ring(max_seconds=4)
    epoch = plain_epoch()
    ring.begin(epoch)
    everything = []
    for fragment in fragments_of(epoch, drawn(20)):
        everything.append(fragment.data)
        ring.put(fragment)
        del fragment
    referred = [sys.getrefcount(everything[at]) for at in range(len(everything))]
    alone = referred[0]
    assert referred.count(alone + 1) == len(held(ring)) < len(everything) / 3
    assert referred.count(alone) == len(everything) - len(held(ring))
    ring.forget()
    assert {sys.getrefcount(everything[at]) for at in range(len(everything))} == {alone}


def test_nothing_is_held_before_the_first_key_picture() -> None:
    ring = Ring()
    fill(ring, list(drawn(4))[10:])
    assert held(ring)[0].starts_with_key
    assert held(ring)[0].captured_from_us == START_US + 2 * S
    assert ring.view().newest_key == 0


def test_segments_go_from_key_picture_to_key_picture() -> None:
    ring = Ring()
    fill(ring, drawn(13, gop_s=1))
    segments = list(ring.segments)
    assert [one.number for one in segments] == [0, 1, 2, 3, 4, 5]
    assert {one.duration_us for one in segments} == {2 * S}
    for segment in segments:
        first = ring.piece(segment.first)
        assert first is not None
        assert first.fragment.starts_with_key
        assert first.fragment.captured_from_us == segment.captured_from_us
    assert ring.segments.target_seconds == 2


def test_a_long_group_of_pictures_is_cut_where_the_playlist_ends_it() -> None:
    ring = Ring()
    fill(ring, drawn(28, gop_s=14))
    lengths = [one.duration_us for one in ring.segments]
    assert ring.segments.target_seconds == 6
    assert max(lengths) < 6.5 * S
    assert sum(lengths[:3]) == 14 * S


def test_the_target_duration_never_changes() -> None:
    ring, maker, epoch = Ring(), Fragmenter(), plain_epoch()
    fill(ring, drawn(8, gop_s=2), epoch, maker)
    fill(ring, drawn(30, start_s=8, gop_s=10), plain_epoch(2), maker)
    assert ring.segments.target_seconds == 2
    assert max(one.duration_us for one in ring.segments) < 2.5 * S


def test_a_segment_broken_off_before_the_target_was_known_is_not_listed_if_it_is_longer() -> None:
    ring, maker = Ring(max_seconds=60), Fragmenter()
    fill(ring, drawn(5, gop_s=60), plain_epoch(1), maker)
    fill(ring, drawn(9, captured_from_s=6, gop_s=2), plain_epoch(2, init=b"other"), maker)
    assert [one.duration_us for one in ring.segments] == [5 * S, 2 * S, 2 * S, 2 * S, 2 * S]
    assert ring.segments.target_seconds == 2
    assert [one.number for one in ring.listed()] == [1, 2, 3, 4]


def test_only_the_newest_half_is_listed_and_the_rest_can_still_be_had() -> None:
    ring = Ring(max_seconds=30)
    fill(ring, drawn(40))
    listed = ring.listed()
    assert sum(one.duration_us for one in listed) == 16 * S
    assert ring.segments.get(listed[0].number - 1) is not None
    assert ring.segments.get(0) is None


def test_a_segment_that_misses_a_piece_is_not_listed_any_more() -> None:
    ring = Ring(max_seconds=5)
    fill(ring, drawn(20))
    for segment in ring.segments:
        assert ring.piece(segment.first) is not None


def test_a_reconnect_with_the_same_parameters_goes_on_as_if_nothing_had_been() -> None:
    ring, maker = Ring(), Fragmenter()
    fill(ring, drawn(4), plain_epoch(1), maker)
    fill(ring, drawn(4, start_s=0, captured_from_s=9), plain_epoch(2), maker)
    ends = 0
    for fragment in held(ring):
        assert fragment.decode_time == ends
        assert fragment_info(fragment.data).decode_time == ends
        ends += fragment.duration
    assert {one.run.number for one in ring.segments} == {1}
    assert not any(one.begins_new_timeline for one in ring.segments)
    assert [one.captured_from_us for one in ring.segments] == [START_US, START_US + 2 * S, START_US + 9 * S]


def test_a_reconnect_with_sound_never_plays_two_sounds_at_once() -> None:
    ring, maker = Ring(), Fragmenter()
    ring.hear(START_US)
    fill(ring, drawn(4, audio=True), plain_epoch(1, audio=True), maker)
    fill(ring, drawn(4, start_s=500, audio=True, captured_from_s=5), plain_epoch(2, audio=True), maker)
    for track in Track:
        ends = 0
        for fragment in held(ring):
            if fragment.track is track:
                assert fragment.decode_time >= ends
                ends = fragment.decode_time + fragment.duration


def test_new_parameters_begin_a_new_run_on_a_new_timeline() -> None:
    ring, maker = Ring(), Fragmenter()
    fill(ring, drawn(4), plain_epoch(1), maker)
    fill(ring, drawn(5, captured_from_s=5), plain_epoch(2, init=b"other"), maker)
    assert [(one.run.number, one.begins_new_timeline, one.timeline) for one in ring.segments] == [
        (1, False, 0),
        (1, False, 0),
        (2, True, 1),
        (2, False, 1),
    ]
    first, second = ring.run_of(1), ring.run_of(2)
    assert first is not None
    assert second is not None
    assert (first.init, second.init) == (PICTURES, plain_epoch(init=b"other").init[frozenset({Track.VIDEO})])
    assert ring.run_of(3) is None
    last = held(ring)[-1]
    assert last.decode_time + last.duration == 5 * 90_000


def test_fragments_of_an_epoch_that_is_over_are_not_taken() -> None:
    ring, maker = Ring(), Fragmenter()
    late = fragments_of(plain_epoch(1), drawn(2), maker)
    ring.begin(plain_epoch(2))
    assert [ring.put(fragment) for fragment in late] == [None] * len(late)
    assert Ring().put(late[0]) is None


def test_a_hole_in_the_stream_begins_a_new_timeline() -> None:
    ring, maker = Ring(), Fragmenter()
    packets = [*drawn(4), *drawn(6, start_s=20)]
    fill(ring, packets, plain_epoch(), maker)
    assert [one.begins_new_timeline for one in ring.segments] == [False, False, True, False]


def test_no_sound_is_held_unless_it_is_allowed() -> None:
    ring = Ring()
    fill(ring, drawn(6, audio=True), plain_epoch(audio=True))
    assert {fragment.track for fragment in held(ring)} == {Track.VIDEO}
    assert ring.run is not None
    assert ring.run.init == PICTURES


def test_sound_begins_with_the_next_key_picture_and_with_what_arrives_after_the_yes() -> None:
    ring = Ring()
    epoch = plain_epoch(audio=True)
    fragments = fragments_of(epoch, drawn(8, audio=True))
    ring.begin(epoch)
    for fragment in fragments:
        if fragment.captured_from_us >= START_US + 3 * S:
            ring.hear(START_US + 3 * S)
        ring.put(fragment)
    sound = [fragment for fragment in held(ring) if fragment.track is Track.AUDIO]
    assert sound
    assert min(fragment.first_arrived_at_us for fragment in sound) >= START_US + 3 * S
    assert ring.run is not None
    assert (ring.run.number, ring.run.init) == (2, BOTH)


def test_sound_that_arrived_before_the_yes_is_not_held_even_behind_a_key_picture() -> None:
    ring = Ring()
    epoch = plain_epoch(audio=True)
    ring.hear(START_US + 5 * S)
    ring.begin(epoch)
    for fragment in fragments_of(epoch, drawn(8, audio=True)):
        ring.put(fragment)
    arrivals = [fragment.first_arrived_at_us for fragment in held(ring) if fragment.track is Track.AUDIO]
    assert min(arrivals) >= START_US + 5 * S


def test_sound_that_is_no_longer_allowed_is_forgotten_at_once() -> None:
    ring = Ring()
    ring.hear(START_US)
    epoch = plain_epoch(audio=True)
    ring.begin(epoch)
    fragments = fragments_of(epoch, drawn(9, audio=True))
    for fragment in fragments[:20]:
        ring.put(fragment)
    assert {fragment.track for fragment in held(ring)} == set(Track)
    assert ring.hear(None)
    assert (held(ring), ring.held_bytes, list(ring.segments)) == ([], 0, [])
    for fragment in fragments[20:]:
        ring.put(fragment)
    assert {fragment.track for fragment in held(ring)} == {Track.VIDEO}
    assert ring.run is not None
    assert (ring.run.number, ring.run.init) == (2, PICTURES)


def test_sound_is_forgotten_at_once_though_the_camera_has_none_any_more() -> None:
    ring, maker = Ring(), Fragmenter()
    ring.hear(START_US)
    fill(ring, drawn(9, audio=True), plain_epoch(1, audio=True), maker)
    fill(ring, drawn(5, captured_from_s=10), plain_epoch(2), maker)
    assert {fragment.track for fragment in held(ring)} == set(Track)
    assert ring.hear(None)
    assert (held(ring), list(ring.segments)) == ([], [])


def test_a_camera_without_sound_goes_on_undisturbed_when_sound_is_allowed() -> None:
    ring, maker, epoch = Ring(), Fragmenter(), plain_epoch()
    fill(ring, drawn(4), epoch, maker)
    ring.hear(START_US)
    maker.begin(epoch)
    for packet in drawn(5, start_s=4):
        for fragment in maker.add(packet):
            ring.put(fragment)
    assert not ring.hear(None)
    assert ring.held_bytes > 0
    assert {one.run.number for one in ring.segments} == {1}
    assert [one.begins_new_timeline for one in ring.segments] == [False] * 4


def test_being_asked_twice_changes_nothing() -> None:
    ring = Ring()
    ring.hear(START_US)
    fill(ring, drawn(6, audio=True), plain_epoch(audio=True))
    before = held(ring)
    ring.hear(START_US + S)
    assert held(ring) == before


def test_a_camera_that_went_silent_leaves_no_old_picture_behind() -> None:
    ring = Ring()
    fill(ring, drawn(10))
    ring.forget_before(START_US + 4 * S)
    assert held(ring)[0].captured_until_us >= START_US + 4 * S
    ring.forget_before(START_US + 60 * S)
    assert (held(ring), list(ring.segments), ring.view().newest_key) == ([], [], None)


def test_how_far_behind_a_position_is() -> None:
    ring = Ring()
    fill(ring, drawn(4))
    assert ring.behind_us(0) == 4 * S
    assert ring.behind_us(None) == ring.behind_us(999) == 0


@pytest.mark.parametrize("gop_s", [0.5, 1, 2, 3.2, 7])
def test_every_piece_of_a_listed_segment_is_there_in_decode_order(gop_s: float) -> None:
    ring = Ring(max_seconds=20)
    fill(ring, drawn(60, gop_s=gop_s))
    for segment in ring.listed():
        pieces = [ring.piece(number) for number in range(segment.first, segment.end)]
        fragments = [piece.fragment for piece in pieces if piece is not None]
        assert len(fragments) == len(pieces)
        assert sum(one.duration for one in fragments) * 100 // 9 == segment.duration_us

"""Reading while the footage changes under the reader: closed, moved, re-keyed, kept shorter, damaged, destroyed."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from archive.blobs.folder_store import FolderStore
from archive.errors import FootageIsDamaged, FootageIsGone, NoFootage, SpanTooLong, StoreUnavailable
from archive.format.index import FragmentEntry
from archive.playback.movie import Film, Line
from archive.playback.rules import Bounds, selected
from archive.playback.service import MOST_SEGMENTS, Part
from archive.segments import store as segments
from archive.segments.rules import Place, Span, State
from streams.media.fragments import fragment_info
from streams.media.inits import init_for
from streams.media.packets import Track
from tests.given.encoded import encoded
from tests.given.footage import House
from tests.given.fragmented import fragments_of
from tests.given.tampering import add_copies

_ALL = Span(0, 2**60)
_SECOND = 1_000_000


def _find(house: House) -> list[Part]:
    return house.footage.find(house.look(), _ALL)


def _read(house: House, part: Part) -> bytes:
    return house.footage.read(house.look(), part.seen, part.index, part.chosen)


def test_a_growing_segment_that_is_closed_and_moved_while_it_is_read_is_read_to_its_end(house: House) -> None:
    house.opt_in()
    fed = house.record(4, close=False)
    [part] = _find(house)
    whole = b"".join(one.data for one in fed)
    assert _read(house, part) == whole
    house.close()
    assert _read(house, part) == whole
    house.delivery.deliver()
    assert _read(house, part) == whole
    assert house.footage.init(house.look(), part.sealed, part.index)


def test_a_survivor_of_a_re_keyed_bucket_goes_on_playing_for_whoever_looks_already(house: House) -> None:
    house.opt_in()
    house.keep_for(timedelta(seconds=60))
    house.record(3)
    house.clock.forward(timedelta(seconds=30))
    house.record(3)
    house.delivery.deliver()
    _, part = _find(house)
    before = _read(house, part)
    house.clock.forward(timedelta(seconds=31))
    assert len(house.eraser.sweep().erased) == 1
    assert part.sealed.bucket_key_id not in house.keyring.bucket_keys()
    assert _read(house, part) == before


class _Interrupted(FolderStore):
    """Does something of another's between the look at a row and the reading of its bytes, once."""

    act: Callable[[], object] | None = None

    def read(self, name: str, offset: int, length: int) -> bytes:
        act, self.act = self.act, None
        if act is not None:
            act()
        return super().read(name, offset, length)


def _interrupt(house: House, act: Callable[[], object]) -> None:
    store = _Interrupted(house.folder / "archive")
    store.act = act
    house.footage._files._store = store


def test_bytes_that_are_destroyed_while_they_are_read_are_gone_and_no_error(house: House) -> None:
    house.opt_in()
    house.record(3)
    house.delivery.deliver()
    [part] = _find(house)
    house.footage.forget(part.sealed.segment.id)
    _interrupt(house, lambda: _destroy(house))
    with pytest.raises(FootageIsGone):
        _read(house, part)
    assert house.rows()[0].state is State.ERASED


def _destroy(house: House) -> None:
    house.clock.forward(timedelta(hours=73))
    assert not house.eraser.sweep().failed


def test_a_file_that_is_moved_between_the_look_and_the_reading_is_read_from_the_store(house: House) -> None:
    house.opt_in()
    fed = house.record(3)
    [part] = _find(house)
    with house.db.reading() as session:
        seen = segments.by_id(session, house.camera.camera_id, part.sealed.segment.id)
    assert seen is not None
    house.delivery.deliver()
    assert seen.segment.place is Place.SPOOL
    data = house.footage._files.act_on(house.look(), seen, lambda reader, _: reader.read(0, 10**9))
    assert data.count(fed[0].data) == 1


def test_a_shorter_retention_ends_a_look_that_is_under_way(house: House) -> None:
    house.opt_in()
    house.record(3)
    [part] = _find(house)
    _read(house, part)
    house.clock.forward(timedelta(seconds=20))
    with house.db.writing() as session:
        house.retention.set(session, house.granted(), timedelta(seconds=10), "")
    with pytest.raises(FootageIsGone):
        _read(house, part)


def test_a_recovered_file_plays_with_the_times_it_was_captured_at(house: House) -> None:
    house.opt_in()
    fed = house.record(4, close=False)
    house.clock.forward(timedelta(seconds=1))
    house.revive()
    [part] = _find(house)
    assert part.sealed.segment.ends_us == fed[-1].captured_until_us
    assert [entry.captured_from_us for entry in part.entries] == [one.captured_from_us for one in fed]
    assert _read(house, part) == b"".join(one.data for one in fed)


def test_one_damaged_file_keeps_no_other_from_being_played(house: House) -> None:
    house.opt_in()
    for _ in range(3):
        house.record(2)
    house.delivery.deliver()
    first, second, third = house.rows()
    path = house.folder / "archive" / second.blob_name[:2] / second.blob_name
    octets = bytearray(path.read_bytes())
    octets[-1] ^= 1
    path.write_bytes(octets)
    assert [part.sealed.segment.id for part in _find(house)] == [first.id, third.id]
    assert house.footage.damaged == 1
    assert second.ends_us is not None
    with pytest.raises(FootageIsDamaged):
        house.footage.find(house.look(), Span(second.starts_us, second.ends_us))


def test_a_file_that_is_lost_is_damage_and_not_a_time_in_which_nothing_was_recorded(house: House) -> None:
    house.opt_in()
    house.record(2)
    house.delivery.deliver()
    [row] = house.rows()
    (house.folder / "archive" / row.blob_name[:2] / row.blob_name).unlink()
    with pytest.raises(FootageIsDamaged):
        _find(house)
    assert house.footage.damaged == 1


def test_a_store_that_does_not_answer_is_told_and_hides_nothing_as_a_gap(house: House) -> None:
    house.opt_in()
    house.record(2)
    house.delivery.deliver()
    house.record(2)
    (house.folder / "archive" / "sealed-blobs-v1").rename(house.folder / "mark")
    for path in (house.folder / "archive").rglob("*"):
        if path.is_file():
            path.rename(house.folder / path.name)
    with pytest.raises(StoreUnavailable):
        _find(house)


def test_what_nobody_writes_any_more_and_recovery_has_not_closed_yet_is_not_there_yet(house: House) -> None:
    house.opt_in()
    fed = house.record(3, close=False)
    [part] = _find(house)
    house.recorder.failed()
    with pytest.raises(NoFootage):
        _find(house)
    with pytest.raises(FootageIsGone):
        _read(house, part)
    house.recorder.tidy()
    assert _read(house, part) == b"".join(one.data for one in fed)


def test_more_stretches_than_one_page_of_rows_are_all_told(house: House) -> None:
    house.opt_in()
    for _ in range(5):
        house.record(2)
        house.clock.forward(timedelta(seconds=10))
    camera_id = house.camera.camera_id
    whole = house.footage.ranges(camera_id, _ALL)
    assert len(whole) == 5
    paged = [one.segment.id for one in house.footage._all_in(camera_id, _ALL, 2)]
    assert paged == [row.id for row in house.rows()]


def test_a_span_with_more_segments_than_one_answer_is_refused_rather_than_cut_short(house: House) -> None:
    house.opt_in()
    house.record(2)
    [model] = house.rows()
    add_copies(
        house.db,
        model.id,
        [
            {
                "id": UUID(int=number),
                "blob_name": f"{number:022d}",
                "starts_us": model.starts_us - number,
                "ends_us": model.starts_us - number + 1,
            }
            for number in range(1, MOST_SEGMENTS + 2)
        ],
    )
    with pytest.raises(SpanTooLong):
        _find(house)


# -- which fragments


def _entries(*spans: tuple[Track, float, float, bool]) -> list[FragmentEntry]:
    found = []
    for number, (track, since, until, key) in enumerate(spans):
        found.append(
            FragmentEntry(track, round(since * _SECOND), round(until * _SECOND), number * 10, 10, key, number, 1)
        )
    return found


def test_sound_that_must_not_be_shown_any_more_does_not_end_what_may_be_shown() -> None:
    """Sound that was captured before a key picture may lie behind it in the file."""
    entries = _entries(
        (Track.VIDEO, 10.0, 10.5, True),
        (Track.AUDIO, 9.8, 10.3, False),
        (Track.VIDEO, 10.5, 11.0, True),
        (Track.AUDIO, 10.3, 10.8, False),
        (Track.VIDEO, 11.0, 11.5, True),
        (Track.AUDIO, 10.8, 11.3, False),
    )
    allowed = Bounds(10 * _SECOND, 2**60)
    assert selected(entries, Span(0, 20 * _SECOND), allowed) == range(2, 6)


def test_sound_that_lies_before_the_last_wanted_picture_does_not_cut_it_off() -> None:
    entries = _entries(
        (Track.VIDEO, 10.0, 10.5, True),
        (Track.AUDIO, 10.6, 10.9, False),
        (Track.VIDEO, 10.5, 11.0, False),
        (Track.VIDEO, 11.0, 11.5, False),
    )
    assert selected(entries, Span(0, round(10.55 * _SECOND)), Bounds(0, 2**60)) == range(3)


# -- film


def _film(*runs: tuple[int, float]) -> list[tuple[int, int]]:
    """(begin, end) in ticks of every video fragment of a film over runs of 2 s that began at these seconds."""
    made = encoded(2.0, gop=25)
    init = made.inits[frozenset({Track.VIDEO})]
    start_us = 10**15
    film = Film([init] * len(runs), start_us)
    times = []
    for part, (epoch, at) in enumerate(runs):
        for one in fragments_of(made.epoch(epoch), made.packets):
            entry = FragmentEntry(
                one.track,
                start_us + round(at * _SECOND),
                2**60,
                0,
                1,
                one.starts_with_key,
                one.decode_time,
                one.duration,
            )
            info = fragment_info(film.fragment(part, Line("run", epoch), entry, one.data))
            times.append((info.decode_time, info.decode_time + info.duration))
    return times


def test_a_gap_between_two_runs_is_as_long_in_the_film() -> None:
    times = _film((1, 0.0), (2, 30.0))
    assert times[len(times) // 2][0] == 30 * 90_000


def test_a_run_whose_stamps_ran_ahead_of_the_clock_does_not_reach_into_the_next() -> None:
    times = _film((1, 0.0), (2, 1.5))
    assert all(one[1] <= later[0] for one, later in itertools.pairwise(times))
    assert times[len(times) // 2][0] == 2 * 90_000


def test_a_camera_that_changes_the_rate_of_its_sound_still_has_a_film_without_it() -> None:
    both = encoded(1.0, audio=True)
    other = replace(both.tracks[1], timescale=44_100)
    inits = [both.inits[frozenset(Track)], init_for(both.inits[frozenset(Track)], [both.tracks[0], other])]
    film = Film(inits, 0)
    assert film.tracks == frozenset({Track.VIDEO})


def test_the_picture_behind_a_change_of_parameters_carries_them() -> None:
    small, large = encoded(1.0), encoded(1.0, size=(320, 192))
    video = frozenset({Track.VIDEO})
    film = Film([small.inits[video], large.inits[video]], 0)
    [first, *_] = fragments_of(large.epoch(2), large.packets)
    entry = FragmentEntry(first.track, _SECOND, 2 * _SECOND, 0, 1, True, first.decode_time, first.duration)
    changed = film.fragment(1, Line("run", 2), entry, first.data)
    assert len(changed) > len(first.data)
    assert fragment_info(changed).sample_description == 2
    again = film.fragment(1, Line("run", 2), entry, first.data)
    assert len(again) == len(first.data)

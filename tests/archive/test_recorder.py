"""The recorder writes what a permit allows and nothing else, as ciphertext, and what it wrote can be read back."""

import itertools
from datetime import timedelta

import pytest

from archive.errors import FootageIsGone, NoFootage
from archive.recorder.rules import Why
from archive.recorder.standing import micros
from archive.segments import gaps
from archive.segments.rules import Place, Span, State
from streams.media.packets import UNREAD_US, Track
from tests.given.encoded import encoded
from tests.given.footage import House
from vms_privacy.consent.rules import ConsentKind


def _played(house: House) -> bytes:
    """Everything that can be shown, as one fragmented MP4."""
    parts = house.footage.find(house.look(), Span(0, 2**60))
    out = house.footage.init(house.look(), parts[0].sealed, parts[0].index)
    for part in parts:
        out += house.footage.read(house.look(), part.seen, part.index, part.chosen)
    return out


def test_without_an_opt_in_nothing_is_written_at_all(house: House) -> None:
    house.record(3)
    assert house.rows() == []
    assert list(house.spool.iterdir()) == []
    assert house.recorder.tally.last_why == Why.NO_OPT_IN


def test_what_is_recorded_is_read_back_byte_for_byte(house: House) -> None:
    house.opt_in()
    fed = house.record(5)
    [row] = house.rows()
    assert (row.state, row.place) == (State.STORED, Place.SPOOL)
    assert row.starts_us == fed[0].captured_from_us
    assert _played(house).endswith(b"".join(one.data for one in fed))


def test_what_lies_on_the_disk_is_ciphertext(house: House) -> None:
    house.opt_in()
    fed = house.record(3)
    needles = [b"moof", b"mdat", b"avcC", fed[0].data[200:232]]
    clear = b"".join(one.data for one in fed) + _played(house)
    assert all(needle in clear for needle in needles)  # the search itself can find
    files = [path for path in house.folder.rglob("*") if path.is_file()]
    assert any(path.parent == house.spool for path in files)
    found = [(path, needle) for path in files for needle in needles if needle in path.read_bytes()]
    assert found == []


def test_nothing_that_arrived_before_the_opt_in_is_recorded(house: House) -> None:
    early = house.fragments(4, offset_s=-2.0)
    house.opt_in()
    house.recorder.begin("run-a", encoded(3, gop=25).epoch(1))
    for fragment in early:
        house.recorder.take(fragment)
    given_us = micros(house.clock.now())
    # What lay unread for a moment may have come before.
    written = [one for one in early if one.first_arrived_at_us - UNREAD_US >= given_us]
    assert 0 < len(written) < len(early)
    growing = house.recorder.growing()
    assert growing is not None
    assert growing.index.entries[0].captured_from_us >= given_us
    assert growing.index.entries[0].starts_with_key


def test_after_a_withdrawal_no_later_packet_is_written(house: House) -> None:
    house.opt_in()
    fed = house.record(4, close=False)
    house.withdraw()
    late = house.fragments(3, offset_s=0.0)
    for fragment in late:
        house.recorder.take(fragment)
    [row] = house.rows()
    assert row.state is State.STORED
    parts = house.footage.find(house.look(), Span(0, 2**60))
    assert [entry.captured_from_us for entry in parts[0].index.entries] == [one.captured_from_us for one in fed]


def test_a_withdrawal_is_seen_even_by_a_recorder_that_nobody_told(house: House) -> None:
    house.opt_in()
    house.record(4, close=False)
    with house.db.writing() as session:
        house.ledger.withdraw(
            session, house.owner.label, house.operator_id, house.camera.camera_id, ConsentKind.VIDEO_RECORDING
        )
    house.clock.forward(timedelta(milliseconds=1))
    before = house.recorder.tally.left_out
    late = house.fragments(2, offset_s=0.0)
    for fragment in late:
        house.recorder.take(fragment)
    assert house.recorder.tally.left_out == before + len(late)


def test_sound_is_recorded_only_with_an_opt_in_of_its_own(house: House) -> None:
    house.opt_in()
    house.record(3, audio=True)
    house.opt_in(ConsentKind.RECORDED_AUDIO)
    house.record(3, audio=True)
    parts = house.footage.find(house.look(), Span(0, 2**60))
    tracks = [{entry.track for entry in part.index.entries} for part in parts]
    assert tracks == [{Track.VIDEO}, {Track.VIDEO, Track.AUDIO}]


def test_segments_are_short_where_retention_is_short_and_never_overlap(house: House) -> None:
    house.opt_in()
    house.keep_for(timedelta(seconds=20))
    house.record(12)
    rows = house.rows()
    assert len(rows) >= 2
    ends = [(row.starts_us, row.ends_us or 0) for row in rows]
    assert all(end - start <= 5_000_000 for start, end in ends)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(ends))


def test_a_growing_segment_can_be_read_up_to_its_last_whole_chunk(house: House) -> None:
    house.opt_in()
    fed = house.record(4, close=False)
    assert _played(house).endswith(b"".join(one.data for one in fed))


@pytest.mark.parametrize("cut", [0, 1, 17, 500])
def test_after_a_kill_everything_in_whole_chunks_is_still_there(house: House, cut: int) -> None:
    house.opt_in()
    fed = house.record(4, close=False)
    [name] = [path.name for path in house.spool.iterdir()]
    torn = (house.spool / name).read_bytes()
    (house.spool / name).write_bytes(torn[: len(torn) - cut])
    report = house.recovery.recover()
    assert len(report.closed) == 1
    assert not report.failed
    parts = house.footage.find(house.look(), Span(0, 2**60))
    kept = [entry.captured_from_us for entry in parts[0].index.entries]
    lost = [one for one in fed if one.captured_from_us not in kept]
    assert len(lost) <= (1 if cut else 0)


def test_a_row_without_a_byte_is_taken_back(house: House) -> None:
    house.opt_in()
    house.record(2, close=False)
    for path in house.spool.iterdir():
        path.write_bytes(b"")
    report = house.recovery.recover()
    assert len(report.empty) == 1
    assert house.rows() == []
    assert list(house.spool.iterdir()) == []


def test_delivery_moves_what_is_closed_and_it_plays_from_the_store(house: House) -> None:
    house.opt_in()
    fed = house.record(3)
    assert house.delivery.deliver().is_clean
    assert list(house.spool.iterdir()) == []
    assert [row.place for row in house.rows()] == [Place.STORE]
    assert _played(house).endswith(b"".join(one.data for one in fed))


def test_a_picture_is_gone_from_its_very_second_and_the_next_one_still_there(house: House) -> None:
    house.opt_in()
    house.keep_for(timedelta(seconds=60))
    fed = house.record(6)
    keys = [one for one in fed if one.starts_with_key]
    second = keys[1]
    to_expiry = timedelta(microseconds=keys[0].captured_from_us + 60_000_000 - micros(house.clock.now()))
    house.clock.forward(to_expiry - timedelta(microseconds=1))
    assert _first_shown(house) == keys[0].captured_from_us
    house.clock.forward(timedelta(microseconds=1))
    assert _first_shown(house) == second.captured_from_us
    house.clock.forward(timedelta(seconds=60))
    with pytest.raises(FootageIsGone):
        house.footage.find(house.look(), Span(fed[0].captured_from_us, fed[-1].captured_until_us))


def test_a_time_that_was_never_recorded_has_no_footage(house: House) -> None:
    with pytest.raises(NoFootage):
        house.footage.find(house.look(), Span(1, 2))


def test_an_opted_in_camera_has_a_gap_until_its_first_key_picture(house: House) -> None:
    house.opt_in()
    given_us = micros(house.clock.now())
    fed = house.record(2)
    with house.db.reading() as session:
        found = [(gap.from_us, gap.until_us, gap.why) for gap in gaps.touching(session, house.camera.camera_id, _ALL)]
    assert found[0] == (given_us, fed[0].captured_from_us, Why.WAITING_FOR_KEY_PICTURE)
    assert found[1][1:] == (None, Why.CAMERA_LOST)


_ALL = Span(0, 2**60)


def _first_shown(house: House) -> int:
    return house.footage.find(house.look(), _ALL)[0].entries[0].captured_from_us

"""What the recorder follows while it records: the opt-in, retention and the clock, told of a change or not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from archive.erasure import store as erasures
from archive.recorder.rows import CameraRows
from archive.recorder.rules import Why
from archive.recorder.standing import ask, is_unchanged, micros
from archive.recorder.tools import NotBegun
from archive.segments.rules import Span, State
from streams.media.packets import Track
from tests.given.encoded import encoded
from tests.given.failing_db import FailingDatabase
from tests.given.footage import House
from vms_privacy.consent.rules import ConsentKind

_ALL = Span(0, 2**60)


def test_nothing_is_written_into_a_segment_of_an_opt_in_that_is_over(house: House) -> None:
    """Withdrawn and given again between two fragments, and nobody told the recorder."""
    house.opt_in()
    stream, fed = house.stream(6)
    house.recorder.begin("run-a", stream.epoch(1))
    house.take(fed[:5])
    with house.db.writing() as session:
        kind = ConsentKind.VIDEO_RECORDING
        house.ledger.withdraw(session, house.owner.label, house.operator_id, house.camera.camera_id, kind)
    house.recorder, told = house.new_recorder(), house.recorder
    house.opt_in()
    house.recorder = told
    given_us = micros(house.clock.now())
    house.take(fed[5:])
    first, second = house.rows()
    house.close()
    shown = house.shown()
    assert [one.captured_from_us for one in fed[:5]] == shown[:5]
    assert second.starts_us == next(
        one.captured_from_us for one in fed[5:] if one.starts_with_key and one.earliest_us >= given_us
    )
    assert shown[5] == second.starts_us
    assert (first.ends_us or 0) <= second.starts_us
    assert house.is_in_order


def test_a_withdrawal_closes_the_open_segment_even_if_nothing_comes_any_more(house: House) -> None:
    house.opt_in()
    house.record(3, close=False)
    house.withdraw()
    assert [row.state for row in house.rows()] == [State.STORED]
    assert house.gaps()[-1][1] is not None


def test_a_picture_captured_before_the_opt_in_is_not_recorded_however_late_it_arrives(house: House) -> None:
    early = [replace(one, first_arrived_at_us=one.last_arrived_at_us) for one in house.fragments(2, offset_s=-0.1)]
    house.opt_in()
    given_us = micros(house.clock.now())
    assert early[0].captured_from_us < given_us <= early[0].first_arrived_at_us
    house.recorder.begin("run-a", encoded(2, gop=25).epoch(1))
    house.take(early)
    assert house.rows()[0].starts_us >= given_us


def test_sound_that_is_opted_in_while_a_segment_grows_comes_with_the_next_key_picture(house: House) -> None:
    house.opt_in()
    stream, fed = house.stream(4, audio=True)
    house.recorder.begin("run-a", stream.epoch(1))
    half = len(fed) // 2
    house.take(fed[:half])
    house.opt_in(ConsentKind.RECORDED_AUDIO)
    house.take(fed[half:])
    house.close()
    parts = house.footage.find(house.look(), _ALL)
    assert [part.sealed.tracks for part in parts] == ["video", "video+audio"]
    for part in parts:
        assert {entry.track.value for entry in part.index.entries} == set(part.sealed.tracks.split("+"))


def test_sound_that_is_withdrawn_is_not_written_even_by_a_recorder_that_nobody_told(house: House) -> None:
    house.opt_in()
    house.opt_in(ConsentKind.RECORDED_AUDIO)
    stream, fed = house.stream(4, audio=True)
    house.recorder.begin("run-a", stream.epoch(1))
    half = len(fed) // 2
    house.take(fed[:half])
    with house.db.writing() as session:
        kind = ConsentKind.RECORDED_AUDIO
        house.ledger.withdraw(session, house.owner.label, house.operator_id, house.camera.camera_id, kind)
    withdrawn_us = micros(house.clock.now())
    house.take(fed[half:])
    house.close()
    entries = [entry for part in house.footage.find(house.look(), _ALL) for entry in part.index.entries]
    sound = [entry for entry in entries if entry.track is Track.AUDIO]
    assert sound
    assert max(entry.captured_from_us for entry in sound) < withdrawn_us
    assert max(entry.captured_from_us for entry in entries) > withdrawn_us


def test_a_shorter_retention_holds_for_the_very_next_segment_even_if_nobody_told_the_recorder(house: House) -> None:
    house.opt_in()
    house.record(3, close=False)
    with house.db.writing() as session:
        house.retention.set(session, house.granted(), timedelta(seconds=30), "")
    house.record(3)
    assert {row.keep_us for row in house.rows()} == {30_000_000}


def test_a_clock_set_back_a_little_lets_the_segment_before_end_earlier(house: House) -> None:
    house.opt_in()
    house.record(6)
    [before] = house.rows()
    house.clock.forward(-timedelta(seconds=3))
    fed = house.record(3)
    first, second = house.rows()
    assert second.starts_us == fed[0].captured_from_us == first.ends_us
    assert first.ends_us is not None
    assert before.ends_us is not None
    assert first.ends_us < before.ends_us
    assert house.is_in_order
    with house.db.reading() as session:
        due = erasures.due(session, before.ends_us + before.keep_us, 10)
    assert first.id in {one.id for one in due}
    with house.db.reading() as session:
        too_early = erasures.due(session, before.ends_us + before.keep_us - 1, 10)
    assert first.id not in {one.id for one in too_early}  # its last pictures are as old as they were


def test_a_clock_set_back_behind_a_whole_segment_waits_until_time_has_caught_up(house: House) -> None:
    house.opt_in()
    house.clock.forward(timedelta(seconds=60))
    house.record(3)
    [before] = house.rows()
    house.clock.forward(-timedelta(seconds=10))
    house.record(12, close=False)
    rows = house.rows()
    assert [row.starts_us > before.starts_us for row in rows] == [False, True]
    assert rows[0].ends_us == rows[1].starts_us
    assert house.recorder.tally.failures > 1
    house.close()
    assert house.is_in_order


def test_a_gap_that_was_left_open_when_an_opt_in_ended_by_itself_ends_there(house: House) -> None:
    with house.db.writing() as session:
        from_at = house.clock.now()
        ends_at = from_at + timedelta(seconds=30)
        house.opt_in_until(session, ends_at)
    house.recorder.ask_again()
    house.record(3)
    house.clock.forward(timedelta(seconds=60))
    house.opt_in()
    house.record(3)
    assert micros(ends_at) in {until for _, until, why in house.gaps() if why == Why.CAMERA_LOST}
    assert house.is_in_order


def test_an_idle_recorder_notices_that_an_opt_in_has_ended_by_itself(house: House) -> None:
    with house.db.writing() as session:
        ends_at = house.clock.now() + timedelta(seconds=30)
        house.opt_in_until(session, ends_at)
    house.recorder.ask_again()
    house.clock.forward(timedelta(seconds=60))
    house.recorder.tidy()
    assert [until for _, until, _ in house.gaps()] == [micros(ends_at)]


def test_a_stretch_that_a_running_camera_leaves_out_is_a_gap(house: House) -> None:
    house.opt_in()
    house.keep_for(timedelta(seconds=20))
    stream, fed = house.stream(12)
    hole = [one for one in fed if not 4 <= (one.captured_from_us - fed[0].captured_from_us) / 1e6 < 8]
    house.recorder.begin("run-a", stream.epoch(1))
    house.take(hole)
    house.close()
    first_after = next(one for one in hole if one.captured_from_us >= fed[0].captured_from_us + 8_000_000)
    silent = [(since, until) for since, until, why in house.gaps() if why == Why.CAMERA_SILENT]
    assert first_after.captured_from_us in {until for _, until in silent}
    assert house.is_in_order


def test_a_segment_that_may_not_begin_leaves_nothing_of_itself(house: House) -> None:
    """The last look is the transaction's own: whoever withdraws just before it, wins."""
    house.opt_in()
    [first, *_] = house.fragments(2)
    with house.db.writing() as session:
        kind = ConsentKind.VIDEO_RECORDING
        house.ledger.withdraw(session, house.owner.label, house.operator_id, house.camera.camera_id, kind)
    rows = CameraRows(house.tools, house.operator_id, house.camera.camera_id)
    with pytest.raises(NotBegun) as refused:
        rows.begin(first, "run-a", encoded(2, gop=25).epoch(1), None, Why.WAITING_FOR_KEY_PICTURE)
    assert refused.value.why is Why.WITHDRAWN
    assert house.rows() == []
    assert list(house.spool.iterdir()) == []
    assert house.keyring.bucket_keys() == frozenset()


def test_an_opt_in_ends_by_itself_while_the_database_is_away(house: House, failing_db: FailingDatabase) -> None:
    with house.db.writing() as session:
        ends_at = house.clock.now() + timedelta(seconds=5)
        house.opt_in_until(session, ends_at)
    house.recorder.ask_again()
    stream, fed = house.stream(10)
    house.recorder.begin("run-a", stream.epoch(1))
    house.take(fed[:4])
    failing_db.is_away = True
    house.take(fed[4:])
    failing_db.is_away = False
    house.recorder.tidy()
    assert house.recorder.growing() is None
    shown = house.shown()
    assert shown == [one.captured_from_us for one in fed if one.last_arrived_at_us < micros(ends_at)]
    assert 4 < len(shown) < len(fed)
    house.clock.forward(timedelta(seconds=10))
    assert house.is_in_order


def test_sound_ends_by_itself_while_the_database_is_away(house: House, failing_db: FailingDatabase) -> None:
    house.opt_in()
    ends_at = house.clock.now() + timedelta(seconds=5)
    with house.db.writing() as session:
        house.opt_in_until(session, ends_at, ConsentKind.RECORDED_AUDIO)
    house.recorder.ask_again()
    stream, fed = house.stream(8, audio=True)
    house.recorder.begin("run-a", stream.epoch(1))
    house.take(fed[:4])
    failing_db.is_away = True
    house.take(fed[4:])
    failing_db.is_away = False
    house.close()
    house.recorder.tidy()
    entries = [entry for part in house.footage.find(house.look(), _ALL) for entry in part.index.entries]
    heard = [entry.captured_until_us for entry in entries if entry.track is Track.AUDIO]
    assert len(heard) > 3
    assert max(heard) <= micros(ends_at) < max(one.captured_until_us for one in fed if one.track is Track.AUDIO)


def test_in_doubt_of_the_time_an_opt_in_ends_at_the_later_one(house: House) -> None:
    house.clock.doubt = timedelta(hours=1)
    ends_at = house.clock.for_reading() + timedelta(seconds=5)
    with house.db.writing() as session:
        house.opt_in_until(session, ends_at)
    house.recorder.ask_again()
    stream, fed = house.stream(20)
    house.recorder.begin("run-a", stream.epoch(1))
    house.take(fed)
    assert house.recorder.growing() is None
    last_us = max(row.ends_us or 0 for row in house.rows())
    assert last_us <= micros(ends_at - house.clock.doubt)


def test_a_permit_beside_which_no_opt_in_is_known_is_asked_about_again_whatever_the_heads_say(house: House) -> None:
    """A ledger that contradicts itself for a moment must not be believed for as long as a permit is good."""
    house.opt_in()
    camera_id = house.camera.camera_id
    with house.db.reading() as session:
        known = ask(session, camera_id, house.ledger, house.retention, house.clock)
    assert known.permit is not None
    assert not is_unchanged({}, camera_id, replace(known, opt_in=None))
    assert is_unchanged({}, camera_id, replace(known, opt_in=None, permit=None))

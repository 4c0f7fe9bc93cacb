"""What the recorder does when something fails: it stops loudly, loses nothing that was whole, and goes on by itself."""

import sqlite3
from contextlib import closing, nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from archive.format.sealed_file import SealedSummary, SealedWriter
from archive.recorder.growing import GrowingFile
from archive.recorder.rows import CameraRows, NotBegun
from archive.recorder.rules import Why
from archive.recorder.standing import micros
from archive.segments import gaps
from archive.segments import store as segments
from archive.segments.rules import Segment, Span, State
from streams.media.nal import FILLER, with_lengths
from streams.media.packets import Fragment, Track
from tests.given.encoded import Encoded, encoded
from tests.given.failing_db import FailingDatabase, lost_connection
from tests.given.footage import House
from tests.given.fragmented import fragments_of
from tests.given.full_disk import a_full_disk
from vms_privacy.consent.rules import ConsentKind
from vms_privacy.keyring.port import KeyringUnavailable

_ALL = Span(0, 2**60)


def _rows(house: House) -> list[Segment]:
    with house.db.reading() as session:
        return list(segments.every(session))


def _gaps(house: House) -> list[tuple[int, int | None, str]]:
    with house.db.reading() as session:
        found = gaps.touching(session, house.camera.camera_id, _ALL)
    return [(gap.from_us, gap.until_us, gap.why) for gap in found]


def _shown(house: House) -> list[int]:
    """When each fragment that can be played was captured."""
    parts = house.footage.find(house.look(), _ALL)
    return [entry.captured_from_us for part in parts for entry in part.entries if entry.track is Track.VIDEO]


def _take(house: House, fragments: list[Fragment]) -> None:
    for fragment in fragments:
        now_us = micros(house.clock.now())
        house.clock.forward(timedelta(microseconds=max(0, fragment.last_arrived_at_us - now_us)))
        house.recorder.take(fragment)


def _stream(house: House, seconds: float, *, audio: bool = False) -> tuple[Encoded, list[Fragment]]:
    return encoded(seconds, gop=25, audio=audio), house.fragments(seconds, audio=audio)


def _is_in_order(house: House) -> bool:
    return [str(one) for one in house.check().findings] == []


def _heavy(house: House, seconds: float) -> tuple[Encoded, list[Fragment]]:
    """A stream that makes a file larger than everything the database writes: each picture has a filler behind it."""
    stream = encoded(seconds, gop=25)
    filler = with_lengths([bytes((FILLER,)) + b"\xff" * 60_000 + b"\x80"])
    shift_us = micros(house.clock.now()) - stream.packets[0].arrived_at_us + 1_000_000
    moved = [
        replace(
            one,
            data=one.data + filler,
            arrived_at_us=one.arrived_at_us + shift_us,
            captured_at_us=one.captured_at_us + shift_us,
        )
        for one in stream.packets
    ]
    return stream, fragments_of(stream.epoch(1), moved)


def test_a_disk_that_fills_while_recording_costs_one_fragment_and_recording_goes_on_by_itself(house: House) -> None:
    house.opt_in()
    stream, fed = _heavy(house, 6)
    house.recorder.begin("run-a", stream.epoch(1))
    _take(house, fed[:6])
    [path] = house.spool.iterdir()
    whole = path.stat().st_size
    assert whole > max(one.stat().st_size for one in house.folder.glob("failing.db*")) + 100_000  # it has room left
    with a_full_disk(room=whole + 5_000):
        _take(house, fed[6:7])
    assert house.recorder.growing() is None
    assert _gaps(house)[-1] == (fed[5].captured_until_us, None, Why.WRITE_FAILED)
    torn = path.stat().st_size
    assert torn > whole
    _take(house, fed[7:])
    assert path.stat().st_size < torn  # cut to its last whole chunk, and nothing was handed over since
    lost = [one for one in fed if one.captured_from_us not in _shown(house)]
    failed_us = fed[6].captured_from_us
    retried_us = min(one.captured_from_us for one in fed[7:] if one.starts_with_key and one not in lost)
    assert all(failed_us <= one.captured_from_us < retried_us <= failed_us + 4_000_000 for one in lost)
    house.close()
    house.clock.forward(timedelta(seconds=10))
    assert _is_in_order(house)


def test_a_disk_that_is_full_at_the_end_of_a_segment_loses_nothing_of_it(house: House) -> None:
    house.opt_in()
    stream, fed = _heavy(house, 5)
    house.recorder.begin("run-a", stream.epoch(1))
    _take(house, fed)
    [path] = house.spool.iterdir()
    with a_full_disk(room=path.stat().st_size):
        house.close()
    assert [row.state for row in _rows(house)] == [State.WRITING]
    assert _gaps(house)[-1] == (fed[-1].captured_until_us, None, Why.CAMERA_LOST)
    house.recorder.tidy()
    assert [row.state for row in _rows(house)] == [State.STORED]
    assert _shown(house) == [one.captured_from_us for one in fed]
    house.clock.forward(timedelta(seconds=10))
    assert _is_in_order(house)


def test_no_file_can_be_made_on_a_full_disk_and_the_gap_says_so(house: House, tmp_path: Path) -> None:
    house.opt_in()
    tools = replace(house.tools, spool=tmp_path / "not-there")
    house.tools = tools
    house.recorder = house.new_recorder()
    house.recorder.ask_again()
    house.record(3, close=False)
    assert _rows(house) == []
    assert house.recorder.tally.last_why in {Why.DISK_FULL, Why.WAITING_FOR_KEY_PICTURE}
    assert house.recorder.tally.failures == 2  # at its first key picture and two seconds later: not for every fragment
    house.clock.forward(timedelta(seconds=10))
    assert _is_in_order(house)


class _BrokenPipe(SealedWriter):
    """A writer with an error that nobody foresaw."""

    def fill_chunk(self) -> None:
        raise ZeroDivisionError


def test_an_error_nobody_foresaw_leaves_the_file_to_recovery(house: House) -> None:
    house.opt_in()
    house.tools = replace(house.tools, new_writer=_BrokenPipe)
    house.recorder = house.new_recorder()
    stream, fed = _stream(house, 3)
    house.recorder.begin("run-a", stream.epoch(1))
    with pytest.raises(ZeroDivisionError):
        _take(house, fed)
    house.recorder.failed()
    assert _gaps(house)[-1][2] == Why.RECORDER_FAILED
    house.recorder.tidy()
    assert State.WRITING not in {row.state for row in _rows(house)}


@pytest.mark.parametrize("error", [OSError(5, "input/output error"), LookupError("nobody foresaw this")])
def test_a_file_whose_end_fails_in_whatever_way_is_left_to_recovery(
    house: House, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.opt_in()
    house.record(3, close=False)
    finish = GrowingFile.finish

    def failing(file: GrowingFile) -> SealedSummary:
        finish(file)
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(GrowingFile, "finish", failing)
        with nullcontext() if isinstance(error, OSError) else pytest.raises(LookupError):
            house.recorder.lost(Why.CAMERA_LOST)
    assert house.recorder.growing() is None
    assert [row.state for row in _rows(house)] == [State.WRITING]
    house.recorder.tidy()
    assert [row.state for row in _rows(house)] == [State.STORED]
    assert house.recorder.tally.failures == 1
    assert _is_in_order(house)


def test_recording_goes_on_for_a_minute_without_the_database_and_then_stops(
    house: House, failing_db: FailingDatabase
) -> None:
    house.opt_in()
    stream, fed = _stream(house, 4)
    house.recorder.begin("run-a", stream.epoch(1))
    _take(house, fed[:1])
    failing_db.is_away = True
    _take(house, fed[1:4])
    growing = house.recorder.growing()
    assert growing is not None
    assert len(growing.index.entries) == 4
    house.clock.forward(timedelta(seconds=61))
    late = [replace(one, last_arrived_at_us=one.last_arrived_at_us + 61_000_000) for one in fed[4:]]
    _take(house, late)
    assert house.recorder.growing() is None
    assert house.recorder.tally.last_why == Why.DATABASE_REFUSED
    failing_db.is_away = False
    house.record(3)
    assert _shown(house)[:4] == [one.captured_from_us for one in fed[:4]]
    house.clock.forward(timedelta(seconds=10))
    assert _is_in_order(house)
    assert Why.DATABASE_REFUSED in {why for _, _, why in _gaps(house)}


def test_a_row_whose_commit_was_never_confirmed_does_not_stop_the_camera(
    house: House, failing_db: FailingDatabase
) -> None:
    house.opt_in()
    stream, fed = _stream(house, 6)
    house.recorder.begin("run-a", stream.epoch(1))
    failing_db.after_commit = lost_connection()
    _take(house, fed)
    states = [row.state for row in _rows(house)]
    assert states == [State.WRITING]
    assert house.recorder.growing() is not None
    house.close()
    house.clock.forward(timedelta(seconds=10))
    assert _is_in_order(house)


def test_a_database_that_takes_no_commit_leaves_one_unused_key_and_one_empty_file_and_neither_once_it_is_back(
    house: House, failing_db: FailingDatabase
) -> None:
    house.opt_in()
    house.record(1)
    house.delivery.deliver()
    house.clock.forward(timedelta(hours=1))  # another hour: each beginning needs a bucket key
    before = house.keyring.bucket_keys()
    stream, fed = _stream(house, 20)
    failing_db.is_full = True
    house.recorder.begin("run-a", stream.epoch(1))
    for fragment in fed:
        _take(house, [fragment])
        assert len(house.keyring.bucket_keys() - before) <= 1
        assert len(list(house.spool.iterdir())) <= 1
    assert house.recorder.tally.failures >= 10  # each key picture was an attempt
    [spare] = house.keyring.bucket_keys() - before
    house.recorder.tidy()
    assert list(house.spool.iterdir()) == []  # also if the camera never comes back
    failing_db.is_full = False
    house.record(3)
    house.delivery.deliver()
    assert [row.state for row in _rows(house)] == [State.STORED, State.STORED]
    assert house.keyring.bucket_keys() == before | {spare}
    assert list(house.spool.iterdir()) == []
    house.clock.forward(timedelta(seconds=10))
    assert _is_in_order(house)


def test_an_error_nobody_foresaw_after_the_commit_of_a_row_leaves_neither_row_nor_file(
    house: House, failing_db: FailingDatabase
) -> None:
    house.opt_in()
    stream, fed = _stream(house, 3)
    house.recorder.begin("run-a", stream.epoch(1))
    failing_db.after_commit = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        _take(house, fed[:1])
    house.recorder.failed()
    assert [row.state for row in _rows(house)] == [State.WRITING]
    house.recorder.tidy()
    assert _rows(house) == []
    assert list(house.spool.iterdir()) == []


def test_a_beginning_that_was_committed_without_an_answer_keeps_its_bucket_key_to_its_hour(
    house: House, failing_db: FailingDatabase
) -> None:
    house.opt_in()
    stream, fed = _stream(house, 3)
    house.recorder.begin("run-a", stream.epoch(1))
    failing_db.after_commit = lost_connection()
    _take(house, fed[:1])
    house.recorder.lost(Why.CAMERA_LOST)
    [first] = house.keyring.bucket_keys()
    house.clock.forward(timedelta(hours=1))
    house.record(3)
    assert len(house.keyring.bucket_keys() - {first}) == 1
    assert [row.state for row in _rows(house)] == [State.STORED]
    house.clock.forward(timedelta(seconds=10))
    assert _is_in_order(house)


def test_a_ledger_that_contradicts_itself_stops_recording_at_once(house: House) -> None:
    house.opt_in()
    house.record(3, close=False)
    with closing(sqlite3.connect(house.db.engine.url.database or "", isolation_level=None)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE consent_head SET active_entry_id = NULL")
    stream, fed = _stream(house, 3)
    house.recorder.begin("run-b", stream.epoch(1))
    _take(house, fed)
    assert house.recorder.growing() is None
    assert house.recorder.tally.last_why == Why.LEDGER_DISAGREES
    assert len(_rows(house)) == 1


def test_nothing_is_written_into_a_segment_of_an_opt_in_that_is_over(house: House) -> None:
    """Withdrawn and given again between two fragments, and nobody told the recorder."""
    house.opt_in()
    stream, fed = _stream(house, 6)
    house.recorder.begin("run-a", stream.epoch(1))
    _take(house, fed[:5])
    with house.db.writing() as session:
        kind = ConsentKind.VIDEO_RECORDING
        house.ledger.withdraw(session, house.owner.label, house.operator_id, house.camera.camera_id, kind)
    house.recorder, told = house.new_recorder(), house.recorder
    house.opt_in()
    house.recorder = told
    given_us = micros(house.clock.now())
    _take(house, fed[5:])
    first, second = _rows(house)
    house.close()
    shown = _shown(house)
    assert [one.captured_from_us for one in fed[:5]] == shown[:5]
    assert second.starts_us == next(
        one.captured_from_us for one in fed[5:] if one.starts_with_key and one.earliest_us >= given_us
    )
    assert shown[5] == second.starts_us
    assert (first.ends_us or 0) <= second.starts_us
    assert _is_in_order(house)


def test_a_withdrawal_closes_the_open_segment_even_if_nothing_comes_any_more(house: House) -> None:
    house.opt_in()
    house.record(3, close=False)
    house.withdraw()
    assert [row.state for row in _rows(house)] == [State.STORED]
    assert _gaps(house)[-1][1] is not None


def test_a_picture_captured_before_the_opt_in_is_not_recorded_however_late_it_arrives(house: House) -> None:
    early = [replace(one, first_arrived_at_us=one.last_arrived_at_us) for one in house.fragments(2, offset_s=-0.1)]
    house.opt_in()
    given_us = micros(house.clock.now())
    assert early[0].captured_from_us < given_us <= early[0].first_arrived_at_us
    house.recorder.begin("run-a", encoded(2, gop=25).epoch(1))
    _take(house, early)
    assert _rows(house)[0].starts_us >= given_us


def test_sound_that_is_opted_in_while_a_segment_grows_comes_with_the_next_key_picture(house: House) -> None:
    house.opt_in()
    stream, fed = _stream(house, 4, audio=True)
    house.recorder.begin("run-a", stream.epoch(1))
    half = len(fed) // 2
    _take(house, fed[:half])
    house.opt_in(ConsentKind.RECORDED_AUDIO)
    _take(house, fed[half:])
    house.close()
    parts = house.footage.find(house.look(), _ALL)
    assert [part.sealed.tracks for part in parts] == ["video", "video+audio"]
    for part in parts:
        assert {entry.track.value for entry in part.index.entries} == set(part.sealed.tracks.split("+"))


def test_sound_that_is_withdrawn_is_not_written_even_by_a_recorder_that_nobody_told(house: House) -> None:
    house.opt_in()
    house.opt_in(ConsentKind.RECORDED_AUDIO)
    stream, fed = _stream(house, 4, audio=True)
    house.recorder.begin("run-a", stream.epoch(1))
    half = len(fed) // 2
    _take(house, fed[:half])
    with house.db.writing() as session:
        kind = ConsentKind.RECORDED_AUDIO
        house.ledger.withdraw(session, house.owner.label, house.operator_id, house.camera.camera_id, kind)
    withdrawn_us = micros(house.clock.now())
    _take(house, fed[half:])
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
    assert {row.keep_us for row in _rows(house)} == {30_000_000}


def test_a_clock_set_back_a_little_lets_the_segment_before_end_earlier(house: House) -> None:
    house.opt_in()
    house.record(6)
    [before] = _rows(house)
    house.clock.forward(-timedelta(seconds=3))
    fed = house.record(3)
    first, second = _rows(house)
    assert second.starts_us == fed[0].captured_from_us == first.ends_us
    assert first.ends_us is not None
    assert before.ends_us is not None
    assert first.ends_us < before.ends_us
    assert _is_in_order(house)
    with house.db.reading() as session:
        due = segments.due(session, before.ends_us + before.keep_us, 10)
    assert first.id in {one.id for one in due}
    with house.db.reading() as session:
        too_early = segments.due(session, before.ends_us + before.keep_us - 1, 10)
    assert first.id not in {one.id for one in too_early}  # its last pictures are as old as they were


def test_a_clock_set_back_behind_a_whole_segment_waits_until_time_has_caught_up(house: House) -> None:
    house.opt_in()
    house.clock.forward(timedelta(seconds=60))
    house.record(3)
    [before] = _rows(house)
    house.clock.forward(-timedelta(seconds=10))
    house.record(12, close=False)
    rows = _rows(house)
    assert [row.starts_us > before.starts_us for row in rows] == [False, True]
    assert rows[0].ends_us == rows[1].starts_us
    assert house.recorder.tally.failures > 1
    house.close()
    assert _is_in_order(house)


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
    assert micros(ends_at) in {until for _, until, why in _gaps(house) if why == Why.CAMERA_LOST}
    assert _is_in_order(house)


def test_an_idle_recorder_notices_that_an_opt_in_has_ended_by_itself(house: House) -> None:
    with house.db.writing() as session:
        ends_at = house.clock.now() + timedelta(seconds=30)
        house.opt_in_until(session, ends_at)
    house.recorder.ask_again()
    house.clock.forward(timedelta(seconds=60))
    house.recorder.tidy()
    assert [until for _, until, _ in _gaps(house)] == [micros(ends_at)]


def test_a_stretch_that_a_running_camera_leaves_out_is_a_gap(house: House) -> None:
    house.opt_in()
    house.keep_for(timedelta(seconds=20))
    stream, fed = _stream(house, 12)
    hole = [one for one in fed if not 4 <= (one.captured_from_us - fed[0].captured_from_us) / 1e6 < 8]
    house.recorder.begin("run-a", stream.epoch(1))
    _take(house, hole)
    house.close()
    first_after = next(one for one in hole if one.captured_from_us >= fed[0].captured_from_us + 8_000_000)
    silent = [(since, until) for since, until, why in _gaps(house) if why == Why.CAMERA_SILENT]
    assert first_after.captured_from_us in {until for _, until in silent}
    assert _is_in_order(house)


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
    assert _rows(house) == []
    assert list(house.spool.iterdir()) == []
    assert house.keyring.bucket_keys() == frozenset()


class _LockedKeyring:
    """Stands before a keyring and makes no bucket key."""

    def __init__(self, house: House) -> None:
        self._keyring = house.keyring

    def __getattr__(self, name: str) -> object:
        return getattr(self._keyring, name)

    def create_bucket_key(self) -> None:
        raise KeyringUnavailable("the keyring is locked", role="bucket key")


def test_without_the_keyring_nothing_is_recorded_and_the_gap_says_why(house: House) -> None:
    house.opt_in()
    house.keys._keyring = _LockedKeyring(house)  # type: ignore[assignment]
    house.record(3)
    assert _rows(house) == []
    assert list(house.spool.iterdir()) == []
    assert house.recorder.tally.failures == 2
    house.clock.forward(timedelta(seconds=10))
    assert _is_in_order(house)


# -- recovery


def test_a_spool_that_is_not_there_recovers_nothing_and_takes_no_row_back(house: House) -> None:
    house.opt_in()
    house.record(3, close=False)
    house.spool.rename(house.folder / "unmounted")
    with pytest.raises(FileNotFoundError):
        house.recovery.recover()
    (house.folder / "unmounted").rename(house.spool)
    assert len(house.recovery.recover().closed) == 1
    assert len(_shown(house)) > 5


def test_the_row_of_a_file_that_is_missing_stays_as_evidence_and_the_camera_goes_on(house: House) -> None:
    house.opt_in()
    house.record(3, close=False)
    for path in house.spool.iterdir():
        path.unlink()
    house.revive()
    [row] = _rows(house)
    assert (row.state, row.size_bytes) == (State.STORED, 0)
    house.record(3)
    assert len(_rows(house)) == 2


def test_a_growing_file_whose_key_is_gone_does_not_stop_the_camera_for_good(house: House) -> None:
    house.opt_in()
    house.record(3, close=False)
    [key] = house.keyring.bucket_keys()
    house.keyring.destroy_bucket_key(key)
    house.keys.evict([row.id for row in _rows(house)])
    report = house.revive()
    assert len(report.recovered.closed) == 1
    assert not report.recovered.failed
    house.clock.forward(timedelta(hours=1))  # another bucket
    house.record(3)
    assert [row.state for row in _rows(house)] == [State.STORED, State.STORED]


def test_stamps_that_jump_do_not_make_a_recovered_file_readable_for_longer(house: House) -> None:
    """A rebuilt index knows the camera's own stamps only; a camera may send any."""
    house.opt_in()
    stream = encoded(4.0, gop=25)
    jumping = [
        replace(one, dts=one.dts + 90_000 * 7200, pts=one.pts + 90_000 * 7200) if at >= 50 else one
        for at, one in enumerate(stream.packets)
    ]
    shift_us = micros(house.clock.now()) - stream.packets[0].arrived_at_us + 1_000_000
    moved = [
        replace(one, arrived_at_us=one.arrived_at_us + shift_us, captured_at_us=one.captured_at_us + shift_us)
        for one in jumping
    ]
    fed = fragments_of(stream.epoch(1), moved)
    house.recorder.begin("run-a", stream.epoch(1))
    _take(house, fed)
    house.clock.forward(timedelta(seconds=1))
    now_us = micros(house.clock.now())
    house.revive()
    [row] = _rows(house)
    assert row.ends_us is not None
    assert row.ends_us <= now_us
    assert max(_shown(house)) <= now_us
    house.record(3)
    assert len(_rows(house)) == 2
    assert _is_in_order(house)


def test_one_cameras_damage_keeps_no_other_from_being_accounted_for(house: House) -> None:
    house.opt_in()
    with closing(sqlite3.connect(house.db.engine.url.database or "", isolation_level=None)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE consent_entry SET answer = 'withdrawn'")
        connection.execute("UPDATE consent_entry SET answer = 'given', number = 7")
        connection.execute("UPDATE consent_head SET active_entry_id = ?", (house.camera.camera_id.hex,))
    report = house.revive()
    assert list(report.failed_cameras) == [house.camera.camera_id]

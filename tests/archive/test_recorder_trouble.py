"""What the recorder does when something fails: it stops loudly, loses nothing that was whole, and goes on by itself."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from archive.format.sealed_file import SealedSummary, SealedWriter
from archive.recorder.growing import GrowingFile
from archive.recorder.rules import Why
from archive.recorder.standing import micros
from archive.segments.rules import Span, State
from streams.media.nal import FILLER, with_lengths
from streams.media.packets import Fragment
from tests.given.encoded import Encoded, encoded
from tests.given.failing_db import FailingDatabase, lost_connection
from tests.given.footage import House
from tests.given.fragmented import fragments_of
from tests.given.full_disk import a_full_disk
from tests.given.tampering import past_the_guards
from vms_privacy.keyring.port import KeyringUnavailable

_ALL = Span(0, 2**60)


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
    house.take(fed[:6])
    [path] = house.spool.iterdir()
    whole = path.stat().st_size
    written = max((one.stat().st_size for one in house.folder.glob("failing.db*")), default=0)
    assert whole > written + 100_000  # a database in the same folder has room left
    with a_full_disk(room=whole + 5_000):
        house.take(fed[6:7])
    assert house.recorder.growing() is None
    assert house.gaps()[-1] == (fed[5].captured_until_us, None, Why.WRITE_FAILED)
    torn = path.stat().st_size
    assert torn > whole
    house.take(fed[7:])
    assert path.stat().st_size < torn  # cut to its last whole chunk, and nothing was handed over since
    lost = [one for one in fed if one.captured_from_us not in house.shown()]
    failed_us = fed[6].captured_from_us
    retried_us = min(one.captured_from_us for one in fed[7:] if one.starts_with_key and one not in lost)
    assert all(failed_us <= one.captured_from_us < retried_us <= failed_us + 4_000_000 for one in lost)
    house.close()
    house.clock.forward(timedelta(seconds=10))
    assert house.is_in_order


def test_a_disk_that_is_full_at_the_end_of_a_segment_loses_nothing_of_it(house: House) -> None:
    house.opt_in()
    stream, fed = _heavy(house, 5)
    house.recorder.begin("run-a", stream.epoch(1))
    house.take(fed)
    [path] = house.spool.iterdir()
    with a_full_disk(room=path.stat().st_size):
        house.close()
    assert [row.state for row in house.rows()] == [State.WRITING]
    assert house.gaps()[-1] == (fed[-1].captured_until_us, None, Why.CAMERA_LOST)
    house.recorder.tidy()
    assert [row.state for row in house.rows()] == [State.STORED]
    assert house.shown() == [one.captured_from_us for one in fed]
    house.clock.forward(timedelta(seconds=10))
    assert house.is_in_order


def test_no_file_can_be_made_on_a_full_disk_and_the_gap_says_so(house: House, tmp_path: Path) -> None:
    house.opt_in()
    tools = replace(house.tools, spool=tmp_path / "not-there")
    house.tools = tools
    house.recorder = house.new_recorder()
    house.recorder.ask_again()
    house.record(3, close=False)
    assert house.rows() == []
    assert house.recorder.tally.last_why in {Why.DISK_FULL, Why.WAITING_FOR_KEY_PICTURE}
    assert house.recorder.tally.failures == 2  # at its first key picture and two seconds later: not for every fragment
    house.clock.forward(timedelta(seconds=10))
    assert house.is_in_order


class _BrokenPipe(SealedWriter):
    """A writer with an error that nobody foresaw."""

    def fill_chunk(self) -> None:
        raise ZeroDivisionError


def test_an_error_nobody_foresaw_leaves_the_file_to_recovery(house: House) -> None:
    house.opt_in()
    house.tools = replace(house.tools, new_writer=_BrokenPipe)
    house.recorder = house.new_recorder()
    stream, fed = house.stream(3)
    house.recorder.begin("run-a", stream.epoch(1))
    with pytest.raises(ZeroDivisionError):
        house.take(fed)
    house.recorder.failed()
    assert house.gaps()[-1][2] == Why.RECORDER_FAILED
    house.recorder.tidy()
    assert State.WRITING not in {row.state for row in house.rows()}


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
    assert [row.state for row in house.rows()] == [State.WRITING]
    house.recorder.tidy()
    assert [row.state for row in house.rows()] == [State.STORED]
    assert house.recorder.tally.failures == 1
    assert house.is_in_order


def test_recording_goes_on_for_a_minute_without_the_database_and_then_stops(
    house: House, failing_db: FailingDatabase
) -> None:
    house.opt_in()
    stream, fed = house.stream(4)
    house.recorder.begin("run-a", stream.epoch(1))
    house.take(fed[:1])
    failing_db.is_away = True
    house.take(fed[1:4])
    growing = house.recorder.growing()
    assert growing is not None
    assert len(growing.index.entries) == 4
    house.clock.forward(timedelta(seconds=61))
    late = [replace(one, last_arrived_at_us=one.last_arrived_at_us + 61_000_000) for one in fed[4:]]
    house.take(late)
    assert house.recorder.growing() is None
    assert house.recorder.tally.last_why == Why.DATABASE_REFUSED
    failing_db.is_away = False
    house.record(3)
    assert house.shown()[:4] == [one.captured_from_us for one in fed[:4]]
    house.clock.forward(timedelta(seconds=10))
    assert house.is_in_order
    assert Why.DATABASE_REFUSED in {why for _, _, why in house.gaps()}


def test_a_row_whose_commit_was_never_confirmed_does_not_stop_the_camera(
    house: House, failing_db: FailingDatabase
) -> None:
    house.opt_in()
    stream, fed = house.stream(6)
    house.recorder.begin("run-a", stream.epoch(1))
    failing_db.after_commit = lost_connection()
    house.take(fed)
    states = [row.state for row in house.rows()]
    assert states == [State.WRITING]
    assert house.recorder.growing() is not None
    house.close()
    house.clock.forward(timedelta(seconds=10))
    assert house.is_in_order


def test_a_database_that_takes_no_commit_leaves_one_unused_key_and_one_empty_file_and_neither_once_it_is_back(
    house: House, failing_db: FailingDatabase
) -> None:
    house.opt_in()
    house.record(1)
    house.delivery.deliver()
    house.clock.forward(timedelta(hours=1))  # another hour: each beginning needs a bucket key
    before = house.keyring.bucket_keys()
    stream, fed = house.stream(20)
    failing_db.is_full = True
    house.recorder.begin("run-a", stream.epoch(1))
    for fragment in fed:
        house.take([fragment])
        assert len(house.keyring.bucket_keys() - before) <= 1
        assert len(list(house.spool.iterdir())) <= 1
    assert house.recorder.tally.failures >= 10  # each key picture was an attempt
    [spare] = house.keyring.bucket_keys() - before
    house.recorder.tidy()
    assert list(house.spool.iterdir()) == []  # also if the camera never comes back
    failing_db.is_full = False
    house.record(3)
    house.delivery.deliver()
    assert [row.state for row in house.rows()] == [State.STORED, State.STORED]
    assert house.keyring.bucket_keys() == before | {spare}
    assert list(house.spool.iterdir()) == []
    house.clock.forward(timedelta(seconds=10))
    assert house.is_in_order


def test_an_error_nobody_foresaw_after_the_commit_of_a_row_leaves_neither_row_nor_file(
    house: House, failing_db: FailingDatabase
) -> None:
    house.opt_in()
    stream, fed = house.stream(3)
    house.recorder.begin("run-a", stream.epoch(1))
    failing_db.after_commit = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        house.take(fed[:1])
    house.recorder.failed()
    assert [row.state for row in house.rows()] == [State.WRITING]
    house.recorder.tidy()
    assert house.rows() == []
    assert list(house.spool.iterdir()) == []


def test_a_beginning_that_was_committed_without_an_answer_keeps_its_bucket_key_to_its_hour(
    house: House, failing_db: FailingDatabase
) -> None:
    house.opt_in()
    stream, fed = house.stream(3)
    house.recorder.begin("run-a", stream.epoch(1))
    failing_db.after_commit = lost_connection()
    house.take(fed[:1])
    house.recorder.lost(Why.CAMERA_LOST)
    [first] = house.keyring.bucket_keys()
    house.clock.forward(timedelta(hours=1))
    house.record(3)
    assert len(house.keyring.bucket_keys() - {first}) == 1
    assert [row.state for row in house.rows()] == [State.STORED]
    house.clock.forward(timedelta(seconds=10))
    assert house.is_in_order


def test_a_ledger_that_contradicts_itself_stops_recording_at_once(house: House) -> None:
    house.opt_in()
    house.record(3, close=False)
    with past_the_guards(house.db) as run:
        run("UPDATE consent_head SET active_entry_id = NULL")
    stream, fed = house.stream(3)
    house.recorder.begin("run-b", stream.epoch(1))
    house.take(fed)
    assert house.recorder.growing() is None
    assert house.recorder.tally.last_why == Why.LEDGER_DISAGREES
    assert len(house.rows()) == 1


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
    assert house.rows() == []
    assert list(house.spool.iterdir()) == []
    assert house.recorder.tally.failures == 2
    house.clock.forward(timedelta(seconds=10))
    assert house.is_in_order

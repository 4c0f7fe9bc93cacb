"""What erasing does when something stands against it: it says so, tries again, and nobody else waits for it."""

import errno
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from archive.blobs.folder_store import FolderStore
from archive.erasure.rules import STILL_OPEN, TIME_IN_DOUBT, Step
from archive.errors import StoreUnavailable
from archive.segments.rules import Segment, State
from tests.given.failing_db import FailingDatabase, lost_connection
from tests.given.footage import House
from tests.given.tampering import past_the_guards, tamper
from vms_privacy import durable_files
from vms_privacy.ids import OperatorId, WorkerId
from vms_privacy.journal.rules import JournalKind

_MINUTE = timedelta(seconds=60)


def _sql(house: House, statement: str, *values: object) -> None:
    with past_the_guards(house.db) as run:
        run(statement, *values)


def _erasures(house: House) -> list[tuple[int, int, int]]:
    """(step, segments, attempts) of each erasure."""
    return tamper(house.db, "SELECT step, segments, attempts FROM erasure ORDER BY started_at")


def test_one_rows_damage_keeps_nothing_else_from_being_destroyed(house: House) -> None:
    """A segment whose bucket no row knows cannot be re-keyed: that is its own debt, and no other operator's."""
    first, second, third = house.record_in_turn(3)
    house.clock.forward(5 * _MINUTE)
    _sql(house, "UPDATE segment SET bucket_key_id = ?, operator_id = ? WHERE id = ?", *_nobody(), first.id.hex)
    report = house.eraser.sweep()
    assert sorted(report.erased) == sorted([second.id, third.id])
    assert list(report.failed.values()) == ["LookupError"]
    debt = house.eraser.debt(_MINUTE)
    assert (debt.segments, debt.reason, debt.attempts) == (1, "LookupError", 1)


def test_one_damaged_bucket_keeps_nothing_else_of_the_same_erasure_from_being_destroyed(house: House) -> None:
    """P12: the key and the bytes of every other hour go, the damaged one alone stays debt until it is mended."""
    house.opt_in()
    house.keep_for(2 * _MINUTE)
    for _ in range(3):
        house.record(2)
        house.clock.forward(timedelta(hours=1))
    house.delivery.deliver()
    first, damaged, third = house.rows()
    keys = house.keyring.bucket_keys()
    bucket = _bucket_of(house, damaged)
    _sql(house, "UPDATE segment SET bucket_key_id = ? WHERE id = ?", UUID(int=8).hex, damaged.id.hex)
    report = house.eraser.sweep()
    assert sorted(report.erased) == sorted([first.id, third.id])
    assert [row.state for row in house.rows()] == [State.ERASED, State.ERASING, State.ERASED]
    assert list(house.store.names()) == [damaged.blob_name]
    assert keys & house.keyring.bucket_keys() == {UUID(bucket)}
    assert list(report.failed.values()) == ["LookupError"]
    debt = house.eraser.debt(_MINUTE)
    assert (debt.segments, debt.reason, debt.attempts) == (1, "LookupError", 1)
    assert _erasures(house) == [(Step.MARKED, 3, 1)]
    _sql(house, "UPDATE segment SET bucket_key_id = ? WHERE id = ?", bucket, damaged.id.hex)
    house.clock.forward(timedelta(seconds=6))
    assert house.eraser.sweep().erased == [damaged.id]
    assert _erasures(house) == [(Step.DONE, 3, 1)]
    assert list(house.store.names()) == []
    assert keys & house.keyring.bucket_keys() == frozenset()


def _bucket_of(house: House, segment: Segment) -> str:
    [(name,)] = tamper(house.db, "SELECT bucket_key_id FROM segment WHERE id = ?", segment.id.hex)
    return str(name)


def _nobody() -> tuple[str, str]:
    return UUID(int=8).hex, UUID(int=9).hex


def test_the_key_made_for_an_attempt_that_failed_is_the_one_of_the_next(
    house: House, failing_db: FailingDatabase
) -> None:
    house.record_in_turn(2)
    house.clock.forward(timedelta(seconds=65))
    before = house.keyring.bucket_keys()
    seen: list[Step] = []

    def fail_the_first(step: Step) -> None:
        seen.append(step)
        if step is Step.NEW_BUCKET_KEY_MADE and seen.count(step) == 1:
            raise lost_connection()

    house.progress = fail_the_first
    eraser = house.new_eraser()
    report = eraser.sweep()
    assert list(report.failed.values()) == ["OperationalError"]
    [spare] = house.keyring.bucket_keys() - before
    house.clock.forward(timedelta(seconds=6))
    assert eraser.sweep().is_clean
    assert house.keyring.bucket_keys() == {spare}
    assert house.check().is_clean


def test_a_re_key_whose_commit_was_never_confirmed_is_finished_and_loses_no_survivor(
    house: House, failing_db: FailingDatabase
) -> None:
    _, second = house.record_in_turn(2)
    house.clock.forward(timedelta(seconds=65))

    def lose_the_answer(step: Step) -> None:
        if step is Step.NEW_BUCKET_KEY_MADE:
            failing_db.after_commit = lost_connection()

    house.progress = lose_the_answer
    eraser = house.new_eraser()
    assert not eraser.sweep().is_clean
    house.clock.forward(timedelta(seconds=6))
    assert eraser.sweep().is_clean
    sealed, index = house.footage.segment(house.look(), second.id)
    assert house.footage.read(house.look(), sealed, index, range(len(index.entries)))
    assert house.check().is_clean


def test_an_erasure_for_which_nothing_is_left_leaves_no_row_and_no_entry(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at what is due and its marking, another worker may have taken it."""
    monkeypatch.setattr("archive.erasure.service.BATCH", 1)
    house.opt_in()
    house.keep_for(2 * _MINUTE)
    for _ in range(2):  # each under a bucket of its own
        house.record(2)
        house.clock.forward(timedelta(hours=1))
    house.delivery.deliver()
    first, second = house.rows()
    mine, house.worker, house.progress = house.worker, WorkerId(UUID(int=2)), lambda _: None
    other = house.new_eraser()

    def take_the_rest(step: Step) -> None:
        if step is Step.MARKED:
            assert other.sweep().erased == [second.id]

    house.worker, house.progress = mine, take_the_rest
    report = house.new_eraser().sweep()
    assert report.is_clean
    assert report.erased == [first.id]
    assert _erasures(house) == [(8, 1, 0), (8, 1, 0)]
    told = [one for one in house.journal.entries() if one.kind is JournalKind.ERASURE]
    assert [one.facts["ids_0"] for one in told] == [first.id.hex, second.id.hex]


def test_an_erasure_is_not_done_while_one_of_its_segments_is_not_destroyed(house: House) -> None:
    house.record_in_turn(1)
    house.clock.forward(5 * _MINUTE)

    def lie(step: Step) -> None:
        if step is Step.KEY_DESTRUCTION_NOTED:
            _sql(house, "UPDATE segment SET key_destroyed_at = NULL")

    house.progress = lie
    report = house.new_eraser().sweep()
    assert list(report.failed.values()) == ["not-all-erased"]
    assert house.eraser.debt(_MINUTE).reason == "not-all-erased"


def test_a_failure_that_the_database_cannot_note_is_counted_all_the_same(
    house: House, failing_db: FailingDatabase
) -> None:
    house.record_in_turn(1)
    house.clock.forward(5 * _MINUTE)

    def lose_the_database(step: Step) -> None:
        failing_db.is_away = step is Step.MARKED

    house.progress = lose_the_database
    eraser = house.new_eraser()
    report = eraser.sweep()
    failing_db.is_away = False
    assert list(report.failed.values()) == ["OperationalError"]
    assert eraser.uncounted_failures == 1
    house.progress = lambda _: None
    assert house.new_eraser().sweep().is_clean
    assert [row.state for row in house.rows()] == [State.ERASED]


def test_what_waits_for_a_doubt_about_the_time_is_debt_and_says_so(house: House) -> None:
    house.record_in_turn(1)
    house.clock.forward(5 * _MINUTE)
    house.clock.doubt = timedelta(hours=1)
    assert house.eraser.sweep().erased == []
    debt = house.eraser.debt(_MINUTE)
    assert (debt.segments, debt.reason) == (1, TIME_IN_DOUBT)
    house.clock.doubt = timedelta(0)
    assert len(house.eraser.sweep().erased) == 1
    assert house.eraser.debt(_MINUTE).is_clear


def test_a_file_that_nobody_closes_becomes_debt(house: House) -> None:
    house.opt_in()
    house.keep_for(_MINUTE)
    house.record(2, close=False)
    house.clock.forward(timedelta(minutes=5))
    assert house.eraser.debt(_MINUTE).is_clear
    house.clock.forward(timedelta(minutes=5))
    debt = house.eraser.debt(_MINUTE)
    assert (debt.segments, debt.reason) == (1, STILL_OPEN)
    assert house.eraser.debt(_MINUTE, OperatorId(UUID(int=1))).is_clear


def test_shortening_reaches_a_segment_that_is_still_growing(house: House) -> None:
    house.opt_in()
    house.record(2, close=False)
    house.keep_for(timedelta(seconds=10))
    house.close()
    [row] = house.rows()
    assert row.keep_us == 10_000_000
    house.clock.forward(timedelta(seconds=9))
    assert house.eraser.sweep().erased == []
    house.clock.forward(timedelta(seconds=2))
    assert house.eraser.sweep().erased == [row.id]


class _Away(FolderStore):
    """Cannot tell whether it erased, for as long as it is told to."""

    is_away = True

    def erase(self, name: str) -> bool:
        if self.is_away:
            raise StoreUnavailable("the store does not answer")
        return super().erase(name)


def test_a_store_that_is_away_for_hours_is_asked_less_and_less_often_and_debt_is_shown_all_the_time(
    house: House,
) -> None:
    house.record_in_turn(1)
    away = _Away(house.folder / "archive")
    house.store = away
    eraser = house.new_eraser()
    house.clock.forward(5 * _MINUTE)
    for _ in range(240):
        eraser.sweep()
        house.clock.forward(_MINUTE)
        assert eraser.debt(_MINUTE).reason == "store-unavailable"
    [(_, _, attempts)] = _erasures(house)
    assert 10 < attempts < 30
    away.is_away = False
    house.clock.forward(timedelta(minutes=15))
    assert eraser.sweep().is_clean
    assert eraser.debt(_MINUTE).is_clear


def test_a_key_is_not_called_destroyed_before_the_folder_of_keys_was_synced(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P5: its page was replaced and the disk did not confirm it; that it is not there any more proves nothing yet."""
    house.record_in_turn(1)
    house.clock.forward(5 * _MINUTE)
    synced = []
    sync = durable_files.sync_folder

    def refuse(folder: Path) -> None:
        if folder.name == "buckets":
            raise OSError(errno.EIO, "the disk says no")
        sync(folder)

    def tell(folder: Path) -> None:
        sync(folder)
        synced.append(folder.name)

    monkeypatch.setattr(durable_files, "sync_folder", refuse)
    for _ in range(3):
        assert list(house.eraser.sweep().failed.values()) == ["keyring-unavailable"]
        house.clock.forward(20 * _MINUTE)
    assert [row.state for row in house.rows()] == [State.ERASING]
    monkeypatch.setattr(durable_files, "sync_folder", tell)
    assert house.eraser.sweep().is_clean
    assert [row.state for row in house.rows()] == [State.ERASED]
    assert "buckets" in synced

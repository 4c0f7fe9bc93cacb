"""Footage under the faults of docs/design/faults.md: what was promised holds meanwhile, and `check` ends clean."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from archive.blobs.s3_store import S3Store
from archive.check import Depth, Kind
from archive.erasure.rules import TIME_IN_DOUBT
from archive.errors import FootageIsDamaged, FootageIsGone
from archive.playback.service import Footage
from archive.receipts import store as receipts
from archive.receipts.rules import Valid
from archive.receipts.service import verify
from archive.segments.rules import Place, Segment, Span, State
from tests.given.checked import blob_path
from tests.given.databases import Databases
from tests.given.failing_db import FailingDatabase
from tests.given.footage import House
from tests.given.full_disk import a_full_disk
from tests.given.loose_clock import LooseClock
from tests.given.rgw import Account, Rgw
from tests.given.s3 import TERMS, bucket_of, everything_in
from tests.given.s3_wire import LossyWire, served
from vms_privacy.guarded_clock import GuardedClock
from vms_privacy.ids import SegmentId
from vms_privacy.journal.rules import JournalKind
from vms_privacy.keyring.port import KeyringUnavailable

_MINUTE = timedelta(minutes=1)
_SOON_S = 0.5
_ALL = Span(0, 2**60)


def _move_in(house: House, store: S3Store) -> None:
    house.store = store
    house.kill()
    house.join()
    house.opt_in()
    house.keep_for(2 * _MINUTE)


def _bucket(rgw: Rgw, account: Account | None = None) -> str:
    name = rgw.new_bucket(account) if account else rgw.new_bucket()
    S3Store.create(bucket_of(rgw, name, account) if account else bucket_of(rgw, name), TERMS)
    return name


def _plays(house: House, wanted: Span = _ALL) -> set[SegmentId]:
    """Which segments of a span show something now, opened anew; none if all of it is damaged or gone."""
    footage = Footage(house.db, house.clock, house.keys, house.spool, house.store, lambda _: None)
    try:
        return {part.seen.sealed.segment.id for part in footage.find(house.look(), wanted)}
    except (FootageIsDamaged, FootageIsGone):
        return set()


def _span(row: Segment) -> Span:
    return Span(row.starts_us, row.ends_us or _ALL.until_us)


def _told(house: House) -> list[tuple[str, str]]:
    """What a receipt, signed now, says of each segment and the store's answer; it verifies."""
    with house.db.writing() as session:
        (receipt_id,) = house.receipts.sign_now(session, house.operator_id, house.owner.label)
    with house.db.reading() as session:
        row = receipts.by_id(session, house.operator_id, receipt_id)
    assert row is not None
    verdict = verify(row.document, house.receipts.history)
    assert isinstance(verdict, Valid)
    return sorted((leaf["segment_id"], leaf["store_answer"]) for leaf in verdict.leaves)


def _destroyed(house: House) -> None:
    """Everything falls due, and what failed before is tried again; then nothing is left."""
    for _ in range(3):
        house.clock.forward(20 * _MINUTE)
        house.eraser.sweep()
    assert {row.state for row in house.rows()} == {State.ERASED}
    assert house.is_in_order


# -- the store


def test_a_store_that_is_paused_costs_no_picture_and_no_destruction(house: House, rgw: Rgw) -> None:
    bucket = _bucket(rgw)
    _move_in(house, S3Store(bucket_of(rgw, bucket, read_s=_SOON_S), TERMS))
    house.record(2)
    assert house.delivery.deliver().is_clean
    with rgw.paused():
        house.record(2)
        assert not house.delivery.deliver().is_clean
        [_, waiting] = house.rows()
        assert waiting.place is Place.SPOOL
        assert _plays(house, _span(waiting)) == {waiting.id}, "what waits is played all the same"
        house.clock.forward(5 * _MINUTE)
        report = house.eraser.sweep()
        assert report.failed
        debt = house.eraser.debt(_MINUTE)
        assert (debt.segments, debt.reason) == (2, "store-unavailable")
    _destroyed(house)
    assert everything_in(rgw, bucket) == []
    assert [answer for _, answer in _told(house)] == ["erased", "erased"]


def test_a_store_without_room_keeps_footage_in_the_spool_until_there_is_some(house: House, rgw: Rgw) -> None:
    account = rgw.new_account(quota_bytes=40_000)
    bucket = _bucket(rgw, account)
    _move_in(house, S3Store(bucket_of(rgw, bucket, account), TERMS))
    for _ in range(3):
        house.record(2)
    report = house.delivery.deliver()
    assert set(report.failed.values()) == {"store-is-full"}
    waiting = [row for row in house.rows() if row.place is Place.SPOOL]
    assert waiting
    assert {row.id for row in waiting} <= _plays(house), "what waits is played all the same"
    assert house.is_in_order
    _destroyed(house)
    assert everything_in(rgw, bucket, account) == []


def test_a_store_that_deleted_and_did_not_say_so_is_asked_and_the_receipt_says_erased(house: House, rgw: Rgw) -> None:
    bucket, wire = _bucket(rgw), LossyWire(rgw.port)
    with served(wire) as endpoint:
        _move_in(house, S3Store(bucket_of(rgw, bucket, endpoint=endpoint, read_s=_SOON_S), TERMS))
        for _ in range(2):
            house.record(2)
        assert house.delivery.deliver().is_clean
        house.clock.forward(3 * _MINUTE)
        wire.lose(answers_to=b"POST ")
        house.eraser.sweep()
        assert wire.lost.acquire(blocking=False), "an answer was lost"
        wire.lose()
        _destroyed(house)
    assert everything_in(rgw, bucket) == []
    assert [answer for _, answer in _told(house)] == ["erased", "erased"]


def test_an_object_that_the_store_lost_is_named_and_destroyed_like_the_others_when_it_is_due(house: House) -> None:
    lost, kept = house.record_in_turn(2)
    blob_path(house, lost.blob_name).unlink()
    assert [(one.kind, one.segment_id) for one in house.check().findings] == [(Kind.LOST, lost.id)]
    assert _plays(house) == {kept.id}, "the other one plays"
    _destroyed(house)
    assert dict(_told(house)) == {str(lost.id): "was-not-there", str(kept.id): "erased"}


def test_two_blobs_in_each_others_place_release_nothing_and_are_named(house: House) -> None:
    first, second = house.record_in_turn(2)
    one, other = (blob_path(house, row.blob_name) for row in (first, second))
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)
    found = {(finding.kind, finding.segment_id) for finding in house.check().findings}
    assert {segment_id for _, segment_id in found} == {first.id, second.id}
    assert _plays(house) == set()
    _destroyed(house)


def test_a_blob_in_whose_place_an_older_copy_was_put_releases_nothing_and_is_named(house: House) -> None:
    (row,) = house.record_in_turn(1)
    path = blob_path(house, row.blob_name)
    whole = path.read_bytes()
    # As it was while it grew: a whole number of its chunks, and no end.
    path.write_bytes(whole[: 80 + (len(whole) - 80) // 2])
    assert {finding.segment_id for finding in house.check().findings} == {row.id}
    assert _plays(house) == set()
    path.write_bytes(whole)
    assert house.is_in_order
    _destroyed(house)


# -- disks


def test_a_sweep_on_a_full_disk_destroys_nothing_by_half_and_is_done_once_there_is_room(house: House) -> None:
    """With SQLite journal, keyring and database are full at once; with PostgreSQL the first two are."""
    rows = house.record_in_turn(3)
    house.clock.forward(5 * _MINUTE)
    with a_full_disk():
        report = house.eraser.sweep()
    assert report.erased == []
    assert report.failed
    keys = house.keyring.bucket_keys()
    house.revive()
    assert house.keyring.bucket_keys() <= keys
    _destroyed(house)
    assert [segment for segment, _ in _told(house)] == sorted(str(row.id) for row in rows)


def test_a_sweep_with_no_room_for_the_journal_alone_destroys_nothing_that_it_could_not_write_down(house: House) -> None:
    rows = house.record_in_turn(3)
    keys = house.keyring.bucket_keys()
    largest = max(path.stat().st_size for path in house.folder.rglob("*") if path.is_file())
    filling: dict[str, str | int | None] = {f"filling_{at}": "x" * 200 for at in range(16)}
    journal = house.folder / "journal"
    # Whatever else the sweep writes stays below it: the journal is the one file that finds its disk full.
    while journal.stat().st_size < largest + 500_000:
        house.journal.append(JournalKind.REQUEST, filling)
    house.clock.forward(5 * _MINUTE)
    with a_full_disk(journal.stat().st_size + 8):
        report = house.eraser.sweep()
    assert (report.erased, set(report.failed.values())) == ([], {"journal-unavailable"})
    assert house.keyring.bucket_keys() == keys
    assert {row.state for row in house.rows()} == {State.STORED}
    house.revive()
    _destroyed(house)
    assert [segment for segment, _ in _told(house)] == sorted(str(row.id) for row in rows)


# -- the keyring


def test_while_the_keyring_is_missing_nothing_is_destroyed_or_taken_for_destroyed(house: House) -> None:
    rows = house.record_in_turn(2)
    there, away = house.folder / "keyring", house.folder / "elsewhere"
    house.clock.forward(5 * _MINUTE)
    there.rename(away)
    report = house.eraser.sweep()
    assert (report.erased, set(report.failed.values())) == ([], {"keyring-unavailable"})
    debt = house.eraser.debt(_MINUTE)
    assert (debt.segments, debt.reason) == (2, "keyring-unavailable")
    away.rename(there)
    _destroyed(house)
    assert [segment for segment, _ in _told(house)] == sorted(str(row.id) for row in rows)


def test_a_keyring_whose_bucket_keys_are_damaged_says_so_and_a_copy_of_them_brings_all_of_it_back(house: House) -> None:
    house.record_in_turn(2)
    buckets, copy = house.folder / "keyring" / "buckets", house.folder / "copy"
    shutil.copytree(buckets, copy)
    seen = _plays(house)
    assert seen == {row.id for row in house.rows()}
    for path in buckets.iterdir():
        path.write_bytes(b"damaged")
    house.clock.forward(timedelta(seconds=31))
    house.keyring.forget_old()
    with pytest.raises(KeyringUnavailable):
        _plays(house)
    assert house.check(Depth.OPENS).findings, "what opens nothing is found by opening"
    for path in copy.iterdir():
        shutil.copy(path, buckets)
    assert _plays(house) == seen
    assert house.is_in_order
    _destroyed(house)


# -- the clock


class _Guarded:
    """A guarded clock that a test may let run."""

    def __init__(self, machine: LooseClock, mark: Path) -> None:
        self.machine, self._guarded = machine, GuardedClock(machine, mark)
        self.now, self.for_reading = self._guarded.now, self._guarded.for_reading
        self.for_destroying, self.monotonic = self._guarded.for_destroying, self._guarded.monotonic
        self.settle = self._guarded.settle

    def forward(self, step: timedelta) -> None:
        self.machine.forward(step)


@pytest.fixture
def guarded(tmp_path: Path) -> _Guarded:
    return _Guarded(LooseClock(), tmp_path / "mark")


@pytest.fixture
def stepped(databases: Databases, guarded: _Guarded, tmp_path: Path) -> Iterator[House]:
    """A house that goes by a guarded clock."""
    database = FailingDatabase(databases.with_tables(tmp_path, "stepped"))
    made = House(database, guarded, tmp_path)  # type: ignore[arg-type]
    yield made
    made.kill()
    database.close()


def test_a_clock_set_forward_a_day_destroys_nothing_and_shows_nothing_until_it_is_settled(
    stepped: House, guarded: _Guarded
) -> None:
    stepped.record_in_turn(2)
    assert _plays(stepped)
    guarded.machine.step(timedelta(days=1))
    assert stepped.eraser.sweep().erased == []
    assert _plays(stepped) == set(), "by the later time all of it has expired"
    assert {row.state for row in stepped.rows()} == {State.STORED}
    guarded.forward(3 * _MINUTE)
    assert len(stepped.eraser.sweep().erased) == 2, "by the earlier time, too, it has now"
    assert stepped.is_in_order


def test_a_clock_set_back_an_hour_keeps_nothing_readable_longer_and_nothing_overlaps(
    stepped: House, guarded: _Guarded
) -> None:
    rows = stepped.record_in_turn(2)
    guarded.machine.step(-timedelta(hours=1))
    stepped.record(2)
    guarded.forward(3 * _MINUTE)
    assert _plays(stepped) == set(), "it expires by the time that went on"
    assert stepped.eraser.sweep().erased == []
    debt = stepped.eraser.debt(_MINUTE)
    assert debt.reason in {"", TIME_IN_DOUBT}
    guarded.machine.step(timedelta(hours=1))
    guarded.settle("ticket-4711", lambda _: None)
    stepped.delivery.deliver()
    guarded.forward(3 * _MINUTE)
    assert {row.id for row in rows} <= set(stepped.eraser.sweep().erased)
    assert stepped.is_in_order

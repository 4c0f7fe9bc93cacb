"""Destroyed means destroyed: step by step, whatever happens between two steps, and for every older copy."""

import itertools
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from archive.blobs.folder_store import FolderStore
from archive.blobs.memory_store import MemoryStore
from archive.erasure import store as erasures
from archive.erasure.rules import Step
from archive.erasure.store import Erasure, NotAllTaken
from archive.errors import FootageIsGone, StoreUnavailable
from archive.keys.wrap import SegmentKeys
from archive.mandates.rules import Cause
from archive.orders.rules import OrderKind
from archive.playback.service import Footage
from archive.receipts import store as receipts
from archive.receipts.key_history import history_of
from archive.receipts.lines import Invalid
from archive.receipts.rules import Valid
from archive.receipts.service import NothingToTell, verify
from archive.segments import store as segments
from archive.segments.rules import Segment, Span, State
from tests.given.databases import Databases
from tests.given.footage import House
from vms_privacy.db import Database
from vms_privacy.ids import ErasureId
from vms_privacy.journal.rules import JournalKind
from vms_privacy.keyring.port import KeyIsDestroyed, Purpose

_ALL = Span(0, 2**60)
_KEEP = timedelta(seconds=60)


class _Killed(BaseException):
    """The process ends here: nothing that comes after is executed, nothing is cleaned up."""


def _record_two(house: House) -> tuple[Segment, Segment]:
    """Two segments of one bucket, the first of which expires half a minute before the second."""
    house.opt_in()
    house.keep_for(_KEEP)
    house.record(3)
    house.clock.forward(timedelta(seconds=30))
    house.record(3)
    house.delivery.deliver()
    first, second = house.rows()
    return first, second


def _expire_first(house: House) -> None:
    house.clock.forward(timedelta(seconds=31))


def test_nothing_is_destroyed_before_its_last_picture_has_expired(house: House) -> None:
    first, _ = _record_two(house)
    assert first.ends_us is not None
    due = timedelta(microseconds=first.ends_us - int(house.clock.now().timestamp() * 1_000_000)) + _KEEP
    house.clock.forward(due - timedelta(microseconds=1))
    assert house.eraser.sweep().erased == []
    house.clock.forward(timedelta(microseconds=1))
    assert house.eraser.sweep().erased == [first.id]


def test_in_time_doubt_the_earlier_time_decides_about_destroying(house: House) -> None:
    _record_two(house)
    _expire_first(house)
    house.clock.doubt = timedelta(hours=1)
    assert house.eraser.sweep().erased == []
    house.clock.doubt = timedelta(0)
    assert len(house.eraser.sweep().erased) == 1


def test_an_erased_segment_leaves_no_byte_and_no_key_and_its_neighbour_plays(house: House) -> None:
    first, second = _record_two(house)
    _expire_first(house)
    old_key = _bucket_of(house, first.id)
    assert house.eraser.sweep().is_clean
    assert [(row.id, row.state) for row in house.rows()] == [(first.id, State.ERASED), (second.id, State.STORED)]
    assert list(house.store.names()) == [second.blob_name]
    assert old_key not in house.keyring.bucket_keys()
    with pytest.raises(FootageIsGone):
        house.footage.segment(house.look(), first.id)
    sealed, index = house.footage.segment(house.look(), second.id)
    assert house.footage.read(house.look(), sealed, index, range(len(index.entries)))


@pytest.mark.parametrize("last", [step for step in Step if Step.JOURNALLED <= step < Step.DONE])
def test_an_erasure_killed_after_any_step_is_finished_later(house: House, last: Step) -> None:
    first, second = _record_two(house)
    _expire_first(house)

    def die(step: Step) -> None:
        if step is last:
            raise _Killed

    house.progress = die
    with pytest.raises(_Killed):
        house.new_eraser().sweep()
    reached: list[Step] = []
    house.progress = reached.append
    assert house.new_eraser().sweep().is_clean
    assert reached[-1] is Step.DONE
    assert [row.state for row in house.rows()] == [State.ERASED, State.STORED]
    assert list(house.store.names()) == [second.blob_name]
    sealed, index = house.footage.segment(house.look(), second.id)
    assert house.footage.read(house.look(), sealed, index, range(len(index.entries)))
    with pytest.raises(FootageIsGone):
        house.footage.segment(house.look(), first.id)


def test_every_step_that_exists_is_told_in_order(house: House) -> None:
    _record_two(house)
    _expire_first(house)
    house.eraser.sweep()
    assert [step for step, _ in itertools.groupby(house.steps)] == [step for step in Step if step >= Step.JOURNALLED]


def test_an_older_copy_of_database_and_store_with_todays_keyring_opens_nothing_destroyed(
    house: House, databases: Databases, tmp_path: Path
) -> None:
    """The deciding test of design §4: one middle segment of a living bucket is destroyed; its neighbours open."""
    first, second = _record_two(house)
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copytree(tmp_path / "archive", copy / "archive")
    old = Database(databases.copy_of(house.db, copy, "old"))
    try:
        before = _thief(house, old, copy)
        sealed, index = before.segment(house.look(), first.id)
        assert before.read(house.look(), sealed, index, range(len(index.entries)))  # the copy is a good one
        _expire_first(house)
        house.eraser.sweep()
        house.clock.forward(-timedelta(seconds=31))  # the thief's clock says what it likes
        after = _thief(house, old, copy)
        with pytest.raises(KeyIsDestroyed):
            after.segment(house.look(), first.id)
        # The neighbour's wrap in the copy is under the destroyed key too: only today's database opens it.
        sealed, index = house.footage.segment(house.look(), second.id)
        assert house.footage.read(house.look(), sealed, index, range(len(index.entries)))
    finally:
        old.close()


def test_the_journal_names_what_was_erased_before_it_was(house: House) -> None:
    first, _ = _record_two(house)
    _expire_first(house)
    house.eraser.sweep()
    entries = [entry for entry in house.journal.entries() if entry.kind is JournalKind.ERASURE]
    assert first.id.hex in str(entries[0].facts["ids_0"])
    assert house.journal.verify().ok


class _Refusing(MemoryStore):
    """A store that cannot tell whether it erased, as often as it is told to."""

    refuse = 1

    def erase(self, name: str) -> bool:
        if self.refuse:
            self.refuse -= 1
            raise StoreUnavailable("the store does not answer")
        return super().erase(name)


def test_what_the_store_did_not_confirm_is_debt_until_it_does(house: House) -> None:
    first, second = _record_two(house)
    refusing = _Refusing()
    for row in (first, second):
        with (house.folder / "archive" / row.blob_name[:2] / row.blob_name).open("rb") as file:
            refusing.put(row.blob_name, file, row.size_bytes or 0)
    house.store = refusing
    eraser = house.new_eraser()
    _expire_first(house)
    report = eraser.sweep()
    assert list(report.failed.values()) == ["store-unavailable"]
    house.clock.forward(timedelta(seconds=2))
    debt = eraser.debt(timedelta(seconds=1))
    assert (debt.segments, debt.attempts, debt.reason) == (1, 1, "store-unavailable")
    assert debt.size_bytes == first.size_bytes
    assert eraser.sweep().erased == []  # not before its time: the pauses grow
    house.clock.forward(timedelta(seconds=5))
    assert first.id in eraser.sweep().erased
    assert eraser.debt(timedelta(minutes=5)).is_clear


def test_a_receipt_tells_each_destroyed_segment_once_and_verifies_offline(house: House) -> None:
    first, second = _record_two(house)
    _expire_first(house)
    house.eraser.sweep()
    with house.db.writing() as session:
        (receipt_id,) = house.receipts.sign_now(session, house.operator_id, house.owner.label)
    with house.db.reading() as session:
        row = receipts.by_id(session, house.operator_id, receipt_id)
    assert row is not None
    verdict = verify(row.document, house.receipts.history)
    assert isinstance(verdict, Valid)
    assert [leaf["segment_id"] for leaf in verdict.leaves] == [str(first.id)]
    assert str(second.id).encode() not in row.document
    for place in range(0, len(row.document), 7):
        changed = bytearray(row.document)
        changed[place] ^= 1
        assert isinstance(verify(bytes(changed), house.receipts.history), Invalid)
    others = history_of("installation-1", house.clock.now(), house.keyring.signing_terms(Purpose.TOKEN_SIGNING))
    refused = verify(row.document, others)
    assert isinstance(refused, Invalid)
    assert refused.code == "receipt-unknown-key"
    with pytest.raises(NothingToTell), house.db.writing() as session:
        house.receipts.sign_now(session, house.operator_id, house.owner.label)


def test_shorter_retention_reaches_back_and_longer_does_not(house: House) -> None:
    _record_two(house)
    house.keep_for(timedelta(hours=100))
    assert {row.keep_us for row in house.rows()} == {60_000_000}
    house.keep_for(timedelta(seconds=10))
    assert {row.keep_us for row in house.rows()} == {10_000_000}
    house.clock.forward(timedelta(seconds=11))
    assert len(house.eraser.sweep().erased) == 2


def _bucket_of(house: House, segment_id: object) -> object:
    with house.db.reading() as session:
        [found] = [
            one.bucket_key_id
            for one in segments.in_span(session, house.camera.camera_id, _ALL)
            if one.segment.id == segment_id
        ]
    return found


def _thief(house: House, old: Database, copy: Path) -> Footage:
    """Whoever has copies of database and store, and got at today's keyring, past gate and state."""
    keys = SegmentKeys(house.keyring, house.randomness, house.clock)
    return Footage(old, house.clock, keys, copy, FolderStore(copy / "archive"), lambda _: None)


def test_an_erasure_that_cannot_have_all_it_named_begins_nothing(house: House) -> None:
    """Its journal entry names them all, so it is all of them or none."""
    first, second = _record_two(house)
    erasure = Erasure(
        ErasureId(house.randomness.uuid()), house.operator_id, Cause.EXPIRY, "worker:sweep", Step.JOURNALLED, 0
    )
    house.order(OrderKind.HOLD, Span(second.starts_us, second.starts_us + 1))
    with pytest.raises(NotAllTaken), house.db.writing() as session:
        erasures.begin(session, erasure, [first, second], 1, house.clock.now())
    assert [row.state for row in house.rows()] == [State.STORED, State.STORED]

"""Receipts of what was destroyed: each tells of its time, and none holds up another."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import event, inspect

from archive.receipts import store as receipts
from archive.receipts.rules import Valid
from archive.receipts.service import DestructionIsUnproven, NothingToTell, ReceiptService, verify
from archive.segments.rules import Segment, State
from archive.segments.tables import SegmentRow
from tests.given.checked import change_behind_the_back
from tests.given.footage import House
from vms_privacy.ids import OperatorId
from vms_privacy.keyring.port import Purpose

_MINUTE = timedelta(seconds=60)


def _record(house: House, count: int) -> list[Segment]:
    """Some segments in the store, each half a minute after the one before; they are kept for two minutes."""
    house.opt_in()
    house.keep_for(2 * _MINUTE)
    for _ in range(count):
        house.record(2)
        house.clock.forward(timedelta(seconds=27))
    house.delivery.deliver()
    return house.rows()


def test_a_full_receipt_tells_of_its_time_and_the_next_one_goes_on_where_it_ends(house: House) -> None:
    rows = _record(house, 5)
    house.clock.forward(2 * _MINUTE)
    for _ in range(5):
        house.clock.forward(timedelta(seconds=30))
        house.eraser.sweep()
    assert {row.state for row in house.rows()} == {State.ERASED}
    house.clock.forward(timedelta(hours=1))
    service = ReceiptService(house.keyring, house.audit, house.clock, house.randomness, "installation-1", 2)
    signed = []
    while True:
        with house.db.writing() as session:
            found = service.sign_hourly(session)
        if not found:
            break
        signed += found
    assert len(signed) == 3
    told: list[str] = []
    ends: list[str] = []
    for receipt_id in signed:
        with house.db.reading() as session:
            row = receipts.by_id(session, house.operator_id, receipt_id)
        assert row is not None
        verdict = verify(row.document, house.keyring.public_keys(Purpose.RECEIPT_SIGNING))
        assert isinstance(verdict, Valid)
        told += [leaf["segment_id"] for leaf in verdict.leaves]
        ends.append(verdict.head["covers_until"])
        assert all(leaf["bytes_gone_at"] <= verdict.head["covers_until"] for leaf in verdict.leaves)
    assert sorted(told) == sorted(str(row.id) for row in rows)
    assert ends == sorted(ends)
    with pytest.raises(NothingToTell), house.db.writing() as session:
        service.sign_now(session, house.operator_id, house.owner.label)


def test_a_receipt_of_another_operator_is_not_there(house: House) -> None:
    _record(house, 1)
    house.clock.forward(5 * _MINUTE)
    house.eraser.sweep()
    with house.db.writing() as session:
        made = house.receipts.sign_now(session, house.operator_id, house.owner.label)
    with house.db.reading() as session:
        assert receipts.by_id(session, OperatorId(UUID(int=1)), made) is None


def test_signing_makes_no_object_of_a_segment_and_writes_once_for_many(house: House) -> None:
    """The write lock is held meanwhile: with an object each, the work grew with the square of their number."""
    rows = _record(house, 3)
    house.clock.forward(5 * _MINUTE)
    house.eraser.sweep()
    objects: list[object] = []
    written: list[str] = []

    def see_object(row: object, _: object) -> None:
        objects.append(row)

    def see_statement(*told: object) -> None:
        written.append(str(told[2]))

    event.listen(SegmentRow, "load", see_object)
    event.listen(house.db.engine, "before_cursor_execute", see_statement)
    try:
        with house.db.writing() as session:
            made = house.receipts.sign_now(session, house.operator_id, house.owner.label)
    finally:
        event.remove(SegmentRow, "load", see_object)
        event.remove(house.db.engine, "before_cursor_execute", see_statement)
    with house.db.reading() as session:
        row = receipts.by_id(session, house.operator_id, made)
    assert row is not None
    assert row.leaf_count == len(rows)
    assert objects == []
    assert [one.split()[1] for one in written if one.startswith("UPDATE")] == ["segment"]


def test_a_list_of_receipts_reads_no_document(house: House) -> None:
    """A receipt of 20,000 leaves has megabytes, and a page lists a thousand."""
    _record(house, 1)
    house.clock.forward(5 * _MINUTE)
    house.eraser.sweep()
    with house.db.writing() as session:
        made = house.receipts.sign_now(session, house.operator_id, house.owner.label)
    with house.db.reading() as session:
        [row] = receipts.of_operator(session, house.operator_id, 10, None)
        assert (row.id, row.leaf_count) == (made, 1)
        assert inspect(row).unloaded == {"document"}


@pytest.mark.parametrize("what", ["erasure_id", "key_destroyed_at"])
def test_a_destruction_that_its_row_does_not_prove_is_in_no_receipt(house: House, what: str) -> None:
    _record(house, 2)
    house.clock.forward(5 * _MINUTE)
    house.eraser.sweep()
    change_behind_the_back(house, f"UPDATE segment SET {what} = NULL WHERE id = ?", house.rows()[0].id.hex)
    with pytest.raises(DestructionIsUnproven), house.db.writing() as session:
        house.receipts.sign_now(session, house.operator_id, house.owner.label)

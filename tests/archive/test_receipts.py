"""Receipts of what was destroyed: each tells of its time, and none holds up another."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, inspect

from archive.receipts import store as receipts
from archive.receipts.rounds import sign_due
from archive.receipts.rules import Valid
from archive.receipts.service import DestructionIsUnproven, NothingToTell, ReceiptService, verify
from archive.receipts.store import Line
from archive.segments.rules import State
from archive.segments.tables import SegmentRow
from tests.given.checked import change_behind_the_back
from tests.given.footage import House
from vms_privacy.ids import OperatorId, ReceiptId

_MINUTE = timedelta(seconds=60)


def _one_signed(house: House) -> ReceiptId:
    house.record_in_turn(1)
    house.clock.forward(5 * _MINUTE)
    house.eraser.sweep()
    with house.db.writing() as session:
        [made] = house.receipts.sign_now(session, house.operator_id, house.owner.label)
        return made


def test_a_full_receipt_tells_of_its_time_and_the_next_one_goes_on_where_it_ends(house: House) -> None:
    rows = house.record_in_turn(5)
    house.clock.forward(2 * _MINUTE)
    for _ in range(5):
        house.clock.forward(timedelta(seconds=30))
        house.eraser.sweep()
    assert {row.state for row in house.rows()} == {State.ERASED}
    house.clock.forward(timedelta(hours=1))
    service = ReceiptService(house.keyring, house.audit, house.clock, house.randomness, "installation-1", 2)
    report = sign_due(house.db, service)
    assert len(report.signed) == 3
    told: list[str] = []
    ends: list[str] = []
    for receipt_id in report.signed:
        with house.db.reading() as session:
            row = receipts.by_id(session, house.operator_id, receipt_id)
        assert row is not None
        verdict = verify(row.document, house.receipts.history)
        assert isinstance(verdict, Valid)
        told += [leaf["segment_id"] for leaf in verdict.leaves]
        ends.append(verdict.head["covers_until"])
        assert all(leaf["bytes_gone_at"] <= verdict.head["covers_until"] for leaf in verdict.leaves)
    assert sorted(told) == sorted(str(row.id) for row in rows)
    assert ends == sorted(ends)
    with pytest.raises(NothingToTell), house.db.writing() as session:
        service.sign_now(session, house.operator_id, house.owner.label)


def _heads(house: House, signed: list[ReceiptId]) -> list[Mapping[str, Any]]:
    """What the heads of these receipts say, with the segments that each tells of."""
    found: list[Mapping[str, Any]] = []
    for receipt_id in signed:
        with house.db.reading() as session:
            row = receipts.by_id(session, house.operator_id, receipt_id)
        assert row is not None
        verdict = verify(row.document, house.receipts.history)
        assert isinstance(verdict, Valid)
        found.append({**verdict.head, "told": [leaf["segment_id"] for leaf in verdict.leaves]})
    return found


def test_what_was_destroyed_in_one_microsecond_is_told_once_although_no_receipt_holds_all_of_it(house: House) -> None:
    rows = house.record_in_turn(5)
    house.clock.forward(5 * _MINUTE)
    house.eraser.sweep()
    gone_at = house.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    house.clock.forward(timedelta(hours=1))
    service = ReceiptService(house.keyring, house.audit, house.clock, house.randomness, "installation-1", 2)
    first = sign_due(house.db, service, 2)
    rest = sign_due(house.db, service, 2)
    assert (len(first.signed), len(rest.signed)) == (2, 1), "so many at once, and the next job goes on"
    heads = _heads(house, first.signed + rest.signed)
    assert [one["covers_from"] for one in heads] == [gone_at] * 3
    assert [one["covers_until"] for one in heads[:2]] == [gone_at] * 2
    assert heads[2]["covers_until"] > gone_at, "one that is not full has no leaf of its end"
    assert sorted(one for head in heads for one in head["told"]) == sorted(str(row.id) for row in rows)


def test_one_operators_damaged_row_keeps_no_other_operator_from_a_receipt(house: House) -> None:
    """P12: the failure is told, each time, and costs nobody else a receipt."""
    damaged, sound = house.record_in_turn(2)
    other = OperatorId(UUID(int=1))
    house.clock.forward(5 * _MINUTE)
    house.eraser.sweep()
    house.clock.forward(timedelta(hours=1))
    statement = "UPDATE segment SET operator_id = ?, key_destroyed_at = NULL WHERE id = ?"
    change_behind_the_back(house, statement, other.hex, damaged.id.hex)
    report = sign_due(house.db, house.receipts)
    assert [one["told"] for one in _heads(house, report.signed)] == [[str(sound.id)]]
    assert report.failed == {Line(other): "destruction-is-unproven"}
    again = sign_due(house.db, house.receipts)
    assert (again.signed, again.failed) == ([], report.failed)


def test_a_receipt_of_another_operator_is_not_there(house: House) -> None:
    made = _one_signed(house)
    with house.db.reading() as session:
        assert receipts.by_id(session, OperatorId(UUID(int=1)), made) is None


def test_signing_makes_no_object_of_a_segment_and_writes_once_for_many(house: House) -> None:
    """The write lock is held meanwhile: with an object each, the work grew with the square of their number."""
    rows = house.record_in_turn(3)
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
            (made,) = house.receipts.sign_now(session, house.operator_id, house.owner.label)
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
    made = _one_signed(house)
    with house.db.reading() as session:
        [row] = receipts.of_operator(session, house.operator_id, 10, None)
        assert (row.id, row.leaf_count) == (made, 1)
        assert inspect(row).unloaded == {"document"}


@pytest.mark.parametrize("what", ["erasure_id", "key_destroyed_at"])
def test_a_destruction_that_its_row_does_not_prove_is_in_no_receipt(house: House, what: str) -> None:
    house.record_in_turn(2)
    house.clock.forward(5 * _MINUTE)
    house.eraser.sweep()
    change_behind_the_back(house, f"UPDATE segment SET {what} = NULL WHERE id = ?", house.rows()[0].id.hex)
    with pytest.raises(DestructionIsUnproven), house.db.writing() as session:
        house.receipts.sign_now(session, house.operator_id, house.owner.label)

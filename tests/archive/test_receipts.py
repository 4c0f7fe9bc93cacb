"""Receipts of what was destroyed: each tells of its time, and none holds up another."""

from datetime import timedelta
from uuid import UUID

import pytest

from archive.receipts import store as receipts
from archive.receipts.rules import Valid
from archive.receipts.service import NothingToTell, ReceiptService, verify
from archive.segments.rules import Segment, State
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

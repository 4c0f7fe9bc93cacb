"""Each operator's month is summed up once, whatever happened in it, and a receipt that is missing is seen."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from archive.receipts import store, summaries
from archive.receipts.lines import Invalid
from archive.receipts.monthly import SummaryIsSigned, check, compare
from archive.receipts.months import end_of
from archive.receipts.rounds import sign_due
from archive.receipts.summary import ValidSummary, follows
from archive.segments.rules import Span
from tests.given.checked import change_behind_the_back
from tests.given.clock import HandClock
from tests.given.failing_db import FailingDatabase, lost_connection
from tests.given.footage import House
from tests.given.tampering import plainly
from vms_privacy.audit.events import Tag
from vms_privacy.db import Database
from vms_privacy.ids import OperatorId, ReceiptId
from vms_privacy.keyring.port import KeyringUnavailable, Purpose

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_JANUARY_ENDS = datetime(2030, 2, 1, tzinfo=UTC)


def _until(clock: HandClock, moment: datetime) -> None:
    clock.forward(moment - clock.now())


def _destroy(house: House, count: int) -> list[ReceiptId]:
    """Record, destroy when it is due, and have it signed."""
    _record(house, count)
    house.clock.forward(5 * _MINUTE)
    house.eraser.sweep()
    house.clock.forward(_HOUR)
    return sign_due(house.db, house.receipts).signed


def _signed(house: House, month: str, operator_id: OperatorId | None = None) -> tuple[bytes, ValidSummary]:
    with house.db.reading() as session:
        row = summaries.of_month(session, operator_id or house.operator_id, month)
    assert row is not None
    found = check(row.document, house.receipts.history)
    assert isinstance(found, ValidSummary), found
    assert (row.receipts, row.segments) == (len(found.body["receipts"]), found.body["segments"])
    return row.document, found


def _record(house: House, count: int) -> None:
    if not house.rows():
        house.record_in_turn(count)
        return
    for _ in range(count):
        house.record(2)
    house.delivery.deliver()


def _document(house: House, receipt_id: ReceiptId) -> bytes:
    with house.db.reading() as session:
        row = store.by_id(session, house.operator_id, receipt_id)
    assert row is not None
    return row.document


def _compared(house: House, found: ValidSummary, receipts: list[ReceiptId]) -> str:
    beside = [(str(one), _document(house, one)) for one in receipts]
    refused = compare(found, beside, house.receipts.history)
    return "" if refused is None else refused.code


def test_a_month_that_is_over_is_summed_up_with_every_receipt_of_it(house: House) -> None:
    first, second = _destroy(house, 2)[0], _destroy(house, 1)[0]
    rows = house.rows()
    _until(house.clock, _JANUARY_ENDS + _HOUR)
    report = house.summaries.sign_due()
    assert (len(report.signed), report.failed) == (1, {})
    _, found = _signed(house, "2030-01")
    body = found.body
    assert [one["receipt_id"] for one in body["receipts"]] == [str(first), str(second)]
    assert (body["segments"], body["causes"]) == (3, {"expiry": 3})
    size_bytes = sum(row.size_bytes or 0 for row in rows)
    camera = {"camera_id": str(house.camera.camera_id), "segments": 3, "size_bytes": size_bytes}
    assert body["cameras"] == [camera]
    assert (body["overdue_segments"], body["previous"], body["segments_without_due"]) == (0, None, 0)
    assert _compared(house, found, [first, second]) == ""


def test_a_receipt_that_is_missing_or_beside_is_seen(house: House) -> None:
    signed = [*_destroy(house, 1), *_destroy(house, 1)]
    _until(house.clock, _JANUARY_ENDS + _HOUR)
    house.summaries.sign_due()
    _, found = _signed(house, "2030-01")
    assert _compared(house, found, signed[:1]) == "summary-receipt-missing"
    later = _destroy(house, 1)
    assert _compared(house, found, [*signed, *later]) == "", "one of another month is none of its"
    _until(house.clock, end_of("2030-02") + _HOUR)
    house.summaries.sign_due()
    _, second = _signed(house, "2030-02")
    assert _compared(house, second, [*signed, *later]) == ""
    assert follows(second, found) is None
    assert isinstance(follows(found, second), Invalid)


def test_how_late_the_latest_was_is_told_to_the_microsecond(house: House) -> None:
    house.record_in_turn(2)
    due_us = max(row.ends_us or 0 for row in house.rows()) + 120_000_000
    house.clock.forward(30 * _MINUTE)
    house.eraser.sweep()
    house.clock.forward(_HOUR)
    sign_due(house.db, house.receipts)
    swept_us = int((house.clock.now() - _HOUR).timestamp() * 1_000_000)
    _until(house.clock, _JANUARY_ENDS + _HOUR)
    house.summaries.sign_due()
    body = _signed(house, "2030-01")[1].body
    first_due_us = due_us - 29_000_000
    assert abs(body["due_to_key_destroyed_us"] - (swept_us - first_due_us)) < 1_000_000
    assert body["longest_overdue_us"] == body["due_to_bytes_gone_us"] == body["due_to_key_destroyed_us"]


def test_what_was_held_is_due_from_the_end_of_the_hold_and_not_late_for_it(house: House) -> None:
    house.record_in_turn(1)
    (row,) = house.rows()
    order = house.order(span=Span(row.starts_us, row.starts_us + 1)).order
    house.clock.forward(timedelta(days=3))
    house.eraser.sweep()
    house.lift(order)
    house.clock.forward(10 * timedelta(seconds=1))
    house.eraser.sweep()
    house.clock.forward(_HOUR)
    sign_due(house.db, house.receipts)
    _until(house.clock, _JANUARY_ENDS + _HOUR)
    house.summaries.sign_due()
    body = _signed(house, "2030-01")[1].body
    assert (body["segments"], body["due_to_key_destroyed_us"]) == (1, 10_000_000)


def test_what_is_overdue_at_its_end_is_told_although_no_receipt_does(house: House) -> None:
    house.record_in_turn(2)
    _until(house.clock, _JANUARY_ENDS + _HOUR)
    house.summaries.sign_due()
    body = _signed(house, "2030-01")[1].body
    assert (body["receipts"], body["segments"], body["overdue_segments"]) == ([], 0, 2)
    assert body["overdue_bytes"] == sum(row.size_bytes or 0 for row in house.rows())
    assert timedelta(days=16) < timedelta(microseconds=body["longest_overdue_us"]) < timedelta(days=17)


def test_a_month_in_which_nothing_was_destroyed_is_said_to_be_one(house: House) -> None:
    _until(house.clock, end_of("2030-03") + _HOUR)
    assert len(house.summaries.sign_due().signed) == 3
    found = [_signed(house, month)[1] for month in ("2030-01", "2030-02", "2030-03")]
    assert [one.body["receipts"] for one in found] == [[], [], []]
    assert [one.body["longest_overdue_us"] for one in found] == [None] * 3
    assert follows(found[1], found[0]) is None
    assert follows(found[2], found[1]) is None
    assert isinstance(follows(found[2], found[0]), Invalid), "a month that is left out is seen"


def test_no_month_is_summed_up_before_it_is_surely_over(house: House) -> None:
    _until(house.clock, _JANUARY_ENDS + _HOUR - timedelta(microseconds=1))
    assert house.summaries.sign_due().signed == []
    house.clock.doubt = timedelta(days=1)
    house.clock.forward(timedelta(microseconds=1))
    assert house.summaries.sign_due().signed == [], "in time doubt the earlier time decides"
    house.clock.doubt = timedelta(0)
    assert len(house.summaries.sign_due().signed) == 1


def test_a_month_is_summed_up_once_however_often_and_by_however_many(house: House) -> None:
    _until(house.clock, end_of("2030-02") + _HOUR)
    other = house.new_summaries()
    first = house.summaries.sign(house.operator_id, "2030-01")
    with pytest.raises(SummaryIsSigned):
        other.sign(house.operator_id, "2030-01")
    assert (len(other.sign_due().signed), house.summaries.sign_due().signed) == (1, [])
    document, _ = _signed(house, "2030-01")
    house.clock.forward(_HOUR)
    assert other.sign_due().signed == []
    assert _signed(house, "2030-01")[0] == document
    events = plainly(house.db, f"SELECT detail FROM audit_event WHERE tag = {int(Tag.SUMMARY_SIGNED)}")
    assert len(events) == 2
    assert any(str(first) in row[0] for row in events)


class _Killed(BaseException):
    """The process ends here."""


def test_what_was_cut_off_anywhere_is_gone_on_with_and_nothing_is_there_twice(
    house: House, failing_db: FailingDatabase
) -> None:
    _destroy(house, 1)
    _until(house.clock, end_of("2030-02") + _HOUR)
    failing_db.after_commit = _Killed()
    with pytest.raises(_Killed):
        house.summaries.sign_due()
    assert len(house.summaries.sign_due().signed) == 1, "the first month was durable, the second was not begun"
    failing_db.after_commit = lost_connection()
    _until(house.clock, end_of("2030-03") + _HOUR)
    report = house.summaries.sign_due()
    assert (report.signed, report.failed) == ([], {house.operator_id: "OperationalError"})
    assert house.summaries.sign_due().signed == [], "its commit had arrived"
    assert _months(house.db) == ["2030-01", "2030-02", "2030-03"]


def test_a_database_or_keyring_that_is_away_is_told_and_the_next_round_signs(
    house: House, failing_db: FailingDatabase
) -> None:
    _until(house.clock, _JANUARY_ENDS + _HOUR)
    failing_db.is_full = True
    assert house.summaries.sign_due().failed == {house.operator_id: "OperationalError"}
    failing_db.is_full = False
    keyring = _Away(house)
    assert house.new_summaries(keyring).sign_due().failed == {house.operator_id: "keyring-unavailable"}
    assert _months(house.db) == []
    assert len(house.summaries.sign_due().signed) == 1


class _Away:
    """A keyring that can be asked for everything but a signature."""

    def __init__(self, house: House) -> None:
        self._keyring = house.keyring

    def __getattr__(self, name: str) -> Any:
        return getattr(self._keyring, name)

    def sign(self, purpose: Purpose, message: bytes) -> tuple[str, bytes]:
        raise KeyringUnavailable("its disk is away")


def test_a_receipt_that_somebody_changed_stops_its_operators_summaries_alone(house: House) -> None:
    (receipt_id,) = _destroy(house, 1)
    other = OperatorId(house.randomness.uuid())
    _add_operator(house, other)
    document = bytearray(_document(house, receipt_id))
    document[-10] ^= 1
    change_behind_the_back(house, "UPDATE receipt SET document = ? WHERE id = ?", bytes(document), receipt_id.hex)
    _until(house.clock, _JANUARY_ENDS + _HOUR)
    for _ in range(2):
        report = house.summaries.sign_due()
        assert report.failed == {house.operator_id: "receipt-does-not-hold"}
    assert _signed(house, "2030-01", other)[1].body["receipts"] == []
    document[-10] ^= 1
    change_behind_the_back(house, "UPDATE receipt SET document = ? WHERE id = ?", bytes(document), receipt_id.hex)
    assert len(house.summaries.sign_due().signed) == 1


def test_a_receipt_that_comes_late_is_listed_in_the_next_summary_and_no_receipt_in_two(house: House) -> None:
    """A clock that was set back signs into a month that is summed up already."""
    signed = _destroy(house, 1)
    _until(house.clock, _JANUARY_ENDS + _HOUR)
    house.summaries.sign_due()
    house.clock.forward(-timedelta(days=2))
    late = _destroy(house, 1)
    _until(house.clock, end_of("2030-02") + _HOUR)
    house.summaries.sign_due()
    first, second = (_signed(house, month)[1] for month in ("2030-01", "2030-02"))
    assert [one["receipt_id"] for one in first.body["receipts"]] == [str(one) for one in signed]
    assert [one["receipt_id"] for one in second.body["receipts"]] == [str(one) for one in late]
    assert _compared(house, first, [*signed, *late]) == "summary-receipt-unlisted"
    assert _compared(house, second, [*signed, *late]) == ""


def test_a_receipt_added_while_the_others_are_read_is_not_left_out(house: House) -> None:
    _destroy(house, 1)
    _record(house, 1)
    house.clock.forward(5 * _MINUTE)
    house.eraser.sweep()

    class Slow(type(house.summaries)):  # type: ignore[misc]
        def _read(self, *told: Any) -> Any:
            totals = super()._read(*told)
            with house.db.writing() as session:
                house.receipts.sign_now(session, house.operator_id, house.owner.label)
            return totals

    slow = Slow(house.db, house.keyring, house.receipts, house.audit, house.clock, house.randomness, _MINUTE)
    with pytest.raises(SummaryIsSigned):
        slow.sign(house.operator_id, "2030-01")
    house.summaries.sign(house.operator_id, "2030-01")
    assert len(_signed(house, "2030-01")[1].body["receipts"]) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE receipt_summary SET segments = 0",
        "UPDATE receipt_summary SET document = document",
        "DELETE FROM receipt_summary",
        "DELETE FROM receipt_summed",
        "UPDATE receipt_summed SET summary_id = summary_id",
        "INSERT INTO receipt_summed SELECT receipt_id, summary_id FROM receipt_summed",
    ],
)
def test_the_database_itself_keeps_a_summary_as_it_was_signed(house: House, statement: str) -> None:
    _destroy(house, 1)
    _until(house.clock, _JANUARY_ENDS + _HOUR)
    house.summaries.sign_due()
    with pytest.raises(IntegrityError):
        plainly(house.db, statement)
    assert _months(house.db) == ["2030-01"]


def test_a_summary_with_any_byte_changed_is_refused(house: House) -> None:
    _destroy(house, 1)
    _until(house.clock, _JANUARY_ENDS + _HOUR)
    house.summaries.sign_due()
    document, _ = _signed(house, "2030-01")
    history = house.receipts.history
    for at in range(len(document)):
        changed = document[:at] + bytes([document[at] ^ 1]) + document[at + 1 :]
        refused = check(changed, history)
        assert isinstance(refused, Invalid), at
        assert refused.code.startswith(("summary-", "not-a-summary"))


def _months(db: Database) -> list[str]:
    return [row[0] for row in plainly(db, "SELECT month FROM receipt_summary ORDER BY month")]


def _add_operator(house: House, operator_id: OperatorId) -> None:
    plainly(
        house.db,
        "INSERT INTO operator (id, name, title, created_at) SELECT :id, 'south', 'South', created_at FROM operator",
        id=operator_id.hex,
    )

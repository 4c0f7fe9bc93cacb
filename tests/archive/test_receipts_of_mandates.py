"""What a request, a withdrawal or an off-boarding had destroyed has receipts of its own, and tells of no hold."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from archive.erasure.rules import Step
from archive.mandates.replay import replay_mandates
from archive.mandates.rules import Cause
from archive.receipts import store as receipts
from archive.receipts import summaries
from archive.receipts.lines import an_object
from archive.receipts.rounds import sign_due
from archive.receipts.rules import Valid
from archive.receipts.service import ReceiptService, verify
from archive.segments.rules import Segment, Span, State
from tests.given.footage import House
from tests.given.tampering import past_the_guards
from vms_privacy.ids import MandateId, ReceiptId
from vms_privacy.journal.rules import JournalKind

_MINUTE = timedelta(seconds=60)
REQUEST = "5b1f0f5e-8d0c-4a87-9f0e-0f3c2a8f7d11"
ANOTHER = "5b1f0f5e-8d0c-4a87-9f0e-0f3c2a8f7d12"


class _Killed(BaseException):
    """The process ends here: nothing that comes after is executed, nothing is cleaned up."""


def _die_at(step: Step) -> Callable[[Step], None]:
    def die(reached: Step) -> None:
        if reached is step:
            raise _Killed

    return die


def _recorded(house: House, count: int = 3) -> list[Segment]:
    """Some segments, one after the other, none of which is expired."""
    house.opt_in()
    for _ in range(count):
        house.record(3)
        house.clock.forward(timedelta(seconds=30))
    return house.rows()


def _destroy(house: House, *rows: Segment, reference: str = REQUEST, cause: Cause = Cause.REQUEST) -> None:
    for row in rows:
        assert row.ends_us is not None
        house.mandate(Span(row.starts_us - 1_000_000, row.ends_us + 1_000_000), cause, reference)


def _read(house: House, signed: Sequence[ReceiptId]) -> list[Valid]:
    found = []
    for one in signed:
        with house.db.reading() as session:
            row = receipts.by_id(session, house.operator_id, one)
        assert row is not None
        verdict = verify(row.document, house.receipts.history)
        assert isinstance(verdict, Valid)
        assert verdict.head["kind"] == row.kind
        found.append(verdict)
    return found


def _told(receipt: Valid) -> list[str]:
    return [leaf["segment_id"] for leaf in receipt.leaves]


def _kinds(house: House, signed: Sequence[ReceiptId]) -> dict[str, list[str]]:
    return {str(one.head["kind"]): _told(one) for one in _read(house, signed)}


@pytest.mark.parametrize("cause", [Cause.REQUEST, Cause.WITHDRAWAL, Cause.OFF_BOARDING])
def test_what_mandates_had_destroyed_has_a_receipt_at_once_with_who_decided_what(house: House, cause: Cause) -> None:
    first, second, third = _recorded(house)
    _destroy(house, first, third, cause=cause)
    assert house.eraser.sweep().is_clean
    signed = sign_due(house.db, house.receipts)
    assert not signed.failed
    (receipt,) = _read(house, signed.signed)
    assert (receipt.head["kind"], receipt.head["reference"]) == (str(cause), REQUEST)
    assert sorted(_told(receipt)) == sorted([str(first.id), str(third.id)])
    with house.db.reading() as session:
        standing = house.mandates.of_operator(session, house.operator_id, only_standing=False)
        assert all(receipts.of_mandate(session, one.id) == signed.signed for one in standing)
    told = {one["mandate_id"]: one for one in receipt.head["mandates"]}
    assert set(told) == {str(one.id) for one in standing}
    for mandate in standing:
        one = told[str(mandate.id)]
        assert (one["proposed_by"], one["approved_by"]) == (mandate.proposed_by, mandate.approved_by)
        assert one["camera_id"] == str(mandate.camera_id)
        assert one["asked_from"] < one["asked_until"] <= one["placed_at"]
    assert house.rows()[1].state is State.STORED
    assert str(second.id) not in _told(receipt)
    assert sign_due(house.db, house.receipts).signed == [], "each is told of once"


def test_what_expired_is_in_the_hourly_one_and_in_no_receipt_of_a_request(house: House) -> None:
    house.keep_for(timedelta(seconds=60))
    first, second, third = _recorded(house)
    _destroy(house, second)
    house.clock.forward(5 * _MINUTE)
    assert house.eraser.sweep().is_clean
    house.clock.forward(timedelta(hours=1))
    kinds = _kinds(house, sign_due(house.db, house.receipts).signed)
    assert kinds["request"] == [str(second.id)]
    assert sorted(kinds["hourly"]) == sorted([str(first.id), str(third.id)])


def test_on_demand_there_is_one_of_each_request_and_one_over_the_rest(house: House) -> None:
    house.keep_for(timedelta(seconds=60))
    first, second, third = _recorded(house)
    _destroy(house, first)
    _destroy(house, second, reference="b" + REQUEST[1:])
    house.clock.forward(5 * _MINUTE)
    assert house.eraser.sweep().is_clean
    with house.db.writing() as session:
        made = house.receipts.sign_now(session, house.operator_id, house.owner.label)
    told = {(one.head["kind"], one.head.get("reference")): _told(one) for one in _read(house, made)}
    assert told == {
        ("on-demand", None): [str(third.id)],
        ("request", REQUEST): [str(first.id)],
        ("request", "b" + REQUEST[1:]): [str(second.id)],
    }


def test_the_words_of_people_are_in_no_receipt(house: House) -> None:
    """P9: ids, not names; a reference may be anything that somebody typed."""
    words = "letter of Ida Invented"
    _destroy(house, _recorded(house, 1)[0], reference=words)
    house.eraser.sweep()
    (made,) = sign_due(house.db, house.receipts).signed
    (receipt,) = _read(house, [made])
    assert receipt.head["reference"] is None
    with house.db.reading() as session:
        row = receipts.by_id(session, house.operator_id, made)
    assert row is not None
    assert b"Invented" not in row.document
    assert REQUEST.encode() not in row.document


def test_whether_something_is_held_shows_neither_in_the_receipt_nor_in_its_time(house: House) -> None:
    """P6: a receipt is given to whoever asked for the erasure, and they may not know of holds."""
    first, second, _ = _recorded(house)
    house.order(span=Span(second.starts_us, second.starts_us + 1))
    assert first.ends_us is not None
    assert second.ends_us is not None
    house.mandate(Span(first.starts_us - 1, second.ends_us + 1_000_000), Cause.REQUEST, REQUEST)
    assert house.eraser.sweep().is_clean
    signed = sign_due(house.db, house.receipts).signed
    (receipt,) = _read(house, signed)
    assert _told(receipt) == [str(first.id)], "signed at once, as if nothing were left"
    (mandate,) = receipt.head["mandates"]
    assert set(mandate) == {
        "mandate_id",
        "camera_id",
        "asked_from",
        "asked_until",
        "proposed_by",
        "approved_by",
        "placed_at",
    }


def test_while_something_is_under_way_the_receipt_waits_for_it_or_for_the_hour(house: House) -> None:
    first, second, _ = _recorded(house)
    _destroy(house, first)
    assert house.eraser.sweep().is_clean
    _destroy(house, second)
    house.progress = _die_at(Step.OLD_BUCKET_KEY_DESTROYED)
    with pytest.raises(_Killed):
        house.new_eraser().sweep()
    house.progress = lambda _: None
    assert sign_due(house.db, house.receipts).signed == [], "one receipt is to tell of both"
    house.clock.forward(timedelta(hours=1))
    (receipt,) = _read(house, sign_due(house.db, house.receipts).signed)
    assert _told(receipt) == [str(first.id)]
    house.clock.forward(timedelta(hours=1))
    assert house.new_eraser().sweep().is_clean
    (receipt,) = _read(house, sign_due(house.db, house.receipts).signed)
    assert _told(receipt) == [str(second.id)]


def test_a_full_receipt_of_a_request_is_gone_on_with_and_each_names_its_own_mandates(house: House) -> None:
    rows = _recorded(house, 5)
    _destroy(house, *rows)
    assert house.eraser.sweep().is_clean
    service = ReceiptService(house.keyring, house.audit, house.clock, house.randomness, "installation-1", 2)
    found = _read(house, sign_due(house.db, service).signed)
    assert sorted(len(one.leaves) for one in found) == [1, 2, 2]
    assert sorted(name for one in found for name in _told(one)) == sorted(str(row.id) for row in rows)
    assert all(len(one.head["mandates"]) == len(one.leaves) for one in found)


@pytest.mark.parametrize(
    "statement", ["UPDATE receipt_mandate SET mandate_id = receipt_id", "DELETE FROM receipt_mandate"]
)
def test_the_database_keeps_which_mandates_a_receipt_tells_of(house: House, statement: str) -> None:
    _destroy(house, _recorded(house, 1)[0])
    house.eraser.sweep()
    (made,) = sign_due(house.db, house.receipts).signed
    with pytest.raises(DBAPIError), house.db.writing() as session:
        session.execute(text(statement))
    with house.db.reading() as session:
        (linked,) = receipts.mandates_of(session, [made])[made]
        assert receipts.of_mandate(session, linked) == [made]
        assert receipts.of_mandate(session, MandateId(UUID(int=7))) == []


def test_a_months_summary_counts_what_requests_destroyed_once(house: House) -> None:
    house.keep_for(timedelta(seconds=60))
    first, *_ = _recorded(house)
    _destroy(house, first)
    house.clock.forward(5 * _MINUTE)
    assert house.eraser.sweep().is_clean
    house.clock.forward(timedelta(hours=1))
    assert not sign_due(house.db, house.receipts).failed
    house.clock.forward(timedelta(days=40))
    report = house.summaries.sign_due()
    assert report.failed == {}
    with house.db.reading() as session:
        row = summaries.of_month(session, house.operator_id, "2030-01")
    assert row is not None
    body = an_object(row.document.split(b"\n")[1])
    assert body is not None
    assert sorted(one["kind"] for one in body["receipts"]) == ["hourly", "request"]
    assert (body["segments"], body["causes"]) == (3, {"expiry": 2, "request": 1})


def _lose_mandates(house: House) -> None:
    """What an older database in the place of the present one has lost, and what it is told again."""
    with past_the_guards(house.db) as run:
        run("DELETE FROM mandate")
    with house.db.writing() as session:
        assert replay_mandates(session, house.journal.entries(), house.audit, house.clock)


@pytest.mark.parametrize("references", [(REQUEST, ANOTHER), ("a letter of last week", "another letter")])
def test_two_requests_that_stand_again_after_a_restore_have_receipts_of_their_own(
    house: House, references: tuple[str, str]
) -> None:
    first, second, _ = _recorded(house)
    for row, reference in zip((first, second), references, strict=True):
        _destroy(house, row, reference=reference)
    _lose_mandates(house)
    assert house.eraser.sweep().is_clean
    found = _read(house, sign_due(house.db, house.receipts).signed)
    assert sorted(map(_told, found)) == sorted([[str(first.id)], [str(second.id)]])
    assert [len(one.head["mandates"]) for one in found] == [1, 1]
    mandates = [one.head["mandates"][0]["mandate_id"] for one in found]
    assert sorted(one.head["reference"] for one in found) == sorted(references if REQUEST in references else mandates)


def test_what_one_request_had_destroyed_by_two_mandates_has_one_receipt_after_a_restore(house: House) -> None:
    first, second, _ = _recorded(house)
    _destroy(house, first, second)
    _lose_mandates(house)
    assert house.eraser.sweep().is_clean
    (receipt,) = _read(house, sign_due(house.db, house.receipts).signed)
    assert receipt.head["reference"] == REQUEST
    assert sorted(_told(receipt)) == sorted([str(first.id), str(second.id)])


def test_the_words_of_people_about_a_mandate_are_not_in_the_journal(house: House) -> None:
    first, second, _ = _recorded(house)
    _destroy(house, first, reference="a letter of last week")
    _destroy(house, second)
    told = [one.facts["reference"] for one in house.journal.entries() if one.kind is JournalKind.MANDATE]
    assert told == [None, REQUEST]


def test_an_older_entry_without_a_reference_stands_again_by_the_mandates_own_id(house: House) -> None:
    first, second, _ = _recorded(house)
    mandates = [str(house.randomness.uuid()) for _ in range(2)]
    for mandate, row in zip(mandates, (first, second), strict=True):
        assert row.ends_us is not None
        facts = {"mandate": mandate, "operator": str(house.operator_id), "camera": str(house.camera.camera_id)}
        span = {"from_us": row.starts_us - 1_000_000, "until_us": row.ends_us + 1_000_000}
        house.journal.append(JournalKind.MANDATE, {**facts, "cause": str(Cause.REQUEST), **span})
    with house.db.writing() as session:
        assert replay_mandates(session, house.journal.entries(), house.audit, house.clock) == 2
    assert house.eraser.sweep().is_clean
    found = _read(house, sign_due(house.db, house.receipts).signed)
    assert sorted(one.head["reference"] for one in found) == sorted(mandates)

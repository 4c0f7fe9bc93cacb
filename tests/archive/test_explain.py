"""Why, asked of real footage through its whole life."""

from datetime import timedelta

from archive.explain.rules import Answer, MayKnow, What
from archive.explain.service import Explainer
from archive.orders.rules import OrderKind
from archive.recorder.standing import micros
from archive.segments.rules import Span
from tests.given.footage import House
from vms_privacy.subject_requests.service import RequestService

AUDITOR = MayKnow(holds=True, proof=True)
VIEWER = MayKnow(holds=False, proof=False)
MINUTE = timedelta(minutes=1)


def why(house: House, moment_us: int, may: MayKnow = AUDITOR) -> Answer:
    requests = RequestService(house.audit, house.journal, house.clock, house.randomness, house.keyring)
    explainer = Explainer(house.ledger, requests, house.clock, MINUTE)
    with house.db.reading() as session:
        return explainer.why(session, house.camera.camera_id, moment_us, may)


def codes(answer: Answer) -> list[str]:
    return [one.code for one in answer.because]


def test_a_moment_is_explained_from_before_the_opt_in_to_its_receipt(house: House) -> None:
    before_us = micros(house.clock.now()) - 1
    assert why(house, before_us).what is What.NEVER_RECORDED
    assert why(house, micros(house.clock.now()) + 1).what is What.NOT_YET
    house.opt_in()
    house.keep_for(2 * MINUTE)
    house.record(2, close=False)
    [row] = house.rows()
    inside_us = row.starts_us + 1_000_000
    assert why(house, inside_us).what is What.BEING_RECORDED
    house.close()
    kept = why(house, inside_us)
    assert (kept.what, kept.readable_until_us) == (What.KEPT, inside_us + 120_000_000)
    assert kept.then is not None
    assert (kept.then.code, kept.then.at_us) == ("expires", kept.readable_until_us)
    house.clock.forward(2 * MINUTE)
    expired = why(house, inside_us)
    assert (expired.what, expired.readable_until_us) == (What.EXPIRED, None)
    assert expired.then is not None
    assert expired.then.code == "destroyed"
    house.clock.forward(MINUTE)
    house.eraser.sweep()
    destroyed = why(house, inside_us)
    assert (destroyed.what, codes(destroyed)) == (
        What.DESTROYED,
        ["expired", "receipt-comes-within-the-hour", "key-destroyed"],
    )
    with house.db.writing() as session:
        (receipt,) = house.receipts.sign_now(session, house.operator_id, house.owner.label)
    assert [one.about for one in why(house, inside_us).because if one.code == "receipt"] == [str(receipt)]
    assert why(house, inside_us, VIEWER).what is What.EXPIRED


def test_a_hold_and_a_restriction_are_named_to_who_may_know(house: House) -> None:
    [row] = house.record_in_turn(1)
    inside_us = row.starts_us + 1_000_000
    house.order(OrderKind.HOLD, Span(row.starts_us, row.starts_us + 2_000_000))
    assert codes(why(house, inside_us)) == ["opt-in", "retention", "hold"]
    assert codes(why(house, inside_us, VIEWER)) == ["opt-in", "retention"]
    house.clock.forward(10 * MINUTE)
    held = why(house, inside_us)
    assert (held.what, held.because[0].about) == (What.HELD, "2026/17")
    assert why(house, inside_us, VIEWER).what is What.EXPIRED
    house.order(OrderKind.RESTRICTION, Span(row.starts_us, row.starts_us + 2_000_000))
    assert why(house, inside_us).what is What.RESTRICTED
    assert why(house, inside_us, VIEWER).what is What.EXPIRED


def test_what_is_restricted_and_has_not_expired_is_told_to_everybody_who_may_ask(house: House) -> None:
    [row] = house.record_in_turn(1)
    house.order(OrderKind.RESTRICTION, Span(row.starts_us, row.starts_us + 2_000_000))
    for may in (AUDITOR, VIEWER):
        assert why(house, row.starts_us + 1_000_000, may).what is What.RESTRICTED


def test_a_gap_says_why_nothing_was_recorded(house: House) -> None:
    house.opt_in()
    house.record(2)
    gone_us = micros(house.clock.now())
    house.clock.forward(MINUTE)
    answer = why(house, gone_us + 1_000_000)
    assert (answer.what, codes(answer)) == (What.GAP, ["gap"])
    assert answer.because[0].about

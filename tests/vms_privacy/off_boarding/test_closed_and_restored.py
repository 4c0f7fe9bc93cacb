"""What was lifted and answered before an operator left stays so in an older database: nobody can do it again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from archive.orders import store as orders
from archive.orders.replay import lift_again
from archive.orders.rules import Order, OrderKind
from archive.segments.rules import Segment, Span, State
from tests.given.clock import HandClock
from tests.given.databases import Databases
from tests.given.desk import COMPLAINT, Desk
from tests.given.footage import House
from tests.given.leaving import Leaving
from tests.given.restored import custody_of, gone_on_with, restoring_of
from vms_privacy.audit.events import Tag
from vms_privacy.db import Database
from vms_privacy.ids import OrderId
from vms_privacy.journal.rules import JournalKind
from vms_privacy.off_boarding.rules import Step, WaitsFor
from vms_privacy.subject_requests.kinds import Answer, Outcome, Reason, RequestKind
from vms_privacy.subject_requests.replay import replay_closings
from vms_privacy.subject_requests.request import Request

_LATER = timedelta(minutes=10)
_HOUR = timedelta(hours=1)


@dataclass
class Before:
    """A database and a copy of it: where each is, and what was said in it before the operator left."""

    url: str
    copy: str
    order: Order
    request: Request


def _mine(house: House) -> Segment:
    return next(one for one in house.rows() if one.camera_id == house.camera.camera_id)


def _copied(databases: Databases, folder: Path, enter: Callable[[Desk], Request], kind: OrderKind) -> Before:
    db = Database(databases.with_tables(folder, "leaving"))
    house = House(db, HandClock(), folder)
    Leaving(house).recorded()
    segment = _mine(house)
    assert segment.ends_us is not None
    order = house.order(kind, Span(segment.starts_us, segment.ends_us)).order
    request = enter(Desk(house))
    copy = databases.copy_of(db, folder, "copy")
    house.kill()
    # With its password, which SQLAlchemy hides.
    url = db.engine.url.render_as_string(hide_password=False)
    db.close()
    return Before(url, copy, order, request)


def _of_its_camera(desk: Desk) -> Request:
    return desk.enter(desk.middle(_mine(desk.house)), kind=RequestKind.ACCESS)


def _of_nothing(desk: Desk) -> Request:
    return desk.enter(kind=RequestKind.ACCESS)


def _leave(before: Before, folder: Path) -> None:
    """Lift, answer and leave, up to the last step."""
    now = HandClock().now() + _LATER
    with gone_on_with(before.url, folder, now) as house:
        house.start()
        desk, leaving = Desk(house), Leaving(house)
        if before.request.items:
            desk.decide(before.request, Answer.REFUSE, Reason.OTHERS_RIGHTS, complaint_to=COMPLAINT)
            desk.close(before.request)
        else:
            desk.close(before.request, taken_back=True)
        leaving.leave()
        assert leaving.carry_out() == ""
        assert leaving.how_far().waits_for is WaitsFor.ORDERS
        house.lift(before.order)
        house.clock.forward(timedelta(minutes=1))
        assert leaving.carry_out() == ""
        assert leaving.how_far().off_boarding.step is Step.CLOSED


@pytest.mark.parametrize("kind", OrderKind)
@pytest.mark.parametrize("enter", [_of_its_camera, _of_nothing])
def test_what_was_lifted_and_answered_before_an_operator_left_keeps_no_older_database_from_letting_it_go(
    databases: Databases, tmp_path: Path, enter: Callable[[Desk], Request], kind: OrderKind
) -> None:
    before = _copied(databases, tmp_path, enter, kind)
    _leave(before, tmp_path)
    with gone_on_with(before.copy, tmp_path, HandClock().now() + _HOUR) as house:
        restoring_of(house).take_in(house.db, tmp_path / "anchor")
        # Nothing is left to somebody who is not there any more.
        assert custody_of(house).replay() == []
        custody_of(house).release("ticket-17")
        house.start()
        leaving, desk = Leaving(house), Desk(house)
        assert house.eraser.sweep().is_clean
        house.clock.forward(timedelta(minutes=1))
        assert leaving.carry_out() == ""
        assert leaving.how_far().off_boarding.step is Step.CLOSED
        assert {one.state for one in house.rows()} == {State.ERASED}
        with house.db.reading() as session:
            lifted = orders.by_id(session, before.order.id)
        closed = desk.again(before.request)
        assert lifted is not None
        assert lifted.lifted_at == _told_at(house, JournalKind(str(kind)), "lifted")
        assert closed.closed_at == closed.answered_at == _told_at(house, JournalKind.REQUEST, "closed")
        assert closed.outcome is (Outcome.REFUSED if before.request.items else Outcome.TAKEN_BACK)
        # Done once each, though it was replayed twice.
        assert leaving.tags(Tag.ORDER_LIFTED) == [Tag.ORDER_LIFTED]
        assert leaving.tags(Tag.REQUEST_CLOSED) == [Tag.REQUEST_CLOSED]
        assert house.is_in_order


def _told_at(house: House, kind: JournalKind, act: str) -> object:
    [entry] = [one for one in house.journal.entries() if one.kind is kind and one.facts["act"] == act]
    return entry.at


def test_what_the_journal_says_stands_is_not_lifted_with_an_operator_that_has_left(house: House) -> None:
    """P6: not what was never lifted, nor what stands again, nor that in the place of which another one stands."""
    segment = house.record_in_turn(1)[0]
    assert segment.ends_us is not None
    span = Span(segment.starts_us, segment.ends_us)
    never, again, replaced, gone = [house.order(OrderKind.HOLD, span).order for _ in range(4)]
    other, ended = (OrderId(house.randomness.uuid()) for _ in range(2))
    for one in (again, gone):
        house.journal.append(JournalKind.HOLD, one.journal_facts("lifted"))
    house.journal.append(JournalKind.HOLD, again.journal_facts("placed"))
    for before, instead in ((replaced.id, other), (never.id, ended)):
        facts = replaced.journal_facts("placed") | {"order": str(instead), "in_place_of": str(before)}
        house.journal.append(JournalKind.HOLD, facts)
    # Of this one, what stood in its place is lifted, but it was placed again itself.
    house.journal.append(JournalKind.HOLD, never.journal_facts("lifted") | {"order": str(ended)})
    house.journal.append(JournalKind.HOLD, never.journal_facts("placed"))
    with house.db.writing() as session:
        entries = list(house.journal.entries())
        left = {house.operator_id}
        assert lift_again(session, entries, set(), house.audit, house.clock, house.randomness) == 0
        assert lift_again(session, entries, left, house.audit, house.clock, house.randomness) == 1
        assert lift_again(session, entries, left, house.audit, house.clock, house.randomness) == 0
    with house.db.reading() as session:
        assert {one.id for one in orders.in_force(session)} == {never.id, again.id, replaced.id}


def test_what_ended_with_the_one_in_its_place_is_lifted_with_an_operator_that_has_left(house: House) -> None:
    segment = house.record_in_turn(1)[0]
    assert segment.ends_us is not None
    order = house.order(OrderKind.HOLD, Span(segment.starts_us, segment.ends_us)).order
    instead = order.journal_facts("placed") | {"order": str(house.randomness.uuid())}
    house.journal.append(JournalKind.HOLD, instead | {"in_place_of": str(order.id)})
    house.journal.append(JournalKind.HOLD, instead | {"act": "lifted"})
    with house.db.writing() as session:
        entries = list(house.journal.entries())
        left = {house.operator_id}
        assert lift_again(session, entries, left, house.audit, house.clock, house.randomness) == 1


def test_a_request_is_closed_again_by_its_last_entry_and_keeps_what_was_decided_of_it(house: House) -> None:
    desk = Desk(house)
    request = desk.enter(desk.middle(house.record_in_turn(1)[0]), kind=RequestKind.ACCESS)
    desk.decide(request, Answer.REFUSE, Reason.OTHERS_RIGHTS, complaint_to=COMPLAINT)
    facts = {"act": "closed", "request": str(request.id), "operator": str(request.operator_id)}
    for outcome in (Outcome.TAKEN_BACK, Outcome.REFUSED):
        house.journal.append(JournalKind.REQUEST, facts | {"outcome": str(outcome)})
    entries = list(house.journal.entries())
    with desk.db.writing() as session:
        assert replay_closings(session, entries, set(), house.audit, house.clock) == 0
        assert replay_closings(session, entries, {house.operator_id}, house.audit, house.clock) == 1
        assert replay_closings(session, entries, {house.operator_id}, house.audit, house.clock) == 0
    closed = desk.again(request)
    assert closed.outcome is Outcome.REFUSED
    assert [(one.answer, one.reason) for one in closed.items] == [(Answer.REFUSE, Reason.OTHERS_RIGHTS)]

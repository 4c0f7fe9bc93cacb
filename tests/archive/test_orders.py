"""Holds and restrictions over real footage (P6): what they keep, what they close, for whom they open, how they end."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from archive.erasure.tools import SweepReport
from archive.errors import FootageIsGone
from archive.orders import store as orders
from archive.orders.errors import OrderIsLifted, OrderRefused, TooManyOrders
from archive.orders.replay import replay_orders
from archive.orders.rules import FOREVER_US, MOST_IN_FORCE, Ground, NewOrder, Ordered, OrderKind
from archive.orders.standing import LiveRestrictions, Stretches
from archive.recorder.standing import micros
from archive.segments.rules import Segment, Span, State
from auth.errors import NotFound
from auth.principal import Right
from auth.tokens.errors import FootageIsRestricted
from tests.given.access import Access
from tests.given.failing_db import FailingDatabase
from tests.given.footage import House
from tests.given.tampering import past_the_guards
from vms_privacy.approvals.errors import SecondPersonNeeded
from vms_privacy.approvals.rules import Decision
from vms_privacy.audit.events import Tag
from vms_privacy.consent.rules import ConsentKind
from vms_privacy.ids import CameraId, OrderId, PersonId
from vms_privacy.journal.rules import JournalKind

_ALL = Span(0, FOREVER_US)
EACH_KIND = pytest.mark.parametrize("kind", OrderKind)


def _recorded(house: House, count: int = 3) -> list[Segment]:
    """Some segments, each half a minute after the one before; kept for two minutes."""
    return house.record_in_turn(count)


def _expire(house: House) -> None:
    house.clock.forward(timedelta(minutes=10))


def _of(segment: Segment) -> Span:
    assert segment.ends_us is not None
    return Span(segment.starts_us, segment.ends_us)


def _person(house: House) -> PersonId:
    made = Access(house.db, house.randomness).person(house.operator_id, f"p-{house.randomness.octets(3).hex()}")
    assert made.person_id is not None
    return made.person_id


@EACH_KIND
def test_what_an_order_covers_is_not_destroyed_and_its_neighbours_are(house: House, kind: OrderKind) -> None:
    first, middle, last = _recorded(house)
    placed = house.order(kind, _of(middle))
    assert (placed.covered.segments, placed.covered.expired) == (1, 0)
    _expire(house)
    assert sorted(house.eraser.sweep().erased) == sorted([first.id, last.id])
    assert [row.state for row in house.rows()] == [State.ERASED, State.STORED, State.ERASED]
    assert house.eraser.sweep().erased == []
    assert house.is_in_order


@EACH_KIND
def test_without_an_order_the_same_sweep_destroys_all_of_it(house: House, kind: OrderKind) -> None:
    """The positive control of the one above."""
    _recorded(house)
    _expire(house)
    assert len(house.eraser.sweep().erased) == 3


@EACH_KIND
def test_a_single_moment_of_a_segment_is_enough_to_keep_it_and_the_moment_behind_it_is_not(
    house: House, kind: OrderKind
) -> None:
    first, _, _ = _recorded(house)
    house.order(kind, Span(first.starts_us, first.starts_us + 1))
    _expire(house)
    house.eraser.sweep()
    assert [row.state for row in house.rows()] == [State.STORED, State.ERASED, State.ERASED]


@EACH_KIND
def test_pictures_right_behind_an_order_are_not_kept_where_no_sound_can_reach_back(
    house: House, kind: OrderKind
) -> None:
    house.opt_in()
    house.keep_for(timedelta(minutes=2))
    house.record(2)
    house.record(2)
    first, behind = house.rows()
    assert first.ends_us is not None
    assert behind.starts_us - first.ends_us < 10_000_000
    placed = house.order(kind, _of(first))
    assert placed.covered.segments == 1
    _expire(house)
    house.eraser.sweep()
    assert [row.state for row in house.rows()] == [State.STORED, State.ERASED]


def test_the_end_of_an_order_destroys_nothing_by_itself_and_the_next_sweep_says_so(house: House) -> None:
    _, middle, _ = _recorded(house)
    order = house.order(OrderKind.HOLD, _of(middle)).order
    _expire(house)
    house.eraser.sweep()
    house.lift(order)
    assert [row.state for row in house.rows()] == [State.ERASED, State.STORED, State.ERASED]
    assert house.eraser.sweep().erased == [middle.id]
    with house.db.reading() as session:
        told = session.execute(
            text("SELECT tag, detail FROM audit_event WHERE tag IN (:lifted, :started) ORDER BY number"),
            {"lifted": Tag.ORDER_LIFTED, "started": Tag.ERASURE_STARTED},
        ).all()
    assert [tag for tag, _ in told] == [Tag.ERASURE_STARTED, Tag.ORDER_LIFTED, Tag.ERASURE_STARTED]
    assert '"once_held":0' in told[0].detail
    assert '"left_to_the_sweep":1' in told[1].detail
    assert '"once_held":1' in told[2].detail


def test_overlapping_orders_keep_until_the_last_of_them_is_lifted(house: House) -> None:
    _, middle, _ = _recorded(house)
    placed = [house.order(kind, _of(middle)).order for kind in (OrderKind.HOLD, OrderKind.HOLD, OrderKind.RESTRICTION)]
    _expire(house)
    for order in placed:
        assert middle.id not in house.eraser.sweep().erased
        house.lift(order)
    assert house.eraser.sweep().erased == [middle.id]


def test_what_is_held_is_no_deletion_debt(house: House) -> None:
    _recorded(house)
    house.order(OrderKind.HOLD, _ALL)
    _expire(house)
    house.eraser.sweep()
    assert house.eraser.debt(timedelta(seconds=60)).is_clear


def test_shorter_retention_destroys_nothing_that_is_held(house: House) -> None:
    first, _, _ = _recorded(house)
    house.order(OrderKind.HOLD, _of(first))
    house.keep_for(timedelta(seconds=10))
    house.clock.forward(timedelta(seconds=20))
    house.eraser.sweep()
    assert [row.state for row in house.rows()] == [State.STORED, State.ERASED, State.ERASED]


def test_an_order_that_comes_between_the_look_and_the_mark_of_a_sweep_keeps_all_the_same(house: House) -> None:
    """The sweep has found what is due when the order is placed; neither mark nor journal name what it keeps."""
    _, middle, _ = _recorded(house)
    _expire(house)
    begin = house.eraser._expire

    def interrupted(doomed: Sequence[Segment], report: SweepReport) -> list[Segment]:
        house.eraser._expire = begin  # type: ignore[method-assign]
        assert middle.id in {one.id for one in doomed}
        house.order(OrderKind.HOLD, _of(middle))
        return begin(doomed, report)

    house.eraser._expire = interrupted  # type: ignore[method-assign]
    house.eraser.sweep()
    assert [row.state for row in house.rows()] == [State.ERASED, State.STORED, State.ERASED]
    told = [one.facts["segments"] for one in house.journal.entries() if one.kind is JournalKind.ERASURE]
    assert told == [2]


def test_the_database_itself_refuses_to_destroy_what_is_held(house: House) -> None:
    first, _, _ = _recorded(house)
    house.order(OrderKind.HOLD, _of(first))
    mark = text("UPDATE segment SET state = 'erasing' WHERE blob_name = :name")
    with pytest.raises(IntegrityError, match="a hold or a restriction keeps this segment"), house.db.writing() as one:
        one.execute(mark, {"name": first.blob_name})
    assert house.rows()[0].state is State.STORED


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM footage_order",
        "UPDATE footage_order SET until_us = from_us + 1",
        "UPDATE footage_order SET case_ref = 'another'",
        "UPDATE footage_order SET lifted_at = placed_at, lifted_by = placed_by, lift_approved_by = placed_by",
        "DELETE FROM footage_order_person",
        "UPDATE footage_order_person SET person_id = order_id",
    ],
)
def test_no_order_is_changed_or_lifted_past_the_two_people(house: House, statement: str) -> None:
    _recorded(house, 1)
    house.order(OrderKind.HOLD, _ALL, frozenset({_person(house)}))
    with pytest.raises(IntegrityError), house.db.writing() as session:
        session.execute(text(statement))


def test_a_lifted_order_does_not_come_back(house: House) -> None:
    _recorded(house, 1)
    order = house.order().order
    house.lift(order)
    with pytest.raises(IntegrityError), house.db.writing() as session:
        session.execute(text("UPDATE footage_order SET lifted_at = NULL, lifted_by = NULL, lift_approved_by = NULL"))
    with pytest.raises(OrderIsLifted):
        house.lift(order)


def test_nobody_lifts_an_order_alone(house: House) -> None:
    _recorded(house, 1)
    order = house.order().order
    with house.db.writing() as session:
        proposal = house.orders.propose_lifting(
            session, house.granted(Right.HOLD), OrderKind.HOLD, order.id, "the case is closed"
        )
    with pytest.raises(SecondPersonNeeded), house.db.writing() as session:
        house.approvals.decide(session, proposal, Decision.APPROVED, house.owner.label, lambda _: True)
    with house.db.reading() as session:
        [found] = house.orders.of_camera(session, house.camera.camera_id, OrderKind.HOLD)
    assert found.is_in_force


def test_a_restriction_ends_only_once_whoever_asked_for_it_was_told(house: House) -> None:
    _recorded(house, 1)
    order = house.order(OrderKind.RESTRICTION).order
    for told_at in (None, house.clock.now() + timedelta(seconds=1)):
        with pytest.raises(OrderRefused) as refused, house.db.writing() as session:
            house.orders.propose_lifting(
                session, house.granted(Right.RESTRICT), order.kind, order.id, "it was accurate", told_at
            )
        assert refused.value.facts["rule"] == "requester-not-told"


@EACH_KIND
def test_the_journal_names_an_order_before_it_is_answered_and_its_end(house: House, kind: OrderKind) -> None:
    first, _, _ = _recorded(house)
    order = house.order(kind, _of(first)).order
    house.lift(order)
    told = [one.facts for one in house.journal.entries() if one.kind == JournalKind(str(kind))]
    assert [one["act"] for one in told] == ["placed", "lifted"]
    assert {one["order"] for one in told} == {str(order.id)}
    assert (told[0]["from_us"], told[0]["until_us"]) == (order.from_us, order.until_us)


# -- reading


def test_what_is_held_reads_as_before_while_its_retention_runs(house: House) -> None:
    _recorded(house)
    before = house.shown()
    house.order(OrderKind.HOLD, _ALL)
    assert house.shown() == before


def test_what_expired_and_is_held_opens_for_people_of_the_case_alone(house: House) -> None:
    first, middle, _ = _recorded(house)
    before = house.shown()
    ally, stranger = _person(house), _person(house)
    house.order(OrderKind.HOLD, _of(middle), frozenset({ally}))
    _expire(house)
    house.eraser.sweep()
    for look in (house.look(), house.look(case_person=stranger)):
        with pytest.raises(FootageIsGone):
            house.footage.find(look, _ALL)
        with pytest.raises(FootageIsGone):
            house.footage.find(look, _of(first))
        opened = list(house.spool.iterdir()), house.footage._files._known.copy()
        with pytest.raises(FootageIsGone):
            house.footage.segment(look, middle.id)
        assert opened == (list(house.spool.iterdir()), house.footage._files._known)
    look = house.look(case_person=ally)
    parts = house.footage.find(look, _ALL)
    shown = [entry.captured_from_us for part in parts for entry in part.entries]
    assert shown == [one for one in before if middle.starts_us <= one < (middle.ends_us or 0)]
    assert all(house.footage.read(look, part.seen, part.index, part.chosen) for part in parts)
    with pytest.raises(FootageIsGone):
        house.footage.find(look, _of(first))


def test_ranges_show_a_held_stretch_to_people_of_the_case_alone(house: House) -> None:
    _, middle, _ = _recorded(house)
    ally = _person(house)
    house.order(OrderKind.HOLD, _of(middle), frozenset({ally}))
    _expire(house)
    camera = house.camera.camera_id
    assert house.footage.ranges(camera, _ALL) == []
    assert house.footage.ranges(camera, _ALL, _person(house)) == []
    assert house.footage.ranges(camera, _ALL, ally) == [_of(middle)]


def test_who_is_taken_off_a_case_sees_no_more_of_it(house: House) -> None:
    first, _, _ = _recorded(house)
    ally, other = _person(house), _person(house)
    order = house.order(OrderKind.HOLD, _of(first), frozenset({ally})).order
    _expire(house)
    assert house.footage.find(house.look(case_person=ally), _ALL)
    with house.db.writing() as session:
        house.orders.set_people(session, house.granted(Right.HOLD), order.id, [other])
    with pytest.raises(FootageIsGone):
        house.footage.find(house.look(case_person=ally), _ALL)
    assert house.footage.find(house.look(case_person=other), _ALL)


def test_a_restricted_stretch_opens_for_nobody_and_what_lies_around_it_does(house: House) -> None:
    first, middle, last = _recorded(house)
    before = house.shown()
    ally = _person(house)
    house.order(OrderKind.HOLD, _ALL, frozenset({ally}))
    order = house.order(OrderKind.RESTRICTION, _of(middle)).order
    for look in (house.look(), house.look(case_person=ally)):
        with pytest.raises(FootageIsRestricted):
            house.footage.find(look, _of(middle))
        seen, index = house.footage.segment(look, middle.id)
        with pytest.raises(FootageIsRestricted):
            house.footage.read(look, seen, index, range(1))
    assert house.shown() == [one for one in before if not middle.starts_us <= one < (middle.ends_us or 0)]
    assert house.footage.ranges(house.camera.camera_id, _ALL, tolerance_us=0) == [_of(first), _of(last)]
    house.lift(order)
    assert house.shown() == before


def test_a_restriction_in_the_middle_of_a_segment_leaves_what_lies_before_and_behind_it(house: House) -> None:
    """From the next key picture on: what is behind cannot be decoded without it."""
    house.opt_in()
    house.record(8)
    before = house.shown()
    start = before[0]
    closed = Span(start + 2_200_000, start + 4_200_000)
    [part] = house.footage.find(house.look(), _ALL)
    open_to_all = [
        entry.captured_from_us
        for entry in part.entries
        if not closed.overlaps(Span(entry.captured_from_us, entry.captured_until_us))
    ]
    house.order(OrderKind.RESTRICTION, closed)
    shown = house.shown()
    assert len(house.footage.find(house.look(), _ALL)) == 2
    assert set(shown) <= set(open_to_all)
    assert [one for one in open_to_all if one < closed.from_us] == [one for one in shown if one < closed.from_us]
    assert max(shown) - closed.until_us > 2_000_000
    assert shown[0] == before[0]
    assert shown[-1] == before[-1]


def test_a_film_that_runs_is_refused_the_moment_its_time_is_restricted(house: House) -> None:
    [first] = _recorded(house, 1)
    [part] = house.footage.find(house.look(), _ALL)
    assert house.footage.read(house.look(), part.seen, part.index, part.chosen)
    house.order(OrderKind.RESTRICTION, _of(first))
    with pytest.raises(FootageIsRestricted):
        house.footage.read(house.look(), part.seen, part.index, part.chosen)


# -- what cannot be placed


def _refused(house: House, **changes: object) -> str:
    placed = house.order().order
    good = {
        name: getattr(placed, name)
        for name in ("kind", "camera_id", "from_us", "until_us", "case", "ground", "authority", "reason", "review_at")
    }
    new = replace(NewOrder(**good), **changes)  # type: ignore[arg-type]
    with pytest.raises(OrderRefused) as refused, house.db.writing() as session:
        house.orders.place(session, house.granted(Right.HOLD), new)
    return str(refused.value.facts["rule"])


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"until_us": 5, "from_us": 5}, "runs-backward"),
        ({"until_us": 4, "from_us": 5}, "runs-backward"),
        ({"from_us": -1}, "beyond-the-calendar"),
        ({"until_us": 2**61}, "beyond-the-calendar"),
        ({"case": "  "}, "case-is-blank"),
        ({"authority": " "}, "authority-is-blank"),
        ({"reason": "because  "}, "reason-is-blank"),
        ({"ground": "objection-pending"}, "ground-does-not-fit"),
        ({"from_us": 0, "until_us": 1000}, "covers-nothing"),
        ({"people": frozenset(PersonId(UUID(int=one)) for one in range(51))}, "too-many-people"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_with_its_rule(
    house: House, changes: dict[str, object], rule: str
) -> None:
    _recorded(house, 1)
    assert _refused(house, **changes) == rule


def test_a_review_lies_ahead_and_within_a_year(house: House) -> None:
    _recorded(house, 1)
    now = house.clock.now()
    assert _refused(house, review_at=now) == "review-is-past"
    assert _refused(house, review_at=now + timedelta(days=366, seconds=1)) == "review-is-too-far"


def test_a_hold_over_what_was_destroyed_is_refused_and_over_what_comes_is_not(house: House) -> None:
    first, _, _ = _recorded(house)
    _expire(house)
    house.eraser.sweep()
    with pytest.raises(OrderRefused) as refused:
        house.order(OrderKind.HOLD, _of(first))
    assert refused.value.facts["rule"] == "covers-nothing"
    placed = house.order(OrderKind.HOLD, Span(first.starts_us, micros(house.clock.now()) + 1_000_000))
    assert (placed.covered.segments, placed.covered.too_late) == (0, 3)


def test_people_of_a_case_are_people_of_the_operator(house: House) -> None:
    _recorded(house, 1)
    stranger = PersonId(house.randomness.uuid())
    with pytest.raises(NotFound):
        house.order(OrderKind.HOLD, _ALL, frozenset({stranger}))
    order = house.order().order
    with pytest.raises(NotFound), house.db.writing() as session:
        house.orders.set_people(session, house.granted(Right.HOLD), order.id, [stranger])


def test_a_camera_has_a_bounded_number_of_orders_at_once(house: House) -> None:
    _recorded(house, 1)
    made = house.order().order
    with past_the_guards(house.db) as run:
        [row] = run("SELECT * FROM footage_order")
        marks = ", ".join("?" for _ in row)
        for _ in range(MOST_IN_FORCE - 1):
            fresh = house.randomness.uuid()
            new = fresh.hex if isinstance(row[0], str) else fresh
            run(f"INSERT INTO footage_order VALUES ({marks})", new, *row[1:])
    with pytest.raises(TooManyOrders):
        house.order()
    with house.db.reading() as session:
        assert orders.count_in_force(session, made.camera_id) == MOST_IN_FORCE


# -- reviews and foreign orders


def test_an_overdue_review_is_counted_until_somebody_reviews(house: House) -> None:
    _recorded(house, 1)
    order = house.order().order
    house.clock.forward(timedelta(days=30))
    with house.db.reading() as session:
        assert orders.count_overdue(session, house.clock.now()) == 1
        assert orders.count_overdue(session, house.clock.now() - timedelta(seconds=1)) == 0
    with house.db.writing() as session:
        at = house.clock.now() + timedelta(days=30)
        house.orders.review(session, house.granted(Right.HOLD), OrderKind.HOLD, order.id, at)
    with house.db.reading() as session:
        assert orders.count_overdue(session, house.clock.now()) == 0


def test_an_order_of_another_kind_or_camera_or_none_is_not_found(house: House) -> None:
    _recorded(house, 1)
    order = house.order().order
    elsewhere = replace(house.granted(Right.HOLD), camera_id=None)
    at = house.clock.now() + timedelta(days=1)
    for granted, kind, order_id in (
        (elsewhere, OrderKind.HOLD, order.id),
        (house.granted(Right.RESTRICT), OrderKind.RESTRICTION, order.id),
        (house.granted(Right.HOLD), OrderKind.HOLD, OrderId(house.randomness.uuid())),
    ):
        with pytest.raises(NotFound), house.db.writing() as session:
            house.orders.review(session, granted, kind, order_id, at)


# -- what an attacker or a clumsy hand would try


def test_a_hold_that_ends_inside_a_segment_opens_what_it_covers(house: House) -> None:
    house.opt_in()
    house.record(8)
    [row] = house.rows()
    ally = _person(house)
    house.order(OrderKind.HOLD, Span(row.starts_us, row.starts_us + 4_100_000), frozenset({ally}))
    house.clock.forward(timedelta(days=4))
    shown = house.footage.find(house.look(case_person=ally), _ALL)
    times = [entry.captured_until_us - row.starts_us for part in shown for entry in part.entries]
    assert 3_000_000 <= max(times) <= 4_100_000
    with pytest.raises(FootageIsGone):
        house.footage.find(house.look(), _ALL)


def test_a_restriction_inside_what_is_held_leaves_both_sides_to_the_case(house: House) -> None:
    house.opt_in()
    house.record(8)
    [row] = house.rows()
    ally = _person(house)
    house.order(OrderKind.HOLD, _ALL, frozenset({ally}))
    closed = Span(row.starts_us + 3_100_000, row.starts_us + 3_900_000)
    house.order(OrderKind.RESTRICTION, closed)
    house.clock.forward(timedelta(days=4))
    parts = house.footage.find(house.look(case_person=ally), _ALL)
    starts = [entry.captured_from_us for part in parts for entry in part.entries]
    assert min(starts) < closed.from_us < closed.until_us <= max(starts)


def test_five_hundred_orders_are_weighed_in_no_time(house: House) -> None:
    first, _, _ = _recorded(house)
    many = tuple(Span(first.starts_us + number, first.starts_us + number + 1) for number in range(500))
    left = Ordered(closed=many).leaves(first.starts_us, first.starts_us + 2_000_000, 0)
    assert left == [Span(first.starts_us + 500, first.starts_us + 2_000_000)]


def test_sound_before_the_first_picture_is_covered_with_it(house: House) -> None:
    """A restriction up to the first picture covers sound that was captured before it."""
    house.opt_in()
    house.opt_in(ConsentKind.RECORDED_AUDIO)
    house.record(3, audio=True)
    [row] = house.rows()
    [part] = house.footage.find(house.look(), _ALL)
    early = [one for one in part.entries if one.captured_from_us < row.starts_us]
    assert early
    house.order(OrderKind.RESTRICTION, Span(row.starts_us - 1_000_000, row.starts_us))
    shown = [one for part in house.footage.find(house.look(), _ALL) for one in part.entries]
    assert not [one for one in shown if one.captured_from_us < row.starts_us]
    house.clock.forward(timedelta(days=4))
    assert house.eraser.sweep().erased == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE segment SET state = 'erased', wrapped_key = NULL",
        "UPDATE segment SET state = 'erasing', destroy_from_us = keep_us",
        "UPDATE segment SET destroy_from_us = keep_us + 1",
        "DELETE FROM segment",
        "UPDATE footage_order SET lifted_at = placed_at, lifted_by = 'person:1', lift_approved_by = 'person:2'",
    ],
)
def test_no_statement_past_the_service_destroys_or_frees_what_is_held(house: House, statement: str) -> None:
    _recorded(house, 1)
    house.order()
    with pytest.raises(IntegrityError), house.db.writing() as session:
        session.execute(text(statement))


def test_an_end_that_was_rolled_back_is_not_in_the_journal(house: House) -> None:
    _recorded(house, 1)
    order = house.order().order
    with house.db.writing() as session:
        proposal = house.orders.propose_lifting(
            session, house.granted(Right.HOLD), OrderKind.HOLD, order.id, "the case is closed"
        )

    def lift_and_fail(session: Session) -> None:
        house.approvals.decide(session, proposal, Decision.APPROVED, "person:2", lambda _: True)
        raise OSError("power")

    with pytest.raises(OSError, match="power"), house.db.writing() as session:
        lift_and_fail(session)
    acts = [one.facts["act"] for one in house.journal.entries() if one.kind is JournalKind.HOLD]
    assert acts == ["placed"]


def test_whoever_asked_for_a_restriction_is_told_of_its_end_after_it_began(house: House) -> None:
    _recorded(house, 1)
    order = house.order(OrderKind.RESTRICTION).order
    told_at = order.placed_at - timedelta(seconds=1)
    with pytest.raises(OrderRefused), house.db.writing() as session:
        house.orders.propose_lifting(
            session, house.granted(Right.RESTRICT), order.kind, order.id, "it was accurate", told_at
        )


def test_an_unreadable_leftover_under_a_hold_is_kept(house: House) -> None:
    house.opt_in()
    house.keep_for(timedelta(minutes=2))
    house.record(3, close=False)
    [row] = house.rows()
    house.order(OrderKind.HOLD, Span(row.starts_us + 2_000_000, FOREVER_US))
    path = house.spool / row.blob_name
    house.kill()
    path.write_bytes(b"\0" * path.stat().st_size)
    house.join()
    house.start()
    house.clock.forward(timedelta(minutes=30))
    assert row.id not in house.eraser.sweep().erased


def test_live_is_closed_where_a_new_restriction_cannot_be_read(house: House, failing_db: FailingDatabase) -> None:
    _recorded(house, 1)
    told: list[Stretches] = []
    judged: list[CameraId] = []
    closed: list[CameraId] = []
    live = LiveRestrictions(house.db, told.append, judged.append, closed.append)
    camera = house.camera.camera_id
    order = house.order(OrderKind.RESTRICTION).order
    live.hear(camera)
    assert (list(told[-1]), judged, closed) == ([order.camera_id], [camera], [])
    failing_db.is_away = True
    with pytest.raises(SQLAlchemyError):
        live.hear(camera)
    assert (judged, closed) == ([camera, camera], [camera])


# -- an older database


def _replay(house: House) -> int:
    return replay_orders(house.db, house.journal, house.audit, house.clock, house.randomness)


def _lose(house: House) -> None:
    """What an older database in the place of the present one has lost."""
    with past_the_guards(house.db) as run:
        run("DELETE FROM footage_order_person")
        run("DELETE FROM footage_order")


def test_what_an_older_database_has_lost_is_placed_again_before_it_is_destroyed(house: House) -> None:
    first, middle, _ = _recorded(house)
    lifted = house.order(OrderKind.HOLD, _of(first)).order
    house.lift(lifted)
    hold = house.order(OrderKind.HOLD, _of(middle)).order
    restriction = house.order(OrderKind.RESTRICTION, Span(middle.starts_us, FOREVER_US)).order
    _lose(house)
    _expire(house)
    assert _replay(house) == 2
    with house.db.reading() as session:
        found = {one.id: one for one in house.orders.of_operator(session, house.operator_id, only_in_force=True)}
    assert set(found) == {hold.id, restriction.id}
    assert (found[hold.id].from_us, found[hold.id].until_us) == (hold.from_us, hold.until_us)
    assert (found[restriction.id].kind, found[restriction.id].until_us) == (OrderKind.RESTRICTION, FOREVER_US)
    assert found[hold.id].review_at == hold.review_at
    house.eraser.sweep()
    assert [row.state for row in house.rows()][:2] == [State.ERASED, State.STORED]
    house.lift(found[hold.id])


@pytest.mark.parametrize("kind", OrderKind)
def test_what_the_journal_says_stands_and_is_lifted_here_is_placed_again_once_with_an_id_of_its_own(
    house: House, kind: OrderKind
) -> None:
    first, _, _ = _recorded(house)
    order = house.order(kind, _of(first)).order
    house.lift(order)
    # As a restore of a copy from before its end writes it.
    house.journal.append(JournalKind(str(kind)), order.journal_facts("placed"))
    _expire(house)
    assert _replay(house) == 1
    assert _replay(house) == 0
    with house.db.reading() as session:
        [again] = house.orders.of_operator(session, house.operator_id, only_in_force=True)
        every = house.orders.of_operator(session, house.operator_id, only_in_force=False)
    assert {one.id for one in every} == {order.id, again.id}
    assert (again.kind, again.from_us, again.until_us) == (kind, order.from_us, order.until_us)
    assert (again.case, again.ground, again.people) == (order.case, Ground.FROM_THE_JOURNAL, frozenset())
    assert list(house.journal.entries())[-1].facts["in_place_of"] == str(order.id)
    assert first.id not in house.eraser.sweep().erased
    house.lift(again)
    assert _replay(house) == 0
    house.clock.forward(timedelta(minutes=2))
    assert first.id in house.eraser.sweep().erased


def test_what_stands_in_place_of_a_lifted_one_is_placed_in_a_still_older_database(house: House) -> None:
    first, _, _ = _recorded(house)
    order = house.order(OrderKind.HOLD, _of(first)).order
    house.lift(order)
    house.journal.append(JournalKind.HOLD, order.journal_facts("placed"))
    assert _replay(house) == 1
    _lose(house)
    assert _replay(house) == 1
    with house.db.reading() as session:
        [again] = house.orders.of_operator(session, house.operator_id, only_in_force=True)
    assert again.id != order.id


def test_without_the_replay_the_same_sweep_destroys_it(house: House) -> None:
    """The positive control of the one above."""
    _, middle, _ = _recorded(house)
    house.order(OrderKind.HOLD, _of(middle))
    _lose(house)
    _expire(house)
    assert middle.id in house.eraser.sweep().erased


def test_a_replay_changes_nothing_where_nothing_is_missing(house: House) -> None:
    first, _, _ = _recorded(house)
    assert _replay(house) == 0
    kept = house.order(OrderKind.HOLD, _of(first)).order
    over = house.order(OrderKind.RESTRICTION, _of(first)).order
    house.lift(over)
    assert _replay(house) == 0
    with house.db.reading() as session:
        in_force = house.orders.of_operator(session, house.operator_id, only_in_force=True)
    assert [one.id for one in in_force] == [kept.id]

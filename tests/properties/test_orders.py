"""Orders, as rules: what is closed stays closed whatever else is ordered, and opening never widens what may be read."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from archive.orders.rules import (
    GROUNDS,
    LONGEST_REVIEW,
    Covered,
    Ground,
    NewOrder,
    Order,
    Ordered,
    OrderKind,
    flaw_of,
    ordered,
)
from archive.segments.rules import Span
from vms_privacy.ids import CameraId, OperatorId, OrderId, PersonId

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
_moments = st.integers(0, 60)
_people = st.frozensets(st.integers(1, 4).map(lambda one: PersonId(UUID(int=one))), max_size=3)


@st.composite
def _spans(draw: st.DrawFn) -> Span:
    since = draw(_moments)
    return Span(since, since + draw(st.integers(1, 30)))


@st.composite
def _orders(draw: st.DrawFn) -> Order:
    kind, span = draw(st.sampled_from(OrderKind)), draw(_spans())
    return Order(
        id=OrderId(UUID(int=draw(st.integers(1, 10**6)))),
        operator_id=OperatorId(UUID(int=1)),
        kind=kind,
        camera_id=CameraId(UUID(int=1)),
        from_us=span.from_us,
        until_us=span.until_us,
        case="1",
        ground=GROUNDS[kind][0],
        authority="court",
        reason="a good reason",
        placed_by="person:1",
        placed_at=NOON,
        review_at=NOON + timedelta(days=1),
        lifted_at=draw(st.none() | st.just(NOON)),
        people=draw(_people) if kind is OrderKind.HOLD else frozenset(),
    )


def _is_in(moment: int, spans: tuple[Span, ...]) -> bool:
    return any(one.from_us <= moment < one.until_us for one in spans)


@given(st.lists(_orders(), max_size=6), st.none() | st.integers(1, 4), _spans(), _moments)
def test_a_moment_is_left_if_it_is_kept_or_opened_and_never_if_it_is_closed(
    orders: list[Order], asker: int | None, stretch: Span, kept_from: int
) -> None:
    person = None if asker is None else PersonId(UUID(int=asker))
    rules = ordered(orders, person)
    left = rules.leaves(stretch.from_us, stretch.until_us, kept_from)
    for moment in range(stretch.from_us, stretch.until_us):
        wanted = (moment >= kept_from or _is_in(moment, rules.opened)) and not _is_in(moment, rules.closed)
        assert _is_in(moment, tuple(left)) == wanted
    assert all(stretch.from_us <= one.from_us and one.until_us <= stretch.until_us for one in left)


@given(st.lists(_orders(), max_size=6), st.none() | st.integers(1, 4))
def test_only_restrictions_in_force_close_and_only_holds_in_force_of_ones_own_case_open(
    orders: list[Order], asker: int | None
) -> None:
    person = None if asker is None else PersonId(UUID(int=asker))
    rules = ordered(orders, person)
    in_force = [one for one in orders if one.lifted_at is None]
    assert len(rules.closed) == sum(one.kind is OrderKind.RESTRICTION for one in in_force)
    assert len(rules.opened) == sum(person in one.people for one in in_force)
    assert ordered(orders, None).opened == ()


@given(st.lists(_spans(), max_size=4), st.lists(_spans(), max_size=4), _moments, st.integers(0, 20))
def test_a_stretch_is_closed_by_any_of_its_moments_and_opened_only_whole(
    closed: list[Span], opened: list[Span], since: int, length: int
) -> None:
    rules, until = Ordered(tuple(closed), tuple(opened)), since + length
    moments = range(since, max(until, since + 1))
    assert rules.closes(since, until) == any(_is_in(moment, rules.closed) for moment in moments)
    if rules.opens(since, until):
        assert all(_is_in(moment, rules.opened) for moment in range(since, until))


@given(
    st.sampled_from(OrderKind),
    st.sampled_from(Ground),
    st.integers(-5, 70),
    st.integers(-5, 70),
    st.integers(-400, 400),
    st.integers(0, 2),
)
def test_an_order_without_a_flaw_runs_forward_fits_its_ground_is_reviewed_in_time_and_covers_something(
    kind: OrderKind, ground: Ground, since: int, until: int, review_days: int, covered: int
) -> None:
    new = NewOrder(
        kind, CameraId(UUID(int=1)), since, until, "1", ground, "court", "a good reason",
        NOON + timedelta(days=review_days),
    )  # fmt: skip
    flaw = flaw_of(new, Covered(covered, 0, 0, 0), NOON, now_us=30)
    is_good = (
        0 <= since < until
        and ground in GROUNDS[kind]
        and timedelta(0) < new.review_at - NOON <= LONGEST_REVIEW
        and (covered > 0 or until > 30)
    )
    assert (flaw is None) == is_good

"""Why something is there, or gone: the answer goes by the rules that act, and gives no hold away (P6)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from archive.explain.rules import Answer, Footage, Known, MayKnow, What, explain
from archive.orders.rules import GROUNDS, Order, OrderKind
from archive.segments.rules import State, readable_from_us
from vms_privacy.ids import CameraId, OperatorId, OrderId

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
NOBODY_SPECIAL = MayKnow(holds=False, proof=False)
AUDITOR = MayKnow(holds=True, proof=True)


def _order(kind: OrderKind) -> Order:
    return Order(
        OrderId(UUID(int=1)),
        OperatorId(UUID(int=1)),
        kind,
        CameraId(UUID(int=1)),
        0,
        2**60,
        "2026/17",
        GROUNDS[kind][0],
        "court",
        "a good reason",
        "person:1",
        NOON,
        NOON + timedelta(days=1),
    )


_states = st.sampled_from(State)
_kinds = st.lists(st.sampled_from(OrderKind), max_size=2)
_mays = st.builds(MayKnow, holds=st.booleans(), proof=st.just(False), requests=st.booleans()) | st.just(AUDITOR)


@st.composite
def _known(draw: st.DrawFn) -> Known:
    state, keep = draw(_states), draw(st.integers(1, 50))
    footage = Footage(
        state=state,
        starts_us=0,
        ends_us=None if state is State.WRITING else 20,
        keep_us=keep,
        policy_version=1,
        destroy_from_us=None if state is State.WRITING else 20 + keep,
        receipt=draw(st.sampled_from(["", "receipt-1"])),
        attempts=draw(st.integers(0, 2)),
        last_failure=draw(st.sampled_from(["", "store-unavailable"])),
    )
    return Known(
        moment_us=draw(st.integers(0, 19)),
        now_us=draw(st.integers(0, 100)),
        was_opted_in=draw(st.booleans()),
        footage=draw(st.sampled_from([footage, footage, footage, None])),
        gap=draw(st.sampled_from(["", "camera-lost"])),
        orders=[_order(kind) for kind in draw(_kinds)],
        sweep_us=5,
        requests=draw(st.lists(st.sampled_from(["request-1", "request-2"]), max_size=2, unique=True)),
    )


@given(_known())
def test_who_may_not_know_of_holds_gets_the_answer_they_would_get_without_them(known: Known) -> None:
    without = replace(known, orders=[one for one in known.orders if one.kind is not OrderKind.HOLD])
    assert explain(known, NOBODY_SPECIAL) == explain(without, NOBODY_SPECIAL)


@given(_known())
def test_what_was_destroyed_and_what_is_held_after_its_time_are_one_answer_to_who_may_not_know(known: Known) -> None:
    if known.footage is None or known.moment_us > known.now_us:
        return
    restricted = any(one.kind is OrderKind.RESTRICTION for one in known.orders)
    expired = known.moment_us < readable_from_us(known.footage.keep_us, known.now_us)
    if restricted or not expired:
        return
    destroyed = replace(known, footage=replace(known.footage, state=State.ERASED))
    assert explain(known, NOBODY_SPECIAL) == explain(destroyed, NOBODY_SPECIAL)


@given(_known(), _mays)
def test_only_what_can_be_read_has_a_time_until_which_it_can_be(known: Known, may: MayKnow) -> None:
    answer = explain(known, may)
    is_readable = answer.what in {What.KEPT, What.BEING_RECORDED}
    assert (answer.readable_until_us is not None) == is_readable
    if is_readable:
        assert known.footage is not None
        assert answer.readable_until_us == known.moment_us + known.footage.keep_us > known.now_us
        assert not any(one.kind is OrderKind.RESTRICTION for one in known.orders)


@given(_known(), _mays)
def test_receipts_debts_and_cases_are_told_to_auditors_and_holds_to_who_may_know(known: Known, may: MayKnow) -> None:
    codes = {one.code for one in explain(known, may).because}
    if not may.proof:
        assert not codes & {"receipt", "key-destroyed", "deletion-debt", "being-destroyed"}
    if not may.holds:
        assert "hold" not in codes
    assert ("request-is-open" in codes) == (may.requests and bool(known.requests))


@given(_known())
def test_an_auditor_is_always_told_why(known: Known) -> None:
    answer: Answer = explain(known, AUDITOR)
    assert answer.because
    if known.footage is not None and known.footage.state is State.ERASED and known.moment_us <= known.now_us:
        assert answer.what is What.DESTROYED

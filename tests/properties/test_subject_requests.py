"""Requests, as rules: no history of acts closes one without outcome and answer, nor leaves one without clock (P11)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from archive.segments.rules import Span
from vms_privacy.errors import Refusal
from vms_privacy.ids import CameraId, OperatorId, RequestId
from vms_privacy.subject_requests import rules
from vms_privacy.subject_requests.clocks import LONGEST_SUSPENSION, months_later, promised_by
from vms_privacy.subject_requests.errors import IdentityIsUnconfirmed, RequestRefused
from vms_privacy.subject_requests.kinds import (
    ANSWERS,
    GRANTS,
    KNOWN,
    NEXT,
    REASONS,
    Answer,
    Channel,
    Doubt,
    IdentityState,
    Outcome,
    Reason,
    RequestKind,
    Standing,
    WhyLonger,
)
from vms_privacy.subject_requests.request import Identity, Item, Place, Request

NOON = datetime(2030, 1, 31, 12, tzinfo=UTC)
NOW_US = 1_000_000_000
BY = "person:1"
_CAMERAS = st.integers(1, 2).map(lambda one: CameraId(UUID(int=one)))
_DAYS = st.integers(-5, 40).map(lambda days: timedelta(days=days))


@st.composite
def _places(draw: st.DrawFn) -> Place:
    since = draw(st.integers(-5, NOW_US))
    return Place(draw(_CAMERAS), Span(since, since + draw(st.integers(1, NOW_US))))


def _request(kind: RequestKind, items: int, identity: IdentityState = IdentityState.NOT_NEEDED) -> Request:
    places = [Place(CameraId(UUID(int=1)), Span(10 * at, 10 * at + 5)) for at in range(items)]
    return Request(
        id=RequestId(UUID(int=1)),
        operator_id=OperatorId(UUID(int=1)),
        kind=kind,
        channel=Channel.LETTER,
        received_at=NOON,
        entered_by=BY,
        entered_at=NOON,
        identity=Identity(identity),
        items=tuple(Item(number, place) for number, place in enumerate(places, 1)),
    )


@dataclass(frozen=True)
class Act:
    """Something somebody does, so long after the act before, or does too early or too late."""

    name: str
    after: timedelta
    facts: Mapping[str, Any]


_ACTS = st.one_of(
    st.builds(Act, st.just("identify"), _DAYS, st.fixed_dictionaries(
        {"state": st.sampled_from(IdentityState), "doubt": st.none() | st.sampled_from(Doubt)})),
    st.builds(Act, st.just("extend"), _DAYS, st.fixed_dictionaries(
        {"months": st.integers(0, 3), "reason": st.sampled_from(WhyLonger), "told": _DAYS})),
    st.builds(Act, st.just("decide"), _DAYS, st.fixed_dictionaries(
        {"number": st.integers(0, 3), "answer": st.sampled_from(Answer),
         "reason": st.none() | st.sampled_from(Reason), "complaint_to": st.sampled_from(["", "the authority"])})),
    st.builds(Act, st.just("refuse_whole"), _DAYS, st.fixed_dictionaries(
        {"reason": st.sampled_from(Reason), "complaint_to": st.sampled_from(["", "the authority"])})),
    st.builds(Act, st.just("narrow"), _DAYS, st.fixed_dictionaries({"places": st.lists(_places(), max_size=3)})),
    st.builds(Act, st.just("move"), _DAYS, st.fixed_dictionaries(
        {"number": st.integers(1, 3), "standing": st.sampled_from(Standing)})),
    st.builds(Act, st.just("close"), _DAYS, st.fixed_dictionaries({"told": _DAYS})),
    st.builds(Act, st.just("take_back"), _DAYS, st.fixed_dictionaries({"told": _DAYS})),
)  # fmt: skip


class History:
    """A request, and how far its items are as the engine would tell; every act is done as the service does it."""

    def __init__(self, request: Request) -> None:
        self.request, self.now = request, NOON
        self._moved: dict[int, Standing] = {}

    @property
    def standings(self) -> dict[int, Standing]:
        found = {}
        for item in self.request.items:
            match item.answer:
                case None:
                    found[item.number] = Standing.UNDECIDED
                case Answer.REFUSE:
                    found[item.number] = Standing.REFUSED
                case Answer.NOTHING_THERE:
                    found[item.number] = Standing.NOTHING_THERE
                case Answer.ERASE:
                    # Whatever the two people and the engine make of it.
                    found[item.number] = self._moved.get(item.number, Standing.WAITS)
                case _:
                    found[item.number] = Standing.DONE
        return found

    def do(self, act: Act) -> None:
        self.now = max(self.now + act.after, NOON)
        made = self._made(act)
        if isinstance(made, Request):
            assert self.request.closed_at is None, "what is closed is changed by no act"
            self.request = made

    def _made(self, act: Act) -> Request | Refusal | None:
        facts, now, request = act.facts, self.now, self.request
        match act.name:
            case "identify":
                return rules.identify(request, facts["state"], facts["doubt"], now)
            case "extend":
                return rules.extend(request, facts["months"], facts["reason"], now + facts["told"], now)
            case "decide":
                wanted = [rules.Decided(facts["number"], facts["answer"], facts["reason"])]
                return rules.decide(request, wanted, self.standings, facts["complaint_to"], BY, now)
            case "refuse_whole":
                return rules.refuse_whole(request, facts["reason"], self.standings, facts["complaint_to"], BY, now)
            case "narrow":
                return rules.narrow(request, facts["places"], NOW_US)
            case "close":
                return rules.close(request, self.standings, now + facts["told"], BY, now)
            case "take_back":
                return rules.take_back(request, self.standings, now + facts["told"], BY, now)
        self._moved[facts["number"]] = facts["standing"]
        return None


@given(st.sampled_from(RequestKind), st.integers(0, 3), st.lists(_ACTS, max_size=25))
def test_no_history_of_acts_closes_a_request_without_outcome_and_answer_nor_leaves_it_without_a_clock(
    kind: RequestKind, items: int, acts: list[Act]
) -> None:
    history = History(_request(kind, items))
    for act in acts:
        history.do(act)
        request = history.request
        # A clock: the promise stands where it stood, and the answer date is a date.
        assert request.promised_by == promised_by(NOON)
        assert request.promised_by <= request.answer_by <= months_later(NOON, 3) + LONGEST_SUSPENSION
        if request.closed_at is None:
            assert (request.outcome, request.answered_at) == (None, None)
            assert request.is_overdue(request.answer_by + timedelta(microseconds=1))
            continue
        assert request.outcome is not None
        assert request.answered_at is not None
        assert request.received_at <= request.answered_at <= request.closed_at
        answers = [one.answer for one in request.items]
        if request.outcome is not Outcome.TAKEN_BACK:
            assert None not in answers
            assert answers or request.refused_whole is not None
        if Answer.REFUSE in answers and kind is not RequestKind.WITHDRAWAL:
            assert request.complaint_to
        break


@given(st.sampled_from(RequestKind), st.lists(_ACTS, max_size=20))
def test_nothing_is_granted_while_it_is_not_known_who_asks(kind: RequestKind, acts: list[Act]) -> None:
    history = History(_request(kind, 2))
    for act in acts:
        before = history.request
        history.do(act)
        granted = {one.number for one in history.request.items if one.answer in GRANTS}
        if granted - {one.number for one in before.items if one.answer in GRANTS}:
            assert before.identity.state in KNOWN


@given(st.sampled_from(RequestKind), st.lists(_ACTS, max_size=20))
def test_an_answer_and_its_reason_fit_what_was_asked(kind: RequestKind, acts: list[Act]) -> None:
    history = History(_request(kind, 3))
    for act in acts:
        history.do(act)
        for item in history.request.items:
            assert item.answer is None or item.answer in ANSWERS[kind]
            assert (item.answer is Answer.REFUSE) == (item.reason is not None)
            assert item.reason is None or item.reason in REASONS[kind]


@given(st.lists(st.sampled_from(Standing), min_size=1, max_size=4))
def test_an_outcome_says_what_became_of_every_item(standings: list[Standing]) -> None:
    request = _request(RequestKind.ERASURE, len(standings))
    found = rules.outcome_of(request, dict(enumerate(standings, 1)))
    is_final = not {Standing.UNDECIDED, Standing.WAITS, Standing.UNDER_WAY} & set(standings)
    assert isinstance(found, Outcome) == is_final
    if isinstance(found, Outcome):
        assert (found is Outcome.REFUSED) == (Standing.REFUSED in standings and Standing.DONE not in standings)
        assert (found is Outcome.PARTLY_GRANTED) == {Standing.REFUSED, Standing.DONE}.issubset(standings)
        assert (found is Outcome.NOTHING_THERE) == (set(standings) == {Standing.NOTHING_THERE})


@given(st.sampled_from(RequestKind), st.lists(_places(), max_size=4))
def test_places_without_a_flaw_lie_where_they_may_are_short_enough_and_never_overlap(
    kind: RequestKind, places: list[Place]
) -> None:
    request = _request(kind, 0)
    items = tuple(Item(number, place) for number, place in enumerate(places, 1))
    made = rules.enter(Request(**{name: getattr(request, name) for name in request.__slots__} | {"items": items}),
                       NOON, NOW_US)  # fmt: skip
    ahead = kind is RequestKind.RESTRICTION
    is_good = all(one.span.from_us >= 0 and (ahead or one.span.until_us <= NOW_US) for one in places) and not any(
        one.camera_id == other.camera_id and one.span.overlaps(other.span)
        for at, one in enumerate(places)
        for other in places[at + 1 :]
    )
    assert isinstance(made, Request) == is_good


@given(st.timedeltas(timedelta(days=-5000), timedelta(days=5)))
def test_a_receipt_may_lie_in_the_past_and_never_ahead(offset: timedelta) -> None:
    request = _request(RequestKind.ERASURE, 0)
    made = rules.enter(request, NOON - offset, NOW_US)
    assert isinstance(made, Request) == (timedelta(0) <= -offset <= rules.LONGEST_AGO)


def test_every_state_of_identity_leads_somewhere_but_confirmed() -> None:
    assert set(NEXT) == set(IdentityState)
    assert {one for one, then in NEXT.items() if not then} == {IdentityState.CONFIRMED}


def test_a_year_is_asked_about_in_parts_and_can_be_entered_all_the_same() -> None:
    year = Place(CameraId(UUID(int=1)), Span(0, 366 * 86_400_000_000))
    made = rules.narrow(_request(RequestKind.ERASURE, 0), [year], 367 * 86_400_000_000)
    assert isinstance(made, RequestRefused)
    assert made.facts["rule"] == "window-too-long"
    assert isinstance(rules.enter(_request(RequestKind.ERASURE, 0), NOON, NOW_US), Request)


def test_a_failed_identity_grants_nothing_and_can_be_refused() -> None:
    request = _request(RequestKind.ERASURE, 1, IdentityState.FAILED)
    wanted = [rules.Decided(1, Answer.ERASE)]
    assert isinstance(rules.decide(request, wanted, {}, "", BY, NOON), IdentityIsUnconfirmed)
    refused = rules.refuse_whole(request, Reason.CANNOT_IDENTIFY, {}, "the authority", BY, NOON)
    assert isinstance(refused, Request)
    closed = rules.close(refused, {1: Standing.REFUSED}, NOON, BY, NOON)
    assert isinstance(closed, Request)
    assert closed.outcome is Outcome.REFUSED


def test_who_had_asked_is_forgotten_some_time_after_the_end_and_not_before() -> None:
    request = _request(RequestKind.ERASURE, 0)
    refused = rules.refuse_whole(request, Reason.EXCESSIVE, {}, "the authority", BY, NOON)
    assert isinstance(refused, Request)
    closed = rules.close(refused, {}, NOON, BY, NOON)
    assert isinstance(closed, Request)
    later = NOON + rules.FORGOTTEN_AFTER
    assert not rules.is_forgettable(refused, later)
    assert not rules.is_forgettable(closed, later - timedelta(seconds=1))
    assert rules.is_forgettable(closed, later)

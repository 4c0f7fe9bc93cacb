"""What a request is, and what each act makes of it: another request, or a refusal. Pure; times `_us`: our clock, UTC.

An act never ends without a clock, and only `close` closes: with an outcome, and with when the answer was given.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import combinations
from typing import Final

from archive.orders.rules import FOREVER_US
from vms_privacy.errors import Refusal
from vms_privacy.subject_requests.clocks import MOST_MORE_MONTHS
from vms_privacy.subject_requests.errors import (
    IdentityIsUnconfirmed,
    RequestIsClosed,
    RequestIsUndecided,
    RequestIsUnderWay,
    RequestRefused,
)
from vms_privacy.subject_requests.kinds import (
    ANSWERS,
    GRANTS,
    KNOWN,
    NEXT,
    REASONS,
    Answer,
    Doubt,
    IdentityState,
    Outcome,
    Reason,
    RequestKind,
    Standing,
    WhyLonger,
)
from vms_privacy.subject_requests.request import Extension, Identity, Item, Place, Request

LONGEST_AGO: Final = timedelta(days=3660)
LONGEST_WINDOW: Final = timedelta(days=31)
"""How long a stretch somebody may ask about at once: who wants a year is asked which part of it (EDPB 3/2019, 96)."""
LONGEST_RESTRICTION: Final = timedelta(days=366)
MOST_ITEMS: Final = 50
MOST_OPEN: Final = 5000
FORGOTTEN_AFTER: Final = timedelta(days=90)
"""So long after a request was closed who had asked is forgotten; the rest stays."""
_MICROSECOND: Final = timedelta(microseconds=1)
_GRANTED: Final = frozenset({Standing.WAITS, Standing.UNDER_WAY, Standing.DONE})


@dataclass(frozen=True, slots=True)
class Decided:
    """What somebody decides of one item."""

    number: int
    answer: Answer
    reason: Reason | None = None


def enter(request: Request, now: datetime, now_us: int) -> Request | Refusal:
    """Say whether a new request may be entered. Everything may but what contradicts itself: it is there already."""
    if request.received_at > now:
        return RequestRefused("nothing is received at a moment that has not come", rule="received-in-the-future")
    if request.received_at < now - LONGEST_AGO:
        return RequestRefused("it is said to be older than ten years; look at its year", rule="received-too-long-ago")
    places = [one.place for one in request.items]
    return _flaw_of_places(request.kind, places, now_us) or request


def narrow(request: Request, places: Sequence[Place], now_us: int) -> Request | Refusal:
    """Say anew what it is about; only as long as nothing of it is decided."""
    if any(one.answer is not None for one in request.items) or request.refused_whole is not None:
        return _open(request) or RequestRefused("something of it is decided already", rule="is-decided")
    items = tuple(Item(number, place) for number, place in enumerate(places, 1))
    if not items:
        return _open(request) or RequestRefused("name a camera and a time", rule="names-nothing")
    return _open(request) or _flaw_of_places(request.kind, places, now_us) or replace(request, items=items)


def identify(request: Request, state: IdentityState, doubt: Doubt | None, now: datetime) -> Request | Refusal:
    """Note what is known of who asks."""
    known = request.identity
    if state not in NEXT[known.state]:
        return _open(request) or RequestRefused(f"from {known.state} it does not become {state}", rule="no-such-step")
    if doubt is not None and state is not IdentityState.ASKED_FOR:
        return _open(request) or RequestRefused("a doubt is why somebody is asked", rule="doubt-without-asking")
    if state is IdentityState.ASKED_FOR and known.asked_at is None:
        identity = Identity(state, doubt, now)
    elif state is IdentityState.ASKED_FOR:
        # Once it stood still; asking again does not make it.
        identity = replace(known, state=state)
    else:
        settled = known.settled_at or (None if known.asked_at is None else max(now, known.asked_at))
        identity = replace(known, state=state, settled_at=settled)
    return _open(request) or replace(request, identity=identity)


def extend(request: Request, months: int, reason: WhyLonger, told_at: datetime, now: datetime) -> Request | Refusal:
    """Take longer, once, and only within the period in which an answer was promised (GDPR, Article 12(3))."""
    flaw = _open(request)
    if flaw is None and request.extension is not None:
        flaw = RequestRefused("it was extended before; that can be done once", rule="extended-before")
    if flaw is None and not 1 <= months <= MOST_MORE_MONTHS:
        flaw = RequestRefused("by one or two months", rule="too-many-months")
    if flaw is None and now >= request.promised_by:
        flaw = RequestRefused("the first period is over; it can be extended only within it", rule="too-late-to-extend")
    if flaw is None and not request.received_at <= told_at <= now:
        flaw = RequestRefused("tell whoever asked first, and say when that was", rule="requester-not-told")
    return flaw or replace(request, extension=Extension(months, reason, told_at))


def decide(
    request: Request,
    wanted: Sequence[Decided],
    standings: Mapping[int, Standing],
    complaint_to: str,
    by: str,
    now: datetime,
) -> Request | Refusal:
    """Decide about some items. What was granted and is being done is decided for good."""
    flaw = _open(request) or _flaw_of_decision(request, wanted, standings, complaint_to)
    if flaw is not None:
        return flaw
    chosen = {one.number: one for one in wanted}
    items = tuple(
        Item(one.number, one.place, chosen[one.number].answer, chosen[one.number].reason, by, now)
        if one.number in chosen
        else one
        for one in request.items
    )
    return replace(request, items=items, refused_whole=None, complaint_to=complaint_to or request.complaint_to)


def refuse_whole(
    request: Request, reason: Reason, standings: Mapping[int, Standing], complaint_to: str, by: str, now: datetime
) -> Request | Refusal:
    """Refuse everything: also what says neither camera nor time."""
    flaw = _open(request)
    if flaw is None and not _GRANTED.isdisjoint(standings.values()):
        flaw = RequestIsUnderWay("something of it is granted already")
    if flaw is None:
        flaw = _flaw_of_refusal(request, reason, complaint_to)
    items = tuple(Item(one.number, one.place, Answer.REFUSE, reason, by, now) for one in request.items)
    return flaw or replace(request, items=items, refused_whole=reason, complaint_to=complaint_to)


def close(
    request: Request, standings: Mapping[int, Standing], answered_at: datetime, by: str, now: datetime
) -> Request | Refusal:
    """Close what has an outcome and an answer: nothing else is ever closed."""
    flaw = _open(request)
    if flaw is None and not request.received_at <= answered_at <= now:
        flaw = RequestRefused("say when the answer was given: between receipt and now", rule="requester-not-told")
    if flaw is not None:
        return flaw
    found = outcome_of(request, standings)
    if isinstance(found, Refusal):
        return found
    return replace(request, outcome=found, answered_at=answered_at, closed_at=now, closed_by=by)


def take_back(
    request: Request, standings: Mapping[int, Standing], told_at: datetime, by: str, now: datetime
) -> Request | Refusal:
    """Close what whoever asked does not want any more; not what is being done already."""
    flaw = _open(request)
    if flaw is None and not request.received_at <= told_at <= now:
        flaw = RequestRefused("say when it was taken back: between receipt and now", rule="requester-not-told")
    if flaw is None and not _GRANTED.isdisjoint(standings.values()):
        flaw = RequestIsUnderWay("something of it is granted already")
    return flaw or replace(request, outcome=Outcome.TAKEN_BACK, answered_at=told_at, closed_at=now, closed_by=by)


def close_again(request: Request, outcome: Outcome, closed_at: datetime, by: str) -> Request:
    """Close what was closed and answered before its operator left, by what the custody journal tells: its outcome.

    What was decided of each item went with a lost database. Where nothing is decided here, it says of it what is so:
    nothing is there of an operator that has left, and a request without an item named nothing.
    """
    at = max(closed_at, request.received_at)
    items = tuple(
        one if one.answer is not None else Item(one.number, one.place, Answer.NOTHING_THERE, None, by, at)
        for one in request.items
    )
    refused_whole = request.refused_whole
    if not items and refused_whole is None:
        refused_whole = Reason.NOT_NARROWED_DOWN
    return replace(
        request,
        items=items,
        refused_whole=refused_whole,
        outcome=outcome,
        answered_at=at,
        closed_at=at,
        closed_by=by,
    )


def outcome_of(request: Request, standings: Mapping[int, Standing]) -> Outcome | Refusal:
    """Say how it ends; a refusal while it cannot end yet."""
    if request.refused_whole is not None:
        return Outcome.REFUSED
    if not request.items:
        return RequestIsUndecided("name what it is about and decide, or refuse it with a reason")
    found = {standings.get(one.number, Standing.UNDECIDED) for one in request.items}
    if Standing.UNDECIDED in found:
        return RequestIsUndecided("something that was asked for is not decided")
    if Standing.WAITS in found:
        return RequestIsUnderWay("a second person has not decided yet")
    if Standing.UNDER_WAY in found:
        return RequestIsUnderWay("not every store has confirmed that it is gone")
    if Standing.REFUSED not in found:
        return Outcome.GRANTED if Standing.DONE in found else Outcome.NOTHING_THERE
    return Outcome.PARTLY_GRANTED if Standing.DONE in found else Outcome.REFUSED


def is_forgettable(request: Request, now: datetime) -> bool:
    """Say whether who had asked is to be forgotten now."""
    return request.closed_at is not None and now >= request.closed_at + FORGOTTEN_AFTER


def _open(request: Request) -> Refusal | None:
    if request.closed_at is None:
        return None
    return RequestIsClosed("it is closed; what is asked anew is another request")


def _flaw_of_decision(
    request: Request, wanted: Sequence[Decided], standings: Mapping[int, Standing], complaint_to: str
) -> Refusal | None:
    numbers = [one.number for one in wanted]
    if not numbers or len(set(numbers)) != len(numbers) or not set(numbers) <= {one.number for one in request.items}:
        return RequestRefused("decide about items that it has, each once", rule="no-such-item")
    for one in wanted:
        if standings.get(one.number) in _GRANTED:
            return RequestIsUnderWay("this is granted already")
        if one.answer not in ANSWERS[request.kind]:
            return RequestRefused(f"a request of this kind is not answered by {one.answer}", rule="answer-does-not-fit")
        if (one.answer is Answer.REFUSE) != (one.reason is not None):
            return RequestRefused("what is refused has a reason, and nothing else has", rule="reason-does-not-fit")
        if one.answer in GRANTS and request.identity.state not in KNOWN:
            return IdentityIsUnconfirmed("confirm who asks first, or refuse")
        if one.reason is not None:
            flaw = _flaw_of_refusal(request, one.reason, complaint_to or request.complaint_to)
            if flaw is not None:
                return flaw
    return None


def _flaw_of_refusal(request: Request, reason: Reason, complaint_to: str) -> Refusal | None:
    if reason not in REASONS[request.kind]:
        return RequestRefused("this is no reason to refuse a request of this kind", rule="reason-does-not-fit")
    if not complaint_to.strip() and request.kind is not RequestKind.WITHDRAWAL:
        return RequestRefused("say to which authority one can complain", rule="complaint-contact-missing")
    return None


def _flaw_of_places(kind: RequestKind, places: Collection[Place], now_us: int) -> Refusal | None:
    if len(places) > MOST_ITEMS:
        return RequestRefused(f"at most {MOST_ITEMS} stretches of time in one request", rule="too-many-items")
    ahead_us = FOREVER_US if kind is RequestKind.RESTRICTION else now_us
    longest = LONGEST_RESTRICTION if kind in {RequestKind.RESTRICTION, RequestKind.WITHDRAWAL} else LONGEST_WINDOW
    for one in places:
        if one.span.from_us < 0 or one.span.until_us > ahead_us:
            return RequestRefused(
                "what is asked about has been recorded: end it at the present moment", rule="lies-ahead"
            )
        if one.span.until_us - one.span.from_us > longest // _MICROSECOND:
            return RequestRefused(
                f"at most {longest.days} days at once; enter it without a time and ask which part is meant",
                rule="window-too-long",
            )
    for first, second in combinations(places, 2):
        if first.camera_id == second.camera_id and first.span.overlaps(second.span):
            return RequestRefused("two stretches of one camera overlap: make them one", rule="items-overlap")
    return None

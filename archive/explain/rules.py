"""The answer to "why is this here, or gone": one verdict from what is known about a moment. Pure; times as `_us`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum, unique

from archive.mandates.rules import Cause
from archive.orders.rules import Order, OrderKind
from archive.segments.rules import State, readable_from_us


@unique
class What(StrEnum):
    """What became of a moment. Stable: programs go by it."""

    NOT_YET = "not-yet"
    NEVER_RECORDED = "never-recorded"
    GAP = "gap"
    BEING_RECORDED = "being-recorded"
    KEPT = "kept"
    RESTRICTED = "restricted"
    HELD = "held"
    EXPIRED = "expired"
    DESTROYED = "destroyed"
    UNACCOUNTED = "unaccounted"


@dataclass(frozen=True, slots=True)
class Footage:
    """What a segment's row says, as far as an answer needs it. `destroy_from_us` is None while it grows."""

    state: State
    starts_us: int
    ends_us: int | None
    keep_us: int
    policy_version: int
    destroy_from_us: int | None
    receipt: str = ""
    attempts: int = 0
    last_failure: str = ""
    cause: Cause = Cause.EXPIRY


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that is known about one moment of one camera.

    `mandate`: why it is to be destroyed before its time. `requests`: the open ones of people who ask about it, by id.
    """

    moment_us: int
    now_us: int
    was_opted_in: bool
    footage: Footage | None
    gap: str
    orders: Sequence[Order]
    sweep_us: int
    mandate: Cause | None = None
    requests: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class MayKnow:
    """What an asker may be told beyond that something is there: of holds, of how things were destroyed, of requests."""

    holds: bool
    proof: bool
    requests: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One reason: a stable code, and what it is about: an id, a case, a code; empty where there is nothing to name."""

    code: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Next:
    """What happens next, by a stable code, and when at the latest; None: on nobody's clock."""

    code: str
    at_us: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What is there, why, and what is next. `readable_until_us`: until when an ordinary look is possible."""

    what: What
    because: tuple[Line, ...]
    readable_until_us: int | None = None
    then: Next | None = None


def explain(known: Known, may: MayKnow) -> Answer:
    """Answer for one asker. Precedence as where it acts: restriction and hold before retention."""
    answer = _explained(known, may)
    if not may.requests:
        return answer
    return replace(answer, because=(*answer.because, *(Line("request-is-open", one) for one in known.requests)))


def _explained(known: Known, may: MayKnow) -> Answer:
    if known.moment_us > known.now_us:
        return Answer(What.NOT_YET, (Line("lies-ahead"),))
    footage = known.footage
    if footage is None:
        return _nothing_there(known)
    retention = Line("retention", f"version {footage.policy_version}")
    if footage.state is State.ERASED:
        return _destroyed(footage, retention, may)
    expires_us = known.moment_us + footage.keep_us
    is_expired = known.moment_us < readable_from_us(footage.keep_us, known.now_us)
    if not is_expired:
        # What is to be destroyed before its time is as good as expired, for everybody alike.
        is_expired = known.mandate is not None or (footage.state is State.ERASING and footage.cause is not Cause.EXPIRY)
    restrictions = [one for one in known.orders if one.kind is OrderKind.RESTRICTION]
    # What has expired is gone for everybody, restricted or not, but for those who may know what keeps it.
    if restrictions and footage.state is not State.ERASING and (may.holds or not is_expired):
        cases = tuple(Line("restriction", one.case if may.proof else "") for one in restrictions)
        return Answer(What.RESTRICTED, cases, None, Next("when-two-people-lift-it"))
    holds = [one for one in known.orders if one.kind is OrderKind.HOLD]
    if footage.state is State.ERASING or (is_expired and not (holds and may.holds)):
        return _going(known, footage, retention, may, is_held=bool(holds))
    if is_expired:
        return Answer(
            What.HELD,
            (*(Line("hold", one.case) for one in holds), _over(known, footage, retention)),
            None,
            Next("destroyed-by-the-sweep-after-two-people-lift-it"),
        )
    told = tuple(Line("hold", one.case) for one in holds) if may.holds else ()
    what = What.BEING_RECORDED if footage.state is State.WRITING else What.KEPT
    return Answer(what, (Line("opt-in"), retention, *told), expires_us, Next("expires", expires_us))


def _nothing_there(known: Known) -> Answer:
    if known.gap:
        return Answer(What.GAP, (Line("gap", known.gap),))
    if not known.was_opted_in:
        return Answer(What.NEVER_RECORDED, (Line("no-opt-in"),))
    return Answer(What.UNACCOUNTED, (Line("ask-for-a-check"),))


def _destroyed(footage: Footage, retention: Line, may: MayKnow) -> Answer:
    because = [_over_by(footage.cause, retention)]
    if may.proof:
        because += [Line("receipt", footage.receipt)] if footage.receipt else [Line("receipt-comes-within-the-hour")]
        because.append(Line("key-destroyed"))
    return Answer(What.DESTROYED if may.proof else What.EXPIRED, tuple(because))


def _going(known: Known, footage: Footage, retention: Line, may: MayKnow, *, is_held: bool) -> Answer:
    """What has expired, or is being destroyed: the same words for what is held, unless the asker may know of holds."""
    because = [_over(known, footage, retention)]
    if not may.proof:
        return Answer(What.EXPIRED, tuple(because))
    if footage.state is State.ERASING:
        because.append(Line("being-destroyed"))
        if footage.last_failure:
            because.append(Line("deletion-debt", f"{footage.last_failure}, {footage.attempts} attempts"))
        return Answer(What.EXPIRED, tuple(because), None, Next("tried-again"))
    if is_held or footage.destroy_from_us is None:
        return Answer(What.EXPIRED, tuple(because))
    if known.mandate is not None:
        return Answer(What.EXPIRED, tuple(because), None, Next("destroyed", known.now_us + known.sweep_us))
    return Answer(What.EXPIRED, tuple(because), None, Next("destroyed", footage.destroy_from_us + known.sweep_us))


def _over(known: Known, footage: Footage, retention: Line) -> Line:
    """Say why nobody reads it any more."""
    return _over_by(footage.cause if known.mandate is None else known.mandate, retention)


def _over_by(cause: Cause, retention: Line) -> Line:
    return Line("expired", retention.about) if cause is Cause.EXPIRY else Line("mandate", str(cause))

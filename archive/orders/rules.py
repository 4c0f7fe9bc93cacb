"""What an order may say, what it covers, and what it leaves to whom. Pure. Times `_us`: microseconds of our clock, UTC.

Order of precedence (P6): hold = restriction > erasure request > retention > disk pressure.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Final

from archive.segments.rules import Span
from vms_privacy.ids import CameraId, OperatorId, OrderId, PersonId

FOREVER_US: Final = 2**60
"""The end of an order without one, beyond every moment of the calendar."""
LONGEST_REVIEW: Final = timedelta(days=366)
SOUND_AROUND_US: Final = 10_000_000
"""Sound of a segment may lie before its first picture and behind its last, though never by so much."""
SHORTEST_REASON: Final = 10
MOST_PEOPLE: Final = 50
MOST_IN_FORCE: Final = 500
"""How many orders may be in force over one camera at once."""


@unique
class OrderKind(StrEnum):
    """The two kinds. Both keep; a restriction also closes."""

    HOLD = "hold"
    RESTRICTION = "restriction"


@unique
class Ground(StrEnum):
    """Why. The first four are for holds, the next four for restrictions: GDPR, Article 18(1), (a) to (d).

    The last is nobody's to name: an order that was lost and placed again.
    """

    COURT_ORDER = "court-order"
    AUTHORITY_REQUEST = "authority-request"
    LEGAL_CLAIM = "legal-claim"
    INVESTIGATION = "investigation"
    ACCURACY_CONTESTED = "accuracy-contested"
    UNLAWFUL_PROCESSING = "unlawful-processing"
    NEEDED_FOR_CLAIMS = "needed-for-claims"
    OBJECTION_PENDING = "objection-pending"
    FROM_THE_JOURNAL = "from-the-journal"


GROUNDS: Final = {
    OrderKind.HOLD: (Ground.COURT_ORDER, Ground.AUTHORITY_REQUEST, Ground.LEGAL_CLAIM, Ground.INVESTIGATION),
    OrderKind.RESTRICTION: (
        Ground.ACCURACY_CONTESTED,
        Ground.UNLAWFUL_PROCESSING,
        Ground.NEEDED_FOR_CLAIMS,
        Ground.OBJECTION_PENDING,
    ),
}


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What somebody wants to place. `until_us` is FOREVER_US for an order that lasts until it is lifted.

    `case` is the operator's own reference; `authority` who asked for it; `people` may open what has expired (holds).
    """

    kind: OrderKind
    camera_id: CameraId
    from_us: int
    until_us: int
    case: str
    ground: Ground
    authority: str
    reason: str
    review_at: datetime
    people: frozenset[PersonId] = frozenset()


@dataclass(frozen=True, slots=True)
class Order:
    """One order. In force until it is lifted; the review is a date, not an end."""

    id: OrderId
    operator_id: OperatorId
    kind: OrderKind
    camera_id: CameraId
    from_us: int
    until_us: int
    case: str
    ground: Ground
    authority: str
    reason: str
    placed_by: str
    placed_at: datetime
    review_at: datetime
    lifted_at: datetime | None = None
    lifted_by: str | None = None
    lift_approved_by: str | None = None
    people: frozenset[PersonId] = frozenset()

    @property
    def is_in_force(self) -> bool:
        """Say whether nobody has lifted it."""
        return self.lifted_at is None

    def is_overdue(self, now: datetime) -> bool:
        """Say whether it should have been reviewed by now."""
        return self.is_in_force and now >= self.review_at

    def journal_facts(self, act: str) -> dict[str, str | int | None]:
        """Return what the custody journal keeps of the order when it is `placed` or `lifted`."""
        return {
            "act": act,
            "order": str(self.id),
            "operator": str(self.operator_id),
            "camera": str(self.camera_id),
            "from_us": self.from_us,
            "until_us": None if self.until_us == FOREVER_US else self.until_us,
            "review_at": self.review_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Covered:
    """What an order meets: segments that it keeps, and those that had been destroyed, or begun to be, before it came.

    `expired` counts, of those kept, the ones that nothing but orders keeps.
    """

    segments: int
    size_bytes: int
    expired: int
    too_late: int


NOTHING: Final = Covered(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with an order that somebody wants; `rule` is stable, `why` says what to do."""

    rule: str
    why: str


def flaw_of(new: NewOrder, covered: Covered, now: datetime, now_us: int) -> Flaw | None:
    """Say what is wrong with a new order; None if it may be placed.

    An order over a past that holds nothing is refused: whoever places it believes that something is safe.
    """
    if new.until_us <= new.from_us:
        return Flaw("runs-backward", "the stretch of time ends before it begins")
    if not 0 <= new.from_us < FOREVER_US or new.until_us > FOREVER_US:
        return Flaw("beyond-the-calendar", "the stretch of time is beyond the calendar")
    if new.ground not in GROUNDS[new.kind]:
        return Flaw("ground-does-not-fit", f"a {new.kind} has one of these grounds: {', '.join(GROUNDS[new.kind])}")
    if not new.case.strip():
        return Flaw("case-is-blank", "name the case by your own reference")
    if not new.authority.strip():
        return Flaw("authority-is-blank", "say who asked for it: a court, an authority, a person's own request")
    if len(new.reason.strip()) < SHORTEST_REASON:
        return Flaw("reason-is-blank", "say in words why")
    if new.people and new.kind is OrderKind.RESTRICTION:
        return Flaw("restricted-for-everybody", "a restricted stretch opens for nobody, so no people are named")
    if len(new.people) > MOST_PEOPLE:
        return Flaw("too-many-people", f"a case has at most {MOST_PEOPLE} people")
    wrong_review = flaw_of_review(new.review_at, now)
    if wrong_review is not None:
        return wrong_review
    if not covered.segments and new.until_us <= now_us:
        return Flaw("covers-nothing", "there is nothing left of this time that could be kept")
    return None


def flaw_of_review(review_at: datetime, now: datetime) -> Flaw | None:
    """Say what is wrong with the date of the next review; None if nothing is."""
    if review_at <= now:
        return Flaw("review-is-past", "the next review lies in the future")
    if review_at > now + LONGEST_REVIEW:
        return Flaw("review-is-too-far", f"an order is reviewed at least every {LONGEST_REVIEW.days} days")
    return None


@dataclass(frozen=True, slots=True)
class Ordered:
    """What orders in force, and mandates, say about stretches of one camera's time, for one asker.

    `closed`: nobody reads it. `opened`: it opens for the asker although it has expired. `gone`: it is to be destroyed
    before its time, and as good as expired.
    """

    closed: tuple[Span, ...] = ()
    opened: tuple[Span, ...] = ()
    gone: tuple[Span, ...] = ()

    def closes(self, from_us: int, until_us: int) -> bool:
        """Say whether any moment of a stretch is closed; an empty stretch is the moment at which it lies."""
        return _touch(self.closed, from_us, until_us)

    def is_gone(self, from_us: int, until_us: int) -> bool:
        """Say whether any moment of a stretch is to be destroyed before its time; an empty one as in `closes`."""
        return _touch(self.gone, from_us, until_us)

    def opens(self, from_us: int, until_us: int) -> bool:
        """Say whether one case opens all of a stretch."""
        return any(one.from_us <= from_us and until_us <= one.until_us for one in self.opened)

    def leaves(self, from_us: int, until_us: int, kept_from_us: int) -> list[Span]:
        """Return what of a stretch can be read, where everything before `kept_from_us` has expired, by time."""
        shown = _without([(max(from_us, kept_from_us), until_us)], self.gone)
        away = [Span(from_us, max(kept_from_us, from_us + 1)), *self.gone] if kept_from_us > from_us else self.gone
        for one in self.opened:
            shown += [
                (max(from_us, one.from_us, left.from_us), min(until_us, one.until_us, left.until_us)) for left in away
            ]
        return [Span(since, until) for since, until in sorted(set(_without(shown, self.closed)))]

    def left_open(self, from_us: int, until_us: int, kept_from_us: int) -> list[Span]:
        """Return what could be read if nothing were closed."""
        return Ordered((), self.opened, self.gone).leaves(from_us, until_us, kept_from_us)

    def around(self, from_us: int, until_us: int) -> "Ordered":
        """Return what of it is about a stretch."""
        closed = tuple(one for one in self.closed if one.from_us < until_us and from_us < one.until_us)
        opened = tuple(one for one in self.opened if one.from_us < until_us and from_us < one.until_us)
        gone = tuple(one for one in self.gone if one.from_us < until_us and from_us < one.until_us)
        return Ordered(closed, opened, gone) if closed or opened or gone else NOTHING_ORDERED


NOTHING_ORDERED: Final = Ordered()


def _touch(spans: Iterable[Span], from_us: int, until_us: int) -> bool:
    end = max(until_us, from_us + 1)
    return any(one.from_us < end and from_us < one.until_us for one in spans)


def _without(shown: list[tuple[int, int]], taken: Iterable[Span]) -> list[tuple[int, int]]:
    """Take stretches out of others."""
    shown = [(since, until) for since, until in shown if since < until]
    for one in taken:
        before = [(since, min(until, one.from_us)) for since, until in shown]
        behind = [(max(since, one.until_us), until) for since, until in shown]
        # What is empty goes at once: many orders would else double the list each.
        shown = [(since, until) for since, until in {*before, *behind} if since < until]
    return shown


def ordered(orders: Iterable[Order], person_id: PersonId | None, gone: Iterable[Span] = ()) -> Ordered:
    """Say what orders in force, and mandates, mean for somebody; None for whoever is nobody's case person."""
    in_force = [one for one in orders if one.is_in_force]
    return Ordered(
        closed=tuple(Span(one.from_us, one.until_us) for one in in_force if one.kind is OrderKind.RESTRICTION),
        opened=tuple(
            Span(one.from_us, one.until_us)
            for one in in_force
            if one.kind is OrderKind.HOLD and person_id is not None and person_id in one.people
        ),
        gone=tuple(gone),
    )

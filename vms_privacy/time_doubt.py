"""When the clock is to be doubted, and what the doubt means for reading and destroying. Pure; docs/design/time.md.

Witnesses of a moment: the wall clock, the last trusted moment carried on by monotonic time, the database's clock, and
after a restart in doubt the bounds that were saved. While witnesses are at most `LIMIT` apart, the wall clock counts.
Beyond, reading goes by the latest of them and destroying by the earliest. So, as long as one witness is right, nothing
is destroyed more than `LIMIT` early and nothing is shown more than `LIMIT` too long.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Final

LIMIT: Final = timedelta(seconds=60)
LONGEST_ABSENCE: Final = timedelta(days=7)
FOLLOWING: Final = 0.001
"""How far trust follows the wall clock, as a share of the time gone by: enough for any clock that is slewed, too
little for steps that are small one by one."""


@unique
class Cause(StrEnum):
    """Why the time is in doubt."""

    STEPPED_FORWARD = "stepped-forward"
    STEPPED_BACK = "stepped-back"
    DATABASE_DIFFERS = "database-differs"
    BEFORE_THE_MARK = "before-the-mark"
    LONG_ABSENCE = "long-absence"


@dataclass(frozen=True, slots=True)
class TimeDoubt:
    """The time is in doubt since a trusted moment; `apart` is how far the witnesses were when it was noticed."""

    since: datetime
    cause: Cause
    apart: timedelta


@dataclass(frozen=True, slots=True)
class Mark:
    """What outlives the process: the last trusted moment, the bounds of a doubt, the doubt, who settled one last."""

    trusted: datetime
    earliest: datetime
    latest: datetime
    doubt: TimeDoubt | None = None
    settled_by: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What the clocks showed at one look. `ticks` are seconds of monotonic time."""

    wall: datetime
    ticks: float


@dataclass(frozen=True, slots=True)
class Trust:
    """What is believed: `trusted` was the time at `ticks`; so were the further witnesses `carried` and `database`."""

    trusted: datetime
    ticks: float
    doubt: TimeDoubt | None = None
    carried: tuple[datetime, ...] = ()
    database: datetime | None = None

    def at(self, ticks: float) -> "Trust":
        """Carry every witness on to a later tick. Monotonic time that goes back is taken as standing still."""
        gone = timedelta(seconds=max(0.0, ticks - self.ticks))
        return replace(
            self,
            trusted=self.trusted + gone,
            ticks=max(ticks, self.ticks),
            carried=tuple(moment + gone for moment in self.carried),
            database=None if self.database is None else self.database + gone,
        )


@dataclass(frozen=True, slots=True)
class Times:
    """The three answers: for destroying, for new records, for reading. Equal when nothing is in doubt."""

    earliest: datetime
    now: datetime
    latest: datetime


def begin(seen: Seen, mark: Mark | None, absence: timedelta = LONGEST_ABSENCE) -> Trust:
    """Say what to believe at the start of a process, given what the last one left: None only the first time."""
    if mark is None:
        return Trust(seen.wall, seen.ticks)
    carried = (mark.earliest, mark.latest)
    if mark.doubt is not None:
        return Trust(mark.trusted, seen.ticks, mark.doubt, carried)
    if mark.trusted - seen.wall > LIMIT:
        doubt = TimeDoubt(mark.trusted, Cause.BEFORE_THE_MARK, mark.trusted - seen.wall)
        return Trust(mark.trusted, seen.ticks, doubt, carried)
    if seen.wall - mark.trusted > absence:
        doubt = TimeDoubt(mark.trusted, Cause.LONG_ABSENCE, seen.wall - mark.trusted)
        return Trust(seen.wall, seen.ticks, doubt, carried)
    return Trust(seen.wall, seen.ticks)


def look(trust: Trust, seen: Seen) -> Trust:
    """Compare the wall clock with trusted and monotonic time; return the trust, with a doubt if there is one now."""
    if trust.doubt is not None:
        return trust
    # Every question about the time comes through here: what `at` would carry on is carried on by hand.
    gone = timedelta(seconds=max(0.0, seen.ticks - trust.ticks))
    trusted = trust.trusted + gone
    apart = seen.wall - trusted
    if apart > LIMIT:
        return replace(trust, doubt=TimeDoubt(trusted, Cause.STEPPED_FORWARD, apart))
    if apart < -LIMIT:
        return replace(trust, doubt=TimeDoubt(trusted, Cause.STEPPED_BACK, -apart))
    if trust.database is not None and abs(seen.wall - trust.database - gone) > LIMIT:
        differs = abs(seen.wall - trust.database - gone)
        return replace(trust, doubt=TimeDoubt(trusted, Cause.DATABASE_DIFFERS, differs))
    return trust


def follow(trust: Trust, seen: Seen) -> Trust:
    """Bring trust up to this look, moved towards the wall clock by a share of the time gone by; not while in doubt."""
    here = trust.at(seen.ticks)
    if here.doubt is not None:
        return here
    reach = timedelta(seconds=FOLLOWING * max(0.0, seen.ticks - trust.ticks))
    return replace(here, trusted=here.trusted + max(-reach, min(reach, seen.wall - here.trusted)))


def times(trust: Trust, seen: Seen) -> Times:
    """Return the three answers for this look. `trust` comes from `look` with the same `seen`."""
    if trust.doubt is None:
        return Times(seen.wall, seen.wall, seen.wall)
    here = trust.at(seen.ticks)
    witnesses = [seen.wall, here.trusted, *here.carried, *([] if here.database is None else [here.database])]
    return Times(min(witnesses), here.trusted, max(witnesses))


def mark_of(trust: Trust, seen: Seen, before: Mark | None) -> Mark:
    """Return what should outlive the process. Without a doubt the mark only rises, so small steps back add up."""
    answers = times(trust, seen)
    settled_by = None if before is None else before.settled_by
    if trust.doubt is not None:
        return Mark(answers.now, answers.earliest, answers.latest, trust.doubt, settled_by)
    highest = answers.now if before is None else max(answers.now, before.trusted)
    return Mark(highest, highest, highest, None, settled_by)

"""Is a camera recorded at a moment, since when, and until when. By the clock on the wall, whatever the zone does to it.

A time that the wall shows twice is in the plan both times, and one that it never shows not at all.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum, unique
from typing import Final

MOST_STRETCHES: Final = 21
DAY_MIN: Final = 1440
_WEEK_MIN: Final = 7 * DAY_MIN
_US: Final = timedelta(microseconds=1)
_AT_ONCE: Final = timedelta(days=9)
_LOOKS: Final = 6
"""A plan of one short stretch a week may miss some weeks in a row: its times are not shown where clocks jump."""
_PROBE: Final = timedelta(hours=6)


@unique
class Weekday(StrEnum):
    """The days of a week, Monday first as in ISO 8601."""

    MONDAY = "mon"
    TUESDAY = "tue"
    WEDNESDAY = "wed"
    THURSDAY = "thu"
    FRIDAY = "fri"
    SATURDAY = "sat"
    SUNDAY = "sun"


DAYS: Final = tuple(Weekday)
_DAY: Final = "|".join(DAYS)
_STRETCH: Final = re.compile(
    rf"((?:{_DAY})(?:\+(?:{_DAY}))*)=([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Stretch:
    """From one time of the wall's clock to another, beginning on each of `days`. Minutes since midnight.

    One that ends no later than it begins runs on into the next day.
    """

    days: frozenset[Weekday]
    from_min: int
    until_min: int

    @property
    def is_over_midnight(self) -> bool:
        """Say whether it ends on the day after the one on which it begins."""
        return self.until_min <= self.from_min

    def __str__(self) -> str:
        """Return its one form, such as `mon+tue=08:00-18:00`; `read_stretch` reads it."""
        days = "+".join(day for day in DAYS if day in self.days)
        return f"{days}={_wall(self.from_min)}-{_wall(self.until_min)}"


@dataclass(frozen=True, slots=True)
class Plan:
    """One version of a camera's recording times. 0 is what nobody had to set; `since` None: ever."""

    version: int
    zone_name: str
    zone: tzinfo
    stretches: tuple[Stretch, ...]
    since: datetime | None = None


ALWAYS: Final = Plan(0, "UTC", UTC, (Stretch(frozenset(DAYS), 0, DAY_MIN),))
"""The default: all that the opt-in allows."""


@dataclass(frozen=True, slots=True)
class Now:
    """The unbroken time in which a camera is recorded, around one moment; None: without such an end."""

    from_at: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The plan may not be set; `code` is stable, `why` says what to do."""

    code: str
    why: str


def judge_plan(stretches: Sequence[Stretch]) -> Refused | None:
    """Say why these stretches are no plan, or None. A camera that is never to be recorded has no opt-in instead."""
    if not stretches:
        return Refused("no-stretch", "name at least one stretch; whoever wants no recording withdraws the opt-in")
    if len(stretches) > MOST_STRETCHES:
        return Refused("too-many-stretches", f"a plan has at most {MOST_STRETCHES} stretches")
    for one in stretches:
        if not one.days:
            return Refused("no-day", "a stretch begins on at least one day")
        if not (0 <= one.from_min < DAY_MIN and 0 <= one.until_min <= DAY_MIN):
            return Refused("no-time-of-a-day", "times go from 00:00 to 24:00")
        if one.from_min == one.until_min:
            return Refused("no-length", "a stretch ends at another time than it begins; a whole day is 00:00 to 24:00")
    return None


def read_stretch(text: str) -> Stretch:
    """Return what `str(stretch)` wrote. Raises ValueError for anything else, also for another form of the same."""
    found = _STRETCH.fullmatch(text)
    if found is None:
        raise ValueError("no stretch")
    days, from_hour, from_minute, until_hour, until_minute = found.groups()
    until_min = DAY_MIN if until_hour is None else 60 * int(until_hour) + int(until_minute)
    stretch = Stretch(
        frozenset(Weekday(day) for day in days.split("+")), 60 * int(from_hour) + int(from_minute), until_min
    )
    if str(stretch) != text or judge_plan([stretch]) is not None:
        raise ValueError("no stretch in its one form")
    return stretch


def is_recorded_at(plan: Plan, moment: datetime) -> bool:
    """Say whether the clock on the wall shows a time of the plan at `moment`."""
    shown = moment.astimezone(plan.zone)
    at_min = 60 * shown.hour + shown.minute
    today, yesterday = DAYS[shown.weekday()], DAYS[shown.weekday() - 1]
    for one in plan.stretches:
        if not one.is_over_midnight:
            if today in one.days and one.from_min <= at_min < one.until_min:
                return True
        elif (today in one.days and one.from_min <= at_min) or (yesterday in one.days and at_min < one.until_min):
            return True
    return False


def is_always(plan: Plan) -> bool:
    """Say whether the plan leaves out no minute of a week, and so none of any week."""
    return all(shown_week(plan))


def shown_week(plan: Plan) -> bytes:
    """Return the minutes of a wall's week from Monday on: 1 for those in the plan, 0 for the others."""
    week = bytearray(_WEEK_MIN)
    for one in plan.stretches:
        length = (one.until_min - one.from_min) % DAY_MIN or DAY_MIN
        for day in one.days:
            begins = DAYS.index(day) * DAY_MIN + one.from_min
            for minute in range(begins, begins + length):
                week[minute % _WEEK_MIN] = 1
    return bytes(week)


def next_change(plan: Plan, moment: datetime) -> datetime | None:
    """Return the first moment after `moment` at which `is_recorded_at` says something else; None where none comes."""
    if _is_plainly_always(plan):
        return None
    says, since = is_recorded_at(plan, moment), moment
    for _ in range(_LOOKS):
        until = since + _AT_ONCE
        for at in _borders(plan, since, until):
            if at > moment and is_recorded_at(plan, at) != says:
                return at
        since = until
    return None


def last_change(plan: Plan, moment: datetime) -> datetime | None:
    """Return since when `is_recorded_at` has said what it says at `moment`; None where that has ever been so."""
    if _is_plainly_always(plan):
        return None
    says, until = is_recorded_at(plan, moment), moment
    for _ in range(_LOOKS):
        since = until - _AT_ONCE
        for at in reversed(_borders(plan, since, until)):
            if at <= moment and is_recorded_at(plan, at - _US) != says:
                return at
        until = since
    return None


def recorded_now(history: Sequence[Plan], now: datetime) -> Now | None:
    """Return the time around `now` in which a camera is recorded, by the newest plan; None: not now.

    By the newest and not by its time: after a step of the clock a plan may carry a later time than it is, and must not
    come undone. A change of plan that leaves the recording on breaks nothing: the time before belongs to it.
    """
    plan = _newest(history)
    if not is_recorded_at(plan, now):
        return None
    until = next_change(plan, now)
    from_at = last_change(plan, now)
    older = sorted((one for one in (ALWAYS, *history)), key=lambda one: one.version)[:-1] if history else []
    while older and plan.since is not None and plan.since <= now and (from_at is None or from_at <= plan.since):
        before, began = older.pop(), plan.since
        while older and before.since is not None and before.since >= began:
            # It was replaced in the moment in which it came, or a step of the clock went back behind it.
            before = older.pop()
        if not is_recorded_at(before, began - _US):
            return Now(began, until)
        from_at = last_change(before, began - _US)
        plan = before
    return Now(from_at, until)


def begins_at(history: Sequence[Plan], now: datetime) -> datetime | None:
    """Return when a camera that is not recorded now is recorded next, as it stands; None where it never is."""
    return next_change(_newest(history), now)


def was_recorded_at(history: Sequence[Plan], moment: datetime) -> bool:
    """Say whether a moment lay in the plan that was in force then."""
    return is_recorded_at(_in_force(history, moment), moment)


def changes(history: Sequence[Plan], after: datetime, before: datetime) -> Iterator[datetime]:
    """Go through the moments between two others at which `was_recorded_at` says something else."""
    at, says = after, was_recorded_at(history, after)
    while True:
        ends = [one.since for one in history if one.since is not None and one.since > at]
        within = next_change(_in_force(history, at), at)
        if within is not None:
            ends.append(within)
        at = min(ends, default=before)
        if at >= before:
            return
        if was_recorded_at(history, at) != says:
            says = not says
            yield at


def _newest(history: Sequence[Plan]) -> Plan:
    return max(history, key=lambda one: one.version, default=ALWAYS)


def _in_force(history: Sequence[Plan], moment: datetime) -> Plan:
    return _newest([one for one in history if one.since is None or one.since <= moment])


def _is_plainly_always(plan: Plan) -> bool:
    return any(len(one.days) == len(DAYS) and (one.from_min, one.until_min) == (0, DAY_MIN) for one in plan.stretches)


def _borders(plan: Plan, since: datetime, until: datetime) -> list[datetime]:
    """Return every moment from `since` to `until` at which the answer may change, and some at which it does not."""
    day = (since.astimezone(plan.zone) - timedelta(days=1)).date()
    last = (until.astimezone(plan.zone) + timedelta(days=1)).date()
    minutes = {minute for one in plan.stretches for minute in (one.from_min, one.until_min % DAY_MIN)}
    minutes |= {0} if any(one.is_over_midnight for one in plan.stretches) else set()
    found = set(_jumps(plan.zone, since, until))
    while day <= last:
        found |= {at for minute in minutes for at in _shown_at(day, minute, plan.zone)}
        day += timedelta(days=1)
    return sorted(at for at in found if since <= at <= until)


def _shown_at(day: date, minute: int, zone: tzinfo) -> Iterator[datetime]:
    for fold in (0, 1):
        wall = datetime.combine(day, time(minute // 60, minute % 60, tzinfo=zone, fold=fold))
        yield wall.astimezone(UTC)


def _jumps(zone: tzinfo, since: datetime, until: datetime) -> Iterator[datetime]:
    """Go through the moments at which the wall's clock jumps; they are whole seconds."""
    at = since.astimezone(UTC).replace(microsecond=0)
    while at < until:
        before, after = at, at + _PROBE
        at = after
        if _offset(zone, before) == _offset(zone, after):
            continue
        while after - before > timedelta(seconds=1):
            middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
            before, after = (middle, after) if _offset(zone, middle) == _offset(zone, before) else (before, middle)
        yield after


def _offset(zone: tzinfo, moment: datetime) -> timedelta | None:
    return moment.astimezone(zone).utcoffset()


def _wall(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"

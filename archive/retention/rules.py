"""May this retention be set, and what does it do to footage that is there already."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

DEFAULT_KEEP_FOR: Final = timedelta(hours=72)
SMALLEST_KEEP_FOR: Final = timedelta(seconds=10)
LARGEST_KEEP_FOR: Final = timedelta(days=366)
SHORTEST_JUSTIFICATION: Final = 10


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of a camera's retention; version 0 is the default nobody had to set."""

    version: int
    keep_for: timedelta
    justification: str = ""

    @property
    def keep_us(self) -> int:
        """Return the retention in microseconds."""
        return self.keep_for // timedelta(microseconds=1)


HARMLESS_LOSS: Final = timedelta(hours=1)
"""So much recorded time of a camera may be destroyed at once by one person's shortening."""
LATELY: Final = timedelta(days=7)
"""Many small steps within this time count as the one that they are together."""


DEFAULT_POLICY: Final = Policy(0, DEFAULT_KEEP_FOR)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The change may be made. `reaches_back`: footage taken before is kept shorter from now on."""

    policy: Policy
    reaches_back: bool
    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The change may not be made; `code` is stable, `why` says what to do."""

    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Version:
    """A policy as far as its history needs it: from when it was in force, and for how long it kept."""

    since: datetime
    keep_for: timedelta


def longest_lately(versions: Iterable[Version], now: datetime) -> timedelta:
    """Return the longest retention that was in force at some moment of the last days."""
    known = sorted(versions, key=lambda one: one.since)
    since = now - LATELY
    before = [one.keep_for for one in known if one.since <= since]
    in_force_then = before[-1] if before else DEFAULT_KEEP_FOR
    return max([in_force_then, *(one.keep_for for one in known if one.since > since)])


def needs_second_person(longest: timedelta, wanted: timedelta, lost: timedelta) -> bool:
    """Say whether shortening takes two people: it destroys much at once, and keeps less than half as long as lately."""
    return lost > HARMLESS_LOSS and 2 * wanted < longest


def judge_change(current: Policy, wanted: timedelta, justification: str) -> Accepted | Refused:
    """Say whether `wanted` may become the next version.

    Above 72 h a written justification is needed (EDPB Guidelines 3/2019, 121: the longer, the more argument).
    """
    if wanted < SMALLEST_KEEP_FOR:
        return Refused("retention-too-short", f"retention is at least {_seconds(SMALLEST_KEEP_FOR)} s")
    if wanted > LARGEST_KEEP_FOR:
        return Refused("retention-too-long", f"retention is at most {LARGEST_KEEP_FOR.days} days")
    if wanted.microseconds:
        return Refused("retention-not-whole", "retention is a whole number of seconds")
    if wanted > DEFAULT_KEEP_FOR and len(justification.strip()) < SHORTEST_JUSTIFICATION:
        return Refused("retention-needs-justification", "more than PT72H needs a justification in words")
    shorter = wanted < current.keep_for
    why = "shorter: applies at once" if shorter else "not shorter: applies to footage taken from now on"
    return Accepted(Policy(current.version + 1, wanted, justification.strip()), shorter, why)


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())

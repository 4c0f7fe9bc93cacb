"""May this retention be set, and what does it do to footage that is there already."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, unique
from types import MappingProxyType
from typing import Final

DEFAULT_KEEP_FOR: Final = timedelta(hours=72)
SMALLEST_KEEP_FOR: Final = timedelta(seconds=10)
LARGEST_KEEP_FOR: Final = timedelta(days=366)
SHORTEST_JUSTIFICATION: Final = 10
FULL_REASONS: Final = 40


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of a camera's retention.

    0 is the default nobody had to set, and -n the n-th version of what its operator has set for all its cameras.
    """

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


@unique
class Profile(StrEnum):
    """Whose law an operator keeps to. An engineers' reading of what authorities say, not legal advice."""

    GENERAL = "general"
    FRANCE = "fr"
    LUXEMBOURG = "lu"
    KAZAKHSTAN = "kz"
    UNITED_KINGDOM = "uk"


@dataclass(frozen=True, slots=True)
class Caps:
    """What a profile allows. `full_reasons_above`: beyond it a few words are no justification."""

    at_most: timedelta = LARGEST_KEEP_FOR
    full_reasons_above: timedelta | None = None
    review_every: timedelta | None = None


CAPS_OF: Final[Mapping[Profile, Caps]] = MappingProxyType(
    {
        Profile.GENERAL: Caps(),
        # CNIL: some days as a rule, a month at most, save for proceedings, which take a hold.
        Profile.FRANCE: Caps(at_most=timedelta(days=30)),
        # CNPD: 8 days in principle, 30 with reasons in the record.
        Profile.LUXEMBOURG: Caps(at_most=timedelta(days=30), full_reasons_above=timedelta(days=8)),
        Profile.KAZAKHSTAN: Caps(),
        # ICO: no fixed period, the purpose decides, and it is looked at again.
        Profile.UNITED_KINGDOM: Caps(review_every=timedelta(days=366)),
    }
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What an operator has set for all its cameras. Version 0 is what nobody had to set.

    `keep_for` holds where a camera has no retention of its own; none is kept for less than `at_least`.
    """

    version: int = 0
    profile: Profile = Profile.GENERAL
    keep_for: timedelta = DEFAULT_KEEP_FOR
    at_least: timedelta = SMALLEST_KEEP_FOR
    justification: str = ""

    @property
    def caps(self) -> Caps:
        """Return what the profile allows."""
        return CAPS_OF[self.profile]


DEFAULT_TERMS: Final = Terms()


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


def longest_lately(versions: Iterable[Version], default: timedelta, now: datetime) -> timedelta:
    """Return the longest retention that was in force at some moment of the last days; `default` before the first."""
    known = sorted(versions, key=lambda one: one.since)
    since = now - LATELY
    before = [one.keep_for for one in known if one.since <= since]
    in_force_then = before[-1] if before else default
    return max([in_force_then, *(one.keep_for for one in known if one.since > since)])


def needs_second_person(longest: timedelta, wanted: timedelta, lost: timedelta) -> bool:
    """Say whether shortening takes two people: it destroys much at once, and keeps less than half as long as lately."""
    return lost > HARMLESS_LOSS and 2 * wanted < longest


def judge_change(
    current: Policy, wanted: timedelta, justification: str, terms: Terms = DEFAULT_TERMS
) -> Accepted | Refused:
    """Say whether `wanted` may become the next version under an operator's terms.

    Above 72 h a written justification is needed (EDPB Guidelines 3/2019, 121: the longer, the more argument).
    """
    flaw = _flaw_of(wanted, justification, terms)
    if flaw is not None:
        return flaw
    shorter = wanted < current.keep_for
    why = "shorter: applies at once" if shorter else "not shorter: applies to footage taken from now on"
    return Accepted(Policy(max(current.version, 0) + 1, wanted, justification.strip()), shorter, why)


def judge_terms(wanted: Terms, cameras: Iterable[timedelta]) -> Refused | None:
    """Say why an operator's terms cannot be set beside what its cameras have of their own; None if they can."""
    if wanted.at_least < SMALLEST_KEEP_FOR or wanted.at_least.microseconds:
        return Refused("retention-too-short", f"a minimum is at least {_seconds(SMALLEST_KEEP_FOR)} whole seconds")
    flaw = _flaw_of(wanted.keep_for, wanted.justification, wanted)
    if flaw is not None:
        return flaw
    own = list(cameras)
    longer = sum(one > wanted.caps.at_most for one in own)
    if longer:
        return Refused("cameras-beyond-the-profile", f"{longer} cameras are kept for longer; shorten them first")
    shorter = sum(one < wanted.at_least for one in own)
    if shorter:
        return Refused("cameras-below-the-minimum", f"{shorter} cameras are kept for less; lengthen them first")
    return None


def _flaw_of(wanted: timedelta, justification: str, terms: Terms) -> Refused | None:
    caps, words = terms.caps, len(justification.strip())
    if wanted < SMALLEST_KEEP_FOR:
        return Refused("retention-too-short", f"retention is at least {_seconds(SMALLEST_KEEP_FOR)} s")
    if wanted > LARGEST_KEEP_FOR:
        return Refused("retention-too-long", f"retention is at most {LARGEST_KEEP_FOR.days} days")
    if wanted.microseconds:
        return Refused("retention-not-whole", "retention is a whole number of seconds")
    if wanted > caps.at_most:
        return Refused("beyond-the-profile", f"the profile {terms.profile} allows {caps.at_most.days} days at most")
    if wanted < terms.at_least:
        return Refused("below-the-minimum", f"the operator's minimum is {_seconds(terms.at_least)} s")
    if wanted > DEFAULT_KEEP_FOR and words < SHORTEST_JUSTIFICATION:
        return Refused("retention-needs-justification", "more than PT72H needs a justification in words")
    if caps.full_reasons_above is not None and wanted > caps.full_reasons_above and words < FULL_REASONS:
        days = caps.full_reasons_above.days
        return Refused(
            "retention-needs-full-reasons", f"more than {days} days needs at least {FULL_REASONS} characters"
        )
    return None


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())

"""When a camera that was lost is tried again. Pure: chance is an argument."""

from dataclasses import dataclass
from datetime import timedelta

from streams.media.faults import Fault

# What a person has to change: trying often helps nobody, and wrong passwords lock accounts.
NEEDS_A_PERSON = frozenset(
    {
        Fault.WRONG_PASSWORD,
        Fault.ADDRESS_NOT_ALLOWED,
        Fault.TLS_NOT_VERIFIED,
        Fault.REDIRECT_REFUSED,
        Fault.NO_VIDEO,
        Fault.UNSUPPORTED_CODEC,
    }
)


@dataclass(frozen=True, slots=True)
class BackOff:
    """How long to wait: from `first`, twice as long each time, up to `longest`; `slow` for what needs a person.

    A connection that delivered pictures for `well_after` counts as well: the next failure is the first again.
    """

    first: timedelta = timedelta(milliseconds=500)
    longest: timedelta = timedelta(seconds=30)
    slow_first: timedelta = timedelta(seconds=15)
    slow_longest: timedelta = timedelta(minutes=5)
    well_after: timedelta = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class TryAgain:
    """When to connect again, and why not at once. Every fault is tried again: cameras are repaired without us."""

    after: timedelta
    failures: int
    why: Fault


def try_again(fault: Fault, failures: int, was_well: bool, chance: float, back_off: BackOff) -> TryAgain:
    """Decide on the next attempt.

    `failures` in a row before this one; `chance` from 0 to 1 spreads cameras that failed together over half the time.
    """
    in_a_row = 1 if was_well else failures + 1
    is_slow = fault in NEEDS_A_PERSON
    first, longest = (back_off.slow_first, back_off.slow_longest) if is_slow else (back_off.first, back_off.longest)
    # Doubling is cut off where it has long passed any longest wait.
    wait = min(first * 2 ** min(in_a_row - 1, 20), longest)
    return TryAgain(wait * (0.5 + 0.5 * chance), in_a_row, fault)

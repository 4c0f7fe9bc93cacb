"""How long silence may last, and what a withdrawal means for something that rests on it. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum, unique
from typing import Final

STALE_AFTER_S: Final = 1.0
"""Silence after which nothing new may start: a withdrawal may have passed us by."""
DEAF_AFTER_S: Final = 10.0
"""Silence after which what runs ends."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@unique
class Hearing(StrEnum):
    """How far what we know about withdrawals can be trusted."""

    FRESH = "fresh"
    STALE = "stale"
    DEAF = "deaf"

    @property
    def may_start(self) -> bool:
        return self is Hearing.FRESH

    @property
    def may_go_on(self) -> bool:
        return self is not Hearing.DEAF


def hearing_after(silence_s: float | None) -> Hearing:
    """Say how far knowledge can be trusted after `silence_s` seconds without a heartbeat; None: there never was one."""
    if silence_s is None or silence_s >= DEAF_AFTER_S or silence_s < 0:
        return Hearing.DEAF
    return Hearing.STALE if silence_s >= STALE_AFTER_S else Hearing.FRESH


def moment_us(moment: datetime) -> int:
    """Return whole microseconds since 1970, UTC."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


@unique
class Footing(StrEnum):
    """What memory alone can say about something that rests on grants, a token and a person."""

    HOLDS = "holds"
    ASK_AGAIN = "ask-again"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about the foundations of one token: `current` has None for a grant we never heard of."""

    token_withdrawn: bool
    person_disabled: bool
    used: tuple[int, ...]
    current: tuple[int | None, ...]


def weigh(known: Known) -> Footing:
    """Say whether something still holds. A moved or unknown version is asked about again, never assumed."""
    if known.token_withdrawn or known.person_disabled:
        return Footing.WITHDRAWN
    return Footing.HOLDS if known.used == known.current else Footing.ASK_AGAIN

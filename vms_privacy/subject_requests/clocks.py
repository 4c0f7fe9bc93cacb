"""When a request has to be answered, and when somebody is reminded of it. Pure; all moments are aware and in UTC.

The promised date is the earlier of 30 days and one calendar month from receipt, and never moves. The answer date is
what the law allows at most: it may be extended once (GDPR, Article 12(3)) and stands still while somebody's identity is
in reasonable doubt and was asked for without delay (Article 12(6); EDPB Guidelines 01/2022, 5.3). Neither waits for
working days, as Regulation 1182/71 would allow: of two dates the earlier one counts.
"""

from calendar import monthrange
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

PROMISED_WITHIN: Final = timedelta(days=30)
MOST_MORE_MONTHS: Final = 2
ASKED_WITHIN: Final = timedelta(days=7)
"""Without undue delay, as we read it: asking later than so long after receipt stops no clock."""
LONGEST_SUSPENSION: Final = timedelta(days=30)
"""For so long an answer about somebody's identity is waited for; then the clock goes on by itself."""
REMIND_DAYS: Final = (14, 7, 3, 1, 0)
"""How many days before the answer date somebody is reminded; 0 is the date itself."""


@dataclass(frozen=True, slots=True)
class Asking:
    """That somebody was asked who they are. `has_doubt`: for a reason; without one nothing stands still."""

    asked_at: datetime
    has_doubt: bool
    settled_at: datetime | None


def months_later(moment: datetime, months: int) -> datetime:
    """Return the same day and time so many calendar months later, or that month's last day where it has no such day."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    last = monthrange(year, month + 1)[1]
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last))


def promised_by(received_at: datetime) -> datetime:
    """Return until when an answer is promised."""
    return min(received_at + PROMISED_WITHIN, months_later(received_at, 1))


def extended_to(received_at: datetime, more_months: int) -> datetime:
    """Return the end of a period that was extended by so many months: the earlier of the two ways to count them."""
    return min(months_later(promised_by(received_at), more_months), months_later(received_at, 1 + more_months))


def suspends(received_at: datetime, asking: Asking) -> bool:
    """Say whether asking who somebody is makes the clock stand still."""
    return asking.has_doubt and asking.asked_at <= min(received_at + ASKED_WITHIN, promised_by(received_at))


def suspended_for(received_at: datetime, asking: Asking | None) -> timedelta:
    """Return for how long the clock stands still: until it is settled who they are, 30 days at most."""
    if asking is None or not suspends(received_at, asking):
        return timedelta(0)
    latest = asking.asked_at + LONGEST_SUSPENSION
    ends = latest if asking.settled_at is None else min(asking.settled_at, latest)
    return max(ends - asking.asked_at, timedelta(0))


def answer_by(received_at: datetime, more_months: int, asking: Asking | None) -> datetime:
    """Return until when the law wants an answer, at the latest. Never earlier than what is promised."""
    base = extended_to(received_at, more_months) if more_months else promised_by(received_at)
    return base + suspended_for(received_at, asking)


def reminder_due(until: datetime, now: datetime, noted: Collection[int]) -> int | None:
    """Return of how many days before `until` somebody is to be reminded now; None if not.

    Only of the most urgent one that has come: whoever looks late is told once.
    """
    reached = [days for days in REMIND_DAYS if now >= until - timedelta(days=days)]
    if not reached or min(reached) in noted:
        return None
    return min(reached)

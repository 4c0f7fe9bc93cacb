"""Months in UTC, as summaries are cut: `2030-01`. Plain Python."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

GRACE: Final = timedelta(hours=1)
"""A month is summed up this long after its end: no receipt of it is still being signed by then."""
_MONTH: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)


def is_month(value: object) -> bool:
    """Say whether a value is a month of the years 0001 to 9998: after each there is another one in the calendar."""
    return isinstance(value, str) and _MONTH.fullmatch(value) is not None and "0001" <= value[:4] < "9999"


def month_of(moment: datetime) -> str:
    """Return the month that a moment lies in."""
    at = moment.astimezone(UTC)
    return f"{at.year:04d}-{at.month:02d}"


def next_month(month: str) -> str:
    """Return the month after one."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year + number // 12:04d}-{number % 12 + 1:02d}"


def end_of(month: str) -> datetime:
    """Return the first moment that is not in a month any more."""
    following = next_month(month)
    return datetime(int(following[:4]), int(following[5:]), 1, tzinfo=UTC)


def due(since: datetime, last: str | None, now: datetime, until: datetime | None = None) -> Iterator[str]:
    """Return the months to be summed up by now, in order: from the one of `since`, or from the one after `last`.

    The month of `until`, if there is one, is the last.
    """
    month = month_of(since) if last is None else next_month(last)
    while end_of(month) + GRACE <= now and (until is None or month <= month_of(until)):
        yield month
        month = next_month(month)

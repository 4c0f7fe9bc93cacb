"""Time comes in through this door; nothing else in the tree asks the system what time it is."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What time it is. Moments are aware and in UTC.

    `for_reading` is the later and `for_destroying` the earlier of the times in doubt: a picture is never shown
    too long and never destroyed too early. Without doubt the three are equal.
    """

    def now(self) -> datetime:
        """Return the present moment."""
        ...

    def for_reading(self) -> datetime:
        """Return the moment that decides whether something may still be read."""
        ...

    def for_destroying(self) -> datetime:
        """Return the moment that decides whether something may be destroyed."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only ever go forward; good for differences alone."""
        ...


class SystemClock:
    """The machine's clock as it is, without a second opinion."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def for_reading(self) -> datetime:
        return self.now()

    def for_destroying(self) -> datetime:
        return self.now()

    def monotonic(self) -> float:
        return time.monotonic()

"""A clock that moves only when the test says so."""

from datetime import UTC, datetime, timedelta

NOON = datetime(2030, 1, 15, 12, 0, tzinfo=UTC)


class HandClock:
    """Stands still until told; reading and destroying times may be set apart to play time doubt."""

    def __init__(self, starts_at: datetime = NOON) -> None:
        self._now = starts_at
        self._ticks = 0.0
        self.doubt = timedelta(0)

    def now(self) -> datetime:
        return self._now

    def for_reading(self) -> datetime:
        return self._now + self.doubt

    def for_destroying(self) -> datetime:
        return self._now - self.doubt

    def monotonic(self) -> float:
        return self._ticks

    def forward(self, step: timedelta) -> None:
        self._now += step
        self._ticks += step.total_seconds()

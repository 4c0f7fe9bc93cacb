"""A machine's clock whose wall time, monotonic time and truth can part."""

from datetime import datetime, timedelta

from tests.given.clock import NOON


class LooseClock:
    """`truth` is what time it really is; the wall shows it, plus whatever it was stepped by."""

    def __init__(self, starts_at: datetime = NOON) -> None:
        self.truth = starts_at
        self.wrong_by = timedelta(0)
        self._ticks = 100.0

    def now(self) -> datetime:
        return self.truth + self.wrong_by

    def for_reading(self) -> datetime:
        return self.now()

    def for_destroying(self) -> datetime:
        return self.now()

    def monotonic(self) -> float:
        return self._ticks

    def forward(self, step: timedelta) -> None:
        """Let time pass, for every clock."""
        self.truth += step
        self._ticks += step.total_seconds()

    def step(self, by: timedelta) -> None:
        """Set the wall clock on or back."""
        self.wrong_by += by

    def restart(self, after: timedelta) -> None:
        """Let time pass while the process is away; monotonic time begins anew."""
        self.truth += after
        self._ticks = 5.0

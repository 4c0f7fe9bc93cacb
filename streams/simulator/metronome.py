"""Real time for a camera's thread: which slot is due, and which were missed."""

import threading

from vms_privacy.clock import Clock

_TOO_LATE_S = 2.0


class Metronome:
    """Counts slots of `1 / beats_per_s` seconds by the monotonic clock, until stopped.

    A little late is caught up with; more than two seconds behind, slots are left out and counted in `lost`.
    """

    def __init__(self, clock: Clock, beats_per_s: int) -> None:
        self._clock = clock
        self._beats_per_s = beats_per_s
        self._stopping = threading.Event()
        self._not_stalled = threading.Event()
        self._not_stalled.set()
        self._next = 0
        self.lost = 0
        self.restart()

    def restart(self) -> None:
        """Slot 0 is now."""
        self._began = self._clock.monotonic()
        self._next = 0

    def wait(self) -> int | None:
        """Sleep until the next slot is due and return it; None when stopped."""
        if self._stopping.wait(max(0.0, -self._behind())):
            return None
        self._not_stalled.wait()
        if self._stopping.is_set():
            return None
        if self._behind() > _TOO_LATE_S:
            missed = int(self._behind() * self._beats_per_s)
            self.lost += missed
            self._next += missed
        self._next += 1
        return self._next - 1

    def stall(self) -> None:
        """Let no slot come until `go_on`."""
        self._not_stalled.clear()

    def go_on(self) -> None:
        """End a stall."""
        self._not_stalled.set()

    def stop(self) -> None:
        """End for good, a stall too."""
        self._stopping.set()
        self._not_stalled.set()

    def _behind(self) -> float:
        return self._clock.monotonic() - self._began - self._next / self._beats_per_s

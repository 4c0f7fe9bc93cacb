"""When a picture was taken, on our own clock, out of when it arrived and of the camera's own stamps. Pure.

A network delivers late and in bursts, never early: the least delay seen lately is taken for the true one, and the
camera's stamps carry it from packet to packet. So the captured times of one epoch rise with the decode times, are never
later than arrival, and follow a camera whose clock runs up to 0.1 % fast or slow.
"""

from typing import Final

from streams.media.packets import Track

_WINDOW_US: Final = 10_000_000
_SLEW: Final = 1000


class CapturedTimes:
    """Follows one epoch of one camera; both tracks share the delay, each rises by itself.

    Everything is placed after `floor_us`, where the epoch before ended: a camera that repeats its newest seconds to who
    connects does not film them twice.
    """

    def __init__(self, floor_us: int = 0) -> None:
        self._floor_us = floor_us
        self._delay_us: int | None = None
        self._window_from_us = 0
        self._least_us = 0
        self._least_before_us = 0
        self._stamp_us = 0
        self._last: dict[Track, int] = {}

    @property
    def newest_us(self) -> int:
        """Return the latest time given out, of any track."""
        return max(self._last.values(), default=self._floor_us)

    def expect(self, delay_us: int, stamp_us: int, arrived_us: int) -> None:
        """Hear of a batch before any of it is placed: what came together was not taken together.

        `delay_us` is the least of its packets' delays (arrival less stamp), the others are those of its last packet.
        """
        if self._delay_us is None:
            self._delay_us = self._least_us = self._least_before_us = delay_us
            self._window_from_us, self._stamp_us = arrived_us, stamp_us
            return
        if arrived_us - self._window_from_us > _WINDOW_US:
            self._least_before_us, self._least_us = self._least_us, delay_us
            self._window_from_us = arrived_us
        self._least_us = min(self._least_us, delay_us)
        target_us = min(self._least_us, self._least_before_us)
        # Down at once, or a picture would be from the future; up only slowly, or time would leap.
        passed_us = max(0, stamp_us - self._stamp_us)
        self._delay_us = min(target_us, self._delay_us + passed_us // _SLEW)
        self._stamp_us = max(self._stamp_us, stamp_us)

    def place(self, track: Track, stamp_us: int, arrived_us: int) -> tuple[int, int]:
        """Return (captured, arrived) of a packet.

        Where a burst leaves no room between the packet before and its arrival, both move on by one microsecond.
        """
        delay_us = arrived_us - stamp_us if self._delay_us is None else self._delay_us
        captured_us = min(stamp_us + delay_us, arrived_us)
        last_us = self._last.get(track, self._floor_us)
        if captured_us <= last_us:
            captured_us = last_us + 1
        self._last[track] = captured_us
        return captured_us, max(arrived_us, captured_us)

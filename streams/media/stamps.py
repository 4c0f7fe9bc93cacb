"""Stamps that can be relied on, out of those that cameras send. Pure: no clock, arrival times are arguments.

A camera stamps each packet with 32 bits of its own clock (RFC 3550, 5.1). They wrap round, stand still, jump, go back;
and with B-pictures they say when a picture is shown, never when it is decoded. What comes out here: ticks that go on
without a wrap, decode times that rise strictly and are never after the presentation time, and a word when the camera's
clock jumped, so that a new epoch can begin. Nothing is dropped here, least of all the first key picture.
"""

from bisect import insort
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

Item = TypeVar("Item")

MOST_REORDERED: Final = 16
"""A coded picture buffer holds at most this many pictures (ISO/IEC 14496-10, A.3.1)."""

# A step back of more is no reordering of pictures.
BACK_US: Final = 1_000_000
# A step forward that is that much longer than the time it took to arrive is no pause.
AHEAD_US: Final = 10_000_000
# Stamps may fall that far behind arrival (a congested network) before we no longer believe them.
BEHIND_US: Final = 20_000_000


class Unrolled(NamedTuple):
    """A stamp without wrap. `jumped`: it does not follow from the one before, and was put behind it by arrival."""

    ticks: int
    jumped: bool = False


class Unroller:
    """Follows the stamps of one track, in the order of arrival."""

    def __init__(self, clock: int) -> None:
        self._clock = clock
        self._rtp: int | None = None
        self._ticks = 0
        self._top = 0
        self._arrived_us = 0
        self._top_arrived_us = 0
        self._least_us: int | None = None

    def unroll(self, rtp: int, arrived_us: int) -> Unrolled:
        """Return the ticks of a packet: 0 for the first one. A stamp that stands still is made up from arrival."""
        if self._rtp is None:
            return self._follow(rtp, 0, arrived_us, Unrolled(0))
        step = _signed(rtp - self._rtp)
        if step == 0:
            # Counted on by arrival: a camera that sends no stamps at all still has a rhythm.
            made_up = self._ticks + self._in_ticks(arrived_us - self._arrived_us)
            self._top = max(self._top + 1, made_up)
            return Unrolled(self._top)
        step_us = self._in_us(step)
        waited_us = arrived_us - self._arrived_us
        ticks = self._ticks + step
        offset_us = arrived_us - self._in_us(ticks)
        # The least delay may rise by 0.1 %: no camera's clock is exact for ever.
        least_us = offset_us if self._least_us is None else min(self._least_us + max(0, step_us) // 1000, offset_us)
        if step_us < -BACK_US or step_us > waited_us + AHEAD_US or offset_us - least_us > BEHIND_US:
            top = self._top + max(1, self._in_ticks(arrived_us - self._top_arrived_us))
            self._least_us = None
            return self._follow(rtp, top, arrived_us, Unrolled(top, jumped=True))
        self._least_us = least_us
        return self._follow(rtp, ticks, arrived_us, Unrolled(ticks))

    def ticks_of(self, rtp: int) -> int | None:
        """Return the ticks of a stamp near the last one, without following it; None before the first packet."""
        return None if self._rtp is None else self._ticks + _signed(rtp - self._rtp)

    def _follow(self, rtp: int, ticks: int, arrived_us: int, unrolled: Unrolled) -> Unrolled:
        self._rtp, self._ticks, self._arrived_us = rtp & 0xFFFFFFFF, ticks, arrived_us
        if ticks >= self._top:
            self._top, self._top_arrived_us = ticks, arrived_us
        if self._least_us is None:
            self._least_us = arrived_us - self._in_us(ticks)
        return unrolled

    def _in_us(self, ticks: int) -> int:
        return ticks * 1_000_000 // self._clock

    def _in_ticks(self, us: int) -> int:
        return max(0, us) * self._clock // 1_000_000


def _signed(difference: int) -> int:
    return ((difference + 0x80000000) & 0xFFFFFFFF) - 0x80000000


@dataclass(frozen=True, slots=True)
class Stamped(Generic[Item]):
    """One picture with its decode and presentation time, and how long it is likely to last."""

    dts: int
    pts: int
    duration: int
    item: Item


class DecodeOrder(Generic[Item]):
    """Gives pictures their decode times, from presentation times in the order of decoding.

    With `depth` pictures of reordering, the n-th decode time is the (n - depth)-th smallest presentation time; the
    first `depth` are counted back from there, which takes holding them until two neighbours' stamps are known.
    """

    def __init__(self, depth: int, nominal: int) -> None:
        self.depth = min(max(0, depth), MOST_REORDERED)
        self.is_too_shallow = False
        self._nominal = nominal
        self._held: list[tuple[int, Item]] = []
        self._waiting: list[int] = []
        self._last: int | None = None
        self._step = nominal

    def add(self, pts: int, item: Item) -> list[Stamped[Item]]:
        """Take the next picture; return those whose stamps are now known, in order."""
        insort(self._waiting, pts)
        if self._last is None and self.depth:
            self._held.append((pts, item))
            # One more than needed: with it, the two earliest presentation times are neighbours and tell the step.
            return self._begin() if len(self._held) > self.depth + 1 else []
        return [self._stamp(self._waiting.pop(0), pts, item)]

    def flush(self) -> list[Stamped[Item]]:
        """Return what is held: the epoch is over."""
        return self._begin() if self._held else []

    def _begin(self) -> list[Stamped[Item]]:
        first, *later = self._waiting
        step = max(1, later[0] - first) if later else self._nominal
        held, self._held = self._held, []
        back = min(self.depth, len(held) - 1)
        # Their own presentation times go on waiting: each is a later picture's decode time.
        times = [first - step * (back - at) for at in range(back)]
        return [
            self._stamp(times[at] if at < back else self._waiting.pop(0), pts, item)
            for at, (pts, item) in enumerate(held)
        ]

    def _stamp(self, dts: int, pts: int, item: Item) -> Stamped[Item]:
        if self._last is not None:
            if pts <= self._last:
                self.is_too_shallow = self.depth < MOST_REORDERED
            dts = max(dts, self._last + 1)
            self._step = dts - self._last
        self._last = dts
        return Stamped(dts, max(pts, dts), self._step, item)

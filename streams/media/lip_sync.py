"""How a camera's sound lies beside its picture, from sender reports or, without them, from arrival. Pure.

Each track's stamps begin at a random number (RFC 3550, 5.1). A sender report ties them to the camera's wall clock;
until both tracks have one, what arrives together is taken for what happened together.
"""

from dataclasses import dataclass
from typing import Final

_EXACT_US: Final = 100_000
_ROUGH_US: Final = 250_000
# Reports that contradict arrival by more are of a camera that fills them with anything.
_BELIEVABLE_US: Final = 3_000_000
_PATIENCE_US: Final = 30_000_000


class TrackTimes:
    """What is known of one track: its least delay, and its wall clock. Ticks are given as microseconds."""

    def __init__(self) -> None:
        self.delay_us: int | None = None
        self.wall_us: int | None = None

    def hear(self, media_us: int, arrived_us: int) -> None:
        """Take note of a packet."""
        delay_us = arrived_us - media_us
        self.delay_us = delay_us if self.delay_us is None else min(self.delay_us, delay_us)

    def report(self, media_us: int, wall_us: int) -> None:
        """Take note of a sender report."""
        self.wall_us = wall_us - media_us

    def forget(self) -> None:
        """The track's stamps jumped: nothing that was known holds any more."""
        self.delay_us = self.wall_us = None


@dataclass(frozen=True, slots=True)
class Skew:
    """Where the sound's zero lies on the picture's time line."""

    us: int
    is_exact: bool


def skew_between(video: TrackTimes, audio: TrackTimes) -> Skew | None:
    """Return the skew as far as it is known; None before both tracks have sent something."""
    if video.delay_us is None or audio.delay_us is None:
        return None
    rough_us = audio.delay_us - video.delay_us
    if video.wall_us is not None and audio.wall_us is not None:
        exact_us = audio.wall_us - video.wall_us
        if abs(exact_us - rough_us) <= _BELIEVABLE_US:
            return Skew(exact_us, is_exact=True)
    return Skew(rough_us, is_exact=False)


def is_worth_a_new_epoch(used: Skew, known: Skew, since_us: int) -> bool:
    """Say whether the skew in use is wrong by what people notice. `since_us`: how long it has been in use."""
    if used.is_exact and not known.is_exact:
        return False
    limit_us = _EXACT_US if known.is_exact else _ROUGH_US
    is_first_exact = known.is_exact and not used.is_exact
    return abs(known.us - used.us) > limit_us and (is_first_exact or since_us > _PATIENCE_US)

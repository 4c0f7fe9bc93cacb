"""How many bytes a camera's footage will come to at most, and whether a store has room for all that is allowed."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from vms_privacy.ids import CameraId, OperatorId
from vms_privacy.recording_times.rules import Plan, shown_week

SPARE_PER_CENT: Final = 10
"""So much of a store is never promised: rates rise, and a file system has needs of its own."""
_SECOND_US: Final = 1_000_000
_MINUTE_US: Final = 60 * _SECOND_US


@unique
class Basis(StrEnum):
    """Where a camera's rate comes from. Stable: programs go by it."""

    RECORDED = "recorded"
    SEEN = "seen"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Amount:
    """So many bytes in so many microseconds of recorded time."""

    size_bytes: int = 0
    recorded_us: int = 0


@dataclass(frozen=True, slots=True)
class Rate:
    """What a camera comes to in a second of recorded time, and how that is known; None while nobody knows."""

    bytes_per_s: int | None
    basis: Basis


@dataclass(frozen=True, slots=True)
class Camera:
    """What a forecast needs to know of a camera. `stored`: all that is there; `lately`: what is of the last days.

    `seen_bytes_per_s`: what comes from it live; None where nothing comes.
    """

    camera_id: CameraId
    operator_id: OperatorId
    is_recorded: bool
    keep_us: int
    plan: Plan
    stored: Amount = Amount()
    lately: Amount = Amount()
    seen_bytes_per_s: int | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """What a store can hold of ours in all, None where nobody can tell, and what is promised of it."""

    capacity_bytes: int | None
    promised_bytes: int

    @property
    def left_bytes(self) -> int | None:
        """Return how much more may be promised; below zero where too much is. None: nobody can tell."""
        if self.capacity_bytes is None:
            return None
        return self.capacity_bytes * (100 - SPARE_PER_CENT) // 100 - self.promised_bytes


@dataclass(frozen=True, slots=True)
class TooMuch:
    """A change that the store has no room for: it adds more than is left. None: it adds what nobody knows yet."""

    adds_bytes: int | None
    left_bytes: int


def rate_of(camera: Camera) -> Rate:
    """Return the larger of what a camera came to lately and over all; what it sends live where nothing was recorded."""
    found = [_per_second(one) for one in (camera.stored, camera.lately) if one.recorded_us > 0]
    if found:
        return Rate(max(found), Basis.RECORDED)
    if camera.seen_bytes_per_s is not None:
        return Rate(camera.seen_bytes_per_s, Basis.SEEN)
    return Rate(None, Basis.UNKNOWN)


def most_recorded_us(plan: Plan, keep_us: int) -> int:
    """Return the longest time that a plan records within any stretch as long as the retention, by the wall's clock."""
    week = shown_week(plan)
    in_week, length = sum(week), len(week)
    if in_week == length:
        return keep_us
    weeks, rest = divmod(-(-keep_us // _MINUTE_US), length)
    most = within = sum(week[:rest])
    for at in range(length):
        within += week[(at + rest) % length] - week[at]
        most = max(most, within)
    return min(keep_us, (weeks * in_week + most) * _MINUTE_US)


def needs_bytes(camera: Camera) -> int:
    """Return what a camera's footage will come to at most: never less than what is there and not yet destroyed.

    Of one whose rate nobody knows that is all there is to say.
    """
    rate = rate_of(camera).bytes_per_s
    if not camera.is_recorded or rate is None:
        return camera.stored.size_bytes
    return max(camera.stored.size_bytes, -(-rate * most_recorded_us(camera.plan, camera.keep_us) // _SECOND_US))


def promised_bytes(cameras: Iterable[Camera]) -> int:
    """Return what all of them will come to."""
    return sum(needs_bytes(camera) for camera in cameras)


def judge(room: Room, adds_bytes: int | None) -> TooMuch | None:
    """Say whether a change adds more than a store has left; what adds nothing is never refused.

    What adds an amount that nobody knows yet (None) needs a store that has anything left.
    """
    left = room.left_bytes
    if left is None:
        return None
    fits = left > 0 if adds_bytes is None else adds_bytes <= max(left, 0)
    return None if fits else TooMuch(adds_bytes, left)


def _per_second(amount: Amount) -> int:
    return -(-amount.size_bytes * _SECOND_US // amount.recorded_us)

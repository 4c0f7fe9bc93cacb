"""The life of a segment, and what a moment says about it. Times are microseconds of our clock, UTC."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from types import MappingProxyType
from typing import Final

from vms_privacy.ids import CameraId, OperatorId, SegmentId

LONGEST_FILE_US: Final = 360_000_000
"""No file grows for longer, whatever the camera sends: what is never closed never falls due."""
NO_SEAL: Final = bytes(16)
"""The last tag in the row of a file that recovery could not open: no file has it."""


@unique
class State(StrEnum):
    """Where a segment stands. `erasing` is already unreadable; `erased` keeps the evidence alone."""

    WRITING = "writing"
    STORED = "stored"
    ERASING = "erasing"
    ERASED = "erased"


NEXT: Final[Mapping[State, frozenset[State]]] = MappingProxyType(
    {
        State.WRITING: frozenset({State.STORED, State.ERASING}),
        State.STORED: frozenset({State.ERASING}),
        State.ERASING: frozenset({State.ERASED}),
        State.ERASED: frozenset(),
    }
)


@unique
class Place(StrEnum):
    """Where the bytes lie: on this machine until the store has confirmed them, then in the store."""

    SPOOL = "spool"
    STORE = "store"


class StepNotAllowed(Exception):
    """A programming error: the life of a segment does not go that way."""


def step(now_in: State, wanted: State) -> State:
    """Move a segment on, or refuse. Nothing else changes a state."""
    if wanted not in NEXT[now_in]:
        raise StepNotAllowed(f"{now_in} does not lead to {wanted}")
    return wanted


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open stretch of time, `from_us` included and `until_us` not."""

    from_us: int
    until_us: int

    def __post_init__(self) -> None:
        if self.until_us <= self.from_us:
            raise ValueError("a span runs forward")

    def overlaps(self, other: "Span") -> bool:
        """Say whether the two have a moment in common."""
        return self.from_us < other.until_us and other.from_us < self.until_us


@dataclass(frozen=True, slots=True)
class Segment:
    """One row as a value. `ends_us` is None only while writing."""

    id: SegmentId
    operator_id: OperatorId
    camera_id: CameraId
    state: State
    place: Place
    starts_us: int
    ends_us: int | None
    keep_us: int
    run: str
    epoch: int
    blob_name: str
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest footage of a camera that is closed. `is_kept`: nothing has begun to destroy it."""

    segment_id: SegmentId
    starts_us: int
    ends_us: int
    is_kept: bool


def readable_from_us(keep_us: int, now_us: int) -> int:
    """Return the earliest capture time that is readable at `now_us`; everything before it is expired.

    A picture may be read until `captured + keep`, and not at that very microsecond (P4).
    """
    return now_us - keep_us + 1

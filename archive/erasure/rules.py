"""The steps of an erasure, when a failed one is tried again, and what is overdue."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum, StrEnum, unique
from typing import Final

from archive.segments.rules import Segment
from vms_privacy.ids import OperatorId

FIRST_RETRY: Final = timedelta(seconds=5)
LAST_RETRY: Final = timedelta(minutes=15)
BATCH: Final = 500


@unique
class Cause(StrEnum):
    """Why footage is destroyed."""

    EXPIRY = "expiry"


@unique
class Step(IntEnum):
    """The procedure, in order. Each is durable before the next begins; the row says which one was reached.

    Steps 3 to 6 repeat for each bucket key concerned, step 7 for each segment.
    """

    JOURNALLED = 1
    MARKED = 2
    NEW_BUCKET_KEY_MADE = 3
    SURVIVORS_REWRAPPED = 4
    OLD_BUCKET_KEY_DESTROYED = 5
    KEY_DESTRUCTION_NOTED = 6
    BYTES_GONE = 7
    DONE = 8


def retry_after(attempts: int) -> timedelta:
    """Return how long to wait after the n-th failed attempt: doubling, with an end."""
    doublings: int = min(max(attempts - 1, 0), 16)
    return min(FIRST_RETRY * (1 << doublings), LAST_RETRY)


@dataclass(frozen=True, slots=True)
class Debt:
    """What should be destroyed and is not. `oldest_overdue_us` is when the oldest of it became due."""

    segments: int
    size_bytes: int
    oldest_overdue_us: int | None
    attempts: int
    reason: str

    @property
    def is_clear(self) -> bool:
        """Say whether nothing is overdue."""
        return self.segments == 0


def in_turns(due: Iterable[Segment], most: int) -> Iterator[list[Segment]]:
    """Cut what is due into batches of one operator each; they take turns, so that no backlog delays a neighbour."""
    queues: dict[OperatorId, deque[Segment]] = {}
    for segment in due:
        queues.setdefault(segment.operator_id, deque()).append(segment)
    turns = deque(queues.values())
    while turns:
        queue = turns.popleft()
        yield [queue.popleft() for _ in range(min(most, len(queue)))]
        if queue:
            turns.append(queue)

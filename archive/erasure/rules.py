"""The steps of an erasure, when a failed one is tried again, and what is overdue."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum, unique
from typing import Final

from archive.segments.rules import Segment
from vms_privacy.ids import BucketKeyId, CameraId, OperatorId

FIRST_RETRY: Final = timedelta(seconds=5)
LAST_RETRY: Final = timedelta(minutes=15)
BATCH: Final = 1000
"""Segments of one erasure: on SQLite every writer waits for their marking, some 100 ms."""
MOST_TOGETHER: Final = 90
MOST_REWRAPPED: Final = 600
STILL_OPEN: Final = "still-open"
UNDER_WAY: Final = "under-way"
NOT_BEGUN: Final = "not-begun"
TIME_IN_DOUBT: Final = "time-in-doubt"


@unique
class Step(IntEnum):
    """The procedure, in order. Each is durable before the next begins; the row says which one was reached.

    Steps 3 to 6 repeat for each portion of bucket keys, step 7 for each segment. What comes before the first is for the
    parts of segments that are kept, each: a crash after it leaves a file that no key opens, and that goes with the next
    round; the part is made anew.
    """

    PART_NAMED = -1
    PART_SEALED = 0
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
class DebtPart:
    """What should be destroyed and is not, of one camera and for one reason: a code, or a failure's own."""

    camera_id: CameraId
    reason: str
    segments: int
    size_bytes: int
    oldest_overdue_us: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Debt:
    """What should be destroyed and is not. `oldest_overdue_us` is when the oldest of it became due.

    `attempts` counts the failed ones of the worst erasure; the worst of the reasons comes first.
    """

    segments: int
    size_bytes: int
    oldest_overdue_us: int | None
    attempts: int
    reasons: tuple[str, ...]

    @property
    def is_clear(self) -> bool:
        """Say whether nothing is overdue."""
        return self.segments == 0

    @property
    def reason(self) -> str:
        """The worst reason, empty if nothing is overdue."""
        return self.reasons[0] if self.reasons else ""


def total(parts: Iterable[DebtPart]) -> Debt:
    """Add up parts of a debt. The worst reason has failed most often; among equals, it is overdue the longest."""
    ranked = sorted(parts, key=lambda part: (-part.attempts, part.oldest_overdue_us, part.reason))
    return Debt(
        sum(part.segments for part in ranked),
        sum(part.size_bytes for part in ranked),
        min((part.oldest_overdue_us for part in ranked), default=None),
        max((part.attempts for part in ranked), default=0),
        tuple(dict.fromkeys(part.reason for part in ranked)),
    )


def by_camera(parts: Iterable[DebtPart]) -> dict[CameraId, Debt]:
    """Return each camera's share of a debt, the longest overdue first."""
    shares: dict[CameraId, list[DebtPart]] = {}
    for part in sorted(parts, key=lambda part: (part.oldest_overdue_us, part.camera_id)):
        shares.setdefault(part.camera_id, []).append(part)
    return {camera_id: total(share) for camera_id, share in shares.items()}


def portions(keys: Sequence[BucketKeyId], survivors: Mapping[BucketKeyId, int]) -> Iterator[list[BucketKeyId]]:
    """Cut bucket keys into portions that are destroyed together: so many at most, and so many survivors re-wrapped.

    A bucket with more survivors than that is a portion by itself: a recorder waits for one re-wrapping at a time.
    """
    portion: list[BucketKeyId] = []
    held = 0
    for one in keys:
        more = survivors.get(one, 0)
        if portion and (len(portion) == MOST_TOGETHER or held + more > MOST_REWRAPPED):
            yield portion
            portion, held = [], 0
        portion.append(one)
        held += more
    if portion:
        yield portion


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

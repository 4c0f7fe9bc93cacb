"""When an HLS segment ends, whether an epoch goes on from the one before, and which fragment a viewer gets next.

Pure. Times with `_us` are microseconds; a position is the number of a fragment in the ring, rising by arrival.
"""

from dataclasses import dataclass
from typing import Final

SHORTEST_SEGMENT_US: Final = 2_000_000
LONGEST_SEGMENT_US: Final = 6_000_000
# Two clocks that both say 90000 Hz differ by less; a step beyond this is a hole in the stream.
_SMALL_STEP_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class GoesOn:
    """The next fragment belongs to the open segment."""


@dataclass(frozen=True, slots=True)
class Ends:
    """The open segment is complete; the next fragment begins another. `is_regular`: a key picture ended it."""

    why: str
    is_regular: bool


def judge_segment(open_us: int, next_us: int, *, next_is_key: bool, target_seconds: int | None) -> GoesOn | Ends:
    """Say whether a video fragment of `next_us` still belongs to a segment that is `open_us` long.

    A segment ends at the first key picture behind two seconds. One that would grow past the target duration of the
    playlist (not yet fixed: past six seconds) ends without a key picture, for the target may never change (RFC 8216,
    6.2.1).
    """
    if next_is_key and open_us >= SHORTEST_SEGMENT_US:
        return Ends("a key picture begins the next one", is_regular=True)
    longest_us = LONGEST_SEGMENT_US if target_seconds is None else target_seconds * 1_000_000 + 499_999
    if open_us > 0 and open_us + next_us > longest_us:
        return Ends("it is as long as the playlist allows", is_regular=False)
    return GoesOn()


def target_seconds_for(first_segment_us: int) -> int:
    """Return the target duration of a stream whose first whole segment is this long; fixed from then on."""
    rounded = (first_segment_us + 500_000) // 1_000_000
    return min(max(rounded, SHORTEST_SEGMENT_US // 1_000_000), LONGEST_SEGMENT_US // 1_000_000)


def is_hole(ended_us: int, begins_us: int) -> bool:
    """Say whether a fragment does not go on where the one before of its track ended."""
    return abs(begins_us - ended_us) > _SMALL_STEP_US


def listed_from(durations_us: list[int], target_seconds: int, span_us: int) -> int:
    """Return the index of the first segment to list: the fewest newest ones that fill `span_us`.

    Never less than three target durations, or all there are (RFC 8216, 6.2.2): what has just left the list can still
    be had from the ring by a player that read the list before.
    """
    wanted_us = max(span_us, 3 * target_seconds * 1_000_000)
    at, sum_us = len(durations_us), 0
    while at > 0 and sum_us < wanted_us:
        at -= 1
        sum_us += durations_us[at]
    return at


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing for this viewer yet. `position` is what it waits for; None, or one that is gone, the next key picture."""

    position: int | None


@dataclass(frozen=True, slots=True)
class Send:
    """The fragment at `position` is next; `dropped` fragments before it are not sent to this viewer any more."""

    position: int
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class RingView:
    """What a viewer must know of the ring: the positions it has, and the newest key picture in it."""

    oldest: int
    following: int
    newest_key: int | None


def next_for(position: int | None, ring: RingView, behind_us: int, patience_us: int) -> Wait | Send:
    """Say what a viewer at `position` gets next; `behind_us` is how old that fragment is compared with the newest.

    A viewer begins at a key picture. One who fell out of the ring, or is behind by more than `patience_us`, is brought
    forward to the newest key picture, if there is one further on; it is never sent a fragment twice or out of order.
    """
    key = ring.newest_key
    if position is None:
        return Wait(None) if key is None else Send(key)
    if position < ring.oldest:
        return Wait(position) if key is None else Send(key, key - position)
    if position >= ring.following:
        return Wait(position)
    if behind_us > patience_us and key is not None and key > position:
        return Send(key, key - position)
    return Send(position)

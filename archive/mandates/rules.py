"""What a mandate may say, and where a file is cut that it covers in part. Pure; times `_us`: our clock, UTC."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, unique
from typing import Final
from uuid import UUID

from archive.format.index import FragmentEntry
from archive.orders.rules import FOREVER_US, SOUND_AROUND_US
from archive.segments.rules import Span
from streams.media.packets import Track
from vms_privacy.ids import CameraId, MandateId, OperatorId

LONGEST_US: Final = 366 * 86_400_000_000
SHORTEST_REASON: Final = 10


@unique
class Cause(StrEnum):
    """Why footage is destroyed. All but the first and the last are a mandate's.

    Restore: its key was in the database that was lost, and nowhere else.
    """

    EXPIRY = "expiry"
    REQUEST = "request"
    WITHDRAWAL = "withdrawal"
    OFF_BOARDING = "off-boarding"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class NewMandate:
    """What somebody wants destroyed. `reference` is the request's id, or the operator's own word for it."""

    camera_id: CameraId
    span: Span
    cause: Cause
    reference: str
    reason: str


@dataclass(frozen=True, slots=True)
class Mandate:
    """One mandate. `done_at` is when nothing of it was left; `attempts` counts the rounds that failed."""

    id: MandateId
    operator_id: OperatorId
    camera_id: CameraId
    span: Span
    cause: Cause
    reference: str
    proposed_by: str
    approved_by: str
    placed_at: datetime
    done_at: datetime | None
    attempts: int
    last_failure: str


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a mandate that somebody wants; `rule` is stable, `why` says what to do."""

    rule: str
    why: str


def id_or_none(reference: str) -> str | None:
    """Return a reference that is the id of a request or the like; people's own words go into no evidence (P9)."""
    try:
        return reference if str(UUID(reference)) == reference else None
    except ValueError:
        return None


def flaw_of(from_us: int, until_us: int, reference: str, reason: str, now_us: int) -> Flaw | None:
    """Say what is wrong with a new mandate; None if it may be proposed."""
    if until_us <= from_us:
        return Flaw("runs-backward", "the stretch of time ends before it begins")
    if from_us < 0 or until_us > now_us:
        return Flaw(
            "lies-ahead", "only what has been recorded can be destroyed; end it at the present moment or before"
        )
    if until_us - from_us > LONGEST_US:
        return Flaw("too-long", "at most 366 days at once; split it into several")
    if not reference.strip():
        return Flaw("reference-is-blank", "name the request, by its id or your own reference")
    if len(reason.strip()) < SHORTEST_REASON:
        return Flaw("reason-is-blank", "say in words why")
    return None


def young_after_us(now_us: int, at_least_us: int) -> int:
    """Return the moment after which everything is kept by an operator's minimum; never, where there is none."""
    return now_us - at_least_us if at_least_us else FOREVER_US


@dataclass(frozen=True, slots=True)
class Part:
    """A run of a file's fragments that is kept: places in its index, its time, and the end of its last packet."""

    places: range
    starts_us: int
    ends_us: int
    last_us: int


@dataclass(frozen=True, slots=True)
class Cut:
    """What of a file goes and what is kept. `gone` is the stretch of the camera's time that is destroyed with it.

    It may be longer than what was asked for: a kept tail begins with a key picture, and a kept head ends with a whole
    fragment.
    """

    gone: Span
    head: Part | None
    tail: Part | None

    @property
    def kept(self) -> tuple[Part, ...]:
        """Return the kept parts, by time."""
        return tuple(one for one in (self.head, self.tail) if one is not None)


def lies_within(starts_us: int, last_us: int, tracks: str, asked: Span) -> bool:
    """Say, by its row alone, that nothing of a closed segment lies outside of what was asked for."""
    return asked.from_us <= first_us(starts_us, tracks) and last_us <= asked.until_us


def first_us(starts_us: int, tracks: str) -> int:
    """Return the earliest moment that a segment's packets can have: its first picture's, unless it has sound."""
    return starts_us if tracks == str(Track.VIDEO) else starts_us - SOUND_AROUND_US


def cut_of(entries: Sequence[FragmentEntry], starts_us: int, ends_us: int, asked: Span) -> Cut | None:
    """Say how a file is cut; None if nothing of it lies in the time asked for.

    The kept head is what stands before the first fragment that ends later than the time asked for begins; the kept tail
    begins with the first key picture from which on everything is later than that time. A part without a picture is not
    kept. Each has a time of its own within the segment's, and so has what goes: a microsecond at least.
    """
    if not any(touches(one, asked) for one in entries):
        return None
    head = _head(entries, starts_us, ends_us, asked)
    tail = _tail(entries, starts_us, ends_us, asked)
    gone = Span(starts_us if head is None else head.ends_us, ends_us if tail is None else tail.starts_us)
    return Cut(gone, head, tail)


def touches(entry: FragmentEntry, asked: Span) -> bool:
    """Say whether a fragment shows or sounds a moment of a stretch; an empty one is the moment at which it lies."""
    return entry.captured_from_us < asked.until_us and asked.from_us < _until_us(entry)


def _head(entries: Sequence[FragmentEntry], starts_us: int, ends_us: int, asked: Span) -> Part | None:
    stop = next(at for at, one in enumerate(entries) if _until_us(one) > asked.from_us)
    pictures = [one for one in entries[:stop] if one.track is Track.VIDEO]
    if not pictures:
        return None
    until_us = min(max(_until_us(one) for one in pictures), asked.from_us, ends_us - 1)
    if until_us <= starts_us:
        return None
    return Part(range(stop), starts_us, until_us, max(_until_us(one) for one in entries[:stop]))


def _tail(entries: Sequence[FragmentEntry], starts_us: int, ends_us: int, asked: Span) -> Part | None:
    start = len(entries)
    for at in range(len(entries) - 1, -1, -1):
        entry = entries[at]
        if entry.captured_from_us < asked.until_us:
            break
        if entry.track is Track.VIDEO and entry.starts_with_key:
            start = at
    if start == len(entries):
        return None
    from_us = min(max(entries[start].captured_from_us, starts_us + 1), ends_us - 1)
    if from_us < max(asked.until_us, starts_us + 1):
        return None
    return Part(range(start, len(entries)), from_us, ends_us, max(_until_us(one) for one in entries[start:]))


def _until_us(entry: FragmentEntry) -> int:
    return max(entry.captured_until_us, entry.captured_from_us + 1)

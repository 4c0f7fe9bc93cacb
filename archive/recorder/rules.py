"""Which fragment is written, and where a segment ends."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum, unique
from typing import Final

from archive.segments.rules import LONGEST_FILE_US, Newest
from streams.media.packets import Fragment, Track
from vms_privacy.consent.rules import Answer, ConsentEntry, ConsentKind
from vms_privacy.ids import ConsentEntryId

LONGEST_SEGMENT_US: Final = 60_000_000
LONGEST_GROUP_US: Final = LONGEST_FILE_US - LONGEST_SEGMENT_US
"""A group of pictures that goes on for longer ends its segment: a camera that never sends another key picture would
otherwise have one endless file."""


@unique
class Why(StrEnum):
    """Why a fragment was left out or a segment ended; stable codes, shown in gaps and in the audit."""

    NO_OPT_IN = "no-opt-in"
    BEFORE_OPT_IN = "before-opt-in"
    WITHDRAWN = "opt-in-withdrawn"
    OUTSIDE_TIMES = "outside-recording-times"
    TIMES_UNREADABLE = "recording-times-unreadable"
    AUDIO_NOT_OPTED_IN = "audio-not-opted-in"
    WAITING_FOR_KEY_PICTURE = "waiting-for-key-picture"
    NO_KEY_PICTURE = "no-key-picture"
    FULL = "segment-is-full"
    NEW_PARAMETERS = "new-parameters"
    NEW_POLICY = "new-retention"
    NEW_OPT_IN = "new-opt-in"
    CAMERA_LOST = "camera-lost"
    CAMERA_SILENT = "camera-silent"
    OVERLOADED = "recorder-overloaded"
    DISK_FULL = "disk-full"
    WRITE_FAILED = "write-failed"
    DATABASE_REFUSED = "database-refused"
    LEDGER_DISAGREES = "ledger-disagrees"
    KEYRING_UNAVAILABLE = "keyring-unavailable"
    NO_STORE_FOR_REGION = "no-store-for-region"
    CLOCK_WENT_BACK = "clock-went-back"
    RECORDER_FAILED = "recorder-failed"
    STOPPING = "service-stopping"
    NOT_RUNNING = "service-not-running"


CUTS_A_GAP: Final = frozenset({Why.TIMES_UNREADABLE, Why.NO_STORE_FOR_REGION})
"""What somebody has to set right: a gap that is open for another reason ends there and goes on with this one."""


@dataclass(frozen=True, slots=True)
class Write:
    """The fragment belongs into the open segment."""


@dataclass(frozen=True, slots=True)
class StartNew:
    """The fragment begins a segment; an open one is closed first, for this reason."""

    why: Why


@dataclass(frozen=True, slots=True)
class LeaveOut:
    """The fragment is not written at all. `ends`: nor is anything else in the open segment, which is closed."""

    why: Why
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a permit allows, in the recorder's own unit of time; None: without a beginning or end of its own."""

    entry_id: ConsentEntryId
    from_us: int
    audio_from_us: int | None
    until_us: int | None = None
    audio_until_us: int | None = None
    times_from_us: int | None = None
    times_until_us: int | None = None


@dataclass(frozen=True, slots=True)
class OptedIn:
    """From when to when one entry of the ledger allowed to record; `until` None: it still does."""

    entry_id: ConsentEntryId
    from_at: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class OpenSegment:
    """What the rules need to know of the segment being written."""

    run: str
    epoch: int
    starts_us: int
    last_key_us: int
    policy_version: int
    allowed: Allowed
    tracks: frozenset[Track]


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a segment may begin. `cuts_newest`: the one before ends there, because its last stamps lay beyond."""

    starts_us: int
    cuts_newest: bool


def still_allowed(allowed: Allowed | None, now_us: int) -> Allowed | None:
    """Return what is left of it now: nothing once the opt-in has ended by itself, no sound once that of sound has.

    An end that was known beforehand needs nobody who tells of it: it comes while the database is away, too (P1).
    """
    if allowed is None or (allowed.until_us is not None and allowed.until_us <= now_us):
        return None
    if allowed.times_until_us is not None and allowed.times_until_us <= now_us:
        return None
    if allowed.audio_until_us is not None and allowed.audio_until_us <= now_us:
        return replace(allowed, audio_from_us=None, audio_until_us=None)
    return allowed


def longest_us(keep_us: int) -> int:
    """Return how long a segment may get: a minute, or a quarter of a short retention."""
    return min(LONGEST_SEGMENT_US, keep_us // 4)


def may_write(fragment: Fragment, allowed: Allowed | None, stopped_at_us: int | None) -> LeaveOut | None:
    """Say why a fragment must not be written, or None (P1).

    A fragment is all or nothing: one packet that may have come before the opt-in, or arrived after its end, is enough;
    likewise with the camera's recording times.
    """
    if stopped_at_us is not None and fragment.last_arrived_at_us >= stopped_at_us:
        return LeaveOut(Why.WITHDRAWN)
    if allowed is None:
        return LeaveOut(Why.NO_OPT_IN)
    if fragment.earliest_us < allowed.from_us:
        return LeaveOut(Why.BEFORE_OPT_IN)
    if allowed.times_from_us is not None and fragment.earliest_us < allowed.times_from_us:
        return LeaveOut(Why.OUTSIDE_TIMES)
    ends_us = max(fragment.last_arrived_at_us + 1, fragment.captured_until_us)
    if allowed.times_until_us is not None and ends_us > allowed.times_until_us:
        return LeaveOut(Why.OUTSIDE_TIMES, ends=True)
    if fragment.track is Track.AUDIO:
        since = allowed.audio_from_us
        if since is None or fragment.earliest_us < since:
            return LeaveOut(Why.AUDIO_NOT_OPTED_IN)
    return None


def place(
    fragment: Fragment, run: str, allowed: Allowed, policy_version: int, keep_us: int, now: OpenSegment | None
) -> Write | StartNew | LeaveOut:
    """Say where an allowed fragment goes. A segment starts at a key picture and holds at least one whole GOP.

    It rests on one opt-in: what another one allows is never written into it. Its tracks are those it began with.
    """
    starts = fragment.track is Track.VIDEO and fragment.starts_with_key
    if now is None:
        return StartNew(Why.WAITING_FOR_KEY_PICTURE) if starts else LeaveOut(Why.WAITING_FOR_KEY_PICTURE)
    if (run, fragment.epoch) != (now.run, now.epoch):
        return StartNew(Why.NEW_PARAMETERS) if starts else LeaveOut(Why.WAITING_FOR_KEY_PICTURE)
    if allowed.entry_id != now.allowed.entry_id:
        return StartNew(Why.NEW_OPT_IN) if starts else LeaveOut(Why.NEW_OPT_IN, ends=True)
    if fragment.track not in now.tracks:
        # Sound was opted in while this segment grew: it comes with the next key picture.
        return LeaveOut(Why.WAITING_FOR_KEY_PICTURE)
    if not starts:
        too_long = fragment.captured_until_us - now.last_key_us > LONGEST_GROUP_US
        return LeaveOut(Why.NO_KEY_PICTURE, ends=True) if too_long else Write()
    if allowed != now.allowed:
        return StartNew(Why.NEW_OPT_IN)
    if policy_version != now.policy_version:
        return StartNew(Why.NEW_POLICY)
    last_gop_us = fragment.captured_from_us - now.last_key_us
    if fragment.captured_from_us - now.starts_us + last_gop_us > longest_us(keep_us):
        return StartNew(Why.FULL)
    return Write()


def beginning(captured_from_us: int, newest: Newest | None) -> Beginning | LeaveOut:
    """Say where a segment begins beside what there is already: times of a camera never overlap.

    The last stamps of a run are guessed a little, and a clock may be set back by less than a doubt: the segment before
    gives way. It cannot where it began no earlier, or is being destroyed; then nothing is written until time has
    caught up.
    """
    if newest is None or newest.ends_us <= captured_from_us:
        return Beginning(captured_from_us, cuts_newest=False)
    if newest.is_kept and newest.starts_us < captured_from_us:
        return Beginning(captured_from_us, cuts_newest=True)
    return LeaveOut(Why.CLOCK_WENT_BACK)


def opted_in(entries: Iterable[ConsentEntry], kind: ConsentKind) -> tuple[OptedIn, ...]:
    """Return from when to when one camera was opted in, in the order of the entries, which are its whole history.

    An opt-in ends with the next entry, or by itself before that.
    """
    mine = sorted((entry for entry in entries if entry.kind is kind), key=lambda entry: entry.number)
    found = []
    for at, entry in enumerate(mine):
        if entry.answer is not Answer.GIVEN:
            continue
        ends = [entry.until_at] if entry.until_at is not None else []
        if at + 1 < len(mine):
            ends.append(mine[at + 1].from_at)
        until = min(ends, default=None)
        # After a step of the clock a withdrawal may carry an earlier time than what it ends: then there is nothing.
        if until is None or until > entry.from_at:
            found.append(OptedIn(entry.entry_id, entry.from_at, until))
    return tuple(found)

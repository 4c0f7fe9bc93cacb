"""Which fragment is written, and where a segment ends."""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from streams.media.packets import Fragment, Track
from vms_privacy.ids import ConsentEntryId

LONGEST_SEGMENT_US: Final = 60_000_000
SYNC_AFTER_US: Final = 5_000_000
SYNC_AFTER_BYTES: Final = 4 * 1024 * 1024


@unique
class Why(StrEnum):
    """Why a fragment was left out or a segment ended; stable codes, shown in gaps and in the audit."""

    NO_OPT_IN = "no-opt-in"
    BEFORE_OPT_IN = "before-opt-in"
    WITHDRAWN = "opt-in-withdrawn"
    AUDIO_NOT_OPTED_IN = "audio-not-opted-in"
    WAITING_FOR_KEY_PICTURE = "waiting-for-key-picture"
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
    KEYRING_UNAVAILABLE = "keyring-unavailable"
    STOPPING = "service-stopping"
    NOT_RUNNING = "service-not-running"


@dataclass(frozen=True, slots=True)
class Write:
    """The fragment belongs into the open segment."""


@dataclass(frozen=True, slots=True)
class StartNew:
    """The fragment begins a segment; an open one is closed first, for this reason."""

    why: Why


@dataclass(frozen=True, slots=True)
class LeaveOut:
    """The fragment is not written at all."""

    why: Why


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a permit allows, in the recorder's own unit of time."""

    entry_id: ConsentEntryId
    from_us: int
    audio_from_us: int | None


@dataclass(frozen=True, slots=True)
class OpenSegment:
    """What the rules need to know of the segment being written."""

    run: str
    epoch: int
    starts_us: int
    last_key_us: int
    policy_version: int
    allowed: Allowed


def longest_us(keep_us: int) -> int:
    """Return how long a segment may get: a minute, or a quarter of a short retention."""
    return min(LONGEST_SEGMENT_US, keep_us // 4)


def may_write(fragment: Fragment, allowed: Allowed | None, stopped_at_us: int | None) -> LeaveOut | None:
    """Say why a fragment must not be written, or None (P1).

    A fragment is all or nothing: one packet that arrived before the opt-in, or after its end, is enough.
    """
    if stopped_at_us is not None and fragment.last_arrived_at_us >= stopped_at_us:
        return LeaveOut(Why.WITHDRAWN)
    if allowed is None:
        return LeaveOut(Why.NO_OPT_IN)
    if fragment.first_arrived_at_us < allowed.from_us:
        return LeaveOut(Why.BEFORE_OPT_IN)
    if fragment.track is Track.AUDIO:
        since = allowed.audio_from_us
        if since is None or fragment.first_arrived_at_us < since:
            return LeaveOut(Why.AUDIO_NOT_OPTED_IN)
    return None


def place(
    fragment: Fragment, run: str, allowed: Allowed, policy_version: int, keep_us: int, now: OpenSegment | None
) -> Write | StartNew | LeaveOut:
    """Say where an allowed fragment goes. A segment starts at a key picture and holds at least one whole GOP."""
    starts = fragment.track is Track.VIDEO and fragment.starts_with_key
    if now is None:
        return StartNew(Why.WAITING_FOR_KEY_PICTURE) if starts else LeaveOut(Why.WAITING_FOR_KEY_PICTURE)
    if (run, fragment.epoch) != (now.run, now.epoch):
        return StartNew(Why.NEW_PARAMETERS) if starts else LeaveOut(Why.WAITING_FOR_KEY_PICTURE)
    if not starts:
        return Write()
    if allowed != now.allowed:
        return StartNew(Why.NEW_OPT_IN)
    if policy_version != now.policy_version:
        return StartNew(Why.NEW_POLICY)
    last_gop_us = fragment.captured_from_us - now.last_key_us
    if fragment.captured_from_us - now.starts_us + last_gop_us > longest_us(keep_us):
        return StartNew(Why.FULL)
    return Write()

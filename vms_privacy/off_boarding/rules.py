"""The steps of an off-boarding, what each waits for, and what is to be destroyed. Pure; times `_us`: our clock, UTC."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum, StrEnum, unique
from typing import Final

from archive.mandates.rules import LONGEST_US
from archive.orders.rules import SOUND_AROUND_US
from archive.segments.rules import LONGEST_FILE_US, Span
from vms_privacy.errors import Refusal
from vms_privacy.ids import CameraId, ManifestId, OffBoardingId, OperatorId
from vms_privacy.off_boarding.errors import (
    ManifestDoesNotCover,
    ManifestIsAnother,
    ManifestIsNotReady,
    NoOffBoarding,
    OffBoardingIsConfirmed,
    OffBoardingIsUnderWay,
)

OVERLAP_US: Final = LONGEST_FILE_US + 2 * SOUND_AROUND_US
"""So much two stretches of one camera have in common: of every file, all lies in one of them, and none is cut."""


@unique
class Step(IntEnum):
    """An off-boarding, in order. Each is durable before the next, and may be repeated after a crash.

    The first two are two people's acts, the others the worker's. What a step has done is not undone by any later one.
    """

    BEGUN = 1
    CONFIRMED = 2
    CAMERAS_REMOVED = 3
    FOOTAGE_DESTROYED = 4
    KEYS_DESTROYED = 5
    RECEIPTS_SIGNED = 6
    ACCESS_ENDED = 7
    CLOSED = 8


@unique
class WaitsFor(StrEnum):
    """What keeps an off-boarding from its next step; stable codes."""

    MANIFEST = "manifest"
    CONFIRMATION = "confirmation"
    ORDERS = "orders"
    MINIMUM = "minimum-retention"
    DESTRUCTION = "destruction"
    REQUESTS = "open-requests"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What two people have confirmed: the manifest, by its digest."""

    manifest_id: ManifestId | None
    digest: str
    proposed_by: str
    approved_by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OffBoarding:
    """One off-boarding. `attempts` counts the rounds that failed at the present step."""

    id: OffBoardingId
    operator_id: OperatorId
    proposed_by: str
    approved_by: str
    begun_at: datetime
    step: Step
    confirmation: Confirmation | None = None
    taken_back_at: datetime | None = None
    taken_back_by: str = ""
    closed_at: datetime | None = None
    attempts: int = 0
    last_failure: str = ""
    journal_number: int | None = None

    @property
    def is_open(self) -> bool:
        """Say whether it is neither at its end nor taken back."""
        return self.closed_at is None and self.taken_back_at is None


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of an operator's footage, in segments, by what keeps each of it; and its mandates that stand."""

    under_way: int = 0
    growing: int = 0
    kept_by_orders: int = 0
    too_young: int = 0
    due: int = 0
    standing_mandates: int = 0

    @property
    def segments(self) -> int:
        """Return how many segments are not destroyed."""
        return self.under_way + self.growing + self.kept_by_orders + self.too_young + self.due

    @property
    def is_nothing(self) -> bool:
        """Say whether all of it is destroyed and every mandate knows."""
        return not self.segments and not self.standing_mandates


def may_begin(present: OffBoarding | None) -> Refusal | None:
    """Say why no off-boarding may begin; None if it may. One that is closed was the last."""
    if present is None or present.taken_back_at is not None:
        return None
    return OffBoardingIsUnderWay("the off-boarding of this operator has begun", since=present.begun_at.isoformat())


def may_change(present: OffBoarding | None) -> Refusal | None:
    """Say why nothing is listed, confirmed or taken back any more, or not yet; None if it may be."""
    if present is None or present.taken_back_at is not None:
        return NoOffBoarding("the off-boarding of this operator has not begun: two people begin it")
    if present.step is not Step.BEGUN:
        return OffBoardingIsConfirmed("two people have confirmed it: it is carried out to its end")
    return None


def may_confirm(signed_digest: str | None, named: str, unlisted: int, growing: int) -> Refusal | None:
    """Say why a manifest cannot be confirmed, by the newest one's digest and what it does not list; None if it can."""
    if signed_digest is None:
        return ManifestIsNotReady("no manifest is signed yet: have one made, and read it")
    if named != signed_digest:
        return ManifestIsAnother("this is not the newest manifest of this off-boarding")
    if growing:
        return ManifestDoesNotCover("a file is being closed still; have another manifest made", segments=growing)
    if unlisted:
        return ManifestDoesNotCover("there is footage that it does not list; have another one made", segments=unlisted)
    return None


def stretches(from_us: int, until_us: int) -> list[Span]:
    """Split a camera's time into mandates' stretches, each as long as a mandate may be at most.

    Neighbours overlap by `OVERLAP_US`, so that no file lies across an edge alone.
    """
    found = []
    start_us = from_us
    while True:
        end_us = min(start_us + LONGEST_US, until_us)
        found.append(Span(start_us, end_us))
        if end_us == until_us:
            return found
        start_us = end_us - OVERLAP_US


def to_destroy(reach: Mapping[CameraId, Span], now_us: int) -> dict[CameraId, list[Span]]:
    """Return the stretches that hold everything of every camera, up to now; `reach` is from first to last packet.

    A clock that is in doubt may be behind what was recorded: then they go on until that.
    """
    return {
        camera_id: stretches(max(0, one.from_us - OVERLAP_US), max(now_us, one.until_us + 1))
        for camera_id, one in reach.items()
    }


def waits_for(present: OffBoarding, left: Left, open_requests: int, *, has_manifest: bool) -> WaitsFor | None:
    """Say what an off-boarding waits for; None if it is at its end, or taken back."""
    if not present.is_open:
        return None
    match present.step:
        case Step.BEGUN:
            return WaitsFor.CONFIRMATION if has_manifest else WaitsFor.MANIFEST
        case Step.CAMERAS_REMOVED if not left.is_nothing:
            if left.under_way or left.growing or left.due:
                return WaitsFor.DESTRUCTION
            if left.kept_by_orders:
                return WaitsFor.ORDERS
            return WaitsFor.MINIMUM if left.too_young else WaitsFor.DESTRUCTION
        case Step.RECEIPTS_SIGNED if open_requests:
            return WaitsFor.REQUESTS
        case _:
            return WaitsFor.WORKER


@unique
class JournalAct(StrEnum):
    """What the custody journal says of an off-boarding."""

    BEGUN = "begun"
    CONFIRMED = "confirmed"
    TAKEN_BACK = "taken-back"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Told:
    """What the custody journal says became of one off-boarding: the last thing it says, and in which entry."""

    id: OffBoardingId
    operator_id: OperatorId
    act: JournalAct
    at: datetime
    number: int
    digest: str = ""


def told_by(entries: Iterable[Told]) -> list[Told]:
    """Return what became of each, by the order in which they began.

    An act may be told of that was never committed, and then another one was: the last one counts, and of an operator
    for which another one began, the ones before are as good as taken back. What is closed was confirmed, by the digest
    that was told of then.
    """
    last: dict[OffBoardingId, Told] = {}
    for one in entries:
        before = last.get(one.id)
        if before is None:
            for other in last.values():
                if other.operator_id == one.operator_id:
                    last[other.id] = replace(other, act=JournalAct.TAKEN_BACK)
        last[one.id] = replace(one, digest=one.digest or ("" if before is None else before.digest))
    return list(last.values())

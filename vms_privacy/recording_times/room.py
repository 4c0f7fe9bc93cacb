"""Whether there is room for what a change allows: what opting in, recording times and retention ask before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from sqlalchemy.orm import Session

from vms_privacy.ids import CameraId
from vms_privacy.recording_times.rules import Plan


@dataclass(frozen=True, slots=True)
class Change:
    """What is about to change of a camera; None: that stays as it is."""

    opts_in: bool = False
    plan: Plan | None = None
    keep_for: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a camera's footage will come to after a change; None while nobody knows what it sends.

    `fits` None: the store does not tell how much it holds.
    """

    forecast_bytes: int | None = None
    fits: bool | None = None


class Room(Protocol):
    """Who knows what the footage of all cameras will come to, and what the store holds."""

    def refuse_if_full(self, session: Session, changes: Mapping[CameraId, Change]) -> None:
        """Raise a Refusal where the changes add more than there is room for."""
        ...

    def outlook(self, session: Session, camera_id: CameraId, change: Change) -> Outlook:
        """Return what a change of one camera comes to, and whether there is room for it."""
        ...


class Boundless:
    """Room for everything: where there is no store, and so nothing is recorded."""

    def refuse_if_full(self, session: Session, changes: Mapping[CameraId, Change]) -> None:
        """Refuse nothing."""

    def outlook(self, session: Session, camera_id: CameraId, change: Change) -> Outlook:
        """Know nothing."""
        return Outlook()


BOUNDLESS: Final = Boundless()

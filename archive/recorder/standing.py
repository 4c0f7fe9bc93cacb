"""What the ledger and the policies said last about one camera."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from sqlalchemy.orm import Session

from archive.recorder.rules import Allowed, still_allowed
from archive.retention.rules import Policy
from vms_privacy.clock import Clock
from vms_privacy.consent.ledger import ConsentLedger
from vms_privacy.consent.rules import ConsentEntry, ConsentKind, RecordingPermit
from vms_privacy.consent.store import Active, ConsentStore
from vms_privacy.ids import CameraId, ConsentEntryId

EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def micros(moment: datetime) -> int:
    """Return a moment as whole microseconds since 1970 (UTC)."""
    return (moment - EPOCH) // timedelta(microseconds=1)


class Policies(Protocol):
    """Who knows the retention of a camera."""

    def current(self, session: Session, camera_id: CameraId) -> Policy:
        """Return the policy under which footage is taken now."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """Opt-in and retention of a camera as one transaction saw them. `heard_s` is monotonic time.

    `is_paused`: there is an opt-in, and this is none of the camera's recording times. `ask_again_at` None: only the
    ledger's head has to be asked.
    """

    opt_in: ConsentEntry | None
    permit: RecordingPermit | None
    audio_entry_id: ConsentEntryId | None
    allowed: Allowed | None
    stopped_at_us: int | None
    policy: Policy
    heard_s: float
    ask_again_at: datetime | None
    is_paused: bool

    def is_due(self, now: datetime) -> bool:
        """Say whether the ledger has to be asked for everything again, not only for its head."""
        return self.ask_again_at is not None and now >= self.ask_again_at

    def at(self, now: datetime) -> "Standing":
        """Return what is left of it at `now`, if nothing but time has passed."""
        left = still_allowed(self.allowed, micros(now))
        if left is self.allowed:
            return self
        return replace(self, allowed=left, is_paused=left is None and self._is_opted_in_at(now))

    def _is_opted_in_at(self, now: datetime) -> bool:
        opt_in = self.opt_in
        return opt_in is not None and (opt_in.until_at is None or now < opt_in.until_at)


def ask(session: Session, camera_id: CameraId, ledger: ConsentLedger, policies: Policies, clock: Clock) -> Standing:
    """Ask for all of it. Raises LedgerDisagrees, RecordingTimesUnreadable."""
    permit = ledger.permit(session, camera_id)
    opt_in = ledger.in_force(session, camera_id)
    paused = ledger.paused(session, camera_id) if permit is None and opt_in is not None else None
    stopped_at = ledger.stopped_at(session, camera_id)
    asked_for = permit or paused
    # An opt-in that neither allows nor pauses has just changed from the one to the other.
    ask_again_at = clock.for_reading() if opt_in is not None else None
    return Standing(
        opt_in,
        permit,
        _audio_entry(session, camera_id),
        None if permit is None else allowed_by(permit),
        _micros_or_none(stopped_at),
        policies.current(session, camera_id),
        clock.monotonic(),
        ask_again_at if asked_for is None else asked_for.ask_again_at,
        paused is not None,
    )


def is_unchanged(active: Active, camera_id: CameraId, known: Standing) -> bool:
    """Say whether the ledger's heads still say what they said: nothing was withdrawn or given since."""
    video = active.get((camera_id, ConsentKind.VIDEO_RECORDING))
    if known.opt_in is None:
        # A permit without an opt-in is no state to stay in, whatever the heads say.
        return video is None and known.permit is None
    if video != known.opt_in.entry_id:
        return False
    permit = known.permit
    return (
        permit is None
        or not permit.audio
        or active.get((camera_id, ConsentKind.RECORDED_AUDIO)) == known.audio_entry_id
    )


def allowed_by(permit: RecordingPermit) -> Allowed:
    """Return what a permit allows, in the recorder's own unit of time."""
    return Allowed(
        permit.entry_id,
        micros(permit.given_at),
        _micros_or_none(permit.audio_given_at),
        _micros_or_none(permit.until),
        _micros_or_none(permit.audio_until),
        _micros_or_none(permit.times_from),
        _micros_or_none(permit.times_until),
    )


def _micros_or_none(moment: datetime | None) -> int | None:
    return None if moment is None else micros(moment)


def _audio_entry(session: Session, camera_id: CameraId) -> ConsentEntryId | None:
    return ConsentStore().active_entry(session, camera_id, ConsentKind.RECORDED_AUDIO)

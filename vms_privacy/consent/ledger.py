"""The ledger: opting in, withdrawing, and asking what is in force."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.consent.errors import (
    ConsentRefusal,
    LedgerDisagrees,
    NoSuchCamera,
    RecordingHasEnded,
    WordingIsUnknown,
)
from vms_privacy.consent.rules import (
    Answer,
    ConsentEntry,
    ConsentKind,
    LegalBasis,
    Method,
    OptIn,
    Paused,
    RecordingPermit,
    in_force,
    judge_opt_in,
    judge_withdrawal,
    live_audio_until,
    newest,
    paused_at,
    permit_at,
    stopped_at,
)
from vms_privacy.consent.store import Active, ConsentStore
from vms_privacy.consent.wording import is_known
from vms_privacy.db import Reading, after_commit
from vms_privacy.ids import CameraId, ConsentEntryId, OperatorId, Randomness
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalEntry, JournalKind
from vms_privacy.recording_times import store as recording_times
from vms_privacy.recording_times.room import BOUNDLESS, Change, Room

_REPLAY: Final = "worker:replay"


class OwnedCamera(Protocol):
    """A camera as far as the ledger needs to know it."""

    @property
    def operator_id(self) -> OperatorId:
        """Whose camera it is."""
        ...

    @property
    def removed_at(self) -> datetime | None:
        """When it was removed from the registry, if it was."""
        ...


class CameraOwners(Protocol):
    """Who owns a camera. `auth.resources.store.ResourceStore` knows; the ledger lies below it."""

    def by_id(self, session: Session, camera_id: CameraId) -> OwnedCamera | None:
        """Return the camera, removed or not, or None."""
        ...

    def is_leaving(self, session: Session, operator_id: OperatorId) -> bool:
        """Say whether the operator leaves: nothing is switched on for it any more."""
        ...


@dataclass(frozen=True, slots=True)
class WithdrawnEntry:
    """A withdrawal. No packet that arrived after `withdrawn_at` is written.

    `kinds` is what it switched off: the kind asked for, and with video recording also recorded audio.
    """

    entry_id: ConsentEntryId
    camera_id: CameraId
    kinds: tuple[ConsentKind, ...]
    withdrawn_at: datetime


class ConsentLedger:
    """The only writer of opt-ins. Every act is entered, audited and, if it takes away, journalled, or none of it.

    `listener_failures` counts listeners that raised after a commit: the act stands, whoever did not hear it learns
    of it when the permit asks again.
    """

    def __init__(
        self,
        audit: AuditLog,
        clock: Clock,
        randomness: Randomness,
        journal: Journal,
        owners: CameraOwners,
        room: Room = BOUNDLESS,
    ) -> None:
        self._audit = audit
        self._clock = clock
        self._randomness = randomness
        self._journal = journal
        self._owners = owners
        self._room = room
        self._store = ConsentStore()
        self._listeners: list[Callable[[CameraId], None]] = []
        self.listener_failures = 0

    def on_change(self, listener: Callable[[CameraId], None]) -> None:
        """Call `listener` with the camera after the commit of every act, in the thread that committed it."""
        self._listeners.append(listener)

    def opt_in(
        self,
        session: Session,
        asker_label: str,
        operator_id: OperatorId,
        camera_id: CameraId,
        kind: ConsentKind,
        purpose: str,
        legal_basis: LegalBasis,
        sign_confirmed_at: datetime | None,
        wording_version: str,
        method: Method,
        until: datetime | None = None,
    ) -> ConsentEntryId:
        """Switch something on, from now. Raises a ConsentRefusal that says what is missing, and what `Room` raises.

        `wording_version` names the text that was shown, see `wording.current`.
        """
        now = self._clock.now()
        self._store.lock(session, camera_id)
        self._their_camera(session, operator_id, camera_id, even_removed=False)
        if self._owners.is_leaving(session, operator_id):
            raise RecordingHasEnded("this operator leaves: nothing is switched on for it any more")
        asked = OptIn(asker_label, kind, purpose, legal_basis, method, sign_confirmed_at, until)
        entries = self._store.newest(session, camera_id)
        refusal = judge_opt_in(asked, entries, camera_id, now)
        if refusal is not None:
            raise refusal
        if not is_known(kind, wording_version):
            raise WordingIsUnknown("name the version of the text that was shown")
        if kind is ConsentKind.VIDEO_RECORDING:
            self._room.refuse_if_full(session, {camera_id: Change(opts_in=True)})
        entry = ConsentEntry(
            ConsentEntryId(self._randomness.uuid()),
            _next_number(entries, camera_id, kind),
            camera_id,
            operator_id,
            asker_label,
            kind,
            Answer.GIVEN,
            from_at=now,
            until_at=until,
            purpose=purpose,
            legal_basis=legal_basis,
            wording_version=wording_version,
            method=method,
            sign_confirmed_at=sign_confirmed_at,
        )
        self._store.add(session, entry)
        detail = {"kind": str(kind), "entry": str(entry.entry_id), "legal_basis": str(legal_basis)}
        self._audit.note(
            session,
            Event(Tag.OPTED_IN, now, asker_label, operator_id=operator_id, camera_id=camera_id, detail=detail),
        )
        after_commit(session, lambda: self._tell(camera_id))
        return entry.entry_id

    def withdraw(
        self,
        session: Session,
        actor: str,
        operator_id: OperatorId,
        camera_id: CameraId,
        kind: ConsentKind,
        reason: str = "",
    ) -> WithdrawnEntry:
        """Switch something off, from this moment; it is in the custody journal when this returns.

        If the transaction fails after that, the journal tells of a withdrawal that the database has not: replayed
        after a restore it switches off too much, never too little. Raises NotOptedIn, NoSuchCamera.
        """
        self._store.lock(session, camera_id)
        self._their_camera(session, operator_id, camera_id, even_removed=True)
        entries = self._store.newest(session, camera_id)
        refusal = judge_withdrawal(actor, kind, entries, camera_id)
        if refusal is not None:
            raise refusal
        now = self._clock.now()
        entry = self._withdrawal(entries, actor, operator_id, camera_id, kind, reason, now)
        added = [entry]
        if kind is ConsentKind.VIDEO_RECORDING:
            audio = newest(entries, camera_id, ConsentKind.RECORDED_AUDIO)
            if audio is not None and audio.answer is Answer.GIVEN:
                ends = "recording-withdrawn"
                added.append(self._withdrawal(entries, actor, operator_id, camera_id, audio.kind, ends, now))
        for each in added:
            self._store.add(session, each)
            self._audit.note(
                session,
                Event(
                    Tag.OPT_IN_WITHDRAWN,
                    now,
                    actor,
                    operator_id=operator_id,
                    camera_id=camera_id,
                    reason=each.reason,
                    detail={"kind": str(each.kind), "entry": str(each.entry_id)},
                ),
            )
        # Last, when the database has taken everything: from here on only the commit itself can fail.
        for each in added:
            self._journal.append(
                JournalKind.WITHDRAWAL,
                {
                    "operator": str(operator_id),
                    "camera": str(camera_id),
                    "kind": str(each.kind),
                    "entry": str(each.entry_id),
                    "withdrawn_at": now.isoformat(),
                },
            )
        after_commit(session, lambda: self._tell(camera_id))
        return WithdrawnEntry(entry.entry_id, camera_id, tuple(each.kind for each in added), now)

    def replay(self, session: Session, entry: JournalEntry) -> bool:
        """Withdraw again what the custody journal says was withdrawn; say whether that changed anything.

        An opt-in that was given since stays: only what was given before it is withdrawn. For a restore.
        """
        facts = entry.facts
        camera_id, kind = CameraId(UUID(str(facts["camera"]))), ConsentKind(str(facts["kind"]))
        known = {one.entry_id for one in self._store.history(session, camera_id)}
        entries = self._store.newest(session, camera_id)
        last = newest(entries, camera_id, kind)
        withdrawn_at = datetime.fromisoformat(str(facts["withdrawn_at"]))
        if str(facts["entry"]) in {str(one) for one in known}:
            return False
        if last is None or last.answer is not Answer.GIVEN or last.from_at > withdrawn_at:
            return False
        now = self._clock.now()
        operator_id = OperatorId(UUID(str(facts["operator"])))
        again = self._withdrawal(entries, _REPLAY, operator_id, camera_id, kind, "from-the-journal", now)
        again = replace(again, entry_id=ConsentEntryId(UUID(str(facts["entry"]))))
        self._store.add(session, again)
        detail = {"kind": str(kind), "entry": str(again.entry_id)}
        self._audit.note(
            session,
            Event(
                Tag.OPT_IN_WITHDRAWN,
                now,
                _REPLAY,
                operator_id=operator_id,
                camera_id=camera_id,
                reason=again.reason,
                detail=detail,
            ),
        )
        after_commit(session, lambda: self._tell(camera_id))
        return True

    def note_refused(
        self, refusal: ConsentRefusal, tag: Tag, asker_label: str, operator_id: OperatorId, camera_id: CameraId
    ) -> None:
        """Note in a transaction of its own that an act was refused; `tag` is the act's.

        The edge calls this once the refused transaction is closed.
        """
        self._audit.note_refusal(
            Event(
                tag,
                self._clock.now(),
                asker_label,
                Outcome.REFUSED,
                operator_id=operator_id,
                camera_id=camera_id,
                reason=refusal.code,
            )
        )

    def permit(self, session: Session, camera_id: CameraId) -> RecordingPermit | None:
        """Return proof that the camera may be recorded now, or None: no opt-in, or none of its recording times.

        Raises LedgerDisagrees, RecordingTimesUnreadable.
        """
        now, entries = self._clock.for_reading(), self._store.newest(session, camera_id)
        video = self._in_force(session, entries, camera_id, now)
        if video is None:
            return None
        return permit_at(entries, camera_id, now, recording_times.history(session, camera_id))

    def in_force(self, session: Session, camera_id: CameraId) -> ConsentEntry | None:
        """Return the opt-in to recording that is in force, whatever the camera's recording times allow of it.

        It is for telling why nothing is recorded; nothing is recorded on it. Raises LedgerDisagrees.
        """
        entries = self._store.newest(session, camera_id)
        return self._in_force(session, entries, camera_id, self._clock.for_reading())

    def paused(self, session: Session, camera_id: CameraId) -> Paused | None:
        """Say whether this is none of the camera's recording times. Raises RecordingTimesUnreadable."""
        return paused_at(recording_times.history(session, camera_id), self._clock.for_reading())

    def active(self, asked: Reading) -> Active:
        """Return the entries that are on, ended or not, of all cameras; for permits not yet to be asked again."""
        return self._store.active(asked)

    def live_audio_until(self, session: Session, camera_id: CameraId) -> datetime | None:
        """Return until when the camera's sound may be heard live; None if it may not be heard now."""
        return live_audio_until(self._store.newest(session, camera_id), camera_id, self._clock.for_reading())

    def stopped_at(self, session: Session, camera_id: CameraId) -> datetime | None:
        """Return when recording's last opt-in ended; None while one is in force and where there never was one."""
        return stopped_at(self._store.newest(session, camera_id), camera_id, self._clock.for_reading())

    def history(self, session: Session, camera_id: CameraId) -> list[ConsentEntry]:
        """Return every entry of a camera, oldest first."""
        return self._store.history(session, camera_id)

    def opted_in(self, session: Session) -> list[CameraId]:
        """Return the cameras to ask a permit for: their recording was opted in and not withdrawn."""
        return self._store.opted_in(session)

    def _in_force(
        self, session: Session, entries: list[ConsentEntry], camera_id: CameraId, now: datetime
    ) -> ConsentEntry | None:
        video = in_force(entries, camera_id, ConsentKind.VIDEO_RECORDING, now)
        if video is None:
            return None
        if self._store.active_entry(session, camera_id, ConsentKind.VIDEO_RECORDING) != video.entry_id:
            raise LedgerDisagrees("the ledger's head does not tell what its entries say")
        return video

    def _their_camera(
        self, session: Session, operator_id: OperatorId, camera_id: CameraId, *, even_removed: bool
    ) -> None:
        camera = self._owners.by_id(session, camera_id)
        if camera is None or camera.operator_id != operator_id or (camera.removed_at and not even_removed):
            raise NoSuchCamera

    def _withdrawal(
        self,
        entries: list[ConsentEntry],
        actor: str,
        operator_id: OperatorId,
        camera_id: CameraId,
        kind: ConsentKind,
        reason: str,
        now: datetime,
    ) -> ConsentEntry:
        return ConsentEntry(
            ConsentEntryId(self._randomness.uuid()),
            _next_number(entries, camera_id, kind),
            camera_id,
            operator_id,
            actor,
            kind,
            Answer.WITHDRAWN,
            from_at=now,
            reason=reason,
        )

    def _tell(self, camera_id: CameraId) -> None:
        for listener in self._listeners:
            try:
                listener(camera_id)
            except Exception:  # noqa: BLE001 - the act is committed; one deaf listener must not silence the others
                self.listener_failures += 1


def _next_number(entries: list[ConsentEntry], camera_id: CameraId, kind: ConsentKind) -> int:
    last = newest(entries, camera_id, kind)
    return last.number + 1 if last else 1

"""Steps 3 to 8 of an off-boarding: what the worker does once two people have confirmed it.

Each step is done as often as it takes, and is noted once it is; a crash anywhere is resumed from the row.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from archive.keys import store as buckets
from archive.keys.service import BucketKeys, Replacement
from archive.receipts.service import ReceiptService
from auth.grants.service import GrantService
from auth.identities.service import PersonService
from auth.operators.store import OperatorStore
from auth.principal import Principal, PrincipalKind
from auth.resources.store import ResourceStore
from streams.cameras.service import CameraService
from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.consent.ledger import ConsentLedger
from vms_privacy.consent.rules import ConsentKind
from vms_privacy.db import Database
from vms_privacy.errors import Refusal
from vms_privacy.ids import CameraId
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalKind, joined
from vms_privacy.off_boarding import footage, store
from vms_privacy.off_boarding import manifest_store as manifests
from vms_privacy.off_boarding.evidence import sign_receipts
from vms_privacy.off_boarding.listing import ACTOR, forget_lines
from vms_privacy.off_boarding.rules import JournalAct, OffBoarding, Step
from vms_privacy.off_boarding.service import Progress, nobody, write_journal
from vms_privacy.subject_requests import store as requests

_WORKER: Final = Principal(PrincipalKind.WORKER)


@dataclass(frozen=True, slots=True)
class Rooms:
    """The rooms in which something of an operator is left."""

    ledger: ConsentLedger
    cameras: CameraService
    buckets: BucketKeys
    receipts: ReceiptService
    grants: GrantService
    people: PersonService


class OffBoardingRounds:
    """Goes on with every off-boarding that is confirmed. One thread; what fails is counted, told, tried again (P12).

    `progress` is told of each step once it is noted. `uncounted_failures`: those that the database could not note.
    """

    def __init__(
        self, db: Database, journal: Journal, audit: AuditLog, clock: Clock, rooms: Rooms, progress: Progress = nobody
    ) -> None:
        self._db = db
        self._journal = journal
        self._audit = audit
        self._clock = clock
        self._rooms = rooms
        self._progress = progress
        self.uncounted_failures = 0
        self._resources = ResourceStore()
        self._operators = OperatorStore()
        self._carry_out = {
            Step.CAMERAS_REMOVED: self._remove_cameras,
            Step.FOOTAGE_DESTROYED: self._is_all_destroyed,
            Step.KEYS_DESTROYED: self._destroy_keys,
            Step.RECEIPTS_SIGNED: self._sign_receipts,
            Step.ACCESS_ENDED: self._end_access,
            Step.CLOSED: self._forget,
        }

    def round(self) -> str:
        """Take each as far as it goes now; return what failed, by code."""
        with self._db.reading() as session:
            under_way = store.under_way(session)
        failed = set()
        for one in under_way:
            try:
                self._go_on(one)
            except Exception as error:  # noqa: BLE001 - counted and tried again; no other operator waits for it
                code = error.code if isinstance(error, Refusal) else type(error).__name__
                failed.add(code)
                self._count_failure(one, code)
        return ",".join(sorted(failed))

    def _go_on(self, one: OffBoarding) -> None:
        for step in Step:
            if step <= one.step:
                continue
            if not self._carry_out[step](one):
                return
            self._note_done(one, step)
            self._progress(step)

    def _remove_cameras(self, one: OffBoarding) -> bool:
        """Take no more pictures: connections end, and what would open them again is forgotten."""
        with self._db.reading() as session:
            known = self._resources.of_operator(session, one.operator_id, even_removed=True)
            heard = {camera_id for camera_id, kind in self._rooms.ledger.active(session) if kind in _ALL_KINDS}
        for camera in known:
            with self._db.writing() as session:
                if camera.camera_id in heard:
                    self._withdraw(session, one, camera.camera_id)
                if camera.removed_at is None:
                    self._rooms.cameras.remove(session, _WORKER, camera.camera_id)
        return True

    def _withdraw(self, session: Session, one: OffBoarding, camera_id: CameraId) -> None:
        for kind in _ALL_KINDS:
            if (camera_id, kind) in self._rooms.ledger.active(session):
                self._rooms.ledger.withdraw(session, ACTOR, one.operator_id, camera_id, kind, "off-boarding")

    def _is_all_destroyed(self, one: OffBoarding) -> bool:
        """Wait for the engine: what an order or the minimum keeps, it destroys once that ends."""
        with self._db.reading() as session:
            # As long as a mandate stands nobody looks through all rows, each second.
            if footage.standing_mandates(session, one.operator_id, one.id):
                return False
            grows = footage.growing(session, one.operator_id)
            return not grows and not footage.is_anything_left(session, one.operator_id)

    def _destroy_keys(self, one: OffBoarding) -> bool:
        """Destroy what the destruction of its segments has left: keys of hours in which nothing was recorded."""
        with self._db.reading() as session:
            keys = buckets.living_of(session, one.operator_id)
        with self._db.writing() as session:
            self._rooms.buckets.replace(session, [Replacement(key) for key in keys])
        for facts in joined("bucket_keys", keys):
            self._journal.append(JournalKind.KEY_DESTROYED, {"segments": 0} | facts)
        self._rooms.buckets.destroy(keys, ())
        with self._db.writing() as session:
            self._rooms.buckets.note_destroyed(session, keys)
        return True

    def _sign_receipts(self, one: OffBoarding) -> bool:
        return sign_receipts(self._db, self._rooms.receipts, one, ACTOR)

    def _end_access(self, one: OffBoarding) -> bool:
        """End everybody's rights, sessions and tokens; whoever has asked something gets an answer before (P11)."""
        with self._db.writing() as session:
            if requests.count_open(session, one.operator_id):
                return False
            self._rooms.grants.end_all(session, _WORKER, one.operator_id)
            self._rooms.people.end_all(session, _WORKER, one.operator_id)
        return True

    def _forget(self, one: OffBoarding) -> bool:
        """Forget the lines of its manifests; receipts tell what became of each segment."""
        with self._db.reading() as session:
            made = manifests.of_off_boarding(session, one.id)
        for manifest_id in made:
            forget_lines(self._db, manifest_id)
        return True

    def _note_done(self, one: OffBoarding, step: Step) -> None:
        now = self._clock.now()
        with self._db.writing() as session:
            if not store.done(session, one.id, step, now):
                return
            detail: dict[str, str | int | bool | None] = {"off_boarding": str(one.id), "step": step.name.lower()}
            if step is not Step.CLOSED:
                event = Event(Tag.OFF_BOARDING_STEP_DONE, now, ACTOR, operator_id=one.operator_id, detail=detail)
                self._audit.note(session, event)
                return
            self._operators.close(session, one.operator_id, now)
            gone = footage.gone(session, one.operator_id, one.id)
            told = {**detail, "segments": gone.segments, "receipts": len(gone.receipts)}
            event = Event(Tag.OPERATOR_CLOSED, now, ACTOR, operator_id=one.operator_id, detail=told)
            self._audit.note(session, event)
            # Last, before the commit: a restored older database finds the operator closed.
            write_journal(self._journal, one.id, one.operator_id, JournalAct.CLOSED)

    def _count_failure(self, one: OffBoarding, code: str) -> None:
        try:
            with self._db.writing() as session:
                store.note_failure(session, one.id, code)
                detail: dict[str, str | int | bool | None] = {"off_boarding": str(one.id)}
                self._audit.note(
                    session,
                    Event(
                        Tag.OFF_BOARDING_STEP_FAILED,
                        self._clock.now(),
                        ACTOR,
                        Outcome.FAILED,
                        operator_id=one.operator_id,
                        reason=code,
                        detail=detail,
                    ),
                )
        except SQLAlchemyError:
            # The round tells it all the same, and the next one tries again.
            self.uncounted_failures += 1


_ALL_KINDS: Final = tuple(ConsentKind)

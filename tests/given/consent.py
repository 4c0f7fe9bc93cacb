"""A real ledger over a real database and journal, with cameras that belong to whom the test says."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy.orm import Session

from tests.given.audit import DOOR, GATE, NORTH, SOUTH
from tests.given.clock import HandClock
from tests.given.randomness import CountedRandomness
from vms_privacy.audit.log import AuditLog
from vms_privacy.consent.ledger import ConsentLedger
from vms_privacy.consent.rules import ConsentEntry, ConsentKind, LegalBasis, Method, RecordingPermit
from vms_privacy.consent.wording import current
from vms_privacy.db import Database
from vms_privacy.ids import CameraId, ConsentEntryId, OperatorId
from vms_privacy.journal.journal import Journal

PERSON = f"person:{UUID(int=7)}"


@dataclass(frozen=True, slots=True)
class OwnedBy:
    operator_id: OperatorId
    removed_at: datetime | None = None


@dataclass(slots=True)
class Cameras:
    """Who owns which camera, said by hand."""

    owners: dict[CameraId, OwnedBy] = field(default_factory=dict)

    def add(self, camera_id: CameraId, operator_id: OperatorId) -> None:
        self.owners[camera_id] = OwnedBy(operator_id)

    def by_id(self, session: Session, camera_id: CameraId) -> OwnedBy | None:
        return self.owners.get(camera_id)

    def is_leaving(self, session: Session, operator_id: OperatorId) -> bool:
        return False


def make_ledger(
    db: Database, clock: HandClock, folder: Path, cameras: Cameras, journal: Journal | None = None
) -> ConsentLedger:
    """Join a ledger, with the journal given or a new one in `folder`."""
    randomness = CountedRandomness("ledger")
    journal = journal or Journal(folder / "custody.journal", clock)
    return ConsentLedger(AuditLog(db, randomness), clock, randomness, journal, cameras)


def opt_in(
    ledger: ConsentLedger,
    session: Session,
    clock: HandClock,
    operator_id: OperatorId,
    camera_id: CameraId,
    kind: ConsentKind = ConsentKind.VIDEO_RECORDING,
    until: datetime | None = None,
) -> ConsentEntryId:
    """Opt in as it should be done: a person, a purpose, a basis, a sign seen an hour ago, the current text."""
    return ledger.opt_in(
        session,
        PERSON,
        operator_id,
        camera_id,
        kind,
        "burglary at the north gate",
        LegalBasis.LEGITIMATE_INTERESTS,
        clock.now() - timedelta(hours=1),
        current(kind).version,
        Method.API,
        until,
    )


class Consent:
    """A ledger in which the north operator owns the gate and the south operator the door; each act in one call."""

    def __init__(self, db: Database, clock: HandClock, folder: Path, journal: Journal | None = None) -> None:
        self.db, self.clock, self.cameras = db, clock, Cameras()
        self.cameras.add(GATE, NORTH)
        self.cameras.add(DOOR, SOUTH)
        self.ledger = make_ledger(db, clock, folder, self.cameras, journal)

    def give(self, kind: ConsentKind = ConsentKind.VIDEO_RECORDING, until: datetime | None = None) -> ConsentEntryId:
        with self.db.writing() as session:
            return opt_in(self.ledger, session, self.clock, NORTH, GATE, kind, until)

    def take_back(self, kind: ConsentKind = ConsentKind.VIDEO_RECORDING) -> tuple[ConsentKind, ...]:
        with self.db.writing() as session:
            return self.ledger.withdraw(session, PERSON, NORTH, GATE, kind, "no-longer-needed").kinds

    def permit(self, camera_id: CameraId = GATE) -> RecordingPermit | None:
        with self.db.reading() as session:
            return self.ledger.permit(session, camera_id)

    def live_audio(self) -> bool:
        with self.db.reading() as session:
            return self.ledger.live_audio_until(session, GATE) is not None

    def stopped_at(self) -> datetime | None:
        with self.db.reading() as session:
            return self.ledger.stopped_at(session, GATE)

    def opted_in(self) -> list[CameraId]:
        with self.db.reading() as session:
            return self.ledger.opted_in(session)

    def history(self, camera_id: CameraId = GATE) -> list[ConsentEntry]:
        with self.db.reading() as session:
            return self.ledger.history(session, camera_id)

"""The whole audit over a real database, a real keyring and a real anchor file; and somebody who tampers with it."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from tests.given.clock import HandClock
from tests.given.randomness import CountedRandomness
from tests.given.tampering import past_the_guards, tamper
from vms_privacy.audit.anchor import Anchor
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.audit.sealer import Sealer
from vms_privacy.audit.verify import AuditVerdict, verify
from vms_privacy.db import Database
from vms_privacy.ids import CameraId, OperatorId
from vms_privacy.keyring.file_keyring import FileKeyring
from vms_privacy.keyring.port import Purpose

NORTH, SOUTH = OperatorId(UUID(int=11)), OperatorId(UUID(int=12))
GATE, DOOR = CameraId(UUID(int=21)), CameraId(UUID(int=22))


class Audit:
    """Notes, seals, signs and verifies, each in one call."""

    def __init__(self, db: Database, folder: Path, clock: HandClock) -> None:
        self.db, self.clock = db, clock
        self.anchor_path = folder / "anchor"
        self.anchor = Anchor(self.anchor_path)
        self.keyring = FileKeyring.create(folder / "keyring", clock, CountedRandomness(folder.name))
        self.log = AuditLog(db, CountedRandomness("audit"))
        self.sealer = self.new_sealer()

    def new_sealer(self) -> Sealer:
        """What a restarted service would have."""
        return Sealer(self.db, self.keyring, self.clock, self.anchor)

    def event(self, index: int = 0) -> Event:
        operator_id = (NORTH, SOUTH, None)[index % 3]
        return Event(Tag.LOGGED_IN, self.clock.now(), f"person:{UUID(int=index)}", operator_id=operator_id)

    def note(self, count: int) -> None:
        with self.db.writing() as session:
            for index in range(count):
                self.log.note(session, self.event(index))

    def grow(self, counts: Sequence[int]) -> None:
        """Note, seal and sign, once per count."""
        for count in counts:
            self.note(count)
            self.sealer.seal_once()
            self.sealer.checkpoint_once()

    def verify(self) -> AuditVerdict:
        return verify(self.db, self.anchor, self.keyring.public_keys(Purpose.CHECKPOINT_SIGNING))


class Intruder:
    """Somebody with the database's file: drops the triggers first, then does as they like."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def run(self, *statements: str) -> None:
        with past_the_guards(self._db) as run:
            for statement in statements:
                run(statement)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        return tamper(self._db, query)

    def write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Like `run`, one statement with values."""
        with past_the_guards(self._db) as run:
            for row in rows:
                run(statement, *row)

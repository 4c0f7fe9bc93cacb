"""The parts that every room stands on: clock, database, keyring, journal, audit."""

import threading
from functools import cached_property

from archive.blobs.store_places import StorePlace
from auth.resources.store import ResourceStore
from vms_privacy.approvals.service import Approvals
from vms_privacy.audit.anchor import Anchor
from vms_privacy.audit.log import AuditLog
from vms_privacy.audit.pseudonyms import Pseudonyms
from vms_privacy.audit.refusals import RefusalCounter
from vms_privacy.audit.sealer import Sealer
from vms_privacy.clock import Clock, SystemClock
from vms_privacy.clock_care import ClockCare
from vms_privacy.consent.ledger import ConsentLedger
from vms_privacy.db import Database
from vms_privacy.group_commit import GroupCommit
from vms_privacy.guarded_clock import GuardedClock
from vms_privacy.ids import Randomness, SystemRandomness
from vms_privacy.journal.journal import Journal
from vms_privacy.key_copies import KeyCopies
from vms_privacy.keyring.file_keyring import FileKeyring
from vms_privacy.keyring.folder_keyring import FolderKeyring
from vms_privacy.keyring.pkcs11_keyring import Pkcs11Keyring
from vms_privacy.keyring.pkcs11_token import Pkcs11Token
from vms_privacy.recording_times.room import BOUNDLESS, Room
from vms_privacy.recording_times.service import RecordingTimes
from vms_privacy.root_care import RootCare
from vms_privacy.settings import Settings


class GroundParts:
    """What every room stands on. Made of settings, which are read nowhere else."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def installation_id(self) -> str:
        return (self.settings.data_dir / "installation-id").read_text().strip()

    @cached_property
    def randomness(self) -> Randomness:
        return SystemRandomness()

    @cached_property
    def store_places(self) -> tuple[StorePlace, ...]:
        """Return where the stores are; read once, since nothing is opened anew while the service runs."""
        return self.settings.stores

    @cached_property
    def guarded_clock(self) -> GuardedClock:
        is_sqlite = self.db.engine.dialect.name == "sqlite"
        # An embedded database reads the same clock: it could not contradict it.
        return GuardedClock(SystemClock(), self.settings.data_dir / "clock-mark", None if is_sqlite else self.db.now)

    @cached_property
    def clock(self) -> Clock:
        return self.guarded_clock

    @cached_property
    def db(self) -> Database:
        return Database(self.settings.url)

    @cached_property
    def group(self) -> GroupCommit:
        return GroupCommit(self.db)

    @cached_property
    def keyring(self) -> FolderKeyring:
        folder, life, token = self.settings.keyring, self.settings.root_life, self.settings.token_place
        if token is None:
            return FileKeyring(folder, self.clock, self.randomness, life)
        return Pkcs11Keyring(folder, Pkcs11Token(token), self.clock, self.randomness, life)

    @cached_property
    def journal(self) -> Journal:
        return Journal.existing(self.settings.journal, self.clock)

    @cached_property
    def key_copies(self) -> KeyCopies:
        return KeyCopies(self.journal, self.db, self.audit, self.clock, self.randomness)

    @cached_property
    def clock_care(self) -> ClockCare:
        return ClockCare(self.guarded_clock, self.db, self.audit)

    @cached_property
    def root_care(self) -> RootCare:
        return RootCare(self.keyring, self.journal, self.db, self.audit, self.clock, threading.Event().wait)

    @cached_property
    def anchor(self) -> Anchor:
        return Anchor(self.settings.anchor)

    @cached_property
    def audit(self) -> AuditLog:
        return AuditLog(self.db, self.randomness)

    @cached_property
    def sealer(self) -> Sealer:
        return Sealer(self.db, self.keyring, self.clock, self.anchor)

    @cached_property
    def refusals(self) -> RefusalCounter:
        return RefusalCounter(self.db, self.audit, self.clock)

    @cached_property
    def pseudonyms(self) -> Pseudonyms:
        return Pseudonyms(self.keyring, self.clock)

    @cached_property
    def room(self) -> Room:
        return BOUNDLESS

    @cached_property
    def ledger(self) -> ConsentLedger:
        return ConsentLedger(self.audit, self.clock, self.randomness, self.journal, ResourceStore(), self.room)

    @cached_property
    def recording_times(self) -> RecordingTimes:
        return RecordingTimes(self.audit, self.journal, self.clock, self.randomness, self.room)

    @cached_property
    def approvals(self) -> Approvals:
        return Approvals(self.audit, self.clock, self.randomness)

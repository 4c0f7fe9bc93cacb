"""`vms-privacy init`: make what an installation needs, once, and nothing with a default password.

All or nothing in the order below; the marker `installation-id` comes last, so an interrupted `init` can be done again
after removing what it says is there.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from archive.blobs.folder_store import FolderStore
from auth.identities.enrolment import Enrolment
from vms_privacy.app import Assembly
from vms_privacy.audit.events import Event, Tag
from vms_privacy.clock import SystemClock
from vms_privacy.db import Database
from vms_privacy.durable_files import make_private_folder, write_durably
from vms_privacy.errors import Kind, Refusal
from vms_privacy.ids import SystemRandomness
from vms_privacy.journal.journal import Journal
from vms_privacy.keyring.file_keyring import FileKeyring
from vms_privacy.migrations import is_current, migrate
from vms_privacy.settings import Settings

_MARK: Final = "installation-id"


class AlreadyInitialised(Refusal):
    """There is an installation in this data folder; a second one is never made over it."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "already-initialised"


class NotInitialised(Refusal):
    """There is no installation in this data folder."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "not-initialised"


class SchemaIsOld(Refusal):
    """The database is of another version than this program."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "schema-is-old"


@dataclass(frozen=True, slots=True)
class Initialised:
    """What `init` made. The bootstrap code is shown once and kept nowhere in clear."""

    data_dir: Path
    installation_id: str
    bootstrap_code: str

    def __repr__(self) -> str:
        return f"Initialised({self.installation_id}, hidden)"


def initialise(settings: Settings) -> Initialised:
    """Make data folder, database, keyring, journal, store and bootstrap code. Raises AlreadyInitialised."""
    if (settings.data_dir / _MARK).exists():
        raise AlreadyInitialised("this data folder holds an installation already")
    clock, randomness = SystemClock(), SystemRandomness()
    for folder in dict.fromkeys((settings.data_dir, settings.keyring.parent, settings.archive.parent)):
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            make_private_folder(folder)
    make_private_folder(settings.spool)
    db = Database(settings.url)
    try:
        migrate(db.engine)
    finally:
        db.close()
    FileKeyring.create(settings.keyring, clock, randomness, settings.root_life)
    Journal(settings.journal, clock).close()
    FolderStore.create(settings.archive)
    installation_id = str(randomness.uuid())
    write_durably(settings.data_dir / _MARK, f"{installation_id}\n".encode())
    return Initialised(settings.data_dir, installation_id, new_bootstrap_code(settings))


def new_bootstrap_code(settings: Settings) -> str:
    """Make another bootstrap code, where the first was lost; an older one stops working."""
    assembly = Assembly(settings)
    enrolment: Enrolment = assembly.enrolment
    try:
        with assembly.db.writing() as session:
            code = enrolment.make_bootstrap_code(session)
            assembly.audit.note(session, Event(Tag.SERVICE_INITIALISED, assembly.clock.now(), "worker:init"))
    finally:
        assembly.db.close()
    return code


def refuse_unless_ready(settings: Settings) -> None:
    """Raise NotInitialised or SchemaIsOld: the service starts on a whole, current installation or not at all."""
    if not (settings.data_dir / _MARK).exists():
        raise NotInitialised("there is no installation here; make one with: vms-privacy init")
    db = Database(settings.url)
    try:
        if not is_current(db.engine):
            raise SchemaIsOld("the database is of another version; after a backup run: vms-privacy migrate")
    finally:
        db.close()

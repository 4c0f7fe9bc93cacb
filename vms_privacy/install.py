"""`vms-privacy init`: make what an installation needs, once, and nothing with a default password.

All or nothing in the order below; the marker `installation-id` comes last, so an interrupted `init` can be done again
after removing what it says is there.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from sqlalchemy import make_url

from auth.identities.enrolment import Enrolment
from vms_privacy.app import Assembly, make_store
from vms_privacy.audit.events import Event, Tag
from vms_privacy.clock import Clock, SystemClock
from vms_privacy.db import Database
from vms_privacy.durable_files import (
    PRIVATE_FILE,
    PRIVATE_FOLDER,
    fault_of,
    is_private,
    make_private_folder,
    write_durably,
)
from vms_privacy.errors import Kind, Refusal
from vms_privacy.ids import Randomness, SystemRandomness
from vms_privacy.journal.journal import Journal
from vms_privacy.keyring.file_keyring import FileKeyring
from vms_privacy.keyring.folder_keyring import FolderKeyring, PutBack
from vms_privacy.keyring.pkcs11_keyring import Pkcs11Keyring
from vms_privacy.keyring.pkcs11_token import Pkcs11Token
from vms_privacy.migrations import grant, is_current, may_rewrite, migrate
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


class DatabaseRoleMayRewrite(Refusal):
    """The role with which the service would use PostgreSQL may change or delete audit, opt-ins or receipts."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "database-role-may-rewrite"


class DataFolderIsNotPrivate(Refusal):
    """Others than the service's user have rights to the data folder or the database, or it is not the user's own."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "data-folder-is-not-private"


@dataclass(frozen=True, slots=True)
class Initialised:
    """What `init` made. The bootstrap code is shown once and kept nowhere in clear."""

    data_dir: Path
    installation_id: str
    bootstrap_code: str

    def __repr__(self) -> str:
        return f"Initialised({self.installation_id}, hidden)"


def initialise(settings: Settings) -> Initialised:
    """Make data folder, database, keyring, journal, stores and bootstrap code.

    Folder and database are the user's alone. Raises AlreadyInitialised, DataFolderIsNotPrivate, DatabaseRoleMayRewrite,
    StoresFileUnusable.
    """
    refuse_if_initialised(settings)
    places = settings.stores
    clock, randomness = SystemClock(), SystemRandomness()
    if settings.data_dir.exists():
        _take_over(settings.data_dir)
    for folder in dict.fromkeys((settings.data_dir, settings.keyring.parent, settings.archive.parent)):
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            make_private_folder(folder)
    _make_database_file(settings.url)
    # The first that may fail for want of somebody else: so far there is nothing that a second try would stumble over.
    bring_database_up_to_date(settings)
    make_private_folder(settings.spool)
    make_keyring(settings, clock, randomness)
    Journal(settings.journal, clock).close()
    for place in places:
        make_store(place)
    installation_id = str(randomness.uuid())
    write_durably(settings.data_dir / _MARK, f"{installation_id}\n".encode())
    return Initialised(settings.data_dir, installation_id, _code_noted_as(Tag.SERVICE_INITIALISED, settings))


def refuse_if_initialised(settings: Settings) -> None:
    """Raise AlreadyInitialised where there is an installation."""
    if (settings.data_dir / _MARK).exists():
        raise AlreadyInitialised("this data folder holds an installation already")


def bring_database_up_to_date(settings: Settings) -> None:
    """Make or change the tables, as their owner; with PostgreSQL the service's role gets its rights anew.

    Raises DatabaseRoleMayRewrite where the two are one role.
    """
    owner, service = make_url(settings.owner_url), make_url(settings.url)
    if service.get_backend_name() == "postgresql" and owner.username == service.username:
        raise DatabaseRoleMayRewrite(
            "the tables need another owner than the service's role: set VMS_DATABASE_OWNER_URL"
        )
    db = Database(settings.owner_url)
    try:
        migrate(db.engine)
        if db.engine.dialect.name == "postgresql":
            grant(db.engine, service.username or "")
    finally:
        db.close()


def make_keyring(
    settings: Settings, clock: Clock, randomness: Randomness, put_back: PutBack | None = None
) -> FolderKeyring:
    """Make the keyring where the settings say, new or put back from a copy. Raises KeyringExists."""
    folder, life, token = settings.keyring, settings.root_life, settings.token_place
    if token is None:
        return FileKeyring.create(folder, clock, randomness, life, put_back)
    return Pkcs11Keyring.create(folder, Pkcs11Token(token), clock, randomness, life, put_back)


def new_bootstrap_code(settings: Settings) -> str:
    """Make another bootstrap code, where the first was lost; an older one stops working."""
    return _code_noted_as(Tag.BOOTSTRAP_CODE_RENEWED, settings)


def _code_noted_as(tag: Tag, settings: Settings) -> str:
    assembly = Assembly(settings)
    enrolment: Enrolment = assembly.enrolment
    try:
        with assembly.db.writing() as session:
            code = enrolment.make_bootstrap_code(session)
            assembly.audit.note(session, Event(tag, assembly.clock.now(), "worker:init"))
    finally:
        assembly.db.close()
    return code


def refuse_unless_ready(settings: Settings) -> None:
    """Let the service start on a whole, current, private installation or not at all.

    Raises NotInitialised, DataFolderIsNotPrivate, SchemaIsOld, DatabaseRoleMayRewrite.
    """
    if not (settings.data_dir / _MARK).exists():
        raise NotInitialised("there is no installation here; make one with: vms-privacy init")
    if not is_private(settings.data_dir.stat()):
        raise DataFolderIsNotPrivate("others may look into the data folder: see who has, then chmod 700 it")
    database = _file_of(settings.url)
    if database is not None and database.exists() and not is_private(database.stat()):
        raise DataFolderIsNotPrivate("others may read the database's file: see who has, then chmod 600 it")
    db = Database(settings.url)
    try:
        if not is_current(db.engine):
            raise SchemaIsOld("the database is of another version; after a backup run: vms-privacy migrate")
        if db.engine.dialect.name == "postgresql" and may_rewrite(db.engine):
            raise DatabaseRoleMayRewrite("the service's role in the database may change what is only ever added")
    finally:
        db.close()


def _take_over(folder: Path) -> None:
    """Make an empty folder private; take one that holds something only as it is, if it is private already.

    What others could write into it before would otherwise be taken for the service's own.
    """
    try:
        if not folder.is_dir():
            raise DataFolderIsNotPrivate(
                "where the data folder should be is a file", next="name another place, or take the file away"
            )
        if folder.stat().st_uid != os.geteuid():
            raise DataFolderIsNotPrivate("the data folder belongs to another user: chown it to the service's own")
        if is_private(folder.stat()):
            return
        if any(folder.iterdir()):
            raise DataFolderIsNotPrivate(
                "others have rights to the data folder, and it is not empty: look at what is in it, then chmod 700 it, "
                "or name an empty folder"
            )
        folder.chmod(PRIVATE_FOLDER)
        if any(folder.iterdir()):
            raise DataFolderIsNotPrivate("somebody wrote into the data folder just now: name another one")
    except OSError as error:
        raise DataFolderIsNotPrivate(f"the data folder cannot be taken: {fault_of(error)}") from error


def _make_database_file(url: str) -> None:
    """Make SQLite's file before SQLite does, with no right for others; its journal and index files follow its mode."""
    file = _file_of(url)
    if file is None:
        return
    handle = os.open(file, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        os.fchmod(handle, PRIVATE_FILE)
    finally:
        os.close(handle)


def _file_of(url: str) -> Path | None:
    told = make_url(url)
    name = told.database or ":memory:"
    is_file = told.get_backend_name() == "sqlite" and name != ":memory:" and not name.startswith("file:")
    return Path(name) if is_file else None

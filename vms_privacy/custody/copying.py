"""Copies of the database: made beside a running service, and read again; docs/formats/backup-v1.md.

Promise: a copy holds neither footage nor a key nor a root, and says of which moment it is: the journal's head was read
before it was begun, so that every entry behind that head is for the restore to replay. What the journal tells of before
is replayed all the same.
"""

import hashlib
import io
import os
import tarfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.custody.errors import CopiedElsewhere, CopyIsDamaged
from vms_privacy.custody.rules import DATABASE_NAME, MANIFEST_LIMIT, MANIFEST_NAME, Manifest, read_manifest
from vms_privacy.custody.service import ACTOR
from vms_privacy.db import Database
from vms_privacy.durable_files import PRIVATE_FILE
from vms_privacy.ids import Randomness
from vms_privacy.journal.journal import JournalIsDamaged, verify_journal

_STEP: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """What a copy is made of, and what it says of the installation."""

    db: Database
    journal: Path
    installation_id: str
    program: str
    schema: str


class Copies:
    """Makes copies of one installation's database."""

    def __init__(self, audit: AuditLog, clock: Clock, randomness: Randomness) -> None:
        self._audit = audit
        self._clock = clock
        self._randomness = randomness

    def make(self, source: Source, scratch: Path, file: BinaryIO) -> Manifest:
        """Write a copy; `scratch` is a file that is not there, in a private place, and is not there afterwards.

        Raises CopiedElsewhere for a server's database, JournalIsDamaged, JournalUnavailable; OSError of the files.
        """
        refuse_a_server(source.db)
        head = verify_journal(source.journal)
        if not head.ok:
            raise JournalIsDamaged(f"the custody journal is not as it was written: {head.reason}")
        made_at, backup_id = self._clock.now(), self._randomness.uuid()
        with source.db.writing() as session:
            # In the copy, too: whoever puts it back finds which it was.
            detail: dict[str, str | int | bool | None] = {"backup": str(backup_id), "journal_number": head.head.number}
            self._audit.note(session, Event(Tag.DATABASE_BACKED_UP, made_at, ACTOR, detail=detail))
        try:
            _copy_into(source.db, scratch)
            manifest = Manifest(
                backup_id,
                source.installation_id,
                made_at,
                source.program,
                source.schema,
                head.head.number,
                head.head.hash,
                scratch.stat().st_size,
                _sum_of(scratch),
            )
            _pack(manifest, scratch, file)
        finally:
            scratch.unlink(missing_ok=True)
        return manifest


def unpack(file: BinaryIO, database: Path) -> Manifest:
    """Put the database of a copy under a path, durable on return, and return what the copy says of itself.

    Raises CopyIsDamaged for anything else than what `Copies.make` writes, with every byte as it was; then there is
    nothing under the path.
    """
    try:
        with tarfile.open(fileobj=file, mode="r:") as packed:
            manifest = read_manifest(_taken(packed, MANIFEST_NAME).read(MANIFEST_LIMIT + 1))
            found = _written(_taken(packed, DATABASE_NAME), database)
            is_all = packed.next() is None
        _refuse_unless_same(manifest, found, is_all=is_all)
    except (tarfile.TarError, ValueError, EOFError) as error:
        database.unlink(missing_ok=True)
        raise CopyIsDamaged(f"this is no copy of a database, or not a whole one: {error}") from None
    return manifest


def refuse_a_server(db: Database) -> None:
    """Raise CopiedElsewhere for a database that its own server copies, with what to run."""
    if db.engine.dialect.name != "sqlite":
        raise CopiedElsewhere(
            "copy it with `pg_dump --format=custom`, put it back with `pg_restore` into an empty database while the "
            "service is stopped, and then run `vms-privacy restore in-place` before anything is started"
        )


def _written(taken: BinaryIO, database: Path) -> tuple[int, str]:
    """Write what was taken; return its size and sum."""
    summed, size = hashlib.sha256(), 0
    with database.open("xb") as out:
        database.chmod(PRIVATE_FILE)
        while part := taken.read(_STEP):
            summed.update(part)
            size += len(part)
            out.write(part)
        out.flush()
        _sync(out)
    return size, summed.hexdigest()


def _refuse_unless_same(manifest: Manifest, found: tuple[int, str], *, is_all: bool) -> None:
    if not is_all:
        raise ValueError("there is more in it than belongs there")
    if found != (manifest.size_bytes, manifest.sha256):
        raise ValueError("its database is not the one that was copied")


def _copy_into(db: Database, scratch: Path) -> None:
    # One moment of the database, without pages that are free: what was deleted is not in the copy.
    with closing(db.engine.raw_connection()) as connection:
        connection.cursor().execute("VACUUM INTO ?", (str(scratch),))
    scratch.chmod(PRIVATE_FILE)


def _sum_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pack(manifest: Manifest, database: Path, file: BinaryIO) -> None:
    text = manifest.text()
    with tarfile.open(fileobj=file, mode="w:", format=tarfile.USTAR_FORMAT) as packed, database.open("rb") as data:
        packed.addfile(_packed_as(MANIFEST_NAME, len(text), manifest), io.BytesIO(text))
        packed.addfile(_packed_as(DATABASE_NAME, manifest.size_bytes, manifest), data)
    file.flush()
    _sync(file)


def _packed_as(name: str, size: int, manifest: Manifest) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, PRIVATE_FILE, int(manifest.made_at.timestamp())
    return entry


def _taken(packed: tarfile.TarFile, name: str) -> BinaryIO:
    entry = packed.next()
    if entry is None or entry.name != name or not entry.isreg():
        raise ValueError(f"{name} is not where it should be")
    taken = packed.extractfile(entry)
    if taken is None:
        raise ValueError(f"{name} is no file")
    return taken  # type: ignore[return-value]


def _sync(file: BinaryIO) -> None:
    os.fsync(file.fileno())

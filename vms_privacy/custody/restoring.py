"""Putting a copy of the database in place of one that is lost or damaged: steps 1 to 6 of a restore.

Promise: at every moment there is either the database that was there before, or none, or one that says that it is in
custody. None of the steps asks the keyring or touches footage. A crash anywhere: begin again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

from sqlalchemy import Engine, text

from vms_privacy.audit.anchor import Anchor
from vms_privacy.audit.checkpoints import parse
from vms_privacy.audit.tables import CheckpointRow
from vms_privacy.clock import Clock
from vms_privacy.custody import store
from vms_privacy.custody.copying import unpack
from vms_privacy.custody.errors import CopyIsForeign, JournalDoesNotReachCopy
from vms_privacy.custody.rules import Manifest, Step
from vms_privacy.custody.service import Progress, nobody
from vms_privacy.db import Database
from vms_privacy.durable_files import sync_folder, write_durably
from vms_privacy.ids import Randomness
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalKind

_BESIDE: Final = ("", "-wal", "-shm")
"""What belongs to a database of SQLite, by what its file's name ends with."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the database is to be, and where the anchor of the audit is."""

    database: Path
    anchor: Path


@dataclass(frozen=True, slots=True)
class PutInPlace:
    """A database that is in custody from now on. `aside`: where the one is that was there, if there was one."""

    restore_id: UUID
    manifest: Manifest | None
    aside: Path | None


class Restoring:
    """Puts copies in place. The journal is this process's to write, so no service runs meanwhile."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        randomness: Randomness,
        installation_id: str,
        make_current: Callable[[Engine, str], None],
        progress: Progress = nobody,
    ) -> None:
        """`make_current` brings a database of an earlier schema up to date, and raises CopyIsNewer for a later one."""
        self._journal = journal
        self._clock = clock
        self._randomness = randomness
        self._installation_id = installation_id
        self._make_current = make_current
        self._progress = progress

    def put_in_place(self, file: BinaryIO, places: Places) -> PutInPlace:
        """Put a copy in place. Raises CopyIsDamaged, CopyIsForeign, CopyIsNewer, JournalDoesNotReachCopy, OSError."""
        copy = places.database.with_name(places.database.name + ".copy")
        _remove(copy)
        manifest = unpack(file, copy)
        try:
            self._refuse_strange(manifest)
            self._progress(Step.UNPACKED)
            restore_id = self._prepare(copy, manifest)
        except BaseException:
            _remove(copy)
            raise
        self._progress(Step.PREPARED)
        self._note(restore_id, manifest)
        self._progress(Step.JOURNALLED)
        self._cut_anchor(copy, places.anchor, restore_id)
        self._progress(Step.ANCHOR_CUT)
        aside = _set_aside(places.database, restore_id)
        self._progress(Step.SET_ASIDE)
        copy.replace(places.database)
        sync_folder(places.database.parent)
        self._progress(Step.IN_PLACE)
        return PutInPlace(restore_id, manifest, aside)

    def take_in(self, db: Database, anchor: Path) -> PutInPlace:
        """Put a database into custody that other tools have put in place already."""
        restore_id = self._randomness.uuid()
        with db.writing() as session:
            store.add(session, restore_id, self._clock.now())
        self._note(restore_id, None)
        self._cut(db, anchor, restore_id)
        return PutInPlace(restore_id, None, None)

    def _refuse_strange(self, manifest: Manifest) -> None:
        if manifest.installation_id != self._installation_id:
            raise CopyIsForeign("this copy is of another installation; its keys are not here")
        told = next((one for one in self._journal.entries() if one.number == manifest.journal_number), None)
        if manifest.journal_number and (told is None or told.hash != manifest.journal_hash):
            raise JournalDoesNotReachCopy(
                "the custody journal does not hold what it held when this copy was made, so nobody knows what was "
                "destroyed, withdrawn or held since: put the whole journal back first"
            )

    def _prepare(self, copy: Path, manifest: Manifest) -> UUID:
        """Bring the copy up to date and put it into custody, while nobody can take it for the database."""
        db = Database(f"sqlite:///{copy}")
        restore_id = self._randomness.uuid()
        try:
            self._make_current(db.engine, manifest.schema)
            with db.writing() as session:
                store.add(
                    session,
                    restore_id,
                    self._clock.now(),
                    manifest.backup_id,
                    manifest.made_at,
                    manifest.journal_number,
                )
            with db.engine.connect() as connection:
                # All of it in the one file that is moved.
                connection.execution_options(isolation_level="AUTOCOMMIT")
                connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        finally:
            db.close()
        sync_folder(copy.parent)
        return restore_id

    def _note(self, restore_id: UUID, manifest: Manifest | None) -> None:
        facts: dict[str, str | int | None] = {"restore": str(restore_id), "act": "begun", "backup": None}
        if manifest is not None:
            facts |= {"backup": str(manifest.backup_id), "copied_number": manifest.journal_number}
        self._journal.append(JournalKind.DATABASE_RESTORED, facts)

    def _cut_anchor(self, copy: Path, anchor: Path, restore_id: UUID) -> None:
        db = Database(f"sqlite:///{copy}")
        try:
            self._cut(db, anchor, restore_id)
        finally:
            db.close()

    def _cut(self, db: Database, anchor: Path, restore_id: UUID) -> None:
        """Let the audit go on from the last checkpoint that the database knows; keep the whole anchor beside it."""
        with db.reading() as session:
            known = {row.number: row.line for row in session.query(CheckpointRow)}
        lines = list(Anchor(anchor).lines())
        kept = [
            line for line in lines if (read := parse(line)) is not None and known.get(read.checkpoint.number) == line
        ]
        if len(kept) == len(lines):
            return
        whole = anchor.with_name(f"{anchor.name}-until-{restore_id}")
        whole.hardlink_to(anchor)
        sync_folder(anchor.parent)
        write_durably(anchor, "".join(f"{line}\n" for line in kept).encode("latin-1"))


def _set_aside(database: Path, restore_id: UUID) -> Path | None:
    """Move the present database away, the file first: without it nothing starts, whatever is left beside it."""
    aside = None
    for ending in _BESIDE:
        part = database.with_name(database.name + ending)
        if part.exists():
            moved = database.with_name(f"{database.name}-before-{restore_id}{ending}")
            part.rename(moved)
            aside = aside or moved
    sync_folder(database.parent)
    return aside


def _remove(copy: Path) -> None:
    for ending in _BESIDE:
        copy.with_name(copy.name + ending).unlink(missing_ok=True)

"""Custody of a database that was put back: the journal is replayed over it, and an act releases it.

The order of the replay is that of what must not be undone. Files that were growing are closed; what is destroyed is
marked before any order is placed again, since an order would keep its row, and after those of operators that have left
are lifted again; rules come before rights, and mandates before anything is destroyed. Each step may be repeated: a
crash anywhere is resumed by replaying the whole journal.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from archive.blobs.store import BlobStore
from archive.erasure.service import Eraser
from archive.mandates.replay import replay_mandates
from archive.orders.replay import journal_what_stands_again, lift_again, replay_orders
from archive.recorder.recovery import Recovery
from archive.retention.replay import Shortenings
from archive.segments import ahead
from archive.segments import store as segments
from auth.grants.replay import Revocations, TakenAway
from auth.tokens.replay import replay_withdrawn_tokens
from auth.tokens.store import TokenStore
from streams.cameras.replay import replay_removals
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.consent.ledger import ConsentLedger
from vms_privacy.custody import store
from vms_privacy.custody.errors import NotInCustody
from vms_privacy.custody.rules import Open, Step, Unsettled
from vms_privacy.custody.store import Restore
from vms_privacy.db import Database
from vms_privacy.durable_files import write_parts_durably
from vms_privacy.ids import Randomness
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalEntry, JournalKind
from vms_privacy.off_boarding.replay import closed_operators, replay_off_boardings
from vms_privacy.recording_times.replay import replay_recording_times
from vms_privacy.subject_requests.replay import replay_closings

ACTOR: Final = "worker:custody"
_ALL_SPOOLED: Final = 1_000_000
_NAMES_AT_ONCE: Final = 500
_STEP: Final = 4 * 1024 * 1024

Progress = Callable[[Step], None]


def nobody(_: Step) -> None:
    """Tell nobody of the progress."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """The rooms over which the journal is replayed."""

    eraser: Eraser
    recovery: Recovery
    blobs: BlobStore
    spool: Path
    shortenings: Shortenings
    revocations: Revocations
    ledger: ConsentLedger


class Custody:
    """Keeps a database that was put back, and lets it go. The journal is this process's to write."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        audit: AuditLog,
        clock: Clock,
        randomness: Randomness,
        rooms: Rooms,
        progress: Progress = nobody,
    ) -> None:
        self._db = db
        self._journal = journal
        self._audit = audit
        self._clock = clock
        self._randomness = randomness
        self._rooms = rooms
        self._progress = progress

    def state(self) -> Restore | None:
        """Return the restore for which the database is in custody; None if it is not."""
        with self._db.reading() as session:
            return store.unreleased(session)

    def unsettled(self) -> list[Open]:
        """Return what the present restore could not settle. Raises NotInCustody."""
        with self._db.reading() as session:
            return store.unsettled(session, _present(session).id)

    def replay(self) -> list[Open]:
        """Replay the whole journal; return what could not be settled. May be repeated.

        Raises NotInCustody, JournalIsDamaged, JournalUnavailable, KeyringUnavailable, FileNotFoundError where the spool
        is not there.
        """
        with self._db.reading() as session:
            restore = _present(session)
        entries = list(self._journal.entries())
        self._bring_back()
        self._rooms.recovery.recover()
        self._note_places()
        self._progress(Step.RECOVERED)
        # First: what is marked keeps its retention as it is, and a receipt is to tell the one that it had in the end.
        with self._db.writing() as session:
            self._rooms.shortenings.replay(session, entries)
            # Before as well: what is lifted again keeps nothing of it, and stands again by no journal.
            left = closed_operators(entries)
            lift_again(session, entries, left, self._audit, self._clock, self._randomness)
        self._mark_again(restore, entries)
        self._progress(Step.MARKED)
        replay_orders(self._db, self._journal, self._audit, self._clock, self._randomness)
        journal_what_stands_again(self._db, self._journal)
        self._progress(Step.ORDERED)
        self._replay_rules(restore, entries)
        self._progress(Step.RULED)
        # What is marked here has no key any more, or has expired: nobody is kept waiting for the release with it.
        report = self._rooms.eraser.go_on()
        self._progress(Step.DESTROYED)
        strange = self._places_with_unknown_files()
        with self._db.writing() as session:
            failed = [Open(Unsettled.NOT_DESTROYED_YET, str(one)) for one in report.failed]
            failed += [Open(Unsettled.FILES_WITHOUT_ROW, where) for where in strange]
            store.note_unsettled(session, restore.id, failed, self._randomness)
            store.note_replayed(session, restore.id, self._journal.head.number, self._clock.now())
            found = store.unsettled(session, restore.id)
            self._note(session, Tag.JOURNAL_REPLAYED, restore, entries=len(entries), unsettled=len(found))
        self._progress(Step.REPLAYED)
        return found

    def release(self, reason: str) -> None:
        """Let the database go, having replayed the journal once more. In the journal and in the audit.

        Raises NotInCustody, and what `replay` raises.
        """
        self.replay()
        with self._db.writing() as session:
            restore = _present(session)
            store.release(session, self._clock.now(), reason)
            self._note(session, Tag.CUSTODY_RELEASED, restore, reason)
            self._journal.append(JournalKind.DATABASE_RESTORED, {"restore": str(restore.id), "act": "released"})

    def _bring_back(self) -> None:
        """Take what grew when the copy was made, and was delivered since, to the spool: there it is closed again."""
        with self._db.reading() as session:
            names = [one.segment.blob_name for one in segments.growing(session)]
            names += [one.blob_name for one in ahead.every(session)]
        for name in names:
            size, path = self._rooms.blobs.size(name), self._rooms.spool / name
            if size and not (path.exists() and path.stat().st_size == size):
                parts = (self._rooms.blobs.read(name, at, _STEP) for at in range(0, size, _STEP))
                write_parts_durably(path, parts)

    def _note_places(self) -> None:
        """Note of files that were in the spool when the copy was made, and were delivered since, where they are."""
        with self._db.reading() as session:
            spooled = segments.in_spool(session, _ALL_SPOOLED)
        for one in spooled:
            if one.size_bytes and self._rooms.blobs.size(one.blob_name) == one.size_bytes:
                with self._db.writing() as session:
                    segments.moved_to_store(session, one.id)

    def _places_with_unknown_files(self) -> list[str]:
        """Return where files are that no row knows: what was recorded since the copy, which nobody can open."""
        rooms = self._rooms
        places = (("spool", (path.name for path in rooms.spool.iterdir())), ("store", rooms.blobs.names()))
        return [where for where, names in places if self._is_any_unknown(names)]

    def _is_any_unknown(self, names: Iterator[str]) -> bool:
        while batch := list(itertools.islice(names, _NAMES_AT_ONCE)):
            with self._db.reading() as session:
                if segments.unknown_blobs(session, batch):
                    return True
        return False

    def _mark_again(self, restore: Restore, entries: Iterable[JournalEntry]) -> None:
        marked = self._rooms.eraser.mark_again(entries)
        found = [Open(Unsettled.KEY_LOST_WITH_DATABASE, str(one)) for one in marked.lost]
        found += [Open(Unsettled.DESTROYED_BUT_KEPT, str(one)) for one in marked.kept]
        found += [Open(Unsettled.KEY_IS_MISSING, str(one)) for one in marked.missing]
        with self._db.writing() as session:
            store.note_unsettled(session, restore.id, found, self._randomness)

    def _replay_rules(self, restore: Restore, entries: list[JournalEntry]) -> None:
        """Withdraw, narrow, take away and mandate again, in one transaction."""
        rooms, now = self._rooms, self._clock.now()
        with self._db.writing() as session:
            for entry in entries:
                if entry.kind is JournalKind.WITHDRAWAL:
                    rooms.ledger.replay(session, entry)
            replay_recording_times(session, entries, self._audit, self._clock, self._randomness)
            taken = rooms.revocations.replay(session, entries)
            tokens = TokenStore(self._db.engine.dialect)
            replay_withdrawn_tokens(session, entries, tokens, now, self._randomness)
            replay_removals(session, entries, self._audit, self._clock)
            replay_mandates(session, entries, self._audit, self._clock)
            replay_off_boardings(session, entries, self._audit, self._clock, self._randomness)
            replay_closings(session, entries, closed_operators(entries), self._audit, self._clock)
            store.note_unsettled(session, restore.id, _unsettled_rights(taken), self._randomness)

    def _note(self, session: Session, tag: Tag, restore: Restore, reason: str = "", **counts: int) -> None:
        detail: dict[str, str | int | bool | None] = {"restore": str(restore.id), **counts}
        self._audit.note(session, Event(tag, self._clock.now(), ACTOR, reason=reason, detail=detail))


def _present(session: Session) -> Restore:
    restore = store.unreleased(session)
    if restore is None:
        raise NotInCustody("this database was not put back from a copy, or was released since")
    return restore


def _unsettled_rights(taken: TakenAway) -> list[Open]:
    found = [Open(Unsettled.GRANT_WAS_CHANGED, str(one)) for one in taken.changed]
    return found + [Open(Unsettled.OWNER_WAS_CHANGED, str(one)) for one in taken.owners]

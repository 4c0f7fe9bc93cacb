"""Bucket keys that a crash, or an older copy of the keyring, left behind: found and destroyed at the start."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from archive.blobs.quarantine import held_in, spool_quarantine
from archive.blobs.store import BlobStore
from archive.erasure import store
from archive.keys import store as buckets
from archive.keys.rules import hour_of
from archive.keys.service import BucketKeys, Replacement
from archive.segments import store as segments
from auth.tokens.rules import microseconds
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.errors import Refusal
from vms_privacy.ids import BucketKeyId
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalKind, joined

_NAMES_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class UnusedKeys:
    """Bucket keys that nothing needs: those destroyed, and those left because that could not be proven."""

    destroyed: frozenset[BucketKeyId]
    left: frozenset[BucketKeyId]


def destroy_unused_keys(
    db: Database,
    keys: BucketKeys,
    blobs: BlobStore,
    spool: Path,
    journal: Journal,
    audit: AuditLog,
    clock: Clock,
) -> UnusedKeys:
    """Destroy bucket keys that nothing needs; for the start, before anything records or erases.

    A key whose row says that it is destroyed goes at once: it came back with an older keyring. One that no row knows,
    and one whose hour is over and under which no segment is, go only if every file of spool and store is known, so
    that nothing sealed can be under them; else they stay, since the rows may have been lost rather than the keys be
    unused. The next start goes on where a crash came in between. Raises KeyringUnavailable, JournalUnavailable.
    """
    with db.reading() as session:
        strangers = keys.strangers(session)
        returned = frozenset(key for key in strangers if buckets.by_id(session, key) is not None)
        idle = store.idle_buckets(session, hour_of(microseconds(clock.for_destroying())))
    unused = (strangers - returned) | idle
    if unused and _has_unknown_files(db, blobs, spool):
        gone, left = returned, unused
    else:
        gone, left = returned | unused, frozenset[BucketKeyId]()
    noted = sorted(idle & gone)
    if noted:
        with db.writing() as session:
            keys.replace(session, [Replacement(key) for key in noted])
    for facts in joined("bucket_keys", sorted(gone)):
        journal.append(JournalKind.KEY_DESTROYED, {"segments": 0} | facts)
    keys.destroy(gone, ())
    if gone:
        detail: dict[str, str | int | bool | None] = {"unused": len(gone - returned), "returned": len(returned)}
        with db.writing() as session:
            keys.note_destroyed(session, noted)
            audit.note(session, Event(Tag.KEY_DESTROYED, clock.now(), "worker:sweep", detail=detail))
    return UnusedKeys(gone, left)


def _has_unknown_files(db: Database, blobs: BlobStore, spool: Path) -> bool:
    try:
        # What a check has moved away is as unknown as it was before.
        if any(True for _ in itertools.chain(held_in(spool_quarantine(spool)), blobs.quarantined())):
            return True
        spooled = (path.name for path in spool.iterdir() if path.stat().st_size)
        names = itertools.chain(spooled, blobs.names())
        while batch := list(itertools.islice(names, _NAMES_AT_ONCE)):
            with db.reading() as session:
                if segments.unknown_blobs(session, batch):
                    return True
    except (Refusal, OSError):
        return True  # What cannot be listed may hold anything.
    return False

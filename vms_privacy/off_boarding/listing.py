"""Making manifests: in rounds, a few files at a time, and from where it was stopped.

Promise: when one is signed it lists every segment that is not destroyed, and the database has said so in the very
transaction. What is read is ciphertext: no key is asked for.
"""

import hashlib
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from archive.blobs.spool import reader_of
from archive.blobs.store import BlobStore
from archive.receipts.lines import iso
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.errors import Refusal
from vms_privacy.ids import ManifestId
from vms_privacy.keyring.port import Keyring, Purpose
from vms_privacy.off_boarding import footage, store
from vms_privacy.off_boarding import manifest_store as manifests
from vms_privacy.off_boarding.footage import Stored
from vms_privacy.off_boarding.manifest import Entry, Head, digest_of, lines_hash, signed_part, write_head
from vms_privacy.off_boarding.manifest_store import Manifest

AT_A_TIME_S: Final = 5.0
BATCH: Final = 50
ACTOR: Final = "worker:off-boarding"
_STEP: Final = 4 * 1024 * 1024
_LINES_AT_ONCE: Final = 5000


class ManifestMaker:
    """One round after the other, in one thread. Repeatable; what fails is counted, told and tried again (P12)."""

    def __init__(
        self,
        db: Database,
        spool: Path,
        blobs: BlobStore,
        keyring: Keyring,
        audit: AuditLog,
        clock: Clock,
        installation_id: str,
        at_once: int = BATCH,
    ) -> None:
        self._db = db
        self._spool = spool
        self._blobs = blobs
        self._keyring = keyring
        self._audit = audit
        self._clock = clock
        self._installation_id = installation_id
        self._at_once = at_once

    def round(self) -> str:
        """Work on every manifest that was asked for, some seconds on each; return what failed, by code.

        Lines of those that nobody needs any more are forgotten.
        """
        with self._db.reading() as session:
            wanted, needless = manifests.to_make(session), manifests.to_forget(session)
        for manifest_id in needless:
            forget_lines(self._db, manifest_id)
        failed = set()
        for manifest in wanted:
            try:
                self._go_on(manifest)
            except Exception as error:  # noqa: BLE001 - counted and tried again; no other manifest waits for it
                code = error.code if isinstance(error, Refusal) else type(error).__name__
                failed.add(code)
                with self._db.writing() as session:
                    manifests.note_failure(session, manifest.id, code)
        return ",".join(sorted(failed))

    def _go_on(self, manifest: Manifest) -> None:
        began_s = self._clock.monotonic()
        while self._take_some(manifest):
            if self._clock.monotonic() - began_s >= AT_A_TIME_S:
                return
        self._finish(manifest)

    def _take_some(self, manifest: Manifest) -> bool:
        """List some more files; say whether there were any."""
        with self._db.reading() as session:
            found = self._next(session, manifest)
        entries = [entry for one in found if (entry := self._listed(one)) is not None]
        if entries:
            with self._db.writing() as session:
                manifests.add_entries(session, manifest.id, entries)
        return bool(found)

    def _next(self, session: Session, manifest: Manifest) -> list[Stored]:
        after = manifests.last_listed(session, manifest.id)
        found = footage.stored_after(session, manifest.operator_id, after, self._at_once)
        # What has come to lie before that place since: a file that was closed late, or a kept part.
        return found or footage.unlisted(session, manifest.operator_id, manifest.id, self._at_once)

    def _listed(self, one: Stored) -> Entry | None:
        """Return the line of a segment; None if it was destroyed meanwhile."""
        sha256, flaw = self._hashed(one)
        if flaw:
            with self._db.reading() as session:
                if not footage.is_stored(session, one.id):
                    return None
        return Entry(one.camera_id, one.id, one.starts_us, one.ends_us, one.size_bytes, sha256, flaw, one.is_kept)

    def _hashed(self, one: Stored) -> tuple[bytes | None, str]:
        read_at = reader_of(self._spool, self._blobs, one.blob_name, is_spooled=one.is_spooled)
        summed, at = hashlib.sha256(), 0
        try:
            # One byte more than it should have: a file that is longer is another one, too.
            while at <= one.size_bytes and (part := read_at(at, min(_STEP, one.size_bytes + 1 - at))):
                summed.update(part)
                at += len(part)
        except FileNotFoundError:
            return None, "not-there"
        return (summed.digest(), "") if at == one.size_bytes else (None, "other-size")

    def _finish(self, manifest: Manifest) -> None:
        """Sign what is whole; as long as a file is being closed still, there will be something to list."""
        with self._db.reading() as session:
            if footage.growing(session, manifest.operator_id):
                return
            off_boarding = store.by_id(session, manifest.off_boarding_id)
            newest = manifests.newest(session, manifest.off_boarding_id)
            hashed = lines_hash(manifests.entries(session, manifest.id))
            totals = manifests.totals(session, manifest.id)
            destroyed = 0
            if off_boarding is not None:
                destroyed = footage.destroyed_since(session, manifest.operator_id, off_boarding.begun_at)
        if off_boarding is None or newest is None or newest.id != manifest.id:
            return
        now = self._clock.now()
        head = Head(
            manifest_id=str(manifest.id),
            off_boarding_id=str(manifest.off_boarding_id),
            installation_id=self._installation_id,
            operator_id=str(manifest.operator_id),
            asked_by=manifest.asked_by,
            begun_at=iso(off_boarding.begun_at),
            listed_from=iso(manifest.asked_at),
            signed_at=iso(now),
            segments=totals.segments,
            size_bytes=totals.size_bytes,
            cameras=totals.cameras,
            unreadable=totals.unreadable,
            kept_by_orders=totals.kept_by_orders,
            destroyed_since_begun=destroyed,
            lines_sha256=hashed,
        ).octets()
        kid, signature = self._keyring.sign(Purpose.RECEIPT_SIGNING, signed_part(head))
        with self._db.writing() as session:
            operator_id = manifest.operator_id
            is_whole = not footage.count_unlisted(session, operator_id, manifest.id)
            if not is_whole or footage.growing(session, operator_id) or newest.listed != totals.segments:
                return
            digest = digest_of(head)
            manifests.sign(session, manifest.id, write_head(head, kid, signature), digest, now)
            detail: dict[str, str | int | bool | None] = {
                "manifest": str(manifest.id),
                "digest": digest,
                "segments": totals.segments,
                "unreadable": totals.unreadable,
            }
            self._audit.note(session, Event(Tag.MANIFEST_SIGNED, now, ACTOR, operator_id=operator_id, detail=detail))


def forget_lines(db: Database, manifest_id: ManifestId) -> None:
    """Forget the lines of a manifest, some thousand in a transaction; its head stays."""
    while True:
        with db.writing() as session:
            if not manifests.forget_entries(session, manifest_id, _LINES_AT_ONCE):
                return

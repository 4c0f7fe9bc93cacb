"""Copies of the keyring: made for a recipient, with an end, on record; and put back without what was destroyed since.

Promise: no copy can be put back here past its end, which is within the life of a root; nor one that the custody
journal does not tell of; nor any key that the journal says was destroyed, however old the copy is (P5).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, ClassVar, Final
from uuid import UUID

from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.errors import Kind, Refusal
from vms_privacy.ids import Randomness
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalEntry, JournalKind, bucket_keys_in
from vms_privacy.keyring.backup_rules import (
    BACKUP_LIMIT,
    HEAD_LIMIT,
    INFO,
    BackupHead,
    KeyringContents,
    end_of_backup,
    is_over,
    read_contents,
    read_head,
    root_after,
)
from vms_privacy.keyring.envelope import Recipient, RecipientPrivate
from vms_privacy.keyring.folder_keyring import FolderKeyring, PutBack
from vms_privacy.keyring.port import Purpose
from vms_privacy.keyring.rules import BadKeyFile

ACTOR: Final = "worker:keys"
ON_DEMAND: Final = "on-demand"


class BackupLivesTooLong(Refusal):
    """A copy of the keyring may be put back for no longer than a root lives: receipts say by when copies are void."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "backup-lives-too-long"


class BackupIsDamaged(Refusal):
    """The file is no copy of a keyring, or not a whole one."""

    kind: ClassVar[Kind] = Kind.DAMAGED
    code: ClassVar[str] = "backup-is-damaged"


class BackupIsOver(Refusal):
    """The copy's time is over; it is not put back any more."""

    kind: ClassVar[Kind] = Kind.GONE
    code: ClassVar[str] = "backup-is-over"


class BackupIsUnknown(Refusal):
    """The custody journal does not tell of this copy, so nobody can say what was destroyed since."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "backup-is-unknown"


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back: the keyring, how many bucket keys, and which were left out since they were destroyed."""

    keyring: FolderKeyring
    head: BackupHead
    root: int
    bucket_keys: frozenset[UUID]
    left_out: int


class KeyCopies:
    """Makes and puts back copies of one installation's keyring. The journal is this process's to write."""

    def __init__(self, journal: Journal, db: Database, audit: AuditLog, clock: Clock, randomness: Randomness) -> None:
        self._journal = journal
        self._db = db
        self._audit = audit
        self._clock = clock
        self._randomness = randomness

    def back_up(
        self,
        keyring: FolderKeyring,
        recipient: Recipient,
        wanted: timedelta,
        root_life: timedelta,
        file: BinaryIO,
    ) -> BackupHead:
        """Write a copy that may be put back for so long. In the journal before the first byte of it is written.

        Raises BackupLivesTooLong, KeyringUnavailable, JournalUnavailable, NotARecipient; OSError of the file.
        """
        now = self._clock.now()
        until = end_of_backup(now, wanted, root_life)
        if until is None:
            raise BackupLivesTooLong(f"a copy may be put back for at most {root_life.days} d, and for some time at all")
        contents = keyring.contents()
        head = BackupHead(
            self._randomness.uuid(),
            contents.keyring_id,
            contents.root,
            len(contents.buckets),
            int(now.timestamp()),
            int(until.timestamp()),
            recipient.thumbprint,
        )
        sealed = recipient.seal(contents.packed(), INFO + head.line())
        facts = {"backup": str(head.backup_id), "until": _moment(head.until), "recipient": head.recipient}
        self._journal.append(JournalKind.KEYS_BACKED_UP, {**facts, "root": head.root})
        self._note(Tag.KEYS_BACKED_UP, {**facts, "bucket_keys": head.bucket_keys})
        file.write(head.line() + sealed)
        return head

    def put_back(self, file: BinaryIO, private: RecipientPrivate, make: Callable[[PutBack], FolderKeyring]) -> Restored:
        """Put a copy back where no keyring is: `make` makes it, under a new root.

        Raises BackupIsDamaged, BackupIsUnknown, BackupIsOver, EnvelopeDoesNotOpen, and what `make` raises.
        """
        head, sealed = _parts_of(file)
        entries = list(self._journal.entries())
        self._refuse_unless_known(head, entries)
        if is_over(head, max(self._clock.now(), *(entry.at for entry in entries))):
            raise BackupIsOver(f"the copy could be put back until {_moment(head.until)}")
        contents = _contents_of(head, private.open(sealed, INFO + head.line()))
        left = contents.without(*_destroyed(entries))
        root = root_after(head, _retired(entries))
        left_out = len(contents.buckets) - len(left.buckets)
        facts: dict[str, str | int | None] = {
            "backup": str(head.backup_id),
            "root": root,
            "bucket_keys": len(left.buckets),
            "left_out": left_out,
        }
        self._journal.append(JournalKind.KEYS_RESTORED, facts)
        keyring = make(PutBack(left, root))
        self._note(Tag.KEYS_RESTORED, facts)
        return Restored(keyring, head, root, frozenset(left.buckets), left_out)

    def decline(self) -> None:
        """Note in the audit that whoever made the installation wants no copy; their words are kept beside it."""
        self._note(Tag.KEY_BACKUP_DECLINED, {})

    def _refuse_unless_known(self, head: BackupHead, entries: list[JournalEntry]) -> None:
        told = {"backup": str(head.backup_id), "until": _moment(head.until), "recipient": head.recipient}
        for entry in entries:
            if entry.kind is JournalKind.KEYS_BACKED_UP and told.items() <= dict(entry.facts).items():
                return
        raise BackupIsUnknown("the custody journal tells of no such copy: it is of another installation, or changed")

    def _note(self, tag: Tag, detail: dict[str, str | int | None]) -> None:
        with self._db.writing() as session:
            told: dict[str, str | int | bool | None] = {**detail}
            self._audit.note(session, Event(tag, self._clock.now(), ACTOR, reason=ON_DEMAND, detail=told))


def _destroyed(entries: list[JournalEntry]) -> tuple[frozenset[UUID], frozenset[tuple[Purpose, int]]]:
    """Return the bucket keys, and the keys of purposes, that were destroyed at any time."""
    told = [entry.facts for entry in entries if entry.kind is JournalKind.KEY_DESTROYED]
    buckets = frozenset(key for facts in told for key in bucket_keys_in(facts))
    named = frozenset((Purpose(str(f["purpose"])), int(str(f["version"]))) for f in told if "purpose" in f)
    return buckets, named


def _retired(entries: list[JournalEntry]) -> frozenset[int]:
    """Return the roots that were to leave use, also by being left behind when a keyring was put back."""
    rotated = (int(str(e.facts["retires"])) for e in entries if e.kind is JournalKind.ROOT_ROTATED)
    restored = (int(str(e.facts["root"])) for e in entries if e.kind is JournalKind.KEYS_RESTORED)
    return frozenset([*rotated, *restored])


def _parts_of(file: BinaryIO) -> tuple[BackupHead, bytes]:
    line = file.readline(HEAD_LIMIT)
    try:
        head = read_head(line)
    except BadKeyFile as error:
        raise BackupIsDamaged(f"the file is no copy of a keyring: {error}") from None
    sealed = file.read(BACKUP_LIMIT + 1)
    if len(sealed) > BACKUP_LIMIT:
        raise BackupIsDamaged("no copy of a keyring is so large")
    return head, sealed


def _contents_of(head: BackupHead, data: bytes) -> KeyringContents:
    try:
        return read_contents(head, data)
    except BadKeyFile as error:
        raise BackupIsDamaged(f"the copy opens, but {error}") from None


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")

"""Signing receipts, hourly and on demand, and verifying them."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy.orm import Session

from archive.mandates.rules import id_or_none
from archive.mandates.store import by_ids
from archive.receipts import key_history, merkle, store
from archive.receipts.key_history import KeyHistory, history_of
from archive.receipts.lines import Invalid, b64, iso
from archive.receipts.rules import Head, Leaf, ToldMandate, Valid, check, signed_part, write
from archive.receipts.store import Destroyed, Line
from archive.receipts.tables import ReceiptRow
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.errors import Kind, Refusal
from vms_privacy.ids import MandateId, OperatorId, Randomness, ReceiptId
from vms_privacy.keyring.port import Keyring, KeyringUnavailable, Purpose
from vms_privacy.keyring.rules import ROOT_LIFE

MOST_LEAVES: Final = 20_000
MOST_LINES: Final = 100
"""So many receipts on demand at once, and no more: one over what expired, and one of each request, or the like."""
_TRIES: Final = 3
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class NothingToTell(Refusal):
    """Nothing was destroyed since the last receipt."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "nothing-to-tell"


class DestructionIsUnproven(Refusal):
    """A row says that a segment was destroyed, and not by which erasure or when its key was: no receipt tells of it."""

    kind: ClassVar[Kind] = Kind.DAMAGED
    code: ClassVar[str] = "destruction-is-unproven"


class ReceiptService:
    """Signs what was destroyed. A segment is told of in exactly one receipt (decisions 0011, 0046).

    What a request, a withdrawal or an off-boarding had destroyed has receipts of its own, with its mandates in them.
    `root_life` is the keyring's own: whatever root was in use when a key was destroyed is gone that long after.
    """

    def __init__(
        self,
        keyring: Keyring,
        audit: AuditLog,
        clock: Clock,
        randomness: Randomness,
        installation_id: str,
        most_leaves: int = MOST_LEAVES,
        root_life: timedelta = ROOT_LIFE,
    ) -> None:
        self._keyring = keyring
        self._audit = audit
        self._clock = clock
        self._randomness = randomness
        self.installation_id = installation_id
        self._most_leaves = most_leaves
        self._root_life = root_life

    def waiting(self, session: Session) -> list[Line]:
        """Return of what a receipt is due: destroyed in an hour that is over, or by mandates with nothing under way."""
        return store.waiting(session, self._hour())

    def sign_due(self, session: Session, line: Line) -> ReceiptId:
        """Sign a receipt that is due, up to `most_leaves`; a further one goes on.

        Raises NothingToTell, DestructionIsUnproven.
        """
        until = self._hour() if line.cause is None or store.is_under_way(session, line) else self._just_now()
        signed = self._sign(session, line, until, line.cause or "hourly", "worker:receipts")
        if signed is None:
            raise NothingToTell("nothing was destroyed since the last receipt")
        return signed

    def sign_now(self, session: Session, operator_id: OperatorId, actor: str) -> list[ReceiptId]:
        """Sign receipts over everything destroyed so far, up to `most_leaves` each; a further call tells of the rest.

        Raises NothingToTell, DestructionIsUnproven.
        """
        lines = store.untold_lines(session, operator_id, MOST_LINES)
        made = [self._sign(session, one, self._just_now(), one.cause or "on-demand", actor) for one in lines]
        signed = [one for one in made if one is not None]
        if not signed:
            raise NothingToTell("nothing was destroyed since the last receipt")
        return signed

    def is_all_told(self, session: Session, operator_id: OperatorId) -> bool:
        """Say whether a receipt tells of everything destroyed of an operator, whatever the clock says."""
        return not store.untold_lines(session, operator_id, 1)

    @property
    def history(self) -> KeyHistory:
        """Every key that this installation has signed receipts with."""
        terms = self._keyring.signing_terms(Purpose.RECEIPT_SIGNING)
        return history_of(self.installation_id, self._clock.now(), terms)

    def signed_history(self) -> bytes:
        """Return the key history as a document, signed by the key in use. Raises KeyringUnavailable."""
        for _ in range(_TRIES):
            history = self.history
            kid, signature = self._keyring.sign(Purpose.RECEIPT_SIGNING, key_history.signed_part(history))
            if kid == history.fingerprint:
                return key_history.write(history, kid, signature)
            # Rotated in between: once more tells of the new one.
        raise KeyringUnavailable("the key in use is not the newest one of its history")

    def _hour(self) -> datetime:
        return self._clock.now().replace(minute=0, second=0, microsecond=0)

    def _just_now(self) -> datetime:
        # One microsecond on: what was destroyed in this very moment is told too.
        return self._clock.now() + timedelta(microseconds=1)

    def _sign(self, session: Session, line: Line, until: datetime, kind: str, actor: str) -> ReceiptId | None:
        rows = store.untold(session, line, until, self._most_leaves)
        if not rows:
            return None
        leaves = [_leaf(row).octets() for row in rows]
        now = self._clock.now()
        receipt_id, operator_id = ReceiptId(self._randomness.uuid()), line.operator_id
        mandates = {row.mandate_id for row in rows if row.mandate_id is not None}
        covers_from = rows[0].bytes_gone_at
        if len(rows) == self._most_leaves:
            # It is full: of what was destroyed in that very microsecond it may tell a part, and the next one the rest.
            until = rows[-1].bytes_gone_at
        head = Head(
            receipt_id=str(receipt_id),
            installation_id=self.installation_id,
            operator_id=str(operator_id),
            kind=kind,
            actor=actor,
            signed_at=iso(now),
            covers_from=iso(covers_from),
            covers_until=iso(until),
            leaf_count=len(leaves),
            merkle_root=b64(merkle.Tree([merkle.leaf_hash(leaf) for leaf in leaves]).root),
            beyond_backups_at=iso(now + self._root_life),
            reference=id_or_none(line.reference),
            mandates=_told(session, mandates),
        ).octets()
        kid, signature = self._keyring.sign(Purpose.RECEIPT_SIGNING, signed_part(head))
        session.add(
            ReceiptRow(
                id=receipt_id,
                operator_id=operator_id,
                kind=kind,
                covers_from=covers_from,
                covers_until=until,
                leaf_count=len(leaves),
                signed_at=now,
                document=write(head, kid, signature, leaves),
            )
        )
        store.told(session, [row.id for row in rows], mandates, receipt_id)
        detail: dict[str, str | int | bool | None] = {"receipt_id": str(receipt_id), "leaves": len(leaves)}
        self._audit.note(session, Event(Tag.RECEIPT_SIGNED, now, actor, operator_id=operator_id, detail=detail))
        return receipt_id


def verify(receipt: bytes, history: KeyHistory) -> Valid | Invalid:
    """Verify a receipt against an installation's key history. Needs nothing else: no network, no database."""
    return check(receipt, history, holds)


def read_history(document: bytes, pinned: str | None = None) -> KeyHistory | Invalid:
    """Read and verify a key history, with the fingerprint of a key that somebody wrote down, if they did."""
    return key_history.read(document, holds, pinned)


def holds(key: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether an Ed25519 public key, 32 bytes, has signed a message (RFC 8032)."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _leaf(row: Destroyed) -> Leaf:
    if row.cause is None or row.begun_at is None or row.key_destroyed_at is None:
        raise DestructionIsUnproven("a row that says destroyed names no erasure or no moment of it")
    return Leaf(
        camera_id=str(row.camera_id),
        segment_id=str(row.id),
        captured_from=_iso_us(row.starts_us),
        captured_until=_iso_us(row.ends_us),
        cause=row.cause,
        erasure_id=str(row.erasure_id),
        bucket_key_id=str(row.bucket_key_id),
        key_destroyed_at=iso(row.key_destroyed_at),
        due_at=iso(_due_at(row, row.begun_at)),
        bytes_gone_at=iso(row.bytes_gone_at),
        store_answer=row.store_answer or "",
        size_bytes=row.size_bytes or 0,
    )


def _told(session: Session, mandates: Collection[MandateId]) -> tuple[ToldMandate, ...]:
    return tuple(
        ToldMandate(
            mandate_id=str(one.id),
            camera_id=str(one.camera_id),
            asked_from=_iso_us(one.span.from_us),
            asked_until=_iso_us(one.span.until_us),
            proposed_by=one.proposed_by,
            approved_by=one.approved_by,
            placed_at=iso(one.placed_at),
        )
        for one in by_ids(session, mandates)
    )


def _due_at(row: Destroyed, begun_at: datetime) -> datetime:
    """Return since when it was to be destroyed: the end of its retention or of what kept it, or an earlier decision."""
    expired = begun_at if row.expired_us is None else _EPOCH + timedelta(microseconds=row.expired_us)
    free = expired if row.lifted_at is None else max(expired, row.lifted_at)
    return min(free, begun_at)


def _iso_us(us: int) -> str:
    return iso(_EPOCH + timedelta(microseconds=us))

"""Signing receipts, hourly and on demand, and verifying them."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy.orm import Session

from archive.receipts import merkle, store
from archive.receipts.rules import Head, Invalid, Leaf, Valid, check, signed_part, write
from archive.receipts.store import Destroyed
from archive.receipts.tables import ReceiptRow
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.errors import Kind, Refusal
from vms_privacy.ids import OperatorId, Randomness, ReceiptId
from vms_privacy.keyring.port import Keyring, PublicKey, Purpose
from vms_privacy.keyring.rules import ROOT_LIFE

MOST_LEAVES: Final = 20_000
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
    """Signs what was destroyed. A segment is told of in exactly one receipt.

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
        self._installation_id = installation_id
        self._most_leaves = most_leaves
        self._root_life = root_life

    def waiting(self, session: Session) -> list[OperatorId]:
        """Return the operators of whom something was destroyed before the running hour that no receipt tells of."""
        return store.operators_waiting(session, self._hour())

    def sign_hour(self, session: Session, operator_id: OperatorId) -> ReceiptId:
        """Sign a receipt over what was destroyed before the running hour, up to `most_leaves`; a further one goes on.

        Raises NothingToTell, DestructionIsUnproven.
        """
        return self._sign(session, operator_id, self._hour(), "hourly", "worker:receipts")

    def sign_now(self, session: Session, operator_id: OperatorId, actor: str) -> ReceiptId:
        """Sign a receipt over everything destroyed so far, up to `most_leaves`; a further call tells of the rest.

        Raises NothingToTell, DestructionIsUnproven.
        """
        # One microsecond on: what was destroyed in this very moment is told too.
        until = self._clock.now() + timedelta(microseconds=1)
        return self._sign(session, operator_id, until, "on-demand", actor)

    def _hour(self) -> datetime:
        return self._clock.now().replace(minute=0, second=0, microsecond=0)

    def _sign(self, session: Session, operator_id: OperatorId, until: datetime, kind: str, actor: str) -> ReceiptId:
        rows = store.untold(session, operator_id, until, self._most_leaves)
        if not rows:
            raise NothingToTell("nothing was destroyed since the last receipt")
        leaves = [_leaf(row).octets() for row in rows]
        now = self._clock.now()
        receipt_id = ReceiptId(self._randomness.uuid())
        covers_from = rows[0].bytes_gone_at
        if len(rows) == self._most_leaves:
            # It is full: of what was destroyed in that very microsecond it may tell a part, and the next one the rest.
            until = rows[-1].bytes_gone_at
        head = Head(
            receipt_id=str(receipt_id),
            installation_id=self._installation_id,
            operator_id=str(operator_id),
            kind=kind,
            actor=actor,
            signed_at=_iso(now),
            covers_from=_iso(covers_from),
            covers_until=_iso(until),
            leaf_count=len(leaves),
            merkle_root=_b64(merkle.Tree([merkle.leaf_hash(leaf) for leaf in leaves]).root),
            beyond_backups_at=_iso(now + self._root_life),
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
        store.told(session, [row.id for row in rows], receipt_id)
        detail: dict[str, str | int | bool | None] = {"receipt_id": str(receipt_id), "leaves": len(leaves)}
        self._audit.note(session, Event(Tag.RECEIPT_SIGNED, now, actor, operator_id=operator_id, detail=detail))
        return receipt_id


def verify(receipt: bytes, known: Sequence[PublicKey]) -> Valid | Invalid:
    """Verify a receipt against the public keys of an installation. Needs nothing else: no network, no database."""
    keys = {key.kid: key.raw for key in known}

    def holds(kid: str, message: bytes, signature: bytes) -> bool:
        raw = keys.get(kid)
        if raw is None:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True

    return check(receipt, holds)


def _leaf(row: Destroyed) -> Leaf:
    if row.cause is None or row.key_destroyed_at is None:
        raise DestructionIsUnproven("a row that says destroyed names no erasure or no moment of it")
    return Leaf(
        camera_id=str(row.camera_id),
        segment_id=str(row.id),
        captured_from=_iso_us(row.starts_us),
        captured_until=_iso_us(row.ends_us),
        cause=row.cause,
        erasure_id=str(row.erasure_id),
        bucket_key_id=str(row.bucket_key_id),
        key_destroyed_at=_iso(row.key_destroyed_at),
        bytes_gone_at=_iso(row.bytes_gone_at),
        store_answer=row.store_answer or "",
        size_bytes=row.size_bytes or 0,
    )


def _iso_us(us: int) -> str:
    return _iso(_EPOCH + timedelta(microseconds=us))


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

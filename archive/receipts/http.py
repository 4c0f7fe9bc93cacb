"""Routes of receipts: list, fetch, have one signed now; and the public keys that verify them."""

import base64
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from archive.receipts import store
from archive.receipts.rules import extract
from archive.receipts.service import ReceiptService
from archive.receipts.tables import ReceiptRow
from auth.errors import NotFound
from auth.gate import Allowed, On, needs, public
from auth.principal import Right
from vms_privacy.db import Database
from vms_privacy.ids import OperatorId, ReceiptId
from vms_privacy.keyring.port import Keyring, Purpose
from vms_privacy.web import Moment, Strict


class ReceiptShown(Strict):
    """One receipt; its bytes are under `/receipts/{id}/document`."""

    id: UUID
    kind: str
    covers_from: Moment
    covers_until: Moment
    leaves: int
    signed_at: Moment


class ReceiptKey(Strict):
    """One public key that receipts of this installation may name."""

    kid: str
    public_key: str


class ReceiptKeys(Strict):
    """All of them, as `vms-privacy verify receipt --keys` reads them."""

    installation_id: str
    keys: list[ReceiptKey]


def receipt_routes(db: Database, receipts: ReceiptService, keyring: Keyring, installation_id: str) -> APIRouter:
    """Return the routes; all but the public keys pass the gate with the right `audit`."""
    routes = APIRouter(prefix="/api/v1", tags=["receipts"])

    @routes.get("/operators/{operator_id}/receipts", **needs(Right.AUDIT, on=On.OPERATOR))
    def list_receipts(
        operator_id: str,
        granted: Allowed,
        before: Moment | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> list[ReceiptShown]:
        """Return receipts, newest first, signed before a moment."""
        with db.reading() as session:
            return [_shown(row) for row in store.of_operator(session, granted.operator_id, limit, before)]

    @routes.post("/operators/{operator_id}/receipts", status_code=201, **needs(Right.AUDIT, on=On.OPERATOR))
    def sign_receipt(operator_id: str, granted: Allowed) -> ReceiptShown:
        """Sign one now over everything destroyed since the last; the hourly one then tells of the rest."""
        with db.writing() as session:
            made = receipts.sign_now(session, granted.operator_id, granted.principal.label)
            return _shown(_found(store.by_id(session, granted.operator_id, made)))

    @routes.get("/operators/{operator_id}/receipts/{receipt_id}/document", **needs(Right.AUDIT, on=On.OPERATOR))
    def fetch_receipt(operator_id: str, receipt_id: UUID, granted: Allowed, camera_id: UUID | None = None) -> Response:
        """Return the exact bytes, or one camera's part of them that verifies by itself."""
        with db.reading() as session:
            row = _found(store.by_id(session, OperatorId(granted.operator_id), ReceiptId(receipt_id)))
        document = row.document if camera_id is None else extract(row.document, str(camera_id))
        if camera_id is not None and document.count(b"\n") <= _LINES_WITHOUT_LEAVES:
            raise NotFound
        return Response(document, media_type="application/vnd.vms-privacy.receipt", headers=_NOT_CACHED)

    @routes.get("/receipt-keys", **public("a receipt is verified by strangers, offline"))
    def receipt_keys() -> ReceiptKeys:
        """Return the public keys that verify receipts of this installation."""
        return ReceiptKeys(
            installation_id=installation_id,
            keys=[
                ReceiptKey(kid=key.kid, public_key=base64.urlsafe_b64encode(key.raw).rstrip(b"=").decode())
                for key in keyring.public_keys(Purpose.RECEIPT_SIGNING)
            ],
        )

    return routes


_LINES_WITHOUT_LEAVES = 3
_NOT_CACHED = {"Cache-Control": "no-store"}


def _found(row: ReceiptRow | None) -> ReceiptRow:
    if row is None:
        raise NotFound
    return row


def _shown(row: ReceiptRow) -> ReceiptShown:
    return ReceiptShown(
        id=row.id,
        kind=row.kind,
        covers_from=row.covers_from,
        covers_until=row.covers_until,
        leaves=row.leaf_count,
        signed_at=row.signed_at,
    )

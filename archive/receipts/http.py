"""Routes of receipts and monthly summaries: list, fetch, have one signed now; and the keys that verify them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field
from sqlalchemy.orm import Session

from archive.receipts import store, summaries
from archive.receipts.lines import b64
from archive.receipts.rules import extract
from archive.receipts.service import ReceiptService
from archive.receipts.tables import ReceiptRow, SummaryRow
from auth.errors import NotFound
from auth.gate import Allowed, On, needs, public
from auth.principal import Right
from vms_privacy.db import Database
from vms_privacy.ids import OperatorId, ReceiptId
from vms_privacy.web import Moment, Strict

Month = Annotated[str, Field(pattern="^[0-9]{4}-(0[1-9]|1[0-2])$", description="A month in UTC, as 2030-01.")]


class ReceiptShown(Strict):
    """One receipt; its bytes are under `/receipts/{id}/document`.

    `kind`: `hourly` or `on-demand` over what expired; `request`, `withdrawal` or `off-boarding` over what its
    `mandates` had destroyed.
    """

    id: UUID
    kind: str
    mandates: list[UUID]
    covers_from: Moment
    covers_until: Moment
    leaves: int
    signed_at: Moment


class SummaryShown(Strict):
    """One operator's month; its bytes are under `/receipt-summaries/{month}/document`."""

    id: UUID
    month: str
    receipts: int
    segments: int
    signed_at: Moment


class ReceiptKey(Strict):
    """One key that receipts of this installation may name; `state` is `active` or `retired`."""

    kid: str
    public_key: str
    version: int
    state: str
    in_use_from: Moment | None
    in_use_until: Moment | None


class ReceiptKeys(Strict):
    """All of them, the active one first; what a verifier takes is the signed document beside this."""

    installation_id: str
    keys: list[ReceiptKey]


def receipt_routes(db: Database, receipts: ReceiptService) -> APIRouter:
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
            return _shown(session, store.of_operator(session, granted.operator_id, limit, before))

    @routes.post("/operators/{operator_id}/receipts", status_code=201, **needs(Right.AUDIT, on=On.OPERATOR))
    def sign_receipts(operator_id: str, granted: Allowed) -> list[ReceiptShown]:
        """Sign now over everything destroyed since the last: one over what expired, one of each request or the like."""
        with db.writing() as session:
            made = receipts.sign_now(session, granted.operator_id, granted.principal.label)
            return _shown(session, [_found(store.by_id(session, granted.operator_id, one)) for one in made])

    @routes.get("/operators/{operator_id}/receipts/{receipt_id}/document", **needs(Right.AUDIT, on=On.OPERATOR))
    def fetch_receipt(operator_id: str, receipt_id: UUID, granted: Allowed, camera_id: UUID | None = None) -> Response:
        """Return the exact bytes, or one camera's part of them that verifies by itself."""
        with db.reading() as session:
            row = _found(store.by_id(session, OperatorId(granted.operator_id), ReceiptId(receipt_id)))
        document = row.document if camera_id is None else extract(row.document, str(camera_id))
        if camera_id is not None and document.count(b"\n") <= _LINES_WITHOUT_LEAVES:
            raise NotFound
        return Response(document, media_type="application/vnd.vms-privacy.receipt", headers=_NOT_CACHED)

    @routes.get("/operators/{operator_id}/receipt-summaries", **needs(Right.AUDIT, on=On.OPERATOR))
    def list_summaries(
        operator_id: str,
        granted: Allowed,
        before: Month | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> list[SummaryShown]:
        """Return monthly summaries, the newest first, of months before one. A month without receipts has one too."""
        with db.reading() as session:
            return [_told(row) for row in summaries.of_operator(session, granted.operator_id, limit, before)]

    @routes.get("/operators/{operator_id}/receipt-summaries/{month}/document", **needs(Right.AUDIT, on=On.OPERATOR))
    def fetch_summary(operator_id: str, month: Month, granted: Allowed) -> Response:
        """Return the exact bytes of one month's summary."""
        with db.reading() as session:
            row = summaries.of_month(session, granted.operator_id, month)
        if row is None:
            raise NotFound
        return Response(row.document, media_type="application/vnd.vms-privacy.summary", headers=_NOT_CACHED)

    @routes.get("/receipt-keys", **public("a receipt is verified by strangers, offline"))
    def receipt_keys() -> ReceiptKeys:
        """Return the public keys that verify receipts of this installation, with what is known of their dates."""
        history = receipts.history
        keys = [
            ReceiptKey(
                kid=key.kid,
                public_key=b64(key.raw),
                version=key.version,
                state=key.state,
                in_use_from=_moment(key.in_use_from),
                in_use_until=_moment(key.in_use_until),
            )
            for key in reversed(history.keys)
        ]
        return ReceiptKeys(installation_id=history.installation_id, keys=keys)

    @routes.get("/receipt-keys/document", **public("a receipt is verified by strangers, offline"))
    def receipt_key_history() -> Response:
        """Return the signed key history, as `vms-privacy verify receipt --keys` reads it."""
        return Response(receipts.signed_history(), media_type="application/vnd.vms-privacy.receipt-keys")

    return routes


_LINES_WITHOUT_LEAVES = 3
_NOT_CACHED = {"Cache-Control": "no-store"}


def _found(row: ReceiptRow | None) -> ReceiptRow:
    if row is None:
        raise NotFound
    return row


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _told(row: SummaryRow) -> SummaryShown:
    return SummaryShown(
        id=row.id, month=row.month, receipts=row.receipts, segments=row.segments, signed_at=row.signed_at
    )


def _shown(session: Session, rows: Sequence[ReceiptRow]) -> list[ReceiptShown]:
    mandates = store.mandates_of(session, [ReceiptId(row.id) for row in rows])
    return [
        ReceiptShown(
            id=row.id,
            kind=row.kind,
            mandates=list(mandates.get(ReceiptId(row.id), ())),
            covers_from=row.covers_from,
            covers_until=row.covers_until,
            leaves=row.leaf_count,
            signed_at=row.signed_at,
        )
        for row in rows
    ]

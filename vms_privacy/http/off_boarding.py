"""Routes of off-boarding: beginning it, listing everything, confirming, and seeing how far it is."""

from collections.abc import Iterator
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.responses import Response

from archive.receipts import store as receipts
from auth.errors import NotFound
from auth.gate import Allowed, Gate, On, needs
from auth.principal import Right
from vms_privacy.db import Database
from vms_privacy.ids import ManifestId, OffBoardingId, OperatorId, ReceiptId
from vms_privacy.off_boarding import manifest_store as manifests
from vms_privacy.off_boarding.manifest_store import Manifest
from vms_privacy.off_boarding.rules import WaitsFor
from vms_privacy.off_boarding.service import HowFar, OffBoardingService
from vms_privacy.web import LINES, Moment, Strict

_LINES: Final = "application/x-ndjson"
_Reason = Annotated[str, Field(min_length=10, max_length=2000), LINES]
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of what is signed, in hexadecimal.")]


class OffBoardingWanted(Strict):
    """Why the operator leaves, in words."""

    reason: _Reason


class ConfirmationWanted(Strict):
    """Which manifest is confirmed, and why, in words."""

    manifest: _Digest
    reason: _Reason


class OffBoardingProposed(Strict):
    """It waits for a second person, until `expires_at`; nothing happens before."""

    proposal_id: UUID
    expires_at: Moment


class ManifestShown(Strict):
    """The manifest that was asked for last. `listed` counts segments; `digest` is empty until it is signed."""

    manifest_id: UUID
    asked_by: str
    asked_at: Moment
    listed: int
    signed_at: Moment | None
    digest: str
    attempts: int
    last_failure: str


class FootageLeft(Strict):
    """What is not destroyed yet, in segments, by what keeps it."""

    under_way: int
    growing: int
    kept_by_orders: int
    too_young: int
    due: int


class FootageGone(Strict):
    """What was destroyed under it. `untold` segments are in no receipt yet."""

    segments: int
    size_bytes: int
    untold: int
    receipts: list[UUID]


class OffBoardingShown(Strict):
    """How far an off-boarding is: `step` is the last one that is done, `waits_for` what keeps it from the next.

    What orders keep is shown: whoever may read this may know of them.
    """

    off_boarding_id: UUID
    proposed_by: str
    approved_by: str
    begun_at: Moment
    step: str
    waits_for: WaitsFor | None
    taken_back_at: Moment | None
    manifest: ManifestShown | None
    confirmed_digest: str
    confirmed_by: list[str]
    confirmed_at: Moment | None
    left: FootageLeft
    gone: FootageGone
    open_requests: int
    attempts: int
    last_failure: str
    closed_at: Moment | None


class OffBoardingListed(Strict):
    """What the platform is told of one: how far it is, and once it is closed what was destroyed under it."""

    off_boarding_id: UUID
    operator_id: UUID
    begun_at: Moment
    taken_back_at: Moment | None
    confirmed_at: Moment | None
    confirmed_digest: str
    closed_at: Moment | None
    gone: FootageGone | None


def off_boarding_routes(db: Database, off_boardings: OffBoardingService, gate: Gate) -> APIRouter:
    """Return the routes: acts with the right `erase` over the whole operator, looks with `audit`; and the platform's.

    Once an operator is closed nobody of it is left to ask: then the platform has what proves its end.
    """
    routes = APIRouter(prefix="/api/v1", tags=["off-boarding"])
    one = "/operators/{operator_id}/off-boarding"

    @routes.post(one, status_code=202, **needs(Right.ERASE, on=On.OPERATOR))
    def propose_off_boarding(operator_id: str, wanted: OffBoardingWanted, granted: Allowed) -> OffBoardingProposed:
        """Propose that the operator leaves; from the second person's yes on nothing is recorded or given away."""
        with db.writing() as session:
            made = off_boardings.propose(session, granted, wanted.reason)
        return OffBoardingProposed(proposal_id=made.id, expires_at=made.expires_at)

    @routes.get(one, **needs(Right.AUDIT, on=On.OPERATOR))
    def read_off_boarding(operator_id: str, granted: Allowed) -> OffBoardingShown:
        """Say how far the off-boarding is, and what it waits for."""
        with gate.noting(granted.principal), db.reading() as session:
            return _shown(off_boardings.how_far(session, granted.operator_id))

    @routes.delete(one, **needs(Right.ERASE, on=On.OPERATOR))
    def take_off_boarding_back(operator_id: str, granted: Allowed) -> Response:
        """Let the operator stay, before it is confirmed; what was switched off stays off until somebody opts in."""
        with db.writing() as session:
            off_boardings.take_back(session, granted)
        return Response(status_code=204)

    @routes.post(f"{one}/manifest", status_code=202, **needs(Right.ERASE, on=On.OPERATOR))
    def ask_for_manifest(operator_id: str, granted: Allowed) -> ManifestShown:
        """Have everything listed; while one is being made, return that one."""
        with db.writing() as session:
            return _manifest(off_boardings.ask_for_manifest(session, granted))

    @routes.get(f"{one}/manifest", **needs(Right.AUDIT, on=On.OPERATOR))
    def fetch_manifest(operator_id: str, granted: Allowed) -> Response:
        """Return the exact bytes of the newest manifest, line by line: docs/formats/manifest-v1.md."""
        with db.reading() as session:
            made = off_boardings.signed_manifest(session, granted.operator_id)
        return StreamingResponse(_document(db, made.id, made.head or b""), media_type=_LINES)

    @routes.post(f"{one}/confirmation", status_code=202, **needs(Right.ERASE, on=On.OPERATOR))
    def propose_confirmation(operator_id: str, wanted: ConfirmationWanted, granted: Allowed) -> OffBoardingProposed:
        """Propose to destroy everything that is listed; from the second person's yes on it reads as gone."""
        with db.writing() as session:
            made = off_boardings.propose_confirmation(session, granted, wanted.manifest, wanted.reason)
        return OffBoardingProposed(proposal_id=made.id, expires_at=made.expires_at)

    @routes.get("/off-boardings", **needs(None, on=On.PLATFORM))
    def list_off_boardings() -> list[OffBoardingListed]:
        """Return the off-boardings of all operators, newest first."""
        with db.reading() as session:
            return [_listed(far) for far in off_boardings.every(session)]

    @routes.get("/off-boardings/{off_boarding_id}/receipts/{receipt_id}/document", **needs(None, on=On.PLATFORM))
    def fetch_receipt_of_a_closed_operator(off_boarding_id: OffBoardingId, receipt_id: ReceiptId) -> Response:
        """Return the exact bytes of a receipt of an operator that is closed."""
        with db.reading() as session:
            far = next((one for one in off_boardings.every(session) if one.off_boarding.id == off_boarding_id), None)
            if far is None or far.off_boarding.closed_at is None:
                raise NotFound
            found = receipts.by_id(session, OperatorId(far.off_boarding.operator_id), receipt_id)
            if found is None:
                raise NotFound
            return Response(found.document, media_type="application/octet-stream")

    return routes


def _document(db: Database, manifest_id: ManifestId, head: bytes) -> Iterator[bytes]:
    """Go through a signed manifest, a page of lines in memory at a time, each of a moment of its own."""
    yield head
    after = None
    while True:
        with db.reading() as session:
            page = manifests.entries_after(session, manifest_id, after)
        if not page:
            return
        yield b"".join(entry.octets() + b"\n" for entry in page)
        after = page[-1].place


def _shown(far: HowFar) -> OffBoardingShown:
    one, left, confirmed = far.off_boarding, far.left, far.off_boarding.confirmation
    return OffBoardingShown(
        off_boarding_id=one.id,
        proposed_by=one.proposed_by,
        approved_by=one.approved_by,
        begun_at=one.begun_at,
        step=one.step.name.lower().replace("_", "-"),
        waits_for=far.waits_for,
        taken_back_at=one.taken_back_at,
        manifest=None if far.manifest is None else _manifest(far.manifest),
        confirmed_digest="" if confirmed is None else confirmed.digest,
        confirmed_by=[] if confirmed is None else [confirmed.proposed_by, confirmed.approved_by],
        confirmed_at=None if confirmed is None else confirmed.at,
        left=FootageLeft(
            under_way=left.under_way,
            growing=left.growing,
            kept_by_orders=left.kept_by_orders,
            too_young=left.too_young,
            due=left.due,
        ),
        gone=_gone(far),
        open_requests=far.open_requests,
        attempts=one.attempts,
        last_failure=one.last_failure,
        closed_at=one.closed_at,
    )


def _listed(far: HowFar) -> OffBoardingListed:
    one = far.off_boarding
    return OffBoardingListed(
        off_boarding_id=one.id,
        operator_id=one.operator_id,
        begun_at=one.begun_at,
        taken_back_at=one.taken_back_at,
        confirmed_at=None if one.confirmation is None else one.confirmation.at,
        confirmed_digest="" if one.confirmation is None else one.confirmation.digest,
        closed_at=one.closed_at,
        gone=None if one.closed_at is None else _gone(far),
    )


def _gone(far: HowFar) -> FootageGone:
    gone = far.gone
    return FootageGone(
        segments=gone.segments, size_bytes=gone.size_bytes, untold=gone.untold, receipts=list(gone.receipts)
    )


def _manifest(made: Manifest) -> ManifestShown:
    return ManifestShown(
        manifest_id=made.id,
        asked_by=made.asked_by,
        asked_at=made.asked_at,
        listed=made.listed,
        signed_at=made.signed_at,
        digest=made.digest,
        attempts=made.attempts,
        last_failure=made.last_failure,
    )

"""Routes of the consent ledger: read the wording, opt in, withdraw, read the history. Rows SF-6, SF-7, SR-8."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from auth.gate import Allowed, Gate, On, needs, public
from auth.principal import Granted, Right
from vms_privacy.audit.events import Tag
from vms_privacy.clock import Clock
from vms_privacy.consent.errors import ConsentRefusal
from vms_privacy.consent.ledger import ConsentLedger, WithdrawnEntry
from vms_privacy.consent.rules import Answer, ConsentEntry, ConsentKind, LegalBasis, Method
from vms_privacy.consent.wording import current
from vms_privacy.db import Database
from vms_privacy.ids import CameraId
from vms_privacy.subject_requests.request import Request
from vms_privacy.subject_requests.withdrawing import ErasingWithdrawals
from vms_privacy.web import Moment, Strict


class WordingShown(Strict):
    """The text a person agrees to, and the version that an opt-in names; `shown_at` by the service's clock.

    Whoever confirms the sign together with the text names that moment: the clock of their own machine may be ahead.
    """

    kind: ConsentKind
    version: str
    text: str
    shown_at: Moment


class OptInAsked(Strict):
    """What a person switches on. `sign_confirmed_at` is when somebody saw the sign hang at the camera."""

    kind: ConsentKind
    purpose: Annotated[str, Field(max_length=200)]
    legal_basis: LegalBasis
    sign_confirmed_at: Moment
    wording_version: Annotated[str, Field(max_length=64)]
    until: Moment | None = None


class OptInGiven(Strict):
    """The entry that was made."""

    entry_id: UUID


class Withdrawn(Strict):
    """From `withdrawn_at` on nothing that arrives is written; `kinds` is what was switched off.

    Where what was recorded shall be erased, `request_id` is the request for it and `proposals` wait for a second
    person; nothing of both where nothing is there.
    """

    entry_id: UUID
    kinds: list[ConsentKind]
    withdrawn_at: Moment
    request_id: UUID | None
    proposals: list[UUID]


class EntryShown(Strict):
    """One line of the ledger."""

    entry_id: UUID
    kind: ConsentKind
    answer: Answer
    actor: str
    from_at: Moment
    until_at: Moment | None
    purpose: str
    legal_basis: LegalBasis | None
    wording_version: str
    sign_confirmed_at: Moment | None


def consent_routes(
    db: Database, ledger: ConsentLedger, erasing: ErasingWithdrawals, gate: Gate, clock: Clock
) -> APIRouter:
    """Return the routes. Giving and withdrawing take the right `record`, and one call each (GDPR, Article 7(3))."""
    routes = APIRouter(prefix="/api/v1", tags=["opt-in"])

    @routes.get("/opt-in-wordings/{kind}", **public("the text is shown before anybody agrees to it"))
    def read_wording(kind: ConsentKind) -> WordingShown:
        """Return the text to show now."""
        wording = current(kind)
        return WordingShown(kind=wording.kind, version=wording.version, text=wording.text, shown_at=clock.now())

    @routes.get("/cameras/{camera_id}/opt-ins", **needs(Right.RECORD, on=On.CAMERA))
    def read_history(camera_id: str, granted: Allowed) -> list[EntryShown]:
        """Return every entry of the camera, oldest first."""
        with db.reading() as session:
            return [_shown(entry) for entry in ledger.history(session, _camera(granted))]

    @routes.post("/cameras/{camera_id}/opt-ins", status_code=201, **needs(Right.RECORD, on=On.CAMERA))
    def opt_in(camera_id: str, asked: OptInAsked, granted: Allowed) -> OptInGiven:
        """Switch something on, from now; nothing from before is ever recorded."""
        with _noting(ledger, Tag.OPTED_IN, granted), db.writing() as session:
            entry = ledger.opt_in(
                session,
                granted.principal.label,
                granted.operator_id,
                _camera(granted),
                asked.kind,
                asked.purpose,
                asked.legal_basis,
                asked.sign_confirmed_at,
                asked.wording_version,
                Method.API,
                asked.until,
            )
        return OptInGiven(entry_id=entry)

    @routes.delete("/cameras/{camera_id}/opt-ins/{kind}", **needs(Right.RECORD, on=On.CAMERA))
    def withdraw(
        camera_id: str, kind: ConsentKind, granted: Allowed, footage: Literal["keep", "erase"] = "keep"
    ) -> Withdrawn:
        """Switch something off, from this moment; what was recorded is kept for its time, or erased by two people.

        With `erase` it takes the right `erase` as well, and opens a request whose erasing another person approves.
        """
        if footage == "erase":
            return withdraw_to_erase(gate.judge(granted.principal, Right.ERASE, _camera(granted)), kind)
        with _noting(ledger, Tag.OPT_IN_WITHDRAWN, granted), db.writing() as session:
            entry = ledger.withdraw(session, granted.principal.label, granted.operator_id, _camera(granted), kind)
        return _withdrawn(entry, None)

    def withdraw_to_erase(granted: Granted, kind: ConsentKind) -> Withdrawn:
        with _noting(ledger, Tag.OPT_IN_WITHDRAWN, granted), db.writing() as session:
            done = erasing.withdraw(session, granted, _camera(granted), kind)
        return _withdrawn(done.entry, done.request)

    return routes


@contextmanager
def _noting(ledger: ConsentLedger, tag: Tag, granted: Granted) -> Iterator[None]:
    """Write a refusal down once its transaction is closed; stands outside of it."""
    try:
        yield
    except ConsentRefusal as refusal:
        ledger.note_refused(refusal, tag, granted.principal.label, granted.operator_id, _camera(granted))
        raise


def _withdrawn(entry: WithdrawnEntry, request: Request | None) -> Withdrawn:
    return Withdrawn(
        entry_id=entry.entry_id,
        kinds=list(entry.kinds),
        withdrawn_at=entry.withdrawn_at,
        request_id=None if request is None else request.id,
        proposals=[] if request is None else [one.proposal_id for one in request.items if one.proposal_id is not None],
    )


def _camera(granted: Granted) -> CameraId:
    if granted.camera_id is None:
        raise RuntimeError("the gate of a camera's route names the camera")
    return granted.camera_id


def _shown(entry: ConsentEntry) -> EntryShown:
    return EntryShown(
        entry_id=entry.entry_id,
        kind=entry.kind,
        answer=entry.answer,
        actor=entry.actor,
        from_at=entry.from_at,
        until_at=entry.until_at,
        purpose=entry.purpose,
        legal_basis=entry.legal_basis,
        wording_version=entry.wording_version,
        sign_confirmed_at=entry.sign_confirmed_at,
    )

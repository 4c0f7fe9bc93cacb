"""Routes of retention: what holds for a camera, and setting it."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from archive.retention import store
from archive.retention.rules import DEFAULT_KEEP_FOR, SMALLEST_KEEP_FOR, Policy, Profile, Terms
from archive.retention.service import RetentionService
from archive.retention.terms import OperatorTerms
from auth.gate import Allowed, Gate, On, needs
from auth.principal import Right
from vms_privacy.db import Database
from vms_privacy.ids import CameraId
from vms_privacy.web import LINES, Duration, Moment, Strict


class RetentionChange(Strict):
    """How long footage of this camera shall be kept. Above PT72H a justification in words is needed."""

    keep_for: Duration
    justification: Annotated[str, Field(max_length=2000), LINES] = ""


class Retention(Strict):
    """The retention in force for footage taken from now on."""

    keep_for: Duration
    version: int
    justification: str


class RetentionProposed(RetentionChange):
    """A change that takes two people, and why the proposer wants it."""

    reason: Annotated[str, Field(min_length=1, max_length=2000), LINES]


class RetentionPreview(Strict):
    """What a change would do at this moment: what can be read now and could not be read any more then.

    `held` of these segments are kept from destruction by holds or restrictions; told to those alone who may know of
    them. `forecast_bytes` is what the camera's footage will come to, empty while nobody knows what it sends; `fits`
    whether the store has room for it, empty where it does not tell how much it holds.
    """

    keep_for: Duration
    expires_segments: int
    expires_bytes: int
    expires_recorded: Duration
    held: int | None
    takes_two: bool
    why: str
    forecast_bytes: int | None
    fits: bool | None


class ShorteningProposed(Strict):
    """The change waits for a second person, until `expires_at`."""

    proposal_id: UUID
    expires_at: Moment


class RetentionVersion(Retention):
    """One version, with who set it (an id) and when."""

    set_by: str
    set_at: Moment


class TermsWanted(Strict):
    """Whose law is kept to, how long is kept where a camera has no retention of its own, and at least."""

    profile: Profile = Profile.GENERAL
    keep_for: Duration = DEFAULT_KEEP_FOR
    at_least: Duration = SMALLEST_KEEP_FOR
    justification: Annotated[str, Field(max_length=2000), LINES] = ""


class TermsShown(TermsWanted):
    """What is set; `at_most` is what the profile allows. Version 0 is what nobody had to set."""

    version: int
    at_most: Duration
    review_every: Duration | None


def retention_routes(db: Database, retention: RetentionService, gate: Gate) -> APIRouter:
    """Return the routes; each passes the gate with the right `retain`."""
    routes = APIRouter(prefix="/api/v1/cameras/{camera_id}/retention", tags=["retention"])

    @routes.get("", **needs(Right.RETAIN, on=On.CAMERA))
    def read_retention(camera_id: str, granted: Allowed) -> Retention:
        """Return the retention in force."""
        with db.reading() as session:
            return _shown(retention.current(session, _camera(granted.camera_id)))

    @routes.put("", **needs(Right.RETAIN, on=On.CAMERA))
    def set_retention(camera_id: str, change: RetentionChange, granted: Allowed) -> Retention:
        """Set it. Shorter applies at once to what is there; longer only to footage taken from now on."""
        with db.writing() as session:
            return _shown(retention.set(session, granted, change.keep_for, change.justification))

    @routes.get("/preview", **needs(Right.RETAIN, on=On.CAMERA))
    def preview_retention(
        camera_id: str,
        keep_for: Duration,
        granted: Allowed,
        justification: Annotated[str, Field(max_length=2000), LINES] = "",
    ) -> RetentionPreview:
        """Say what a change would do, exact to the segment; changes nothing."""
        camera = _camera(granted.camera_id)
        with db.reading() as session:
            found = retention.preview(session, camera, keep_for, justification)
            may_know = any(
                gate.holds(session, granted.principal, right, granted.operator_id, camera)
                for right in (Right.HOLD, Right.AUDIT)
            )
        return RetentionPreview(
            keep_for=keep_for,
            expires_segments=found.expires.segments,
            expires_bytes=found.expires.size_bytes,
            expires_recorded=timedelta(microseconds=found.expires.recorded_us),
            held=found.held if may_know else None,
            takes_two=found.takes_two,
            why=found.verdict.why,
            forecast_bytes=found.outlook.forecast_bytes,
            fits=found.outlook.fits,
        )

    @routes.post("/proposals", status_code=202, **needs(Right.RETAIN, on=On.CAMERA))
    def propose_retention(camera_id: str, change: RetentionProposed, granted: Allowed) -> ShorteningProposed:
        """Propose a shortening that takes two people; another person with the right `retain` approves it."""
        with db.writing() as session:
            made = retention.propose(session, granted, change.keep_for, change.justification, change.reason)
        return ShorteningProposed(proposal_id=made.id, expires_at=made.expires_at)

    @routes.get("/versions", **needs(Right.RETAIN, on=On.CAMERA))
    def list_versions(camera_id: str, granted: Allowed) -> list[RetentionVersion]:
        """Return every version there was, newest first."""
        with db.reading() as session:
            return [
                RetentionVersion(
                    keep_for=timedelta(seconds=row.keep_seconds),
                    version=row.version,
                    justification=row.justification,
                    set_by=row.set_by,
                    set_at=row.set_at,
                )
                for row in store.history(session, _camera(granted.camera_id))
            ]

    return routes


def terms_routes(db: Database, terms: OperatorTerms) -> APIRouter:
    """Return the routes; each passes the gate with the right `retain` over the whole operator."""
    routes = APIRouter(prefix="/api/v1/operators/{operator_id}/retention", tags=["retention"])

    @routes.get("", **needs(Right.RETAIN, on=On.OPERATOR))
    def read_terms(operator_id: str, granted: Allowed) -> TermsShown:
        """Return what holds for all cameras of the operator."""
        with db.reading() as session:
            return _terms_shown(terms.current(session, granted.operator_id))

    @routes.put("", **needs(Right.RETAIN, on=On.OPERATOR))
    def set_terms(operator_id: str, wanted: TermsWanted, granted: Allowed) -> TermsShown:
        """Set it. A shorter default reaches what is there of cameras without a retention of their own at once."""
        new = Terms(0, wanted.profile, wanted.keep_for, wanted.at_least, wanted.justification)
        with db.writing() as session:
            return _terms_shown(terms.set(session, granted, new))

    return routes


def _shown(policy: Policy) -> Retention:
    return Retention(keep_for=policy.keep_for, version=policy.version, justification=policy.justification)


def _camera(camera_id: CameraId | None) -> CameraId:
    if camera_id is None:
        raise RuntimeError("the gate of a camera's route names the camera")
    return camera_id


def _terms_shown(terms: Terms) -> TermsShown:
    return TermsShown(
        profile=terms.profile,
        keep_for=terms.keep_for,
        at_least=terms.at_least,
        justification=terms.justification,
        version=terms.version,
        at_most=terms.caps.at_most,
        review_every=terms.caps.review_every,
    )

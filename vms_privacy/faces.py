"""The HTTP face of one service: every room's routes behind one gate, every refusal as a problem document."""

from collections.abc import Mapping

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from archive.erasure.http import erasure_routes
from archive.explain.http import explain_routes
from archive.forecast.http import forecast_routes
from archive.mandates.http import mandate_routes
from archive.orders.http import order_routes
from archive.playback.http import PlaybackParts, playback_routes
from archive.receipts.http import receipt_routes
from archive.retention.http import retention_routes, terms_routes
from auth.authenticate import Authenticate
from auth.backstop import GateBackstop
from auth.grants.http import grant_routes
from auth.identities.http import password_routes, person_routes
from auth.media_sessions.http import media_session_routes
from auth.operators.http import operator_routes
from auth.sessions.http import session_routes
from auth.source import Sources
from auth.tokens.http import jwks_routes, token_routes
from streams.cameras.http import camera_routes
from streams.live.http import LiveParts, live_routes
from vms_privacy.app import Assembly
from vms_privacy.http.approvals import approval_routes
from vms_privacy.http.audit import audit_routes
from vms_privacy.http.clock import clock_routes
from vms_privacy.http.consent import consent_routes
from vms_privacy.http.custody import CustodyDoor
from vms_privacy.http.documents import document_routes
from vms_privacy.http.edge import Edge
from vms_privacy.http.health import Probe, health_routes
from vms_privacy.http.off_boarding import off_boarding_routes
from vms_privacy.http.problems import install_problems
from vms_privacy.http.recording_times import recording_times_routes
from vms_privacy.http.request_decisions import request_decision_routes
from vms_privacy.http.requests import RequestFaces, request_routes
from vms_privacy.http.witness import Witness

VERSION = "0.1.0"


def build_api(parts: Assembly, probes: Mapping[str, Probe], registry: CollectorRegistry) -> FastAPI:
    """Return the app with all its routes, without what stands around it."""
    app = FastAPI(
        title="vms-privacy",
        version=VERSION,
        summary="Data protection for video surveillance, enforced and proven",
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # Traces hold whole addresses, and with them tokens; whatever the environment says, there are none.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.gate = parts.gate
    db, sources = parts.db, Sources(parts.pseudonyms.address)
    live = LiveParts(
        live=parts.live,
        door=parts.door,
        tokens=parts.tokens,
        sessions=parts.sessions,
        pseudonyms=parts.pseudonyms,
        group=parts.group,
        audit=parts.audit,
        clock=parts.clock,
    )
    of_requests = RequestFaces(
        db=db,
        requests=parts.requests,
        follower=parts.request_follower,
        decisions=parts.request_decisions,
        answers=parts.request_answers,
        mandates=parts.mandates,
        gate=parts.gate,
        clock=parts.clock,
    )
    # What is asked most comes first: a request is compared with one route after the other until one fits, and behind
    # all others that costs more than the answer.
    for routes in (
        token_routes(db, parts.gate, parts.issuer, parts.withdrawals),
        live_routes(live),
        playback_routes(PlaybackParts(parts.footage, parts.archive_entrance, parts.sessions, parts.clock)),
        jwks_routes(parts.signer),
        health_routes(probes, registry, behind_proxy=parts.settings.behind_proxy),
        document_routes(app),
        session_routes(db, parts.logins, sources),
        password_routes(parts.enrolment, sources),
        operator_routes(db, parts.operators),
        person_routes(db, parts.people, parts.gate),
        grant_routes(db, parts.grants, parts.gate, parts.clock),
        camera_routes(db, parts.cameras, parts.gate, parts.ingest),
        recording_times_routes(db, parts.recording_times, parts.clock),
        consent_routes(db, parts.ledger, parts.erasing_withdrawals, parts.gate, parts.clock),
        retention_routes(db, parts.retention, parts.gate),
        terms_routes(db, parts.retention_terms),
        forecast_routes(db, parts.room),
        order_routes(db, parts.orders, parts.clock),
        mandate_routes(db, parts.mandates, parts.gate),
        request_routes(of_requests),
        request_decision_routes(of_requests),
        explain_routes(db, parts.explainer, parts.gate),
        approval_routes(db, parts.approvals, parts.gate),
        off_boarding_routes(db, parts.off_boardings, parts.gate),
        media_session_routes(db, parts.gate, parts.sessions, parts.withdrawals),
        erasure_routes(parts.eraser, parts.settings.sweep_every),
        receipt_routes(db, parts.receipts),
        audit_routes(db, parts.anchor, parts.keyring),
        clock_routes(parts.guarded_clock, parts.clock_care),
    ):
        app.include_router(routes)
    install_problems(app)
    Witness(parts.audit, parts.refusals, parts.clock).stand_in(app)
    return app


def surround(app: FastAPI, parts: Assembly, *, in_custody: bool = False) -> ASGIApp:
    """Put around the app what finds out who asks, what stops an answer that no gate let through, and the edge.

    In custody, nobody comes as far as that.
    """
    inside: ASGIApp = GateBackstop(Authenticate(app, parts.logins.identify, parts.logins.remembered))
    return Edge(CustodyDoor(inside, parts.refusals) if in_custody else inside)

"""Routes of media sessions: who is looking now, and ending what somebody looks at."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Response

from auth.errors import NotFound
from auth.gate import Allowed, Gate, On, needs
from auth.media_sessions.service import MediaSessions
from auth.media_sessions.session import MediaSession
from auth.principal import Right
from auth.tokens.withdrawing import TokenWithdrawals
from vms_privacy.db import Database
from vms_privacy.web import Page, Strict


class MediaSessionShown(Strict):
    """One media session. `silence_seconds` is 0 while something is being sent."""

    id: UUID
    camera_id: UUID
    person_id: UUID
    token_id: UUID
    action: str
    purpose: str
    protocol: str
    opened_at: datetime
    session_until: datetime
    silence_seconds: int
    bytes: int


def media_session_routes(db: Database, gate: Gate, sessions: MediaSessions, withdrawals: TokenWithdrawals) -> APIRouter:
    """Return the routes; they take `grant` over the operator: who may withdraw rights may see and end their use."""
    routes = APIRouter(prefix="/api/v1", tags=["media sessions"])

    @routes.get("/operators/{operator_id}/sessions", **needs(Right.GRANT, on=On.OPERATOR))
    def list_sessions(operator_id: UUID, granted: Allowed, response: Response) -> Page[MediaSessionShown]:
        """Return who is looking at the operator's cameras now, oldest first."""
        response.headers["Cache-Control"] = "no-store"
        return Page(items=[_shown(session) for session in sessions.of_operator(granted.operator_id)])

    @routes.delete(
        "/operators/{operator_id}/sessions/{session_id}", status_code=204, **needs(Right.GRANT, on=On.OPERATOR)
    )
    def end_session(operator_id: UUID, session_id: UUID, granted: Allowed) -> None:
        """Cut a media session by withdrawing the token it rests on, so that it cannot simply be opened again."""
        found = next((one for one in sessions.of_operator(granted.operator_id) if one.id == session_id), None)
        with gate.noting(granted.principal, Right.GRANT):
            if found is None:
                raise NotFound
            with db.writing() as session:
                withdrawals.withdraw(session, granted.principal, found.claims.token_id)

    return routes


def _shown(session: MediaSession) -> MediaSessionShown:
    claims = session.claims
    return MediaSessionShown(
        id=session.id,
        camera_id=claims.camera_id,
        person_id=claims.person_id,
        token_id=claims.token_id,
        action=session.action,
        purpose=claims.purpose,
        protocol=session.protocol,
        opened_at=session.opened_at,
        session_until=claims.session_until,
        silence_seconds=int(session.signs().silence_s),
        bytes=session.bytes_out,
    )

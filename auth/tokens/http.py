"""Routes of stream tokens: issue one, withdraw one, and the public keys that verify them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from auth.gate import Asker, Gate, On, asker_of, needs, public
from auth.tokens.issuing import TokenIssuer
from auth.tokens.rules import Action
from auth.tokens.signing import TokenSigner
from auth.tokens.wishes import DEFAULT_LIFETIME, Wish
from auth.tokens.withdrawing import TokenWithdrawals
from vms_privacy.db import Database
from vms_privacy.ids import CameraId, TokenId
from vms_privacy.web import Duration, Moment, Strict


class WindowBody(Strict):
    """A span of recorded time, `from` included, `until` not."""

    since: Annotated[Moment | None, Field(alias="from")] = None
    until: Moment | None = None


class TokenBody(Strict):
    """What a token is wanted for."""

    actions: Annotated[list[Action], Field(min_length=1, max_length=len(Action))]
    purpose: Annotated[str, Field(max_length=40, examples=["live_view", "archive_view", "export"])]
    lifetime: Duration = DEFAULT_LIFETIME
    window: WindowBody = WindowBody()


class TokenAnswer(Strict):
    """Both forms of the new token, shown this once. `session_until` ends even what goes on."""

    token_id: UUID
    jwt: str
    handle: str
    expires_at: datetime
    session_until: datetime


class PublicJwk(Strict):
    """One Ed25519 public key (RFC 8037)."""

    kty: str
    crv: str
    alg: str
    use: str
    kid: str
    x: str


class PublicJwkSet(Strict):
    """Every key that a living token may name (RFC 7517, 5)."""

    keys: list[PublicJwk]


def token_routes(db: Database, gate: Gate, issuer: TokenIssuer, withdrawals: TokenWithdrawals) -> APIRouter:
    """Return the routes below `/api/v1`.

    The service itself answers for a camera that the asker may not see, in the words of the gate: asking the gate first
    would read the same grants twice.
    """
    routes = APIRouter(prefix="/api/v1", tags=["stream tokens"])

    @routes.post("/cameras/{camera_id}/tokens", status_code=201, response_model=TokenAnswer, **needs(None, on=On.SELF))
    async def issue_token(camera_id: UUID, body: TokenBody, request: Request) -> Response:
        """Issue a stream token for one camera; it needs the right of each action, and `export` to take footage away."""
        asker, span = asker_of(request), body.window
        actions = frozenset(body.actions)
        wish = Wish(CameraId(camera_id), actions, body.purpose, body.lifetime, span.since, span.until)
        # In the event loop, where nothing waits: a thread for each request costs more than all the rest.
        issued = issuer.draft_from_memory(asker, wish)
        if issued is None:
            issued = await run_in_threadpool(issuer.draft, asker, wish)
        await issuer.keep(issued)
        claims = issued.claims
        answer = TokenAnswer(
            token_id=claims.token_id,
            jwt=issued.jwt,
            handle=issued.handle,
            expires_at=claims.expires_at,
            session_until=claims.session_until,
        )
        # Written here: left to the framework, it would be checked once more, in a thread of its own.
        return Response(
            answer.model_dump_json(),
            status_code=201,
            headers={"Cache-Control": "no-store"},
            media_type="application/json",
        )

    @routes.delete("/tokens/{token_id}", status_code=204, **needs(None, on=On.SELF))
    def withdraw_token(token_id: UUID, asker: Asker) -> None:
        """Withdraw a token; what rests on it is cut within a second. Its own person may, and who may give the right."""
        with gate.noting(asker), db.writing() as session:
            withdrawals.withdraw(session, asker, TokenId(token_id))

    return routes


def jwks_routes(signer: TokenSigner) -> APIRouter:
    """Return the route of the public keys, at the root of the service."""
    routes = APIRouter(tags=["stream tokens"])

    @routes.get("/.well-known/jwks.json", **public("engines verify stream tokens with these public keys"))
    def public_keys(response: Response) -> PublicJwkSet:
        """Return the public keys that verify JWT stream tokens."""
        # Short: a new key signs from the moment it is made.
        response.headers["Cache-Control"] = "public, max-age=60"
        return PublicJwkSet.model_validate(signer.jwks())

    return routes

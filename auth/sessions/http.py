"""Routes of log-in sessions: tokens by password or refresh token, log-out, and who one is."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import Field, SecretStr

from auth.errors import NotAuthenticated
from auth.gate import Asker, On, needs, public
from auth.identities.rules import LONGEST_PASSWORD
from auth.identities.store import PersonStore
from auth.principal import PrincipalKind
from auth.sessions.service import LoginService
from auth.source import Sources
from vms_privacy.db import Database
from vms_privacy.ids import LoginSessionId, OperatorId, PersonId
from vms_privacy.web import Strict


class ByPassword(Strict):
    """The password grant (RFC 6749, 4.3), for our own clients."""

    grant_type: Literal["password"]
    username: Annotated[str, Field(max_length=127, description="the person's log-in")]
    password: Annotated[SecretStr, Field(max_length=LONGEST_PASSWORD)]


class ByRefreshToken(Strict):
    """The refresh grant (RFC 6749, 6). Each refresh token works once; the answer holds the next one."""

    grant_type: Literal["refresh_token"]
    refresh_token: Annotated[SecretStr, Field(max_length=200)]


class TokenAnswer(Strict):
    """What RFC 6749, 5.1 says. `expires_in` is in seconds. Keep the refresh token in the device's secure store."""

    access_token: str
    refresh_token: str
    expires_in: int
    token_type: Literal["Bearer"] = "Bearer"


class Me(Strict):
    """Who the access token belongs to. `operator_id` is absent for a platform admin."""

    person_id: PersonId
    login: str
    display_name: str
    kind: PrincipalKind
    operator_id: OperatorId | None
    session_id: LoginSessionId


def session_routes(db: Database, logins: LoginService, sources: Sources) -> APIRouter:
    """Return the routes under /api/v1/auth."""
    routes = APIRouter(prefix="/api/v1/auth", tags=["auth"])
    people = PersonStore()

    @routes.post("/token", **public("this is where somebody says who they are"))
    def get_tokens(
        wanted: Annotated[ByPassword | ByRefreshToken, Field(discriminator="grant_type")],
        source: Annotated[str, Depends(sources)],
        response: Response,
    ) -> TokenAnswer:
        """Log in with a password, or exchange a refresh token."""
        if isinstance(wanted, ByPassword):
            tokens = logins.log_in(wanted.username, wanted.password.get_secret_value(), source)
        else:
            tokens = logins.refresh(wanted.refresh_token.get_secret_value())
        # RFC 6749, 5.1.
        response.headers["Cache-Control"] = "no-store"
        return TokenAnswer(
            access_token=tokens.access_token, refresh_token=tokens.refresh_token, expires_in=tokens.expires_in
        )

    @routes.post("/logout", status_code=204, **needs(None, on=On.SELF))
    def log_out(asker: Asker) -> None:
        """End this session: its access and refresh tokens no longer count."""
        with db.writing() as session:
            logins.log_out(session, asker)

    @routes.get("/me", **needs(None, on=On.SELF))
    def read_me(asker: Asker) -> Me:
        """Return who the access token belongs to."""
        with db.reading() as session:
            person = None if asker.person_id is None else people.by_id(session, asker.person_id)
        if person is None or asker.session_id is None:
            raise NotAuthenticated("this access token belongs to nobody")
        return Me(
            person_id=person.id,
            login=person.login,
            display_name=person.display_name,
            kind=asker.kind,
            operator_id=person.operator_id,
            session_id=asker.session_id,
        )

    return routes

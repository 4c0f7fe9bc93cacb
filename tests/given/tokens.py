"""Everything that stream tokens and media sessions are made of, joined as the app joins it, of real parts."""

from datetime import timedelta
from pathlib import Path
from typing import Protocol

import httpx
from fastapi import FastAPI
from sqlalchemy import select

from auth.authenticate import Authenticate
from auth.backstop import GateBackstop
from auth.gate import Gate
from auth.grants.rules import Grant
from auth.grants.service import GrantService
from auth.media_sessions.door import MediaDoor
from auth.media_sessions.http import media_session_routes
from auth.media_sessions.loading import load_revocations
from auth.media_sessions.rules import Limits
from auth.media_sessions.service import MediaSessions
from auth.principal import Principal, Role
from auth.resources.rules import Resource
from auth.revocation.view import RevocationView
from auth.sessions.rules import ACCESS_PREFIX, Stranger
from auth.tokens.http import jwks_routes, token_routes
from auth.tokens.issuing import IssuedToken, TokenIssuer
from auth.tokens.judging import GrantJudge
from auth.tokens.rules import Action, Window
from auth.tokens.service import StreamTokens
from auth.tokens.signing import TokenSigner
from auth.tokens.wishes import Wish
from auth.tokens.withdrawing import TokenWithdrawals
from tests.given.access import Access
from vms_privacy.audit.events import Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.audit.refusals import RefusalCounter
from vms_privacy.audit.tables import EventRow
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.group_commit import GroupCommit
from vms_privacy.http.problems import install_problems
from vms_privacy.ids import Randomness, TokenId
from vms_privacy.journal.journal import Journal
from vms_privacy.keyring.file_keyring import FileKeyring

ISSUER = "vms-privacy"
AUDIENCE = "vms-privacy/stream"
MINUTES_5 = timedelta(minutes=5)


class Issues(Protocol):
    """Whatever can issue tokens: these parts, or a whole assembly."""

    @property
    def issuer(self) -> TokenIssuer: ...

    @property
    def group(self) -> GroupCommit: ...


def token_for(parts: Issues, asker: Principal, wish: Wish) -> IssuedToken:
    """Issue a token outside of an event loop."""
    token = parts.issuer.draft(asker, wish)
    parts.group.run(lambda session: parts.issuer.record(session, token))
    return token


class TokenParts:
    """One service's worth of parts around one operator `north` with the camera `door`, an owner and a viewer."""

    def __init__(
        self, db: Database, clock: Clock, randomness: Randomness, folder: Path, limits: Limits | None = None
    ) -> None:
        self.db, self.clock, self.randomness = db, clock, randomness
        self.group = GroupCommit(db)
        self.keyring = FileKeyring.create(folder / "keyring", clock, randomness)
        self.journal = Journal(folder / "journal", clock)
        self.audit = AuditLog(db, randomness)
        self.refusals = RefusalCounter(db, self.audit, clock)
        self.gate = Gate(db, clock, self.audit, self.refusals)
        self.grants = GrantService(self.audit, self.journal, clock, randomness)
        self.view = RevocationView(clock)
        self.view.hear_restrictions({})
        self.signer = TokenSigner(self.keyring, clock, ISSUER, AUDIENCE)
        self.judge = GrantJudge(db, clock, self.view)
        self.tokens = StreamTokens(db, clock, self.signer, self.judge, self.audit, self.refusals, self.view)
        self.issuer = TokenIssuer(db.engine.dialect, self.group, clock, randomness, self.signer, self.judge, self.audit)
        self.withdrawals = TokenWithdrawals(db, clock, self.signer, self.judge, self.audit, self.journal, self.view)
        self.sessions = MediaSessions(
            self.group, clock, randomness, self.audit, self.view, self.judge, limits or Limits()
        )
        self.door = MediaDoor(self.tokens, self.sessions)
        self.grants.on_change(self.sessions.hear_grant)
        self.withdrawals.on_withdrawn(self.sessions.hear_token)
        self.access = Access(db, randomness, clock.now())
        self.operator_id = self.access.operator("north")
        self.owner = self.access.person(self.operator_id, "owner@example.org")
        self.access.grant(self.owner, Role.OWNER)
        self.viewer = self.access.person(self.operator_id, "viewer@example.org")
        self.camera = self.access.camera(self.operator_id, "door")
        load_revocations(db, self.view, self.withdrawals)

    def app(self) -> FastAPI:
        app = FastAPI()
        app.state.gate = self.gate
        app.include_router(token_routes(self.db, self.gate, self.issuer, self.withdrawals))
        app.include_router(jwks_routes(self.signer))
        app.include_router(media_session_routes(self.db, self.gate, self.sessions, self.withdrawals))
        install_problems(app)
        return app

    def client(self, asker: Principal | None) -> httpx.AsyncClient:
        """Somebody who is logged in already; nobody for None."""

        def identify(_: str) -> Principal | Stranger:
            return asker or Stranger.unknown()

        transport = httpx.ASGITransport(app=GateBackstop(Authenticate(self.app(), identify, lambda _: None)))
        headers = {} if asker is None else {"Authorization": f"Bearer {ACCESS_PREFIX}.somebody"}
        return httpx.AsyncClient(transport=transport, base_url="http://service.example.org", headers=headers)

    def restart_view(self) -> None:
        """What a new process knows: what the tables say."""
        fresh = RevocationView(self.clock)
        fresh.hear_restrictions({})
        load_revocations(self.db, fresh, self.withdrawals)
        self.tokens = StreamTokens(self.db, self.clock, self.signer, self.judge, self.audit, self.refusals, fresh)

    def close(self) -> None:
        self.sessions.stop()
        self.group.close()
        self.journal.close()

    def issue(
        self,
        asker: Principal,
        *actions: Action,
        purpose: str = "archive_view",
        lifetime: timedelta = MINUTES_5,
        window: Window = (None, None),
        camera: Resource | None = None,
    ) -> IssuedToken:
        camera_id = (camera or self.camera).camera_id
        wish = Wish(camera_id, frozenset(actions or {Action.LIVE}), purpose, lifetime, *window)
        return token_for(self, asker, wish)

    def withdraw_grant(self, grant: Grant) -> None:
        with self.db.writing() as session:
            self.grants.withdraw(session, self.owner, self.operator_id, grant.id)

    def withdraw_token(self, actor: Principal, token_id: TokenId) -> None:
        with self.db.writing() as session:
            self.withdrawals.withdraw(session, actor, token_id)

    def events(self, *tags: Tag) -> list[EventRow]:
        """The events of these tags as the audit has them, oldest first."""
        with self.db.reading() as session:
            wanted = select(EventRow).where(EventRow.tag.in_([int(tag) for tag in tags])).order_by(EventRow.number)
            return list(session.scalars(wanted))

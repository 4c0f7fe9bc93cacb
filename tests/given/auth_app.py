"""The room `auth` put together as the service does it, on a test's own database; log-ins without hashing."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import event, select
from starlette.types import ASGIApp

from auth.authenticate import Authenticate
from auth.backstop import GateBackstop
from auth.gate import Gate
from auth.grants.http import grant_routes
from auth.grants.service import GrantService
from auth.identities.enrolment import Enrolment
from auth.identities.http import password_routes, person_routes
from auth.identities.passwords import Cost, Passwords
from auth.identities.service import PersonService
from auth.opaque import digest_of
from auth.operators.http import operator_routes
from auth.operators.rules import Regions
from auth.operators.service import OperatorService
from auth.principal import Principal
from auth.sessions.http import session_routes
from auth.sessions.memory import AccessMemory
from auth.sessions.service import LoginService
from auth.sessions.store import Digests, LoginSessionStore
from auth.source import Sources
from auth.throttle import Throttle
from tests.given.access import Access
from tests.given.clock import HandClock
from tests.given.randomness import CountedRandomness
from vms_privacy.audit.events import Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.audit.refusals import RefusalCounter
from vms_privacy.audit.tables import EventRow
from vms_privacy.db import Database
from vms_privacy.http.problems import install_problems
from vms_privacy.journal.journal import Journal

CHEAP = Cost(memory_kib=64, passes=1)


@dataclass(frozen=True, slots=True)
class Noted:
    """One audit event, as a test looks at it."""

    tag: Tag
    actor: str
    outcome: str
    operator_id: Any
    camera_id: Any
    reason: str
    detail: str


REGIONS = Regions("here", frozenset({"here", "elsewhere"}))


class AuthParts:
    """Every part of the room, joined. `client()` speaks HTTP to an app of its routes; `bearer` skips the log-in."""

    def __init__(self, db: Database, clock: HandClock, randomness: CountedRandomness, folder: Path) -> None:
        self.db = db
        self.clock = clock
        self.randomness = randomness
        self.access = Access(db, randomness)
        self.audit = AuditLog(db, randomness)
        self.refusals = RefusalCounter(db, self.audit, clock)
        self.journal = Journal(folder / "journal", clock)
        self.throttle = Throttle(clock)
        self.memory = AccessMemory(clock)
        self.passwords = Passwords(randomness, CHEAP)
        self.gate = Gate(db, clock, self.audit, self.refusals)
        self.operators = OperatorService(self.audit, clock, randomness, REGIONS)
        self.grants = GrantService(self.audit, self.journal, clock, randomness)
        self.people = PersonService(self.audit, self.journal, clock, randomness, self.grants, self.memory)
        secrets = (db, clock, randomness, self.passwords, self.audit, self.throttle, self.refusals, self.memory)
        self.logins = LoginService(*secrets)
        self.enrolment = Enrolment(*secrets)

    def app(self) -> FastAPI:
        app = FastAPI(redirect_slashes=False)
        app.state.gate = self.gate
        sources = Sources(lambda host: hashlib.sha256(host.encode()).hexdigest()[:16])
        app.include_router(session_routes(self.db, self.logins, sources))
        app.include_router(password_routes(self.enrolment, sources))
        app.include_router(person_routes(self.db, self.people, self.gate))
        app.include_router(operator_routes(self.db, self.operators))
        app.include_router(grant_routes(self.db, self.grants, self.gate, self.clock))
        install_problems(app)
        return app

    def around(self, app: ASGIApp) -> ASGIApp:
        return GateBackstop(Authenticate(app, self.logins.identify, self.logins.remembered))

    def client(self, app: FastAPI | None = None, host: str = "192.0.2.1") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.around(app or self.app()), client=(host, 40000))
        return httpx.AsyncClient(transport=transport, base_url="http://service.example.org")

    def bearer(self, principal: Principal | None) -> dict[str, str]:
        """The header of somebody who is logged in, without the hashing of a log-in; of nobody for None."""
        if principal is None:
            return {}
        assert principal.person_id is not None
        assert principal.session_id is not None
        token = f"a1.{principal.session_id}"
        now = self.clock.now()
        with self.db.writing() as session:
            if LoginSessionStore(self.memory).by_access(session.connection(), digest_of(token)) is None:
                digests = Digests(digest_of(f"f{token}"), digest_of(f"r{token}"), digest_of(token))
                LoginSessionStore(self.memory).add(
                    session,
                    principal.session_id,
                    principal.person_id,
                    digests,
                    now,
                    now + timedelta(minutes=15),
                    now + timedelta(days=30),
                )
        return {"Authorization": f"Bearer {token}"}

    @contextmanager
    def counted_statements(self) -> Iterator[list[str]]:
        """Every statement that reaches the database meanwhile."""
        seen: list[str] = []

        def see(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            seen.append(statement)

        event.listen(self.db.engine, "before_cursor_execute", see)
        try:
            yield seen
        finally:
            event.remove(self.db.engine, "before_cursor_execute", see)

    def noted(self, *tags: Tag) -> Sequence[Noted]:
        """The audit's events of these tags (all, without), in the order they were written."""
        with self.db.reading() as session:
            rows = session.scalars(select(EventRow).order_by(EventRow.number)).all()
        told = [
            Noted(Tag(row.tag), row.actor, row.outcome, row.operator_id, row.camera_id, row.reason, row.detail)
            for row in rows
        ]
        return [one for one in told if not tags or one.tag in tags]

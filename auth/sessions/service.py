"""Logging in, refreshing, logging out, and telling who an access token belongs to."""

from dataclasses import dataclass
from typing import Final, NoReturn

from sqlalchemy.orm import Session

from auth.errors import LogInRefused, NotAuthenticated
from auth.identities.passwords import Passwords
from auth.identities.rules import Person
from auth.identities.store import PersonStore
from auth.opaque import digest_of, new_opaque
from auth.principal import NOBODY, Principal, PrincipalKind
from auth.sessions.memory import AccessMemory
from auth.sessions.rules import (
    ACCESS_PREFIX,
    REFRESH_PREFIX,
    SESSION_LIFE,
    End,
    Stranger,
    WhyNot,
    access_until,
    judge_access,
    judge_refresh,
)
from auth.sessions.store import Digests, LoginSessionStore
from auth.throttle import PerMinute, Throttle, TooManyAttempts
from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.audit.refusals import RefusalCounter
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.ids import LoginSessionId, Randomness

# Refused log-ins that are stored one by one; beyond that they are only counted, so that nobody fills the disk.
STORED_REFUSALS_PER_MINUTE: Final = 120


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a successful log-in or refresh gives, once. `expires_in` is the access token's life in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int

    def __repr__(self) -> str:
        return "Tokens(hidden)"


@dataclass(frozen=True, slots=True)
class _Fresh:
    """New tokens with what is stored of them."""

    access: str
    refresh: str
    digests: Digests


class LoginService:
    """Works on the database itself, each call in short transactions of its own. `source` is a pseudonym."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        randomness: Randomness,
        passwords: Passwords,
        audit: AuditLog,
        throttle: Throttle,
        refusals: RefusalCounter,
        memory: AccessMemory,
    ) -> None:
        self._db = db
        self._clock = clock
        self._randomness = randomness
        self._passwords = passwords
        self._audit = audit
        self._throttle = throttle
        self._refusals = refusals
        self._stored_refusals = PerMinute(clock, STORED_REFUSALS_PER_MINUTE)
        self._people = PersonStore()
        self._memory = memory
        self._sessions = LoginSessionStore(memory)

    def log_in(self, login: str, password: str, source: str) -> Tokens:
        """Open a session. Raises LogInRefused, TooManyAttempts, HashingIsBusy.

        Unknown, disabled, without a password and wrong password are one answer, after the same work.
        """
        try:
            self._throttle.attempt(login, source)
        except TooManyAttempts as refusal:
            self._refusals.count(Tag.LOG_IN_REFUSED, refusal.code)
            raise
        with self._db.reading() as session:
            person, stored = self._people.by_login(session, login) or (None, None)
        fits = self._passwords.matches(stored, password)
        if not fits or person is None or stored is None or person.disabled_at is not None:
            self._refuse_log_in(person, login, source)
        self._throttle.succeeded(login, source)
        renewed = self._passwords.hash(password) if self._passwords.is_outdated(stored) else None
        return self._open(person, stored, renewed)

    def refresh(self, refresh_token: str) -> Tokens:
        """Exchange a refresh token for new tokens; it never works again.

        Raises NotAuthenticated. One that was exchanged before ends its whole family, and is in the audit.
        """
        family = refresh_token.rpartition(".")[0]
        with self._db.reading() as session:
            known = self._sessions.by_family(session, digest_of(family))
        if known is None:
            self._refuse_token(WhyNot.UNKNOWN)
        with self._db.writing() as session:
            tokens = self._rotate(session, family, refresh_token)
        if isinstance(tokens, WhyNot):
            self._refuse_token(tokens)
        return tokens

    def log_out(self, session: Session, asker: Principal) -> None:
        """End the asker's own session, with all its tokens. Twice is calm."""
        if asker.session_id is not None and self._sessions.end(
            session, asker.session_id, self._clock.now(), End.LOGGED_OUT
        ):
            self._note(session, Tag.LOGGED_OUT, asker)

    def identify(self, access_token: str) -> Principal | Stranger:
        """Say whose access token it is, or why it does not count. For `Authenticate`; one query by index."""
        digest, forgotten = digest_of(access_token), self._memory.forgotten
        with self._db.glancing() as connection:
            found = self._sessions.by_access(connection, digest)
        why = judge_access(found and found[0], self._clock.for_reading())
        if why is not None or found is None:
            return Stranger(why or WhyNot.UNKNOWN)
        self._memory.keep(digest, found, forgotten)
        return found[1]

    def remembered(self, access_token: str) -> Principal | None:
        """Say whose access token it is, if that was asked a moment ago and still counts; never waits."""
        found = self._memory.find(digest_of(access_token))
        return None if found is None or judge_access(found[0], self._clock.for_reading()) is not None else found[1]

    def _open(self, person: Person, stored: str, renewed: str | None) -> Tokens:
        session_id = LoginSessionId(self._randomness.uuid())
        kind = PrincipalKind.PLATFORM_ADMIN if person.operator_id is None else PrincipalKind.PERSON
        principal = Principal(kind, person.id, person.operator_id, session_id)
        fresh = self._fresh(new_opaque(self._randomness, REFRESH_PREFIX))
        # In doubt about the time it is judged by the later one, as every right: given by the earlier it would have
        # ended before it was used, and nobody could log in to settle the doubt.
        now, judged_from = self._clock.now(), self._clock.for_reading()
        expires_at = judged_from + SESSION_LIFE
        with self._db.writing() as session:
            # The hashing took its time: meanwhile the person may have been disabled or changed the password.
            known = self._people.by_login(session, person.login)
            if known is None or known[0].disabled_at is not None or known[1] != stored:
                raise LogInRefused
            if renewed is not None:
                self._people.set_password(session, person.id, renewed)
            self._sessions.forget_expired(session, person.id, now)
            until = access_until(expires_at, judged_from)
            self._sessions.add(session, session_id, person.id, fresh.digests, now, until, expires_at)
            self._note(session, Tag.LOGGED_IN, principal)
        return Tokens(fresh.access, fresh.refresh, int((until - judged_from).total_seconds()))

    def _rotate(self, session: Session, family: str, refresh_token: str) -> Tokens | WhyNot:
        found = self._sessions.by_family(session, digest_of(family))
        if found is None:
            return WhyNot.UNKNOWN
        login_session, principal = found
        now = self._clock.for_reading()
        why = judge_refresh(login_session, digest_of(refresh_token), now)
        if why is WhyNot.REPLAYED:
            self._sessions.end(session, login_session.id, self._clock.now(), End.REPLAYED)
            self._note(session, Tag.REFRESH_REPLAYED, principal, Outcome.REFUSED)
        if why is not None:
            return why
        fresh = self._fresh(family)
        until = access_until(login_session.expires_at, now)
        self._sessions.rotate(session, login_session.id, fresh.digests, until)
        self._note(session, Tag.SESSION_REFRESHED, principal)
        return Tokens(fresh.access, fresh.refresh, int((until - now).total_seconds()))

    def _fresh(self, family: str) -> _Fresh:
        access = new_opaque(self._randomness, ACCESS_PREFIX)
        refresh = new_opaque(self._randomness, family)
        return _Fresh(access, refresh, Digests(digest_of(family), digest_of(refresh), digest_of(access)))

    def _refuse_log_in(self, person: Person | None, login: str, source: str) -> NoReturn:
        """Leave a trace, the same work for known and unknown, and refuse."""
        if not self._stored_refusals.take():
            self._refusals.count(Tag.LOG_IN_REFUSED, LogInRefused.code)
        else:
            wait = self._throttle.wait_for(login, source)
            self._audit.note_refusal(
                Event(
                    tag=Tag.LOG_IN_REFUSED,
                    at=self._clock.now(),
                    actor=NOBODY.label,
                    outcome=Outcome.REFUSED,
                    operator_id=person.operator_id if person else None,
                    reason=LogInRefused.code,
                    detail={
                        "person": str(person.id) if person else None,
                        "source": source,
                        "wait_seconds": round(wait),
                    },
                )
            )
        raise LogInRefused

    def _refuse_token(self, why: WhyNot) -> NoReturn:
        self._refusals.count(Tag.LOG_IN_REFUSED, str(why))
        raise NotAuthenticated("this refresh token does not count; log in again", reason=str(why))

    def _note(self, session: Session, tag: Tag, principal: Principal, outcome: Outcome = Outcome.DONE) -> None:
        event = Event(
            tag=tag,
            at=self._clock.now(),
            actor=principal.label,
            outcome=outcome,
            operator_id=principal.operator_id,
            detail={"session": str(principal.session_id)},
        )
        self._audit.note(session, event)

"""Setting one's own password: with the code of an invitation, with the bootstrap code, or with the present one.

Hashing takes tens of milliseconds, so it happens between two short transactions; the second one looks again.
"""

from typing import NoReturn

from sqlalchemy.orm import Session

from auth.errors import CodeIsAnothers, CodeIsSpent, CodeIsUnknown, HasPlatformAdmin, WeakPassword, WrongPassword
from auth.identities.passwords import Passwords
from auth.identities.rules import (
    BOOTSTRAP_PREFIX,
    CODE_LIFE,
    CodeProblem,
    Person,
    judge_code,
    weakness_of,
)
from auth.identities.store import CodeStore, PersonStore
from auth.opaque import digest_of, new_opaque
from auth.principal import NOBODY, Principal, PrincipalKind
from auth.sessions.memory import AccessMemory
from auth.sessions.rules import End
from auth.sessions.store import LoginSessionStore
from auth.throttle import Throttle
from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.audit.refusals import RefusalCounter
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.errors import Refusal
from vms_privacy.ids import PersonId, Randomness


class Enrolment:
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
        self._people = PersonStore()
        self._codes = CodeStore()
        self._sessions = LoginSessionStore(memory)

    def make_bootstrap_code(self, session: Session) -> str:
        """Return the code that makes the first platform admin, for `init` to print once; the one before is void.

        Raises HasPlatformAdmin.
        """
        if self._people.has_platform_admin(session):
            raise HasPlatformAdmin
        code = new_opaque(self._randomness, BOOTSTRAP_PREFIX)
        now = self._clock.now()
        self._codes.add(session, digest_of(code), None, now, now + CODE_LIFE)
        return code

    def bootstrap(self, code: str, login: str, password: str, source: str) -> PersonId:
        """Make the first platform admin, once.

        Raises TooManyAttempts, CodeIsUnknown, CodeIsSpent, WeakPassword, NameIsTaken, HasPlatformAdmin.
        """
        self._check_code(code, source, for_a_person=False)
        password_hash = self._hash(password, login)
        person_id = PersonId(self._randomness.uuid())
        with self._db.writing() as session:
            self._judge(session, code, for_a_person=False)
            if self._people.has_platform_admin(session):
                raise HasPlatformAdmin
            now = self._clock.now()
            self._people.add(session, Person(person_id, None, login, login, True, now, None), password_hash)
            self._codes.void(session, None, now)
            actor = Principal(PrincipalKind.PLATFORM_ADMIN, person_id)
            self._audit.note(session, Event(Tag.PERSON_CREATED, now, actor.label, detail={"person": str(person_id)}))
        return person_id

    def enrol(self, code: str, password: str, source: str, login: str | None = None) -> Person:
        """Set the password of an invited person, once; whatever sessions they had are over.

        With a log-in only if it is theirs. Raises TooManyAttempts, CodeIsUnknown, CodeIsSpent, CodeIsAnothers,
        WeakPassword.
        """
        person = self._check_code(code, source, for_a_person=True)
        if person is None:
            self._refuse_code(CodeProblem.UNKNOWN)
        if login is not None and login != person.login:
            self._refuse_code(CodeProblem.ANOTHERS)
        password_hash = self._hash(password, person.login)
        with self._db.writing() as session:
            self._judge(session, code, for_a_person=True)
            self._codes.void(session, person.id, self._clock.now())
            self._set(session, Principal(PrincipalKind.PERSON, person.id, person.operator_id), password_hash)
        return person

    def change_password(self, asker: Principal, present: str, wanted: str) -> None:
        """Replace the asker's password; their other sessions are over.

        Raises WrongPassword, WeakPassword, TooManyAttempts: a stolen access token is no way to guess.
        """
        if asker.person_id is None:
            raise WrongPassword
        with self._db.reading() as session:
            person = self._people.by_id(session, asker.person_id)
            stored = self._people.password_of(session, asker.person_id)
        login = person.login if person else ""
        self._throttle.attempt(login, "")
        if not self._passwords.matches(stored, present):
            self._audit.note_refusal(self._changed(asker, Outcome.REFUSED))
            raise WrongPassword
        self._throttle.succeeded(login, "")
        password_hash = self._hash(wanted, login)
        with self._db.writing() as session:
            is_still_so = self._people.password_of(session, asker.person_id) == stored
            if is_still_so:
                self._set(session, asker, password_hash)
        if not is_still_so:
            self._audit.note_refusal(self._changed(asker, Outcome.REFUSED))
            raise WrongPassword

    def _set(self, session: Session, person: Principal, password_hash: str) -> None:
        if person.person_id is None:
            raise ValueError("only a person has a password")
        self._people.set_password(session, person.person_id, password_hash)
        now = self._clock.now()
        self._sessions.end_all(session, person.person_id, now, End.PASSWORD_CHANGED, keep=person.session_id)
        self._audit.note(session, self._changed(person, Outcome.DONE))

    def _check_code(self, code: str, source: str, *, for_a_person: bool) -> Person | None:
        """Judge a code before the costly hashing; guesses are slowed down by source."""
        self._throttle.attempt("", source)
        with self._db.reading() as session:
            person = self._judge(session, code, for_a_person=for_a_person)
        self._throttle.succeeded("", source)
        return person

    def _judge(self, session: Session, code: str, *, for_a_person: bool) -> Person | None:
        found = self._codes.by_digest(session, digest_of(code))
        problem = judge_code(found, for_a_person=for_a_person, now=self._clock.for_reading())
        if problem is not None or found is None:
            self._refuse_code(problem or CodeProblem.UNKNOWN)
        return None if found.person_id is None else self._people.by_id(session, found.person_id)

    def _refuse_code(self, problem: CodeProblem) -> NoReturn:
        refusal: Refusal
        match problem:
            case CodeProblem.UNKNOWN:
                refusal = CodeIsUnknown()
            case CodeProblem.ANOTHERS:
                refusal = CodeIsAnothers()
            case CodeProblem.USED | CodeProblem.EXPIRED:
                refusal = CodeIsSpent()
        self._refusals.count(Tag.LOG_IN_REFUSED, refusal.code)
        raise refusal

    def _hash(self, password: str, login: str) -> str:
        weakness = weakness_of(password, login)
        if weakness is not None:
            raise WeakPassword("this password is too easy to guess or of a wrong length", weakness=str(weakness))
        return self._passwords.hash(password)

    def _changed(self, person: Principal, outcome: Outcome) -> Event:
        return Event(
            tag=Tag.PASSWORD_CHANGED,
            at=self._clock.now(),
            actor=(person if person.person_id else NOBODY).label,
            outcome=outcome,
            operator_id=person.operator_id,
            reason=WrongPassword.code if outcome is Outcome.REFUSED else "",
        )

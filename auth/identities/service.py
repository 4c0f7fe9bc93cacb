"""People of an operator: invited by whoever gives rights there, disabled at once and for good."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from auth.errors import HasAnOwner, NotFound, PersonIsDisabled
from auth.grants.service import GrantService
from auth.identities.rules import CODE_LIFE, ENROLMENT_PREFIX, Person
from auth.identities.store import CodeStore, PersonStore
from auth.opaque import digest_of, new_opaque
from auth.operators.store import OperatorStore
from auth.principal import Principal
from auth.sessions.memory import AccessMemory
from auth.sessions.rules import End
from auth.sessions.store import LoginSessionStore
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import after_commit
from vms_privacy.ids import OperatorId, PersonId, Randomness
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalKind


@dataclass(frozen=True, slots=True)
class Invitation:
    """A new code with which a person sets their password, once. Shown to the inviter, never stored in clear."""

    person_id: PersonId
    code: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"Invitation({self.person_id}, hidden)"


class PersonService:
    """Invites, lists and disables people. Takes a session, never commits; nobody sets another's password.

    Run the calls inside of `gate.noting(asker)`: their NotAllowed and NotFound are refusals of a known person.
    """

    def __init__(
        self,
        audit: AuditLog,
        journal: Journal,
        clock: Clock,
        randomness: Randomness,
        grants: GrantService,
        memory: AccessMemory,
    ) -> None:
        self._audit = audit
        self._journal = journal
        self._clock = clock
        self._randomness = randomness
        self._grants = grants
        self._people = PersonStore()
        self._codes = CodeStore()
        self._sessions = LoginSessionStore(memory)
        self._operators = OperatorStore()
        self._listeners: list[Callable[[PersonId], None]] = []

    def on_disabled(self, listener: Callable[[PersonId], None]) -> None:
        """Call `listener` after the commit of a disabling, in the committing thread. For the assembly only."""
        self._listeners.append(listener)

    def create(
        self, session: Session, actor: Principal, operator_id: OperatorId, login: str, display_name: str
    ) -> Invitation:
        """Invite a new person who may do nothing yet. Raises NameIsTaken, NotFound."""
        if self._operators.by_id(session, operator_id) is None:
            raise NotFound
        person_id = PersonId(self._randomness.uuid())
        person = Person(person_id, operator_id, login, display_name, False, self._clock.now(), None)
        self._people.add(session, person)
        self._note(session, Tag.PERSON_CREATED, actor, person)
        return self._invite(session, person_id)

    def create_first_owner(
        self, session: Session, actor: Principal, operator_id: OperatorId, login: str, display_name: str
    ) -> Invitation:
        """Invite an operator's first owner, in place of one who was invited and never came; the same one anew.

        Raises HasAnOwner once anybody of the operator has set a password, NotFound, NameIsTaken.
        """
        if self._people.has_come(session, operator_id):
            raise HasAnOwner
        kept: Person | None = None
        for person in self._people.not_disabled(session, operator_id):
            if person.login == login:
                kept = person
            else:
                self._disable(session, actor, person)
        if kept is not None:
            # Nobody who could have taken it back has come yet: everything over the operator is theirs already.
            self._note(session, Tag.PERSON_INVITED, actor, kept)
            return self._invite(session, kept.id)
        invitation = self.create(session, actor, operator_id, login, display_name)
        self._grants.give_owner(session, actor, operator_id, invitation.person_id)
        return invitation

    def invite(self, session: Session, asker: Principal, operator_id: OperatorId, person_id: PersonId) -> Invitation:
        """Give out a new code; codes before it no longer count, the password works until another is set.

        Raises NotFound, PersonIsDisabled, NotAllowed for somebody who may do what the asker may not give.
        """
        person = self._theirs(session, operator_id, person_id)
        if person.disabled_at is not None:
            raise PersonIsDisabled
        self._grants.check_may_become(session, asker, person_id)
        self._note(session, Tag.PERSON_INVITED, asker, person)
        return self._invite(session, person_id)

    def disable(self, session: Session, asker: Principal, operator_id: OperatorId, person_id: PersonId) -> Person:
        """End a person's sessions and rights at once and for good. Disabling twice is calm.

        Raises NotFound, NotAllowed, LastOwner.
        """
        person = self._theirs(session, operator_id, person_id)
        if person.disabled_at is None:
            self._grants.check_may_disable(session, asker, person_id)
            self._grants.check_owner_besides(session, operator_id, person_id)
            self._disable(session, asker, person)
        return self._theirs(session, operator_id, person_id)

    def end_all(self, session: Session, actor: Principal, operator_id: OperatorId) -> int:
        """Disable everybody of an operator that leaves, its owners too; return how many. Twice is calm.

        Only an off-boarding calls this. Each is in the custody journal before it returns.
        """
        people = self._people.not_disabled(session, operator_id)
        for person in people:
            self._disable(session, actor, person)
        return len(people)

    def of_operator(self, session: Session, operator_id: OperatorId, after: str = "", limit: int = 100) -> list[Person]:
        """Return people by log-in, from behind the log-in `after`."""
        return self._people.of_operator(session, operator_id, after, limit)

    def _disable(self, session: Session, actor: Principal, person: Person) -> None:
        now = self._clock.now()
        self._people.disable(session, person.id, now)
        self._codes.void(session, person.id, now)
        self._sessions.end_all(session, person.id, now, End.PERSON_DISABLED)
        self._note(session, Tag.PERSON_DISABLED, actor, person)
        self._journal.append(JournalKind.REVOCATION, {"person_id": str(person.id), "act": "disabled"})

        def tell() -> None:
            for listener in self._listeners:
                listener(person.id)

        after_commit(session, tell)

    def _invite(self, session: Session, person_id: PersonId) -> Invitation:
        code = new_opaque(self._randomness, ENROLMENT_PREFIX)
        now = self._clock.now()
        self._codes.add(session, digest_of(code), person_id, now, now + CODE_LIFE)
        return Invitation(person_id, code, now + CODE_LIFE)

    def _theirs(self, session: Session, operator_id: OperatorId, person_id: PersonId) -> Person:
        person = self._people.by_id(session, person_id)
        if person is None or person.operator_id != operator_id:
            raise NotFound
        return person

    def _note(self, session: Session, tag: Tag, actor: Principal, person: Person) -> None:
        event = Event(
            tag=tag,
            at=self._clock.now(),
            actor=actor.label,
            operator_id=person.operator_id,
            detail={"person": str(person.id)},
        )
        self._audit.note(session, event)

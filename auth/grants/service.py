"""Giving, changing and withdrawing grants. Every act is checked against what its actor holds, in its transaction."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.orm import Session

from auth.errors import LastOwner, NotAllowed, NotFound, OperatorIsLeaving, StaleVersion, TermsAreWrong
from auth.grants.rules import (
    Grant,
    Refused,
    Scope,
    Terms,
    flaw_of,
    judge_sight,
    leaves_an_owner,
    may_become,
    may_disable,
    may_give,
    may_take,
)
from auth.grants.store import GrantStore
from auth.identities.store import PersonStore
from auth.principal import GIVES_FOOTAGE_AWAY, RIGHTS_OF, Principal, Right, Role
from auth.resources.store import ResourceStore
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import after_commit
from vms_privacy.ids import CameraId, GrantId, OperatorId, PersonId, Randomness
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalKind

_EVENT_OF: Final = {True: Tag.GRANT_WITHDRAWN, False: Tag.GRANT_CHANGED}


@dataclass(frozen=True, slots=True)
class GrantChange:
    """What listeners are told once a grant is given, changed or withdrawn. `camera_id` None: more than one camera."""

    grant_id: GrantId
    version: int
    person_id: PersonId
    camera_id: CameraId | None


class GrantService:
    """Rights of one operator's people. Takes a session, never commits; raises before it writes.

    Run the calls inside of `gate.noting(asker)`: their NotAllowed and NotFound are refusals of a known person.
    """

    def __init__(self, audit: AuditLog, journal: Journal, clock: Clock, randomness: Randomness) -> None:
        self._audit = audit
        self._journal = journal
        self._clock = clock
        self._randomness = randomness
        self._grants = GrantStore()
        self._people = PersonStore()
        self._resources = ResourceStore()
        self._listeners: list[Callable[[GrantChange], None]] = []

    def on_change(self, listener: Callable[[GrantChange], None]) -> None:
        """Call `listener` after the commit of every change, in the committing thread. For the assembly only."""
        self._listeners.append(listener)

    def grant(self, session: Session, asker: Principal, person_id: PersonId, scope: Scope, terms: Terms) -> Grant:
        """Give a person of the same operator rights over a scope.

        Raises NotFound for a person or camera that is not the operator's, NotAllowed for more than the asker holds,
        OperatorIsLeaving for a right to footage of an operator that leaves.
        """
        held, now = self._held(session, asker), self._clock.for_reading()
        if scope.camera_id is not None:
            camera = judge_sight(asker, self._resources.by_id(session, scope.camera_id), held, now)
            if isinstance(camera, Refused) or camera.operator_id != scope.operator_id:
                raise NotFound
            scope = Scope.of(camera)
        person = self._people.by_id(session, person_id)
        if person is None or person.operator_id != scope.operator_id or person.disabled_at is not None:
            raise NotFound
        _check(may_give(asker, held, scope, terms, now))
        self._check_terms(terms)
        self._check_stays(session, scope.operator_id, terms.rights)
        return self._give(session, asker, person_id, scope, terms)

    def give_owner(self, session: Session, actor: Principal, operator_id: OperatorId, person_id: PersonId) -> Grant:
        """Give everything over an operator to its first owner. Only `PersonService.create_first_owner` calls this."""
        terms = Terms(rights=RIGHTS_OF[Role.OWNER], valid_from=self._clock.now(), role=Role.OWNER)
        return self._give(session, actor, person_id, Scope(operator_id), terms)

    def change(
        self, session: Session, asker: Principal, operator_id: OperatorId, grant_id: GrantId, version: int, terms: Terms
    ) -> Grant:
        """Replace the terms of a grant, under the next version; what rests on it is judged again at once.

        The asker must be able to take what it was and to give what it becomes. Raises NotFound, NotAllowed,
        TermsAreWrong, StaleVersion, LastOwner, OperatorIsLeaving.
        """
        held, now = self._held(session, asker), self._clock.for_reading()
        grant = self._living(session, operator_id, grant_id, self._reach(held))
        _check(may_take(asker, held, grant, now))
        _check(may_give(asker, held, grant.scope, terms, now))
        self._check_terms(terms)
        if grant.version != version:
            raise StaleVersion(grant.version)
        # Whoever has it already may keep it; in other terms it reaches what it did not.
        self._check_stays(session, operator_id, terms.rights)
        return self._replace(session, asker, replace(grant, terms=terms, version=version + 1))

    def withdraw(self, session: Session, asker: Principal, operator_id: OperatorId, grant_id: GrantId) -> Grant:
        """End a grant for good; what rests on it is cut within a second. Raises NotFound, NotAllowed, LastOwner.

        The custody journal has it before this is answered, so that restoring an older database cannot bring it back.
        """
        held = self._held(session, asker)
        grant = self._living(session, operator_id, grant_id, self._reach(held))
        _check(may_take(asker, held, grant, self._clock.for_reading()))
        return self._replace(session, asker, replace(grant, withdrawn_at=self._clock.now(), version=grant.version + 1))

    def end_all(self, session: Session, actor: Principal, operator_id: OperatorId) -> int:
        """End every grant of an operator that leaves, its owners' too; return how many. Twice is calm.

        Only an off-boarding calls this. Each is in the custody journal before it returns.
        """
        held = self._grants.of_operator(session, operator_id)
        now = self._clock.now()
        for grant in held:
            self._put(session, actor, replace(grant, withdrawn_at=now, version=grant.version + 1))
        return len(held)

    def within_reach(
        self, session: Session, asker: Principal, operator_id: OperatorId, person_id: PersonId | None = None
    ) -> list[Grant]:
        """Return the grants, of one person or of all, whose scope the asker's right to give reaches; oldest first."""
        reach = self._reach(self._held(session, asker))
        return [
            grant
            for grant in self._grants.of_operator(session, operator_id)
            if person_id in {None, grant.person_id} and any(scope.contains(grant.scope) for scope in reach)
        ]

    def held_by(self, session: Session, asker: Principal) -> list[Grant]:
        """Return what somebody holds, in force or not yet."""
        return self._held(session, asker)

    def check_may_become(self, session: Session, asker: Principal, person_id: PersonId) -> None:
        """Let pass who may invite a person anew. Raises NotAllowed."""
        _check(may_become(asker, *self._both(session, asker, person_id), self._clock.for_reading()))

    def check_may_disable(self, session: Session, asker: Principal, person_id: PersonId) -> None:
        """Let pass who may disable a person. Raises NotAllowed."""
        _check(may_disable(asker, *self._both(session, asker, person_id), self._clock.for_reading()))

    def check_owner_besides(self, session: Session, operator_id: OperatorId, person_id: PersonId) -> None:
        """Let pass if the operator keeps an owner without this person. Raises LastOwner."""
        others = [one for one in self._grants.of_operator(session, operator_id) if one.person_id != person_id]
        self._check_owner(session, operator_id, others)

    def _give(self, session: Session, actor: Principal, person_id: PersonId, scope: Scope, terms: Terms) -> Grant:
        grant = Grant(GrantId(self._randomness.uuid()), person_id, scope, terms, version=1)
        self._grants.add(session, grant, self._clock.now())
        self._audit.note(session, self._event(Tag.GRANTED, actor, grant))
        self._tell_after_commit(session, grant)
        return grant

    def _replace(self, session: Session, actor: Principal, grant: Grant) -> Grant:
        others = [one for one in self._grants.of_operator(session, grant.scope.operator_id) if one.id != grant.id]
        self._check_owner(session, grant.scope.operator_id, [*others, grant])
        return self._put(session, actor, grant)

    def _put(self, session: Session, actor: Principal, grant: Grant) -> Grant:
        self._grants.put(session, grant)
        withdrawn = grant.withdrawn_at is not None
        self._audit.note(session, self._event(_EVENT_OF[withdrawn], actor, grant))
        self._journal.append(
            JournalKind.REVOCATION,
            {
                "operator_id": str(grant.scope.operator_id),
                "grant_id": str(grant.id),
                "version": grant.version,
                "act": "withdrawn" if withdrawn else "changed",
            },
        )
        self._tell_after_commit(session, grant)
        return grant

    def _check_owner(self, session: Session, operator_id: OperatorId, afterwards: Iterable[Grant]) -> None:
        now = self._clock.now()
        had_one = leaves_an_owner(self._grants.of_operator(session, operator_id), now)
        if had_one and not leaves_an_owner(afterwards, now):
            raise LastOwner

    def _check_stays(self, session: Session, operator_id: OperatorId, rights: Iterable[Right]) -> None:
        if not GIVES_FOOTAGE_AWAY.isdisjoint(rights) and self._resources.is_leaving(session, operator_id):
            raise OperatorIsLeaving

    def _check_terms(self, terms: Terms) -> None:
        flaw = flaw_of(terms, self._clock.now())
        if flaw:
            raise TermsAreWrong(flaw)

    def _living(self, session: Session, operator_id: OperatorId, grant_id: GrantId, reach: list[Scope]) -> Grant:
        grant = self._grants.by_id(session, operator_id, grant_id)
        if grant is None or grant.withdrawn_at is not None or not any(one.contains(grant.scope) for one in reach):
            raise NotFound
        return grant

    def _reach(self, held: Iterable[Grant]) -> list[Scope]:
        """Return where somebody may give rights at all."""
        now = self._clock.for_reading()
        return [grant.scope for grant in held if Right.GRANT in grant.terms.rights and grant.is_in_force(now)]

    def _held(self, session: Session, asker: Principal) -> list[Grant]:
        if asker.person_id is None:
            return []
        return self._grants.held_by(session, (asker.person_id,))[asker.person_id]

    def _both(self, session: Session, asker: Principal, person_id: PersonId) -> tuple[list[Grant], list[Grant]]:
        found = self._grants.held_by(session, {person_id, *([asker.person_id] if asker.person_id else [])})
        return found.get(asker.person_id, []) if asker.person_id else [], found[person_id]

    def _event(self, tag: Tag, actor: Principal, grant: Grant) -> Event:
        return Event(
            tag=tag,
            at=self._clock.now(),
            actor=actor.label,
            operator_id=grant.scope.operator_id,
            camera_id=grant.scope.camera_id,
            detail={
                "grant": str(grant.id),
                "person": str(grant.person_id),
                "rights": ",".join(sorted(grant.terms.rights)),
                "version": grant.version,
            },
        )

    def _tell_after_commit(self, session: Session, grant: Grant) -> None:
        change = GrantChange(grant.id, grant.version, grant.person_id, grant.scope.camera_id)

        def tell() -> None:
            for listener in self._listeners:
                listener(change)

        after_commit(session, tell)


def _check(refused: Refused | None) -> None:
    if refused is None:
        return
    if not refused.visible:
        raise NotFound
    raise NotAllowed("this is more than you may give")

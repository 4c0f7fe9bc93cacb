"""Rights that the custody journal says were taken away: taken away again, for a restore; and all versions raised.

What a grant was changed to is not in the journal: one that was changed since the copy is withdrawn, and somebody gives
it anew. The last owner of an operator keeps what the copy says: without one nobody could.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from auth.grants.rules import Grant, leaves_an_owner
from auth.grants.store import GrantStore
from auth.identities.store import CodeStore, PersonStore
from auth.sessions.memory import AccessMemory
from auth.sessions.rules import End
from auth.sessions.store import LoginSessionStore
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.ids import GrantId, OperatorId, PersonId
from vms_privacy.journal.rules import JournalEntry, JournalKind

_ACTOR: Final = "worker:replay"


@dataclass(slots=True)
class TakenAway:
    """What was taken away again. `changed`: withdrawn since their terms are not known; `owners`: kept as they were."""

    withdrawn: list[GrantId] = field(default_factory=list)
    changed: list[GrantId] = field(default_factory=list)
    owners: list[GrantId] = field(default_factory=list)
    disabled: list[PersonId] = field(default_factory=list)
    sessions: int = 0
    codes: int = 0


class Revocations:
    """Takes rights away again. Takes a session, never commits; nobody looks while it does."""

    def __init__(self, audit: AuditLog, clock: Clock, memory: AccessMemory) -> None:
        self._audit = audit
        self._clock = clock
        self._grants = GrantStore()
        self._people = PersonStore()
        self._codes = CodeStore()
        self._sessions = LoginSessionStore(memory)

    def replay(self, session: Session, entries: Iterable[JournalEntry]) -> TakenAway:
        """Withdraw, disable, raise every version past all that the journal tells of, and end every log-in session.

        Every token names the version of its grant: none of them opens anything afterwards. May be repeated.
        """
        told = [entry.facts for entry in entries if entry.kind is JournalKind.REVOCATION]
        done = TakenAway()
        for facts in told:
            if "person_id" in facts:
                self._disable(session, PersonId(UUID(str(facts["person_id"]))), done)
        named = [facts for facts in told if "grant_id" in facts]
        withdrawn = {GrantId(UUID(str(facts["grant_id"]))) for facts in named if facts["act"] == "withdrawn"}
        versions: dict[GrantId, int] = {}
        for facts in named:
            grant_id = GrantId(UUID(str(facts["grant_id"])))
            versions[grant_id] = max(versions.get(grant_id, 0), int(facts["version"] or 0))
        of = {GrantId(UUID(str(f["grant_id"]))): OperatorId(UUID(str(f["operator_id"]))) for f in named}
        for grant_id, version in sorted(versions.items()):
            grant = self._grants.by_id(session, of[grant_id], grant_id)
            if grant is None or grant.withdrawn_at is not None:
                continue
            if grant_id in withdrawn:
                self._withdraw(session, grant, done.withdrawn)
            elif grant.version < version and self._keeps_an_owner(session, grant):
                self._withdraw(session, grant, done.changed)
            elif grant.version < version:
                done.owners.append(grant_id)
        self._grants.raise_versions(session, versions)
        now = self._clock.now()
        done.sessions = self._sessions.end_everybodys(session, now, End.DATABASE_RESTORED)
        done.codes = self._codes.void_all(session, now)
        return done

    def _disable(self, session: Session, person_id: PersonId, done: TakenAway) -> None:
        person = self._people.by_id(session, person_id)
        if person is None or person.disabled_at is not None:
            return
        now = self._clock.now()
        self._people.disable(session, person_id, now)
        detail: dict[str, str | int | bool | None] = {"person": str(person_id)}
        event = Event(Tag.PERSON_DISABLED, now, _ACTOR, operator_id=person.operator_id, detail=detail)
        self._audit.note(session, event)
        done.disabled.append(person_id)

    def _keeps_an_owner(self, session: Session, grant: Grant) -> bool:
        others = [one for one in self._grants.of_operator(session, grant.scope.operator_id) if one.id != grant.id]
        return leaves_an_owner(others, self._clock.now())

    def _withdraw(self, session: Session, grant: Grant, noted: list[GrantId]) -> None:
        now = self._clock.now()
        self._grants.put(session, replace(grant, withdrawn_at=now, version=grant.version + 1))
        event = Event(
            Tag.GRANT_WITHDRAWN,
            now,
            _ACTOR,
            operator_id=grant.scope.operator_id,
            camera_id=grant.scope.camera_id,
            reason="from-the-journal",
            detail={"grant": str(grant.id), "person": str(grant.person_id)},
        )
        self._audit.note(session, event)
        noted.append(grant.id)

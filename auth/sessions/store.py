"""Queries over log-in sessions; each look-up is one query by a unique index."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, bindparam, delete, select, true, update
from sqlalchemy.orm import Session

from auth.identities.tables import PersonRow
from auth.principal import Principal, PrincipalKind
from auth.sessions.memory import AccessMemory
from auth.sessions.rules import End, LoginSession
from auth.sessions.tables import LoginSessionRow
from vms_privacy.db import after_commit, changed
from vms_privacy.ids import LoginSessionId, OperatorId, PersonId

# Each request asks for the first: built once, and run past the session's own machinery.
_WITH_PERSON: Final = select(
    *LoginSessionRow.__table__.columns, PersonRow.operator_id, PersonRow.is_platform_admin, PersonRow.disabled_at
).join(PersonRow, PersonRow.id == LoginSessionRow.person_id)
_BY_ACCESS: Final = _WITH_PERSON.where(LoginSessionRow.access_digest == bindparam("digest"))
_BY_FAMILY: Final = _WITH_PERSON.where(LoginSessionRow.family_digest == bindparam("digest"))


@dataclass(frozen=True, slots=True)
class Digests:
    """What is stored of the tokens a session gives out."""

    family: bytes
    refresh: bytes
    access: bytes


class LoginSessionStore:
    """Reads and writes log-in sessions; every call takes a session of the database.

    What ends or rotates one lets `memory` forget it with the commit.
    """

    def __init__(self, memory: AccessMemory) -> None:
        self._memory = memory

    def by_access(self, connection: Connection, digest: bytes) -> tuple[LoginSession, Principal] | None:
        """Return the log-in session whose current access token has this digest, and whose it is."""
        return _known(connection.execute(_BY_ACCESS, {"digest": digest}).one_or_none())

    def by_family(self, session: Session, digest: bytes) -> tuple[LoginSession, Principal] | None:
        """Return the log-in session of a family; two refreshes with one token are decided in turn by `writing()`."""
        return _known(session.connection().execute(_BY_FAMILY, {"digest": digest}).one_or_none())

    def add(
        self,
        session: Session,
        session_id: LoginSessionId,
        person_id: PersonId,
        digests: Digests,
        opened_at: datetime,
        access_expires_at: datetime,
        expires_at: datetime,
    ) -> None:
        """Write a new log-in session."""
        session.add(
            LoginSessionRow(
                id=session_id,
                person_id=person_id,
                family_digest=digests.family,
                refresh_digest=digests.refresh,
                access_digest=digests.access,
                access_expires_at=access_expires_at,
                opened_at=opened_at,
                expires_at=expires_at,
            )
        )
        session.flush()

    def rotate(
        self, session: Session, session_id: LoginSessionId, digests: Digests, access_expires_at: datetime
    ) -> None:
        """Replace both tokens of a session; the ones before no longer work."""
        row = session.get_one(LoginSessionRow, session_id)
        row.refresh_digest = digests.refresh
        row.access_digest = digests.access
        row.access_expires_at = access_expires_at
        session.flush()
        after_commit(session, self._memory.forget)

    def end(self, session: Session, session_id: LoginSessionId, at: datetime, why: End) -> bool:
        """End one session; say whether it was open."""
        return self._end(session, LoginSessionRow.id == session_id, at, why) > 0

    def end_all(
        self, session: Session, person_id: PersonId, at: datetime, why: End, keep: LoginSessionId | None = None
    ) -> int:
        """End every session of a person but the one to keep; return how many were open."""
        others = LoginSessionRow.person_id == person_id
        if keep is not None:
            others &= LoginSessionRow.id != keep
        return self._end(session, others, at, why)

    def end_everybodys(self, session: Session, at: datetime, why: End) -> int:
        """End every session there is; return how many were open."""
        return self._end(session, true(), at, why)

    def forget_expired(self, session: Session, person_id: PersonId, now: datetime) -> None:
        """Remove what a person's sessions have left behind past their absolute end; no token of theirs works."""
        gone = delete(LoginSessionRow).where(LoginSessionRow.person_id == person_id, LoginSessionRow.expires_at <= now)
        session.execute(gone)

    def _end(self, session: Session, which: ColumnElement[bool], at: datetime, why: End) -> int:
        after_commit(session, self._memory.forget)
        ended = update(LoginSessionRow).where(which, LoginSessionRow.ended_at.is_(None))
        return changed(session, ended.values(ended_at=at, ended_why=str(why)))


def _known(row: Any) -> tuple[LoginSession, Principal] | None:
    if row is None:
        return None
    kind = PrincipalKind.PLATFORM_ADMIN if row.is_platform_admin else PrincipalKind.PERSON
    operator_id = None if row.operator_id is None else OperatorId(row.operator_id)
    session_id, person_id = LoginSessionId(row.id), PersonId(row.person_id)
    login_session = LoginSession(
        id=session_id,
        person_id=person_id,
        expires_at=row.expires_at,
        access_expires_at=row.access_expires_at,
        refresh_digest=row.refresh_digest,
        ended_at=row.ended_at,
        person_is_disabled=row.disabled_at is not None,
    )
    return login_session, Principal(kind, person_id, operator_id, session_id)

"""Queries over people and their codes."""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from auth.errors import NameIsTaken
from auth.identities.rules import Code, Person, is_login
from auth.identities.tables import CodeRow, PersonRow
from vms_privacy.db import changed
from vms_privacy.ids import OperatorId, PersonId


class PersonStore:
    """Reads and writes people. Holds nothing itself; every call takes a session."""

    def add(self, session: Session, person: Person, password_hash: str | None = None) -> None:
        """Write a new person. Raises NameIsTaken."""
        session.add(
            PersonRow(
                id=person.id,
                operator_id=person.operator_id,
                login=person.login,
                display_name=person.display_name,
                password_hash=password_hash,
                is_platform_admin=person.operator_id is None,
                created_at=person.created_at,
            )
        )
        try:
            session.flush()
        except IntegrityError:
            raise NameIsTaken from None

    def by_id(self, session: Session, person_id: PersonId) -> Person | None:
        """Return a person of whatever operator; the caller compares."""
        row = session.get(PersonRow, person_id)
        return None if row is None else _person(row)

    def by_login(self, session: Session, login: str) -> tuple[Person, str | None] | None:
        """Return a person and their password's digest."""
        if not is_login(login):
            return None
        row = session.scalars(select(PersonRow).where(PersonRow.login == login)).one_or_none()
        return None if row is None else (_person(row), row.password_hash)

    def password_of(self, session: Session, person_id: PersonId) -> str | None:
        """Return the digest of a person's password; None if there is none, or no such person."""
        return session.scalars(select(PersonRow.password_hash).where(PersonRow.id == person_id)).one_or_none()

    def of_operator(self, session: Session, operator_id: OperatorId, after: str, limit: int) -> list[Person]:
        """Return an operator's people by log-in, from behind the log-in `after`, at most `limit`."""
        wanted = select(PersonRow).where(PersonRow.operator_id == operator_id, PersonRow.login > after)
        return [_person(row) for row in session.scalars(wanted.order_by(PersonRow.login).limit(limit))]

    def has_come(self, session: Session, operator_id: OperatorId) -> bool:
        """Say whether anybody of an operator has ever set a password."""
        came = select(PersonRow.id).where(PersonRow.operator_id == operator_id, PersonRow.password_hash.is_not(None))
        return session.scalars(came.limit(1)).first() is not None

    def not_disabled(self, session: Session, operator_id: OperatorId) -> list[Person]:
        """Return an operator's people who are not disabled, all of them."""
        living = select(PersonRow).where(PersonRow.operator_id == operator_id, PersonRow.disabled_at.is_(None))
        return [_person(row) for row in session.scalars(living)]

    def has_platform_admin(self, session: Session) -> bool:
        """Say whether there is a platform admin, disabled or not."""
        return (
            session.scalars(select(PersonRow.id).where(PersonRow.is_platform_admin).limit(1)).one_or_none() is not None
        )

    def disabled(self, session: Session) -> frozenset[PersonId]:
        """Return everybody who is disabled, for the revocation view at start."""
        found = session.scalars(select(PersonRow.id).where(PersonRow.disabled_at.is_not(None)))
        return frozenset(PersonId(person_id) for person_id in found)

    def set_password(self, session: Session, person_id: PersonId, password_hash: str) -> None:
        """Replace the digest of a person's password."""
        session.get_one(PersonRow, person_id).password_hash = password_hash
        session.flush()

    def disable(self, session: Session, person_id: PersonId, at: datetime) -> None:
        """Mark a person as disabled."""
        session.get_one(PersonRow, person_id).disabled_at = at
        session.flush()


class CodeStore:
    """Reads and writes single-use codes, by their digest."""

    def add(self, session: Session, digest: bytes, person_id: PersonId | None, at: datetime, until: datetime) -> None:
        """Write a new code; the ones before it, for the same person, no longer count."""
        session.execute(delete(CodeRow).where(CodeRow.person_id == person_id, CodeRow.expires_at <= at))
        self.void(session, person_id, at)
        session.add(CodeRow(digest=digest, person_id=person_id, made_at=at, expires_at=until))
        session.flush()

    def by_digest(self, session: Session, digest: bytes) -> Code | None:
        """Return a code, used or not."""
        row = session.get(CodeRow, digest)
        if row is None:
            return None
        return Code(None if row.person_id is None else PersonId(row.person_id), row.expires_at, row.used_at)

    def void(self, session: Session, person_id: PersonId | None, at: datetime) -> None:
        """Mark every code of a person (None: for the first platform admin) as used up."""
        living = update(CodeRow).where(CodeRow.person_id == person_id, CodeRow.used_at.is_(None))
        session.execute(living.values(used_at=at))

    def void_all(self, session: Session, at: datetime) -> int:
        """Mark every code as used up; return how many could still be used."""
        return changed(session, update(CodeRow).where(CodeRow.used_at.is_(None)).values(used_at=at))


def _person(row: PersonRow) -> Person:
    return Person(
        id=PersonId(row.id),
        operator_id=None if row.operator_id is None else OperatorId(row.operator_id),
        login=row.login,
        display_name=row.display_name,
        has_password=row.password_hash is not None,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )

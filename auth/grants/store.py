"""Queries over grants. What a disabled person holds is not handed to the judge at all."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import and_, bindparam, select, update
from sqlalchemy.orm import Session

from auth.grants.rules import Grant, Scope, Terms
from auth.grants.tables import GrantRow
from auth.identities.tables import PersonRow
from auth.principal import Right, Role
from auth.resources.tables import ResourceRow
from vms_privacy.db import Reading, connection_of
from vms_privacy.ids import CameraId, GrantId, OperatorId, PersonId

# Each request asks for what somebody holds, so it is built once.
_GRANT: Final = (
    select(*GrantRow.__table__.columns, ResourceRow.group_path.label("camera_group"))
    .join(PersonRow, PersonRow.id == GrantRow.person_id)
    .outerjoin(ResourceRow, ResourceRow.camera_id == GrantRow.camera_id)
)
_COUNTS: Final = and_(GrantRow.withdrawn_at.is_(None), PersonRow.disabled_at.is_(None))
_HELD_BY: Final = _GRANT.where(GrantRow.person_id.in_(bindparam("person_ids", expanding=True)), _COUNTS)
_HELD_BY_ONE: Final = _GRANT.where(GrantRow.person_id == bindparam("person_id"), _COUNTS)
_OF_OPERATOR: Final = _GRANT.where(GrantRow.operator_id == bindparam("operator_id"), _COUNTS).order_by(
    GrantRow.created_at, GrantRow.id
)
_BY_ID: Final = _GRANT.where(GrantRow.id == bindparam("grant_id"), GrantRow.operator_id == bindparam("operator_id"))


class GrantStore:
    """Reads and writes grants. Holds nothing itself; every call takes a session."""

    def held_by(self, asked: Reading, person_ids: Collection[PersonId]) -> dict[PersonId, list[Grant]]:
        """Return what these people hold, whether in force yet or not, in one query by index."""
        found: dict[PersonId, list[Grant]] = {person_id: [] for person_id in person_ids}
        # A list of one is the common case, and expanding lists costs as much as the query.
        if len(found) == 1:
            rows = connection_of(asked).execute(_HELD_BY_ONE, {"person_id": next(iter(found.keys()))})
        else:
            rows = connection_of(asked).execute(_HELD_BY, {"person_ids": list(found)})
        for grant in _grants(rows):
            found[grant.person_id].append(grant)
        return found

    def of_operator(self, session: Session, operator_id: OperatorId) -> list[Grant]:
        """Return every grant of an operator that is not withdrawn, of people who are not disabled; oldest first."""
        return list(_grants(session.connection().execute(_OF_OPERATOR, {"operator_id": operator_id})))

    def by_id(self, session: Session, operator_id: OperatorId, grant_id: GrantId) -> Grant | None:
        """Return one grant of this operator, withdrawn or not; a foreign one is not there."""
        named = {"operator_id": operator_id, "grant_id": grant_id}
        return next(_grants(session.connection().execute(_BY_ID, named)), None)

    def versions(self, session: Session) -> dict[GrantId, int]:
        """Return the current version of every grant ever given, for the revocation view at start."""
        rows = session.execute(select(GrantRow.id, GrantRow.version))
        return {GrantId(grant_id): version for grant_id, version in rows}

    def add(self, session: Session, grant: Grant, at: datetime) -> None:
        """Write a new grant."""
        row = GrantRow(
            id=grant.id,
            operator_id=grant.scope.operator_id,
            person_id=grant.person_id,
            camera_id=grant.scope.camera_id,
            group_path=None if grant.scope.camera_id else grant.scope.group_path,
            created_at=at,
        )
        _write(row, grant)
        session.add(row)
        session.flush()

    def put(self, session: Session, grant: Grant) -> None:
        """Write what a change or a withdrawal made of a grant."""
        row = session.get_one(GrantRow, grant.id)
        _write(row, grant)
        session.flush()

    def raise_versions(self, session: Session, beyond: Mapping[GrantId, int]) -> None:
        """Raise the version of every grant, withdrawn or not, past what it is and past those that are named."""
        session.execute(update(GrantRow).values(version=GrantRow.version + 1))
        for grant_id, version in beyond.items():
            named = update(GrantRow).where(GrantRow.id == grant_id, GrantRow.version <= version)
            session.execute(named.values(version=version + 1))
        session.expire_all()


def _grants(rows: Iterable[Any]) -> Iterator[Grant]:
    for row in rows:
        yield Grant(
            id=GrantId(row.id),
            person_id=PersonId(row.person_id),
            scope=Scope(
                OperatorId(row.operator_id),
                row.group_path if row.camera_id is None else row.camera_group,
                None if row.camera_id is None else CameraId(row.camera_id),
            ),
            terms=Terms(
                rights=frozenset(Right(name) for name in row.rights.split(",")),
                valid_from=row.valid_from,
                valid_until=row.valid_until,
                depth=None if row.depth_seconds is None else timedelta(seconds=row.depth_seconds),
                window_from=row.window_from,
                window_until=row.window_until,
                role=None if row.role is None else Role(row.role),
            ),
            version=row.version,
            withdrawn_at=row.withdrawn_at,
        )


def _write(row: GrantRow, grant: Grant) -> None:
    terms = grant.terms
    row.role = terms.role
    row.rights = ",".join(sorted(terms.rights))
    row.valid_from = terms.valid_from
    row.valid_until = terms.valid_until
    row.depth_seconds = None if terms.depth is None else int(terms.depth.total_seconds())
    row.window_from = terms.window_from
    row.window_until = terms.window_until
    row.version = grant.version
    row.withdrawn_at = grant.withdrawn_at

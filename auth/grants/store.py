"""Queries over grants. What a disabled person holds is not handed to the judge at all."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from auth.grants.rules import Grant, Scope, Terms
from auth.grants.tables import GrantRow
from auth.identities.tables import PersonRow
from auth.principal import Right, Role
from auth.resources.tables import ResourceRow
from vms_privacy.ids import CameraId, GrantId, OperatorId, PersonId


class GrantStore:
    """Reads and writes grants. Holds nothing itself; every call takes a session."""

    def held_by(self, session: Session, person_ids: Collection[PersonId]) -> dict[PersonId, list[Grant]]:
        """Return what these people hold, whether in force yet or not, in one query by index."""
        found: dict[PersonId, list[Grant]] = {person_id: [] for person_id in person_ids}
        wanted = _with_groups().where(
            GrantRow.person_id.in_(person_ids), GrantRow.withdrawn_at.is_(None), PersonRow.disabled_at.is_(None)
        )
        for grant in _grants(session.execute(wanted)):
            found[grant.person_id].append(grant)
        return found

    def of_operator(self, session: Session, operator_id: OperatorId) -> list[Grant]:
        """Return every grant of an operator that is not withdrawn, of people who are not disabled; oldest first."""
        wanted = _with_groups().where(
            GrantRow.operator_id == operator_id, GrantRow.withdrawn_at.is_(None), PersonRow.disabled_at.is_(None)
        )
        return list(_grants(session.execute(wanted.order_by(GrantRow.created_at, GrantRow.id))))

    def by_id(self, session: Session, operator_id: OperatorId, grant_id: GrantId) -> Grant | None:
        """Return one grant of this operator, withdrawn or not; a foreign one is not there."""
        wanted = _with_groups().where(GrantRow.id == grant_id, GrantRow.operator_id == operator_id)
        return next(_grants(session.execute(wanted)), None)

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


def _with_groups() -> Select[GrantRow, str]:
    return (
        select(GrantRow, ResourceRow.group_path)
        .join(PersonRow, PersonRow.id == GrantRow.person_id)
        .outerjoin(ResourceRow, ResourceRow.camera_id == GrantRow.camera_id)
    )


def _grants(rows: Iterable[Row[GrantRow, str]]) -> Iterator[Grant]:
    for row, camera_group in rows:
        yield Grant(
            id=GrantId(row.id),
            person_id=PersonId(row.person_id),
            scope=Scope(
                OperatorId(row.operator_id),
                row.group_path if row.camera_id is None else camera_group,
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

"""Operators, people, cameras and grants as rows, for tests of other rooms: no password, no log-in, no audit."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from auth.grants.rules import Grant, Scope, Terms
from auth.grants.store import GrantStore
from auth.identities.tables import PersonRow
from auth.operators.store import OperatorStore
from auth.operators.tables import OperatorRow
from auth.principal import RIGHTS_OF, Principal, PrincipalKind, Right, Role
from auth.resources.rules import Resource
from auth.resources.store import ResourceStore
from tests.given.clock import NOON
from vms_privacy.db import Database
from vms_privacy.ids import CameraId, GrantId, LoginSessionId, OperatorId, PersonId, Randomness


class Access:
    """Makes what a test needs, each thing in one call and one transaction of its own."""

    def __init__(self, db: Database, randomness: Randomness, at: datetime = NOON) -> None:
        self._db = db
        self._randomness = randomness
        self._at = at
        self._operators = OperatorStore()

    def operator(self, name: str, region: str | None = "here") -> OperatorId:
        """An operator whose footage goes to a region; None: as one of before there were regions."""
        operator_id = OperatorId(self._randomness.uuid())
        with self._db.writing() as session:
            session.add(OperatorRow(id=operator_id, name=name, title=name.title(), created_at=self._at))
            session.flush()
            if region is not None:
                self._operators.set_region(session, self._randomness, operator_id, region, "test", self._at)
        return operator_id

    def person(self, operator_id: OperatorId, login: str) -> Principal:
        """A person who may do nothing yet."""
        return self._person(login, operator_id, PrincipalKind.PERSON)

    def platform_admin(self, login: str = "admin") -> Principal:
        return self._person(login, None, PrincipalKind.PLATFORM_ADMIN)

    def camera(self, operator_id: OperatorId, name: str, group_path: str = "") -> Resource:
        with self._db.writing() as session:
            return ResourceStore().register(session, CameraId(self._randomness.uuid()), operator_id, name, group_path)

    def grant(
        self,
        person: Principal,
        rights: Role | Iterable[Right],
        camera_id: CameraId | None = None,
        group_path: str | None = None,
        *,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
        depth: timedelta | None = None,
        window: tuple[datetime, datetime] | None = None,
    ) -> Grant:
        """A grant over one camera, a group, or (neither given) the person's whole operator."""
        assert person.person_id is not None
        assert person.operator_id is not None
        window_from, window_until = window or (None, None)
        grant = Grant(
            id=GrantId(self._randomness.uuid()),
            person_id=person.person_id,
            scope=Scope(person.operator_id, group_path, camera_id),
            terms=Terms(
                rights=RIGHTS_OF[rights] if isinstance(rights, Role) else frozenset(rights),
                valid_from=valid_from or self._at,
                valid_until=valid_until,
                depth=depth,
                window_from=window_from,
                window_until=window_until,
                role=rights if isinstance(rights, Role) else None,
            ),
            version=1,
        )
        with self._db.writing() as session:
            GrantStore().add(session, grant, self._at)
        return grant

    def _person(self, login: str, operator_id: OperatorId | None, kind: PrincipalKind) -> Principal:
        person_id = PersonId(self._randomness.uuid())
        with self._db.writing() as session:
            session.add(
                PersonRow(
                    id=person_id,
                    operator_id=operator_id,
                    login=login,
                    display_name=login,
                    password_hash=None,
                    is_platform_admin=operator_id is None,
                    created_at=self._at,
                )
            )
        return Principal(kind, person_id, operator_id, LoginSessionId(self._randomness.uuid()))

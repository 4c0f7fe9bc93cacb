"""Routes of grants: giving, reading, changing and withdrawing rights; and reading one's own."""

from datetime import datetime
from typing import Annotated, Literal, Self

from fastapi import APIRouter
from pydantic import Field, model_validator

from auth.gate import Asker, Gate, On, needs
from auth.grants.rules import Grant, Scope, Terms
from auth.grants.service import GrantService
from auth.principal import RIGHTS_OF, Right, Role
from auth.resources.rules import GROUP_PATH_LENGTH, GROUP_PATH_PATTERN
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.ids import CameraId, GrantId, OperatorId, PersonId
from vms_privacy.web import Duration, Moment, Strict


class ScopeShape(Strict):
    """What a grant reaches: one camera, a group with all below it, or with neither the whole operator."""

    on: Literal["operator", "group", "camera"]
    group_path: Annotated[str, Field(pattern=GROUP_PATH_PATTERN, max_length=GROUP_PATH_LENGTH)] | None = None
    camera_id: CameraId | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.on == "group") is (self.group_path is None) or (self.on == "camera") is (self.camera_id is None):
            raise ValueError("a group has a group_path, a camera a camera_id, the whole operator neither")
        return self


class TermsShape(Strict):
    """What a grant gives and its limits. Either a role, for its rights, or the rights themselves.

    Absent limits: from now, without end, as far back as there is footage, no fixed archive window.
    """

    role: Role | None = None
    rights: Annotated[frozenset[Right], Field(min_length=1)] | None = None
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    depth: Duration | None = None
    window_from: Moment | None = None
    window_until: Moment | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.role is None) is (self.rights is None):
            raise ValueError("say either a role or rights")
        return self

    def terms(self, now: datetime) -> Terms:
        """Return the terms, from `now` on if nothing else is said."""
        return Terms(
            rights=RIGHTS_OF[self.role] if self.role else self.rights or frozenset(),
            valid_from=self.valid_from or now,
            valid_until=self.valid_until,
            depth=self.depth,
            window_from=self.window_from,
            window_until=self.window_until,
            role=self.role,
        )


class NewGrant(Strict):
    """A grant to give."""

    person_id: PersonId
    scope: ScopeShape
    terms: TermsShape


class GrantChangeWanted(Strict):
    """New terms in place of all old ones. `version` is the one they were read in."""

    version: Annotated[int, Field(ge=1)]
    terms: TermsShape


class GrantShown(Strict):
    """One grant in its present version. Its rights are told one by one, whatever role they came from."""

    grant_id: GrantId
    person_id: PersonId
    operator_id: OperatorId
    scope: ScopeShape
    role: Role | None
    rights: list[Right]
    valid_from: Moment
    valid_until: Moment | None
    depth: Duration | None
    window_from: Moment | None
    window_until: Moment | None
    version: int
    withdrawn_at: Moment | None


def grant_routes(db: Database, grants: GrantService, gate: Gate, clock: Clock) -> APIRouter:
    """Return the routes under /api/v1/operators/{operator_id}/grants, and one's own under /api/v1/auth/me."""
    routes = APIRouter(prefix="/api/v1", tags=["grants"])

    @routes.get("/auth/me/grants", **needs(None, on=On.SELF))
    def list_own_grants(asker: Asker) -> list[GrantShown]:
        """Return what one holds, in force or not yet."""
        with db.reading() as session:
            return [_shown(grant) for grant in grants.held_by(session, asker)]

    @routes.get("/operators/{operator_id}/grants", **needs(Right.GRANT, on=On.WITHIN))
    def list_grants(operator_id: OperatorId, asker: Asker, person_id: PersonId | None = None) -> list[GrantShown]:
        """Return the grants that one's own right to give reaches, of one person or of all, oldest first."""
        with db.reading() as session:
            return [_shown(grant) for grant in grants.within_reach(session, asker, operator_id, person_id)]

    @routes.post("/operators/{operator_id}/grants", status_code=201, **needs(Right.GRANT, on=On.WITHIN))
    def give_grant(operator_id: OperatorId, wanted: NewGrant, asker: Asker) -> GrantShown:
        """Give rights to a person of the operator: at most what one holds oneself, as far and as long."""
        scope = Scope(operator_id, wanted.scope.group_path, wanted.scope.camera_id)
        terms = wanted.terms.terms(clock.now())
        with gate.noting(asker, Right.GRANT, scope.camera_id), db.writing() as session:
            return _shown(grants.grant(session, asker, wanted.person_id, scope, terms))

    @routes.put("/operators/{operator_id}/grants/{grant_id}", **needs(Right.GRANT, on=On.WITHIN))
    def change_grant(operator_id: OperatorId, grant_id: GrantId, wanted: GrantChangeWanted, asker: Asker) -> GrantShown:
        """Replace the terms of a grant; whatever rests on it is judged again at once."""
        terms = wanted.terms.terms(clock.now())
        with gate.noting(asker, Right.GRANT), db.writing() as session:
            return _shown(grants.change(session, asker, operator_id, grant_id, wanted.version, terms))

    @routes.delete("/operators/{operator_id}/grants/{grant_id}", **needs(Right.GRANT, on=On.WITHIN))
    def withdraw_grant(operator_id: OperatorId, grant_id: GrantId, asker: Asker) -> GrantShown:
        """Withdraw a grant for good; whatever rests on it is cut within a second."""
        with gate.noting(asker, Right.GRANT), db.writing() as session:
            return _shown(grants.withdraw(session, asker, operator_id, grant_id))

    return routes


def _shown(grant: Grant) -> GrantShown:
    scope, terms = grant.scope, grant.terms
    if scope.camera_id is not None:
        reaches = ScopeShape(on="camera", camera_id=scope.camera_id)
    elif scope.group_path is not None:
        reaches = ScopeShape(on="group", group_path=scope.group_path)
    else:
        reaches = ScopeShape(on="operator")
    return GrantShown(
        grant_id=grant.id,
        person_id=grant.person_id,
        operator_id=scope.operator_id,
        scope=reaches,
        role=terms.role,
        rights=sorted(terms.rights),
        valid_from=terms.valid_from,
        valid_until=terms.valid_until,
        depth=terms.depth,
        window_from=terms.window_from,
        window_until=terms.window_until,
        version=grant.version,
        withdrawn_at=grant.withdrawn_at,
    )

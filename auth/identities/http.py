"""Routes of people: inviting, listing, disabling; and setting one's own password, which nobody else ever does."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field, SecretStr

from auth.gate import Asker, Gate, On, needs, public
from auth.identities.enrolment import Enrolment
from auth.identities.rules import LOGIN_PATTERN, LONGEST_PASSWORD, SHORTEST_PASSWORD, Person
from auth.identities.service import Invitation, PersonService
from auth.principal import Right
from auth.source import Sources
from vms_privacy.db import Database
from vms_privacy.ids import OperatorId, PersonId
from vms_privacy.web import ONE_LINE, Moment, Page, Strict

Login = Annotated[str, Field(pattern=LOGIN_PATTERN, max_length=127)]
NewPassword = Annotated[SecretStr, Field(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD)]
CodeText = Annotated[SecretStr, Field(max_length=100)]


class NewPerson(Strict):
    """Somebody to invite. The password is theirs to choose."""

    login: Login
    display_name: Annotated[str, Field(min_length=1, max_length=200), ONE_LINE]


class InvitationShown(Strict):
    """The code with which the person sets a password, once, at POST /api/v1/auth/enrolment. Shown only here."""

    person_id: PersonId
    code: str
    expires_at: Moment


class PersonShown(Strict):
    """One person of an operator."""

    person_id: PersonId
    login: str
    display_name: str
    has_password: bool
    created_at: Moment
    disabled_at: Moment | None


class Bootstrap(Strict):
    """The first platform admin, by the code that `vms-privacy init` printed."""

    code: CodeText
    login: Login
    password: NewPassword


class EnrolmentByCode(Strict):
    """An invited person's own password. With `login` the code counts only if it was given out for that log-in."""

    code: CodeText
    password: NewPassword
    login: Login | None = None


class PasswordChange(Strict):
    """A new password in place of the present one."""

    present: Annotated[SecretStr, Field(max_length=LONGEST_PASSWORD)]
    wanted: NewPassword


class PersonMade(Strict):
    """Who can log in now."""

    person_id: PersonId
    login: str


def password_routes(enrolment: Enrolment, sources: Sources) -> APIRouter:
    """Return the routes under /api/v1/auth on which a person's secrets arrive."""
    routes = APIRouter(prefix="/api/v1/auth", tags=["auth"])

    @routes.post("/bootstrap", status_code=201, **public("before it there is nobody who could be asked"))
    def bootstrap(wanted: Bootstrap, source: Annotated[str, Depends(sources)]) -> PersonMade:
        """Make the first platform admin. Works once."""
        code, password = wanted.code.get_secret_value(), wanted.password.get_secret_value()
        return PersonMade(person_id=enrolment.bootstrap(code, wanted.login, password, source), login=wanted.login)

    @routes.post("/enrolment", **public("the code says who somebody is before they have a password"))
    def enrol(wanted: EnrolmentByCode, source: Annotated[str, Depends(sources)]) -> PersonMade:
        """Set the password of an invited person. Works once per code."""
        code, password = wanted.code.get_secret_value(), wanted.password.get_secret_value()
        person = enrolment.enrol(code, password, source, wanted.login)
        return PersonMade(person_id=person.id, login=person.login)

    @routes.put("/password", status_code=204, **needs(None, on=On.SELF))
    def change_password(wanted: PasswordChange, asker: Asker) -> None:
        """Replace one's own password; all other sessions end."""
        enrolment.change_password(asker, wanted.present.get_secret_value(), wanted.wanted.get_secret_value())

    return routes


def person_routes(db: Database, people: PersonService, gate: Gate) -> APIRouter:
    """Return the routes under /api/v1/operators/{operator_id}."""
    routes = APIRouter(prefix="/api/v1/operators/{operator_id}", tags=["people"])

    @routes.post("/owner", status_code=201, **needs(None, on=On.PLATFORM))
    def invite_first_owner(
        operator_id: OperatorId, wanted: NewPerson, asker: Asker, response: Response
    ) -> InvitationShown:
        """Invite an operator's first owner, who invites everybody else. Over once anybody of it has logged in."""
        with db.writing() as session:
            made = people.create_first_owner(session, asker, operator_id, wanted.login, wanted.display_name)
        return _told(made, response)

    @routes.post("/people", status_code=201, **needs(Right.GRANT, on=On.OPERATOR))
    def invite_person(operator_id: OperatorId, wanted: NewPerson, asker: Asker, response: Response) -> InvitationShown:
        """Invite somebody, who may do nothing until they are given grants."""
        with db.writing() as session:
            made = people.create(session, asker, operator_id, wanted.login, wanted.display_name)
        return _told(made, response)

    @routes.get("/people", **needs(Right.GRANT, on=On.OPERATOR))
    def list_people(
        operator_id: OperatorId,
        after: Annotated[str, Query(max_length=127), ONE_LINE] = "",
        limit: Annotated[int, Query(ge=1, le=200)] = 100,
    ) -> Page[PersonShown]:
        """Return the operator's people by log-in; `next` of a page is `after` of the following one."""
        with db.reading() as session:
            found = people.of_operator(session, operator_id, after, limit + 1)
        more = found[limit - 1].login if len(found) > limit else None
        return Page(items=[_shown(person) for person in found[:limit]], next=more)

    @routes.post("/people/{person_id}/invitation", status_code=201, **needs(Right.GRANT, on=On.OPERATOR))
    def invite_again(operator_id: OperatorId, person_id: PersonId, asker: Asker, response: Response) -> InvitationShown:
        """Give out a new code for somebody who lost the first one or their password."""
        with gate.noting(asker, Right.GRANT), db.writing() as session:
            made = people.invite(session, asker, operator_id, person_id)
        return _told(made, response)

    @routes.delete("/people/{person_id}", **needs(Right.GRANT, on=On.OPERATOR))
    def disable_person(operator_id: OperatorId, person_id: PersonId, asker: Asker) -> PersonShown:
        """End somebody's sessions and rights at once and for good."""
        with gate.noting(asker, Right.GRANT), db.writing() as session:
            return _shown(people.disable(session, asker, operator_id, person_id))

    return routes


def _told(invitation: Invitation, response: Response) -> InvitationShown:
    response.headers["Cache-Control"] = "no-store"
    return InvitationShown(person_id=invitation.person_id, code=invitation.code, expires_at=invitation.expires_at)


def _shown(person: Person) -> PersonShown:
    return PersonShown(
        person_id=person.id,
        login=person.login,
        display_name=person.display_name,
        has_password=person.has_password,
        created_at=person.created_at,
        disabled_at=person.disabled_at,
    )

"""The commands about other people of one's operator: invite, list, disable; give, list and withdraw rights."""

from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from auth.principal import Role
from vms_privacy.cli.asking import agree
from vms_privacy.cli.forms import NOTHING, facts, moment, span, table
from vms_privacy.cli.moments import duration, moment_of
from vms_privacy.cli.options import DEFAULT_URL, AsJson, Url, command_group
from vms_privacy.cli.output import tell
from vms_privacy.cli.refusals import NoSuchPerson
from vms_privacy.cli.session import Session, logged_in

app = command_group("People of your operator.")

GRANT_HEAD: Final = ("person", "rights", "reaches", "from", "until", "depth", "grant")
Who = Annotated[str, typer.Argument(metavar="LOGIN", help="The person's log-in.", show_default=False)]


@app.command("people")
def people(url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """List the people of your operator."""
    session = logged_in(url)
    found = session.service.every(f"{session.path}/people")
    rows = ((one["login"], one["display_name"], _standing(one), moment(one["created_at"])) for one in found)
    tell({"items": found}, table(("log-in", "name", "standing", "since"), rows, "Nobody."), as_json=as_json)


@app.command("invite")
def invite(
    login: Who,
    name: Annotated[str, typer.Option(help="Their name; the log-in if none is given.")] = "",
    *,
    again: Annotated[
        bool, typer.Option("--again", help="Another code for somebody who lost code or password.")
    ] = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Invite somebody, and print the code with which they choose their password, once."""
    session = logged_in(url)
    if again:
        person_id = _person(session, login)["person_id"]
        made = session.service.call("POST", f"{session.path}/people/{person_id}/invitation")
    else:
        made = session.service.call("POST", f"{session.path}/people", {"login": login, "display_name": name or login})
    told = {"code": made["code"], "good until": moment(made["expires_at"])}
    steps = [
        f"next, by them: vms-privacy operator enrol --login {login}",
        f"next, by you: vms-privacy operator grant {login} ROLE",
    ]
    tell(made, [*facts(told), *steps], as_json=as_json)


@app.command("disable")
def disable(
    login: Who,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Disable a person for good: every session and view of theirs ends."""
    session = logged_in(url)
    person = _person(session, login)
    agree(f"Disable {login} for good?", "--yes", already=yes)
    made = session.service.call("DELETE", f"{session.path}/people/{person['person_id']}")
    tell(made, [f"{login} is disabled since {moment(made['disabled_at'])}."], as_json=as_json)


@app.command("grants")
def grants(
    login: Annotated[str, typer.Argument(metavar="[LOGIN]", help="Of this person alone.", show_default=False)] = "",
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """List the rights that people have, as far as your own right to give them reaches."""
    session = logged_in(url)
    query = {"person_id": _person(session, login)["person_id"]} if login else {}
    found = session.service.call("GET", f"{session.path}/grants", None, **query)
    logins = {one["person_id"]: one["login"] for one in session.service.every(f"{session.path}/people")}
    cameras = {one["camera_id"]: one["name"] for one in session.cameras()}
    rows = (grant_row(one, logins.get(one["person_id"], one["person_id"]), cameras) for one in found)
    tell({"items": found}, table(GRANT_HEAD, rows, "No rights were given."), as_json=as_json)


@app.command("grant")
def grant(
    login: Who,
    role: Annotated[Role, typer.Argument(help="A bundle of rights.", show_default=False)],
    camera: Annotated[str, typer.Option(metavar="NAME", help="On this camera alone.")] = "",
    group: Annotated[str, typer.Option(metavar="PATH", help="On this group and all below it.")] = "",
    until: Annotated[str, typer.Option(metavar="MOMENT", help="Until then; without an end by default.")] = "",
    depth: Annotated[str, typer.Option(metavar="DURATION", help="How far back into recordings.")] = "",
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Give a person a role on a camera, a group or the whole operator: at most what you hold yourself."""
    if camera and group:
        raise typer.BadParameter("a grant reaches a camera or a group, not both")
    session = logged_in(url)
    terms: dict[str, Any] = {"role": role}
    terms |= {"valid_until": moment_of(until).isoformat()} if until else {}
    terms |= {"depth": duration(depth)} if depth else {}
    cameras = {one["camera_id"]: one["name"] for one in session.cameras()}
    body = {
        "person_id": _person(session, login)["person_id"],
        "scope": _scope(session, camera, group),
        "terms": terms,
    }
    made = session.service.call("POST", f"{session.path}/grants", body)
    lines = table(GRANT_HEAD, [grant_row(made, login, cameras)], "")
    tell(made, [*lines, f"Withdraw it: vms-privacy operator withdraw {made['grant_id']}"], as_json=as_json)


@app.command("withdraw")
def withdraw(
    grant_id: Annotated[
        str, typer.Argument(metavar="GRANT", help="As `operator grants` shows it.", show_default=False)
    ],
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Withdraw a grant for good: what rests on it is cut within a second."""
    session = logged_in(url)
    made = session.service.call("DELETE", f"{session.path}/grants/{quote(grant_id, safe='')}")
    tell(made, [f"The grant is withdrawn since {moment(made['withdrawn_at'])}."], as_json=as_json)


def grant_row(one: Mapping[str, Any], login: str, cameras: Mapping[str, str]) -> tuple[str, ...]:
    """Return one line about a grant; its rights by their role where it has one."""
    scope = one["scope"]
    if scope["on"] == "camera":
        reaches = f"camera {cameras.get(scope['camera_id'], scope['camera_id'])}"
    else:
        reaches = f"group {scope['group_path']}" if scope["on"] == "group" else "the whole operator"
    until = f"withdrawn {moment(one['withdrawn_at'])}" if one["withdrawn_at"] else moment(one["valid_until"])
    rights = one["role"] or ", ".join(one["rights"]) or NOTHING
    return login, rights, reaches, moment(one["valid_from"]), until, span(one["depth"]), one["grant_id"]


def person_id_of(session: Session, login: str) -> str:
    """Return whom a log-in or an id names. Raises NoSuchPerson."""
    return str(_person(session, login)["person_id"])


def _scope(session: Session, camera: str, group: str) -> dict[str, str]:
    if camera:
        return {"on": "camera", "camera_id": session.camera(camera)["camera_id"]}
    return {"on": "group", "group_path": group} if group else {"on": "operator"}


def _person(session: Session, login: str) -> Any:
    for one in session.service.every(f"{session.path}/people"):
        if login in {one["login"], one["person_id"]}:
            return one
    raise NoSuchPerson(f"nobody of {session.operator} has the log-in {login}")


def _standing(person: Mapping[str, Any]) -> str:
    if person["disabled_at"]:
        return f"disabled {moment(person['disabled_at'])}"
    return "may log in" if person["has_password"] else "invited"

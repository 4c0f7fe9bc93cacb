"""The commands of holds: what must not be destroyed, for whom it opens, and how it ends."""

from enum import StrEnum
from typing import Annotated

import typer

from archive.orders.rules import OrderKind
from vms_privacy.cli import orders
from vms_privacy.cli.forms import NOTHING
from vms_privacy.cli.options import DEFAULT_URL, AsJson, CameraName, Url, command_group
from vms_privacy.cli.output import tell
from vms_privacy.cli.people import person_id_of
from vms_privacy.cli.refusals import AnswerNeeded
from vms_privacy.cli.session import logged_in

app = command_group("Holds: what is kept from destruction, whatever expires or is asked for.")
_KIND = str(OrderKind.HOLD)
_People = Annotated[list[str], typer.Option("--person", metavar="LOGIN", help="May open what expired; repeatable.")]


class HoldGround(StrEnum):
    """Why footage is held."""

    COURT_ORDER = "court-order"
    AUTHORITY_REQUEST = "authority-request"
    LEGAL_CLAIM = "legal-claim"
    INVESTIGATION = "investigation"


@app.command("place")
def place(
    names: orders.Names,
    since: orders.From,
    case: orders.Case,
    authority: orders.Authority,
    reason: orders.Reason,
    ground: Annotated[HoldGround, typer.Option(help="What it rests on.")],
    until: orders.Until = "",
    review: orders.Review = orders.REVIEW,
    people: _People = [],  # noqa: B006 - read by the command line, never changed
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Hold a stretch of time of one or more cameras: from now on nothing of it is destroyed."""
    session = logged_in(url)
    body = orders.wanted(since, until, case, ground, authority, reason, review)
    named = [person_id_of(session, login) for login in people]
    orders.place(session, _KIND, names, body | {"people": named}, as_json=as_json)


@app.command("list")
def list_holds(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Of this camera alone.", show_default=False)] = "",
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """List holds, lifted ones too."""
    orders.show(logged_in(url), _KIND, name, as_json=as_json)


@app.command("people")
def people(
    name: CameraName,
    order_id: orders.OrderName,
    people: _People = [],  # noqa: B006 - read by the command line, never changed
    url: Url = DEFAULT_URL,
    *,
    nobody: Annotated[bool, typer.Option("--nobody", help="Take everybody off.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say anew for whom a hold opens what has expired: all of them, or nobody."""
    if bool(people) == nobody:
        raise AnswerNeeded("name everybody of the case with --person, or take all of them off with --nobody")
    session = logged_in(url)
    body = {"people": [person_id_of(session, login) for login in people]}
    made = session.service.call("PUT", f"{orders.order_path(session, name, _KIND, order_id)}/people", body)
    tell(made, [f"It opens what has expired for: {', '.join(people) or NOTHING}"], as_json=as_json)


@app.command("review")
def review(
    name: CameraName,
    order_id: orders.OrderName,
    again: orders.Review = orders.REVIEW,
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Note that you have looked at a hold and that it stays."""
    orders.review(logged_in(url), _KIND, name, order_id, again, as_json=as_json)


@app.command("end")
def end(
    name: CameraName,
    order_id: orders.OrderName,
    reason: orders.Reason,
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Propose the end of a hold; another person approves it, and the next sweep destroys what has expired."""
    orders.end(logged_in(url), _KIND, name, order_id, {"reason": reason}, as_json=as_json)

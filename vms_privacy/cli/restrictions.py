"""The commands of restrictions: what nobody reads and nothing destroys, and how that ends."""

from enum import StrEnum
from typing import Annotated

import typer

from archive.orders.rules import OrderKind
from vms_privacy.cli import orders
from vms_privacy.cli.moments import moment_of
from vms_privacy.cli.options import DEFAULT_URL, AsJson, CameraName, Url, command_group
from vms_privacy.cli.session import logged_in

app = command_group("Restrictions: what nobody reads, live included, and nothing destroys.")
_KIND = str(OrderKind.RESTRICTION)


class RestrictionGround(StrEnum):
    """Why footage is restricted: GDPR, Article 18(1), (a) to (d)."""

    ACCURACY_CONTESTED = "accuracy-contested"
    UNLAWFUL_PROCESSING = "unlawful-processing"
    NEEDED_FOR_CLAIMS = "needed-for-claims"
    OBJECTION_PENDING = "objection-pending"


@app.command("place")
def place(
    names: orders.Names,
    since: orders.From,
    case: orders.Case,
    authority: orders.Authority,
    reason: orders.Reason,
    ground: Annotated[RestrictionGround, typer.Option(help="What it rests on.")],
    until: orders.Until = "",
    review: orders.Review = orders.REVIEW,
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Restrict a stretch of time of one or more cameras; one that reaches into the future closes live, too."""
    body = orders.wanted(since, until, case, ground, authority, reason, review)
    orders.place(logged_in(url), _KIND, names, body, as_json=as_json)


@app.command("list")
def list_restrictions(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Of this camera alone.", show_default=False)] = "",
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """List restrictions, lifted ones too."""
    orders.show(logged_in(url), _KIND, name, as_json=as_json)


@app.command("review")
def review(
    name: CameraName,
    order_id: orders.OrderName,
    again: orders.Review = orders.REVIEW,
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Note that you have looked at a restriction and that it stays."""
    orders.review(logged_in(url), _KIND, name, order_id, again, as_json=as_json)


@app.command("end")
def end(
    name: CameraName,
    order_id: orders.OrderName,
    reason: orders.Reason,
    told_at: Annotated[str, typer.Option(metavar="MOMENT", help="When whoever had asked for it was told so.")],
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Propose the end of a restriction; another person approves it."""
    body = {"reason": reason, "requester_told_at": moment_of(told_at).isoformat()}
    orders.end(logged_in(url), _KIND, name, order_id, body, as_json=as_json)

"""The commands of requests: entering them, looking at them, and what is known of who asks."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from vms_privacy.cli.forms import facts, moment, table
from vms_privacy.cli.moments import moment_of
from vms_privacy.cli.options import DEFAULT_URL, AsJson, Url, command_group
from vms_privacy.cli.output import tell
from vms_privacy.cli.request_lines import (
    Items,
    RequestName,
    item_lines,
    items_of,
    outcome_of,
    request_path,
    text_of,
)
from vms_privacy.cli.session import logged_in
from vms_privacy.subject_requests.kinds import Channel, Doubt, IdentityState, WhyLonger

app = command_group("Requests of people about footage: to erase, restrict or see it; each has a clock.")
_HEAD: Final = ("answer by", "promised by", "kind", "received", "identity", "standing", "request")


class RequestAsked(StrEnum):
    """What is asked for."""

    ERASURE = "erasure"
    RESTRICTION = "restriction"
    ACCESS = "access"
    OBJECTION = "objection"


class RequesterKnown(StrEnum):
    """What is known of who asks, as it is entered."""

    NOT_NEEDED = "not-needed"
    ASKED_FOR = "asked-for"
    CONFIRMED = "confirmed"


_Doubt = Annotated[Doubt | None, typer.Option(help="Why it is in doubt who asks; without a reason no clock stops.")]


@app.command("enter")
def enter(
    kind: Annotated[RequestAsked, typer.Argument(metavar="KIND", help="erasure, restriction, access or objection.")],
    received: Annotated[str, typer.Option(metavar="MOMENT", help="When it truly arrived: its clock runs from then.")],
    channel: Annotated[Channel, typer.Option(help="How it arrived.")],
    identity: Annotated[RequesterKnown, typer.Option(help="Whether it is known who asks.")],
    items: Items = None,
    doubt: _Doubt = None,
    contact_file: Annotated[
        Path | None, typer.Option(help="A file with who asks and where to answer, `-` for standard input; kept sealed.")
    ] = None,
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Enter what somebody has asked, also if it says neither camera nor time yet."""
    session = logged_in(url)
    body: dict[str, Any] = {
        "kind": kind,
        "channel": channel,
        "received_at": moment_of(received).isoformat(),
        "identity": identity,
        "items": items_of(session, items or []),
        "contact": text_of(contact_file),
    }
    made = session.service.call("POST", f"{session.path}/requests", body | ({"doubt": doubt} if doubt else {}))
    told = {"request": made["request_id"], "promised by": moment(made["promised_by"])}
    tell(made, [*facts(told), f"next: vms-privacy request search {made['request_id']}"], as_json=as_json)


@app.command("list")
def list_requests(
    url: Url = DEFAULT_URL,
    *,
    closed: Annotated[bool, typer.Option("--closed", help="Closed ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List requests; the one to be answered first comes first."""
    session = logged_in(url)
    found = session.service.call("GET", f"{session.path}/requests", None, only_open="false" if closed else "true")
    rows = (
        (
            moment(one["answer_by"]),
            moment(one["promised_by"]),
            one["kind"],
            moment(one["received_at"]),
            one["identity"],
            outcome_of(one),
            one["request_id"],
        )
        for one in found
    )
    tell({"items": found}, table(_HEAD, rows, "Nobody waits for an answer."), as_json=as_json)


@app.command("show")
def show(request: RequestName, url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Show one request: its clock, what is decided, and what each store has confirmed."""
    session = logged_in(url)
    one = session.service.call("GET", request_path(session, request))
    names = {camera["camera_id"]: camera["name"] for camera in session.cameras()}
    tell(one, [*facts(_told(one)), "", *item_lines(one, names)], as_json=as_json)


@app.command("contact")
def contact(request: RequestName, url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Show who asks, to answer them; that you have looked is in the audit."""
    session = logged_in(url)
    found = session.service.call("GET", f"{request_path(session, request)}/contact")
    tell(found, [found["contact"]], as_json=as_json)


@app.command("scope")
def scope(request: RequestName, items: Items, url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Say anew which cameras and times a request is about; all of them."""
    session = logged_in(url)
    body = {"items": items_of(session, items or [])}
    made = session.service.call("PUT", f"{request_path(session, request)}/scope", body)
    tell(made, [f"It is about {len(made['items'])} stretches of time."], as_json=as_json)


@app.command("identity")
def identity(
    request: RequestName,
    state: Annotated[IdentityState, typer.Argument(metavar="STATE", help="What is known of who asks.")],
    doubt: _Doubt = None,
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Note whether it is known who asks. A reasonable doubt stops the law's clock, 30 days at most."""
    session = logged_in(url)
    body = {"state": state} | ({"doubt": doubt} if doubt else {})
    made = session.service.call("PUT", f"{request_path(session, request)}/identity", body)
    tell(made, [f"{made['identity']}; the answer is due {moment(made['answer_by'])}."], as_json=as_json)


@app.command("extend")
def extend(
    request: RequestName,
    months: Annotated[int, typer.Argument(metavar="MONTHS", help="1 or 2.", min=1, max=2)],
    reason: Annotated[WhyLonger, typer.Option(help="Why it takes longer: GDPR, Article 12(3) knows these two.")],
    told_at: Annotated[str, typer.Option(metavar="MOMENT", help="When whoever asked was told so.")],
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Take longer, once, within the first period. What was promised is missed all the same."""
    session = logged_in(url)
    body = {"months": months, "reason": reason, "told_at": moment_of(told_at).isoformat()}
    made = session.service.call("POST", f"{request_path(session, request)}/extension", body)
    tell(made, [f"The answer is due {moment(made['answer_by'])}."], as_json=as_json)


def _told(one: Mapping[str, Any]) -> dict[str, object]:
    longer = one["extension"]
    return {
        "request": one["request_id"],
        "kind": f"{one['kind']}, by {one['channel']}",
        "received": moment(one["received_at"]),
        "promised by": f"{moment(one['promised_by'])}{' (missed)' if one['missed_promise'] else ''}",
        "answer by": f"{moment(one['answer_by'])}{' (OVERDUE)' if one['is_overdue'] else ''}",
        "identity": f"{one['identity']}{' (' + one['doubt'] + ')' if one['doubt'] else ''}",
        "extended": None if longer is None else f"by {longer['months']} months: {longer['reason']}",
        "standing": outcome_of(one),
        "complaint to": one["complaint_to"],
    }

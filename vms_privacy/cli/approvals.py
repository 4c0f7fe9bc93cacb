"""The commands of acts that need two people: what waits for somebody, and deciding about it."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from vms_privacy.cli.asking import agree
from vms_privacy.cli.forms import facts, moment, table
from vms_privacy.cli.options import DEFAULT_URL, AsJson, Url, command_group
from vms_privacy.cli.output import note, tell
from vms_privacy.cli.session import logged_in

app = command_group("Acts that need two people.")
_Proposal = Annotated[str, typer.Argument(metavar="PROPOSAL", help="Its id, as the list shows it.", show_default=False)]


@app.command("list")
def list_proposals(
    url: Url = DEFAULT_URL,
    *,
    decided: Annotated[bool, typer.Option("--decided", help="Those that are decided or have expired, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the acts about which you may decide, newest first."""
    session = logged_in(url)
    found = session.service.call("GET", f"{session.path}/approvals", None, waiting="false" if decided else "true")
    by = session.logins()
    cameras = {one["camera_id"]: one["name"] for one in session.cameras()}
    rows = (
        (
            one["act"],
            cameras.get(one["camera_id"], one["camera_id"]),
            by.get(one["proposed_by"], one["proposed_by"]),
            one["reason"],
            one["decision"] or f"by {moment(one['expires_at'])}",
            one["proposal_id"],
        )
        for one in found
    )
    head = ("act", "camera", "proposed by", "reason", "decided", "proposal")
    tell({"items": found}, table(head, rows, "Nothing waits for you."), as_json=as_json)


@app.command("approve")
def approve(
    proposal: _Proposal,
    url: Url = DEFAULT_URL,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Approve what another person has proposed: it is done in this moment, and both of you are in the audit."""
    if not yes:
        for line in _told(proposal, url):
            note(line)
        agree("Approve it?", "--yes", already=False)
    _decide(proposal, "approve", url, as_json=as_json)


@app.command("refuse")
def refuse(proposal: _Proposal, url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Refuse a proposal, or take your own back."""
    _decide(proposal, "refuse", url, as_json=as_json)


def _told(proposal: str, url: str) -> list[str]:
    """Return what exactly would be done, line by line; nothing of one that does not wait for this person."""
    session = logged_in(url)
    found = session.service.call("GET", f"{session.path}/approvals")
    names = {one["camera_id"]: one["name"] for one in session.cameras()}
    told: list[str] = []
    for one in found:
        if one["proposal_id"] == proposal:
            camera = names.get(one["camera_id"], one["camera_id"])
            about = {"act": one["act"], "camera": camera, **one["facts"], "reason": one["reason"]}
            told = facts({name.replace("_", " "): value for name, value in about.items()})
    return told


def _decide(proposal: str, how: str, url: str, *, as_json: bool) -> None:
    session = logged_in(url)
    made: Any = session.service.call("POST", f"{session.path}/approvals/{quote(proposal, safe='')}/{how}")
    told = {"act": made["act"], "decided": made["decision"], "at": moment(made["decided_at"])}
    tell(made, facts(told), as_json=as_json)

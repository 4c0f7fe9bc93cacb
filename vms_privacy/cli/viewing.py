"""The commands about who is looking now: list media sessions, and cut one."""

from typing import Annotated
from urllib.parse import quote

import typer

from vms_privacy.cli.forms import moment, size, table
from vms_privacy.cli.options import DEFAULT_URL, AsJson, Url, command_group
from vms_privacy.cli.output import tell
from vms_privacy.cli.session import logged_in

app = command_group("Who is looking now.")


@app.command("list")
def list_sessions(url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """List the media sessions of your operator: who looks at which camera, since when, and for what."""
    session = logged_in(url)
    found = session.service.every(f"{session.path}/sessions")
    cameras = {one["camera_id"]: one["name"] for one in session.cameras()}
    by = session.logins()
    rows = (
        (
            cameras.get(one["camera_id"], one["camera_id"]),
            one["action"],
            one["protocol"],
            one["purpose"],
            moment(one["opened_at"]),
            size(one["bytes"]),
            by.get(f"person:{one['person_id']}", one["person_id"]),
            one["id"],
        )
        for one in found
    )
    head = ("camera", "looks at", "protocol", "purpose", "since", "sent", "person", "session")
    tell({"items": found}, table(head, rows, "Nobody is looking."), as_json=as_json)


@app.command("cut")
def cut(
    session_id: Annotated[
        str, typer.Argument(metavar="SESSION", help="As `session list` shows it.", show_default=False)
    ],
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """End one viewing at once, throw unsent bytes away, and withdraw its token."""
    session = logged_in(url)
    session.service.call("DELETE", f"{session.path}/sessions/{quote(session_id, safe='')}")
    tell({"cut": session_id}, ["It is cut, and its token is withdrawn."], as_json=as_json)

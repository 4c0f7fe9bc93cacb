"""The command that reads the audit."""

from typing import Annotated, Any

import typer

from vms_privacy.cli.forms import moment, table
from vms_privacy.cli.moments import moment_of
from vms_privacy.cli.options import DEFAULT_URL, AsJson, Url, command_group
from vms_privacy.cli.output import tell
from vms_privacy.cli.session import logged_in

_RENEWAL = "session-refreshed"
app = command_group("The audit.")


@app.command("audit")
def audit(
    camera: Annotated[str, typer.Option(metavar="NAME", help="Of this camera alone.")] = "",
    tag: Annotated[str, typer.Option(help="Of this kind alone, such as media-opened.")] = "",
    since: Annotated[str, typer.Option(metavar="MOMENT", help="Not before then.")] = "",
    until: Annotated[str, typer.Option(metavar="MOMENT", help="Before then.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, the newest.")] = 25,
    url: Url = DEFAULT_URL,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="With the renewals of log-in sessions too, of which every command makes one.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the newest events: looks, refusals, changes and deletions, newest first."""
    session = logged_in(url)
    query: dict[str, str | int] = {"limit": limit}
    query |= {"camera_id": session.camera(camera)["camera_id"]} if camera else {}
    query |= {"tag": tag} if tag else {}
    query |= {} if everything or tag else {"without": _RENEWAL}
    query |= {"since": moment_of(since).isoformat()} if since else {}
    query |= {"until": moment_of(until).isoformat()} if until else {}
    path = f"{session.path}/audit" if session.operator_id else "/api/v1/platform/audit"
    found = session.service.call("GET", path, None, **query)
    names = {one["camera_id"]: one["name"] for one in session.cameras()} if session.operator_id else {}
    by = session.logins()
    head = ("at", "what", "outcome", "camera", "by", "detail")
    rows = (
        (
            moment(one["at"]),
            one["tag"],
            f"{one['outcome']} ({one['reason']})" if one["reason"] else one["outcome"],
            names.get(one["camera_id"], one["camera_id"]),
            by.get(one["actor"], one["actor"]),
            _detail(one["detail"]),
        )
        for one in found["items"]
    )
    tell(found, table(head, rows, "No event."), as_json=as_json)


def _detail(detail: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in detail.items() if value is not None)

"""The command about what an operator sets for all its cameras: whose law, the default, the minimum."""

from typing import Annotated, Any

import typer

from archive.retention.rules import Profile
from vms_privacy.cli.forms import facts, size, span, table
from vms_privacy.cli.moments import duration
from vms_privacy.cli.options import DEFAULT_URL, AsJson, Url, command_group
from vms_privacy.cli.output import tell
from vms_privacy.cli.session import logged_in

app = command_group("What holds for all cameras.")


@app.command("retention")
def retention(
    keep_for: Annotated[
        str, typer.Argument(metavar="[DURATION]", help="Where a camera has none of its own.", show_default=False)
    ] = "",
    profile: Annotated[Profile | None, typer.Option(help="Whose law is kept to.")] = None,
    at_least: Annotated[str, typer.Option(metavar="DURATION", help="No camera is kept for less.")] = "",
    justification: Annotated[str, typer.Option(help="Why; needed for more than 72 hours.")] = "",
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Show how long is kept by default, at least, and under which law; with anything given, set it."""
    session = logged_in(url)
    path = f"{session.path}/retention"
    now: Any = session.service.call("GET", path)
    if keep_for or profile is not None or at_least or justification:
        body = {name: now[name] for name in ("profile", "keep_for", "at_least", "justification")}
        body |= {"keep_for": duration(keep_for)} if keep_for else {}
        body |= {"profile": str(profile)} if profile is not None else {}
        body |= {"at_least": duration(at_least)} if at_least else {}
        body |= {"justification": justification} if justification else {}
        now = session.service.call("PUT", path, body)
    told = {
        "profile": now["profile"],
        "kept for": span(now["keep_for"]),
        "at least": span(now["at_least"]),
        "at most": span(now["at_most"]),
        "justification": now["justification"],
    }
    tell(now, facts(told), as_json=as_json)


@app.command("forecast")
def forecast(url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Say how many bytes footage will come to, camera by camera, and what the store has left."""
    session = logged_in(url)
    found = session.service.call("GET", f"{session.path}/forecast")
    names = {one["camera_id"]: one["name"] for one in session.cameras()}
    rows = (
        (
            names.get(one["camera_id"], one["camera_id"]),
            one["is_recorded"],
            None if one["bytes_per_second"] is None else f"{size(one['bytes_per_second'])}/s, {one['basis']}",
            span(one["recorded_at_most"]),
            size(one["stored_bytes"]),
            size(one["forecast_bytes"]),
        )
        for one in found["cameras"]
    )
    head = ("camera", "recorded", "rate", "recorded at most", "stored", "will be")
    told = {
        "will be in all": size(found["forecast_bytes"]),
        "cameras of unknown rate": found["unknown_rates"],
        "left in the store": "unknown: it does not tell" if found["left_bytes"] is None else size(found["left_bytes"]),
    }
    lines = [*table(head, rows, "Nothing is recorded, and nothing is stored."), "", *facts(told)]
    tell(found, lines, as_json=as_json)

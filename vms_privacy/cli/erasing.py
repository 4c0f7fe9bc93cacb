"""The commands of mandates: what is destroyed before its time, by two people."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from vms_privacy.cli.forms import facts, moment, size, span, table
from vms_privacy.cli.moments import moment_of
from vms_privacy.cli.options import DEFAULT_URL, AsJson, CameraName, Url, command_group
from vms_privacy.cli.output import tell
from vms_privacy.cli.session import logged_in
from vms_privacy.client import ApiRefused

app = command_group("Mandates: what is destroyed before its time, by two people, exact to the picture.")
_From = Annotated[str, typer.Option("--from", metavar="MOMENT", help="The first moment that is destroyed.")]
_Until = Annotated[str, typer.Option("--until", metavar="MOMENT", help="The end; this moment is not destroyed.")]
_HEAD = ("reference", "camera", "from", "until", "standing", "mandate")
_FORBIDDEN = 403


class MandateCause(StrEnum):
    """Why footage is destroyed before its time."""

    REQUEST = "request"
    WITHDRAWAL = "withdrawal"


@app.command("preview")
def preview(name: CameraName, since: _From, until: _Until, url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Say what would be destroyed, exact to the picture; changes nothing."""
    session = logged_in(url)
    asked = {"from": moment_of(since).isoformat(), "until": moment_of(until).isoformat()}
    found = session.service.call("GET", f"{session.camera_path(name)}/mandates/preview", None, **asked)
    told: dict[str, object] = {
        "asked": f"{moment(found['from'])} to {moment(found['until'])}",
        "destroyed": "nothing"
        if found["gone_from"] is None
        else f"{moment(found['gone_from'])} to {moment(found['gone_until'])}",
        "segments": f"{found['segments']}, {size(found['size_bytes'])}, {span(found['recorded'])}",
    }
    if found["in_part"]:
        told["kept in part"] = f"{found['in_part']} segments; what is kept of them is sealed anew"
    for key, words in _LATER.items():
        if found[key]:
            told[words] = f"{found[key]} segments"
    tell(found, facts(told), as_json=as_json)


_LATER = {
    "growing": "once they are closed",
    "too_young": "once your minimum allows it",
    "unreadable": "cannot be cut",
    "kept_by_orders": "kept by holds or restrictions",
}


@app.command("propose")
def propose(
    name: CameraName,
    since: _From,
    until: _Until,
    reference: Annotated[str, typer.Option(help="The request's id, or your own word for it.")],
    reason: Annotated[str, typer.Option(help="Why, in words.")],
    cause: Annotated[MandateCause, typer.Option(help="What it rests on.")] = MandateCause.REQUEST,
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Propose to destroy a stretch of time; another person approves it."""
    session = logged_in(url)
    body = {
        "from": moment_of(since).isoformat(),
        "until": moment_of(until).isoformat(),
        "cause": cause,
        "reference": reference,
        "reason": reason,
    }
    made = session.service.call("POST", f"{session.camera_path(name)}/mandates", body)
    lines = [
        f"It is destroyed once another person approves, by {moment(made['expires_at'])}.",
        f"next, by somebody else: vms-privacy approval approve {made['proposal_id']}",
    ]
    tell(made, lines, as_json=as_json)


@app.command("list")
def list_mandates(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Of this camera alone.", show_default=False)] = "",
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """List mandates, done ones too."""
    session = logged_in(url)
    names = {one["camera_id"]: one["name"] for one in session.cameras()}
    if name:
        found = session.service.call("GET", f"{session.camera_path(name)}/mandates")
    else:
        found = []
        for camera_id in names:
            try:
                found += session.service.call("GET", f"/api/v1/cameras/{camera_id}/mandates")
            except ApiRefused as refused:
                if refused.status != _FORBIDDEN:
                    raise
    rows = (
        (
            one["reference"],
            names.get(one["camera_id"], one["camera_id"]),
            moment(one["from"]),
            moment(one["until"]),
            _standing(one),
            one["mandate_id"],
        )
        for one in found
    )
    tell({"items": found}, table(_HEAD, rows, "There are no mandates."), as_json=as_json)


def _standing(one: Mapping[str, Any]) -> str:
    if one["is_done"]:
        return "destroyed"
    left = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in one["left"].items() if count)
    failure = f" ({one['last_failure']}, {one['attempts']} attempts)" if one["last_failure"] else ""
    return f"{left or 'about to begin'}{failure}"

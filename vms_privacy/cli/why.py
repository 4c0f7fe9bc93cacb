"""The command that answers why."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from vms_privacy.cli.forms import facts, moment
from vms_privacy.cli.moments import moment_of
from vms_privacy.cli.options import DEFAULT_URL, AsJson, CameraName, Url
from vms_privacy.cli.output import tell
from vms_privacy.cli.session import logged_in

app = typer.Typer(pretty_exceptions_enable=False)
_SAYS: Final[Mapping[str, str]] = {
    "not-yet": "that moment has not come",
    "never-recorded": "nothing was recorded: there was no opt-in",
    "gap": "nothing was recorded, though there was an opt-in",
    "being-recorded": "it is being recorded",
    "kept": "it is kept, and can be read",
    "restricted": "it is kept, and nobody reads it",
    "held": "its time is over; a hold keeps it",
    "expired": "it is over: nobody reads it",
    "destroyed": "it is destroyed",
    "unaccounted": "nothing says what became of it: run `vms-privacy check`",
}


@app.command("why")
def why(
    name: CameraName,
    at: Annotated[str, typer.Argument(metavar="MOMENT", help="Such as 2026-01-31T08:00:00Z.", show_default=False)],
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Say what is there at a moment, why it still is or why it is gone, and what happens next."""
    asked = moment_of(at)
    session = logged_in(url)
    found = session.service.call("GET", f"{session.camera_path(name)}/why", None, moment=asked.isoformat())
    told: dict[str, object] = {
        "at": moment(asked),
        "what": _SAYS.get(found["what"], found["what"]),
        "because": [_reason(one) for one in found["because"]],
    }
    if found["readable_until"]:
        told["readable until"] = moment(found["readable_until"])
    if found["then"]:
        told["next"] = _next(found["then"])
    tell(found, facts(told), as_json=as_json)


def _reason(one: Mapping[str, Any]) -> str:
    words = str(one["code"]).replace("-", " ")
    return f"{words}: {one['about']}" if one["about"] else words


def _next(then: Mapping[str, Any]) -> str:
    words = str(then["code"]).replace("-", " ")
    return f"{words}, {moment(then['at'])} at the latest" if then["at"] else words

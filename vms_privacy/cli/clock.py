"""The commands about the service's clock: is the time in doubt, and saying that the machine's clock is right."""

from typing import Annotated

import typer

from vms_privacy.cli.asking import agree
from vms_privacy.cli.forms import facts, moment, span
from vms_privacy.cli.options import DEFAULT_URL, AsJson, Url, command_group
from vms_privacy.cli.output import tell
from vms_privacy.cli.refusals import NotAPlatformAdmin
from vms_privacy.cli.session import Session, logged_in

app = command_group("The service's clock; for platform admins.")


@app.command("show")
def show(url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Show what time the service goes by, and whether it is in doubt."""
    found = _admin(url).service.call("GET", "/api/v1/clock")
    told: dict[str, object] = {
        "now": moment(found["now"]),
        "reading goes by": moment(found["for_reading"]),
        "destroying goes by": moment(found["for_destroying"]),
    }
    doubt = found["doubt"]
    if doubt is None:
        told["doubt"] = "none"
    else:
        told["doubt"] = f"{doubt['cause']}: {span(doubt['apart'])} apart, since {moment(doubt['since'])}"
        told["next"] = "set the machine's clock right, then: vms-privacy clock settle"
    tell(found, facts(told), as_json=as_json)


@app.command("settle")
def settle(
    reason: Annotated[
        str, typer.Argument(metavar="REASON", help="Small words joined by hyphens, for the audit.", show_default=False)
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """End a doubt about the time: the machine's clock is right. What has expired by it is destroyed, for good."""
    session = _admin(url)
    text = "Is the machine's clock right? What has expired by it is destroyed by the next sweep, for good."
    agree(text, "--yes", already=yes)
    made = session.service.call("POST", "/api/v1/clock/settle", {"reason": reason})
    tell(made, [f"The doubt is over: the machine's clock counts from {moment(made['at'])}."], as_json=as_json)


def _admin(url: str) -> Session:
    """Return the service with a platform admin logged in. Raises NotLoggedIn, NotAPlatformAdmin."""
    session = logged_in(url)
    if session.operator_id:
        raise NotAPlatformAdmin(f"{session.login} is of the operator {session.operator}, and no platform admin")
    return session

"""The command about where an operator's footage goes."""

from typing import Annotated

import typer

from vms_privacy.cli.forms import facts
from vms_privacy.cli.options import DEFAULT_URL, AsJson, Url, command_group
from vms_privacy.cli.output import tell
from vms_privacy.cli.refusals import NoSuchOperator, NotAPlatformAdmin
from vms_privacy.cli.session import logged_in

app = command_group("Where footage lies.")


@app.command("region")
def region(
    operator: Annotated[str, typer.Argument(metavar="OPERATOR", help="Its name in URLs.", show_default=False)],
    wanted: Annotated[
        str, typer.Argument(metavar="[REGION]", help="Where its footage goes from now on.", show_default=False)
    ] = "",
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Show where an operator's footage goes; with a region, have it go there from the next file on."""
    # What is there stays where it is: nothing is ever moved from one region to another.
    session = logged_in(url)
    if session.operator_id:
        raise NotAPlatformAdmin(f"{session.login} is of the operator {session.operator}, and no platform admin")
    found = next((one for one in session.service.every("/api/v1/operators") if one["name"] == operator), None)
    if found is None:
        raise NoSuchOperator(f"there is no operator named {operator}")
    if wanted:
        found = session.service.call("PUT", f"/api/v1/operators/{found['operator_id']}/region", {"region": wanted})
    tell(found, facts({"operator": found["name"], "footage goes to": found["region"]}), as_json=as_json)

"""The command about when a camera is recorded within its opt-in."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from vms_privacy.cli.forms import facts, moment, table
from vms_privacy.cli.options import DEFAULT_URL, AsJson, CameraName, Url, command_group
from vms_privacy.cli.output import tell
from vms_privacy.cli.refusals import AnswerNeeded, BadStretch
from vms_privacy.cli.session import logged_in
from vms_privacy.recording_times.rules import DAYS

app = command_group("When a camera is recorded.")
_FORM: Final = "a stretch is written like 'mon-fri 08:00-18:00', 'sat,sun 22:00-06:00' or 'daily 08:00-20:00'"
_TIMES: Final = re.compile(r"([0-9]{2}:[0-9]{2})-([0-9]{2}:[0-9]{2})", re.ASCII)
_ALWAYS: Final = "daily 00:00-24:00"


@app.command("times")
def times(
    name: CameraName,
    stretches: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STRETCH]…", help="Such as 'mon-fri 22:00-06:00', several of them.", show_default=False
        ),
    ] = None,
    zone: Annotated[
        str, typer.Option(metavar="ZONE", help="Whose clock, such as Europe/Paris.", show_default=False)
    ] = "",
    url: Url = DEFAULT_URL,
    *,
    always: Annotated[bool, typer.Option("--always", help="Record all that the opt-in allows.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show when a camera is recorded within its opt-in, with its history; with STRETCH or --always, set it.

    It holds from now on. Outside of these times nothing is recorded; what was recorded stays until its retention is
    over. A stretch that ends before it begins runs on into the next day.
    """
    wanted = [_stretch(one) for one in stretches or []]
    if always and wanted:
        raise AnswerNeeded("name stretches, or --always, and not both")
    if wanted and not zone:
        raise AnswerNeeded("say whose clock the times are of: --zone Europe/Paris")
    if zone and not (wanted or always):
        raise AnswerNeeded("--zone is for a STRETCH, and none is given: it would change nothing")
    session = logged_in(url)
    path = f"{session.camera_path(name)}/recording-times"
    if wanted or always:
        body: dict[str, Any] = {"zone": zone or "UTC", "stretches": wanted or [_stretch(_ALWAYS)]}
        now = session.service.call("PUT", path, body)
    else:
        now = session.service.call("GET", path)
    versions = session.service.call("GET", f"{path}/versions")
    told = {
        "camera": name,
        "recorded": [_words(one) for one in now["stretches"]],
        "by the clock of": now["zone"],
        "recorded now": now["is_recorded_now"],
        "changes": moment(now["changes_at"]),
    }
    by = session.logins()
    rows = (
        (
            one["version"],
            one["zone"],
            " ".join(one["stretches"]),
            moment(one["set_at"]),
            by.get(one["set_by"], one["set_by"]),
        )
        for one in versions
    )
    history = table(("version", "zone", "stretches", "set", "by"), rows, "Nobody set it: that is the default.")
    tell({**now, "versions": versions}, [*facts(told), "", *history], as_json=as_json)


def _stretch(text: str) -> dict[str, Any]:
    """Read one stretch as people write it. Raises BadStretch."""
    days, _, times_of_day = text.strip().lower().partition(" ")
    found = _TIMES.fullmatch(times_of_day.strip())
    if found is None:
        raise BadStretch(_FORM)
    named = [str(day) for one in days.split(",") for day in _days(one)]
    return {"days": [str(day) for day in DAYS if str(day) in named], "begins": found[1], "ends": found[2]}


def _days(word: str) -> list[str]:
    if word == "daily":
        return [str(day) for day in DAYS]
    first, _, last = word.partition("-")
    ends = (first, last or first)
    if any(one not in list(DAYS) for one in ends):
        raise BadStretch(_FORM)
    at, until = ([str(day) for day in DAYS].index(one) for one in ends)
    return [str(DAYS[day % 7]) for day in range(at, (until if until >= at else until + 7) + 1)]


def _words(one: Mapping[str, Any]) -> str:
    days = "daily" if len(one["days"]) == len(DAYS) else ",".join(one["days"])
    return f"{days} {one['begins']}-{one['ends']}"

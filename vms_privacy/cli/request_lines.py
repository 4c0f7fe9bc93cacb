"""What the commands of requests share: naming what a request is about, and telling how far it is."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from vms_privacy.cli.forms import NOTHING, moment, table
from vms_privacy.cli.moments import moment_of
from vms_privacy.cli.refusals import FileUnusable
from vms_privacy.cli.session import Session
from vms_privacy.durable_files import fault_of

RequestName = Annotated[
    str, typer.Argument(metavar="REQUEST", help="Its id, as the list shows it.", show_default=False)
]
Items = Annotated[
    list[str] | None,
    typer.Option(
        "--item",
        metavar="CAMERA/FROM/UNTIL",
        help="A camera's name and a stretch of its time, such as gate/2026-01-31T08:00:00Z/2026-01-31T08:15:00Z.",
        show_default=False,
    ),
]
_HEAD: Final = ("item", "camera", "from", "until", "answer", "standing", "confirmed")
_LONGEST: Final = 8192


def request_path(session: Session, request: str) -> str:
    """Return where a request is in the API."""
    return f"{session.path}/requests/{quote(request, safe='')}"


def items_of(session: Session, told: Sequence[str]) -> list[dict[str, str]]:
    """Read stretches of cameras' time. Raises NoSuchCamera, BadMoment."""
    found = []
    for one in told:
        parts = one.split("/")
        if len(parts) != 3:
            raise typer.BadParameter("an item is written CAMERA/FROM/UNTIL")
        camera_id = session.camera_path(parts[0]).rpartition("/")[2]
        found.append(
            {
                "camera_id": camera_id,
                "from": moment_of(parts[1]).isoformat(),
                "until": moment_of(parts[2]).isoformat(),
            }
        )
    return found


def text_of(file: Path | None) -> str:
    """Return what is in a file, such as somebody's address: nothing of it belongs on a command line."""
    if file is None:
        return ""
    try:
        text = sys.stdin.read(_LONGEST) if str(file) == "-" else file.read_text(encoding="utf-8")[:_LONGEST]
    except UnicodeDecodeError:
        raise FileUnusable(f"{file} is no text in UTF-8") from None
    except OSError as error:
        raise FileUnusable(f"{file} cannot be read: {fault_of(error)}") from None
    return text.strip()


def outcome_of(one: Mapping[str, Any]) -> str:
    """Say in a word how a request stands."""
    if one["outcome"]:
        return f"{one['outcome']} {moment(one['closed_at'])}"
    return "OVERDUE" if one["is_overdue"] else "promise missed" if one["missed_promise"] else "open"


def item_lines(one: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    """Return the table of a request's items."""
    rows = (
        (
            item["item"],
            names.get(item["camera_id"], item["camera_id"]),
            moment(item["from"]),
            moment(item["until"]),
            f"{item['answer'] or NOTHING}{': ' + item['reason'] if item['reason'] else ''}",
            item["standing"],
            ", ".join(_store(store) for store in item["stores"]),
        )
        for item in one["items"]
    )
    return table(_HEAD, rows, "It says neither camera nor time yet: vms-privacy request scope")


def _store(store: Mapping[str, Any]) -> str:
    failure = f" ({store['failure']})" if store["failure"] else ""
    return f"{store['store']}: {'yes' if store['is_confirmed'] else 'not yet'}{failure}"

"""The commands that print documents: the API's description, the settings, and what a refusal's code means."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from prometheus_client import CollectorRegistry

from streams.media import rtp
from streams.rtsp import errors as rtsp_errors
from streams.simulator import reading
from vms_privacy.app import Assembly
from vms_privacy.cli.advice import advice_on
from vms_privacy.cli.forms import facts, table
from vms_privacy.cli.options import AsJson, command_group
from vms_privacy.cli.output import EXIT_OF, STOPPED, UNFORESEEN, exit_of_status, tell
from vms_privacy.cli.reasons import REASONS
from vms_privacy.cli.refusals import NoSuchProblem, PageIsOld
from vms_privacy.errors import Kind
from vms_privacy.faces import build_api
from vms_privacy.http.problems import PLAIN, STATUS, every_refusal
from vms_privacy.install import initialise
from vms_privacy.settings import Settings, manual

app = command_group("Documents.")

_OF_THIS_FACE: Final = (
    ("wrong-usage", "wrong usage", "The line is not written as the command wants it.", 2),
    ("stopped", "stopped", "Whoever sat at it said no, or stopped it; nothing was done.", STOPPED),
    ("unforeseen-error", "internal error", "Something failed that nobody foresaw, in the command itself.", UNFORESEEN),
    ("refused", "refused", "The service said no in words of HTTP alone.", UNFORESEEN),
)
"""Problems of the command line that stand for no refusal."""

_NOT_OF_THE_SERVICE: Final = (reading, rtp, rtsp_errors)
"""Modules with refusals that running the service's commands would not load; they are explained as well."""

Write = Annotated[Path | None, typer.Option(metavar="FILE", help="Write it here.")]
Check = Annotated[
    Path | None, typer.Option("--check", metavar="FILE", help="Only say whether this file is up to date.")
]


@app.command("openapi")
def openapi(write: Write = None, check: Check = None, *, as_json: AsJson = False) -> None:
    """Print, write or compare the description of the API."""
    with tempfile.TemporaryDirectory() as folder:
        # The document needs parts, and parts need an installation: one that is thrown away.
        settings = Settings(data_dir=Path(folder) / "data", database_url=None, keyring_dir=None, archive_dir=None)
        initialise(settings)
        api = build_api(Assembly(settings), {}, CollectorRegistry())
        text = json.dumps(api.openapi(), indent=1, sort_keys=True) + "\n"
    _generated(text, json.loads(text), write, check, as_json=as_json)


@app.command("settings-manual")
def settings_manual(write: Write = None, check: Check = None, *, as_json: AsJson = False) -> None:
    """Print, write or compare the page about every setting."""
    text = manual()
    _generated(text, {"page": text}, write, check, as_json=as_json)


@app.command("problems")
def problems(
    code: Annotated[str, typer.Argument(metavar="[CODE]", help="A code, as it was shown.", show_default=False)] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Explain a code: what it means, and what to do next. Without CODE, list all of them."""
    known = _problems()
    if not code:
        rows = ((one["code"], one["kind"], one["status"], one["exit_code"]) for one in known.values())
        tell({"items": list(known.values())}, table(("code", "kind", "http", "exit"), rows, ""), as_json=as_json)
        return
    if code not in known:
        raise NoSuchProblem(f"no code {code} is ever shown")
    found = known[code]
    told = {
        "code": code,
        "meaning": found["meaning"],
        "kind": found["kind"],
        "HTTP status": found["status"],
        "exit code": found["exit_code"],
        "next": found["next"],
    }
    tell(found, facts(told), as_json=as_json)


def _problems() -> dict[str, dict[str, Any]]:
    """Return every code that is shown: the refusals of all rooms, and what stands for no refusal."""
    kinds = {str(kind) for kind in Kind}
    found = {one.code: _told(one.code, one.title, one.status, one.meaning) for one in PLAIN}
    for cls in every_refusal():
        meaning = " ".join((cls.__doc__ or "").split())
        found[cls.code] = _told(cls.code, cls.kind, STATUS[cls.kind], meaning)
    for one in found.values():
        one["exit_code"] = EXIT_OF[Kind(one["kind"])] if one["kind"] in kinds else exit_of_status(one["status"])
    for code, title, meaning, exit_code in _OF_THIS_FACE:
        found[code] = {**_told(code, title, None, meaning), "exit_code": exit_code}
    for reason in REASONS:
        told = {"code": reason.code, "kind": reason.kind, "status": None, "meaning": reason.meaning}
        found[reason.code] = {**told, "next": reason.next, "exit_code": reason.exit_code}
    return dict(sorted(found.items()))


def _told(code: str, kind: str, status: int | None, meaning: str) -> dict[str, Any]:
    return {"code": code, "kind": str(kind), "status": status, "meaning": meaning, "next": advice_on(code)}


def _generated(text: str, document: object, write: Path | None, compare: Path | None, *, as_json: bool) -> None:
    if write is not None:
        write.write_text(text)
        tell({"written": write}, [f"{write} is written."], as_json=as_json)
    elif compare is not None:
        if not compare.exists() or compare.read_text() != text:
            raise PageIsOld(f"{compare} is not what this program would write")
        tell({"up_to_date": compare}, [f"{compare} is up to date."], as_json=as_json)
    elif as_json:
        tell(document, (), as_json=True)
    else:
        sys.stdout.write(text)

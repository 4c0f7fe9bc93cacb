"""The commands of off-boarding: an operator leaves, with a signed list of everything, and the rest is destroyed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from vms_privacy.cli.asking import agree
from vms_privacy.cli.files import new_file
from vms_privacy.cli.forms import NOTHING, facts, moment, size, table
from vms_privacy.cli.options import DEFAULT_URL, AsJson, Url, command_group
from vms_privacy.cli.output import tell
from vms_privacy.cli.refusals import ServiceUnreachable
from vms_privacy.cli.session import Session, logged_in

app = command_group("Off-boarding: your operator leaves; everything is listed, and destroyed with its keys.")

_Reason = Annotated[str, typer.Option(help="Why, in words; both people read it.")]
_WAITS: Final[Mapping[str, str]] = {
    "manifest": "a manifest: vms-privacy off-boarding manifest",
    "confirmation": "two people: vms-privacy off-boarding confirm DIGEST --reason WHY",
    "orders": "holds or restrictions, until two people lift them: vms-privacy hold list",
    "minimum-retention": "your own minimum retention",
    "destruction": "the engine, which is at it",
    "open-requests": "answers to people's requests: vms-privacy request list",
    "worker": "the service, which is at it",
}
_LEFT: Final = ("under_way", "growing", "kept_by_orders", "too_young", "due")


@app.command("begin")
def begin(reason: _Reason, url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Propose that your operator leaves; once another person approves, nothing is recorded or given away any more."""
    session = logged_in(url)
    made = session.service.call("POST", _path(session), {"reason": reason})
    _tell_proposed(made, "Recording ends for good", as_json=as_json)


@app.command("show")
def show(url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Say how far it is, what it waits for, and what was destroyed."""
    session = logged_in(url)
    found = session.service.call("GET", _path(session))
    tell(found, facts(_told(found)), as_json=as_json)


@app.command("manifest")
def ask_for_manifest(url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Have everything listed, with a hash of each file; while one is being made, show how far it is."""
    session = logged_in(url)
    made = session.service.call("POST", f"{_path(session)}/manifest")
    lines = [
        f"{made['listed']} segments are listed so far; `off-boarding show` has its digest once it is signed.",
        "next, then: vms-privacy off-boarding fetch --to FILE",
    ]
    tell(made, lines, as_json=as_json)


@app.command("fetch")
def fetch(
    to: Annotated[Path, typer.Option(metavar="FILE", help="Where to write it.", show_default=False)],
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Fetch the exact bytes of the newest manifest into a file."""
    session = logged_in(url)
    count = 0
    with new_file(to) as file:
        try:
            for piece in session.service.download(f"{_path(session)}/manifest"):
                file.write(piece)
                count += len(piece)
        except ServiceUnreachable:
            raise ServiceUnreachable(f"the manifest broke off after {size(count)}; nothing of it is kept") from None
    lines = [f"{to}  {size(count)}", f"Next: vms-privacy verify manifest {to} --keys KEYS"]
    tell({"written": to, "bytes": count}, lines, as_json=as_json)


@app.command("confirm")
def confirm(
    manifest: Annotated[
        str, typer.Argument(metavar="DIGEST", help="The manifest's, as `verify manifest` shows it.", show_default=False)
    ],
    reason: _Reason,
    url: Url = DEFAULT_URL,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Propose to destroy what a manifest lists; once another person approves, nobody reads it any more."""
    session = logged_in(url)
    agree("Everything is destroyed, and nobody can undo that. Propose it?", "--yes", already=yes)
    made = session.service.call("POST", f"{_path(session)}/confirmation", {"manifest": manifest, "reason": reason})
    _tell_proposed(made, "Everything is destroyed", as_json=as_json)


@app.command("take-back")
def take_back(url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Stay after all, before it is confirmed; what was switched off stays off until somebody opts in again."""
    session = logged_in(url)
    session.service.call("DELETE", _path(session))
    tell(
        {"taken_back": True}, ["Your operator stays. Nothing is recorded until cameras are opted in."], as_json=as_json
    )


@app.command("list")
def list_off_boardings(url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """List the off-boardings of all operators, for platform admins; of closed ones with their receipts."""
    session = logged_in(url)
    found = session.service.call("GET", "/api/v1/off-boardings")
    rows = (
        (
            one["operator_id"],
            moment(one["begun_at"]),
            _or_nothing(one["confirmed_at"]),
            "taken back" if one["taken_back_at"] else _or_nothing(one["closed_at"]),
            len(one["gone"]["receipts"]) if one["gone"] else NOTHING,
            one["off_boarding_id"],
        )
        for one in found
    )
    head = ("operator", "begun", "confirmed", "closed", "receipts", "off-boarding")
    tell({"items": found}, table(head, rows, "No operator leaves."), as_json=as_json)


def _path(session: Session) -> str:
    return f"{session.path}/off-boarding"


def _tell_proposed(made: Mapping[str, Any], what: str, *, as_json: bool) -> None:
    lines = [
        f"{what} once another person approves, by {moment(made['expires_at'])}.",
        f"next, by somebody else: vms-privacy approval approve {made['proposal_id']}",
    ]
    tell(made, lines, as_json=as_json)


def _told(found: Mapping[str, Any]) -> dict[str, object]:
    manifest, gone = found["manifest"], found["gone"]
    told: dict[str, object] = {"begun": moment(found["begun_at"]), "done": found["step"]}
    if found["taken_back_at"]:
        return told | {"taken back": moment(found["taken_back_at"])}
    if manifest is not None:
        told["manifest"] = f"{manifest['listed']} segments listed, {manifest['digest'] or 'not signed yet'}"
        if manifest["last_failure"]:
            told["manifest fails"] = f"{manifest['last_failure']}, {manifest['attempts']} attempts"
    if found["confirmed_at"]:
        told["confirmed"] = f"{moment(found['confirmed_at'])}, manifest {found['confirmed_digest']}"
    left = ", ".join(f"{found['left'][kind]} {kind.replace('_', ' ')}" for kind in _LEFT if found["left"][kind])
    told["left"] = left or "nothing"
    told["destroyed"] = f"{gone['segments']} segments, {size(gone['size_bytes'])}"
    told["receipts"] = ", ".join(gone["receipts"]) or NOTHING
    if found["last_failure"]:
        told["fails"] = f"{found['last_failure']}, {found['attempts']} attempts"
    if found["waits_for"]:
        told["waits for"] = _WAITS[found["waits_for"]]
    return told


def _or_nothing(at: str | None) -> str:
    return moment(at) if at else NOTHING

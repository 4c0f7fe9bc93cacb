"""The commands about what is kept of a camera: opt-in, withdrawal, their history, and retention."""

from typing import Annotated, Any

import typer

from vms_privacy.cli.asking import agree, answer
from vms_privacy.cli.forms import facts, moment, size, span, table
from vms_privacy.cli.moments import duration
from vms_privacy.cli.options import DEFAULT_URL, AsJson, CameraName, Url, command_group
from vms_privacy.cli.output import tell
from vms_privacy.cli.refusals import AnswerNeeded
from vms_privacy.cli.session import Session, logged_in
from vms_privacy.consent.rules import ConsentKind, LegalBasis

app = command_group("What is kept of a camera.")

What = Annotated[ConsentKind, typer.Option("--kind", help="Each is a switch of its own.")]


@app.command("opt-in")
def opt_in(
    name: CameraName,
    purpose: Annotated[str, typer.Option(help="For what purpose; asked for if it is not given.")] = "",
    kind: What = ConsentKind.VIDEO_RECORDING,
    legal_basis: Annotated[LegalBasis, typer.Option(help="GDPR, Article 6(1).")] = LegalBasis.LEGITIMATE_INTERESTS,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to the text without being shown it.")] = False,
    sign: Annotated[bool, typer.Option("--sign", help="Confirm that a sign hangs at the camera.")] = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Switch recording on, for a purpose, with a sign at the camera; `camera withdraw` switches it off."""
    session = logged_in(url)
    path = session.camera_path(name)
    wanted = answer(purpose, "For what purpose", "--purpose")
    wording = session.service.call("GET", f"/api/v1/opt-in-wordings/{kind}")
    named = f"Purpose: {wanted}\nLegal basis: {legal_basis} (another one: --legal-basis)"
    agree(f"{wording['text']}\n\n{named}\n\nDo you agree?", "--yes", already=yes)
    agree("Does a sign at the camera tell people of it?", "--sign", already=sign)
    body = {
        "kind": kind,
        "purpose": wanted,
        "legal_basis": legal_basis,
        "sign_confirmed_at": wording["shown_at"],
        "wording_version": wording["version"],
    }
    made = session.service.call("POST", f"{path}/opt-ins", body)
    line = f"{kind} is on for {name}, from now. Off again: vms-privacy camera withdraw {name}"
    tell({**made, "camera": name, "kind": kind}, [line], as_json=as_json)


@app.command("withdraw")
def withdraw(
    name: CameraName,
    kind: What = ConsentKind.VIDEO_RECORDING,
    url: Url = DEFAULT_URL,
    *,
    erase: Annotated[bool, typer.Option("--erase", help="What was recorded goes, too, by two people.")] = False,
    as_json: AsJson = False,
) -> None:
    """Switch recording off, from this moment. What is recorded stays for its retention, or goes with --erase."""
    session = logged_in(url)
    footage = "erase" if erase else "keep"
    made = session.service.call("DELETE", f"{session.camera_path(name)}/opt-ins/{kind}", None, footage=footage)
    lines = [f"{' and '.join(made['kinds'])} off for {name}, from {moment(made['withdrawn_at'])}."]
    lines += [f"next, by somebody else: vms-privacy approval approve {one}" for one in made["proposals"]]
    if erase and not made["proposals"]:
        lines.append("Nothing is there that could be erased.")
    tell(made, lines, as_json=as_json)


@app.command("opt-ins")
def opt_ins(name: CameraName, url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """List every opt-in and withdrawal of a camera, oldest first."""
    session = logged_in(url)
    found = session.service.call("GET", f"{session.camera_path(name)}/opt-ins")
    by = session.logins()
    rows = (
        (moment(one["from_at"]), one["kind"], one["answer"], one["purpose"], by.get(one["actor"], one["actor"]))
        for one in found
    )
    head = ("from", "kind", "answer", "purpose", "by")
    tell({"items": found}, table(head, rows, "No opt-in ever: nothing was recorded."), as_json=as_json)


def _no_option(word: str) -> str:
    """Refuse an option that there is not. A duration with a minus sign looks like one; it is told what is wrong."""
    if word.startswith("--"):
        raise typer.BadParameter("there is no such option")
    return word


@app.command("retention", context_settings={"ignore_unknown_options": True})
def retention(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The camera's name.", show_default=False, callback=_no_option)
    ],
    keep_for: Annotated[
        str,
        typer.Argument(
            metavar="[DURATION]", help="Such as PT48H or P7D: PT10S to P366D.", show_default=False, callback=_no_option
        ),
    ] = "",
    justification: Annotated[str, typer.Option(help="Why; needed for more than 72 hours.")] = "",
    url: Url = DEFAULT_URL,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would do, and change nothing.")] = False,
    propose: Annotated[
        str, typer.Option(metavar="REASON", help="Propose it, where it takes two people.", show_default=False)
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show how long recordings of a camera are kept, with its history; with DURATION, set it.

    Shorter applies at once, to what is there as well; longer only to footage taken from now on. Where much would be
    destroyed at once it takes another person: propose it.
    """
    if justification and not keep_for:
        raise AnswerNeeded("--justification is for a DURATION, and none is given: it would change nothing")
    session = logged_in(url)
    path = f"{session.camera_path(name)}/retention"
    if (dry_run or propose) and not keep_for:
        raise AnswerNeeded("--dry-run and --propose are about a DURATION, and none is given")
    if dry_run:
        _tell_preview(session, path, keep_for, justification, as_json=as_json)
        return
    if propose:
        _tell_proposal(session, path, keep_for, justification, propose, as_json=as_json)
        return
    if keep_for:
        body: dict[str, Any] = {"keep_for": duration(keep_for), "justification": justification}
        now = session.service.call("PUT", path, body)
    else:
        now = session.service.call("GET", path)
    versions = session.service.call("GET", f"{path}/versions")
    told = {"camera": name, "kept for": span(now["keep_for"]), "justification": now["justification"]}
    by = session.logins()
    rows = (
        (one["version"], span(one["keep_for"]), moment(one["set_at"]), by.get(one["set_by"], one["set_by"]))
        for one in versions
    )
    history = table(("version", "kept for", "set", "by"), rows, "Nobody set it: that is the default.")
    tell({**now, "versions": versions}, [*facts(told), "", *history], as_json=as_json)


def _tell_preview(session: Session, path: str, keep_for: str, justification: str, *, as_json: bool) -> None:
    wanted = {"keep_for": duration(keep_for), "justification": justification}
    found = session.service.call("GET", f"{path}/preview", None, **wanted)
    told = {
        "would expire at once": f"{found['expires_segments']} segments, {size(found['expires_bytes'])}",
        "recorded time": span(found["expires_recorded"]),
        "of these held": found["held"],
        "takes two people": found["takes_two"],
        "comes to": None if found["forecast_bytes"] is None else size(found["forecast_bytes"]),
        "fits into the store": found["fits"],
    }
    tell(found, facts(told), as_json=as_json)


def _tell_proposal(
    session: Session, path: str, keep_for: str, justification: str, reason: str, *, as_json: bool
) -> None:
    body = {"keep_for": duration(keep_for), "justification": justification, "reason": reason}
    made = session.service.call("POST", f"{path}/proposals", body)
    lines = [
        f"It is set once another person approves, by {moment(made['expires_at'])}.",
        f"next, by somebody else: vms-privacy approval approve {made['proposal_id']}",
    ]
    tell(made, lines, as_json=as_json)

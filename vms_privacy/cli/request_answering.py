"""The commands of requests: what is there, deciding about it, telling whoever asked, and closing."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from vms_privacy.cli import orders
from vms_privacy.cli.forms import moment, size, span, table
from vms_privacy.cli.moments import moment_of
from vms_privacy.cli.options import DEFAULT_URL, AsJson, Url, command_group
from vms_privacy.cli.output import tell
from vms_privacy.cli.request_lines import RequestName, item_lines, request_path, text_of
from vms_privacy.cli.restrictions import RestrictionGround
from vms_privacy.cli.session import Session, logged_in
from vms_privacy.clock import SystemClock
from vms_privacy.subject_requests.kinds import Answer, Reason

app = command_group("Answering requests.")
_Words = Annotated[Path | None, typer.Option(help="A file with what whoever asked is told besides; kept sealed.")]
_Complaint = Annotated[str, typer.Option(metavar="AUTHORITY", help="Whom one can complain to; by default your law's.")]
_TOLD: Final = timedelta(seconds=1)


@app.command("search")
def search(request: RequestName, url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Say what is there of what a request is about; no picture is opened for it."""
    session = logged_in(url)
    found = session.service.call("GET", f"{request_path(session, request)}/search")
    names = _names(session)
    rows = (
        (
            one["item"],
            names.get(one["camera_id"], one["camera_id"]),
            one["segments"],
            size(one["size_bytes"]),
            span(one["recorded"]),
            one["growing"],
            one["kept_by_orders"],
        )
        for one in found
    )
    head = ("item", "camera", "segments", "size", "recorded", "growing", "kept by orders")
    tell({"items": found}, table(head, rows, "It says neither camera nor time yet."), as_json=as_json)


@app.command("preview")
def preview(request: RequestName, url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Say what would be destroyed, exact to the picture; changes nothing."""
    session = logged_in(url)
    found = session.service.call("GET", f"{request_path(session, request)}/preview")
    names = _names(session)
    rows = (
        (
            one["item"],
            names.get(one["camera_id"], one["camera_id"]),
            moment(one["gone_from"]),
            moment(one["gone_until"]),
            one["segments"],
            one["in_part"],
            size(one["size_bytes"]),
            one["too_young"],
        )
        for one in found
    )
    head = ("item", "camera", "gone from", "gone until", "segments", "in part", "size", "too young")
    tell({"items": found}, table(head, rows, "It says neither camera nor time yet."), as_json=as_json)


@app.command("decide")
def decide(
    request: RequestName,
    answer: Annotated[Answer, typer.Argument(metavar="ANSWER", help="What is decided.")],
    item: Annotated[list[int] | None, typer.Option(help="Of this item alone; may be given more than once.")] = None,
    reason: Annotated[Reason | None, typer.Option(help="Why it is refused.")] = None,
    complaint_to: _Complaint = "",
    words_file: _Words = None,
    ground: Annotated[RestrictionGround | None, typer.Option(help="What a restriction rests on.")] = None,
    review: orders.Review = orders.REVIEW,
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Decide about a request's items. What is to be erased waits for another person's approval."""
    session = logged_in(url)
    path = request_path(session, request)
    numbers = item or [one["item"] for one in session.service.call("GET", path)["items"]]
    why = {"reason": reason} if reason else {}
    body: dict[str, Any] = {
        "items": [{"item": number, "answer": answer, **why} for number in numbers],
        "complaint_to": complaint_to,
        "words": text_of(words_file),
    }
    if ground is not None:
        body |= {"ground": ground, "review_at": orders.review_at(review)}
    made = session.service.call("POST", f"{path}/decision", body)
    waiting = [one["proposal_id"] for one in made["items"] if one["standing"] == "waits-for-second-person"]
    lines = item_lines(made, _names(session))
    lines += [f"next, by somebody else: vms-privacy approval approve {one}" for one in waiting]
    tell(made, lines, as_json=as_json)


@app.command("refuse")
def refuse(
    request: RequestName,
    reason: Annotated[Reason, typer.Option(help="Why nothing of it is done.")],
    complaint_to: _Complaint = "",
    words_file: _Words = None,
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Refuse all of a request."""
    session = logged_in(url)
    body = {"reason": reason, "complaint_to": complaint_to, "words": text_of(words_file)}
    path = request_path(session, request)
    made = session.service.call("POST", f"{path}/refusal", body)
    lines = [f"It is refused: {reason}.", f"next: vms-privacy request statement {request}"]
    tell(made, lines, as_json=as_json)


@app.command("statement")
def statement(request: RequestName, url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Print what whoever asked is told."""
    session = logged_in(url)
    text = b"".join(session.service.download(f"{request_path(session, request)}/statement")).decode()
    tell({"statement": text}, [text.rstrip("\n")], as_json=as_json)


@app.command("close")
def close(
    request: RequestName,
    told_at: Annotated[str, typer.Option(metavar="MOMENT", help="When whoever asked was told; else just now.")] = "",
    url: Url = DEFAULT_URL,
    *,
    taken_back: Annotated[bool, typer.Option("--taken-back", help="Whoever asked does not want it any more.")] = False,
    as_json: AsJson = False,
) -> None:
    """Close a request: all of it is decided and confirmed, and whoever asked was told."""
    session = logged_in(url)
    # A moment that has just passed: the service's clock may be behind this machine's.
    at = moment_of(told_at) if told_at else SystemClock().now() - _TOLD
    body = {"told_at": at.isoformat(), "taken_back": taken_back}
    made = session.service.call("POST", f"{request_path(session, request)}/closing", body)
    tell(made, [f"It is closed: {made['outcome']}."], as_json=as_json)


def _names(session: Session) -> dict[str, str]:
    return {one["camera_id"]: one["name"] for one in session.cameras()}

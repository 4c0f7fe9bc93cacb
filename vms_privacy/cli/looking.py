"""The commands that look: live, at what is recorded, and at recorded footage. Each look is in the audit."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from vms_privacy.cli.doing import RUNNING, doing_of, trouble
from vms_privacy.cli.files import new_file
from vms_privacy.cli.forms import facts, moment, since_1970, size, span, table
from vms_privacy.cli.moments import moment_of, span_of
from vms_privacy.cli.options import DEFAULT_URL, AsJson, CameraName, Url, command_group
from vms_privacy.cli.output import note, tell
from vms_privacy.cli.refusals import BadDuration, ServiceUnreachable
from vms_privacy.cli.session import Session, logged_in

app = command_group("Look at a camera.")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@app.command("watch")
def watch(name: CameraName, url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Get a stream token and print the URLs that a player opens with it, within five minutes."""
    session = logged_in(url)
    camera, token = _token(session, name, "live", "live_view")
    status = doing_of(session, name)
    base, query = f"{session.service.url}{camera}", f"token={token['handle']}"
    document = {
        "hls": f"{base}/index.m3u8?{query}",
        "mp4": f"{base}/live.mp4?{query}",
        "token_id": token["token_id"],
        "expires_at": token["expires_at"],
        "state": status["state"],
        "why": status["why"],
    }
    if status["state"] != RUNNING:
        note(f"warning: there is no picture of {name} now: {trouble(status)}")
    told = {"HLS": document["hls"], "MP4": document["mp4"], "start until": moment(token["expires_at"])}
    tell(document, [*facts(told), f"next: ffplay '{document['mp4']}'"], as_json=as_json)


@app.command("ranges")
def ranges(name: CameraName, url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Show which times are recorded and can be played now."""
    session = logged_in(url)
    camera, token = _token(session, name, "archive", "archive_view")
    found = session.service.call("GET", f"{camera}/ranges.json", None, token=token["handle"])
    rows = (
        (
            since_1970(one["opened_at"]),
            since_1970(one["closed_at"]),
            f"{(one['closed_at'] - one['opened_at']) // 1000} s",
        )
        for one in found["ranges"]
    )
    for one in found["ranges"]:
        # The protocol counts milliseconds; `camera archive`, and everybody else, takes moments.
        one["from"], one["until"] = _moment_of(one["opened_at"]), _moment_of(one["closed_at"])
    lines = table(("from", "until", "length"), rows, "Nothing is recorded that can be played now.")
    tell(found, lines, as_json=as_json)


def _moment_of(milliseconds: int) -> str:
    at = _EPOCH + timedelta(milliseconds=milliseconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@app.command("archive")
def archive(
    name: CameraName,
    start: Annotated[str, typer.Argument(metavar="FROM", help="Such as 2026-01-31T08:00:00Z.", show_default=False)],
    length: Annotated[str, typer.Argument(metavar="DURATION", help="Such as PT5M.", show_default=False)],
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Take the footage into a file, as MP4, in clear.")
    ] = None,
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Print the URLs that play a recorded span, within five minutes; with --save, take it into a file."""
    since, seconds = moment_of(start), int(span_of(length).total_seconds())
    if seconds < 1:
        raise BadDuration("the span is shorter than a second")
    session = logged_in(url)
    camera, token = _token(session, name, "archive", "archive_view" if save is None else "export")
    path = f"{camera}/archive-{int(since.timestamp())}-{seconds}"
    if save is not None:
        _save(session, f"{path}.mp4", token["handle"], save, since, as_json=as_json)
        return
    footage = _has_footage(session, camera, token["handle"], since.timestamp(), seconds)
    if not footage:
        note(f"warning: {name} has no footage in that span that you may see: vms-privacy camera ranges {name}")
    base, query = f"{session.service.url}{path}", f"token={token['handle']}"
    document = {
        "hls": f"{base}.m3u8?{query}",
        "mp4": f"{base}.mp4?{query}",
        "from": since,
        "seconds": seconds,
        "footage": footage,
        "token_id": token["token_id"],
        "expires_at": token["expires_at"],
    }
    told = {
        "HLS": document["hls"],
        "MP4": document["mp4"],
        "span": f"{span(length.upper())} from {moment(since)}",
        "start until": moment(token["expires_at"]),
    }
    tell(document, facts(told), as_json=as_json)


def _token(session: Session, name: str, action: str, purpose: str) -> tuple[str, Any]:
    """Return where a camera's pictures are, and a stream token for them."""
    camera = session.camera(name)
    body = {"actions": [action], "purpose": purpose}
    token = session.service.call("POST", f"/api/v1/cameras/{camera['camera_id']}/tokens", body)
    return f"/{session.operator}/{camera['name']}", token


def _has_footage(session: Session, camera: str, handle: str, since: float, seconds: int) -> bool:
    """Say whether anything of a span can be played."""
    found = session.service.call("GET", f"{camera}/ranges.json", None, token=handle)["ranges"]
    from_ms, until_ms = since * 1000, (since + seconds) * 1000
    return any(one["opened_at"] < until_ms and one["closed_at"] > from_ms for one in found)


def _save(session: Session, path: str, handle: str, to: Path, since: datetime, *, as_json: bool) -> None:
    count = 0
    with new_file(to) as file:
        try:
            for piece in session.service.download(path, token=handle):
                file.write(piece)
                count += len(piece)
        except ServiceUnreachable:
            raise ServiceUnreachable(f"the footage broke off after {size(count)}; nothing of it is kept") from None
    note(f"{to} holds footage in clear from {moment(since)}: from here on nobody destroys it but you.")
    tell({"written": to, "bytes": count}, [f"{to}  {size(count)}"], as_json=as_json)

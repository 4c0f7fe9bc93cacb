"""The commands that register, show and remove cameras."""

from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

import typer

from vms_privacy.cli.asking import PasswordFile, agree, secret
from vms_privacy.cli.doing import doing_soon, picture, told_of
from vms_privacy.cli.forms import NOTHING, facts, moment, span, table
from vms_privacy.cli.options import DEFAULT_URL, AsJson, CameraName, Url, command_group
from vms_privacy.cli.output import tell
from vms_privacy.cli.session import Session, logged_in
from vms_privacy.client import ApiRefused

app = command_group("Cameras of your operator.")

RECORDING: Final = "video-recording"
_FORBIDDEN: Final = 403


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Its name in URLs: a-z, 0-9, -", show_default=False)],
    address: Annotated[
        str, typer.Argument(help="rtsp(s)://user@host/path; its password is asked for.", show_default=False)
    ],
    purpose: Annotated[str, typer.Option(help="What it films for.")] = "protection of the premises",
    title: Annotated[str, typer.Option(help="Its name for people.")] = "",
    group: Annotated[str, typer.Option(metavar="PATH", help="Where it stands, such as site-a/yard.")] = "",
    plain_exception: Annotated[str, typer.Option(metavar="WHY", help="Why unencrypted RTSP is acceptable here.")] = "",
    pin: Annotated[str, typer.Option(metavar="SHA256", help="The fingerprint of its self-signed certificate.")] = "",
    password_file: PasswordFile = None,
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Add a camera. Its live picture begins; nothing is recorded before an opt-in."""
    wanted = {
        "name": name,
        "url": _with_password(address, password_file),
        "purpose": purpose,
        "title": title,
        "group_path": group,
        "plain_exception": plain_exception,
        "pin": pin,
    }
    session = logged_in(url)
    made = session.service.call("POST", f"{session.path}/cameras", wanted)
    steps = [f"vms-privacy camera watch {name}", f"vms-privacy camera opt-in {name}"]
    status = doing_soon(session, made["camera_id"])
    state, to_do = told_of(made, status)
    told = facts(
        {
            "camera": name,
            "id": made["camera_id"],
            "host": _host(made),
            "state": state,
            "recording": "off: there is no opt-in",
        }
    )
    lines = [f"next: {one}" for one in ((to_do,) if to_do else steps)]
    tell({**made, "status": status}, [*told, *lines], as_json=as_json)


@app.command("list")
def list_cameras(url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """List your operator's cameras: what each does, whether it is recorded, and for how long that is kept."""
    session = logged_in(url)
    found = [_with_state(session, one) for one in session.cameras()]
    head = ("name", "state", "codec", "recording", "retention", "last picture")
    rows = (
        (
            one["name"],
            _state(one["status"]),
            picture(one["status"]),
            _on_or_off(one["recording"]),
            span(one["keep_for"]),
            moment(one["status"]["last_packet_at"]),
        )
        for one in found
    )
    tell({"items": found}, table(head, rows, "No camera yet: vms-privacy camera add"), as_json=as_json)


@app.command("show")
def show(name: CameraName, url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Show one camera: where it is, how it is doing, whether it is recorded."""
    session = logged_in(url)
    one = _with_state(session, session.camera(name))
    status = one["status"]
    told = {
        "camera": one["name"],
        "id": one["camera_id"],
        "title": one["title"],
        "group": one["group_path"],
        "host": _host(one),
        "log-in at it": one["has_credential"],
        "purpose": one["purpose"],
        "plain exception": one["plain_exception"],
        "state": f"{_state(status)}, since {moment(status['since'])}",
        "picture": picture(status),
        "sound": status["audio"] or (f"left out: {status['audio_left_out']}" if status["audio_left_out"] else None),
        "last picture": moment(status["last_packet_at"]),
        "reconnects": status["reconnects"],
        "damaged pictures": status["lost"],
        "trouble": f"{status['why']}: {status['detail']}" if status["why"] else None,
        "recording": _on_or_off(one["recording"]),
        "retention": span(one["keep_for"]),
    }
    tell(one, facts(told), as_json=as_json)


@app.command("change")
def change(
    name: CameraName,
    address: Annotated[str, typer.Option(help="Another rtsp(s)://user@host/path, or another password for it.")] = "",
    purpose: Annotated[str | None, typer.Option(help="What it films for.")] = None,
    title: Annotated[str | None, typer.Option(help="Its name for people.")] = None,
    plain_exception: Annotated[
        str | None, typer.Option(metavar="WHY", help="Why unencrypted RTSP is acceptable.")
    ] = None,
    pin: Annotated[str | None, typer.Option(metavar="SHA256", help="The fingerprint of its certificate.")] = None,
    password_file: PasswordFile = None,
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Change a camera; what is not named stays. With another address its connection begins anew."""
    asked = {"purpose": purpose, "title": title, "plain_exception": plain_exception, "pin": pin}
    wanted: dict[str, Any] = {field: value for field, value in asked.items() if value is not None}
    if address:
        wanted["url"] = _with_password(address, password_file)
    if not wanted:
        raise typer.BadParameter("nothing is named that should change")
    session = logged_in(url)
    found = session.camera(name)
    wanted["version"] = found["version"]
    before = session.service.call("GET", f"/api/v1/cameras/{found['camera_id']}/status")
    made = session.service.call("PATCH", f"/api/v1/cameras/{found['camera_id']}", wanted)
    if not address:
        tell(made, [f"{name} is changed."], as_json=as_json)
        return
    status = doing_soon(session, found["camera_id"], before["since"])
    state, to_do = told_of(made, status)
    lines = [f"{name} is changed; its connection begins anew: {state}.", *([f"next: {to_do}"] if to_do else [])]
    tell({**made, "status": status}, lines, as_json=as_json)


@app.command("remove")
def remove(
    name: CameraName,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Take no more pictures from a camera. What it recorded stays under its retention, and so does its name."""
    session = logged_in(url)
    found = session.camera(name)
    agree(f"Take no more pictures from {name}?", "--yes", already=yes)
    session.service.call("DELETE", f"/api/v1/cameras/{found['camera_id']}")
    line = f"{name} is removed; what it recorded goes when its retention is over."
    tell({"removed": found["camera_id"], "name": found["name"]}, [line], as_json=as_json)


def recording_of(entries: list[Any]) -> bool:
    """Say whether the newest entry about recording is an opt-in that has not ended by itself."""
    newest = next((one for one in reversed(entries) if one["kind"] == RECORDING), None)
    return newest is not None and newest["answer"] == "given"


def _with_state(session: Session, camera: Mapping[str, Any]) -> dict[str, Any]:
    """Return a camera with its status, recording and retention; None for what this person may not know."""
    path = f"/api/v1/cameras/{camera['camera_id']}"
    entries, kept = _if_allowed(session, f"{path}/opt-ins"), _if_allowed(session, f"{path}/retention")
    return {
        **camera,
        "status": session.service.call("GET", f"{path}/status"),
        "recording": None if entries is None else recording_of(entries),
        "keep_for": None if kept is None else kept["keep_for"],
    }


def _if_allowed(session: Session, path: str) -> Any:
    try:
        return session.service.call("GET", path)
    except ApiRefused as refused:
        if refused.status != _FORBIDDEN:
            raise
        return None


def _with_password(address: str, file: Any) -> str:
    """Return the address with the password that belongs to its user; what cannot be read is left to the service."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    if not parts.username or parts.password:
        return address
    password = secret(file, f"Password of {parts.username} at the camera", "--password-file")
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}:{quote(password, safe='')}@{host}"))


def _host(camera: Mapping[str, Any]) -> str:
    return f"{camera['scheme']}://{camera['host']}:{camera['port']}"


def _state(status: Mapping[str, Any]) -> str:
    return f"{status['state']} ({status['why']})" if status["why"] else str(status["state"])


def _on_or_off(recording: bool | None) -> str:
    return NOTHING if recording is None else "on" if recording else "off"

"""The commands that speak to a running service: set up, add a camera, opt in, watch."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from vms_privacy.cli.output import tell
from vms_privacy.client import ApiClient
from vms_privacy.clock import SystemClock
from vms_privacy.durable_files import write_durably
from vms_privacy.errors import Kind, Refusal

camera_app = typer.Typer(help="Cameras of your operator.", no_args_is_help=True)
operator_app = typer.Typer(help="Set up, and log in.", no_args_is_help=True)

Url = Annotated[str, typer.Option(envvar="VMS_URL", help="The service.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of lines for people.")]
DEFAULT_URL = "http://127.0.0.1:8080"


class NotLoggedIn(Refusal):
    """No log-in is kept on this machine, or it is over."""

    kind = Kind.UNAUTHENTICATED
    code = "not-logged-in"


def _kept() -> Path:
    return Path.home() / ".config" / "vms-privacy" / "session.json"


def _keep(tokens: dict[str, Any], **more: str) -> None:
    path = _kept()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_durably(path, json.dumps({"refresh_token": tokens["refresh_token"], **more}).encode())


def _session(url: str) -> tuple[ApiClient, str]:
    """Return a client that is logged in with what is kept, and its operator."""
    if not _kept().exists():
        raise NotLoggedIn("log in first: vms-privacy operator log-in")
    kept = json.loads(_kept().read_bytes())
    client = ApiClient(url)
    body = {"grant_type": "refresh_token", "refresh_token": kept["refresh_token"]}
    tokens = client.call("POST", "/api/v1/auth/token", body)
    _keep(tokens, operator_id=kept["operator_id"], operator=kept["operator"])
    client.access_token = tokens["access_token"]
    return client, kept["operator_id"]


def _log_in(client: ApiClient, login: str, password: str) -> dict[str, Any]:
    body = {"grant_type": "password", "username": login, "password": password}
    tokens: dict[str, Any] = client.call("POST", "/api/v1/auth/token", body)
    client.access_token = tokens["access_token"]
    return tokens


@operator_app.command("setup")
def setup(
    code: Annotated[str, typer.Option(prompt="Bootstrap code")],
    operator: Annotated[str, typer.Option(prompt="Operator's name (a-z, 0-9, -)")],
    login: Annotated[str, typer.Option(prompt="Your log-in")],
    password: Annotated[str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True)],
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Use the bootstrap code: make the platform admin, your operator, and you as its owner; then log you in."""
    admin_login, client = f"admin+{login}", ApiClient(url)
    client.call("POST", "/api/v1/auth/bootstrap", {"code": code, "login": admin_login, "password": password})
    _log_in(client, admin_login, password)
    made = client.call("POST", "/api/v1/operators", {"name": operator, "title": operator})
    path = f"/api/v1/operators/{made['operator_id']}/owner"
    invited = client.call("POST", path, {"login": login, "display_name": login})
    owner = ApiClient(url)
    owner.call("POST", "/api/v1/auth/enrolment", {"code": invited["code"], "password": password})
    _keep(_log_in(owner, login, password), operator_id=made["operator_id"], operator=operator)
    tell({"operator": operator, "owner": login, "platform_admin": admin_login}, as_json=as_json)


@operator_app.command("log-in")
def log_in(
    operator: Annotated[str, typer.Option(prompt="Operator's name")],
    login: Annotated[str, typer.Option(prompt="Your log-in")],
    password: Annotated[str, typer.Option(prompt=True, hide_input=True)],
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Log in; what is kept is a token that is renewed with each command, never the password."""
    client = ApiClient(url)
    tokens = _log_in(client, login, password)
    me = client.call("GET", "/api/v1/auth/me")
    _keep(tokens, operator_id=str(me["operator_id"]), operator=operator)
    tell({"logged_in": login}, as_json=as_json)


@camera_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Its name in URLs.")],
    address: Annotated[str, typer.Argument(help="rtsp(s)://user:password@host/path")],
    purpose: Annotated[str, typer.Option(help="What it films for.")] = "protection of the premises",
    plain_exception: Annotated[str, typer.Option(help="Why unencrypted RTSP is acceptable here.")] = "",
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Add a camera. Nothing is recorded: that takes an opt-in."""
    client, operator_id = _session(url)
    body = {"name": name, "url": address, "purpose": purpose}
    if plain_exception:
        body["plain_exception"] = plain_exception
    made = client.call("POST", f"/api/v1/operators/{operator_id}/cameras", body)
    tell(made, as_json=as_json)


@camera_app.command("list")
def list_cameras(url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """List your operator's cameras."""
    client, operator_id = _session(url)
    found = client.call("GET", f"/api/v1/operators/{operator_id}/cameras")
    tell({one["name"]: one for one in found["items"]}, as_json=as_json)


@camera_app.command("opt-in")
def opt_in(
    name: Annotated[str, typer.Argument(help="The camera.")],
    purpose: Annotated[str, typer.Option(prompt="For what purpose")],
    *,
    yes: Annotated[bool, typer.Option(help="Agree to the text without being asked.")] = False,
    sign: Annotated[bool, typer.Option(help="A sign hangs at the camera.")] = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Switch recording on, for a purpose, with a sign at the camera; off again with `camera withdraw`."""
    client, operator_id = _session(url)
    wording = client.call("GET", "/api/v1/opt-in-wordings/video-recording")
    if not yes:
        typer.confirm(f"{wording['text']}\n\nDo you agree?", abort=True)
    if not sign:
        typer.confirm("Does a sign at the camera tell people of the recording?", abort=True)
    body = {
        "kind": "video-recording",
        "purpose": purpose,
        "legal_basis": "legitimate-interests",
        "sign_confirmed_at": SystemClock().now().isoformat(),
        "wording_version": wording["version"],
    }
    path = f"/api/v1/cameras/{_id_of(client, operator_id, name)}/opt-ins"
    tell(client.call("POST", path, body), as_json=as_json)


@camera_app.command("withdraw")
def withdraw(name: str, url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Switch recording off, from this moment."""
    client, operator_id = _session(url)
    path = f"/api/v1/cameras/{_id_of(client, operator_id, name)}/opt-ins/video-recording"
    tell(client.call("DELETE", path), as_json=as_json)


@camera_app.command("watch")
def watch(name: str, url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Get a stream token and print the URLs a player opens with it, for five minutes from now."""
    client, operator_id = _session(url)
    kept = json.loads(_kept().read_bytes())
    body = {"actions": ["live"], "purpose": "live_view"}
    token = client.call("POST", f"/api/v1/cameras/{_id_of(client, operator_id, name)}/tokens", body)
    base = f"{url}/{kept['operator']}/{name}"
    tell(
        {
            "hls": f"{base}/index.m3u8?token={token['handle']}",
            "mp4": f"{base}/live.mp4?token={token['handle']}",
            "expires_at": token["expires_at"],
        },
        as_json=as_json,
    )


def _id_of(client: ApiClient, operator_id: str, name: str) -> str:
    found = client.call("GET", f"/api/v1/operators/{operator_id}/cameras")
    for one in found["items"]:
        if one["name"] == name:
            return str(one["camera_id"])
    raise NoSuchCamera(f"there is no camera named {name}; see: vms-privacy camera list")


class NoSuchCamera(Refusal):
    """Your operator has no camera of this name."""

    kind = Kind.NOT_FOUND
    code = "no-such-camera"

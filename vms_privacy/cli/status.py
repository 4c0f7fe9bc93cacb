"""The command that says at a glance how a service is doing."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import typer

from vms_privacy.cli.cameras import recording_of
from vms_privacy.cli.forms import NOTHING, facts, moment, size, table
from vms_privacy.cli.options import DEFAULT_URL, AsJson, Url, command_group
from vms_privacy.cli.output import NOT_READY, tell
from vms_privacy.cli.refusals import NotLoggedIn
from vms_privacy.cli.session import Service, Session, logged_in
from vms_privacy.client import ApiRefused

app = command_group("How it is doing.")

_FORBIDDEN: Final = 403


@app.command("status")
def status(url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Show whether each part is ready, the cameras by state, recording, and deletion debt; exits 7 if one is not."""
    service = Service(url)
    ready = service.readiness()
    document: dict[str, Any] = {"url": service.url, **ready, "time_doubt": _time_doubt(ready)}
    parts = ((one["name"], "ready" if one["ready"] else "NOT ready", one["why"]) for one in ready["parts"])
    lines = [f"{service.url} is {'ready' if ready['ready'] else 'NOT ready'}.", ""]
    lines += [*table(("part", "is", "why"), parts, "no parts"), ""]
    try:
        session = logged_in(url)
    except NotLoggedIn as refusal:
        lines.append(f"Cameras and deletion debt are told to who is logged in ({refusal.detail}).")
    else:
        document |= _of_operator(session)
        lines += facts(_told(document))
    tell(document, lines, as_json=as_json)
    if not ready["ready"]:
        raise typer.Exit(NOT_READY)


def _of_operator(session: Session) -> dict[str, Any]:
    """Return what the operator's own people may know, None where this person may not."""
    cameras = session.cameras() if session.operator_id else []
    paths = [f"/api/v1/cameras/{one['camera_id']}" for one in cameras]
    states = Counter(session.service.call("GET", f"{path}/status")["state"] for path in paths)
    entries = [_if_allowed(session, f"{path}/opt-ins") for path in paths]
    return {
        "operator": session.operator,
        "cameras": dict(states),
        "recording": sum(recording_of(one) for one in entries if one is not None),
        "recording_unknown": sum(one is None for one in entries),
        "deletion_debt": _if_allowed(session, f"{session.path}/deletion-debt") if session.operator_id else None,
        "requests": _if_allowed(session, f"{session.path}/requests/clocks") if session.operator_id else None,
    }


def _told(document: Mapping[str, Any]) -> dict[str, object]:
    states = ", ".join(f"{count} {state}" for state, count in sorted(document["cameras"].items()))
    unknown = (
        f" (and {document['recording_unknown']} of which you may not know)" if document["recording_unknown"] else ""
    )
    return {
        "operator": document["operator"],
        "cameras": states or NOTHING,
        "recording": f"{document['recording']} opted in{unknown}",
        "deletion debt": _debt(document["deletion_debt"]),
        "requests": _requests(document["requests"]),
        "time": "in doubt" if document["time_doubt"] else "trusted",
    }


def _debt(debt: Mapping[str, Any] | None) -> str:
    if debt is None:
        return "not yours to know"
    total = debt["total"]
    if not total["segments"]:
        return "none: nothing is overdue (a sweep comes every minute, unless VMS_SWEEP_EVERY says otherwise)"
    since, reasons = moment(total["oldest_overdue_at"]), ", ".join(total["reasons"])
    return f"{total['segments']} segments, {size(total['size_bytes'])}, the oldest overdue since {since}: {reasons}"


def _requests(clocks: Mapping[str, Any] | None) -> str:
    if clocks is None:
        return "not yours to know"
    if not clocks["open"]:
        return "none open"
    late = f", {clocks['overdue']} OVERDUE" if clocks["overdue"] else ""
    missed = f", {clocks['promise_missed']} beyond what was promised" if clocks["promise_missed"] else ""
    return f"{clocks['open']} open{late}{missed}; the next answer is due {moment(clocks['next_answer_by'])}"


def _time_doubt(ready: Mapping[str, Any]) -> bool:
    return any(one["name"] == "clock" and not one["ready"] for one in ready["parts"])


def _if_allowed(session: Session, path: str) -> Any:
    try:
        return session.service.call("GET", path)
    except ApiRefused as refused:
        if refused.status != _FORBIDDEN:
            raise
        return None

"""What the commands of holds and of restrictions share: naming an order's stretch, listing, reviewing, ending."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from vms_privacy.cli.forms import facts, moment, size, table
from vms_privacy.cli.moments import moment_of, span_of
from vms_privacy.cli.output import tell
from vms_privacy.cli.session import Session
from vms_privacy.client import ApiRefused
from vms_privacy.clock import SystemClock

OrderName = Annotated[str, typer.Argument(metavar="ORDER", help="Its id, as the list shows it.", show_default=False)]
Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="The cameras' names.", show_default=False)]
From = Annotated[str, typer.Option("--from", metavar="MOMENT", help="The first moment that is covered.")]
Until = Annotated[str, typer.Option(metavar="MOMENT", help="The end; without one, until it is lifted.")]
Case = Annotated[str, typer.Option(metavar="REFERENCE", help="Your own reference of the case.")]
Authority = Annotated[str, typer.Option(help="Who asked for it: a court, an authority, a person's own request.")]
Reason = Annotated[str, typer.Option(help="Why, in words.")]
Review = Annotated[str, typer.Option(metavar="DURATION", help="When somebody has to look at it again, from now.")]
REVIEW: Final = "P90D"
_FORBIDDEN: Final = 403
_HEAD: Final = ("case", "camera", "from", "until", "review", "covers", "standing", "order")


def order_path(session: Session, camera: str, kind: str, order_id: str = "") -> str:
    """Return where the orders of a kind over a camera are in the API, or one of them."""
    path = f"{session.camera_path(camera)}/{kind}s"
    return f"{path}/{quote(order_id, safe='')}" if order_id else path


def wanted(since: str, until: str, case: str, ground: str, authority: str, reason: str, review: str) -> dict[str, Any]:
    """Return the body that places an order. Raises BadMoment, BadDuration."""
    body: dict[str, Any] = {
        "from": moment_of(since).isoformat(),
        "case": case,
        "ground": ground,
        "authority": authority,
        "reason": reason,
        "review_at": review_at(review),
    }
    return body | ({"until": moment_of(until).isoformat()} if until else {})


def review_at(review: str) -> str:
    """Return the moment of the next review, so long from now. Raises BadDuration."""
    try:
        return (SystemClock().now() + span_of(review)).isoformat()
    except OverflowError:
        return (SystemClock().now() + timedelta(days=365_000)).isoformat()


def place(session: Session, kind: str, cameras: Sequence[str], body: Mapping[str, Any], *, as_json: bool) -> None:
    """Place one order over each camera. What one refuses keeps no other from it; then it is told which has none."""
    paths = {name: order_path(session, name, kind) for name in cameras}
    made: dict[str, Any] = {}
    refused: dict[str, ApiRefused] = {}
    for name, path in paths.items():
        try:
            made[name] = session.service.call("POST", path, body)
        except ApiRefused as refusal:
            refused[name] = refusal
    lines: list[str] = []
    for name, one in made.items():
        covers = one["covers"]
        told = {
            kind: one["order_id"],
            "camera": name,
            "covers": f"{covers['segments']} segments, {size(covers['size_bytes'])}",
            "review": moment(one["review_at"]),
        }
        lines += facts(told)
        if covers["too_late"]:
            lines.append(f"too late for {covers['too_late']} segments of that time: they are destroyed, or about to be")
    without = [{"camera": name, "code": one.code, "detail": str(one)} for name, one in refused.items()]
    lines += [f"NOT placed over {one['camera']}: {one['detail']}" for one in without]
    tell({"items": list(made.values()), "refused": without}, lines, as_json=as_json)
    if refused:
        raise next(iter(refused.values()))


def show(session: Session, kind: str, camera: str, *, as_json: bool) -> None:
    """List the orders of a kind: of one camera, or of all that one may see."""
    names = {one["camera_id"]: one["name"] for one in session.cameras()}
    path = order_path(session, camera, kind) if camera else ""
    found = session.service.call("GET", path) if camera else _of_all(session, kind, names)
    rows = (_row(one, names) for one in found)
    tell({"items": found}, table(_HEAD, rows, f"There are no {kind}s."), as_json=as_json)


def review(session: Session, kind: str, camera: str, order_id: str, again: str, *, as_json: bool) -> None:
    """Note that somebody has looked at an order."""
    path = f"{order_path(session, camera, kind, order_id)}/review"
    made = session.service.call("PUT", path, {"review_at": review_at(again)})
    tell(made, [f"The next review is due {moment(made['review_at'])}."], as_json=as_json)


def end(session: Session, kind: str, camera: str, order_id: str, body: Mapping[str, Any], *, as_json: bool) -> None:
    """Propose the end of an order."""
    made = session.service.call("POST", f"{order_path(session, camera, kind, order_id)}/end", body)
    lines = [
        f"It ends once another person approves, by {moment(made['expires_at'])}.",
        f"next, by somebody else: vms-privacy approval approve {made['proposal_id']}",
    ]
    tell(made, lines, as_json=as_json)


def _of_all(session: Session, kind: str, names: Mapping[str, str]) -> list[Any]:
    try:
        every = session.service.call("GET", f"{session.path}/orders", None, in_force="false")
    except ApiRefused as refused:
        if refused.status != _FORBIDDEN:
            raise
        # Without the right to read the register: camera by camera, as far as one's own right reaches.
        return [one for camera_id in names for one in _of_camera(session, camera_id, kind)]
    return [one for one in every if one["kind"] == kind]


def _of_camera(session: Session, camera_id: str, kind: str) -> list[Any]:
    try:
        found: list[Any] = session.service.call("GET", f"/api/v1/cameras/{camera_id}/{kind}s")
    except ApiRefused as refused:
        if refused.status != _FORBIDDEN:
            raise
        return []
    return found


def _row(one: Mapping[str, Any], names: Mapping[str, str]) -> tuple[object, ...]:
    standing = f"lifted {moment(one['lifted_at'])}" if one["lifted_at"] else "in force"
    if one["is_overdue"]:
        standing = "review is overdue"
    covers = one.get("covers")
    return (
        one["case"],
        names.get(one["camera_id"], one["camera_id"]),
        moment(one["from"]),
        moment(one["until"]),
        moment(one["review_at"]),
        f"{covers['segments']} segments" if covers else "",
        standing,
        one["order_id"],
    )

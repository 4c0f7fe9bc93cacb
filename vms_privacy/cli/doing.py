"""How a camera is doing, in words: what it sends, or why it sends nothing and what to do about that."""

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from streams.cameras.rules import CameraState
from vms_privacy.cli.forms import NOTHING
from vms_privacy.cli.session import Session
from vms_privacy.clock import SystemClock

RUNNING: Final = CameraState.RUNNING
_PATIENCE_S: Final = 3.0
_PAUSE_S: Final = 0.2
_TO_DO: Final[Mapping[str, str]] = MappingProxyType(
    {
        "unreachable": "look at its address and whether it is switched on, or: vms-privacy camera change {name} "
        "--address rtsps://user@host/path",
        "address-not-allowed": "look at VMS_CAMERA_NETWORKS, or at what its name leads to",
        "tls-not-verified": "pin its certificate: vms-privacy camera change {name} --pin SHA256",
        "wrong-password": "vms-privacy camera change {name} --address {scheme}://user@{place}/path  (asks for its "
        "password)",
        "unsupported-codec": "set it to H.264 or H.265",
        "no-video": "look at the path of its address: vms-privacy camera change {name} --address rtsps://user@host/path",
        "refused-by-camera": "look at the path of its address: vms-privacy camera change {name} --address "
        "rtsps://user@host/path",
    }
)
"""What to do about a camera's trouble, by its code; otherwise one looks at it again."""
_ELSE: Final = "vms-privacy camera show {name}"


def doing_of(session: Session, name: str) -> Any:
    """Return how a camera is doing now. Raises NoSuchCamera."""
    return session.service.call("GET", f"{session.camera_path(name)}/status")


def doing_soon(session: Session, camera_id: str, not_since: str = "") -> Any:
    """Return how a camera is doing once that is known: it runs, or there is a reason. Waits three seconds at most.

    `not_since`: since when it did what it did before a change; that is no news.
    """
    clock = SystemClock()
    until = clock.monotonic() + _PATIENCE_S
    while True:
        status = session.service.call("GET", f"/api/v1/cameras/{camera_id}/status")
        known = (status["state"] == RUNNING or status["why"]) and status["since"] != not_since
        if known or clock.monotonic() >= until:
            return status
        time.sleep(_PAUSE_S)


def picture(status: Mapping[str, Any]) -> str:
    """Return codec and size of a camera's picture."""
    return f"{status['codec']} {status['width']}×{status['height']}" if status["codec"] else NOTHING


def trouble(status: Mapping[str, Any]) -> str:
    """Return a camera's state with its reason, if there is one."""
    return f"{status['state']}, {status['why']}: {status['detail']}" if status["why"] else str(status["state"])


def told_of(camera: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[str, str]:
    """Return how a camera is doing, and what to do about it: nothing while it runs."""
    if status["state"] == RUNNING:
        return f"connected, {picture(status)}", ""
    host = f"[{camera['host']}]" if ":" in camera["host"] else camera["host"]
    form = _TO_DO.get(status["why"], _ELSE)
    step = form.format(name=camera["name"], scheme=camera["scheme"], place=f"{host}:{camera['port']}")
    return f"not connected yet ({trouble(status)})", step

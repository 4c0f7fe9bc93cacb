"""One installation for a bench: made, started in its own process, its owner logged in, its cameras recording."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from tests.bench.children import child
from vms_privacy.client import ApiClient
from vms_privacy.clock import SystemClock
from vms_privacy.ids import SystemRandomness
from vms_privacy.install import initialise
from vms_privacy.settings import Settings

_WITHIN_S: Final = 60.0
_PURPOSE: Final = "protection of the premises against burglary"


@dataclass(frozen=True, slots=True)
class Installation:
    """A running service: process, address, one operator and its owner's session."""

    pid: int
    url: str
    data_dir: Path
    operator_id: str
    owner: ApiClient

    def add_camera(self, name: str, url: str) -> str:
        """Register a camera; return its id."""
        body = {"name": name, "url": url, "purpose": _PURPOSE}
        made: str = self.owner.call("POST", f"/api/v1/operators/{self.operator_id}/cameras", body)["camera_id"]
        return made

    def opt_in(self, camera_id: str, *, sound: bool) -> None:
        """Have a camera recorded, with its sound or without."""
        for kind in ("video-recording", "recorded-audio") if sound else ("video-recording",):
            wording = self.owner.call("GET", f"/api/v1/opt-in-wordings/{kind}")
            body = {
                "kind": kind,
                "purpose": _PURPOSE,
                "legal_basis": "legitimate-interests",
                "sign_confirmed_at": (SystemClock().now() - timedelta(hours=1)).isoformat(),
                "wording_version": wording["version"],
            }
            self.owner.call("POST", f"/api/v1/cameras/{camera_id}/opt-ins", body)

    def record(self, urls: Sequence[str], *, sound: bool, first: int = 0) -> None:
        """Add cameras, numbered from `first`, and have them recorded; return once all of them are on the disk."""
        for number, url in enumerate(urls, first):
            self.opt_in(self.add_camera(f"cam-{number}", url), sound=sound)
        until(lambda: len(self.growing()) >= first + len(urls), "every camera is recorded")

    def growing(self) -> list[Path]:
        """Return the files in the spool that hold more than a head."""
        return [path for path in (self.data_dir / "spool").iterdir() if _size(path) > 1000]

    def stored_bytes(self) -> int:
        """Return how many bytes of footage lie on the disk."""
        folders = (self.data_dir / "spool", self.data_dir / "archive")
        return sum(_size(path) for folder in folders for path in folder.rglob("*") if path.is_file())


@contextmanager
def installed(folder: Path, *options: str) -> Iterator[Installation]:
    """Make an installation in a new folder and serve it until the block ends."""
    made = initialise(Settings(data_dir=folder, port=0, store_capacity_bytes=10**15))
    with child("tests.bench.service", str(folder), *options) as service:
        url: str = service.said["url"]
        admin = _enrolled(url, "admin@example.org", "bootstrap", made.bootstrap_code)
        operator = admin.call("POST", "/api/v1/operators", {"name": "bench", "title": "Bench"})["operator_id"]
        body = {"login": "owner@example.org", "display_name": "Owner"}
        invited = admin.call("POST", f"/api/v1/operators/{operator}/owner", body)
        owner = _enrolled(url, "owner@example.org", "enrolment", invited["code"])
        yield Installation(service.pid, url, folder, operator, owner)


def until(true: Callable[[], object], what: str, within_s: float = _WITHIN_S) -> None:
    """Wait until something is so. Raises RuntimeError after the time."""
    clock = SystemClock()
    last_s = clock.monotonic() + within_s
    while not true():
        if clock.monotonic() > last_s:
            raise RuntimeError(f"not within {within_s:g} s: {what}")
        time.sleep(0.1)


def _enrolled(url: str, login: str, way: str, code: str) -> ApiClient:
    client, password = ApiClient(url), SystemRandomness().octets(12).hex()
    body = {"code": code, "password": password}
    client.call("POST", f"/api/v1/auth/{way}", body | ({"login": login} if way == "bootstrap" else {}))
    wanted = {"grant_type": "password", "username": login, "password": password}
    client.access_token = client.call("POST", "/api/v1/auth/token", wanted)["access_token"]
    return client


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        # It went from the spool to the archive between two looks.
        return 0

"""One operator of a whole running service, in this process or in one of its own, reached over its API alone."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from tests.given.ports import free_port
from tests.guards.sources import ROOT
from vms_privacy.app import Assembly
from vms_privacy.client import ApiClient, ApiRefused
from vms_privacy.clock import SystemClock
from vms_privacy.demo.viewer import LiveViewer
from vms_privacy.ids import SystemRandomness
from vms_privacy.install import initialise
from vms_privacy.serve import Running
from vms_privacy.settings import Settings

DEADLINE_S = 30.0
START_S = 60.0
PURPOSE = "protection of the premises against burglary"
COMMAND = [sys.executable, "-c", "from vms_privacy.cli import main; main()"]


class Site:
    """An operator called `north`, with its owner logged in, and its cameras by name."""

    def __init__(self, url: str, bootstrap_code: str) -> None:
        self.url = url
        self.clock = SystemClock()
        self.cameras: dict[str, str] = {}
        self.admin = _enrolled(url, "bootstrap", bootstrap_code, "admin@example.org")
        self.operator_id = self.admin.call("POST", "/api/v1/operators", {"name": "north", "title": "North"})[
            "operator_id"
        ]
        body = {"login": "owner@north.example.org", "display_name": "Owner"}
        invited = self.admin.call("POST", f"/api/v1/operators/{self.operator_id}/owner", body)
        self.owner = _enrolled(url, "enrolment", invited["code"], "owner@north.example.org")

    def add(self, name: str, address: str, **terms: str) -> None:
        """Register a camera."""
        body = {"name": name, "url": address, "purpose": PURPOSE, **terms}
        path = f"/api/v1/operators/{self.operator_id}/cameras"
        self.cameras[name] = self.owner.call("POST", path, body)["camera_id"]

    def status(self, name: str) -> Mapping[str, Any]:
        """What the API says of how a camera is doing."""
        told: Mapping[str, Any] = self.owner.call("GET", f"/api/v1/cameras/{self.cameras[name]}/status")
        return told

    def until_status(
        self, name: str, fits: Callable[[Mapping[str, Any]], object], within_s: float = DEADLINE_S
    ) -> Mapping[str, Any]:
        """Wait for a status that fits, and return it."""
        until(lambda: fits(self.status(name)), lambda: f"{name}: {self.status(name)}", within_s)
        return self.status(name)

    def running(self, name: str) -> Mapping[str, Any]:
        """Wait until pictures come from a camera."""
        return self.until_status(name, lambda told: told["state"] == "running")

    def opt_in(self, name: str, *kinds: str) -> datetime:
        """Opt a camera in, to video recording if nothing else is named; return when."""
        for kind in kinds or ("video-recording",):
            wording = self.owner.call("GET", f"/api/v1/opt-in-wordings/{kind}")
            body = {
                "kind": kind,
                "purpose": PURPOSE,
                "legal_basis": "legitimate-interests",
                "sign_confirmed_at": (self.clock.now() - timedelta(hours=1)).isoformat(),
                "wording_version": wording["version"],
            }
            self.owner.call("POST", f"/api/v1/cameras/{self.cameras[name]}/opt-ins", body)
        return self.clock.now()

    def withdraw(self, name: str) -> None:
        """Withdraw a camera's opt-in to recording."""
        self.owner.call("DELETE", f"/api/v1/cameras/{self.cameras[name]}/opt-ins/video-recording")

    def keep(self, name: str, seconds: int) -> None:
        """Set how long a camera's footage is kept."""
        body = {"keep_for": f"PT{seconds}S", "justification": "as short as it serves its purpose"}
        self.owner.call("PUT", f"/api/v1/cameras/{self.cameras[name]}/retention", body)

    def token(self, name: str, action: str) -> str:
        """Return a handle for looking live, or at the archive."""
        body = {"actions": [action], "purpose": f"{action}_view"}
        handle: str = self.owner.call("POST", f"/api/v1/cameras/{self.cameras[name]}/tokens", body)["handle"]
        return handle

    def live(self, name: str) -> LiveViewer:
        """A viewer of the endless live video; use it as a block."""
        return LiveViewer(f"{self.url}/north/{name}/live.mp4?token={self.token(name, 'live')}", self.clock)

    def watched(self, name: str, fragments: int) -> bytes:
        """Live video as it comes, until there are so many fragments of it."""
        with self.live(name) as viewer:
            until(lambda: viewer.taken.data.count(b"moof") >= fragments, lambda: f"{name}: {viewer.taken.ended_by}")
        return bytes(viewer.taken.data)

    def hls(self, name: str) -> str:
        """The address of live HLS, as a player opens it."""
        return f"{self.url}/north/{name}/index.m3u8?token={self.token(name, 'live')}"

    def ranges(self, name: str) -> list[tuple[int, int]]:
        """The stretches that can be played, in milliseconds since 1970."""
        found = self.owner.call("GET", f"/north/{name}/ranges.json", None, token=self.token(name, "archive"))
        return [(one["opened_at"], one["closed_at"]) for one in found["ranges"]]

    def recorded_s(self, name: str) -> float:
        """How much of a camera can be played."""
        return sum(until_ms - from_ms for from_ms, until_ms in self.ranges(name)) / 1000

    def archive(self, name: str, kind: str = "mp4") -> str:
        """The address of everything that is recorded of a camera, as one file or as a playlist."""
        ranges = self.ranges(name)
        start, end = ranges[0][0] // 1000, -(-ranges[-1][1] // 1000)
        return f"{self.url}/north/{name}/archive-{start}-{end - start}.{kind}?token={self.token(name, 'archive')}"

    def fetched(self, address: str) -> bytes:
        """The body behind an address of this service."""
        answer = self.owner.ask("GET", address.removeprefix(self.url))
        assert answer.status == 200, answer
        return answer.body


def until(
    true: Callable[[], object], what: str | Callable[[], str], within_s: float = DEADLINE_S, pause_s: float = 0.05
) -> float:
    """Wait until something holds; return how long that took."""
    began = time.perf_counter()
    while not true():
        passed = time.perf_counter() - began
        assert passed < within_s, f"not within {within_s:g} s: {what if isinstance(what, str) else what()}"
        time.sleep(pause_s)
    return time.perf_counter() - began


@contextmanager
def site(
    folder: Path, assemble: Callable[[Settings], Assembly] = Assembly, **settings: Any
) -> Iterator[tuple[Site, Running]]:
    """A whole service in this process, on a thread of its own, until the block ends."""
    wanted = Settings(data_dir=folder / "data", port=0, **{"store_capacity_bytes": CAPACITY_BYTES, **settings})
    made = initialise(wanted)
    running = Running(assemble(wanted))
    thread = threading.Thread(target=running.serve, name="service", daemon=True)
    thread.start()
    try:
        assert running.is_up.wait(DEADLINE_S), "the service is not up"
        yield Site(f"http://127.0.0.1:{running.port}", made.bootstrap_code), running
    finally:
        running.stop()
        thread.join(DEADLINE_S)
        assert not thread.is_alive(), "the service does not stop"


CAPACITY_BYTES = 10**15
"""More than any story promises, whatever disk it runs on."""


class ServiceProcess:
    """`vms-privacy serve` as a process that can be killed and started again on the same folder and port."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self._settings = dict(settings or {})
        self.data_dir = folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / "service.log"
        told = json.loads(self._run("init", "--no-backup", "a test needs none"))
        self.bootstrap_code: str = told["bootstrap_code"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([*COMMAND, "serve"], env=self._environment, cwd=ROOT, stderr=log)
        until(self._answers, self._last_words, START_S)

    def kill(self) -> None:
        """End it as a power switch does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(DEADLINE_S)

    def stop(self) -> int:
        """Ask it to end, as a service manager does; return its exit code, minus the signal if it ends by that."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(DEADLINE_S)

    @property
    def process(self) -> psutil.Process:
        """The running process as the system sees it."""
        assert self._process is not None
        return psutil.Process(self._process.pid)

    @property
    def children(self) -> list[psutil.Process]:
        """Its demux processes."""
        return self.process.children(recursive=True)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def check(self) -> Mapping[str, Any]:
        """What `vms-privacy check` finds."""
        told: Mapping[str, Any] = json.loads(self._run("check", may_fail=True))
        return told

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.defpath,
            "VMS_DATA_DIR": str(self.data_dir),
            "VMS_PORT": str(self.port),
            "VMS_STORE_CAPACITY_BYTES": str(CAPACITY_BYTES),
            "PYTHONPATH": str(ROOT),
            **self._settings,
        }

    def _run(self, *command: str, may_fail: bool = False) -> str:
        ran = subprocess.run(
            [*COMMAND, *command, "--json"],
            env=self._environment,
            cwd=ROOT,
            capture_output=True,
            timeout=START_S,
            check=False,
            text=True,
        )
        assert may_fail or ran.returncode == 0, ran.stderr
        return ran.stdout

    def _answers(self) -> bool:
        assert self.is_running, self._last_words()
        with socket.socket() as link:
            return link.connect_ex(("127.0.0.1", self.port)) == 0

    def _last_words(self) -> str:
        return self._log.read_text()[-2000:]


@contextmanager
def service_process(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[ServiceProcess]:
    """A service that is started, and stopped at the end however the test went; with settings as the environment has."""
    service = ServiceProcess(folder, settings)
    service.start()
    try:
        yield service
    finally:
        if service.is_running:
            service.kill()


class Person(ApiClient):
    """Somebody who is logged in, and knows their password."""

    def __init__(self, url: str, login: str) -> None:
        super().__init__(url)
        self.login, self.password = login, SystemRandomness().octets(12).hex()

    def log_in(self) -> None:
        """Log in, at once or again."""
        wanted = {"grant_type": "password", "username": self.login, "password": self.password}
        self.access_token = self.call("POST", "/api/v1/auth/token", wanted)["access_token"]


def _enrolled(url: str, way: str, code: str, login: str) -> Person:
    person = Person(url, login)
    body = {"code": code, "password": person.password}
    person.call("POST", f"/api/v1/auth/{way}", body | ({"login": login} if way == "bootstrap" else {}))
    person.log_in()
    return person


__all__ = ["ApiRefused", "ServiceProcess", "Site", "service_process", "site", "until"]

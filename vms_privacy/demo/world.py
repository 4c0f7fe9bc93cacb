"""What the story is played with: simulated cameras, one service, two operators and their people, over real sockets."""

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from streams.simulator.camera import CameraSimulator
from streams.simulator.reel import CameraOptions
from streams.simulator.service import Login, SimulatorThread
from vms_privacy.app import Assembly
from vms_privacy.client import ApiClient, ApiRefused
from vms_privacy.clock import Clock, SystemClock
from vms_privacy.demo.ground import refuse_used_database
from vms_privacy.demo.story import hold
from vms_privacy.ids import Randomness, SystemRandomness
from vms_privacy.install import initialise
from vms_privacy.serve import Running
from vms_privacy.settings import Settings

CAPACITY_BYTES: Final = 10**13
"""The story keeps some megabytes for some minutes: what three days of it would come to is no matter on any disk."""
ELSEWHERE: Final = "elsewhere"
"""A second store and its region: the south's footage was promised to lie there."""
SWEEP: Final = timedelta(seconds=1)
UP_WITHIN_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class LogIn:
    """A log-in that the demo made, to be told at its end."""

    who: str
    login: str
    password: str


@dataclass(slots=True)
class Operator:
    """One operator, its owner's session, and its cameras by name."""

    name: str
    operator_id: str
    owner: ApiClient
    owner_id: str
    cameras: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class World:
    """Everything the steps use."""

    folder: Path
    data_dir: Path
    parts: Assembly
    running: Running
    url: str
    clock: Clock
    randomness: Randomness
    canaries: list[bytes]
    north: Operator
    south: Operator
    log_ins: list[LogIn]
    at_end: Callable[[Callable[[], object]], object]
    copies: list[str] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)

    def client(self) -> ApiClient:
        """Return a client that has not logged in."""
        return ApiClient(self.url)

    def token(self, who: ApiClient, camera_id: str, *actions: str, **wishes: object) -> str:
        """Return the handle of a new stream token."""
        body = {"actions": list(actions), "purpose": "live_view" if actions == ("live",) else "archive_view", **wishes}
        handle: str = who.call("POST", f"/api/v1/cameras/{camera_id}/tokens", body)["handle"]
        return handle

    def opt_in(self, operator: Operator, camera: str) -> str:
        """Opt a camera in to recording, as its owner does; return the entry."""
        wording = operator.owner.call("GET", "/api/v1/opt-in-wordings/video-recording")
        body = {
            "kind": "video-recording",
            "purpose": "protection of the north gate against burglary",
            "legal_basis": "legitimate-interests",
            "sign_confirmed_at": iso(self.clock.now() - timedelta(hours=1)),
            "wording_version": wording["version"],
        }
        entry: str = operator.owner.call("POST", f"/api/v1/cameras/{operator.cameras[camera]}/opt-ins", body)[
            "entry_id"
        ]
        return entry

    def ranges(self, operator: Operator, camera: str) -> list[Mapping[str, int]]:
        """Return the stretches of a camera that can be played now."""
        handle = self.token(operator.owner, operator.cameras[camera], "archive")
        found: list[Mapping[str, int]] = operator.owner.call(
            "GET", f"/{operator.name}/{camera}/ranges.json", None, token=handle
        )["ranges"]
        return found

    def until(self, true: Callable[[], object], within_s: float, what: str, pause_s: float = 0.1) -> float:
        """Wait until something holds; return how long that took. Raises DoesNotHold with `what` after the deadline."""
        began = self.clock.monotonic()
        while not true():
            hold(self.clock.monotonic() - began < within_s, f"{what}: not within {within_s:g} s")
            time.sleep(pause_s)
        return self.clock.monotonic() - began


@contextmanager
def make_world(folder: Path | None, assemble: Callable[[Settings], Assembly] = Assembly) -> Iterator[World]:
    """Start cameras and service in a folder (a new one if none is named), and enrol everybody; stop them at the end.

    Database, store and keyring are those of the environment's settings; by default all of them are in the folder.
    Raises DatabaseIsUsed, and what making an installation raises.
    """
    clock, randomness = SystemClock(), SystemRandomness()
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vms-privacy-demo-")))
        canaries = [_canary(randomness) for _ in range(3)]
        simulators = _cameras(canaries, clock, randomness)
        login = Login("camera", randomness.octets(12).hex())
        cameras = stack.enter_context(SimulatorThread(simulators, randomness, login=login))
        settings = Settings(
            data_dir=folder / "data",
            port=0,
            sweep_every=SWEEP,
            store_capacity_bytes=CAPACITY_BYTES,
            stores_file=name_stores(folder, folder),
        )
        refuse_used_database(settings)
        made = initialise(settings)
        parts = assemble(settings)
        running = Running(parts)
        thread = threading.Thread(target=running.serve, name="service", daemon=True)
        thread.start()
        stack.callback(thread.join, 30)
        stack.callback(running.stop)
        hold(running.is_up.wait(UP_WITHIN_S), "the service is up")
        url = f"http://127.0.0.1:{running.port}"
        log_ins: list[LogIn] = []
        admin = _platform_admin(url, made.bootstrap_code, randomness, log_ins)
        north = _operator(admin, "north", randomness, log_ins)
        south = _operator(admin, "south", randomness, log_ins, region=ELSEWHERE)
        secret = f"{login.user}:{login.password}"
        for operator, name, path in ((north, "gate", "cam-1"), (north, "yard", "cam-2"), (south, "dock", "cam-3")):
            address = cameras.url(path).replace("rtsp://", f"rtsp://{secret}@")
            operator.cameras[name] = operator.owner.call(
                "POST",
                f"/api/v1/operators/{operator.operator_id}/cameras",
                {"name": name, "url": address, "purpose": "protection of the premises against burglary"},
            )["camera_id"]
        yield World(
            folder,
            settings.data_dir,
            parts,
            running,
            url,
            clock,
            randomness,
            canaries,
            north,
            south,
            log_ins,
            stack.callback,
        )


def person(world: World, operator: Operator, login: str, **terms: object) -> tuple[ApiClient, str, str]:
    """Invite somebody, let them set their password, and give them a grant; return (session, person, grant)."""
    owner = operator.owner
    invited = owner.call(
        "POST", f"/api/v1/operators/{operator.operator_id}/people", {"login": login, "display_name": "Somebody"}
    )
    session = _enrol(world.url, invited["code"], login, world.randomness, world.log_ins, "watcher")
    grant = owner.call(
        "POST",
        f"/api/v1/operators/{operator.operator_id}/grants",
        {"person_id": invited["person_id"], "scope": {"on": "operator"}, "terms": terms},
    )
    return session, invited["person_id"], grant["grant_id"]


def session_of(world: World, who: str) -> ApiClient:
    """Log somebody in whom the demo has made."""
    found = next(one for one in world.log_ins if one.who == who)
    return _logged_in(world.url, found.login, found.password)


def iso(moment: datetime) -> str:
    """Write a moment as the API reads it."""
    return moment.astimezone(UTC).isoformat()


def refusal_of(call: Callable[[], object]) -> str:
    """Return status and code of a call that must be refused. Raises DoesNotHold if it is not."""
    try:
        call()
    except ApiRefused as refused:
        return f"{refused.status} {refused.code}"
    hold(condition=False, what="the service refuses")
    return ""


def _cameras(canaries: list[bytes], clock: Clock, randomness: Randomness) -> dict[str, CameraSimulator]:
    del randomness
    return {
        f"cam-{number}": CameraSimulator(number, canary, clock, CameraOptions(gop=25))
        for number, canary in enumerate(canaries, 1)
    }


def _canary(randomness: Randomness) -> bytes:
    """Return 32 bytes without a zero, so that they stand in an SEI as they are."""
    return bytes(one or 1 for one in randomness.octets(32))


def _platform_admin(url: str, code: str, randomness: Randomness, log_ins: list[LogIn]) -> ApiClient:
    client, password = ApiClient(url), randomness.octets(12).hex()
    login = "admin@example.org"
    client.call("POST", "/api/v1/auth/bootstrap", {"code": code, "login": login, "password": password})
    log_ins.append(LogIn("platform admin", login, password))
    return _logged_in(url, login, password)


def name_stores(folder: Path, of_others: Path) -> Path:
    """Write the file that names a second store, in a folder of others; the settings name the first."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "stores.toml"
    place = json.dumps(str((of_others / ELSEWHERE).absolute()))
    told = f'name = "{ELSEWHERE}"\nregion = "{ELSEWHERE}"\nkind = "folder"\nfolder = {place}\n'
    file.write_text(f"[[store]]\n{told}capacity_bytes = {CAPACITY_BYTES}\n")
    return file


def _operator(
    admin: ApiClient, name: str, randomness: Randomness, log_ins: list[LogIn], region: str | None = None
) -> Operator:
    wanted = {"name": name, "title": f"Operator {name}"} | ({} if region is None else {"region": region})
    made = admin.call("POST", "/api/v1/operators", wanted)
    login = f"owner@{name}.example.org"
    invited = admin.call(
        "POST",
        f"/api/v1/operators/{made['operator_id']}/owner",
        {"login": login, "display_name": "Owner"},
    )
    owner = _enrol(admin.url, invited["code"], login, randomness, log_ins, f"owner of {name}")
    return Operator(name, made["operator_id"], owner, invited["person_id"])


def _enrol(url: str, code: str, login: str, randomness: Randomness, log_ins: list[LogIn], who: str) -> ApiClient:
    password = randomness.octets(12).hex()
    ApiClient(url).call("POST", "/api/v1/auth/enrolment", {"code": code, "password": password})
    log_ins.append(LogIn(who, login, password))
    return _logged_in(url, login, password)


def _logged_in(url: str, login: str, password: str) -> ApiClient:
    client = ApiClient(url)
    tokens = client.call(
        "POST", "/api/v1/auth/token", {"grant_type": "password", "username": login, "password": password}
    )
    client.access_token = tokens["access_token"]
    return client

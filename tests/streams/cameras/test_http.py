"""The routes of cameras: who may, who sees, and that nothing of an address comes back."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from auth.principal import Principal, Role
from auth.resources.store import ResourceStore
from streams.cameras.http import camera_routes
from streams.cameras.rules import CameraState, CameraStatus
from streams.cameras.service import CameraService
from streams.media.wire import PRIVATE_NETWORKS
from tests.given.auth_app import AuthParts
from tests.given.clock import NOON, HandClock
from tests.given.randomness import CountedRandomness
from vms_privacy.db import Database
from vms_privacy.http.problems import install_problems
from vms_privacy.ids import CameraId, OperatorId
from vms_privacy.keyring.file_keyring import FileKeyring

URL = "rtsps://eve:s3cr3t-w0rd@camera.example.org:8322/stream?key=hidden-too"
GATE = {"name": "gate", "url": URL, "purpose": "watching the gate"}


@dataclass
class Doing:
    """What a test says that cameras are doing."""

    known: dict[CameraId, CameraStatus] = field(default_factory=dict)

    def status(self, camera_id: CameraId) -> CameraStatus:
        return self.known.get(camera_id, CameraStatus(CameraState.OFF, NOON))


@dataclass
class Faces:
    auth: AuthParts
    app: FastAPI
    doing: Doing
    operator: OperatorId
    people: dict[str, Principal | None]

    async def ask(self, who: str, method: str, path: str, body: object = None) -> httpx.Response:
        async with self.auth.client(self.app) as client:
            return await client.request(method, path, json=body, headers=self.auth.bearer(self.people[who]))

    async def register(self, **more: str) -> str:
        answer = await self.ask("owner", "POST", f"/api/v1/operators/{self.operator}/cameras", GATE | more)
        assert answer.status_code == 201, answer.text
        camera_id: str = answer.json()["camera_id"]
        return camera_id


@pytest.fixture
def faces(db: Database, clock: HandClock, randomness: CountedRandomness, tmp_path: Path) -> Iterator[Faces]:
    auth = AuthParts(db, clock, randomness, tmp_path)
    keyring = FileKeyring.create(tmp_path / "keyring", clock, randomness)
    cameras = CameraService(keyring, ResourceStore(), auth.audit, clock, randomness, PRIVATE_NETWORKS, auth.journal)
    doing = Doing()
    app = FastAPI()
    app.state.gate = auth.gate
    app.include_router(camera_routes(db, cameras, auth.gate, doing))
    install_problems(app)
    north, south = auth.access.operator("north"), auth.access.operator("south")
    people = {name: auth.access.person(north, name) for name in ("owner", "viewer", "stranger")}
    people["neighbour"] = auth.access.person(south, "neighbour")
    auth.access.grant(people["owner"], Role.OWNER)
    auth.access.grant(people["viewer"], Role.VIEWER)
    auth.access.grant(people["neighbour"], Role.OWNER)
    yield Faces(auth, app, doing, north, {"nobody": None, "admin": auth.access.platform_admin(), **people})
    auth.journal.close()


OUTCOMES = {
    ("POST", "/api/v1/operators/{operator}/cameras"): {
        "nobody": 401, "stranger": 403, "viewer": 403, "neighbour": 404, "admin": 404, "owner": 201,
    },
    ("GET", "/api/v1/operators/{operator}/cameras"): {
        "nobody": 401, "stranger": 200, "viewer": 200, "neighbour": 404, "admin": 404, "owner": 200,
    },
    ("GET", "/api/v1/cameras/{camera}"): {
        "nobody": 401, "stranger": 404, "viewer": 200, "neighbour": 404, "admin": 404, "owner": 200,
    },
    ("GET", "/api/v1/cameras/{camera}/status"): {
        "nobody": 401, "stranger": 404, "viewer": 200, "neighbour": 404, "admin": 404, "owner": 200,
    },
    ("PATCH", "/api/v1/cameras/{camera}"): {
        "nobody": 401, "stranger": 404, "viewer": 403, "neighbour": 404, "admin": 404, "owner": 200,
    },
    ("DELETE", "/api/v1/cameras/{camera}"): {
        "nobody": 401, "stranger": 404, "viewer": 403, "neighbour": 404, "admin": 404, "owner": 204,
    },
}  # fmt: skip
BODIES: dict[str, Any] = {"POST": GATE | {"name": "door"}, "PATCH": {"title": "North gate"}}


@pytest.mark.parametrize(
    ("method", "path", "who", "status"),
    [(*route, who, status) for route, outcomes in OUTCOMES.items() for who, status in outcomes.items()],
)
async def test_a_camera_is_seen_and_changed_by_those_who_may(
    faces: Faces, method: str, path: str, who: str, status: int
) -> None:
    camera = await faces.register()
    answer = await faces.ask(who, method, path.format(operator=faces.operator, camera=camera), BODIES.get(method))
    assert answer.status_code == status, answer.text
    assert "s3cr3t-w0rd" not in answer.text
    assert "hidden-too" not in answer.text


async def test_every_route_is_in_the_table(faces: Faces) -> None:
    spoken = {
        (method.upper(), path.replace("operator_id", "operator").replace("camera_id", "camera"))
        for path, methods in faces.app.openapi()["paths"].items()
        for method in methods
    }
    assert spoken == set(OUTCOMES)


async def test_a_camera_that_may_not_be_seen_answers_like_one_that_does_not_exist(faces: Faces) -> None:
    camera = await faces.register()
    hidden = await faces.ask("neighbour", "GET", f"/api/v1/cameras/{camera}")
    missing = await faces.ask("neighbour", "GET", "/api/v1/cameras/00000000-0000-4000-8000-000000000001")
    assert (hidden.status_code, hidden.content, hidden.headers) == (404, missing.content, missing.headers)


async def test_a_list_shows_only_what_one_may_know_of(faces: Faces) -> None:
    await faces.register()
    for who, names in (("owner", ["gate"]), ("viewer", ["gate"]), ("stranger", [])):
        answer = await faces.ask(who, "GET", f"/api/v1/operators/{faces.operator}/cameras")
        assert [item["name"] for item in answer.json()["items"]] == names


async def test_what_is_shown_is_where_it_is_and_never_how_to_get_in(faces: Faces) -> None:
    camera = await faces.register(pin="ab" * 32)
    shown = (await faces.ask("viewer", "GET", f"/api/v1/cameras/{camera}")).json()
    assert (shown["scheme"], shown["host"], shown["port"]) == ("rtsps", "camera.example.org", 8322)
    assert shown["has_credential"] is True
    assert "url" not in shown


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"url": "http://camera.example.org/"}, 422, "bad-camera-address"),
        ({"url": "rtsp://192.168.1.7/"}, 422, "plain-rtsp-needs-exception"),
        ({"url": "rtsps://203.0.113.7/"}, 422, "address-not-allowed"),
        ({"name": "gate"}, 409, "name-is-taken"),
        ({"name": "../gate"}, 422, None),
        ({"name": "Gate"}, 422, None),
        ({"group_path": "a//b"}, 422, None),
        ({"purpose": ""}, 422, None),
        ({"record": True}, 422, None),
    ],
)
async def test_a_camera_that_cannot_be_is_refused_with_a_reason(
    faces: Faces, changes: dict[str, object], status: int, code: str | None
) -> None:
    await faces.register()
    body = GATE | {"name": "door"} | changes
    answer = await faces.ask("owner", "POST", f"/api/v1/operators/{faces.operator}/cameras", body)
    assert answer.status_code == status, answer.text
    assert "s3cr3t-w0rd" not in answer.text
    if code is not None:
        assert answer.json()["type"].endswith(code)


async def test_a_change_that_comes_too_late_is_refused(faces: Faces) -> None:
    camera = await faces.register()
    path = f"/api/v1/cameras/{camera}"
    assert (await faces.ask("owner", "PATCH", path, {"title": "One", "version": 1})).json()["version"] == 2
    late = await faces.ask("owner", "PATCH", path, {"title": "Two", "version": 1})
    assert (late.status_code, late.json()["type"].rpartition("/")[2]) == (409, "stale-version")


async def test_a_removed_camera_is_no_longer_listed_or_changed(faces: Faces) -> None:
    camera = await faces.register()
    path = f"/api/v1/cameras/{camera}"
    assert (await faces.ask("owner", "DELETE", path)).status_code == 204
    assert (await faces.ask("owner", "DELETE", path)).status_code == 404
    assert (await faces.ask("owner", "PATCH", path, {"title": "Gone"})).status_code == 404
    listed = await faces.ask("owner", "GET", f"/api/v1/operators/{faces.operator}/cameras")
    assert listed.json()["items"] == []


async def test_a_status_says_how_the_camera_is_doing(faces: Faces) -> None:
    camera = await faces.register()
    faces.doing.known[CameraId(UUID(camera))] = CameraStatus(
        CameraState.WAITING,
        NOON,
        codec="h264",
        audio_left_out="pcm_mulaw",
        reconnects=3,
        why="stalled",
        detail="silent",
    )
    shown = (await faces.ask("viewer", "GET", f"/api/v1/cameras/{camera}/status")).json()
    assert shown["state"] == "waiting"
    assert (shown["why"], shown["audio_left_out"], shown["reconnects"]) == ("stalled", "pcm_mulaw", 3)

"""Routes of cameras. No answer holds a credential, a path or a query of a camera's address."""

from typing import Annotated, Protocol

from fastapi import APIRouter, Response
from pydantic import Field

from auth.gate import Asker, Gate, On, needs
from auth.principal import Right
from auth.resources.rules import GROUP_PATH_LENGTH, GROUP_PATH_PATTERN
from streams.address import LONGEST
from streams.cameras.rules import Camera, CameraState, CameraStatus
from streams.cameras.service import CameraChanges, CameraService, NewCamera
from vms_privacy.db import Database
from vms_privacy.ids import CameraId, OperatorId
from vms_privacy.web import ONE_LINE, Moment, Name, Page, Strict

Url = Annotated[str, Field(min_length=8, max_length=LONGEST, json_schema_extra={"writeOnly": True})]
Title = Annotated[str, Field(max_length=200), ONE_LINE]
Purpose = Annotated[str, Field(min_length=3, max_length=500), ONE_LINE]
Exception_ = Annotated[str, Field(max_length=500), ONE_LINE]
Pin = Annotated[str, Field(max_length=95)]
GroupPath = Annotated[str, Field(max_length=GROUP_PATH_LENGTH, pattern=rf"^$|{GROUP_PATH_PATTERN}")]


class CameraStatuses(Protocol):
    """Who knows how a camera is doing now."""

    def status(self, camera_id: CameraId) -> CameraStatus:
        """Return the present status; `off` for a camera that is not started."""
        ...


class CameraWanted(Strict):
    """A camera to register. `url` goes in and never comes out again.

    `plain_exception`: why its pictures may come unencrypted; needed for `rtsp` beyond this machine. `pin`: the SHA-256
    fingerprint of a certificate that no authority has signed.
    """

    name: Name
    url: Url
    purpose: Purpose
    title: Title = ""
    group_path: GroupPath = ""
    plain_exception: Exception_ = ""
    pin: Pin = ""


class CameraPatch(Strict):
    """What is to be changed; what is left out stays. With `version` only if nobody changed it in the meantime."""

    version: int | None = None
    url: Url | None = None
    purpose: Purpose | None = None
    title: Title | None = None
    plain_exception: Exception_ | None = None
    pin: Pin | None = None


class CameraShown(Strict):
    """One camera. `host` is without user and password."""

    camera_id: CameraId
    operator_id: OperatorId
    name: str
    group_path: str
    title: str
    scheme: str
    host: str
    port: int
    has_credential: bool
    purpose: str
    plain_exception: str
    pin: str
    created_at: Moment
    removed_at: Moment | None
    version: int


class StatusShown(Strict):
    """How a camera is doing. `why` is a stable code, empty while all is well; `detail` says it in words."""

    camera_id: CameraId
    state: CameraState
    since: Moment
    codec: str
    width: int
    height: int
    audio: str
    audio_left_out: str
    reconnects: int
    lost: int
    last_packet_at: Moment | None
    why: str
    detail: str


def camera_routes(db: Database, cameras: CameraService, gate: Gate, statuses: CameraStatuses) -> APIRouter:
    """Return the routes of cameras under /api/v1."""
    routes = APIRouter(prefix="/api/v1", tags=["cameras"])

    @routes.post("/operators/{operator_id}/cameras", status_code=201, **needs(Right.GRANT, on=On.OPERATOR))
    def register_camera(operator_id: OperatorId, wanted: CameraWanted, asker: Asker) -> CameraShown:
        """Register a camera. Its live picture begins; nothing is recorded before an opt-in."""
        new = NewCamera(**wanted.model_dump())
        with db.writing() as session:
            camera_id = cameras.create(session, asker, operator_id, new)
            return _shown(cameras.get(session, camera_id))

    @routes.get("/operators/{operator_id}/cameras", **needs(None, on=On.OPERATOR))
    def list_cameras(operator_id: OperatorId, asker: Asker) -> Page[CameraShown]:
        """Return those of the operator's cameras that the asker may know of, by name."""
        with db.reading() as session:
            visible = {camera.camera_id for camera in gate.visible_cameras(session, asker)}
            found = [camera for camera in cameras.listing(session, operator_id) if camera.id in visible]
        return Page(items=[_shown(camera) for camera in found])

    @routes.get("/cameras/{camera_id}", **needs(None, on=On.CAMERA))
    def read_camera(camera_id: CameraId) -> CameraShown:
        """Return one camera."""
        with db.reading() as session:
            return _shown(cameras.get(session, camera_id))

    @routes.patch("/cameras/{camera_id}", **needs(Right.GRANT, on=On.CAMERA))
    def change_camera(camera_id: CameraId, patch: CameraPatch, asker: Asker) -> CameraShown:
        """Change a camera. With another address its connection begins anew."""
        changes = CameraChanges(**patch.model_dump(exclude={"version"}))
        with gate.noting(asker, Right.GRANT, camera_id), db.writing() as session:
            cameras.change(session, asker, camera_id, changes, patch.version)
            return _shown(cameras.get(session, camera_id))

    @routes.delete("/cameras/{camera_id}", status_code=204, **needs(Right.GRANT, on=On.CAMERA))
    def remove_camera(camera_id: CameraId, asker: Asker) -> Response:
        """Take no more pictures from a camera. What it recorded stays under its retention."""
        with gate.noting(asker, Right.GRANT, camera_id), db.writing() as session:
            cameras.remove(session, asker, camera_id)
        return Response(status_code=204)

    @routes.get("/cameras/{camera_id}/status", **needs(None, on=On.CAMERA))
    def read_status(camera_id: CameraId) -> StatusShown:
        """Return how a camera is doing."""
        return _status(camera_id, statuses.status(camera_id))

    return routes


def _shown(camera: Camera) -> CameraShown:
    return CameraShown(
        camera_id=camera.id,
        operator_id=camera.operator_id,
        name=camera.name,
        group_path=camera.group_path,
        title=camera.title,
        scheme=camera.scheme,
        host=camera.host,
        port=camera.port,
        has_credential=camera.has_credential,
        purpose=camera.purpose,
        plain_exception=camera.plain_exception,
        pin=camera.pin,
        created_at=camera.created_at,
        removed_at=camera.removed_at,
        version=camera.version,
    )


def _status(camera_id: CameraId, status: CameraStatus) -> StatusShown:
    return StatusShown(
        camera_id=camera_id,
        state=status.state,
        since=status.since,
        codec=status.codec,
        width=status.width,
        height=status.height,
        audio=status.audio,
        audio_left_out=status.audio_left_out,
        reconnects=status.reconnects,
        lost=status.lost,
        last_packet_at=status.last_packet_at,
        why=status.why,
        detail=status.detail,
    )

"""The one row per camera that rights are about."""

from uuid import UUID

import pytest

from auth.errors import NameIsTaken, NotFound
from auth.resources.store import ResourceStore
from tests.given.auth_app import AuthParts
from vms_privacy.ids import CameraId


def test_a_name_is_unique_in_its_operator_and_not_beyond(auth: AuthParts) -> None:
    north, south = auth.access.operator("north"), auth.access.operator("south")
    auth.access.camera(north, "gate")
    auth.access.camera(south, "gate")
    with pytest.raises(NameIsTaken):
        auth.access.camera(north, "gate")


def test_a_camera_is_found_by_its_streaming_name(auth: AuthParts) -> None:
    north, south = auth.access.operator("north"), auth.access.operator("south")
    camera, other = auth.access.camera(north, "gate", "yard"), auth.access.camera(south, "gate")
    store = ResourceStore()
    with auth.db.reading() as session:
        assert store.by_name(session, "north", "gate") == camera
        assert store.by_name(session, "south", "gate") == other
        assert store.by_name(session, "north", "hall") is None
        assert store.by_name(session, "west", "gate") is None
        assert store.by_ids(session, [camera.camera_id, CameraId(UUID(int=0))]) == {camera.camera_id: camera}


def test_every_change_rises_the_version_and_a_removed_name_stays_taken(auth: AuthParts) -> None:
    north = auth.access.operator("north")
    camera = auth.access.camera(north, "gate")
    store = ResourceStore()
    with auth.db.writing() as session:
        assert store.rename(session, camera.camera_id, "front").version == 2
        gone = store.remove(session, camera.camera_id, auth.clock.now())
        assert (gone.version, gone.removed_at) == (3, auth.clock.now())
        assert store.remove(session, camera.camera_id, auth.clock.now()) == gone
        assert store.of_operator(session, north) == []
        assert store.by_id(session, camera.camera_id) == gone
    with pytest.raises(NameIsTaken):
        auth.access.camera(north, "front")
    auth.access.camera(north, "gate")


def test_what_is_not_there_cannot_be_changed(auth: AuthParts) -> None:
    with pytest.raises(NotFound), auth.db.writing() as session:
        ResourceStore().rename(session, CameraId(UUID(int=0)), "front")

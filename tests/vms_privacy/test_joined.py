"""What one part does, the parts that are joined to it hear of at once; nobody waits for a timer."""

from collections.abc import Iterator

import pytest

from auth.media_sessions.rules import Protocol
from auth.principal import Role
from auth.tokens.rules import Action, Purpose
from streams.cameras.service import CameraChanges
from tests.given.access import Access
from tests.given.stage import Stage
from tests.given.whole_app import WholeApp, whole_app
from vms_privacy.ids import CameraId, MediaSessionId


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeApp]:
    with whole_app(tmp_path_factory.mktemp("whole")) as served:
        Access(served.parts.db, served.parts.randomness, served.clock.now()).platform_admin("first-admin")
        yield served


@pytest.fixture
def stage(app: WholeApp) -> Stage:
    return Stage(app)


def _looking(stage: Stage, action: Action, camera_name: str, camera_id: CameraId) -> MediaSessionId:
    purpose = Purpose.LIVE_VIEW if action is Action.LIVE else Purpose.ARCHIVE_VIEW
    viewer = stage.person(Role.INVESTIGATOR)
    token = stage.parts.tokens.issue(viewer, camera_id, frozenset({action}), purpose)
    admission = stage.parts.tokens.admit(token.handle, stage.name, camera_name, action)
    return stage.parts.sessions.open(admission, Protocol.HLS, "pseudonym").id


def _still_looking(stage: Stage) -> set[MediaSessionId]:
    return {session.id for session in stage.parts.sessions.of_operator(stage.operator_id)}


def test_nobody_goes_on_watching_a_camera_that_was_removed_and_whoever_watches_another_does(stage: Stage) -> None:
    _looking(stage, Action.LIVE, "door", stage.camera.camera_id)
    old_footage = _looking(stage, Action.ARCHIVE, "door", stage.camera.camera_id)
    next_door = _looking(stage, Action.LIVE, "yard", stage.other_camera.camera_id)
    with stage.parts.db.writing() as session:
        stage.parts.cameras.remove(session, stage.owner, stage.camera.camera_id)
    # What was recorded stays under its rights until it is destroyed; live pictures there are none any more.
    assert _still_looking(stage) == {old_footage, next_door}


def test_a_camera_that_got_another_address_is_the_same_camera_to_its_viewers(stage: Stage) -> None:
    session_id = _looking(stage, Action.LIVE, "door", stage.camera.camera_id)
    with stage.parts.db.writing() as session:
        changes = CameraChanges(url="rtsp://camera:secret@127.0.0.1:9/other")
        stage.parts.cameras.change(session, stage.owner, stage.camera.camera_id, changes)
    assert _still_looking(stage) == {session_id}

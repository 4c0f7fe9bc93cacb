"""What one part does, the parts that are joined to it hear of at once; nobody waits for a timer."""

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from auth.media_sessions.rules import Protocol
from auth.principal import Role
from auth.tokens.rules import Action, Purpose
from auth.tokens.service import Asked
from auth.tokens.wishes import Wish
from streams.cameras.service import CameraChanges
from tests.given.access import Access
from tests.given.databases import DatabaseServer
from tests.given.stage import Stage
from tests.given.tokens import token_for
from tests.given.whole_app import WholeApp, whole_app
from vms_privacy.camera_care import CameraCare
from vms_privacy.ids import CameraId, MediaSessionId
from vms_privacy.keyring.rules import ROOT_HEAD_START
from vms_privacy.metrics import ServiceCollector
from vms_privacy.rounds import jobs_of
from vms_privacy.worker import Jobs


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, database_server: DatabaseServer) -> Iterator[WholeApp]:
    with whole_app(tmp_path_factory.mktemp("whole"), database_server) as served:
        Access(served.parts.db, served.parts.randomness, served.clock.now()).platform_admin("first-admin")
        yield served


@pytest.fixture
def stage(app: WholeApp) -> Stage:
    return Stage(app)


def _looking(stage: Stage, action: Action, camera_name: str, camera_id: CameraId) -> MediaSessionId:
    purpose = Purpose.LIVE_VIEW if action is Action.LIVE else Purpose.ARCHIVE_VIEW
    viewer = stage.person(Role.INVESTIGATOR)
    token = token_for(stage.parts, viewer, Wish(camera_id, frozenset({action}), purpose))
    admission = stage.parts.tokens.admit(token.handle, Asked(stage.name, camera_name, action))
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


def test_whatever_holds_something_of_a_segment_lets_go_of_it_before_its_bytes_are_erased(stage: Stage) -> None:
    """Its pictures' index, and the way into the store: what is put there beside an erasure would stay."""
    parts = stage.parts
    assert set(parts.eraser._tools.copies) == {parts.footage, parts.delivery}


def test_a_camera_that_got_another_address_is_the_same_camera_to_its_viewers(stage: Stage) -> None:
    session_id = _looking(stage, Action.LIVE, "door", stage.camera.camera_id)
    with stage.parts.db.writing() as session:
        changes = CameraChanges(url="rtsp://camera:secret@127.0.0.1:9/other")
        stage.parts.cameras.change(session, stage.owner, stage.camera.camera_id, changes)
    assert _still_looking(stage) == {session_id}


def test_the_services_own_job_rotates_a_root_whose_time_is_over_and_shows_how_long_the_next_one_has(
    app: WholeApp,
) -> None:
    """The installation was made years ago on the clock of this test."""
    jobs = Jobs(jobs_of(app.parts), app.clock)
    metrics = CollectorRegistry()
    metrics.register(ServiceCollector(app.parts, jobs, CameraCare(app.parts, "a run")))
    assert (metrics.get_sample_value("vms_root_seconds_left") or 0) < 0
    before = app.parts.keyring.root_version
    assert jobs.run_once("root") == ""
    assert app.parts.keyring.root_version == before + 1
    assert metrics.get_sample_value("vms_root_seconds_left") == app.settings.root_life.total_seconds()
    (every,) = [job.every for job in jobs_of(app.parts) if job.name == "root"]
    assert every * 10 < ROOT_HEAD_START

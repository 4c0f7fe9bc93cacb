"""Starting and stopping a whole service: nobody is let in too early, and whatever fails, the rest is ended."""

import socket
import threading
from functools import cached_property
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from archive.recorder.recovery import Recovery, RecoveryReport
from archive.recorder.service import RecorderService
from auth.media_sessions.rules import Limits
from auth.media_sessions.service import MediaSessions
from tests.given.failing_db import lost_connection
from tests.given.ports import free_port
from vms_privacy.app import Assembly
from vms_privacy.ids import CameraId, SegmentId
from vms_privacy.install import initialise
from vms_privacy.keyring.port import KeyringUnavailable
from vms_privacy.serve import Running
from vms_privacy.settings import Settings

DEADLINE_S = 20.0


class HeldRecovery(Recovery):
    """What a crash left is looked at once the test says so; then `error` is raised, if there is one."""

    begun: threading.Event
    go_on: threading.Event
    error: Exception | None = None

    def recover(self, camera_id: CameraId | None = None, in_use: SegmentId | None = None) -> RecoveryReport:
        self.begun.set()
        assert self.go_on.wait(DEADLINE_S)
        if self.error is not None:
            raise self.error
        return super().recover(camera_id, in_use)


class WatchedRecorder(RecorderService):
    """Remembers that it was stopped."""

    was_stopped = False

    def stop(self, within_s: float) -> bool:
        self.was_stopped = True
        return super().stop(within_s)


class DeafSessions(MediaSessions):
    """The database is away when the service stops."""

    def stop(self) -> None:
        raise lost_connection()


class House(Assembly):
    """A service's own parts, of which the start can be held and one can not be stopped."""

    @cached_property
    def recovery(self) -> HeldRecovery:
        made = HeldRecovery(self.db, self.keys, self.settings.spool, self.audit, self.clock, self.randomness)
        made.begun, made.go_on = threading.Event(), threading.Event()
        return made

    @cached_property
    def recorder(self) -> WatchedRecorder:
        return WatchedRecorder(self.recorder_tools, self.recovery, self.delivery)

    @cached_property
    def sessions(self) -> DeafSessions:
        return DeafSessions(self.group, self.clock, self.randomness, self.audit, self.revocation, self.judge, Limits())


class Serving:
    """The service on a thread of its own, and what it raised."""

    def __init__(self, folder: Path) -> None:
        settings = Settings(data_dir=folder / "data", port=free_port())
        initialise(settings)
        self.house = House(settings)
        self.running = Running(self.house)
        self.raised: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self.house.recovery.begun.wait(DEADLINE_S)

    def is_refused(self) -> bool:
        with socket.socket() as link:
            return link.connect_ex(("127.0.0.1", self.house.settings.port)) != 0

    def ended(self) -> None:
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        try:
            self.running.serve()
        except BaseException as error:  # noqa: BLE001 - what the command line would be told of
            self.raised = error


@pytest.fixture
def serving(tmp_path: Path) -> Serving:
    return Serving(tmp_path)


def test_nobody_is_let_in_before_everything_is_started(serving: Serving) -> None:
    serving.start()
    assert serving.is_refused()
    serving.house.recovery.go_on.set()
    assert serving.running.is_up.wait(DEADLINE_S)
    assert not serving.is_refused()
    serving.running.stop()
    serving.ended()
    assert serving.is_refused()
    assert serving.raised is None


def test_a_part_that_cannot_be_stopped_is_told_and_keeps_no_other_from_being_stopped(serving: Serving) -> None:
    serving.house.recovery.go_on.set()
    serving.start()
    assert serving.running.is_up.wait(DEADLINE_S)
    with capture_logs() as told:
        serving.running.stop()
        serving.ended()
    assert serving.running.failed_to_stop == {"sessions": "OperationalError"}
    assert [one["part"] for one in told if one["event"] == "stop-failed"] == ["sessions"]
    assert serving.house.recorder.was_stopped
    assert serving.raised is None


@pytest.mark.parametrize("error", [KeyringUnavailable("the keyring is not there"), RuntimeError("eve:secret")])
def test_what_keeps_the_service_from_starting_is_raised_as_it_is_and_written_nowhere(
    serving: Serving, error: Exception, capfd: pytest.CaptureFixture[str]
) -> None:
    serving.house.recovery.error = error
    serving.house.recovery.go_on.set()
    serving.start()
    serving.ended()
    assert serving.raised is error
    assert not serving.running.is_up.is_set()
    assert capfd.readouterr() == ("", "")


def test_a_service_told_to_stop_while_it_starts_ends_in_order_and_never_listens(serving: Serving) -> None:
    serving.start()
    serving.running.stop()
    serving.house.recovery.go_on.set()
    serving.ended()
    assert (serving.raised, serving.running.is_up.is_set(), serving.house.recorder.was_stopped) == (None, False, True)

"""A check that is stopped in the middle, by hand or by a kill, leaves no decoder behind and goes on where it was."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from tests.given.clock import HandClock
from tests.given.databases import import_every_table
from tests.given.footage import House
from tests.given.site import until
from tests.guards.sources import ROOT
from vms_privacy.clock import SystemClock
from vms_privacy.db import Database
from vms_privacy.ids import SystemRandomness
from vms_privacy.migrations import migrate

pytestmark = pytest.mark.story

_FILES: Final = 10
_COMMAND: Final = [sys.executable, "-c", "import sys; from vms_privacy.cli import main; sys.exit(main())"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation with some files that take a while to decode."""
    import_every_table()
    folder = tmp_path_factory.mktemp("installed") / "data"
    folder.mkdir(mode=0o700)
    db = Database(f"sqlite:///{folder / 'vms-privacy.db'}")
    migrate(db.engine)
    for path in folder.iterdir():
        path.chmod(0o600)
    house = House(db, HandClock(SystemClock().now() - timedelta(hours=1)), folder, SystemRandomness())
    house.opt_in()
    house.keep_for(timedelta(days=30))
    for _ in range(_FILES):
        house.record(10, size=(1280, 720), noise=9000)
    house.delivery.deliver()
    house.kill()
    db.close()
    (folder / "installation-id").write_text("installation-1")
    return folder


@contextmanager
def _checking(folder: Path, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Begin a check of every picture; go into the block once its decoder is at work."""
    environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "VMS_DATA_DIR": str(folder)}
    command = [*_COMMAND, "check", "--depth", "opens", "--json", *words]
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def _decoder_of(process: "subprocess.Popen[bytes]") -> psutil.Process:
    here = psutil.Process(process.pid)

    def serving() -> list[psutil.Process]:
        # Its limits are set once it has begun to serve.
        return [child for child in here.children() if child.rlimit(psutil.RLIMIT_NOFILE) == (3, 3)]

    until(lambda: bool(serving()), "the decoder is at work")
    return serving()[0]


def _told(process: "subprocess.Popen[bytes]") -> Mapping[str, Any]:
    out, _ = process.communicate(timeout=60)
    told: Mapping[str, Any] = json.loads(out)
    return told


def test_a_kill_takes_the_decoder_along_and_the_next_run_goes_on(installed: Path) -> None:
    with _checking(installed) as killed:
        decoder = _decoder_of(killed)
        killed.send_signal(signal.SIGKILL)
        assert killed.wait(10) == -signal.SIGKILL
        assert decoder in psutil.wait_procs([decoder], timeout=10)[0] or decoder.status() == psutil.STATUS_ZOMBIE
    with _checking(installed, "--resume") as again:
        told = _told(again)
    assert (again.returncode, told["clean"], told["whole"]) == (0, True, True)
    totals = told["totals"]
    assert totals["files_opened"] + totals["files_left_out"] == _FILES
    assert totals["files_opened"] > 0


def test_a_ctrl_c_ends_after_the_file_in_hand_and_what_was_looked_at_is_remembered(installed: Path) -> None:
    with _checking(installed) as stopped:
        _decoder_of(stopped)
        stopped.send_signal(signal.SIGINT)
        told = _told(stopped)
    assert (stopped.returncode, told["clean"], told["whole"]) == (130, True, False)
    done = told["totals"]["files_opened"]
    assert 0 < done < _FILES
    with _checking(installed, "--resume") as again:
        told = _told(again)
    assert (again.returncode, told["whole"]) == (0, True)
    assert (told["totals"]["files_left_out"], told["totals"]["files_opened"]) == (done, _FILES - done)

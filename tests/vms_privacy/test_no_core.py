"""P2: whatever ends the service, no core dump of it is left, which would hold pictures and keys."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.given.site import ServiceProcess

pytestmark = [pytest.mark.story, pytest.mark.timeout(180)]

DUMPS_CORE = """
import os, resource, signal
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
os.kill(os.getpid(), signal.SIGQUIT)
"""

IS_DUMPABLE = """
import ctypes
from vms_privacy.serve import leave_no_core
print(ctypes.CDLL(None).prctl(3))
leave_no_core()
print(ctypes.CDLL(None).prctl(3))
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ServiceProcess]:
    """`vms-privacy serve`, started for real."""
    started = ServiceProcess(tmp_path)
    started.start()
    yield started
    if started.is_running:
        started.kill()


def _ended_by(pid: int) -> tuple[int, bool]:
    """Wait for a child's end, and leave it to be waited for; return its signal and whether its core was dumped."""
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    return ended.si_status, ended.si_code == os.CLD_DUMPED


def _limit(process: psutil.Process) -> list[str]:
    lines = Path(f"/proc/{process.pid}/limits").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("Max core file size")]
    return line.split()[4:6]


def test_the_running_service_has_no_room_for_a_core_file(service: ServiceProcess) -> None:
    assert _limit(service.process) == ["0", "0"]
    # Another process of the same user has another limit, or the reading of it would prove nothing.
    assert _limit(psutil.Process()) == [_told(limit) for limit in resource.getrlimit(resource.RLIMIT_CORE)]


def _told(limit: int) -> str:
    return "unlimited" if limit == resource.RLIM_INFINITY else str(limit)


@pytest.mark.skipif(resource.getrlimit(resource.RLIMIT_CORE)[1] == 0, reason="no process here may dump its core")
def test_a_signal_that_dumps_the_core_of_others_dumps_nothing_of_the_service(
    service: ServiceProcess, tmp_path: Path
) -> None:
    pid = service.process.pid
    os.kill(pid, signal.SIGQUIT)
    assert _ended_by(pid) == (signal.SIGQUIT, False)
    # Where nothing was done about it, the same signal dumps.
    other = subprocess.Popen([sys.executable, "-c", DUMPS_CORE], cwd=tmp_path)
    assert _ended_by(other.pid) == (signal.SIGQUIT, True)
    other.wait()


def test_a_process_that_leaves_no_core_is_not_dumpable_either() -> None:
    """A kernel that hands dumps to a program asks for no limit."""
    told = subprocess.run([sys.executable, "-c", IS_DUMPABLE], capture_output=True, check=True, text=True, timeout=60)
    assert told.stdout.split() == ["1", "0"]

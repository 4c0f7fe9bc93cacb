"""A stranger's first day: the lines of the README, typed one after the other, from nothing to a verified receipt.

Real commands in processes of their own, a real service and a real simulated camera. The retention is the shortest there
is, and the sweep comes every second; everything else is as the README has it.
"""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.given.ports import free_port
from tests.given.site import until
from tests.guards.sources import ROOT

pytestmark = [pytest.mark.story, pytest.mark.timeout(180)]

COMMAND: Final = (sys.executable, "-c", "from vms_privacy.cli import main; main()")
DEADLINE_S: Final = 40
README: Final = (ROOT / "README.md").read_text()


class Stranger:
    """Somebody at a shell: what they typed, and where."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.typed: list[str] = []
        port = free_port()
        self.environment = {
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "VMS_DATA_DIR": str(folder / "vms-privacy"),
            "VMS_PORT": str(port),
            "VMS_URL": f"http://127.0.0.1:{port}",
            "VMS_SWEEP_EVERY": "PT1S",
        }

    def types(self, line: str) -> str:
        """Type one line and return what it printed. It must succeed."""
        ran = self.tries(line)
        assert ran.returncode == 0, f"{line}\n{ran.stdout}{ran.stderr}"
        return ran.stdout

    def tries(self, line: str) -> "subprocess.CompletedProcess[str]":
        """Type one line, however it ends."""
        self.typed.append(line)
        words = [*COMMAND, *line.split()]
        return subprocess.run(
            words,
            check=False,
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )

    def asks(self, line: str) -> Any:
        """Type one line with --json and return its document."""
        return json.loads(self.types(f"{line} --json"))

    @contextmanager
    def leaves_running(self, line: str) -> Iterator[Path]:
        """Type one line with an `&` behind it; give what it says, and stop it at the end."""
        self.typed.append(line)
        log = self.folder / f"{line.split(maxsplit=1)[0]}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*COMMAND, *line.split()], env=self.environment, cwd=self.folder, stdout=file, stderr=file
            )
        try:
            until(lambda: "Ctrl-C stops it." in log.read_text(), log.read_text, DEADLINE_S)
            yield log
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(DEADLINE_S)


def test_the_lines_of_the_readme_lead_from_nothing_to_a_verified_receipt(tmp_path: Path) -> None:
    me = Stranger(tmp_path)
    (tmp_path / "password").write_text("a pass phrase of some length 17\n")
    code = _fact(me.types("init --no-backup only-a-trial"), "bootstrap code")
    with me.leaves_running("serve") as service, me.leaves_running("camera-sim --port 0") as camera:
        assert "next: vms-privacy operator setup" in service.read_text()
        me.types(f"operator setup --code {code} --operator north --login me --password-file password")
        # The simulator prints the very line that adds it.
        line = re.search(r"vms-privacy (camera add) NAME (\S+)", camera.read_text())
        assert line is not None
        me.types(f"camera add front-door {line[2]}")
        _looks(me)
        _records(me)
        _proves(me)
        assert " is ready." in me.types("status")
    assert _unknown_lines(me.typed) == []
    assert "recorded footage" not in service.read_text()


def _looks(me: Stranger) -> None:
    until(lambda: "  running  " in me.types("camera list"), "the camera runs", DEADLINE_S)
    played = me.asks("camera watch front-door")["hls"]
    until(lambda: _starts_with(played, b"#EXTM3U"), "the live picture plays", DEADLINE_S)


def _records(me: Stranger) -> None:
    asked = me.tries("camera opt-in front-door")
    assert (asked.returncode, asked.stderr.split(":")[0]) == (2, "answer-needed")
    me.types("camera opt-in front-door --purpose burglary --yes --sign")
    me.types("camera retention front-door PT10S")
    until(lambda: "Z  " in me.types("camera ranges front-door"), "something is recorded", DEADLINE_S)
    me.types("camera withdraw front-door")


def _proves(me: Stranger) -> None:
    until(lambda: not me.asks("camera ranges front-door")["ranges"], "what was recorded expires", DEADLINE_S, 2.0)
    until(lambda: me.tries("receipt sign").returncode == 0, "what expired is destroyed", DEADLINE_S, 1.0)
    signed = me.asks("receipt list --limit 1")["items"][0]["id"]
    assert signed in me.types("receipt list")
    me.types(f"receipt fetch {signed} --to receipt.txt")
    me.types("receipt keys --to keys.txt")
    told = me.types("verify receipt receipt.txt --keys keys.txt")
    assert told.startswith("valid         yes")
    assert "Everything is accounted for." in me.types("check")


def _unknown_lines(typed: list[str]) -> list[str]:
    """List the commands of the README's fences that were not typed."""
    fences = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    wanted = [" ".join(line.split()[1:3]) for fence in fences for line in fence.splitlines() if line.startswith("vms-")]
    words = [one.removesuffix(" #").removesuffix(" &") for one in wanted]
    assert len(words) > 10
    return [one for one in words if not any(f"{line} ".startswith(f"{one} ") for line in typed)]


def _fact(told: str, name: str) -> str:
    return next(line.removeprefix(name).strip() for line in told.splitlines() if line.startswith(name))


def _starts_with(url: str, head: bytes) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
            return bytes(answer.read(len(head))) == head
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise
        return False

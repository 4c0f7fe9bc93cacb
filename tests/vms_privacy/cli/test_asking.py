"""At a terminal: what is missing is asked for, secrets unseen, and standard output stays for the document alone."""

import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.given.site import until
from tests.guards.sources import ROOT

COMMAND: Final = (sys.executable, "-c", "from vms_privacy.cli import main; main()")
DEADLINE_S: Final = 30
SECRET: Final = "correct horse 17"


@dataclass
class Terminal:
    """A command at a terminal: what stands on the screen, and what came out beside it."""

    process: "subprocess.Popen[bytes]"
    screen_end: int
    screen: bytes = b""
    answered: int = 0
    out: bytes = field(default=b"", init=False)

    def sees(self, text: str) -> None:
        """Wait until a text stands on the screen, behind the last answer.

        The blank behind a hidden question comes when typing is heard; what is typed before it is thrown away.
        """
        until(
            lambda: text.encode() in self._look()[self.answered :], lambda: f"{text!r} in {self.screen!r}", DEADLINE_S
        )

    def types(self, text: str) -> None:
        """Type a line."""
        self.answered = len(self.screen)
        os.write(self.screen_end, f"{text}\n".encode())

    def ends(self) -> int:
        """Wait until the command ends."""
        self.out = self.process.communicate(timeout=DEADLINE_S)[0]
        self._look()
        return self.process.returncode

    def _look(self) -> bytes:
        while select.select([self.screen_end], [], [], 0)[0]:
            try:
                self.screen += os.read(self.screen_end, 4096)
            except OSError:
                # Nobody holds the other end any more.
                return self.screen
        return self.screen


@contextmanager
def terminal(folder: Path, line: str) -> Iterator[Terminal]:
    """Type one line at a terminal of its own, with standard output led elsewhere."""
    screen_end, program_end = pty.openpty()
    environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "HOME": str(folder), "VMS_URL": "http://127.0.0.1:9"}
    process = subprocess.Popen(
        [*COMMAND, *line.split()],
        env=environment,
        stdin=program_end,
        stdout=subprocess.PIPE,
        stderr=program_end,
        start_new_session=True,
    )
    os.close(program_end)
    try:
        yield Terminal(process, screen_end)
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE_S)
        os.close(screen_end)


def test_a_password_is_asked_for_unseen_and_not_on_standard_output(tmp_path: Path) -> None:
    with terminal(tmp_path, "operator log-in --json") as at:
        at.sees("Your log-in:")
        at.types("me")
        at.sees("Password: ")
        at.types(SECRET)
        assert at.ends() == 7
    assert json.loads(at.out)["code"] == "service-unreachable"
    assert SECRET.encode() not in at.screen
    assert b"me" in at.screen
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept == []


def test_a_new_password_is_asked_for_twice(tmp_path: Path) -> None:
    with terminal(tmp_path, "operator enrol --code e1.x") as at:
        at.sees("Password, at least 12 characters: ")
        at.types("too short")
        at.sees("Repeat for confirmation: ")
        at.types("too short")
        at.sees("a password has at least 12 characters.\r\nPassword, at least 12 characters: ")
        at.types(SECRET)
        at.sees("Repeat for confirmation: ")
        at.types("another")
        at.sees("do not match.\r\nPassword, at least 12 characters: ")
        at.types(SECRET)
        at.sees("Repeat for confirmation: ")
        at.types(SECRET)
        assert at.ends() == 7


def test_a_no_and_an_interrupt_change_nothing_and_say_so(tmp_path: Path) -> None:
    with terminal(tmp_path, "operator log-in --json") as at:
        at.sees("Your log-in:")
        at.types("\x04")
        assert at.ends() == 130
    assert json.loads(at.out)["code"] == "stopped"

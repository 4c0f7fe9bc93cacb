"""The image of the Dockerfile is built, and runs with a read-only root, without rights, as a user like any other."""

import json
import os
import signal
import stat
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil
import pytest

from tests.given.image import Image, built_image
from tests.given.ports import free_port
from tests.given.site import DEADLINE_S, START_S, until
from tests.guards.sources import PACKAGES

pytestmark = [pytest.mark.story, pytest.mark.timeout(1200)]
_COMPILERS_AND_INSTALLERS: Final = {"pip", "pip3", "gcc", "cc", "make", "easy_install"}


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    with built_image() as built:
        yield built


class _Installation:
    """A data folder that belongs to the image's user, and containers that have it."""

    def __init__(self, image: Image, folder: Path) -> None:
        self.image = image
        self.port = free_port()
        self.data = folder / "data"
        self.data.mkdir(mode=0o700)
        user, _, group = image.config["User"].partition(":")
        os.chown(self.data, int(user), int(group))
        self._said = folder / "said"

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start a container whose first process is this."""
        return self.image.started(self.data, words, {"VMS_PORT": str(self.port)}, self._said)

    def run(self, *words: str) -> int:
        """Run a container to its end; return its exit code."""
        return self.start(*words).wait(START_S)

    def ready(self) -> bool:
        """Whether the service says that each of its parts is ready."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                told = json.loads(answer.read())
        except OSError:
            return False
        return bool(told["ready"]) and bool(told["parts"])

    @property
    def said(self) -> str:
        return self._said.read_text()


def test_after_init_the_image_answers_that_it_is_ready_and_needs_no_right_for_it(image: Image, tmp_path: Path) -> None:
    here = _Installation(image, tmp_path)
    program, check = image.config["Entrypoint"], image.config["Healthcheck"]["Test"][1:]
    assert here.run(*program, *image.config["Cmd"]) != 0, "nothing is served that was not made"
    assert "not-initialised" in here.said
    assert here.run(*program, "init", "--no-backup", "a test needs none") == 0, here.said
    service = here.start(*program, *image.config["Cmd"])
    until(here.ready, lambda: here.said, START_S)
    [inside] = psutil.Process(service.pid).children()
    status = Path(f"/proc/{inside.pid}/status").read_text()
    fields = {name: value.split() for name, _, value in (line.partition(":") for line in status.splitlines())}
    assert set(fields["Uid"]) == {image.config["User"].partition(":")[0]}
    assert {*fields["CapPrm"], *fields["CapEff"], *fields["CapBnd"], *fields["CapAmb"]} == {"0" * 16}
    assert (fields["NoNewPrivs"], fields["NSpid"][-1]) == (["1"], "1")
    mounts = [line.split() for line in Path(f"/proc/{inside.pid}/mountinfo").read_text().splitlines()]
    assert "ro" in next(mount[5] for mount in mounts if mount[4] == "/").split(",")
    assert here.run(*check) == 0, here.said
    inside.send_signal(signal.SIGTERM)
    assert service.wait(DEADLINE_S) == 0, here.said
    assert here.run(*check) != 0, "the health check finds a service that is away"


def test_what_runs_in_the_image_can_change_nothing_of_it_and_install_nothing(image: Image) -> None:
    user = int(image.config["User"].partition(":")[0])
    changeable, programs = set[str](), set[str]()
    for folder, _, files in os.walk(image.root):
        for name in (".", *files):
            found = os.lstat(Path(folder, name))
            path = f"/{Path(folder, name).relative_to(image.root)}"
            if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
                is_open = bool(stat.S_IMODE(found.st_mode) & 0o002)
                changeable |= {path} if found.st_uid == user or is_open else set()
            programs |= {name} if found.st_mode & 0o111 and path.startswith("/opt/") else set()
    assert changeable == {"/tmp", "/var/tmp", "/run/lock", "/var/lib/vms-privacy"}
    assert "vms-privacy" in programs
    assert programs & _COMPILERS_AND_INSTALLERS == set()


def test_the_image_holds_the_packages_and_none_of_the_tests(image: Image) -> None:
    [packages] = image.root.glob("opt/vms-privacy/lib/python3*/site-packages")
    assert {one.name for one in packages.iterdir()} >= set(PACKAGES)
    assert list(image.root.glob("**/tests/guards")) == []
    assert list(image.root.glob("build")) == []

"""The real image, built from the Dockerfile, and run as the Compose file has it run: without an engine.

Its base comes from a registry that tests have no business with. A stand-in takes the base's name: Debian's own Python,
put together from Debian's packages. Buildah builds in a chroot; a mount namespace and a process namespace of our own
are the container: the root read-only, no capabilities, no new privileges, `/tmp` in memory, one folder for the data.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from tests.given.tools import missing
from tests.guards.sources import ROOT

PROGRAMS: Final = ("buildah", "mmdebstrap", "unshare", "chroot", "setpriv", "mount")
SUITE: Final = "bookworm"
BUILD_S: Final = 600
_NAME: Final = "localhost/vms-privacy:story"
_DATA: Final = "var/lib/vms-privacy"
_CERTIFICATES: Final = "/etc/ssl/certs"
# What is mounted is gone with the namespace. The last words are what the container runs, as its first process.
_CONTAIN: Final = f"""
set -e
root=$1 data=$2; shift 2
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o size=64m,noexec,nosuid,nodev tmpfs "$root/tmp"
mount --bind "$data" "$root/{_DATA}"
mount -o remount,bind,ro "$root"
cd "$root"
exec chroot . "$@"
"""


class Image:
    """One image in a storage of its own. `close` removes all of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._storage = ["--root", str(folder / "storage"), "--runroot", str(folder / "runroot")]
        # Overlays share what images have in common; on some file systems they cannot lie.
        self._driver = "overlay" if self._can("overlay") else "vfs"
        self._make_base()
        build = ["bud", "--isolation", "chroot", "--pull-never", "--format", "docker", "--target", "runtime"]
        # What the machine trusts, its images trust while they are built: there may be a proxy of the house.
        self._buildah(*build, "--volume", f"{_CERTIFICATES}:{_CERTIFICATES}:ro", "--tag", _NAME, str(ROOT))
        self._container = self._buildah("from", "--pull-never", _NAME)
        self.root = Path(self._buildah("mount", self._container))

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """What the image says of itself: user, environment, entry point, health check."""
        told: Mapping[str, Any] = json.loads(self._buildah("inspect", "--type", "image", _NAME))["Docker"]["config"]
        return told

    def started(
        self, data: Path, words: Sequence[str], variables: Mapping[str, str], said: Path
    ) -> "subprocess.Popen[bytes]":
        """Start a container of it; what it says goes into a file. It ends with this process."""
        user, _, group = self.config["User"].partition(":")
        set_here = [f"{name}={value}" for name, value in variables.items()]
        locked = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs"]
        locked += ["--bounding-set=-all", "--inh-caps=-all", "--"]
        inside = [*locked, "env", "-i", f"--chdir={self.config['WorkingDir']}", *self.config["Env"], *set_here, *words]
        spaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
        command = [
            "setpriv",
            "--pdeathsig",
            "KILL",
            "--",
            *spaces,
            "sh",
            "-c",
            _CONTAIN,
            "sh",
            str(self.root),
            str(data),
            *inside,
        ]
        with said.open("wb") as out:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)

    def close(self) -> None:
        """Remove image, base and storage."""
        self._buildah("rm", "--all")
        self._buildah("rmi", "--all", "--force")
        shutil.rmtree(self._folder)

    def _make_base(self) -> None:
        named = re.search(r"^ARG PYTHON=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
        assert named is not None
        packed = self._folder / "base.tar"
        options = ["--variant=minbase", "--include=python3-venv,ca-certificates", "--aptopt=Acquire::Languages none"]
        leaves_out = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "locale")]
        _run("mmdebstrap", *options, *leaves_out, "--dpkgopt=force-unsafe-io", SUITE, str(packed))
        container = self._buildah("from", "scratch")
        self._buildah("add", "--quiet", container, str(packed), "/")
        self._buildah("config", "--env", f"PATH={os.defpath}:/usr/sbin:/sbin", container)
        self._buildah("commit", "--quiet", "--rm", container, named[1])
        packed.unlink()

    def _can(self, driver: str) -> bool:
        tried = ["buildah", *self._storage, "--storage-driver", driver, "info"]
        can = subprocess.run(tried, capture_output=True, timeout=BUILD_S, check=False).returncode == 0
        shutil.rmtree(self._folder / "storage", ignore_errors=True)
        return can

    def _buildah(self, *words: str) -> str:
        return _run("buildah", *self._storage, "--storage-driver", self._driver, *words)


def _run(*words: str) -> str:
    ran = subprocess.run(words, capture_output=True, text=True, timeout=BUILD_S, check=False)
    if ran.returncode:
        raise ChildProcessError(f"{words[0]} ended with {ran.returncode}: {ran.stderr[-1500:]}{ran.stdout[-500:]}")
    return ran.stdout.strip()


@contextmanager
def built_image() -> Iterator[Image]:
    """Build the image for a module's tests; skip, or fail in CI, where what it takes is missing."""
    lacks = [one for one in PROGRAMS if shutil.which(one) is None]
    if lacks:
        missing(f"{', '.join(lacks)} (Debian: buildah mmdebstrap)")
    if os.geteuid() != 0:
        missing("the rights of root, to mount")
    # Not among what pytest keeps of its last runs: it is large.
    image = Image(Path(tempfile.mkdtemp(prefix="image-")))
    try:
        yield image
    finally:
        image.close()

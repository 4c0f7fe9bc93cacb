"""Throw-away PKCS#11 tokens of SoftHSM, in a folder of this process; for root and for any other account."""

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.given.tools import missing
from vms_privacy.keyring.pkcs11_token import TokenPlace

LIBRARIES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)
PIN = "a-pin-that-nobody-prints-987654"
_SO_PIN = "a-pin-of-the-officer"


@dataclass(frozen=True)
class SoftHsm:
    """One installation of SoftHSM for this process, with as many tokens as tests ask for."""

    folder: Path
    library: Path
    numbers: Iterator[int]

    @property
    def tokens(self) -> Path:
        """Where SoftHSM keeps its tokens, one folder each."""
        return self.folder / "tokens"

    def new_token(self, pin: str = PIN) -> TokenPlace:
        """Make an empty token with a label of its own, and a file with its PIN."""
        label = f"token-{next(self.numbers)}"
        pins = ("--so-pin", _SO_PIN, "--pin", pin)
        made = ["softhsm2-util", "--init-token", "--free", "--label", label, *pins]
        subprocess.run(made, check=True, capture_output=True, timeout=30)
        return TokenPlace(self.library, label, pin_file(self.folder / f"{label}.pin", pin))

    def folders(self) -> set[Path]:
        """Return the folders of all tokens there are."""
        return set(self.tokens.iterdir())


def pin_file(path: Path, pin: str) -> Path:
    """Write a PIN as an admin would: with a line's end, for this account alone."""
    path.touch(mode=0o600)
    path.write_text(f"{pin}\n")
    return path


@contextmanager
def soft_hsm() -> Iterator[SoftHsm]:
    """Set SoftHSM up for this process: its library looks at the environment when it is loaded, and never again."""
    library = next((Path(one) for one in LIBRARIES if Path(one).exists()), None)
    if library is None or shutil.which("softhsm2-util") is None:
        missing("softhsm2")
    with tempfile.TemporaryDirectory(prefix="vms-softhsm-") as text, pytest.MonkeyPatch.context() as patched:
        folder = Path(text)
        (folder / "tokens").mkdir(mode=0o700)
        config = folder / "softhsm2.conf"
        config.write_text(
            f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        patched.setenv("SOFTHSM2_CONF", os.fspath(config))
        yield SoftHsm(folder, library, itertools.count(1))

"""Every keyring there is, by where it lies: to be made and opened alike, also by a process that is killed at it."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.given.softhsm import SoftHsm
from vms_privacy.clock import Clock, SystemClock
from vms_privacy.ids import Randomness, SystemRandomness
from vms_privacy.keyring.file_keyring import FileKeyring
from vms_privacy.keyring.folder_keyring import FolderKeyring
from vms_privacy.keyring.pkcs11_keyring import Pkcs11Keyring
from vms_privacy.keyring.pkcs11_token import Pkcs11Token, TokenPlace


@dataclass(frozen=True)
class KeyringPlace:
    """A folder, and a token if the roots are in one."""

    folder: Path
    token: TokenPlace | None = None
    randomness: Randomness = field(default_factory=SystemRandomness)

    def create(self, clock: Clock) -> FolderKeyring:
        if self.token is None:
            return FileKeyring.create(self.folder, clock, self.randomness)
        return Pkcs11Keyring.create(self.folder, Pkcs11Token(self.token), clock, self.randomness)

    def open(self, clock: Clock) -> FolderKeyring:
        """Open it as another process would: nothing is remembered from before."""
        if self.token is None:
            return FileKeyring(self.folder, clock, self.randomness)
        return Pkcs11Keyring(self.folder, Pkcs11Token(self.token), clock, self.randomness)

    def at(self, folder: Path) -> "KeyringPlace":
        """Return the same token with another folder, as after an older copy was put back."""
        return KeyringPlace(folder, self.token, self.randomness)

    def rotate_and_die(self, step: str) -> int:
        """Rotate the root in a process that ends by SIGKILL once it has done a step; return how it ended."""
        token = [] if self.token is None else [str(self.token.library), self.token.label, str(self.token.pin_file)]
        call = [sys.executable, "-m", __name__, step, str(self.folder), *token]
        return subprocess.run(call, check=False, timeout=60).returncode

    def rotate_elsewhere(self) -> None:
        """Rotate the root in another process."""
        assert self.rotate_and_die("none") == 0


def a_place(kind: str, folder: Path, softhsm: SoftHsm | None) -> KeyringPlace:
    """Return where a keyring of a kind, `file` or `pkcs11`, may be made."""
    return KeyringPlace(folder, None if softhsm is None or kind == "file" else softhsm.new_token())


def _rotate_until_killed(step: str, place: KeyringPlace) -> None:
    for done in place.open(SystemClock()).root_rotation(at_once=1).steps():
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    _step, _folder, *_token = sys.argv[1:]
    _where = TokenPlace(Path(_token[0]), _token[1], Path(_token[2])) if _token else None
    _rotate_until_killed(_step, KeyringPlace(Path(_folder), _where))

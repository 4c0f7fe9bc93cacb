"""The keyring with its roots in a PKCS#11 token. Format: docs/formats/keyring-pkcs11-v1.md.

Promise: no root is ever outside the token. Once a root is rotated, no older copy of the folder opens anything any
more, whoever has it and whatever token it is tried with.
"""

import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from vms_privacy.clock import Clock
from vms_privacy.ids import Randomness
from vms_privacy.keyring.folder_keyring import FolderKeyring, PutBack, make_folder
from vms_privacy.keyring.pkcs11_roots import Pkcs11Roots
from vms_privacy.keyring.pkcs11_token import Pkcs11Token
from vms_privacy.keyring.roots import RootsIn
from vms_privacy.keyring.rules import ROOT_LIFE


class Pkcs11Keyring(FolderKeyring):
    """A keyring in a folder that only this process's user may enter, with its roots in a token.

    Opening raises KeyringUnavailable if the token, or a root in it, is not there.
    """

    def __init__(
        self, folder: Path, token: Pkcs11Token, clock: Clock, randomness: Randomness, root_life: timedelta = ROOT_LIFE
    ) -> None:
        super().__init__(folder, _roots_in(token, randomness), clock, randomness, root_life)

    @classmethod
    def create(
        cls,
        folder: Path,
        token: Pkcs11Token,
        clock: Clock,
        randomness: Randomness,
        root_life: timedelta = ROOT_LIFE,
        put_back: PutBack | None = None,
    ) -> "Pkcs11Keyring":
        """Make a keyring where nothing is yet, new or put back, all or nothing, and open it. Raises KeyringExists."""
        make_folder(folder, _roots_in(token, randomness), clock, randomness, root_life, put_back)
        return cls(folder, token, clock, randomness, root_life)


def _roots_in(token: Pkcs11Token, randomness: Randomness) -> RootsIn:
    def made(folder: Path, keyring_id: Callable[[], uuid.UUID]) -> Pkcs11Roots:
        return Pkcs11Roots(folder, keyring_id, token, randomness)

    return made

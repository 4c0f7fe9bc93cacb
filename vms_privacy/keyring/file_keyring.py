"""The keyring with its roots in files. Format: docs/formats/keyring-v2.md.

Whoever copies the folder, roots included, has every living key: the roots belong on a disk that no backup reads.
"""

import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from vms_privacy.clock import Clock
from vms_privacy.ids import Randomness
from vms_privacy.keyring.folder_keyring import FolderKeyring, PutBack, make_folder
from vms_privacy.keyring.roots import FileRoots, RootsIn
from vms_privacy.keyring.rules import ROOT_LIFE


class FileKeyring(FolderKeyring):
    """A keyring in a folder that only this process's user may enter. Opening raises KeyringUnavailable."""

    def __init__(self, folder: Path, clock: Clock, randomness: Randomness, root_life: timedelta = ROOT_LIFE) -> None:
        super().__init__(folder, _roots_in(clock, randomness), clock, randomness, root_life)

    @classmethod
    def create(
        cls,
        folder: Path,
        clock: Clock,
        randomness: Randomness,
        root_life: timedelta = ROOT_LIFE,
        put_back: PutBack | None = None,
    ) -> "FileKeyring":
        """Make a keyring where nothing is yet, new or put back, all or nothing, and open it. Raises KeyringExists."""
        make_folder(folder, _roots_in(clock, randomness), clock, randomness, root_life, put_back)
        return cls(folder, clock, randomness, root_life)


def _roots_in(clock: Clock, randomness: Randomness) -> RootsIn:
    def made(folder: Path, _: Callable[[], uuid.UUID]) -> FileRoots:
        return FileRoots(folder, clock, randomness)

    return made

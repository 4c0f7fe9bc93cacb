"""Folders for what nobody knows: moved there whole, never opened, never taken back and never removed by the service.

Beside the spool lies one for its files; a folder store has one inside.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from archive.blobs.rules import quarantine_names
from archive.blobs.store import Quarantined
from vms_privacy.durable_files import PRIVATE_FOLDER, sync_folder


def move_into(quarantine: Path, path: Path) -> bool:
    """Move a file, or whatever has this name, durable on return; say whether it was there. Raises OSError.

    It stays on its disk: what lies on another one cannot be moved in one step, and then is not moved.
    """
    if not os.path.lexists(path):
        return False
    if not quarantine.exists():
        quarantine.mkdir(mode=PRIVATE_FOLDER)
        quarantine.chmod(PRIVATE_FOLDER)
        sync_folder(quarantine.parent)
    free = next(one for name in quarantine_names(path.name) if not os.path.lexists(one := quarantine / name))
    path.rename(free)
    sync_folder(quarantine)
    sync_folder(path.parent)
    return True


def held_in(quarantine: Path) -> Iterator[Quarantined]:
    """Go through what a folder holds, by name. Raises OSError."""
    if not quarantine.exists():
        return
    for path in sorted(quarantine.iterdir()):
        found = path.stat(follow_symlinks=False)
        yield Quarantined(path.name, found.st_size if stat.S_ISREG(found.st_mode) else 0)


def spool_quarantine(spool: Path) -> Path:
    """Return where files of this spool are moved: beside it, on the same disk."""
    return spool.with_name(f"{spool.name}-quarantine")

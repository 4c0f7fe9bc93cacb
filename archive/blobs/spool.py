"""Files in the spool: how one is made, and read while delivery may be moving it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from archive.blobs.store import BlobStore


def create(path: Path) -> BinaryIO:
    """Make the empty file of a new segment; its name was never used. Raises FileExistsError, OSError.

    Unbuffered: no object may keep bytes of a failed write and hand them over later, behind the back of recovery.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "w+b", buffering=0)


def reader_of(spool: Path, store: BlobStore, name: str, *, is_spooled: bool) -> Callable[[int, int], bytes]:
    """Return what reads `(offset, length)` of a sealed file; one that is spooled may come to the store meanwhile.

    What it returns raises FileNotFoundError, StoreUnavailable, OSError.
    """
    path = spool / name

    def read_at(offset: int, length: int) -> bytes:
        try:
            with path.open("rb", buffering=0) as file:
                file.seek(offset)
                return file.read(length)
        except FileNotFoundError:
            return store.read(name, offset, length)

    return read_at if is_spooled else lambda offset, length: store.read(name, offset, length)

"""Files that a person named: written whole, for their eyes only, and never over something that is there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from vms_privacy.cli.refusals import FileIsThere, FileUnusable
from vms_privacy.durable_files import PRIVATE_FILE, fault_of


def read_up_to(path: Path, most: int) -> bytes:
    """Read a file for a reader that takes at most so many bytes; of a longer one a byte more, and no more."""
    with path.open("rb") as file:
        return file.read(most + 1)


def write_new(path: Path, data: bytes) -> None:
    """Write a new file. Raises FileIsThere, FileUnusable."""
    with new_file(path) as file:
        file.write(data)


def refuse_if_there(path: Path) -> None:
    """Raise FileIsThere before any work is done for a file that could not be written then."""
    if path.exists():
        raise FileIsThere(f"{path} is there already; it is not written over")


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a new file for writing, and remove it again unless the block ends well. Raises FileIsThere, FileUnusable."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
    except FileExistsError:
        raise FileIsThere(f"{path} is there already; it is not written over") from None
    except OSError as error:
        raise FileUnusable(f"{path} cannot be written: {fault_of(error)}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
    except OSError as error:
        path.unlink(missing_ok=True)
        raise FileUnusable(f"{path} cannot be written: {fault_of(error)}; nothing of it is kept") from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise

"""The anchor: signed checkpoints, one a line, in a file outside the database.

Who changes the database and not this file is found; so it belongs on another disk, and a copy on another machine.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vms_privacy.audit.errors import AnchorUnavailable
from vms_privacy.durable_files import PRIVATE_FILE, sync_folder, write_all

# A line is about 440 bytes; what is longer was not written here.
_LONGEST_LINE: Final = 1024


class Anchor:
    """An append-only file. A line is there whole and durable when `append` returns, or not at all.

    Every method raises AnchorUnavailable if the file cannot be used; a missing file is an empty anchor.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, line: str) -> None:
        """Add one line. What a crash left of an unfinished one is cut off first."""
        try:
            is_new = not self._path.exists()
            handle = os.open(
                self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE
            )
            try:
                os.ftruncate(handle, _whole_lines(handle))
                write_all(handle, line.encode() + b"\n")
                os.fsync(handle)
            finally:
                os.close(handle)
            if is_new:
                sync_folder(self._path.parent)
        except OSError as error:
            raise AnchorUnavailable(f"the anchor cannot be written: {type(error).__name__}") from error

    def last(self) -> str | None:
        """Return the last whole line, or None if there is none yet."""
        try:
            with self._path.open("rb") as file:
                size = _whole_lines(file.fileno())
                start = max(0, size - _LONGEST_LINE)
                tail = os.pread(file.fileno(), size - start, start)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise AnchorUnavailable(f"the anchor cannot be read: {type(error).__name__}") from error
        lines = tail.split(b"\n")
        return _text(lines[-2]) if len(lines) > 1 else None

    def lines(self) -> Iterator[str]:
        """Give out all whole lines in order. An unfinished last one, left by a crash, is not one."""
        try:
            with self._path.open("rb") as file:
                while raw := file.readline(_LONGEST_LINE):
                    if raw.endswith(b"\n"):
                        yield _text(raw[:-1])
                    elif file.read(1):
                        yield _text(raw)
        except FileNotFoundError:
            return
        except OSError as error:
            raise AnchorUnavailable(f"the anchor cannot be read: {type(error).__name__}") from error


def _whole_lines(handle: int) -> int:
    """Return the file's size up to and with its last line feed."""
    end = os.fstat(handle).st_size
    while end:
        start = max(0, end - _LONGEST_LINE)
        found = os.pread(handle, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _text(raw: bytes) -> str:
    # Latin-1 takes any byte: what is no checkpoint stays visible, and no reader of it can fail here.
    return raw.decode("latin-1")

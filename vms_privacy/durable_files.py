"""Small files that are there after a power cut, or not at all.

A file written here appears under its name whole, with mode 0600, and is on the disk when the call returns. A file
destroyed here is off its name first, then overwritten, then unlinked; overwriting is hygiene only (a disk or a file
system may keep the old block elsewhere), so nothing may rest on it. Every function raises OSError as it comes.
"""

import os
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

PRIVATE_FILE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700
_SIDE_BY_SIDE: Final = 4
_OPEN_AT_ONCE: Final = 128
_UNFINISHED: Final = ".unfinished"
_DOOMED: Final = ".destroying"


def fault_of(error: OSError) -> str:
    """Return what went wrong, without the path that `str` of the error would tell."""
    return error.strerror or str(error)


def sync_folder(folder: Path) -> None:
    """Make names that came or went in this folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_private_folder(folder: Path) -> None:
    """Make one folder with mode 0700 whatever the umask says. Raises FileExistsError."""
    folder.mkdir(mode=PRIVATE_FOLDER)
    folder.chmod(PRIVATE_FOLDER)
    sync_folder(folder.parent)


def write_durably(path: Path, data: bytes) -> None:
    """Put `data` under `path`, whole, replacing what was there; durable on return.

    Two writers of the same path at the same moment are the caller's to prevent.
    """
    unfinished = path.with_name(path.name + _UNFINISHED)
    _write_through(unfinished, data)
    unfinished.replace(path)
    sync_folder(path.parent)


def write_in_place(path: Path, data: bytes) -> None:
    """Put `data` under `path`, durable on return. A crash leaves a part of it: its reader has to notice."""
    _write_through(path, data)
    sync_folder(path.parent)


def _write_through(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(path, flags, PRIVATE_FILE)
    try:
        os.fchmod(handle, PRIVATE_FILE)
        write_all(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)


def overwrite_durably(contents: Sequence[tuple[str, bytes]]) -> None:
    """Overwrite files where they lie, each with as many bytes as it has; all durable on return.

    Some ten times faster than replacing them one by one. But a crash leaves any of them old, new or torn: the caller
    has written down before what they were to become. A file that is gone stays gone.
    """
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as threads:
        for at in range(0, len(contents), _OPEN_AT_ONCE):
            handles = list[int]()
            try:
                for path, data in contents[at : at + _OPEN_AT_ONCE]:
                    handles += _overwritten(path, data)
                # A disk that many wait for at once empties its cache once for all of them.
                list(threads.map(_sync_contents, [handles[one::_SIDE_BY_SIDE] for one in range(_SIDE_BY_SIDE)]))
            finally:
                for handle in handles:
                    os.close(handle)


def _sync_contents(handles: Sequence[int]) -> None:
    for handle in handles:
        # The content alone: a file's times are no news, and would cost a commit of the file system's journal.
        os.fdatasync(handle)


def _overwritten(path: str, data: bytes) -> list[int]:
    """Overwrite one file, not durably yet; return its handle, or nothing if it is gone."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    try:
        _refuse_another_length(handle, len(data))
        write_all(handle, data)
        _begin_writing(handle)
    except BaseException:
        os.close(handle)
        raise
    return [handle]


def _refuse_another_length(handle: int, length: int) -> None:
    if os.fstat(handle).st_size != length:
        raise ValueError("a file is not as long as what is to be written over it")


def _begin_writing(handle: int) -> None:
    # A hint, on systems that have it: the disk works on all of the files while we come to wait for the first.
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)


def write_all(handle: int, data: bytes) -> None:
    """Write every byte; a write may take only a part."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def read_private(path: Path | str, limit: int) -> bytes:
    """Return the content of a file that nobody else may read.

    Raises PermissionError if group or others have any right, or another user owns it; FileNotFoundError; ValueError
    if it is no plain file or longer than `limit` bytes.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_size > limit:
            raise ValueError("not a plain file of the expected size")
        refuse_if_shared(found)
        data = b""
        while len(data) <= limit:
            part = os.read(handle, limit + 1 - len(data))
            if not part:
                return data
            data += part
    finally:
        os.close(handle)
    raise ValueError("the file grew while it was read")


def is_private(found: os.stat_result) -> bool:
    """Say whether nobody but the owner has any right."""
    return not stat.S_IMODE(found.st_mode) & 0o077


def refuse_if_shared(found: os.stat_result) -> None:
    """Raise PermissionError unless only the user of this process has any right."""
    if found.st_uid != os.geteuid():
        raise PermissionError("another user owns it")
    if not is_private(found):
        raise PermissionError("others than its owner have rights to it")


def destroy_durably(path: Path) -> bool:
    """Destroy a file, durable on return; say whether it was there. A crash is finished by calling again."""
    doomed = path.with_name(path.name + _DOOMED)
    try:
        path.replace(doomed)
    except FileNotFoundError:
        finish_destroying(doomed)
        return False
    sync_folder(path.parent)
    finish_destroying(doomed)
    return True


def finish_destroying(doomed: Path) -> None:
    """Overwrite and unlink a file that is already off its name; do nothing but sync if it is gone."""
    try:
        handle = os.open(doomed, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        sync_folder(doomed.parent)
        return
    try:
        write_all(handle, bytes(os.fstat(handle).st_size))
        os.fsync(handle)
    finally:
        os.close(handle)
    doomed.unlink(missing_ok=True)
    sync_folder(doomed.parent)


def tidy(folder: Path) -> int:
    """Finish what a crash left in a folder: destroy doomed and unfinished files; return how many.

    The caller sees to it that nobody writes in the folder meanwhile.
    """
    left = [entry for entry in folder.iterdir() if entry.name.endswith((_DOOMED, _UNFINISHED))]
    for entry in left:
        finish_destroying(entry)
    return len(left)

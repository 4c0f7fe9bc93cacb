"""Small files that are there after a power cut, or not at all.

A file written here appears under its name whole, with mode 0600, and is on the disk when the call returns. A file
destroyed here is off its name first, then overwritten, then unlinked; overwriting is hygiene only (a disk or a file
system may keep the old block elsewhere), so nothing may rest on it. Every function raises OSError as it comes.
"""

import os
import stat
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

PRIVATE_FILE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700
_SIDE_BY_SIDE: Final = 4
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
    write_parts_durably(path, (data,))


def write_parts_durably(path: Path, parts: Iterable[bytes]) -> None:
    """Put a file that is too large for the memory under `path`, whole, replacing what was there; durable on return."""
    _write_through(_unfinished(path), parts)
    _unfinished(path).replace(path)
    sync_folder(path.parent)


def _unfinished(path: Path) -> Path:
    return path.with_name(path.name + _UNFINISHED)


def _write_through(path: Path, parts: Iterable[bytes]) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(path, flags, PRIVATE_FILE)
    try:
        os.fchmod(handle, PRIVATE_FILE)
        for part in parts:
            write_all(handle, part)
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_durably(contents: Sequence[tuple[Path, bytes]]) -> None:
    """Put many files of one folder in the place of old ones, each whole or not at all; all durable on return.

    What was there before is overwritten afterwards. A crash leaves each file old or new, and never one of them torn.
    """
    if not contents:
        return
    before = list[int]()
    try:
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as threads:
            # A disk that many wait for at once empties its cache once for all of them.
            list(threads.map(lambda one: _write_through(_unfinished(one[0]), (one[1],)), contents))
            for path, _ in contents:
                before += _handle_of(path)
                _unfinished(path).replace(path)
            sync_folder(contents[0][0].parent)
            list(threads.map(_overwrite, before))
    finally:
        for handle in before:
            os.close(handle)


def _handle_of(path: Path) -> list[int]:
    try:
        return [os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)]
    except FileNotFoundError:
        return []


def _overwrite(handle: int) -> None:
    write_all(handle, bytes(os.fstat(handle).st_size))
    os.fdatasync(handle)


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
        while len(data) <= found.st_size:
            # No more room than it needs: a page is read for every look at one of its keys.
            part = os.read(handle, found.st_size + 1 - len(data))
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
        _overwrite(handle)
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

"""A blob store in a folder of this machine.

A blob lies in `<store>/<first two characters>/<name>`; while it is being stored, beside its place with `.part` added.
What nobody knows is moved to `<store>/quarantine`.
The file `sealed-blobs-v1` marks the folder as a store: without it (a disk that is not mounted, a wrong path) every
method raises, because an empty folder must never be taken for "everything is gone".
"""

import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from archive.blobs.quarantine import held_in, move_into
from archive.blobs.rules import MARK, MARK_TEXT, QUARANTINE, checked, is_name
from archive.blobs.store import EraseReport, Quarantined, erase_each
from archive.errors import StoreUnavailable
from vms_privacy.durable_files import (
    PRIVATE_FILE,
    PRIVATE_FOLDER,
    fault_of,
    make_private_folder,
    sync_folder,
    write_all,
    write_durably,
)

_PART: Final = ".part"
_SHELF: Final = re.compile(r"[A-Za-z0-9_-]{2}", re.ASCII)
_STEP: Final = 1024 * 1024


class FolderStore:
    """Keeps sealed bytes in files with mode 0600 in folders with mode 0700. Thread-safe; one folder, one service.

    An upload that a crash left unfinished is listed by `names`, taken by `erase`, and written anew by another `put`.
    """

    def __init__(self, folder: Path, capacity_bytes: int | None = None) -> None:
        """Open a store that `create` has made, for so many bytes or as its disk has room. Raises StoreUnavailable."""
        self._folder = folder
        self._capacity_bytes = capacity_bytes
        self._lock = threading.Lock()
        # Each upload under way has a ticket; an erasure takes the ticket away, and the upload never becomes a blob.
        self._tickets: dict[str, object] = {}
        self._refuse_if_lost()

    @classmethod
    def create(cls, folder: Path) -> "FolderStore":
        """Make a store where nothing is yet, and open it. Raises FileExistsError if there is something."""
        with _told("making the store"):
            if not folder.exists():
                make_private_folder(folder)
            if any(folder.iterdir()):
                raise FileExistsError("there is already something where the store should be")
            folder.chmod(PRIVATE_FOLDER)
            write_durably(folder / MARK, MARK_TEXT)
        return cls(folder)

    def put(self, name: str, source: BinaryIO, size: int) -> None:
        path = self._path(name)
        part = path.with_name(path.name + _PART)
        self._refuse_if_lost()
        ticket = object()
        with self._lock:
            if name in self._tickets or path.exists():
                raise FileExistsError("a blob's name is used once")
            self._tickets[name] = ticket
        try:
            with _told("storing a blob"):
                self._make_shelf(path.parent)
                _write_part(part, source, size)
            self._publish(name, ticket, part, path)
            _make_name_durable(path)
        finally:
            with self._lock:
                if self._tickets.get(name) is ticket:
                    del self._tickets[name]
                    # Nothing half stored is left; should this fail, `names` lists the part and `erase` takes it.
                    _unlink(part)

    def read(self, name: str, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0:
            raise ValueError("a range begins at 0 or later and is not negative")
        path = self._path(name)
        try:
            return _read_at(path, offset, length)
        except FileNotFoundError:
            self._refuse_if_lost()
            raise FileNotFoundError("there is no such blob") from None
        except OSError as error:
            raise StoreUnavailable(f"reading a blob failed: {fault_of(error)}") from None

    def size(self, name: str) -> int | None:
        path = self._path(name)
        try:
            return path.stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            self._refuse_if_lost()
            return None
        except OSError as error:
            raise StoreUnavailable(f"looking for a blob failed: {fault_of(error)}") from None

    def keeps(self, name: str) -> bool:
        return self.size(name) is not None

    def erase(self, name: str) -> bool:
        path = self._path(name)
        self._refuse_if_lost()
        with self._lock:
            self._tickets.pop(name, None)
            there = [_unlink(one) for one in (path.with_name(path.name + _PART), path)]
        with _told("erasing a blob"):
            if path.parent.exists():
                # Also where nothing was there: an earlier erasure may have failed just before this.
                sync_folder(path.parent)
        self._refuse_if_lost()
        return any(there)

    def erase_many(self, names: Sequence[str]) -> EraseReport:
        return erase_each(self.erase, names)

    def names(self) -> Iterator[str]:
        self._refuse_if_lost()
        with _told("listing the store"):
            shelves = sorted(entry for entry in self._folder.iterdir() if _SHELF.fullmatch(entry.name))
        for shelf in shelves:
            with _told("listing the store"):
                found = {entry.name.removesuffix(_PART) for entry in shelf.iterdir()}
            if not all(is_name(name) and name.startswith(shelf.name) for name in found):
                # Bytes that cannot be accounted for (an NFS server's leftover of an erased file, say) are not hidden.
                raise StoreUnavailable("something in the store is not a blob")
            yield from sorted(found)

    def quarantine(self, name: str) -> bool:
        path = self._path(name)
        self._refuse_if_lost()
        with self._lock, _told("moving a blob into quarantine"):
            # As for an erasure: an upload that is under way never becomes a blob.
            self._tickets.pop(name, None)
            there = [move_into(self._quarantine, one) for one in (path.with_name(path.name + _PART), path)]
        self._refuse_if_lost()
        return any(there)

    def quarantined(self) -> Iterator[Quarantined]:
        self._refuse_if_lost()
        with _told("listing the quarantine"):
            held = list(held_in(self._quarantine))
        yield from held

    def capacity(self, ours: int) -> int | None:
        self._refuse_if_lost()
        if self._capacity_bytes is not None:
            return self._capacity_bytes
        with _told("asking how much room there is"):
            found = os.statvfs(self._folder)
        return found.f_bavail * found.f_frsize + ours

    @property
    def _quarantine(self) -> Path:
        return self._folder / QUARANTINE

    def _path(self, name: str) -> Path:
        return self._folder / checked(name)[:2] / name

    def _publish(self, name: str, ticket: object, part: Path, path: Path) -> None:
        """Let a whole part take its place. Unlike a rename, a link never replaces what is there."""
        with self._lock:
            if self._tickets.get(name) is not ticket:
                raise StoreUnavailable("the blob was erased while it was being stored")
            with _told("storing a blob"):
                os.link(part, path)

    def _make_shelf(self, shelf: Path) -> None:
        if not shelf.exists():
            shelf.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            shelf.chmod(PRIVATE_FOLDER)
            sync_folder(self._folder)

    def _refuse_if_lost(self) -> None:
        with _told("looking for the store"):
            is_there = (self._folder / MARK).exists()
        if not is_there:
            raise StoreUnavailable("the folder is not a store, or not mounted")


@contextmanager
def _told(doing: str) -> Iterator[None]:
    """Turn what the system says into a refusal, without the path."""
    try:
        yield
    except FileExistsError:
        raise FileExistsError("a blob's name is used once") from None
    except OSError as error:
        raise StoreUnavailable(f"{doing} failed: {fault_of(error)}") from None


def _unlink(path: Path) -> bool:
    """Remove a file; say whether it was there. Raises StoreUnavailable where the system cannot tell."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreUnavailable(f"erasing a blob failed: {fault_of(error)}") from None
    return True


def _make_name_durable(path: Path) -> None:
    try:
        sync_folder(path.parent)
    except OSError as error:
        # Whoever asks for its size must not find what a power failure may still take away.
        _unlink(path)
        raise StoreUnavailable(f"storing a blob failed: {fault_of(error)}") from None


def _write_part(part: Path, source: BinaryIO, size: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(part, flags, PRIVATE_FILE)
    try:
        os.fchmod(handle, PRIVATE_FILE)
        left = size
        while left:
            data = source.read(min(left, _STEP))
            if not data:
                raise ValueError("the source has fewer bytes than it was said to have")
            write_all(handle, data)
            left -= len(data)
        os.fsync(handle)
    finally:
        os.close(handle)


def _read_at(path: Path, offset: int, length: int) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        parts = []
        while length and (part := os.pread(handle, length, offset)):
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return b"".join(parts)
    finally:
        os.close(handle)

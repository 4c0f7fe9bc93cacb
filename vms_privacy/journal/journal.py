"""The journal's file: one writer, every entry on the disk before the call returns.

A line is written in two durable steps, first everything but its newline, then the newline. So a line with its newline
is whole, a last line without one was never answered, and only that one is ever cut away; any other damage is refused.
"""

import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, ClassVar, Final

from vms_privacy import durable_files
from vms_privacy.clock import Clock
from vms_privacy.errors import Kind, Refusal
from vms_privacy.journal.rules import (
    LINE_LIMIT,
    NO_ENTRY,
    BadLine,
    Fact,
    Head,
    JournalEntry,
    JournalKind,
    line_of,
    next_entry,
    read_line,
)

_FLAGS: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


class JournalIsDamaged(Refusal):
    """An entry is not what was written. `entry` is the number of the first bad one."""

    kind: ClassVar[Kind] = Kind.DAMAGED
    code: ClassVar[str] = "journal-is-damaged"


class JournalIsMissing(Refusal):
    """There is no journal where there must be one; it is not begun anew in silence."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "journal-is-missing"


class JournalIsTaken(Refusal):
    """Another process, or another part of this one, writes this journal."""

    kind: ClassVar[Kind] = Kind.LOCKED
    code: ClassVar[str] = "journal-is-taken"


class JournalUnavailable(Refusal):
    """The journal cannot be read or written. The act that was to be written must not take place."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "journal-unavailable"


@dataclass(frozen=True, slots=True)
class JournalVerdict:
    """Whether every entry is as written. `head` is the last good one; `first_bad` and `reason` tell of the next."""

    ok: bool
    entries: int
    head: Head
    first_bad: int | None = None
    reason: str = ""


class Journal:
    """The one writer of a journal. Verifies the whole file on opening and holds its lock until `close`. Thread-safe.

    A file that is not there is begun; `existing` is for a service that has been initialised before. Raises
    JournalIsTaken, JournalIsDamaged, JournalUnavailable.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._file = _open_locked(path)
        self._head = NO_ENTRY
        self._size = 0
        self._failed = False
        try:
            self._take_over()
        except (Refusal, OSError):
            os.close(self._file)
            raise

    @classmethod
    def existing(cls, path: Path, clock: Clock) -> "Journal":
        """Open a journal that must be there. Raises JournalIsMissing."""
        if not path.is_file():
            raise JournalIsMissing("the custody journal is not where it was")
        return cls(path, clock)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def head(self) -> Head:
        """The last entry's number and hash; who keeps it elsewhere can tell a cut tail from a whole journal."""
        with self._lock:
            return self._head

    def append(self, kind: JournalKind, facts: Mapping[str, Fact]) -> int:
        """Write an entry, durable on return; return its number.

        Facts are ids, codes, moments and whole numbers, in ASCII without spaces: ValueError for anything else. Raises
        JournalUnavailable, and JournalIsDamaged if the file was changed behind our back.
        """
        with self._lock:
            return self._append(kind, facts)

    def entries(self) -> Iterator[JournalEntry]:
        """Return every entry, oldest first, each verified as it comes. Raises JournalIsDamaged."""
        return read_journal(self._path)

    def verify(self) -> JournalVerdict:
        """Read the whole file again and say whether it is as written, up to the entry that was written last."""
        return verify_journal(self._path, self.head)

    def refuse_if_changed(self) -> None:
        """Look whether the file still is the one that was written here, by its name and size alone: nothing is read.

        Raises JournalIsDamaged if another hand moved, replaced, cut or lengthened it, and JournalUnavailable where it
        cannot be looked at or a write to it has failed. What was changed in place is for `verify` to find.
        """
        with self._lock:
            self._refuse_if_changed()

    def close(self) -> None:
        """Give the lock back. Closing twice is calm."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

    def _append(self, kind: JournalKind, facts: Mapping[str, Fact]) -> int:
        self._refuse_if_changed()
        entry = next_entry(self._head, self._clock.now(), kind, facts)
        line = line_of(entry)
        try:
            for part in (line[:-1], line[-1:]):
                durable_files.write_all(self._file, part)
                os.fsync(self._file)
        except OSError as error:
            # What is on the disk now is not known; only opening the file again can tell.
            self._failed = True
            raise JournalUnavailable(
                f"the custody journal cannot be written: {durable_files.fault_of(error)}"
            ) from error
        self._size += len(line)
        self._head = entry.head
        return entry.number

    def _refuse_if_changed(self) -> None:
        if self._file < 0 or self._failed:
            raise JournalUnavailable("the custody journal is closed, or a write to it has failed before")
        try:
            found, named = os.fstat(self._file), self._path.stat()
        except OSError as error:
            raise JournalUnavailable(
                f"the custody journal is not where it was: {durable_files.fault_of(error)}"
            ) from error
        if found.st_size != self._size or not os.path.samestat(found, named):
            raise JournalIsDamaged("the custody journal was changed by another hand", entry=self._head.number + 1)

    def _take_over(self) -> None:
        with self._path.open("rb") as file:
            for entry in _entries_of(file):
                self._head = entry.head
                self._size += len(line_of(entry))
            file.seek(self._size)
            tail = file.read()
        os.lseek(self._file, self._size, os.SEEK_SET)
        if tail:
            os.ftruncate(self._file, self._size)
            os.fsync(self._file)
            told: dict[str, Fact] = {"octets": len(tail), "sha256": hashlib.sha256(tail).hexdigest()}
            self._append(JournalKind.TAIL_CUT, told)


def read_journal(path: Path) -> Iterator[JournalEntry]:
    """Return every entry of a journal, also one that is being written to; an unfinished last line is not an entry.

    Raises JournalIsDamaged at the first bad entry, JournalUnavailable.
    """
    try:
        with path.open("rb") as file:
            yield from _entries_of(file)
    except OSError as error:
        raise JournalUnavailable(f"the custody journal cannot be read: {durable_files.fault_of(error)}") from error


def verify_journal(path: Path, kept: Head = NO_ENTRY) -> JournalVerdict:
    """Say whether every entry is as written, and if not, which is the first that is not. Raises JournalUnavailable.

    `kept` is a head that was kept elsewhere and must be found again: without one, a journal whose last entries were
    cut off whole, or which was written anew from some entry on, verifies.
    """
    head = NO_ENTRY
    try:
        for entry in read_journal(path):
            head = entry.head
            if head.number == kept.number and head.hash != kept.hash:
                return JournalVerdict(False, head.number, head, head.number, "it was written anew after it was kept")
    except JournalIsDamaged as error:
        return JournalVerdict(False, head.number, head, head.number + 1, error.detail)
    if head.number < kept.number:
        return JournalVerdict(False, head.number, head, head.number + 1, "entries at the end are missing")
    return JournalVerdict(True, head.number, head)


def _entries_of(file: BinaryIO) -> Iterator[JournalEntry]:
    head = NO_ENTRY
    while True:
        line = file.readline(LINE_LIMIT + 1)
        if not line or (len(line) <= LINE_LIMIT and not line.endswith(b"\n")):
            return
        try:
            entry = read_line(line, head)
        except BadLine as error:
            number = head.number + 1
            raise JournalIsDamaged(f"entry {number} of the custody journal: {error}", entry=number) from error
        yield entry
        head = entry.head


def _open_locked(path: Path) -> int:
    try:
        begins = not path.exists()
        file = os.open(path, _FLAGS | (os.O_CREAT if begins else 0), durable_files.PRIVATE_FILE)
        try:
            if begins:
                os.fchmod(file, durable_files.PRIVATE_FILE)
                durable_files.sync_folder(path.parent)
            durable_files.refuse_if_shared(os.fstat(file))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            raise
    except BlockingIOError as error:
        raise JournalIsTaken("the custody journal is being written by another process") from error
    except OSError as error:
        raise JournalUnavailable(f"the custody journal cannot be opened: {durable_files.fault_of(error)}") from error
    return file

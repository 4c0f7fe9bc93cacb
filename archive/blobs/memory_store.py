"""A blob store in memory: for tests, and for trying the service out without leaving a trace."""

import threading
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from archive.blobs.rules import checked, quarantine_names
from archive.blobs.store import EraseReport, Quarantined, erase_each


class MemoryStore:
    """Keeps sealed bytes until the process ends. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, bytes] = {}
        self._used: set[str] = set()
        self._quarantined: dict[str, bytes] = {}

    def put(self, name: str, source: BinaryIO, size: int) -> None:
        checked(name)
        data = bytearray()
        while len(data) < size:
            part = source.read(size - len(data))
            if not part:
                raise ValueError("the source has fewer bytes than it was said to have")
            data += part
        with self._lock:
            if name in self._used:
                raise FileExistsError("a blob's name is used once")
            self._used.add(name)
            self._kept[name] = bytes(data)

    def read(self, name: str, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0:
            raise ValueError("a range begins at 0 or later and is not negative")
        with self._lock:
            data = self._kept.get(checked(name))
        if data is None:
            raise FileNotFoundError("there is no such blob")
        return data[offset : offset + length]

    def size(self, name: str) -> int | None:
        with self._lock:
            data = self._kept.get(checked(name))
        return None if data is None else len(data)

    def keeps(self, name: str) -> bool:
        return self.size(name) is not None

    def erase(self, name: str) -> bool:
        with self._lock:
            return self._kept.pop(checked(name), None) is not None

    def erase_many(self, names: Sequence[str]) -> EraseReport:
        return erase_each(self.erase, names)

    def names(self) -> Iterator[str]:
        with self._lock:
            names = sorted(self._kept)
        return iter(names)

    def quarantine(self, name: str) -> bool:
        with self._lock:
            data = self._kept.pop(checked(name), None)
            if data is not None:
                free = next(one for one in quarantine_names(name) if one not in self._quarantined)
                self._quarantined[free] = data
        return data is not None

    def quarantined(self) -> Iterator[Quarantined]:
        with self._lock:
            held = [Quarantined(name, len(data)) for name, data in sorted(self._quarantined.items())]
        return iter(held)

    def capacity(self, ours: int) -> int | None:
        return None

"""A store that says how many bytes of footage were read from it, to whoever looks at a file beside it."""

import mmap
import os
import struct
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from archive.blobs.store import BlobStore, EraseReport, Quarantined

_TOTAL: Final = struct.Struct("<Q")
NAME: Final = "footage-read"


class CountedStore:
    """Reads through, and counts."""

    def __init__(self, store: BlobStore, data_dir: Path) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._count = 0
        path = data_dir / NAME
        path.write_bytes(_TOTAL.pack(0))
        with path.open("r+b") as file:
            self._told = mmap.mmap(file.fileno(), _TOTAL.size)

    def read(self, name: str, offset: int, length: int) -> bytes:
        data = self._store.read(name, offset, length)
        with self._lock:
            self._count += len(data)
            _TOTAL.pack_into(self._told, 0, self._count)
        return data

    def put(self, name: str, source: BinaryIO, size: int) -> None:
        self._store.put(name, source, size)

    def size(self, name: str) -> int | None:
        return self._store.size(name)

    def keeps(self, name: str) -> bool:
        return self._store.keeps(name)

    def erase(self, name: str) -> bool:
        return self._store.erase(name)

    def erase_many(self, names: Sequence[str]) -> EraseReport:
        return self._store.erase_many(names)

    def names(self) -> Iterator[str]:
        return self._store.names()

    def quarantine(self, name: str) -> bool:
        return self._store.quarantine(name)

    def capacity(self, ours: int) -> int | None:
        return self._store.capacity(ours)

    def quarantined(self) -> Iterator[Quarantined]:
        return self._store.quarantined()


class Count:
    """What the store of a running service has counted so far."""

    def __init__(self, data_dir: Path) -> None:
        descriptor = os.open(data_dir / NAME, os.O_RDONLY)
        try:
            self._told = mmap.mmap(descriptor, _TOTAL.size, prot=mmap.PROT_READ)
        finally:
            os.close(descriptor)

    def now(self) -> int:
        (count,) = _TOTAL.unpack(self._told[: _TOTAL.size])
        return int(count)

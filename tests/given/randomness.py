"""Ids and bytes that are the same on every run."""

import hashlib
import uuid


class CountedRandomness:
    """A stream of SHA-256 blocks of a seed and a counter: never repeats, always the same."""

    def __init__(self, seed: str = "test") -> None:
        self._seed = seed.encode()
        self._count = 0

    def octets(self, count: int) -> bytes:
        out = b""
        while len(out) < count:
            out += hashlib.sha256(self._seed + self._count.to_bytes(8, "big")).digest()
            self._count += 1
        return out[:count]

    def uuid(self) -> uuid.UUID:
        return uuid.UUID(bytes=self.octets(16), version=4)

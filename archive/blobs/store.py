"""What any blob store can do."""

from collections.abc import Iterator
from typing import BinaryIO, Protocol


class BlobStore(Protocol):
    """Keeps sealed bytes under a name (22 characters of base64url, see rules.py).

    Every method may raise StoreUnavailable, and raises ValueError for what is not a name.
    """

    def put(self, name: str, source: BinaryIO, size: int) -> None:
        """Store exactly `size` bytes, durable on return. Raises FileExistsError if the name was ever used."""
        ...

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer at the end. Raises FileNotFoundError."""
        ...

    def size(self, name: str) -> int | None:
        """Return the size in bytes, or None where there is no such blob."""
        ...

    def erase(self, name: str) -> bool:
        """Remove it in every version, durable on return; say whether it was there. Raise if we cannot tell."""
        ...

    def names(self) -> Iterator[str]:
        """Go through every blob in the store, unfinished uploads included."""
        ...

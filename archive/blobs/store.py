"""What any blob store can do."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple, Protocol

from archive.blobs.rules import checked
from vms_privacy.errors import Refusal


@dataclass(slots=True)
class EraseReport:
    """What became of each name that was to be erased: it is in exactly one of the two.

    `gone`: confirmed to be gone; whether it had been there. `failed`: not confirmed, with the code of the reason.
    """

    gone: dict[str, bool] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        return not self.failed


class Quarantined(NamedTuple):
    """Something that was moved away because nothing told whose it is."""

    name: str
    size: int


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

    def keeps(self, name: str) -> bool:
        """Say whether anything lies under a name, in whatever version, also what `size` and `read` do not show."""
        ...

    def erase(self, name: str) -> bool:
        """Remove it in every version, durable on return; say whether it was there. Raise if we cannot tell."""
        ...

    def erase_many(self, names: Sequence[str]) -> EraseReport:
        """Erase each of them; what fails is in the report and keeps no other from being erased (P12)."""
        ...

    def names(self) -> Iterator[str]:
        """Go through every blob in the store, unfinished uploads included."""
        ...

    def quarantine(self, name: str) -> bool:
        """Move it away with all its bytes, durable on return; say whether there was something to move.

        From then on there is no such blob: nothing reads, lists or erases what was moved, and a person decides about
        it. Every version of it is moved, each under a name that tells its own. Raise if we cannot tell.
        """
        ...

    def capacity(self, ours: int) -> int | None:
        """Return how many bytes of ours it can hold in all, where `ours` are there now; None where it cannot tell."""
        ...

    def quarantined(self) -> Iterator[Quarantined]:
        """Go through what was moved away."""
        ...


def erase_each(erase: Callable[[str], bool], names: Sequence[str]) -> EraseReport:
    """Erase one after the other: for stores that have no quicker way. Raises ValueError before anything is erased."""
    report = EraseReport()
    for name in dict.fromkeys(checked(name) for name in names):
        try:
            report.gone[name] = erase(name)
        except (Refusal, OSError) as error:
            report.failed[name] = error.code if isinstance(error, Refusal) else type(error).__name__
    return report

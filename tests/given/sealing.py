"""Files that behave as bad disks do, and short ways to seal and open."""

import errno
import io
from pathlib import Path

from archive.format.index import FragmentEntry, FragmentIndex
from archive.format.sealed_file import SealedReader, SealedSummary, SealedWriter
from streams.media.packets import Track
from tests.given.randomness import CountedRandomness
from tests.given.sealed_vectors import reader_of
from vms_privacy.ids import Randomness
from vms_privacy.keyring.plaintext import KeyBytes

KEY = bytes(range(32))


class FullAfter(io.BytesIO):
    """A disk with room for so many bytes; what does not fit is written as far as it goes, then refused."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        if self.tell() >= self._room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(bytes(data)[: self._room - self.tell()])

    def make_room(self, room: int) -> None:
        self._room = room


class TakesLittle(io.BytesIO):
    """An unbuffered file whose system takes at most 1,000 bytes at a time."""

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        return super().write(bytes(data)[:1000])


def sealed(
    media: bytes, index: FragmentIndex | None = None, chunk_size: int = 4096, randomness: Randomness | None = None
) -> tuple[bytes, SealedSummary]:
    """Seal media in one go; return the file and its summary."""
    file = io.BytesIO()
    writer = SealedWriter(file, KeyBytes(KEY), chunk_size, randomness or CountedRandomness("seal"))
    writer.write(media)
    summary = writer.finish(index or FragmentIndex())
    return file.getvalue(), summary


def open_again(data: bytes, summary: SealedSummary) -> SealedReader:
    """Open what `sealed` made."""
    return reader_of(data, KEY, summary.salt, summary.last_tag)


def read_file(path: Path, key: bytes, salt: bytes, last_tag: bytes | None) -> SealedReader:
    """Open a sealed file on disk."""
    return reader_of(path.read_bytes(), key, salt, last_tag)


def entry(offset: int, length: int, number: int = 0, track: Track = Track.VIDEO) -> FragmentEntry:
    """An index entry whose times follow from its number."""
    start = 1_894_708_800_000_000 + number * 500_000
    return FragmentEntry(track, start, start + 500_000, offset, length, number % 2 == 0, number * 45_000, 45_000)

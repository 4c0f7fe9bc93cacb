"""Why a sealed file does not open. The kinds are those of sealed-file-v1, sections 8 and 10.

All are `FootageIsDamaged` to whoever only needs to know that there is no picture; `check` tells them apart.
"""

from typing import ClassVar

from archive.errors import FootageIsDamaged
from vms_privacy.errors import Kind, Refusal


class SealedFileRefused(FootageIsDamaged):
    """A sealed file that is not what it has to be. `code` ends in the kind that the vectors name."""

    code: ClassVar[str] = "sealed-file-refused"


class NotSealed(SealedFileRefused):
    """It does not begin like a sealed file."""

    code: ClassVar[str] = "sealed-file-not-sealed"


class UnsupportedVersion(SealedFileRefused):
    """A sealed file of a version that this service does not read."""

    code: ClassVar[str] = "sealed-file-unsupported-version"


class DamagedHeader(SealedFileRefused):
    """The header has a value that no writer writes."""

    code: ClassVar[str] = "sealed-file-damaged-header"


class ForeignFile(SealedFileRefused):
    """The salt is not the one of the row: the file of another segment."""

    code: ClassVar[str] = "sealed-file-foreign"


class WrongKey(SealedFileRefused):
    """The key check does not hold: another key, or a changed head."""

    code: ClassVar[str] = "sealed-file-wrong-key"


class Truncated(SealedFileRefused):
    """The file ends where no closed file ends."""

    code: ClassVar[str] = "sealed-file-truncated"


class StaleFile(SealedFileRefused):
    """The last tag is not the one of the row: an older copy, or bytes were put after the end."""

    code: ClassVar[str] = "sealed-file-stale"


class DamagedChunk(SealedFileRefused):
    """A chunk does not authenticate in its place; the others may be whole."""

    code: ClassVar[str] = "sealed-file-damaged-chunk"

    def __init__(self, chunk: int) -> None:
        super().__init__(f"chunk {chunk} does not authenticate", chunk=chunk)
        self.chunk = chunk


class DamagedTrailer(SealedFileRefused):
    """The trailer authenticates and contradicts itself: its writer was wrong."""

    code: ClassVar[str] = "sealed-file-damaged-trailer"


class Appended(SealedFileRefused):
    """Bytes stand after the chunk that closed the file. Recovery leaves such a file alone."""

    code: ClassVar[str] = "sealed-file-appended"


class NotWritten(Refusal):
    """The system did not take the bytes (a full disk, a failed device); the file is left to recovery."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "sealed-file-not-written"

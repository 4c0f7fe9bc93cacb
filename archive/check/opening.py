"""Whether a stored file opens and its pictures decode: the one part of a check that uses keys.

Promise: what goes in is a row and its sealed bytes, what comes out is counts. A picture in the clear is in this
process's memory between a chunk and the pipe to the decoder, and nowhere else; no method returns a byte of it. Who
checks is told nothing that who may not look could not be told (decision 0036).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from archive.format.errors import SealedFileRefused
from archive.format.index import FragmentIndex
from archive.format.rebuild import rebuild_index
from archive.format.sealed_file import FileState, ReadAt, SealedReader
from archive.keys.rules import WrapIsForeign, permit_for_check
from archive.keys.wrap import SegmentKeys
from archive.segments.store import Sealed
from streams.media.trial import DecoderFailed
from streams.media.trial_rules import Tried
from vms_privacy.keyring.port import KeyIsDestroyed, WrapIsDamaged

_STEP: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Opened:
    """A file of which every chunk authenticated. `plain_bytes` counts what was opened, `tried` what decoded."""

    plain_bytes: int
    tried: Tried


@dataclass(frozen=True, slots=True)
class DoesNotOpen:
    """A file that does not open, and the code of why. `is_media_at_fault`: it opens whole, and does not decode."""

    code: str
    is_media_at_fault: bool = False


class Decoding(Protocol):
    """Whatever says how many pictures a film has, and keeps none."""

    def run(self, media: Iterator[bytes]) -> Tried:
        """Decode a film that comes in pieces. Raises DecoderFailed, DecoderUnavailable, what making a piece does."""
        ...


class Opening:
    """Opens one file after the other. One thread. `is_noted` writes it into the audit before the first is opened."""

    def __init__(self, keys: SegmentKeys, decoding: Decoding, is_noted: Callable[[], None]) -> None:
        self._keys = keys
        self._decoding = decoding
        self._note: Callable[[], None] | None = is_noted

    def try_out(self, sealed: Sealed, read_at: ReadAt) -> Opened | DoesNotOpen:
        """Open every chunk of a closed file and decode what it holds.

        Raises what reading raises, KeyringUnavailable, DecoderUnavailable: then nothing is known of the file.
        """
        size = sealed.segment.size_bytes
        if size is None or sealed.last_tag is None:
            raise ValueError("a growing file is looked at by nobody but its writer")
        if self._note is not None:
            self._note()
            self._note = None
        try:
            key = self._keys.unwrap_for_check(permit_for_check(sealed.wrapped_place()))
            reader = SealedReader(read_at, size, key, sealed.salt, sealed.last_tag)
            return self._tried(reader, _index(reader, sealed))
        except (SealedFileRefused, KeyIsDestroyed, WrapIsDamaged, WrapIsForeign) as refusal:
            return DoesNotOpen(refusal.code)

    def _tried(self, reader: SealedReader, index: FragmentIndex) -> Opened | DoesNotOpen:
        rest = _Rest(reader, index.end)
        try:
            tried = self._decoding.run(rest.media())
        except DecoderFailed as failed:
            rest.open()
            return DoesNotOpen(failed.code, is_media_at_fault=True)
        rest.open()
        if not tried.decodes:
            return DoesNotOpen("no-picture-decodes", is_media_at_fault=True)
        return Opened(reader.plain_length, tried)


class _Rest:
    """What of a file was not opened yet. All of it is opened, also what no decoder is given or takes."""

    def __init__(self, reader: SealedReader, until: int) -> None:
        self._reader = reader
        self._until = until
        self._at = 0

    def media(self) -> Iterator[bytes]:
        """Open what can be shown: the init segment and the fragments of the index."""
        while self._at < self._until:
            piece = self._reader.read(self._at, min(_STEP, self._until - self._at))
            self._at += len(piece)
            yield piece

    def open(self) -> None:
        """Open the rest of the media. The trailer behind it was opened with the index."""
        while self._at < self._reader.media_length:
            self._at += len(self._reader.read(self._at, _STEP))


def _index(reader: SealedReader, sealed: Sealed) -> FragmentIndex:
    if reader.state is FileState.RECOVERED:
        return rebuild_index(reader, sealed.segment.starts_us)
    return reader.index()

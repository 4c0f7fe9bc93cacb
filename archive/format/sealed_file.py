"""Write, read and recover sealed files: docs/formats/sealed-file-v1.md. The only user of segment keys.

Numbers in brackets are sections of that page, F, W, R and C its rules. Nothing here opens a file by itself.
"""

import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from archive.format import rules
from archive.format.errors import Appended, DamagedChunk, ForeignFile, NotWritten, StaleFile, Truncated, WrongKey
from archive.format.index import FOOTER, FragmentIndex, decode_trailer, encode_trailer, read_footer
from archive.format.rules import HEAD, SEGMENT_KEY, TAG, Closing, Header
from vms_privacy.ids import Randomness
from vms_privacy.keyring.plaintext import KeyBytes

Buffer = bytes | bytearray | memoryview
ReadAt = Callable[[int, int], bytes]
"""Fetch `(offset, length)` of the sealed bytes; fewer only where the file ends."""

_OUTGOING: Final = 128 * 1024


@dataclass(frozen=True, slots=True)
class SealedSummary:
    """A closed file: its size, and the seal (salt and last tag) that the segment's row keeps."""

    size: int
    salt: bytes
    last_tag: bytes


@dataclass(frozen=True, slots=True)
class Recovered:
    """What recovery found and did. `cut` counts the bytes it took away; `closing` tells how the file is closed now."""

    summary: SealedSummary
    closing: Closing
    cut: int
    changed: bool


@unique
class FileState(StrEnum):
    """How a reader takes a file: still growing, finished with a trailer, or closed by recovery without one."""

    GROWING = "growing"
    FINISHED = "finished"
    RECOVERED = "recovered"


class _FileKeys:
    """What HKDF makes of the segment key and the header (4)."""

    __slots__ = ("_cipher", "_prefix", "check")

    def __init__(self, segment_key: KeyBytes, header: Header) -> None:
        if len(segment_key.reveal()) != SEGMENT_KEY:
            raise ValueError("a segment key has 32 bytes")
        okm = HKDF(SHA256(), length=71, salt=header.salt, info=header.encode()).derive(segment_key.reveal())
        self._cipher = AESGCM(okm[:32])
        self._prefix = okm[32:39]
        self.check = okm[39:71]

    def seal_into(self, index: int, closing: Closing, plain: Buffer, sealed: memoryview) -> int:
        """Seal to the beginning of `sealed`; return how many bytes that are."""
        end = len(plain) + TAG
        return self._cipher.encrypt_into(rules.nonce_for(self._prefix, index, closing), plain, None, sealed[:end])

    def open_into(self, index: int, closing: Closing, sealed: Buffer, plain: memoryview) -> None:
        """Raises DamagedChunk; what is in `plain` then is nobody's plaintext and must be dropped (R2)."""
        try:
            self._cipher.decrypt_into(rules.nonce_for(self._prefix, index, closing), sealed, None, plain)
        except InvalidTag:
            raise DamagedChunk(index) from None

    def open(self, index: int, closing: Closing, sealed: Buffer) -> bytes:
        """Raises DamagedChunk."""
        plain = bytearray(len(sealed) - TAG)
        self.open_into(index, closing, sealed, memoryview(plain))
        return bytes(plain)

    def authenticates(self, index: int, closing: Closing, sealed: Buffer) -> bool:
        try:
            self.open(index, closing, sealed)
        except DamagedChunk:
            return False
        return True


class SealedWriter:
    """Seals the media of one segment into one file, in order, whole chunks only (9). One thread at a time.

    Nothing is written before the first whole chunk, so that `salt` can be in the segment's row before the first byte.
    A chunk is handed to the system as soon as it is whole. After a failed write nothing can be sealed any more (W1):
    every method raises NotWritten, and the file is left to `recover`. Open the file unbuffered, so that no object
    keeps bytes of a failed write and hands them over later, behind the back of recovery.
    """

    def __init__(
        self, file: BinaryIO, segment_key: KeyBytes, chunk_size: int, randomness: Randomness, salt: bytes = b""
    ) -> None:
        """Make the head. `salt` is the one that was drawn for exactly this file and is in its row already (F2)."""
        self._header = Header(chunk_size, salt or randomness.octets(rules.SALT))
        self._keys = _FileKeys(segment_key, self._header)
        self._file = file
        step = chunk_size + TAG
        self._outgoing = memoryview(bytearray(HEAD + max(_OUTGOING // step, 1) * step))
        self._outgoing[:HEAD] = self._header.encode() + self._keys.check
        self._waiting = HEAD
        self._open = bytearray()
        self._next = self._plain_length = self._sealed_size = self._unsynced = 0
        self._failed = self._finished = False

    @property
    def salt(self) -> bytes:
        """The file's salt, for its row."""
        return self._header.salt

    @property
    def plain_length(self) -> int:
        """Bytes of media written so far: where the next one will lie."""
        return self._plain_length

    @property
    def sealed_size(self) -> int:
        """Bytes that a growing reader may rely on: the head and the whole chunks of media handed to the system."""
        return self._sealed_size

    @property
    def unsynced(self) -> int:
        """Bytes handed to the system since the last `sync`; see `rules.sync_is_due`."""
        return self._unsynced

    def write(self, plain: bytes | memoryview) -> None:
        """Add media. Raises NotWritten."""
        self._refuse_after_the_end()
        before = self._next
        self._seal_whole_chunks(memoryview(plain))
        if self._next > before:
            self._hand_over()
            self._sealed_size = rules.offset_of(self._next, self._header.chunk_size)
        self._plain_length += len(plain)

    def fill_chunk(self) -> None:
        """Pad with a `free` box (W5), so that all media written so far is in whole chunks. Raises NotWritten."""
        self._refuse_after_the_end()
        size = rules.padding_for(len(self._open), self._header.chunk_size)
        if size:
            self.write(size.to_bytes(4, "big") + b"free" + bytes(size - 8))

    def finish(self, index: FragmentIndex) -> SealedSummary:
        """Seal the trailer and close the file (W6). Raises NotWritten, ValueError if the index goes beyond the media.

        The bytes are handed to the system; `sync` makes them durable.
        """
        self._refuse_after_the_end()
        trailer = encode_trailer(index, self._plain_length)
        rest = memoryview(bytes(self._open) + trailer)
        size = self._header.chunk_size
        # The final chunk is never empty (F6): where the plaintext ends with a chunk, the full chunk is the last.
        final = len(rest) - (len(rest) % size or size)
        self._finished = True
        for start in range(0, final, size):
            self._seal(Closing.MORE, rest[start : start + size])
        self._seal(Closing.LAST, rest[final:])
        last_tag = bytes(self._outgoing[self._waiting - TAG : self._waiting])
        self._hand_over()
        total = rules.finished_size(self._plain_length + len(trailer), size)
        return SealedSummary(total, self._header.salt, last_tag)

    def sync(self) -> None:
        """Make what was handed over survive a power failure. Raises NotWritten."""
        self._refuse_after_a_failure()
        try:
            os.fdatasync(self._file.fileno())
        except OSError as error:
            # After a failed sync the system may have dropped the pages: nobody knows what is on the disk.
            self._failed = True
            raise NotWritten("the system could not make the bytes durable") from error
        self._unsynced = 0

    def _refuse_after_a_failure(self) -> None:
        if self._failed:
            raise NotWritten("an earlier write failed; the file is left to recovery")

    def _refuse_after_the_end(self) -> None:
        self._refuse_after_a_failure()
        if self._finished:
            raise RuntimeError("a finished file takes nothing more (W6)")

    def _seal_whole_chunks(self, plain: memoryview) -> None:
        size = self._header.chunk_size
        if self._open:
            take = size - len(self._open)
            self._open += plain[:take]
            plain = plain[take:]
            if len(self._open) < size:
                return
            self._seal(Closing.MORE, self._open)
        whole = len(plain) - len(plain) % size
        for start in range(0, whole, size):
            self._seal(Closing.MORE, plain[start : start + size])
        self._open = bytearray(plain[whole:])

    def _seal(self, closing: Closing, plain: Buffer) -> None:
        """Seal one chunk behind those that wait; the head waits before the first."""
        if self._waiting + len(plain) + TAG > len(self._outgoing):
            self._hand_over()
        self._waiting += self._keys.seal_into(self._next, closing, plain, self._outgoing[self._waiting :])
        self._next += 1

    def _hand_over(self) -> None:
        """Write what waits, whole chunks in their order, through to the system (W3)."""
        try:
            _write_through(self._file, self._outgoing[: self._waiting])
        except OSError as error:
            self._failed = True
            raise NotWritten("the system did not take the bytes") from error
        self._unsynced += self._waiting
        self._waiting = 0


class SealedReader:
    """Opens one sealed file (8). All checks that need no media are made on opening, before a plaintext byte.

    `size` is what the store says of a closed file, and what the writer says (`sealed_size`) of a growing one;
    `last_tag` is None for a growing file only. Raises the refusals of archive/format/errors.py.
    """

    def __init__(
        self, read_at: ReadAt, size: int, segment_key: KeyBytes, salt: bytes, last_tag: bytes | None = None
    ) -> None:
        self._read_at = read_at
        self.state = FileState.GROWING
        self._header, self._keys = _open_head(read_at(0, min(size, HEAD)), segment_key, salt)
        self._index: FragmentIndex | None = None
        self._final = b""
        if last_tag is None:
            self._whole = rules.whole_chunks(size, self.chunk_size)
        else:
            self._open_final(rules.final_chunk(size, self.chunk_size), last_tag)
        self.plain_length = self._whole * self.chunk_size + len(self._final)
        self._media_length = self.plain_length

    @property
    def chunk_size(self) -> int:
        """Bytes of plaintext in a full chunk."""
        return self._header.chunk_size

    @property
    def media_length(self) -> int:
        """Bytes of media; in a growing or recovered file these are all bytes there are."""
        self._load_trailer()
        return self._media_length

    def index(self) -> FragmentIndex:
        """Return the fragment index of a finished file. A recovered file's is rebuilt: `rebuild.rebuild_index`.

        Raises DamagedTrailer, DamagedChunk, and ValueError for a file that is growing or recovered.
        """
        self._load_trailer()
        if self._index is None:
            raise ValueError(f"a {self.state} file has no trailer")
        return self._index

    def know(self, index: FragmentIndex) -> None:
        """Take over the index that an earlier reader of this very seal has checked (R5); media ends where it ends."""
        self._index, self._media_length = index, index.end

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes of media from `offset`, fewer at its end; all of them authenticated (R2).

        Raises DamagedChunk, Truncated if the file has become shorter, and what `index` raises.
        """
        return self._plain(offset, min(length, max(self.media_length - offset, 0)))

    def _open_final(self, final: rules.FinalChunk, last_tag: bytes) -> None:
        sealed = self._fetch(rules.offset_of(final.index, self.chunk_size), final.length)
        if not hmac.compare_digest(sealed[-TAG:], last_tag):
            raise StaleFile("the last tag is not the one of the row")
        self._whole = final.index
        try:
            self._final = self._keys.open(final.index, final.closing, sealed)
        except DamagedChunk:
            if len(sealed) == self.chunk_size + TAG and self._keys.authenticates(final.index, Closing.MORE, sealed):
                raise Truncated("the file once went on") from None
            raise
        self.state = FileState.FINISHED if final.closing is Closing.LAST else FileState.RECOVERED

    def _load_trailer(self) -> None:
        if self.state is not FileState.FINISHED or self._index is not None:
            return
        footer = self._plain(max(self.plain_length - FOOTER, 0), min(FOOTER, self.plain_length))
        media_length, size = read_footer(footer, self.plain_length)
        self._index = decode_trailer(self._plain(media_length, size), media_length)
        self._media_length = media_length

    def _plain(self, offset: int, length: int) -> bytes:
        wanted = rules.chunks_of(offset, length, self.chunk_size)
        if not wanted:
            return b""
        size, stored = self.chunk_size, range(wanted.start, min(wanted.stop, self._whole))
        plain = memoryview(bytearray(len(stored) * size + (len(self._final) if self._whole in wanted else 0)))
        if stored:
            self._open_stored(stored, plain)
        if self._whole in wanted:
            plain[len(stored) * size :] = self._final
        return bytes(plain[offset - wanted.start * size :][:length])

    def _open_stored(self, stored: range, plain: memoryview) -> None:
        """Open neighbouring chunks with one fetch; the final one was opened with the file."""
        size, step = self.chunk_size, self.chunk_size + TAG
        sealed = memoryview(self._fetch(rules.offset_of(stored.start, size), step * len(stored)))
        for place, index in enumerate(stored):
            into = plain[place * size : (place + 1) * size]
            self._keys.open_into(index, Closing.MORE, sealed[place * step : (place + 1) * step], into)

    def _fetch(self, offset: int, length: int) -> bytes:
        sealed = self._read_at(offset, length)
        if len(sealed) != length:
            raise Truncated("the file is shorter than it was said to be")
        return sealed


def recover(file: BinaryIO, segment_key: KeyBytes, salt: bytes | None = None) -> Recovered:
    """Close a file that a crash left open (10); a closed one stays as it is, so twice is once (C4).

    `file` is open for reading and writing, `salt` the row's, where it has one. Durable on return. Raises what opening
    a head raises, and Appended, without having changed a byte (C1, C5); NotWritten if the system does not take the
    change, after which recovery can be tried again (C6).
    """
    file.seek(0)
    header, keys = _open_head(file.read(HEAD), segment_key, salt)
    step = header.chunk_size + TAG
    kept, chunk = 0, file.read(step)
    while len(chunk) == step and keys.authenticates(kept, Closing.MORE, chunk):
        kept, chunk = kept + 1, file.read(step)
    end = rules.offset_of(kept, header.chunk_size)
    size = file.seek(0, os.SEEK_END)
    closing = _closing_of(chunk, keys, kept)
    if closing is not None:
        length = TAG if closing is Closing.RECOVERED else len(chunk)
        if size > end + length:
            raise Appended("bytes stand after the chunk that closed the file")
        return Recovered(SealedSummary(size, header.salt, chunk[-TAG:]), closing, cut=0, changed=False)
    tag = bytearray(TAG)
    keys.seal_into(kept, Closing.RECOVERED, b"", memoryview(tag))
    _close_at(file, end, memoryview(tag))
    return Recovered(SealedSummary(end + TAG, header.salt, bytes(tag)), Closing.RECOVERED, cut=size - end, changed=True)


def _closing_of(chunk: bytes, keys: _FileKeys, index: int) -> Closing | None:
    """Say how the first chunk that is not under `more` closes the file, if it does."""
    if len(chunk) >= TAG and keys.authenticates(index, Closing.RECOVERED, chunk[:TAG]):
        return Closing.RECOVERED
    if len(chunk) > TAG and keys.authenticates(index, Closing.LAST, chunk):
        return Closing.LAST
    return None


def _close_at(file: BinaryIO, end: int, tag: memoryview) -> None:
    """Cut, then close; the cut is durable first (C6)."""
    try:
        file.truncate(end)
        os.fsync(file.fileno())
        file.seek(end)
        _write_through(file, tag)
        os.fsync(file.fileno())
    except OSError as error:
        raise NotWritten("the system did not take the closing chunk") from error


def _write_through(file: BinaryIO, data: memoryview) -> None:
    """Hand every byte to the system; an unbuffered file may take only a part at a time."""
    while data:
        data = data[file.write(data) :]
    file.flush()


def _open_head(head: bytes, segment_key: KeyBytes, salt: bytes | None) -> tuple[Header, _FileKeys]:
    """Checks 1 to 7 of (8)."""
    header = rules.parse_header(head)
    if salt is not None and header.salt != salt:
        raise ForeignFile("the salt is not the one of the row")
    keys = _FileKeys(segment_key, header)
    if not hmac.compare_digest(keys.check, head[rules.HEADER : HEAD]):
        raise WrongKey("the key check does not hold")
    return header, keys

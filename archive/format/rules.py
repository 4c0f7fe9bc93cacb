"""Sizes, offsets and nonces of sealed-file-v1. Pure; numbers in brackets are sections of that page."""

import struct
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Final

from archive.format.errors import DamagedHeader, NotSealed, Truncated, UnsupportedVersion

MAGIC: Final = bytes.fromhex("895653460d0a1a0a")
VERSION: Final = 1
SALT: Final = 32
HEADER: Final = 48
KEY_CHECK: Final = 32
HEAD: Final = HEADER + KEY_CHECK
TAG: Final = 16
SEGMENT_KEY: Final = 32
NONCE_PREFIX: Final = 7
LEAST_EXPONENT: Final = 12
MOST_EXPONENT: Final = 16
MOST_CHUNKS: Final = 2**32
CHUNK_SIZES: Final = tuple(1 << exponent for exponent in range(LEAST_EXPONENT, MOST_EXPONENT + 1))

SYNC_BYTES: Final = 4 * 1024 * 1024
SYNC_SECONDS: Final = 5.0
_CHUNKS_PER_SECOND: Final = 16
_BOX_HEADER: Final = 8
_COUNTED: Final = struct.Struct(">IB")


@unique
class Closing(IntEnum):
    """The last byte of a nonce: what comes after the chunk (5)."""

    MORE = 0
    LAST = 1
    RECOVERED = 2


@dataclass(frozen=True, slots=True)
class Header:
    """The first 48 bytes (3). They tell nothing of camera, operator or time."""

    chunk_size: int
    salt: bytes

    def __post_init__(self) -> None:
        if self.chunk_size not in CHUNK_SIZES or len(self.salt) != SALT:
            raise ValueError("outside sealed-file-v1, 3")

    def encode(self) -> bytes:
        """Return the bytes that are also the `info` of the key derivation."""
        exponent = self.chunk_size.bit_length() - 1
        return MAGIC + bytes((VERSION, exponent)) + bytes(6) + self.salt


def parse_header(head: bytes) -> Header:
    """Read the header from the first 80 bytes of a file, or fewer if it has no more; checks 2 to 5 and 1 of (8).

    Raises NotSealed, UnsupportedVersion, DamagedHeader, Truncated.
    """
    if head[: len(MAGIC)] != MAGIC:
        raise NotSealed("this does not begin like a sealed file")
    if len(head) <= len(MAGIC):
        raise Truncated("the file ends inside its head")
    if head[8] != VERSION:
        raise UnsupportedVersion(f"a sealed file of version {head[8]}")
    if len(head) < HEAD:
        raise Truncated("the file ends inside its head")
    if not LEAST_EXPONENT <= head[9] <= MOST_EXPONENT or any(head[10:16]):
        raise DamagedHeader("the header has a value that no writer writes")
    return Header(1 << head[9], head[16:HEADER])


def nonce_for(prefix: bytes, index: int, closing: Closing) -> bytes:
    """Seven bytes of prefix, the index in four, the closing byte (5). Raises ValueError at the counter's end."""
    # A number is always left for the chunk that closes (W2).
    if len(prefix) != NONCE_PREFIX or not 0 <= index < MOST_CHUNKS - (not closing):
        raise ValueError("outside sealed-file-v1, 5")
    return prefix + _COUNTED.pack(index, closing)


def offset_of(chunk: int, chunk_size: int) -> int:
    """Return where a chunk begins in the file (6)."""
    return HEAD + chunk * (chunk_size + TAG)


def finished_size(plain_length: int, chunk_size: int) -> int:
    """Return the size of a finished file from the length of its plaintext, trailer included (6)."""
    chunks = -(-plain_length // chunk_size)
    if plain_length < 1 or chunk_size not in CHUNK_SIZES or chunks > MOST_CHUNKS:
        raise ValueError("outside sealed-file-v1, 12")
    return HEAD + plain_length + TAG * chunks


def whole_chunks(size: int, chunk_size: int) -> int:
    """Return how many whole chunks a growing file of `size` bytes has (8, R8)."""
    if size < HEAD:
        raise Truncated("the file ends inside its head")
    return (size - HEAD) // (chunk_size + TAG)


@dataclass(frozen=True, slots=True)
class FinalChunk:
    """Where a closed file ends, and how its final chunk must have been closed."""

    index: int
    length: int
    closing: Closing


def final_chunk(size: int, chunk_size: int) -> FinalChunk:
    """Find the final chunk of a closed file from the file's length alone (6, R3). Raises Truncated."""
    step = chunk_size + TAG
    whole, rest = divmod(size - HEAD, step)
    if size <= HEAD or 0 < rest < TAG or whole + bool(rest) > MOST_CHUNKS:
        raise Truncated("no closed file has this length")
    if rest == TAG:
        return FinalChunk(whole, TAG, Closing.RECOVERED)
    if rest:
        return FinalChunk(whole, rest, Closing.LAST)
    return FinalChunk(whole - 1, step, Closing.LAST)


def chunks_of(offset: int, length: int, chunk_size: int) -> range:
    """Return the chunks that hold `length` bytes of plaintext from `offset` (6)."""
    if offset < 0 or length < 0:
        raise ValueError("a range of plaintext begins at 0 or later and is not negative")
    if not length:
        return range(0)
    return range(offset // chunk_size, (offset + length - 1) // chunk_size + 1)


def chunk_size_for(bytes_per_second: int) -> int:
    """Choose the chunk size for media of this rate: the largest that holds at most 1/16 s, else 4 KiB (9).

    From 8,192 bytes a second on a chunk holds at most 500 ms, which is all of the media that W4 asks about.
    """
    fitting = [size for size in CHUNK_SIZES if size * _CHUNKS_PER_SECOND <= bytes_per_second]
    return max(fitting, default=CHUNK_SIZES[0])


def padding_for(open_bytes: int, chunk_size: int) -> int:
    """Return the size of the `free` box that fills an open chunk of `open_bytes` bytes (9, W5); 0 if none is open."""
    if not open_bytes:
        return 0
    gap = chunk_size - open_bytes
    return gap if gap >= _BOX_HEADER else gap + chunk_size


def sync_is_due(unsynced_bytes: int, seconds_since_sync: float) -> bool:
    """Say whether a growing file should be made durable now: 4 MiB or 5 s (9)."""
    return unsynced_bytes > 0 and (unsynced_bytes >= SYNC_BYTES or seconds_since_sync >= SYNC_SECONDS)

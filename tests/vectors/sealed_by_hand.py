"""Sealing by hand, as docs/formats/sealed-file-v1.md says it, with every freedom to do it wrong.

The vectors are made with this; it shares no code with the service, so that the two can disagree.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC = bytes.fromhex("895653460d0a1a0a")
USER_TYPE = bytes.fromhex("5e7e1c8ab7d94f0e9c632f1a6d0b84e5")
MORE, LAST, RECOVERED = 0, 1, 2
NOON_US = 1_894_708_800_000_000  # 2030-01-15T12:00:00Z


def stream(seed: str, count: int) -> bytes:
    """The same bytes on every machine: SHA-256 of the seed and a counter."""
    blocks = (hashlib.sha256(f"{seed}/{number}".encode()).digest() for number in range(-(-count // 32)))
    return b"".join(blocks)[:count]


def key_of(name: str) -> bytes:
    return stream(f"segment key of {name}", 32)


def salt_of(name: str) -> bytes:
    return stream(f"salt of {name}", 32)


def header_of(chunk_exponent: int, salt: bytes, version: int = 1, reserved: bytes = bytes(6)) -> bytes:
    return MAGIC + bytes((version, chunk_exponent)) + reserved + salt


@dataclass(frozen=True)
class Keys:
    """What HKDF makes of a segment key and a header, section 4."""

    okm: bytes

    @classmethod
    def of(cls, segment_key: bytes, header: bytes) -> "Keys":
        return cls(HKDF(algorithm=SHA256(), length=71, salt=header[16:48], info=header).derive(segment_key))

    @property
    def file_key(self) -> bytes:
        return self.okm[:32]

    @property
    def prefix(self) -> bytes:
        return self.okm[32:39]

    @property
    def check(self) -> bytes:
        return self.okm[39:]

    def nonce(self, index: int, closing: int) -> bytes:
        return self.prefix + index.to_bytes(4, "big") + bytes((closing,))

    def chunk(self, index: int, closing: int, plain: bytes) -> bytes:
        return AESGCM(self.file_key).encrypt(self.nonce(index, closing), plain, None)


@dataclass(frozen=True)
class Entry:
    """One fragment of the index, section 7; `length` and `offset` say where it lies in the media."""

    offset: int
    length: int
    track: int = 1
    flags: int = 1
    reserved: int = 0
    captured_from_us: int = NOON_US
    captured_until_us: int = NOON_US + 500_000
    decode_time: int = 0
    duration: int = 45_000

    def encoded(self) -> bytes:
        return (
            bytes((self.track, self.flags))
            + self.reserved.to_bytes(2, "big")
            + self.length.to_bytes(4, "big")
            + self.offset.to_bytes(8, "big")
            + self.captured_from_us.to_bytes(8, "big")
            + self.captured_until_us.to_bytes(8, "big")
            + self.decode_time.to_bytes(8, "big")
            + self.duration.to_bytes(4, "big")
        )


def trailer_of(media_length: int, init_length: int, entries: Iterable[Entry]) -> bytes:
    listed = [entry.encoded() for entry in entries]
    size = (44 + 44 * len(listed)).to_bytes(4, "big")
    middle = init_length.to_bytes(4, "big") + len(listed).to_bytes(4, "big") + b"".join(listed)
    return size + b"uuid" + USER_TYPE + middle + media_length.to_bytes(8, "big") + size


def even_entries(init_length: int, media_length: int, count: int) -> list[Entry]:
    """`count` fragments of video and audio in turn that share the media after the init segment."""
    each = (media_length - init_length) // count if count else 0
    return [
        Entry(
            offset=init_length + number * each,
            length=each,
            track=1 + number % 2,
            flags=int(number % 4 == 0),
            captured_from_us=NOON_US + number * 250_000,
            captured_until_us=NOON_US + number * 250_000 + 500_000,
            decode_time=number * 22_500,
        )
        for number in range(count)
    ]


@dataclass(frozen=True)
class Sealed:
    """A file in pieces, so that one piece can be changed. `plain` is all that was sealed, the trailer included."""

    header: bytes
    keys: Keys
    plain: bytes = b""
    media_length: int = 0
    chunks: list[bytes] = field(default_factory=list)

    @classmethod
    def begun(cls, name: str, exponent: int = 12) -> "Sealed":
        header = header_of(exponent, salt_of(name))
        return cls(header, Keys.of(key_of(name), header))

    @property
    def chunk_size(self) -> int:
        return 1 << self.header[9]

    def grown(self, plain: bytes) -> "Sealed":
        """Seal whole chunks under `more`; what is left over of `plain` is not in the file."""
        size = self.chunk_size
        whole = [plain[at : at + size] for at in range(0, len(plain) - size + 1, size)]
        chunks = [self.keys.chunk(number, MORE, part) for number, part in enumerate(whole)]
        return replace(self, plain=b"".join(whole), media_length=len(whole) * size, chunks=chunks)

    def finished(self, media: bytes, trailer: bytes) -> "Sealed":
        """Seal media and trailer, the final chunk under `last`."""
        plain, size = media + trailer, self.chunk_size
        parts = [plain[at : at + size] for at in range(0, len(plain), size)]
        chunks = [self.keys.chunk(n, LAST if n == len(parts) - 1 else MORE, part) for n, part in enumerate(parts)]
        return replace(self, plain=plain, media_length=len(media), chunks=chunks)

    def recovered(self) -> "Sealed":
        return self.with_chunks([*self.chunks, self.keys.chunk(len(self.chunks), RECOVERED, b"")])

    def with_chunks(self, chunks: list[bytes]) -> "Sealed":
        return replace(self, chunks=chunks)

    @property
    def salt(self) -> bytes:
        return self.header[16:]

    @property
    def last_tag(self) -> bytes:
        return self.chunks[-1][-16:]

    @property
    def head(self) -> bytes:
        return self.header + self.keys.check

    @property
    def data(self) -> bytes:
        return self.head + b"".join(self.chunks)


def flipped(data: bytes, at: int, bit: int = 0) -> bytes:
    """The same bytes with one bit changed; a negative place counts from the end."""
    changed = bytearray(data)
    changed[at] ^= 1 << bit
    return bytes(changed)

"""A second reader of sealed files, written from docs/formats/sealed-file-v1.md and from nothing else.

It imports nothing of the service: when the two readers agree about a file, the page is what they agree on.
`python independent_reader.py FILE SEGMENT_KEY_HEX SALT_HEX [LAST_TAG_HEX]` writes the media to the standard output.
"""

import hmac
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class Refused(Exception):
    """The file does not open. `kind` is a word of section 8 or 10, `chunk` the index for `damaged-chunk`."""

    def __init__(self, kind: str, chunk: int | None = None) -> None:
        super().__init__(kind if chunk is None else f"{kind} {chunk}")
        self.kind = kind
        self.chunk = chunk


@dataclass(frozen=True)
class Fragment:
    """One entry of the trailer, section 7."""

    track: int
    flags: int
    length: int
    offset: int
    captured_from: int
    captured_until: int
    decode_time: int
    duration: int


class Head:
    """Sections 3 and 4: what the first 80 bytes say, and the keys they lead to."""

    def __init__(self, data: bytes, segment_key: bytes, salt: bytes | None) -> None:
        if data[:8] != bytes((0x89, 0x56, 0x53, 0x46, 0x0D, 0x0A, 0x1A, 0x0A)):
            raise Refused("not-sealed")
        if len(data) < 9:
            raise Refused("truncated")
        if data[8] != 1:
            raise Refused("unsupported-version")
        if len(data) < 80:
            raise Refused("truncated")
        if not 12 <= data[9] <= 16 or any(data[10:16]):
            raise Refused("damaged-header")
        if salt is not None and data[16:48] != salt:
            raise Refused("foreign")
        okm = HKDF(algorithm=SHA256(), length=71, salt=data[16:48], info=data[:48]).derive(segment_key)
        if not hmac.compare_digest(okm[39:71], data[48:80]):
            raise Refused("wrong-key")
        self.chunk_size = 2 ** data[9]
        self._cipher = AESGCM(okm[0:32])
        self._prefix = okm[32:39]

    def open(self, index: int, closing: int, sealed: bytes) -> bytes | None:
        """Section 5: the plaintext of one chunk, or None where it does not authenticate."""
        nonce = self._prefix + struct.pack(">IB", index, closing)
        try:
            return self._cipher.decrypt(nonce, sealed, None)
        except InvalidTag:
            return None

    def closing_chunk(self, index: int) -> bytes:
        """Section 10: the one chunk that recovery may seal."""
        return self._cipher.encrypt(self._prefix + struct.pack(">IB", index, 2), b"", None)


class Opened:
    """A file that passed the checks 1 to 11. `state` is finished, recovered or growing."""

    def __init__(self, data: bytes, segment_key: bytes, salt: bytes | None, last_tag: bytes | None) -> None:
        self._data = data
        self._head = Head(data, segment_key, salt)
        self._step = self._head.chunk_size + 16
        self.fragments: list[Fragment] = []
        self.init_length = 0
        body = len(data) - 80
        if last_tag is None:
            self.state = "growing"
            self._whole = body // self._step
            self.media_length = self._whole * self._head.chunk_size
            self._closing: bytes = b""
            return
        rest = body % self._step
        if body == 0 or 0 < rest < 16 or -(-body // self._step) > 2**32:
            raise Refused("truncated")
        self._whole = body // self._step if rest else body // self._step - 1
        if data[-16:] != last_tag:
            raise Refused("stale")
        self.state = "recovered" if rest == 16 else "finished"
        final = data[80 + self._whole * self._step :]
        closing = self._head.open(self._whole, 2 if self.state == "recovered" else 1, final)
        if closing is None:
            cut = rest == 0 and self._head.open(self._whole, 0, final) is not None
            raise Refused("truncated") if cut else Refused("damaged-chunk", self._whole)
        self._closing = closing
        self.media_length = self._whole * self._head.chunk_size
        if self.state == "finished":
            self._read_trailer()

    def _chunk(self, index: int) -> bytes:
        if index == self._whole:
            return self._closing
        start = 80 + index * self._step
        plain = self._head.open(index, 0, self._data[start : start + self._step])
        if plain is None:
            raise Refused("damaged-chunk", index)
        return plain

    def _plain(self, start: int, end: int) -> bytes:
        if start >= end:
            return b""
        first, last = start // self._head.chunk_size, (end - 1) // self._head.chunk_size
        joined = b"".join(self._chunk(index) for index in range(first, last + 1))
        skip = start - first * self._head.chunk_size
        return joined[skip : skip + end - start]

    def _read_trailer(self) -> None:
        total = self._whole * self._head.chunk_size + len(self._closing)
        bad = Refused("damaged-trailer")
        if total < 44:
            raise bad
        media_length, size = struct.unpack(">QI", self._plain(total - 12, total))
        if size < 44 or size % 44 or size > 16 * 1024 * 1024 or media_length + size != total:
            raise bad
        trailer = self._plain(media_length, total)
        box, kind, user, init_length, count = struct.unpack(">I4s16sII", trailer[:32])
        if box != size or kind != b"uuid" or user.hex() != "5e7e1c8ab7d94f0e9c632f1a6d0b84e5":
            raise bad
        if 44 + 44 * count != size or init_length > media_length:
            raise bad
        end = init_length
        for at in range(32, 32 + 44 * count, 44):
            track, flags, reserved, length, offset, since, until, decode, duration = struct.unpack(
                ">BBHIQQQQI", trailer[at : at + 44]
            )
            if track not in (1, 2) or flags > 1 or reserved or not length or offset < end:
                raise bad
            if not since <= until < 2**63:
                raise bad
            end = offset + length
            self.fragments.append(Fragment(track, flags, length, offset, since, until, decode, duration))
        if end > media_length:
            raise bad
        self.init_length, self.media_length = init_length, media_length

    def media(self) -> Iterator[bytes]:
        """Release the media chunk by chunk; ends with Refused at the first that is damaged."""
        for start in range(0, self.media_length, self._head.chunk_size):
            yield self.read(start, self._head.chunk_size)

    def read(self, offset: int, length: int) -> bytes:
        """Release some of the media."""
        return self._plain(offset, min(offset + length, self.media_length))


def recover(data: bytes, segment_key: bytes, salt: bytes | None = None) -> bytes:
    """Section 10: return what the file is after recovery."""
    head = Head(data, segment_key, salt)
    step = head.chunk_size + 16
    index = 0
    while len(data) >= 80 + (index + 1) * step:
        start = 80 + index * step
        if head.open(index, 0, data[start : start + step]) is None:
            break
        index += 1
    kept = data[: 80 + index * step]
    rest = data[len(kept) :]
    if len(rest) == 16 and head.open(index, 2, rest) is not None:
        return data
    if 16 < len(rest) <= step and head.open(index, 1, rest) is not None:
        return data
    if len(rest) > 16 and head.open(index, 2, rest[:16]) is not None:
        raise Refused("appended")
    if len(rest) > step and head.open(index, 1, rest[:step]) is not None:
        raise Refused("appended")
    return kept + head.closing_chunk(index)


def main(arguments: list[str]) -> int:
    """Write the media of a file to the standard output; exit code 1 and the kind where it does not open."""
    path, *keys = arguments
    key, salt, *tag = (bytes.fromhex(text) for text in keys)
    try:
        for part in Opened(Path(path).read_bytes(), key, salt, tag[0] if tag else None).media():
            sys.stdout.buffer.write(part)
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

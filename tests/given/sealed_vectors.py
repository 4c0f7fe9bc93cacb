"""The vectors of sealed-file-v1 as read from disk, and what two readers make of one. See the page, section 15."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from archive.format.errors import DamagedChunk, SealedFileRefused
from archive.format.rebuild import Plaintext
from archive.format.sealed_file import FileState, SealedReader, recover
from tests.vectors import independent_reader
from vms_privacy.keyring.plaintext import KeyBytes

FOLDER = Path(__file__).parents[1] / "vectors/sealed_file_v1"


class GivenSalt:
    """Randomness that gives one salt, once: what a writer takes from a vector."""

    def __init__(self, salt: bytes) -> None:
        self._salt = salt

    def octets(self, count: int) -> bytes:
        salt, self._salt = self._salt, b""
        assert len(salt) == count, "a writer takes one salt and nothing else"
        return salt

    def uuid(self) -> uuid.UUID:
        raise AssertionError("a writer makes no ids")


@dataclass(frozen=True)
class Vector:
    """One file and the lines above it."""

    name: str
    lines: Mapping[str, str]
    data: bytes

    def octets(self, line: str) -> bytes | None:
        text = self.lines.get(line)
        return None if text is None else bytes.fromhex(text)

    @property
    def key(self) -> bytes:
        return bytes.fromhex(self.lines["segment-key"])

    @property
    def salt(self) -> bytes:
        return bytes.fromhex(self.lines["salt"])

    @property
    def recovers(self) -> bool:
        return self.lines["operation"] == "recover"

    @property
    def opens(self) -> bool:
        return self.lines["expect"] in set(FileState)


@dataclass(frozen=True)
class Outcome:
    """What a reader answered, in the words of the vector."""

    expect: str
    chunk: str | None
    released: str
    released_sha256: str
    after_sha256: str | None
    init_length: str | None = None
    fragments: str | None = None

    @classmethod
    def wanted(cls, vector: Vector) -> "Outcome":
        lines = vector.lines
        return cls(
            lines["expect"],
            lines.get("chunk"),
            lines["released"],
            lines["released-sha256"],
            lines.get("after-sha256"),
            lines.get("init-length"),
            lines.get("fragments"),
        )

    @classmethod
    def of(
        cls, expect: str, chunk: int | None, released: bytes, after: bytes | None, trailer: tuple[int, int] | None
    ) -> "Outcome":
        return cls(
            expect,
            None if chunk is None else str(chunk),
            str(len(released)),
            hashlib.sha256(released).hexdigest(),
            None if after is None else hashlib.sha256(after).hexdigest(),
            str(trailer[0]) if trailer else None,
            str(trailer[1]) if trailer else None,
        )


def read_vector(path: Path) -> Vector:
    """Split a file at its first empty line."""
    head, _, data = path.read_bytes().partition(b"\n\n")
    pairs = (line.partition(": ")[::2] for line in head.decode("ascii").split("\n"))
    return Vector(path.stem, dict(pairs), data)


def all_vectors() -> list[Vector]:
    return [read_vector(path) for path in sorted(FOLDER.glob("*.vector"))]


def reader_of(data: bytes, key: bytes, salt: bytes, last_tag: bytes | None) -> SealedReader:
    """Our reader over bytes in memory."""
    return SealedReader(lambda at, length: data[at : at + length], len(data), KeyBytes(key), salt, last_tag)


def released_by(reader: Plaintext, length: int, step: int, into: bytearray) -> None:
    """Read everything in order; what was released before a failure is in `into`."""
    for offset in range(0, length, step):
        into += reader.read(offset, step)


def our_outcome(vector: Vector, scratch: Path) -> Outcome:
    """Open a vector with the service's own code. Recovery gets a real file, the reader the bytes."""
    released = bytearray()
    data, salt, last_tag, after = vector.data, vector.salt, vector.octets("last-tag"), None
    try:
        if vector.recovers:
            scratch.write_bytes(data)
            after = data
            with scratch.open("r+b") as file:
                done = recover(file, KeyBytes(vector.key), vector.salt)
            after = data = scratch.read_bytes()
            salt, last_tag = done.summary.salt, done.summary.last_tag
            assert done.summary.size == len(data)
            assert done.changed == (data != vector.data)
        reader = reader_of(data, vector.key, salt, last_tag)
        released_by(reader, reader.media_length, reader.chunk_size, released)
    except SealedFileRefused as refused:
        kind = refused.code.removeprefix("sealed-file-")
        chunk = refused.chunk if isinstance(refused, DamagedChunk) else None
        left = scratch.read_bytes() if vector.recovers else None
        return Outcome.of(kind, chunk, bytes(released), left, None)
    trailer = None
    if reader.state is FileState.FINISHED:
        trailer = (reader.index().init_length, len(reader.index().entries))
    return Outcome.of(reader.state, None, bytes(released), after, trailer)


def independent_outcome(vector: Vector) -> Outcome:
    """Open a vector with the reader that was written from the page alone."""
    released = bytearray()
    data, last_tag, after = vector.data, vector.octets("last-tag"), None
    try:
        if vector.recovers:
            after = data
            after = data = independent_reader.recover(data, vector.key, vector.salt)
            last_tag = data[-16:]
        opened = independent_reader.Opened(data, vector.key, vector.salt, last_tag)
        for part in opened.media():
            released += part
    except independent_reader.Refused as refused:
        return Outcome.of(refused.kind, refused.chunk, bytes(released), after, None)
    trailer = (opened.init_length, len(opened.fragments)) if opened.state == "finished" else None
    return Outcome.of(opened.state, None, bytes(released), after, trailer)

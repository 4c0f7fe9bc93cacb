"""What a vector of sealed-file-v1 is, and the files that most of them begin with. Section 15 tells the lines."""

import hashlib
from dataclasses import dataclass, replace

from tests.vectors.sealed_by_hand import Keys, Sealed, even_entries, key_of, stream, trailer_of


@dataclass(frozen=True)
class Vector:
    """One file and what has to come out of it."""

    name: str
    expect: str
    data: bytes
    rule: str
    why: str
    salt: bytes
    last_tag: bytes | None
    key: bytes
    released: bytes = b""
    chunk: int | None = None
    after: bytes | None = None
    trailer: tuple[int, int] | None = None

    def text(self) -> bytes:
        lines = {
            "expect": self.expect,
            "operation": "read" if self.after is None else "recover",
            "chunk": None if self.chunk is None else str(self.chunk),
            "released": str(len(self.released)),
            "released-sha256": hashlib.sha256(self.released).hexdigest(),
            "segment-key": self.key.hex(),
            "salt": self.salt.hex(),
            "last-tag": self.last_tag.hex() if self.last_tag else None,
            "after-sha256": None if self.after is None else hashlib.sha256(self.after).hexdigest(),
            "init-length": str(self.trailer[0]) if self.trailer else None,
            "fragments": str(self.trailer[1]) if self.trailer else None,
            "rule": self.rule,
            "why": self.why,
        }
        head = "".join(f"{name}: {value}\n" for name, value in lines.items() if value is not None)
        return head.encode("ascii") + b"\n" + self.data


def finished(name: str, media_length: int, fragments: int = 0, init: int = 0, exponent: int = 12) -> Sealed:
    """A good file whose media is the byte stream of its name."""
    trailer = trailer_of(media_length, init, even_entries(init, media_length, fragments))
    return Sealed.begun(name, exponent).finished(stream(name, media_length), trailer)


def grown(name: str, chunks: int, exponent: int = 12) -> Sealed:
    """A file of whole chunks under `more`, not closed."""
    return Sealed.begun(name, exponent).grown(stream(name, chunks << exponent))


def good(name: str, sealed: Sealed, rule: str, why: str, fragments: int = 0, init: int = 0) -> Vector:
    made = vector(name, "finished", sealed, rule, why)
    return replace(made, released=sealed.plain[: sealed.media_length], trailer=(init, fragments))


def vector(name: str, expect: str, sealed: Sealed, rule: str, why: str) -> Vector:
    """The vector of a file as it is, with its own seal."""
    tag = sealed.last_tag if sealed.chunks and expect != "growing" else None
    key = key_of(name)
    assert sealed.keys == Keys.of(key, sealed.header), f"{name} is sealed under its own key"
    return Vector(name, expect, sealed.data, rule, why, sealed.salt, tag, key)

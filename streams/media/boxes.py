"""Boxes of the ISO base media file format, written and read without guessing (ISO/IEC 14496-12, 4.2).

Pure: bytes in, bytes out. Reading never trusts a length: a box that ends outside its parent raises `DamagedBox`.
Offsets are bytes from the start of the value that was read.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from vms_privacy.errors import Kind, Refusal

_SHORT: Final = struct.Struct(">I4s")
_LARGE: Final = struct.Struct(">Q")
_U32: Final = struct.Struct(">I")
_U64: Final = struct.Struct(">Q")


class DamagedBox(Refusal):
    """The bytes are not the boxes they should be. Says what was wrong, never shows a byte of them."""

    kind: ClassVar[Kind] = Kind.DAMAGED
    code: ClassVar[str] = "damaged-box"


@dataclass(frozen=True, slots=True)
class Box:
    """Where one box lies: `start` of its head, `body` behind the head, `end` behind the last byte."""

    kind: bytes
    start: int
    body: int
    end: int


def box(kind: bytes, *parts: bytes) -> bytes:
    """Return one box of `kind` (four bytes) around `parts`."""
    size = 8 + sum(map(len, parts))
    return b"".join((_SHORT.pack(size, kind), *parts))


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """Return one box that begins with a version and 24 bits of flags (ISO/IEC 14496-12, 4.2.2)."""
    return box(kind, _U32.pack(version << 24 | flags), *parts)


def u32(data: bytes, at: int) -> int:
    """Read 32 bits, big-endian. Raises DamagedBox if they are not all there."""
    try:
        value: int = _U32.unpack_from(data, at)[0]
    except struct.error:
        raise DamagedBox("a box is too short for its fields") from None
    return value


def u64(data: bytes, at: int) -> int:
    """Read 64 bits, big-endian. Raises DamagedBox if they are not all there."""
    try:
        value: int = _U64.unpack_from(data, at)[0]
    except struct.error:
        raise DamagedBox("a box is too short for its fields") from None
    return value


def pack_u32(value: int) -> bytes:
    """Return 32 bits, big-endian."""
    return _U32.pack(value)


def boxes_in(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Yield the boxes that fill `data[start:end]` one behind the other. Raises DamagedBox if they do not fit."""
    limit = len(data) if end is None else end
    at = start
    while at < limit:
        if limit - at < 8:
            raise DamagedBox("the head of a box is cut off")
        size, kind = _SHORT.unpack_from(data, at)
        body = at + 8
        if size == 1:
            if limit - at < 16:
                raise DamagedBox("the head of a box is cut off")
            (size,) = _LARGE.unpack_from(data, body)
            body += 8
        elif size == 0:
            size = limit - at
        if size < body - at or size > limit - at:
            raise DamagedBox("a box does not end inside its parent")
        yield Box(kind, at, body, at + size)
        at += size


def find(data: bytes, *path: bytes, within: Box | None = None) -> Box:
    """Return the first box at `path`, from the top or from `within`. Raises DamagedBox if it is missing."""
    start, end = (within.body, within.end) if within else (0, len(data))
    found: Box | None = within
    for kind in path:
        found = next((one for one in boxes_in(data, start, end) if one.kind == kind), None)
        if found is None:
            raise DamagedBox("a box that must be there is missing")
        start, end = found.body, found.end
    if found is None:
        raise DamagedBox("a path names at least one box")
    return found

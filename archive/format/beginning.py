"""What a segment's row says of its beginning, sealed in the file itself: for a file that begins while no row can be.

A box `emsg` (ISO/IEC 23009-1, 5.10.3.3) between init segment and first fragment, which every reader passes over. Pure.
"""

import json
import struct
from dataclasses import asdict, dataclass
from typing import ClassVar, Final

from archive.errors import FootageIsDamaged
from archive.format.rebuild import Plaintext

_SCHEME: Final = b"urn:vms-privacy:beginning:1\0\0"
_TIMES: Final = bytes(16)
_MOST: Final = 4096
_MOST_US: Final = 2**62


class DamagedBeginning(FootageIsDamaged):
    """The file tells of its beginning what no recorder writes."""

    code: ClassVar[str] = "sealed-file-damaged-beginning"


@dataclass(frozen=True, slots=True)
class Beginning:
    """When a file begins, and what it is a part of; words as in the segment's row."""

    starts_us: int
    run: str
    epoch: int
    tracks: str


def encode_beginning(beginning: Beginning) -> bytes:
    """Return the box."""
    body = bytes(4) + _SCHEME + _TIMES + json.dumps(asdict(beginning), sort_keys=True).encode("ascii")
    return struct.pack(">I4s", 8 + len(body), b"emsg") + body


def decode_beginning(media: Plaintext) -> Beginning | None:
    """Return what a file tells of its beginning; None where nothing of it is there. Raises DamagedBeginning."""
    start, end = 0, media.media_length
    while start + 8 <= end:
        size, kind = struct.unpack(">I4s", media.read(start, 8))
        if size < 8 or start + size > end or kind == b"moof":
            return None
        if kind == b"emsg" and size <= _MOST:
            return _decoded(media.read(start + 8, size - 8))
        start += size
    return None


def _decoded(body: bytes) -> Beginning:
    head = 4 + len(_SCHEME) + len(_TIMES)
    try:
        told = json.loads(body[head:])
        found = Beginning(told["starts_us"], told["run"], told["epoch"], told["tracks"])
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedBeginning("the beginning cannot be read") from error
    numbers = all(type(one) is int and 0 <= one < _MOST_US for one in (found.starts_us, found.epoch))
    words = all(type(one) is str for one in (found.run, found.tracks))
    if body[4 : 4 + len(_SCHEME)] != _SCHEME or not numbers or not words:
        raise DamagedBeginning("the beginning says what no recorder writes")
    return found

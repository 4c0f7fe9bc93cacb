"""H.264 NAL units as bytes: cutting, framing, parameter sets, user data (ISO/IEC 14496-10, 14496-15). Pure.

Inside the service a picture is a run of NAL units with four bytes of length before each; Annex B start codes
exist only where an encoder or a file hands them over.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

SLICE, IDR, SEI, SPS, PPS, DELIMITER, FILLER = 1, 5, 6, 7, 8, 9, 12
_LOOKS_LIKE_A_START = re.compile(rb"\x00\x00(?=[\x00-\x03])")
_USER_DATA_UNREGISTERED, _RECOVERY_POINT = 5, 6


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """What stands in an avcC box (ISO/IEC 14496-15, 5.3.3)."""

    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]
    length_size: int = 4


def kind_of(nal: bytes | memoryview) -> int:
    """Return nal_unit_type (7.4.1)."""
    return nal[0] & 0x1F


def split_annexb(data: bytes) -> list[bytes]:
    """Return the NAL units of a byte stream (Annex B.1.1); zeros after a unit belong to the framing."""
    parts = data.split(b"\x00\x00\x01")[1:]
    return [unit for part in parts if (unit := part.rstrip(b"\x00"))]


def with_lengths(nals: Iterable[bytes]) -> bytes:
    """Return the units with four bytes of length before each."""
    return b"".join(part for nal in nals for part in (len(nal).to_bytes(4, "big"), nal))


def split_lengths(data: bytes, length_size: int = 4) -> Iterator[memoryview]:
    """Yield the units of a picture with lengths.

    Raises:
        ValueError: a length points outside, or a unit is empty.

    """
    view, at = memoryview(data), 0
    while at < len(view):
        end = at + length_size + int.from_bytes(view[at : at + length_size], "big")
        unit = view[at + length_size : end]
        if end > len(view) or not unit:
            raise ValueError("a picture's NAL lengths do not add up")
        yield unit
        at = end


def make_avcc(sps: Sequence[bytes], pps: Sequence[bytes]) -> bytes:
    """Return the avcC for 4:2:0 pictures of eight bits in the baseline, main or extended profile, or in high."""
    head = bytes((1, sps[0][1], sps[0][2], sps[0][3], 0xFF, 0xE0 | len(sps)))
    out = [head, *(len(s).to_bytes(2, "big") + s for s in sps), bytes((len(pps),))]
    out += [len(p).to_bytes(2, "big") + p for p in pps]
    if sps[0][1] not in {66, 77, 88}:
        out.append(bytes((0xFC | 1, 0xF8, 0xF8, 0)))
    return b"".join(out)


def read_avcc(avcc: bytes) -> ParameterSets:
    """Take an avcC box's content apart.

    Raises:
        ValueError: it is cut short or of another version.

    """
    if len(avcc) < 7 or avcc[0] != 1:
        raise ValueError("not an avcC of version 1")
    sps, at = _read_sets(avcc, 6, avcc[5] & 0x1F)
    if at >= len(avcc):
        raise ValueError("an avcC is cut short")
    pps, _ = _read_sets(avcc, at + 1, avcc[at])
    if not sps or not pps:
        raise ValueError("an avcC without parameter sets")
    return ParameterSets(sps, pps, (avcc[4] & 3) + 1)


def _read_sets(avcc: bytes, at: int, count: int) -> tuple[tuple[bytes, ...], int]:
    sets = []
    for _ in range(count):
        end = at + 2 + int.from_bytes(avcc[at : at + 2], "big")
        if end > len(avcc) or end < at + 6:
            raise ValueError("an avcC is cut short")
        sets.append(avcc[at + 2 : end])
        at = end
    return tuple(sets), at


def escape(rbsp: bytes) -> bytes:
    """Insert emulation prevention bytes (7.4.1.1): no start code can be found inside a unit."""
    out, zeros = bytearray(), 0
    for value in rbsp:
        if zeros >= 2 and value <= 3:
            out.append(3)
            zeros = 0
        out.append(value)
        zeros = zeros + 1 if value == 0 else 0
    return bytes(out)


def unescape(data: bytes) -> bytes:
    """Take the emulation prevention bytes out again (7.4.1.1)."""
    return data.replace(b"\x00\x00\x03", b"\x00\x00")


def is_recovery_point(sei: bytes) -> bool:
    """Say whether an SEI unit tells that a decoder may begin with this very picture (D.2.8: recovery_frame_cnt is 0).

    With open groups of pictures only the first picture of a stream is an IDR. A refresh that takes several pictures
    (recovery_frame_cnt over 0) is no beginning.
    """
    rbsp, at = unescape(sei[1:]), 0
    # The last byte holds the stop bit alone.
    while at < len(rbsp) - 1:
        kind, at = _sei_number(rbsp, at)
        size, at = _sei_number(rbsp, at)
        if kind == _RECOVERY_POINT:
            # An Exp-Golomb number that begins with a one is zero (9.1).
            return 0 < size <= len(rbsp) - at and rbsp[at] >= 0x80
        at += size
    return False


def _sei_number(rbsp: bytes, at: int) -> tuple[int, int]:
    """Return a payload's type or size, and what lies behind it (7.3.2.3.1)."""
    number = 0
    while at < len(rbsp) and rbsp[at] == 0xFF:
        number, at = number + 0xFF, at + 1
    return (number + rbsp[at], at + 1) if at < len(rbsp) else (number, at)


def needs_escape(payload: bytes) -> bool:
    """Return whether `payload` would look different inside a NAL unit."""
    return _LOOKS_LIKE_A_START.search(payload) is not None or payload.endswith(b"\x00\x00")


def user_data(identifier: bytes, payload: bytes) -> bytes:
    """Return an SEI unit with user_data_unregistered (D.1.7): sixteen bytes of identifier, then the payload."""
    content = identifier + payload
    if len(identifier) != 16 or len(content) >= 255:
        raise ValueError("user data needs a 16-byte identifier and fewer than 255 bytes in all")
    message = bytes((_USER_DATA_UNREGISTERED, len(content))) + content
    return bytes((SEI,)) + escape(message + b"\x80")

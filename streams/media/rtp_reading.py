"""RTP packets taken apart: the fixed head of each, and the NAL units and AAC frames inside. Pure.

Sources: RFC 3550, 5.1 and 6.4 (heads, sender reports), RFC 6184 (H.264), RFC 7798 (H.265), RFC 3640 (AAC). A packet
that is not what these say raises `DamagedPacket`; nothing else is ever raised, whatever the bytes.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

_SENDER_REPORT: Final = 200
_BYE: Final = 203
_NTP_TO_UNIX_S: Final = 2_208_988_800


class DamagedPacket(ValueError):
    """An RTP packet, or what is inside, is not what its format says."""


class RtpHead(NamedTuple):
    """What every packet begins with; its payload is `data[start:end]`."""

    payload_type: int
    marker: bool
    sequence: int
    stamp: int
    start: int
    end: int


def read_head(data: bytes, at: int, end: int) -> RtpHead:
    """Read the head of the packet `data[at:end]`, extensions and padding left out."""
    if end - at < 12 or data[at] & 0xC0 != 0x80:
        raise DamagedPacket("no RTP packet of version 2")
    first = data[at]
    start = at + 12 + 4 * (first & 0x0F)
    stop = end
    if first & 0x30:
        if first & 0x10:
            if start + 4 > end:
                raise DamagedPacket("an RTP extension is cut short")
            start += 4 + 4 * (data[start + 2] << 8 | data[start + 3])
        if first & 0x20:
            stop -= data[end - 1]
    if start > stop:
        raise DamagedPacket("an RTP packet is shorter than its head says")
    second = data[at + 1]
    stamp = int.from_bytes(data[at + 4 : at + 8], "big")
    return RtpHead(second & 0x7F, second >= 0x80, data[at + 2] << 8 | data[at + 3], stamp, start, stop)


def read_aggregate(data: bytes, at: int, end: int) -> list[bytes]:
    """Return the NAL units of an aggregation packet, from behind its own head: each behind two bytes of length.

    RFC 6184, 5.7.1 (STAP-A) and RFC 7798, 4.4.2.
    """
    units: list[bytes] = []
    while at < end:
        after = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if after > end or after < at + 4:
            raise DamagedPacket("an aggregate of NAL units does not add up")
        units.append(data[at + 2 : after])
        at = after
    return units


@dataclass(frozen=True, slots=True)
class AuHeads:
    """How many bits the fields of an AU header have (RFC 3640, 3.2.1)."""

    size_bits: int
    index_bits: int
    delta_bits: int


def read_aac(data: bytes, at: int, end: int, heads: AuHeads) -> list[bytes]:
    """Return the AAC frames of one payload. A frame over several packets is not in use with AAC, and refused."""
    if end - at < 2:
        raise DamagedPacket("a payload is too short for AAC")
    bits = data[at] << 8 | data[at + 1]
    body = at + 2 + (bits + 7) // 8
    if body > end:
        raise DamagedPacket("the AU headers are cut short")
    if bits == 16 and heads.size_bits + heads.index_bits == 16:
        # One frame in a packet is the rule, and most cameras send some fifty of them a second.
        size = (data[at + 2] << 8 | data[at + 3]) >> heads.index_bits
        if size == 0 or body + size > end:
            raise DamagedPacket("an AAC frame is larger than its packet")
        return [data[body : body + size]]
    fields = int.from_bytes(data[at + 2 : body], "big") >> 8 * (body - at - 2) - bits
    frames: list[bytes] = []
    left, gap = bits, heads.index_bits
    while left >= heads.size_bits + gap:
        left -= heads.size_bits
        size = fields >> left & (1 << heads.size_bits) - 1
        left -= gap
        gap = heads.delta_bits
        if size == 0 or body + size > end:
            raise DamagedPacket("an AAC frame is larger than its packet")
        frames.append(data[body : body + size])
        body += size
    return frames


@dataclass(frozen=True, slots=True)
class SenderReport:
    """What the camera's wall clock said at a stamp (RFC 3550, 6.4.1), in microseconds since 1970."""

    wall_us: int
    stamp: int


def read_report(data: bytes, at: int, end: int) -> SenderReport | None:
    """Return the sender report at the beginning of a compound packet; None if there is none, or with no clock."""
    if end - at < 28 or data[at] & 0xC0 != 0x80 or data[at + 1] != _SENDER_REPORT:
        return None
    seconds = int.from_bytes(data[at + 8 : at + 12], "big")
    fraction = int.from_bytes(data[at + 12 : at + 16], "big")
    if seconds == 0:
        return None
    wall_us = (seconds - _NTP_TO_UNIX_S) * 1_000_000 + (fraction * 1_000_000 >> 32)
    return SenderReport(wall_us, int.from_bytes(data[at + 16 : at + 20], "big"))


def says_bye(data: bytes, at: int, end: int) -> bool:
    """Say whether a compound packet holds BYE (RFC 3550, 6.6): the track is over."""
    while at + 4 <= end:
        if data[at + 1] == _BYE:
            return True
        at += 4 + 4 * (data[at + 2] << 8 | data[at + 3])
    return False

"""RTP and RTCP read back, written from the RFCs and not from our writer."""

import struct
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rtp:
    """One RTP packet (RFC 3550, 5.1)."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def read_rtp(data: bytes) -> Rtp:
    first, second, sequence, timestamp, ssrc = struct.unpack(">BBHII", data[:12])
    assert first == 0x80
    return Rtp(second & 0x7F, bool(second & 0x80), sequence, timestamp, ssrc, data[12:])


def h264_units(packets: list[Rtp]) -> list[bytes]:
    """Put single units and FU-A together again (RFC 6184, 5.6 and 5.8)."""
    units: list[bytes] = []
    part: bytearray | None = None
    for packet in packets:
        kind = packet.payload[0] & 0x1F
        if kind != 28:
            assert part is None
            assert 1 <= kind <= 23
            units.append(packet.payload)
            continue
        flags = packet.payload[1]
        if flags & 0x80:
            assert part is None
            part = bytearray([(packet.payload[0] & 0xE0) | (flags & 0x1F)])
        assert part is not None
        assert (part[0] & 0x1F) == (flags & 0x1F)
        part += packet.payload[2:]
        if flags & 0x40:
            units.append(bytes(part))
            part = None
    assert part is None
    return units


def aac_unit(packets: list[Rtp]) -> bytes:
    """Put one AAC-hbr access unit together again (RFC 3640, 3.3.6)."""
    sizes = set()
    for packet in packets:
        headers_length, header = struct.unpack(">HH", packet.payload[:4])
        assert headers_length == 16
        assert header & 7 == 0
        sizes.add(header >> 3)
    unit = b"".join(packet.payload[4:] for packet in packets)
    assert sizes == {len(unit)}
    assert [packet.marker for packet in packets] == [False] * (len(packets) - 1) + [True]
    return unit


@dataclass(frozen=True, slots=True)
class SenderReport:
    """The first part of a compound (RFC 3550, 6.4.1)."""

    ssrc: int
    utc_seconds: float
    rtp_time: int
    packets: int
    octets: int


def read_compound(data: bytes) -> tuple[SenderReport, list[int]]:
    """Return the report and the packet types of the whole compound."""
    kinds, at = [], 0
    while at < len(data):
        first, kind, words = struct.unpack(">BBH", data[at : at + 4])
        assert first >> 6 == 2
        kinds.append(kind)
        at += 4 * (words + 1)
    assert at == len(data)
    ssrc, seconds, parts, rtp_time, packets, octets = struct.unpack(">IIIIII", data[4:28])
    return SenderReport(ssrc, seconds - 2_208_988_800 + parts / 2**32, rtp_time, packets, octets), kinds

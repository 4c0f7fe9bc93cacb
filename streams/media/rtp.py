"""RTP packets out of access units: H.264, AAC and G.711 (RFC 3550, 3640, 3551, 6184). No socket, no clock.

RTP time continues over epochs by our own captured time, so a camera's reconnect is a gap to the viewer and
never a jump back.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from streams.media import nal
from streams.media.packets import Packet, Track, TrackInfo
from vms_privacy.errors import Kind, Refusal

MTU_PAYLOAD = 1400
_HEADER = struct.Struct(">BBHII")
_FU_A = 28
G711 = {"pcm_mulaw": (0, "PCMU"), "pcm_alaw": (8, "PCMA")}


@dataclass(frozen=True, slots=True)
class RtpStart:
    """Where a stream of packets begins: three numbers that RFC 3550, 5.1 wants unpredictable."""

    ssrc: int
    sequence: int
    timestamp: int

    @classmethod
    def out_of(cls, octets: bytes) -> "RtpStart":
        """Make the three numbers of ten random bytes."""
        return cls(*struct.unpack(">IHI", octets))


@dataclass(frozen=True, slots=True)
class RtpFormat:
    """How a track is named in SDP: payload type, encoding name, clock rate in Hz, channels."""

    payload_type: int
    encoding: str
    clock_rate: int
    channels: int = 1


class NotPackable(Refusal):
    """An access unit that no RTP packet can carry: a camera sent what its codec does not allow."""

    kind = Kind.DAMAGED
    code = "rtp-not-packable"


def format_of(info: TrackInfo) -> RtpFormat | None:
    """Return how a track goes over RTP, or None if it cannot from here."""
    if info.codec == "h264":
        return RtpFormat(96, "H264", 90_000) if _has_parameter_sets(info) else None
    if info.codec == "aac" and info.sample_rate > 0 and info.channels > 0:
        return RtpFormat(97, "mpeg4-generic", info.sample_rate, info.channels)
    if info.codec in G711 and (info.sample_rate, info.channels) == (8000, 1):
        return RtpFormat(G711[info.codec][0], G711[info.codec][1], 8000)
    return None


class _Payloads(Protocol):
    """Cuts one access unit into payloads, each with its offset in RTP ticks and whether it ends the unit."""

    def renew(self, info: TrackInfo) -> None: ...

    def cut(self, packet: Packet) -> Iterator[tuple[bytes, int, bool]]: ...


class RtpStream:
    """Numbers and stamps the packets of one track for one viewer, and reports on them."""

    def __init__(self, info: TrackInfo, start: RtpStart, payload_size: int = MTU_PAYLOAD) -> None:
        """Begin a stream; raises ValueError for a track that `format_of` does not know."""
        rtp_format = format_of(info)
        if rtp_format is None:
            raise ValueError(f"no RTP payload format for {info.codec}")
        self.format = rtp_format
        self.ssrc = start.ssrc
        self.sequence = start.sequence
        self.sent_packets = 0
        self.sent_octets = 0
        self._payloads = _payloads_for(info, payload_size)
        self._timescale = info.timescale
        self._anchor_rtp = start.timestamp
        self._anchor: Packet | None = None
        self._anchor_is_stale = False

    def renew(self, info: TrackInfo) -> None:
        """Go on under the parameters of another epoch of the same codec."""
        self._payloads.renew(info)
        self._timescale = info.timescale
        self._anchor_is_stale = True

    def packets(self, packet: Packet) -> list[bytes]:
        """Return the RTP packets of one access unit, in order.

        Raises:
            NotPackable: it is damaged; the next one may be whole.

        """
        base = self._ticks(packet, packet.pts)
        out = []
        for payload, offset, is_last in self._payloads.cut(packet):
            marker = 0x80 if is_last else 0
            stamp = (base + offset) & 0xFFFFFFFF
            out.append(_HEADER.pack(0x80, marker | self.format.payload_type, self.sequence, stamp, self.ssrc) + payload)
            self.sequence = (self.sequence + 1) & 0xFFFF
            self.sent_octets += len(payload)
        self.sent_packets += len(out)
        return out

    def sender_report(self, packet: Packet) -> bytes:
        """Return a sender report and CNAME (RFC 3550, 6.4.1) that ties RTP time to the packet's captured UTC."""
        return sender_report(
            self.ssrc,
            packet.captured_at_us,
            self._ticks(packet, packet.dts) & 0xFFFFFFFF,
            self.sent_packets,
            self.sent_octets,
        )

    def goodbye(self) -> bytes:
        """Return the compound packet that ends the stream (RFC 3550, 6.6)."""
        return struct.pack(">BBHI", 0x80, 201, 1, self.ssrc) + struct.pack(">BBHI", 0x81, 203, 1, self.ssrc)

    def _ticks(self, packet: Packet, stamp: int) -> int:
        """Return the RTP time of a decode or presentation stamp of the packet's epoch."""
        if self._anchor is None:
            self._anchor = packet
        elif self._anchor_is_stale:
            passed_us = packet.captured_at_us - self._anchor.captured_at_us
            self._anchor_rtp += max(0, passed_us) * self.format.clock_rate // 1_000_000
            self._anchor = packet
        self._anchor_is_stale = False
        return self._anchor_rtp + (stamp - self._anchor.dts) * self.format.clock_rate // self._timescale


def sender_report(ssrc: int, utc_us: int, rtp_time: int, packets: int, octets: int) -> bytes:
    """Return SR and SDES of one source. `utc_us` becomes NTP time: seconds since 1900 and 2^32 parts."""
    seconds, us = divmod(utc_us, 1_000_000)
    ntp = (((seconds + 2_208_988_800) & 0xFFFFFFFF) << 32) | ((us << 32) // 1_000_000)
    report = struct.pack(">BBHIQIII", 0x80, 200, 6, ssrc, ntp, rtp_time, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF)
    name = f"{ssrc:08x}".encode()
    items = bytes((1, len(name))) + name
    items += bytes(4 - len(items) % 4)
    return report + struct.pack(">BBHI", 0x81, 202, 1 + len(items) // 4, ssrc) + items


class _H264:
    """Single units and FU-A, packetization-mode 1 (RFC 6184, 5.6 and 5.8); no aggregation.

    Every key picture goes out with its parameter sets, so a viewer may begin at any of them.
    """

    def __init__(self, info: TrackInfo, size: int) -> None:
        self._size = size
        self.renew(info)

    def renew(self, info: TrackInfo) -> None:
        self._sets = nal.read_avcc(info.extradata)

    def cut(self, packet: Packet) -> Iterator[tuple[bytes, int, bool]]:
        try:
            units = [bytes(u) for u in nal.split_lengths(packet.data) if nal.kind_of(u) != nal.DELIMITER]
        except ValueError:
            raise NotPackable("a picture's units do not add up") from None
        if packet.is_key and not any(nal.kind_of(unit) == nal.SPS for unit in units):
            units = [*self._sets.sps, *self._sets.pps, *units]
        for number, unit in enumerate(units, 1):
            yield from self._unit(unit, number == len(units))

    def _unit(self, unit: bytes, ends_picture: bool) -> Iterator[tuple[bytes, int, bool]]:
        if len(unit) <= self._size:
            yield unit, 0, ends_picture
            return
        indicator, kind, step = (unit[0] & 0xE0) | _FU_A, unit[0] & 0x1F, self._size - 2
        for at in range(1, len(unit), step):
            is_last = at + step >= len(unit)
            flags = (0x80 if at == 1 else 0) | (0x40 if is_last else 0)
            yield bytes((indicator, flags | kind)) + unit[at : at + step], 0, is_last and ends_picture


class _Aac:
    """AAC-hbr, one access unit a packet or one unit in several (RFC 3640, 3.2.3.1 and 3.3.6)."""

    def __init__(self, info: TrackInfo, size: int) -> None:
        self._size = size - 4

    def renew(self, info: TrackInfo) -> None:
        """Nothing of the parameters is in the packets."""

    def cut(self, packet: Packet) -> Iterator[tuple[bytes, int, bool]]:
        size = len(packet.data)
        if not 0 < size < 1 << 13:
            raise NotPackable("an AAC access unit has 1 to 8191 bytes")
        head = struct.pack(">HH", 16, size << 3)
        for at in range(0, size, self._size):
            yield head + packet.data[at : at + self._size], 0, at + self._size >= size


class _G711:
    """Samples as they are, one byte each (RFC 3551, 4.5.14); the marker is for talk spurts and stays unset."""

    def __init__(self, info: TrackInfo, size: int) -> None:
        self._size = size

    def renew(self, info: TrackInfo) -> None:
        """G.711 has no parameters."""

    def cut(self, packet: Packet) -> Iterator[tuple[bytes, int, bool]]:
        for at in range(0, len(packet.data), self._size):
            yield packet.data[at : at + self._size], at, False


def _has_parameter_sets(info: TrackInfo) -> bool:
    try:
        nal.read_avcc(info.extradata)
    except ValueError:
        return False
    return True


def _payloads_for(info: TrackInfo, size: int) -> _Payloads:
    if info.track is Track.VIDEO:
        return _H264(info, size)
    return _Aac(info, size) if info.codec == "aac" else _G711(info, size)

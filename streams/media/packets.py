"""What flows from a camera: tracks, packets, fragments. Plain values, shared by live and recorder.

Times with `_us` are integer microseconds since 1970-01-01T00:00:00Z on our own clock; `dts`, `pts` and
`duration` are ticks of the track's timescale.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Final


@unique
class Track(StrEnum):
    """A camera has one video track and at most one audio track; everything else is left out."""

    VIDEO = "video"
    AUDIO = "audio"


@dataclass(frozen=True, slots=True)
class TrackInfo:
    """What a decoder must know before the first packet.

    `extradata` is avcC or hvcC (ISO/IEC 14496-15) for video and AudioSpecificConfig (ISO/IEC 14496-3) for AAC.
    """

    track: Track
    codec: str
    timescale: int
    extradata: bytes = field(repr=False)
    width: int = 0
    height: int = 0
    sample_rate: int = 0
    channels: int = 0


@dataclass(frozen=True, slots=True)
class Packet:
    """One access unit, as coded by the camera; video as length-prefixed NAL units (four bytes each).

    `arrived_at_us` is when our relay had its last byte; `captured_at_us` is the same clock smoothed by the
    camera's own stamps: rising with dts within one epoch, never later than `arrived_at_us`.
    """

    track: Track
    dts: int
    pts: int
    duration: int
    is_key: bool
    data: bytes = field(repr=False)
    arrived_at_us: int
    captured_at_us: int


@dataclass(frozen=True, slots=True)
class Epoch:
    """An unbroken run of packets under one set of parameters; a reconnect or new parameter sets begin another.

    `init` maps the set of tracks to the init segment (ftyp + moov) for exactly these tracks.
    """

    number: int
    tracks: tuple[TrackInfo, ...]
    init: Mapping[frozenset[Track], bytes] = field(repr=False)


UNREAD_US: Final = 150_000
"""How long bytes may lie in the kernel before the relay reads them, and so says when they arrived."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """One moof + mdat of one track, some 500 ms long; a video fragment that holds a key picture begins with it.

    `sequence` rises over both tracks of a camera, so leaving the audio fragments out leaves a valid file.
    A withdrawal is compared with `last_arrived_at_us`: if any packet in it came later, none of it is written. An opt-in
    is compared with `earliest_us`: if any packet may have come before, none of it is.
    """

    track: Track
    epoch: int
    sequence: int
    data: bytes = field(repr=False)
    starts_with_key: bool
    decode_time: int
    duration: int
    captured_from_us: int
    captured_until_us: int
    first_arrived_at_us: int
    last_arrived_at_us: int
    packets: int

    @property
    def earliest_us(self) -> int:
        """Return the earliest moment from which something in it may be."""
        return min(self.first_arrived_at_us - UNREAD_US, self.captured_from_us)

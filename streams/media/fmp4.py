"""Our own writer of fragmented MP4 (ISO/IEC 14496-12, 8.8): packets go in, moof + mdat come out.

Promise: init segment + every fragment of an epoch is one gap-free file in which each packet keeps its bytes and
its presentation time; a fragment depends on no other, so any run that begins at a key picture can be sent alone.

One track per fragment. A video fragment that holds a key picture begins with it. A packet's duration is the step
to the next one's decode time, so the newest packet of each track is held back until the next arrives or until
`flush`. Decode times are 64 bits and go on over fragments; they rise by at least one tick and are never negative:
stamps below zero or going back are pressed together while the presentation times stay exact (signed composition
offsets, version 1). Times with `_us` are microseconds, everything else is ticks of the track's timescale.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from streams.media.packets import Epoch, Fragment, Packet, Track, TrackInfo
from vms_privacy.errors import Kind, Refusal

# The numbers of our tracks, in every init segment (`inits.init_for` puts them there) and in every fragment.
TRACK_ID: Final[Mapping[Track, int]] = {Track.VIDEO: 1, Track.AUDIO: 2}

# moof, mfhd, traf, tfhd (default-base-is-moof, sample description), tfdt version 1, head of trun version 1, and at
# the end the head of mdat. One layout for all: what has to be changed later lies at a known offset.
HEAD: Final = struct.Struct(">I4s I4sII I4s I4sIII I4sIQ I4sIIi")
ENTRY: Final = struct.Struct(">IIIi")
MDAT_HEAD: Final = struct.Struct(">I4s")
SEQUENCE_AT, DESCRIPTION_AT, DECODE_TIME_AT = 20, 48, 64
_TFHD_FLAGS: Final = 0x020000 | 0x000002
_TRUN_FLAGS: Final = 0x000001 | 0x000100 | 0x000200 | 0x000400 | 0x000800
# ISO/IEC 14496-12, 8.8.3.1: depends on no other picture / depends on others and is no point to begin at.
KEY_SAMPLE, OTHER_SAMPLE = 0x02000000, 0x01010000

_LONGEST_STEP_US: Final = 10_000_000
# A camera whose stamps stand still would never fill 500 ms; these bound what an open fragment can hold.
_MOST_PACKETS: Final = 500
_MOST_BYTES: Final = 16 * 1024 * 1024
_OFFSET_LIMIT: Final = 2**31 - 1
_DECODE_LIMIT: Final = 2**62


class StampsOutOfRange(Refusal):
    """A packet's stamps cannot be written: decode and presentation time lie too far apart, or far out."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "stamps-out-of-range"


@dataclass(slots=True)
class _Lane:
    """The open fragment of one track, and the packet held back."""

    track: Track
    timescale: int
    target: int
    longest: int
    usual: int
    entries: bytearray
    bodies: list[bytes]
    size: int = 0
    began: int = 0
    begins_with_key: bool = False
    captured_from_us: int = 0
    captured_last_us: int = 0
    first_arrived_us: int = 0
    last_arrived_us: int = 0
    held: Packet | None = None
    held_decode: int = 0
    last_decode: int = -1

    def take(self, packet: Packet, decode: int, duration: int) -> None:
        """Write `packet` into the open fragment."""
        if not self.bodies:
            self.began = decode
            self.begins_with_key = packet.is_key
            self.captured_from_us = self.captured_last_us = packet.captured_at_us
            self.first_arrived_us = self.last_arrived_us = packet.arrived_at_us
        else:
            self.captured_from_us = min(self.captured_from_us, packet.captured_at_us)
            self.captured_last_us = max(self.captured_last_us, packet.captured_at_us)
            self.first_arrived_us = min(self.first_arrived_us, packet.arrived_at_us)
            self.last_arrived_us = max(self.last_arrived_us, packet.arrived_at_us)
        data = packet.data
        flags = KEY_SAMPLE if packet.is_key or self.track is Track.AUDIO else OTHER_SAMPLE
        self.entries += ENTRY.pack(duration, len(data), flags, packet.pts - decode)
        self.bodies.append(data)
        self.size += len(data)
        self.usual = duration

    def nominal(self, packet: Packet) -> int:
        """How long `packet` lasts when no next one says so: its own word, else the step before."""
        return min(packet.duration, self.longest) if packet.duration > 0 else self.usual

    def in_us(self, ticks: int) -> int:
        return ticks * 1_000_000 // self.timescale


class Fragmenter:
    """Cuts the packets of one camera into fragments of at most some `target_us`. Not thread-safe.

    The sequence rises over both tracks and over all epochs. A step of more than 10 s between two packets is
    a hole: the fragment ends before it and the next one begins at its own decode time.
    """

    def __init__(self, target_us: int = 500_000) -> None:
        self._target_us = target_us
        self._sequence = 0
        self._epoch = 0
        self._lanes: dict[Track, _Lane] = {}

    def begin(self, epoch: Epoch) -> None:
        """Start over with the tracks of `epoch`. `flush` comes first, or RuntimeError: packets would be lost."""
        if any(lane.held is not None for lane in self._lanes.values()):
            raise RuntimeError("flush before the next epoch begins")
        self._epoch = epoch.number
        self._lanes = {info.track: self._lane(info) for info in epoch.tracks}

    def add(self, packet: Packet) -> list[Fragment]:
        """Take one packet of a track of this epoch; return the fragment it completed, if any.

        Raises StampsOutOfRange (nothing was taken); ValueError for a track that the epoch does not have.
        """
        lane = self._lanes.get(packet.track)
        if lane is None:
            raise ValueError("the epoch has no such track")
        decode = packet.dts if packet.dts > lane.last_decode else lane.last_decode + 1
        if not (-_OFFSET_LIMIT <= packet.pts - decode <= _OFFSET_LIMIT and decode < _DECODE_LIMIT):
            raise StampsOutOfRange("a packet's stamps are out of range")
        done: list[Fragment] = []
        held = lane.held
        if held is not None:
            step = decode - lane.held_decode
            is_hole = step > lane.longest
            duration = lane.nominal(held) if is_hole else step
            lane.take(held, lane.held_decode, duration)
            is_cut = packet.is_key and lane.track is Track.VIDEO
            is_full = len(lane.bodies) >= _MOST_PACKETS or lane.size >= _MOST_BYTES
            if is_hole or is_cut or is_full or decode + duration - lane.began > lane.target:
                until_us = None if is_hole else packet.captured_at_us
                done.append(self._close(lane, lane.held_decode + duration, until_us))
        lane.held, lane.held_decode = packet, decode
        lane.last_decode = decode
        return done

    def flush(self) -> list[Fragment]:
        """Return what is still open, held packets included: the epoch is over. Calling it twice is harmless."""
        done = []
        for lane in self._lanes.values():
            held = lane.held
            if held is None:
                continue
            duration = lane.nominal(held)
            lane.take(held, lane.held_decode, duration)
            lane.held = None
            done.append(self._close(lane, lane.held_decode + duration, None))
        return done

    def _lane(self, info: TrackInfo) -> _Lane:
        return _Lane(
            track=info.track,
            timescale=info.timescale,
            target=self._target_us * info.timescale // 1_000_000,
            longest=min(_LONGEST_STEP_US * info.timescale // 1_000_000, 2**32 - 1),
            # Until a camera shows its own step: one AAC frame (ISO/IEC 14496-3), or a picture at 25 a second.
            usual=1024 if info.track is Track.AUDIO else max(1, info.timescale // 25),
            entries=bytearray(),
            bodies=[],
        )

    def _close(self, lane: _Lane, ended: int, until_us: int | None) -> Fragment:
        self._sequence += 1
        last_us = lane.captured_last_us
        captured_until_us = max(last_us, until_us) if until_us is not None else last_us + lane.in_us(lane.usual)
        fragment = Fragment(
            track=lane.track,
            epoch=self._epoch,
            sequence=self._sequence,
            data=_moof_and_mdat(TRACK_ID[lane.track], self._sequence, lane),
            starts_with_key=lane.begins_with_key,
            decode_time=lane.began,
            duration=ended - lane.began,
            captured_from_us=lane.captured_from_us,
            captured_until_us=captured_until_us,
            first_arrived_at_us=lane.first_arrived_us,
            last_arrived_at_us=lane.last_arrived_us,
            packets=len(lane.bodies),
        )
        lane.entries = bytearray()
        lane.bodies = []
        lane.size = 0
        return fragment


def _moof_and_mdat(track_id: int, sequence: int, lane: _Lane) -> bytes:
    entries = len(lane.entries)
    moof = HEAD.size + entries
    head = HEAD.pack(
        moof,
        b"moof",
        16,
        b"mfhd",
        0,
        # The field has 32 bits; at four fragments a second it comes round after thirty years.
        sequence & 0xFFFFFFFF,
        moof - 24,
        b"traf",
        20,
        b"tfhd",
        _TFHD_FLAGS,
        track_id,
        1,
        20,
        b"tfdt",
        1 << 24,
        lane.began,
        20 + entries,
        b"trun",
        1 << 24 | _TRUN_FLAGS,
        len(lane.bodies),
        moof + MDAT_HEAD.size,
    )
    return b"".join((head, lane.entries, MDAT_HEAD.pack(MDAT_HEAD.size + lane.size, b"mdat"), *lane.bodies))

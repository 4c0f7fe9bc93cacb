"""Pictures and frames of sound out of one camera's RTP, whole or not at all. Pure; in the child process.

A picture ends with the marker bit (RFC 6184, 5.1), so that it need not wait for the next one; a camera that sets
the bit on every slice is found out, and from then on its pictures end where the stamp changes.

A camera sends some hundred packets a second: the loops here are written out, and do not call what they can say.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from streams.media.nal import is_recovery_point
from streams.media.rtp_reading import AuHeads, DamagedPacket, read_aac, read_aggregate, read_head

_MOST_BYTES: Final = 16 * 1024 * 1024
_MOST_UNITS: Final = 4096
_FRAME_LENGTHS: Final = frozenset({960, 1024, 1920, 2048})


@dataclass(frozen=True, slots=True)
class NalKinds:
    """Which NAL units are what in one codec, told by the first byte under `mask`.

    `fragment` and `aggregate` are the payload structures of RTP. `head` is how many bytes a unit's head has; in the
    byte behind it, the highest bit tells a picture's first slice. `sei` is where H.264 tells of beginnings that its
    slices do not show; H.265 has kinds of slices for all of them.
    """

    head: int
    mask: int
    slices: frozenset[int]
    keys: frozenset[int]
    parameter_sets: tuple[int, ...]
    single: frozenset[int]
    aggregate: int
    fragment: int
    sei: int | None = None

    def is_key(self, first_slice: int, units: list[bytes]) -> bool:
        """Say whether a decoder may begin with a picture: by its first slice, or by what H.264 says beside it."""
        if first_slice in self.keys:
            return True
        return any(unit[0] & self.mask == self.sei and is_recovery_point(unit) for unit in units)

    def begins_picture(self, unit: bytes) -> bool:
        """Say whether a slice is its picture's first: `first_mb_in_slice` 0, or the flag of H.265."""
        return len(unit) > self.head and unit[self.head] >= 0x80


# ISO/IEC 14496-10, table 7-1: slices, IDR, SPS and PPS. RFC 6184, table 1.
H264: Final = NalKinds(
    head=1,
    mask=0x1F,
    slices=frozenset(range(1, 6)),
    keys=frozenset({5}),
    parameter_sets=(7, 8),
    single=frozenset(range(1, 24)),
    aggregate=24,
    fragment=28,
    sei=6,
)
# ISO/IEC 23008-2, table 7-1: slices, random access pictures, VPS, SPS and PPS, each shifted by one. RFC 7798, 4.4.
HEVC: Final = NalKinds(
    head=2,
    mask=0x7E,
    slices=frozenset(range(0, 64, 2)),
    keys=frozenset(range(32, 48, 2)),
    parameter_sets=(64, 66, 68),
    single=frozenset(range(0, 96, 2)),
    aggregate=96,
    fragment=98,
)


class Picture(NamedTuple):
    """One access unit. `arrived_us` is when the relay had its last byte."""

    units: list[bytes]
    stamp: int
    arrived_us: int
    is_key: bool


class PictureReader:
    """Follows one video track. `lost` counts pictures that came damaged; `was_cut_wrongly`: one ended too early."""

    def __init__(self, kinds: NalKinds, payload_type: int) -> None:
        self.lost = 0
        self.was_cut_wrongly = False
        self._kinds = kinds
        self._payload_type = payload_type
        self._expected: int | None = None
        self._stamp = b""
        self._ended_at = b""
        self._arrived_us = 0
        self._units: list[bytes] = []
        self._parts: list[bytes] = []
        self._size = 0
        self._is_damaged = False
        self._marker_lies = False

    def read(self, frames: bytes, at: int, arrived_us: int, done: list[Picture]) -> int:
        """Take the `$` frames from `at` on as long as they are of one channel; return where another one comes.

        Pictures that are whole are appended to `done`.
        """
        channel, end = frames[at + 1], len(frames)
        wanted = self._payload_type
        fragment, mask, head = self._kinds.fragment, self._kinds.mask, self._kinds.head
        while at < end and frames[at + 1] == channel:
            start = at + 4
            after = start + (frames[at + 2] << 8 | frames[at + 3])
            at = after
            if after - start > 16 and frames[start] == 0x80:
                # The head that nearly every packet has: no extension, no padding, no further sources.
                second = frames[start + 1]
                payload = start + 12
            else:
                try:
                    _, _, _, _, payload, after = read_head(frames, start, after)
                except DamagedPacket:
                    self.lost += 1
                    continue
                second = frames[start + 1]
            if second & 0x7F != wanted or after - payload <= head:
                continue
            stamp = frames[start + 4 : start + 8]
            sequence = frames[start + 2] << 8 | frames[start + 3]
            if stamp != self._stamp or sequence != self._expected:
                self._turn(stamp, sequence, done)
            self._expected = sequence + 1 & 0xFFFF
            self._arrived_us = arrived_us
            self._size += after - payload
            if self._size > _MOST_BYTES or len(self._units) > _MOST_UNITS:
                self._units, self._parts, self._size = [], [], 0
                self._is_damaged = True
            if frames[payload] & mask != fragment:
                self._whole(frames, payload, after)
            elif self._parts and not frames[payload + head] & 0xC0:
                self._parts.append(frames[payload + head + 1 : after])
            else:
                self._fragment(frames, payload, after)
            if second >= 0x80 and not self._marker_lies and not self._parts:
                self._finish(done)
        return at

    def _turn(self, stamp: bytes, sequence: int, done: list[Picture]) -> None:
        """Deal with a packet that does not simply follow the one before."""
        has_gap = self._expected is not None and sequence != self._expected
        if stamp != self._stamp:
            # What is missing may have been the end of the one picture, the beginning of the other, or both.
            self._is_damaged = self._is_damaged or (has_gap and bool(self._units))
            self._finish(done)
            self._stamp = stamp
        self._is_damaged = self._is_damaged or has_gap

    def _whole(self, frames: bytes, at: int, end: int) -> None:
        """Take a payload of whole NAL units."""
        kinds = self._kinds
        kind = frames[at] & kinds.mask
        is_first = not self._units
        if self._parts:
            # A unit in fragments that was never finished.
            self._parts = []
            self._is_damaged = True
        if kind in kinds.single:
            self._units.append(frames[at:end])
        elif kind == kinds.aggregate:
            try:
                self._units += read_aggregate(frames, at + kinds.head, end)
            except DamagedPacket:
                self._is_damaged = True
        else:
            self._is_damaged = True
        if is_first and self._ended_at == self._stamp:
            self._doubt_marker()

    def _fragment(self, frames: bytes, at: int, end: int) -> None:
        """Take the first or last fragment of a NAL unit, or one of none (RFC 6184, 5.8; RFC 7798, 4.4.3)."""
        head = self._kinds.head
        flags = frames[at + head]
        if flags & 0x80:
            first = frames[at] & 0xE0 | flags & 0x1F if head == 1 else frames[at] & 0x81 | (flags & 0x3F) << 1
            self._parts = [bytes((first,)) + frames[at + 1 : at + head]]
        elif not self._parts:
            self._is_damaged = True
            return
        self._parts.append(frames[at + head + 1 : end])
        if flags & 0x40:
            is_first = not self._units
            self._units.append(b"".join(self._parts))
            self._parts = []
            if is_first and self._ended_at == self._stamp:
                self._doubt_marker()

    def _doubt_marker(self) -> None:
        """A slice that goes on with a picture which the marker had ended: the camera's marker means something else."""
        unit, kinds = self._units[0] if self._units else b"", self._kinds
        if unit and unit[0] & kinds.mask in kinds.slices and not kinds.begins_picture(unit):
            self._marker_lies = self._is_damaged = self.was_cut_wrongly = True

    def _finish(self, done: list[Picture]) -> None:
        units, mask = self._units, self._kinds.mask
        slices = [kind for unit in units if (kind := unit[0] & mask) in self._kinds.slices]
        is_damaged = self._is_damaged or bool(self._parts)
        if not slices and not is_damaged:
            # Parameter sets with a stamp or a marker of their own belong to the picture that follows.
            return
        self._ended_at = self._stamp
        if is_damaged:
            self.lost += 1
        else:
            is_key = self._kinds.is_key(slices[0], units)
            done.append(Picture(units, int.from_bytes(self._stamp, "big"), self._arrived_us, is_key))
        self._is_damaged = False
        self._units, self._parts, self._size = [], [], 0


class Sounds(NamedTuple):
    """The AAC frames of one packet: its stamp is the first one's, and each lasts `length` ticks."""

    frames: list[bytes]
    stamp: int
    length: int
    arrived_us: int


class SoundReader:
    """Follows one AAC track, packet by packet."""

    def __init__(self, heads: AuHeads, payload_type: int) -> None:
        self.lost = 0
        self._heads = heads
        self._payload_type = payload_type
        self._expected: int | None = None
        self._stamp = 0
        self._count = 0
        # RFC 3640 does not say how long a frame is; AAC-LC has 1024 samples, with SBR 2048, and the stamps tell.
        self._length = 1024

    def read(self, data: bytes, at: int, end: int, arrived_us: int) -> Sounds | None:
        """Take the packet `data[at:end]`; return its frames, if it is one of ours and whole."""
        try:
            payload_type, _, sequence, stamp, start, stop = read_head(data, at, end)
            if payload_type != self._payload_type:
                return None
            frames = read_aac(data, start, stop, self._heads)
        except DamagedPacket:
            self.lost += 1
            return None
        if self._expected is not None and sequence != self._expected:
            self.lost += 1
        elif self._count:
            length = (stamp - self._stamp & 0xFFFFFFFF) // self._count
            if length != self._length and length in _FRAME_LENGTHS:
                self._length = length
        self._expected = sequence + 1 & 0xFFFF
        self._stamp, self._count = stamp, len(frames)
        return Sounds(frames, stamp, self._length, arrived_us)

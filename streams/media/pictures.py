"""Pictures and frames of sound out of one camera's RTP, whole or not at all. Pure; in the child process.

A picture ends with the marker bit (RFC 6184, 5.1), so that it need not wait for the next one; a camera that sets
the bit on every slice is found out, and from then on its pictures end where the stamp changes.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from streams.media.rtp_reading import AuHeads, DamagedPacket, NalCollector, read_aac, read_head

_MOST_BYTES: Final = 16 * 1024 * 1024
_FRAME_LENGTHS: Final = frozenset({960, 1024, 1920, 2048})


@dataclass(frozen=True, slots=True)
class NalKinds:
    """Which NAL unit types are what, in one codec."""

    is_hevc: bool

    def of(self, unit: bytes) -> int:
        return unit[0] >> 1 & 0x3F if self.is_hevc else unit[0] & 0x1F

    def is_slice(self, unit: bytes) -> bool:
        kind = self.of(unit)
        return kind < 32 if self.is_hevc else 1 <= kind <= 5

    def is_key(self, unit: bytes) -> bool:
        """Say whether decoding can begin here: IDR (H.264), any random access picture (H.265, 7.4.2.2)."""
        kind = self.of(unit)
        return 16 <= kind <= 23 if self.is_hevc else kind == 5

    def is_parameter_set(self, unit: bytes) -> bool:
        return self.of(unit) in ((32, 33, 34) if self.is_hevc else (7, 8))

    def begins_picture(self, unit: bytes) -> bool:
        """Say whether a slice is its picture's first: `first_mb_in_slice` 0, or the flag of H.265."""
        at = 2 if self.is_hevc else 1
        return len(unit) > at and unit[at] >= 0x80


class Picture(NamedTuple):
    """One access unit. `arrived_us` is when the relay had its last byte."""

    units: list[bytes]
    stamp: int
    arrived_us: int
    is_key: bool


class PictureReader:
    """Follows one video track, packet by packet."""

    def __init__(self, kinds: NalKinds, payload_type: int) -> None:
        self.lost = 0
        self.was_cut_wrongly = False
        self._kinds = kinds
        self._payload_type = payload_type
        self._nals = NalCollector(kinds.is_hevc, _MOST_BYTES)
        self._expected: int | None = None
        self._stamp: int | None = None
        self._arrived_us = 0
        self._is_damaged = False
        self._ended_at: int | None = None
        self._marker_lies = False

    def read(self, data: bytes, at: int, end: int, arrived_us: int) -> list[Picture]:
        """Take the packet `data[at:end]`; return the pictures it completed: none, one, rarely two."""
        try:
            head = read_head(data, at, end)
        except DamagedPacket:
            self.lost += 1
            return []
        if head.payload_type != self._payload_type or head.start == head.end:
            return []
        done: list[Picture] = []
        has_gap = self._expected is not None and head.sequence != self._expected
        if self._stamp is not None and head.stamp != self._stamp:
            # What is missing may have been the end of the one picture, the beginning of the other, or both.
            self._is_damaged = self._is_damaged or (has_gap and bool(self._nals.units))
            self._finish(done)
        self._is_damaged = self._is_damaged or has_gap
        self._expected = head.sequence + 1 & 0xFFFF
        self._stamp = head.stamp
        self._collect(data, head.start, head.end)
        self._arrived_us = arrived_us
        if head.marker and not self._marker_lies and not self._nals.is_open:
            self._finish(done)
        return done

    def run(self, frames: bytes, at: int, arrived_us: int) -> int:
        """Take the `$` frames from `at` on that are the middle of an open NAL unit; return where something else begins.

        Nine of ten packets of a large picture are such, and all that may differ among them is the sequence number.
        """
        middle = self._nals.middle
        expected, stamp = self._expected, self._stamp
        if not middle or expected is None or stamp is None or self._is_damaged:
            return at
        channel, kind, stamp_bytes = frames[at + 1], self._payload_type, stamp.to_bytes(4, "big")
        skip = 16 + len(middle)
        pieces: list[bytes] = []
        end = len(frames)
        while at < end and frames[at + 1] == channel and frames[at + 4] == 0x80 and frames[at + 5] == kind:
            after = at + 4 + (frames[at + 2] << 8 | frames[at + 3])
            is_next = (frames[at + 6] << 8 | frames[at + 7]) == expected and frames[at + 8 : at + 12] == stamp_bytes
            if not is_next or frames[at + 16 : at + skip] != middle or after < at + skip:
                break
            pieces.append(frames[at + skip : after])
            expected = expected + 1 & 0xFFFF
            at = after
        if pieces:
            self._expected, self._arrived_us = expected, arrived_us
            try:
                self._nals.extend(pieces)
            except DamagedPacket:
                self._is_damaged = True
        return at

    def _collect(self, data: bytes, start: int, end: int) -> None:
        before = len(self._nals.units)
        try:
            self._nals.add(data, start, end)
        except DamagedPacket:
            self._is_damaged = True
        if before == 0 and self._ended_at == self._stamp:
            self._doubt_marker()

    def _doubt_marker(self) -> None:
        """A slice that goes on with a picture which the marker had ended: the camera's marker means something else."""
        units = self._nals.units
        if units and self._kinds.is_slice(units[0]) and not self._kinds.begins_picture(units[0]):
            self._marker_lies = self._is_damaged = self.was_cut_wrongly = True

    def _finish(self, done: list[Picture]) -> None:
        units = self._nals.units
        slices = [unit for unit in units if self._kinds.is_slice(unit)]
        if not slices and not self._is_damaged and not self._nals.is_open:
            # Parameter sets with a stamp or a marker of their own belong to the picture that follows.
            return
        self._ended_at = self._stamp
        if self._is_damaged or self._nals.is_open:
            self.lost += 1
        elif self._stamp is not None:
            is_key = self._kinds.is_key(slices[0])
            done.append(Picture(units, self._stamp, self._arrived_us, is_key))
        self._is_damaged = False
        self._nals.forget()


class Sound(NamedTuple):
    """One AAC frame: `after` ticks behind the stamp of the packet it came in, and `length` ticks long."""

    data: bytes
    stamp: int
    after: int
    length: int
    arrived_us: int


class SoundReader:
    """Follows one AAC track, packet by packet."""

    def __init__(self, heads: AuHeads, payload_type: int) -> None:
        self.lost = 0
        self._heads = heads
        self._payload_type = payload_type
        self._expected: int | None = None
        self._before: tuple[int, int] | None = None
        # RFC 3640 does not say how long a frame is; AAC-LC has 1024 samples, with SBR 2048, and the stamps tell.
        self._length = 1024

    def read(self, data: bytes, at: int, end: int, arrived_us: int) -> list[Sound]:
        """Take the packet `data[at:end]`; return its frames."""
        try:
            head = read_head(data, at, end)
            if head.payload_type != self._payload_type:
                return []
            frames = read_aac(data, head.start, head.end, self._heads)
        except DamagedPacket:
            self.lost += 1
            return []
        if self._expected is not None and head.sequence != self._expected:
            self.lost += 1
        elif self._before is not None and self._before[1]:
            length = (head.stamp - self._before[0] & 0xFFFFFFFF) // self._before[1]
            self._length = length if length in _FRAME_LENGTHS else self._length
        self._expected = head.sequence + 1 & 0xFFFF
        self._before = (head.stamp, len(frames))
        length = self._length
        return [Sound(frame, head.stamp, n * length, length, arrived_us) for n, frame in enumerate(frames)]

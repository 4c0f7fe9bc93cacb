"""One connection to one camera, from the address to the packets in its tap, and how it ended."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol

from streams.cameras.rules import CameraSource
from streams.media.captured import CapturedTimes
from streams.media.child_protocol import Coded, NewEpoch
from streams.media.demux import DemuxPool
from streams.media.faults import Fault, SourceFailed
from streams.media.packets import Packet, Track
from streams.media.relay import Connected, Pacer, Pump, Relay
from vms_privacy.clock import Clock

# A child that is that far behind is ended as one that hangs.
_OLDEST_US: Final = 20_000_000


class Receiver(Protocol):
    """Who gets what a connection brings. Called in the event loop."""

    def offered(self, audio_left_out: str) -> None:
        """Hear that the camera has answered, and which sound codec cannot be taken; empty if none is left out."""
        ...

    def begun(self, new: NewEpoch) -> None:
        """Hear of a new epoch."""
        ...

    def came(self, packets: Sequence[Packet], lost: int) -> None:
        """Take packets of the present epoch; `lost` ones came damaged."""
        ...


@dataclass(frozen=True, slots=True)
class Joints:
    """The shared parts that every connection uses."""

    relay: Relay
    pool: DemuxPool
    pacer: Pacer
    clock: Clock
    key_picture_within: timedelta


class Connection:
    """Lives from `run` until the camera, the network, the child or we ourselves end it.

    `after_us` is when the newest picture was taken before: nothing is placed at or before it, unless the clock was
    set back in the meantime.
    """

    def __init__(self, source: CameraSource, joints: Joints, receiver: Receiver, after_us: int = 0) -> None:
        self._source = source
        self._joints = joints
        self._receiver = receiver
        self._over: asyncio.Future[SourceFailed] = asyncio.get_running_loop().create_future()
        self._timescales: dict[Track, int] = {}
        self._times = CapturedTimes(after_us)
        self._pump: Pump | None = None
        self._has_begun = asyncio.Event()

    async def run(self) -> SourceFailed:
        """Bring packets until it is over; return why. Cancelling it ends the connection."""
        try:
            connected = await self._joints.relay.connect(self._source.address, self._source.pin)
            try:
                return await self._stream(connected)
            finally:
                connected.link.leave()
        except SourceFailed as failed:
            return failed

    async def _stream(self, connected: Connected) -> SourceFailed:
        self._receiver.offered(connected.offer.audio_left_out or "")
        joints = self._joints
        channel = joints.pool.open(str(self._source.camera_id), connected.plan, self)
        try:
            pump = self._pump = await joints.relay.play(connected, channel, self._fail)
            joints.pacer.add(pump)
            try:
                await self._first_picture()
                return await self._over
            finally:
                pump.stop()
        finally:
            channel.close()

    async def _first_picture(self) -> None:
        begun = asyncio.ensure_future(self._has_begun.wait())
        try:
            within_s = self._joints.key_picture_within.total_seconds()
            either: set[asyncio.Future[Any]] = {begun, self._over}
            done, _ = await asyncio.wait(either, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            begun.cancel()
        if not done:
            raise SourceFailed(Fault.NO_KEY_PICTURE, "the camera sends no picture with which decoding could begin")

    def begun(self, epoch: NewEpoch) -> None:
        """Hear from the child."""
        self._timescales = {info.track: info.timescale for info in epoch.tracks}
        before_us = self._times.newest_us
        is_past = self._pump is not None and before_us <= self._pump.arrived_us
        self._times = CapturedTimes(before_us if is_past else 0)
        self._receiver.begun(epoch)
        self._has_begun.set()

    def came(self, packets: Sequence[Coded], lost: int) -> None:
        """Hear from the child; it may be lying, so what it says of time is checked against our own clock."""
        if self._over.done():
            return
        placed = self._placed(packets)
        if placed is None:
            self._fail(SourceFailed(Fault.DEMUXER_DIED, "a demux process spoke nonsense"))
        else:
            self._receiver.came(placed, lost)

    def over(self, fault: Fault, detail: str) -> None:
        """Hear from the child that it is over."""
        self._fail(SourceFailed(fault, detail))

    def _placed(self, packets: Sequence[Coded]) -> list[Packet] | None:
        """Return the packets with their times; None if the child says what cannot be."""
        if not packets:
            return []
        newest_us = 0 if self._pump is None else self._pump.arrived_us
        oldest_us = newest_us - _OLDEST_US
        timescales = self._timescales
        stamps = []
        for coded in packets:
            timescale = timescales.get(coded.track)
            if timescale is None or not oldest_us <= coded.arrived_us <= newest_us:
                return None
            stamps.append(coded.dts * 1_000_000 // timescale)
        least_us = min(coded.arrived_us - stamp_us for coded, stamp_us in zip(packets, stamps, strict=True))
        times = self._times
        times.expect(least_us, stamps[-1], packets[-1].arrived_us)
        placed = []
        for (track, is_key, dts, pts, duration, came_us, data), stamp_us in zip(packets, stamps, strict=True):
            captured_us, arrived_us = times.place(track, stamp_us, came_us)
            placed.append(Packet(track, dts, pts, duration, is_key, data, arrived_us, captured_us))
        return placed

    def _fail(self, failed: SourceFailed) -> None:
        if not self._over.done():
            self._over.set_result(failed)

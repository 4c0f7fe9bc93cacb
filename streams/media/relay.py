"""The relay: one connection to each camera, its bytes checked, counted and handed to a demux child.

Promise P2 begins here: what comes from a camera goes to a pipe and nowhere else. `Relay.connect` talks to the camera
until its stream could begin; `Pump` moves the bytes from then on, in gulps some 100 ms apart, all cameras by one timer:
a wake-up for each packet costs more than everything that is done with it. What lies unread in between has no moment of
arrival yet, so an opt-in is compared with the earliest there can have been (`Fragment.earliest_us`).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from streams.address import Network, RtspAddress
from streams.media.camera_link import CameraLink
from streams.media.child_protocol import Plan
from streams.media.demux import Channel
from streams.media.faults import Fault, SourceFailed
from streams.media.interleaved import walk
from streams.media.offer import Offer
from streams.media.unforeseen import failure_of, tell_round_failed
from streams.media.wire import PRIVATE_NETWORKS, Resolve, Trust, Wire, resolve_by_system
from vms_privacy.clock import Clock
from vms_privacy.ids import Randomness

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STEP_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """How long a camera is waited for. `stall_s`: without a byte of video; `gulp_s`: between two reads."""

    answer_s: float = 10.0
    stall_s: float = 10.0
    keep_alive_s: float = 25.0
    gulp_s: float = 0.1


@dataclass(frozen=True, slots=True)
class Connected:
    """A camera that has been asked for its tracks and waits for PLAY."""

    link: CameraLink
    plan: Plan
    offer: Offer


class Relay:
    """Reaches cameras. `networks` are the only ones in which a camera may lie."""

    def __init__(
        self,
        clock: Clock,
        randomness: Randomness,
        trust: Trust,
        networks: Sequence[Network] = PRIVATE_NETWORKS,
        limits: RelayLimits | None = None,
        resolve: Resolve = resolve_by_system,
    ) -> None:
        self.limits = limits or RelayLimits()
        self._clock = clock
        self._randomness = randomness
        self._trust = trust
        self._networks = tuple(networks)
        self._resolve = resolve

    async def connect(self, address: RtspAddress, pin: str | None = None) -> Connected:
        """Connect, ask what there is, and ask for one video and at most one audio track. Raises SourceFailed."""
        try:
            async with asyncio.timeout(self.limits.answer_s):
                wire = await Wire.connect(address, self._networks, self._trust, pin, self._resolve)
                return await self._set_up(CameraLink(wire, address, self._randomness))
        except TimeoutError:
            raise SourceFailed(Fault.UNREACHABLE, "the camera does not answer in time") from None

    async def play(self, connected: Connected, channel: Channel, failed: Callable[[SourceFailed], None]) -> "Pump":
        """Let the stream begin; add the pump that comes back to a `Pacer`. Raises SourceFailed."""
        try:
            async with asyncio.timeout(self.limits.answer_s):
                early = await connected.link.play()
        except TimeoutError:
            raise SourceFailed(Fault.UNREACHABLE, "the camera does not answer in time") from None
        return Pump(connected, early, channel, self._clock, self.limits, failed)

    async def _set_up(self, link: CameraLink) -> Connected:
        try:
            offer = await link.describe()
            video = await link.setup(offer.video.control, 0)
            audio = (-1, -1) if offer.audio is None else await link.setup(offer.audio.control, 2)
        except BaseException:
            link.leave()
            raise
        plan = Plan(offer.video, *video, offer.audio, *audio)
        return Connected(link, plan, offer)


class Pump:
    """Moves one camera's bytes. `tick` never waits and never raises; `failed` is called once, when it is over.

    `arrived_us` is when the newest bytes arrived: never less than before within one connection.
    """

    def __init__(
        self,
        connected: Connected,
        early: bytes,
        channel: Channel,
        clock: Clock,
        limits: RelayLimits,
        failed: Callable[[SourceFailed], None],
    ) -> None:
        self.taken_bytes = 0
        self.is_over = False
        self._link = connected.link
        self._wire = connected.link.wire
        plan = connected.plan
        self._video = plan.video_channel
        self._channels = {plan.video_channel, plan.video_reports, plan.audio_channel, plan.audio_reports} - {-1}
        self._early, self._rest = early, b""
        self._channel = channel
        self._clock = clock
        self._limits = limits
        self._failed = failed
        self._keep_alive_s = min(limits.keep_alive_s, self._link.timeout_s / 2)
        self._video_at_s = self._said_at_s = self._last_s = clock.monotonic()
        self.arrived_us = _micros(clock.now())

    def tick(self) -> None:
        """Take what has come since the last tick."""
        if self.is_over:
            return
        try:
            self._move()
        except SourceFailed as failed:
            self._fail(failed)
        except Exception as error:  # noqa: BLE001 - whatever it is, it costs this camera its connection and no other
            why = failure_of(error)
            self._fail(why)

    def stop(self) -> None:
        """End it from our side, with a goodbye. Stopping twice is harmless."""
        if not self.is_over:
            self.is_over = True
            self._link.leave()

    def _fail(self, failed: SourceFailed) -> None:
        try:
            self.stop()
        finally:
            self._failed(failed)

    def _move(self) -> None:
        now_s = self._clock.monotonic()
        if now_s - self._said_at_s >= self._keep_alive_s:
            self._said_at_s = now_s
            self._link.keep_alive()
        if self._channel.is_full:
            # The camera waits in its own socket; a child that stays behind is ended as one that hangs.
            return
        # First what came together with the answer to PLAY.
        data, self._early = self._early or self._wire.take(), b""
        if data:
            self._pass_on(data, now_s)
        elif now_s - self._video_at_s > self._limits.stall_s:
            raise SourceFailed(Fault.STALLED, "the camera is connected and sends no video")

    def _pass_on(self, data: bytes, now_s: float) -> None:
        arrived_us = self._arrival(now_s)
        self.taken_bytes += len(data)
        walked = walk(self._rest + data if self._rest else data, self._channels, self._video)
        self._rest = walked.rest
        for answer in walked.answers:
            self._link.heard(answer)
        if walked.has_video:
            self._video_at_s = now_s
        elif now_s - self._video_at_s > self._limits.stall_s:
            raise SourceFailed(Fault.STALLED, "the camera sends something, and no video")
        if walked.frames:
            self._channel.feed(walked.frames, arrived_us)

    def _arrival(self, now_s: float) -> int:
        """Return the present moment; rising, and in step with the time that really passed.

        After a step of the wall clock nothing of this connection could be placed in time: it begins anew.
        """
        now_us = _micros(self._clock.now())
        passed_us = int((now_s - self._last_s) * 1_000_000)
        if abs(now_us - self.arrived_us - passed_us) > _STEP_US:
            raise SourceFailed(Fault.CLOCK_STEPPED, "this machine's clock was set; the connection begins anew")
        self._last_s = now_s
        self.arrived_us = max(self.arrived_us, now_us)
        return self.arrived_us


class Pacer:
    """The one timer of all pumps."""

    def __init__(self, gulp_s: float, after: Callable[[], None]) -> None:
        self._gulp_s = gulp_s
        self._after = after
        self._pumps: list[Pump] = []
        self.failed_rounds = 0

    def add(self, pump: Pump) -> None:
        """Tick this one too, until it is over."""
        self._pumps.append(pump)

    def tick(self) -> None:
        """Move what there is, of all cameras, and hand it on."""
        for pump in self._pumps:
            pump.tick()
        self._pumps = [pump for pump in self._pumps if not pump.is_over]
        self._after()

    async def run(self) -> None:
        """Tick for ever: every camera depends on it, so a round that fails is told and the next one comes."""
        while True:
            try:
                self.tick()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next round must come
                self.failed_rounds += 1
                tell_round_failed(error)
            await asyncio.sleep(self._gulp_s)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)

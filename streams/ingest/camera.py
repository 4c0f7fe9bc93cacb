"""One camera that is kept connected: connects, waits, connects again, and always knows how it is doing."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from streams.cameras.rules import CameraSource, CameraState, CameraStatus
from streams.ingest.connection import Connection, Joints
from streams.ingest.rules import BackOff, try_again
from streams.ingest.tap import Tap
from streams.media.child_protocol import NewEpoch
from streams.media.faults import SourceFailed
from streams.media.packets import Epoch, Packet, Track
from streams.media.unforeseen import failure_of
from vms_privacy.ids import Randomness

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class KeptCamera:
    """Belongs to one event loop; `status` may be read from any thread. `heard` is told each change of state."""

    def __init__(
        self,
        source: CameraSource,
        tap: Tap,
        joints: Joints,
        randomness: Randomness,
        back_off: BackOff,
        heard: Callable[[CameraSource, CameraStatus], None],
    ) -> None:
        self.source = source
        self.tap = tap
        self._joints = joints
        self._randomness = randomness
        self._back_off = back_off
        self._heard = heard
        self._status = CameraStatus(CameraState.CONNECTING, joints.clock.now())
        self._lost = 0
        self._newest_us = 0
        self._task: asyncio.Task[None] | None = None
        self._is_over = False

    @property
    def status(self) -> CameraStatus:
        """Return how the camera is doing now."""
        newest = _EPOCH + timedelta(microseconds=self._newest_us) if self._newest_us else None
        return replace(self._status, lost=self._lost, last_packet_at=newest)

    def run(self) -> None:
        """Begin to keep it connected, in the running event loop. Running twice, or after `let_go`, does nothing."""
        if self._task is None and not self._is_over:
            self._task = asyncio.get_running_loop().create_task(self._keep())
            self._task.add_done_callback(self._ended)

    def let_go(self) -> asyncio.Task[None] | None:
        """Disconnect; the tap stays open. Return the task that is ending, to be waited for."""
        self._is_over = True
        if self._task is not None:
            self._task.cancel()
        return self._task

    def offered(self, audio_left_out: str) -> None:
        """Hear from the connection."""
        self._status = replace(self._status, audio_left_out=audio_left_out)

    def begun(self, new: NewEpoch) -> None:
        """Hear from the connection."""
        self.tap.new_epoch(Epoch(self.tap.epochs + 1, new.tracks, new.init))
        video = new.tracks[0]
        self._say(
            CameraState.RUNNING,
            codec=video.codec,
            width=video.width,
            height=video.height,
            audio=next((info.codec for info in new.tracks if info.track is Track.AUDIO), ""),
            audio_left_out="aac" if new.sound_refused else self._status.audio_left_out,
            why="",
            detail="",
        )

    def came(self, packets: Sequence[Packet], lost: int) -> None:
        """Hear from the connection."""
        self._lost += lost
        if packets:
            self._newest_us = packets[-1].arrived_at_us
            self.tap.push(packets)

    async def _keep(self) -> None:
        failures = 0
        while True:
            self._say(CameraState.CONNECTING)
            failed, was_well = await self._connect()
            if was_well:
                self._joints.pool.forgive(str(self.source.camera_id))
            chance = int.from_bytes(self._randomness.octets(2), "big") / 0x10000
            again = try_again(failed.fault, failures, was_well, chance, self._back_off)
            failures = again.failures
            self.tap.lose(failed.fault)
            self._say(
                CameraState.WAITING,
                reconnects=self._status.reconnects + 1,
                why=str(failed.fault),
                detail=failed.detail,
            )
            await asyncio.sleep(again.after.total_seconds())

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """A camera is kept for ever; if it ends otherwise than by us, that is a bug, and it is shown as one."""
        if not task.cancelled() and task.exception() is not None:
            self._say(CameraState.OFF, why="internal-error", detail="the service failed; its log says where")
            raise RuntimeError("a camera is no longer kept connected") from task.exception()

    async def _connect(self) -> tuple[SourceFailed, bool]:
        """Stay connected as long as it lasts; return why it ended, and whether it had been well before."""
        clock = self._joints.clock
        before_us = self._newest_us
        began_s = clock.monotonic()
        try:
            failed = await Connection(self.source, self._joints, self, self.tap.captured_us).run()
        except Exception as error:  # noqa: BLE001 - whatever it is, the camera is tried again
            failed = failure_of(error)
        lasted_s = clock.monotonic() - began_s
        was_well = self._newest_us > before_us and lasted_s >= self._back_off.well_after.total_seconds()
        return failed, was_well

    def _say(self, state: CameraState, **changes: str | int) -> None:
        since = self._status.since if state is self._status.state else self._joints.clock.now()
        self._status = replace(self._status, state=state, since=since, **changes)  # type: ignore[arg-type]
        self._heard(self.source, self.status)

"""A simulated camera: a thread that paints, encodes and hands out one picture after the other, in real time."""

import threading
from dataclasses import replace

from streams.simulator.broadcast import Broadcast, SimulatedFeed
from streams.simulator.metronome import Metronome
from streams.simulator.reel import CameraOptions, Reel, epoch_of, tone_for
from vms_privacy.clock import Clock


class CameraSimulator:
    """Live H.264 whose every picture carries camera number, counter, clock and canary.

    Films from `start` to `stop`, viewed or not, as a camera does; once only. `number` has 16 bits, `canary` 32
    bytes (see `Marker.of`).
    """

    def __init__(self, number: int, canary: bytes, clock: Clock, options: CameraOptions | None = None) -> None:
        self.number = number
        self._canary = canary
        self._clock = clock
        self._options = self._wanted = options or CameraOptions()
        self._tone = tone_for(self._options.audio)
        self._reel = self._new_reel()
        self._broadcast = Broadcast(epoch_of(1, self._reel.tracks))
        self._metronome = Metronome(clock, self._options.fps)
        self._thread = threading.Thread(target=self._film, name=f"camera-{number}", daemon=True)
        self.pictures = 0

    @property
    def slots_lost(self) -> int:
        """How many pictures were left out because the machine was too slow, or by a stall."""
        return self._metronome.lost

    def subscribe(self) -> SimulatedFeed:
        """Return what one viewer gets; call it inside the viewer's event loop."""
        return self._broadcast.subscribe()

    def start(self) -> None:
        """Begin to film."""
        self._thread.start()

    def stop(self) -> None:
        """End filming and tell the viewers."""
        self._metronome.stop()
        self._thread.join()
        self._broadcast.end()

    def stall(self) -> None:
        """Send nothing and keep every connection, until `go_on`: a camera that hangs."""
        self._metronome.stall()

    def go_on(self) -> None:
        """End a stall."""
        self._metronome.go_on()

    def change_size(self, width: int, height: int) -> None:
        """Send other parameter sets from the next picture on, in the same connections."""
        self._wanted = replace(self._wanted, width=width, height=height)

    def _new_reel(self) -> Reel:
        return Reel(self.number, self._canary, self._options, self._tone, self._now_us())

    def _now_us(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000)

    def _film(self) -> None:
        self._begin_anew()
        while (slot := self._metronome.wait()) is not None:
            if self._wanted != self._options:
                self._broadcast.publish(self._reel.end(self._now_us()))
                self._options = self._wanted
                self._begin_anew()
                self._broadcast.begin(epoch_of(self._broadcast.epoch.number + 1, self._reel.tracks))
                continue
            self._broadcast.publish(self._reel.film(slot, self.pictures, self._now_us()))
            self.pictures += 1

    def _begin_anew(self) -> None:
        """Put slot 0 of pictures and of time at the same moment."""
        self._reel = self._new_reel()
        self._metronome.restart()

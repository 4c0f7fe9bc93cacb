"""One piece of film, encoded once and looped to any number of paths: cameras that cost nearly nothing."""

import threading
from dataclasses import dataclass, field, replace

from streams.media.packets import Packet, TrackInfo
from streams.simulator.broadcast import Broadcast, SimulatedFeed
from streams.simulator.metronome import Metronome
from streams.simulator.reel import CameraOptions, Reel, ToneTrack, epoch_of, tone_for, track_of
from vms_privacy.clock import Clock
from vms_privacy.ids import Randomness

_NOISE_LINES_SHIFTED = 7
# Noise of a quarter of the range: it costs bits, and leaves the encoder able to meet its rate.
_SOFTENED = bytes(96 + value // 4 for value in range(256))


@dataclass(frozen=True, slots=True)
class Film:
    """A closed run of pictures in decode order, stamped from slot 0 on."""

    options: CameraOptions
    tracks: tuple[TrackInfo, ...]
    pictures: tuple[Packet, ...] = field(repr=False)


def make_film(
    number: int, canary: bytes, options: CameraOptions, seconds: int, noise: Randomness | None = None
) -> Film:
    """Film `seconds` of one camera at once; the bar codes count slots and milliseconds from 0.

    With `noise` the lower part of the picture moves, so that `kbit_s` is filled with real slices.
    """
    if seconds * options.fps % options.gop:
        raise ValueError("a film is made of whole groups of pictures")
    reel = Reel(number, canary, options, None, 0)
    pattern = b"" if noise is None else noise.octets(reel.painter.free_octets).translate(_SOFTENED)
    made: list[Packet] = []
    for slot in range(seconds * options.fps):
        if pattern:
            cut = slot * _NOISE_LINES_SHIFTED * options.width % len(pattern)
            reel.painter.noise(pattern[cut:] + pattern[:cut])
        made += reel.film(slot, slot, 0)
    return Film(options, reel.tracks, (*made, *reel.end(0)))


class Replay:
    """Loops a film in real time with stamps that go on; may stand under many paths, all in step.

    Bar codes and canary begin again with each round: they tell the camera, not the time.
    """

    def __init__(self, film: Film, clock: Clock) -> None:
        self._film = film
        self._clock = clock
        self._tone = tone_for(film.options.audio)
        tone_tracks = () if self._tone is None else (track_of(self._tone),)
        self._broadcast = Broadcast(epoch_of(1, film.tracks + tone_tracks))
        self._metronome = Metronome(clock, film.options.fps)
        self._thread = threading.Thread(target=self._play, name="replay", daemon=True)

    def subscribe(self) -> SimulatedFeed:
        """Return what one viewer gets; call it inside the viewer's event loop."""
        return self._broadcast.subscribe()

    def start(self) -> None:
        """Begin to play."""
        self._thread.start()

    def stop(self) -> None:
        """End playing and tell the viewers."""
        self._metronome.stop()
        self._thread.join()
        self._broadcast.end()

    def _play(self) -> None:
        starts_at_us = self._now_us()
        tone = None if self._tone is None else ToneTrack(self._tone, starts_at_us)
        self._metronome.restart()
        while (slot := self._metronome.wait()) is not None:
            packets = [self._picture(slot, starts_at_us)]
            if tone is not None:
                packets += tone.until(slot * 1_000_000 // self._film.options.fps, self._now_us())
            self._broadcast.publish(packets)

    def _picture(self, slot: int, starts_at_us: int) -> Packet:
        rounds, number = divmod(slot, len(self._film.pictures))
        picture = self._film.pictures[number]
        passed = rounds * len(self._film.pictures) * picture.duration
        captured = starts_at_us + (picture.dts + passed) * 1_000_000 // self._film.tracks[0].timescale
        return replace(
            picture,
            dts=picture.dts + passed,
            pts=picture.pts + passed,
            arrived_at_us=max(self._now_us(), captured),
            captured_at_us=captured,
        )

    def _now_us(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000)

"""Pictures and tone of a simulated camera under one set of parameters, as packets; without thread or clock."""

from collections.abc import Iterable
from dataclasses import dataclass

from streams.media.encoder import VIDEO_TIMESCALE, EncodedPicture, PictureEncoder, Tone, aac_tone, g711_tone
from streams.media.packets import Epoch, Packet, Track, TrackInfo
from streams.simulator.pictures import Marker, Painter
from streams.simulator.rules import layout_for


@dataclass(frozen=True, slots=True)
class CameraOptions:
    """What a simulated camera sends.

    `fps` divides 90,000; `gop` counts pictures; `kbit_s` None is as little as can be; `audio` is None, "aac",
    "pcm_mulaw" or "pcm_alaw": a 1 kHz tone.
    """

    width: int = 1280
    height: int = 720
    fps: int = 25
    gop: int = 25
    bframes: int = 0
    kbit_s: int | None = None
    audio: str | None = None

    def __post_init__(self) -> None:
        if self.fps <= 0 or VIDEO_TIMESCALE % self.fps:
            raise ValueError("the picture rate must divide 90,000")
        if self.width % 2 or self.height % 2 or layout_for(self.width, self.height) is None:
            raise ValueError("the picture must have even sides and room for a bar code")


class Reel:
    """Films slot after slot; slot n stands for `starts_at_us + n / fps`. One thread at a time."""

    def __init__(
        self, number: int, canary: bytes, options: CameraOptions, tone: Tone | None, starts_at_us: int
    ) -> None:
        self._encoder = PictureEncoder(
            options.width, options.height, options.fps, options.gop, options.bframes, options.kbit_s
        )
        self.painter = Painter(self._encoder, options.width, options.height, number, canary)
        self._marker = Marker.of(canary)
        self._fps = options.fps
        self._tone = None if tone is None else ToneTrack(tone, starts_at_us)
        self._starts_at_us = starts_at_us
        picture = TrackInfo(
            Track.VIDEO, "h264", VIDEO_TIMESCALE, self._encoder.avcc, width=options.width, height=options.height
        )
        self.tracks = (picture,) if tone is None else (picture, track_of(tone))

    def film(self, slot: int, counter: int, now_us: int) -> list[Packet]:
        """Encode the picture of a slot and return what has become ready, the tone up to its time included."""
        taken_at_us = self._starts_at_us + slot * 1_000_000 // self._fps
        self.painter.paint(counter, taken_at_us // 1000)
        made = self._pictures(self._encoder.encode(slot), now_us)
        tone = [] if self._tone is None else self._tone.until(taken_at_us - self._starts_at_us, now_us)
        return made + tone

    def end(self, now_us: int) -> list[Packet]:
        """Return what was held back; nothing can be filmed after."""
        return self._pictures(self._encoder.flush(), now_us)

    def _pictures(self, made: Iterable[EncodedPicture], now_us: int) -> list[Packet]:
        ticks = VIDEO_TIMESCALE // self._fps
        out = []
        for picture in made:
            # The clock of captured times runs along decode stamps: with B-pictures it is some pictures behind
            # the time in the bar code, by exactly pts - dts.
            captured = self._starts_at_us + picture.dts * 1_000_000 // self._fps
            out.append(
                Packet(
                    track=Track.VIDEO,
                    dts=picture.dts * ticks,
                    pts=picture.pts * ticks,
                    duration=ticks,
                    is_key=picture.is_key,
                    data=self._marker.mark(picture),
                    arrived_at_us=max(now_us, captured),
                    captured_at_us=captured,
                )
            )
        return out


class ToneTrack:
    """The units of a tone, each when its time has come."""

    def __init__(self, tone: Tone, starts_at_us: int) -> None:
        self._tone = tone
        self._starts_at_us = starts_at_us
        self._units = 0

    def until(self, elapsed_us: int, now_us: int) -> list[Packet]:
        """Return the units that begin up to `elapsed_us` after the start and were not returned before."""
        out: list[Packet] = []
        tone = self._tone
        while (stamp := self._units * tone.samples_a_unit) * 1_000_000 <= elapsed_us * tone.sample_rate:
            captured = self._starts_at_us + stamp * 1_000_000 // tone.sample_rate
            out.append(
                Packet(
                    track=Track.AUDIO,
                    dts=stamp,
                    pts=stamp,
                    duration=tone.samples_a_unit,
                    is_key=True,
                    data=tone.units[self._units % len(tone.units)],
                    arrived_at_us=max(now_us, captured),
                    captured_at_us=captured,
                )
            )
            self._units += 1
        return out


def tone_for(audio: str | None) -> Tone | None:
    """Return the tone of an audio option."""
    if audio is None:
        return None
    return aac_tone() if audio == "aac" else g711_tone(audio)


def epoch_of(number: int, tracks: tuple[TrackInfo, ...]) -> Epoch:
    """Return the tracks as an epoch; a camera knows nothing of MP4, so there are no init segments in it."""
    return Epoch(number, tracks, {})


def track_of(tone: Tone) -> TrackInfo:
    """Return what a decoder must know of a tone."""
    return TrackInfo(
        Track.AUDIO, tone.codec, tone.sample_rate, tone.extradata, sample_rate=tone.sample_rate, channels=1
    )

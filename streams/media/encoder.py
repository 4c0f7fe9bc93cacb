"""H.264 and AAC made by libav, for simulated cameras only: nothing a real camera sent is ever encoded again."""

import array
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import av
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from streams.media import nal

VIDEO_TIMESCALE = 90_000
_TONE_HZ = 1000
_WARM_UP = 8
_RUNS = 8


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """One picture in decode order; stamps count pictures, data has lengths before its units."""

    pts: int
    dts: int
    is_key: bool
    data: bytes = field(repr=False)


_BLACK: Final = (16, 128, 128)


class PictureEncoder:
    """x264 over one frame buffer that the caller paints into.

    Every key picture is an IDR with a closed group. `kbit_s` fixes the rate with filler units (nal-hrd=cbr);
    without it flat pictures cost next to nothing.
    """

    def __init__(
        self, width: int, height: int, fps: int, gop: int, bframes: int = 0, kbit_s: int | None = None
    ) -> None:
        codec = av.CodecContext.create("libx264", "w")
        assert isinstance(codec, VideoCodecContext)
        codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
        codec.time_base, codec.framerate = Fraction(1, fps), Fraction(fps)
        codec.thread_count = 1
        codec.flags = codec.flags | Flags.global_header
        settings: dict[str, int | str] = {
            "keyint": gop,
            "min-keyint": gop,
            "scenecut": 0,
            "bframes": bframes,
            "b-adapt": 0,
            "rc-lookahead": 0,
            "sync-lookahead": 0,
            "mbtree": 0,
            "aq-mode": 0,
            "weightp": 0,
            "sliced-threads": 0,
            "force-cfr": 1,
        }
        if kbit_s is None:
            settings |= {"qp": 26}
        else:
            codec.bit_rate = kbit_s * 1000
            settings |= {"nal-hrd": "cbr", "vbv-maxrate": kbit_s, "vbv-bufsize": kbit_s}
        parameters = ":".join(f"{name}={value}" for name, value in settings.items())
        codec.options = {"preset": "ultrafast", "x264-params": parameters}
        if bframes == 0:
            codec.options["tune"] = "zerolatency"
        codec.open()
        self._codec = codec
        self._frame = av.VideoFrame(width, height, "yuv420p")
        self._frame.time_base = codec.time_base
        for plane, grey in zip(self._frame.planes, _BLACK, strict=True):
            # A new frame holds whatever this process had in that memory before.
            plane.update(bytes((grey,)) * plane.buffer_size)
        units = nal.split_annexb(bytes(codec.extradata or b""))
        self.avcc = nal.make_avcc(
            [unit for unit in units if nal.kind_of(unit) == nal.SPS],
            [unit for unit in units if nal.kind_of(unit) == nal.PPS],
        )

    @property
    def planes(self) -> tuple[tuple[memoryview, int], ...]:
        """The three planes to paint, each with its bytes a line. Black at first; they keep what was painted."""
        return tuple((memoryview(plane), plane.line_size) for plane in self._frame.planes)

    def encode(self, number: int) -> Iterator[EncodedPicture]:
        """Take the buffer as picture `number` (rising by one) and yield what has become ready."""
        self._frame.pts = number
        return self._made(self._codec.encode(self._frame))

    def flush(self) -> Iterator[EncodedPicture]:
        """Yield what was held back; nothing can be encoded after."""
        return self._made(self._codec.encode(None))

    def _made(self, packets: "Sequence[av.Packet[VideoStream]]") -> Iterator[EncodedPicture]:
        for packet in packets:
            assert packet.pts is not None
            assert packet.dts is not None
            units = (
                unit
                for unit in nal.split_annexb(bytes(packet))
                if nal.kind_of(unit) not in {nal.DELIMITER, nal.SPS, nal.PPS}
            )
            yield EncodedPicture(packet.pts, packet.dts, packet.is_keyframe, nal.with_lengths(units))


@dataclass(frozen=True, slots=True)
class Tone:
    """A 1 kHz tone, mono: a run of access units that joins its own end without a seam."""

    codec: str
    sample_rate: int
    samples_a_unit: int
    extradata: bytes
    units: tuple[bytes, ...] = field(repr=False)


def make_tone(codec_name: str, sample_rate: int, samples_a_unit: int, sample_format: str) -> Tone:
    """Encode the tone once; looping it costs a camera nothing.

    The run has whole periods, and it is cut behind the encoder's first units, which still know of the silence
    before. `sample_rate` is a multiple of 1000.
    """
    codec = av.CodecContext.create(codec_name, "w")
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate, codec.layout, codec.format = sample_rate, "mono", sample_format
    codec.time_base = Fraction(1, sample_rate)
    codec.bit_rate = 64_000
    codec.flags = codec.flags | Flags.global_header
    codec.open()
    period = sample_rate // _TONE_HZ
    wanted = math.lcm(period, samples_a_unit) // samples_a_unit * _RUNS
    made: list[bytes] = []
    for number in range(wanted + 2 * _WARM_UP):
        frame = av.AudioFrame(format=sample_format, layout="mono", samples=samples_a_unit)
        frame.sample_rate, frame.pts, frame.time_base = sample_rate, number * samples_a_unit, codec.time_base
        memoryview(frame.planes[0])[:] = _wave(sample_format, period, number * samples_a_unit, samples_a_unit)
        made += map(bytes, codec.encode(frame))
    units = tuple(made[_WARM_UP : _WARM_UP + wanted])
    return Tone(codec_name, sample_rate, samples_a_unit, bytes(codec.extradata or b""), units)


def _wave(sample_format: str, period: int, first: int, count: int) -> bytes:
    """Return `count` samples of the tone from sample `first` on, as the encoder wants them."""
    values = (0.25 * math.sin(2 * math.pi * ((first + n) % period) / period) for n in range(count))
    if sample_format == "fltp":
        return array.array("f", values).tobytes()
    return array.array("h", (round(value * 32767) for value in values)).tobytes()


def aac_tone() -> Tone:
    """AAC-LC at 48 kHz, 1024 samples a unit."""
    return make_tone("aac", 48_000, 1024, "fltp")


def g711_tone(codec_name: str) -> Tone:
    """G.711 at 8 kHz, 20 ms a unit; `codec_name` is pcm_mulaw or pcm_alaw."""
    return make_tone(codec_name, 8_000, 160, "s16")

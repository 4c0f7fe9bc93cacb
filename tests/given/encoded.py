"""Small real streams: H.264 (and AAC) made by libx264, in the shape in which a demuxing child hands them over."""

import functools
import io
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import av
from av.packet import Packet as LibavPacket
from av.stream import Stream

from streams.media.inits import init_for
from streams.media.packets import Epoch, Packet, Track, TrackInfo

START_US = 1_894_708_800_000_000  # 2030-01-15T12:00:00Z, the noon of `HandClock`
VIDEO_TIMESCALE = 90_000
AUDIO_RATE = 48_000


@dataclass(frozen=True)
class Encoded:
    """Tracks, the init segment for each set of them, and packets of both in the order of their decode times."""

    tracks: tuple[TrackInfo, ...]
    inits: dict[frozenset[Track], bytes]
    packets: tuple[Packet, ...]

    def epoch(self, number: int = 1) -> Epoch:
        return Epoch(number, self.tracks, self.inits)

    def of(self, track: Track) -> list[Packet]:
        return [packet for packet in self.packets if packet.track is track]

    def later(self, seconds: float) -> tuple[Packet, ...]:
        """The same packets, all stamps and times `seconds` later."""
        scales = {info.track: info.timescale for info in self.tracks}
        step_us = round(seconds * 1_000_000)
        return tuple(
            replace(
                packet,
                dts=packet.dts + round(seconds * scales[packet.track]),
                pts=packet.pts + round(seconds * scales[packet.track]),
                arrived_at_us=packet.arrived_at_us + step_us,
                captured_at_us=packet.captured_at_us + step_us,
            )
            for packet in self.packets
        )


@functools.cache
def encoded(
    seconds: float = 4.0,
    *,
    fps: int = 25,
    size: tuple[int, int] = (160, 96),
    gop: int = 50,
    bframes: int = 0,
    audio: bool = False,
    noise: int = 0,
    first_dts: int = 0,
) -> Encoded:
    """Encode a moving bar. `noise` bytes of noise in each picture make packets of a camera's size.

    `first_dts` is the decode time of the first picture in ticks; negative ones do come from cameras.
    """
    raw = _file(seconds, fps, size, gop, bframes, audio, noise)
    with av.open(io.BytesIO(raw), "r") as file:
        infos = tuple(_info(stream) for stream in file.streams)
        stamped = [_packet(packet) for packet in file.demux() if packet.size]
    start = min(packet.dts for packet in stamped if packet.track is Track.VIDEO)
    scales = {info.track: info.timescale for info in infos}
    shift_s = (first_dts - start) / VIDEO_TIMESCALE
    moved = [
        replace(one, dts=one.dts + round(shift_s * scales[one.track]), pts=one.pts + round(shift_s * scales[one.track]))
        for one in stamped
    ]
    timed = [_timed(one, scales[one.track], first_dts / VIDEO_TIMESCALE) for one in moved]
    timed.sort(key=lambda one: one.captured_at_us)
    whole = _header(raw)
    sets = [infos] if len(infos) == 1 else [infos, infos[:1], infos[1:]]
    inits = {frozenset(info.track for info in chosen): init_for(whole, chosen) for chosen in sets}
    return Encoded(infos, inits, tuple(timed))


def _file(seconds: float, fps: int, size: tuple[int, int], gop: int, bframes: int, audio: bool, noise: int) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        options = {"g": str(gop), "bf": str(bframes), "sc_threshold": "0", "preset": "ultrafast", "crf": "30"}
        video = file.add_stream("libx264", rate=fps, options=options)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        sound = file.add_stream("aac", rate=AUDIO_RATE) if audio else None
        for number, picture in enumerate(_pictures(round(seconds * fps), size, noise)):
            picture.pts, picture.time_base = number, Fraction(1, fps)
            file.mux(video.encode(picture))
        file.mux(video.encode(None))
        if sound is not None:
            for frame in _tone(seconds):
                file.mux(sound.encode(frame))
            file.mux(sound.encode(None))
    return out.getvalue()


def _pictures(count: int, size: tuple[int, int], noise: int) -> Iterator[av.VideoFrame]:
    width, height = size
    state = 1
    for number in range(count):
        frame = av.VideoFrame(width, height, "yuv420p")
        for index, plane in enumerate(frame.planes):
            rows = bytearray((128 if index else 40).to_bytes(1, "big") * plane.buffer_size)
            if index == 0:
                bar = (number * 4) % width
                for row in range(height):
                    rows[row * plane.line_size + bar] = 235
                for at in range(min(noise, plane.buffer_size)):
                    state = (state * 1_103_515_245 + 12_345) & 0x7FFFFFFF
                    rows[at] = state >> 23
            plane.update(bytes(rows))
        yield frame


def _tone(seconds: float) -> Iterator[av.AudioFrame]:
    samples = round(seconds * AUDIO_RATE) // 1024
    for number in range(samples):
        frame = av.AudioFrame("fltp", "stereo", 1024)
        frame.sample_rate, frame.pts, frame.time_base = AUDIO_RATE, number * 1024, Fraction(1, AUDIO_RATE)
        wave = [math.sin((number * 1024 + at) * 440 * math.tau / AUDIO_RATE) / 4 for at in range(1024)]
        for plane in frame.planes:
            plane.update(struct.pack("1024f", *wave))
        yield frame


def _info(stream: Stream) -> TrackInfo:
    extradata = stream.codec_context.extradata
    assert extradata
    if isinstance(stream, av.VideoStream):
        return TrackInfo(Track.VIDEO, "h264", VIDEO_TIMESCALE, extradata, width=stream.width, height=stream.height)
    assert isinstance(stream, av.AudioStream)
    return TrackInfo(Track.AUDIO, "aac", AUDIO_RATE, extradata, sample_rate=AUDIO_RATE, channels=stream.channels)


def _packet(packet: "LibavPacket[Any]") -> Packet:
    is_video = packet.stream.type == "video"
    scale = VIDEO_TIMESCALE if is_video else AUDIO_RATE
    assert packet.dts is not None
    assert packet.pts is not None
    assert packet.duration is not None
    ticks = packet.time_base * scale
    return Packet(
        track=Track.VIDEO if is_video else Track.AUDIO,
        dts=round(packet.dts * ticks),
        pts=round(packet.pts * ticks),
        duration=round(packet.duration * ticks),
        is_key=packet.is_keyframe,
        data=bytes(packet),
        arrived_at_us=0,
        captured_at_us=0,
    )


def _timed(packet: Packet, scale: int, first_s: float) -> Packet:
    captured = START_US + round((packet.dts / scale - first_s) * 1_000_000)
    return replace(packet, captured_at_us=captured, arrived_at_us=captured + 15_000)


def _header(raw: bytes) -> bytes:
    """The ftyp and moov of a fragmented file with the streams of `raw`, as libav writes them."""
    out = io.BytesIO()
    with av.open(io.BytesIO(raw), "r") as file:
        with av.open(out, "w", format="mp4", options={"movflags": "empty_moov+default_base_moof+frag_custom"}) as copy:
            for stream in file.streams:
                copy.add_stream_from_template(stream)
            copy.start_encoding()
    return out.getvalue()

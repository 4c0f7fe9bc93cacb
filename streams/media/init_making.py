"""Init segments and what else a decoder must know. The only place where libav meets the bytes of a camera.

Runs in the child process alone: parameter sets and the first key picture of a hostile camera are read by C code here.
Every container is opened from memory and closed in the same call, by the same thread.
"""

import io
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Final

import av

from streams.media.boxes import DamagedBox, boxes_in, find
from streams.media.faults import Fault, SourceFailed
from streams.media.inits import init_for
from streams.media.offer import AudioOffer
from streams.media.packets import Track, TrackInfo

# Three bytes: the fourth would be taken for the end of the unit before it.
_START: Final = b"\x00\x00\x01"
_LARGEST: Final = 16384
_CONFIGURATION: Final = {"h264": b"avcC", "hevc": b"hvcC"}
_VISUAL_ENTRY_FIELDS: Final = 78


@dataclass(frozen=True, slots=True)
class Made:
    """What a new epoch needs. `depth` is how many pictures may be shown out of order; `sound_refused`: no audio."""

    tracks: tuple[TrackInfo, ...]
    init: Mapping[frozenset[Track], bytes] = field(repr=False)
    depth: int
    sound_refused: bool = False


def make_init(
    codec: str, clock: int, parameter_sets: Sequence[bytes], key: Sequence[bytes], audio: AudioOffer | None
) -> Made:
    """Return the init segments for every set of tracks.

    `codec` is h264 or hevc, `key` the NAL units of a key picture. Raises SourceFailed (garbage) if libav cannot read
    them; sound that it cannot read is left out.
    """
    try:
        return _make(codec, clock, parameter_sets, key, audio)
    except (av.FFmpegError, DamagedBox, ValueError, MemoryError):
        if audio is not None:
            without = make_init(codec, clock, parameter_sets, key, None)
            return Made(without.tracks, without.init, without.depth, sound_refused=True)
        # `from None`: what libav says may hold the camera's own bytes.
        raise SourceFailed(Fault.GARBAGE, "the camera's parameter sets cannot be read") from None


def _make(
    codec: str, clock: int, parameter_sets: Sequence[bytes], key: Sequence[bytes], audio: AudioOffer | None
) -> Made:
    elementary = b"".join(part for unit in (*parameter_sets, *key) for part in (_START, unit))
    with ExitStack() as stack:
        source = stack.enter_context(av.open(io.BytesIO(elementary), format=codec))
        video = source.streams.video[0]
        context = video.codec_context
        if not (0 < context.width <= _LARGEST and 0 < context.height <= _LARGEST):
            raise ValueError("a picture of no size")
        sound = None if audio is None else stack.enter_context(_sound(audio)).streams.audio[0]
        written = _Written()
        out = av.open(written, "w", format="mp4", options={"movflags": "empty_moov+default_base_moof+frag_custom"})
        # Opaque: the template's own codec is taken as it is; no encoder is looked for.
        out.add_stream_from_template(video, opaque=True)
        if sound is not None:
            out.add_stream_from_template(sound, opaque=True)
        out.start_encoding()
        whole = bytes(written.data)
        out.close()
        infos = [_video_info(whole, codec, clock, context.width, context.height)]
        if audio is not None and sound is not None:
            infos.append(
                TrackInfo(
                    track=Track.AUDIO,
                    codec="aac",
                    timescale=audio.clock,
                    extradata=audio.config,
                    sample_rate=sound.codec_context.sample_rate,
                    channels=sound.codec_context.channels,
                )
            )
        return Made(tuple(infos), _inits(whole, infos), context.reorder_depth)


def _inits(whole: bytes, infos: Sequence[TrackInfo]) -> dict[frozenset[Track], bytes]:
    chosen = (some for count in range(1, len(infos) + 1) for some in combinations(infos, count))
    return {frozenset(info.track for info in some): init_for(whole, some) for some in chosen}


def _video_info(init: bytes, codec: str, clock: int, width: int, height: int) -> TrackInfo:
    stsd = find(init, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    entry = next(boxes_in(init, stsd.body + 8, stsd.end))
    record = next(
        (
            one
            for one in boxes_in(init, entry.body + _VISUAL_ENTRY_FIELDS, entry.end)
            if one.kind == _CONFIGURATION[codec]
        ),
        None,
    )
    if record is None:
        raise DamagedBox("no configuration record was written")
    return TrackInfo(Track.VIDEO, codec, clock, init[record.body : record.end], width=width, height=height)


def _sound(audio: AudioOffer) -> Any:
    """Return a container with an audio stream as libav understands the offer: an SDP in our words, and no packet."""
    sdp = (
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n"
        f"m=audio 0 RTP/AVP 97\na=rtpmap:97 MPEG4-GENERIC/{audio.clock}/{audio.channels}\n"
        "a=fmtp:97 mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;"
        f"config={audio.config.hex()}\n"
    )
    # `custom_io`: nothing is opened, not even a port; the packets would come from the same memory, and there are none.
    return av.open(io.BytesIO(sdp.encode("ascii")), format="sdp", options={"sdp_flags": "custom_io"})


class _Written:
    """What the muxer wrote; it cannot seek, as the header of a fragmented file need not be touched again."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)

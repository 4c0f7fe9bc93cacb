"""What a camera offers: its SDP read down to one video and at most one audio track (RFC 8866; RFC 2326, C.1). Pure.

Names of codecs are what FFmpeg calls them, so that a status can be compared with `ffprobe`.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from streams.address import DEFAULT_PORTS, RtspAddress, parse_address
from streams.errors import BadCameraAddress
from streams.media.faults import Fault, SourceFailed, shown

_MOST_LINES: Final = 2000
_VIDEO: Final = {"H264": "h264", "H265": "hevc"}
# RFC 3551, table 4 and 5: payload types that need no rtpmap.
_STATIC: Final = {0: "PCMU/8000", 3: "GSM/8000", 8: "PCMA/8000", 9: "G722/8000", 14: "MPA/90000", 26: "JPEG/90000"}
_FAMILIAR: Final = {
    "PCMU": "pcm_mulaw",
    "PCMA": "pcm_alaw",
    "G722": "adpcm_g722",
    "G726-16": "adpcm_g726",
    "G726-24": "adpcm_g726",
    "G726-32": "adpcm_g726",
    "G726-40": "adpcm_g726",
    "L16": "pcm_s16be",
    "MPA": "mp3",
    "MP4A-LATM": "aac_latm",
    "MPEG4-GENERIC": "aac",
    "OPUS": "opus",
    "JPEG": "mjpeg",
    "MP4V-ES": "mpeg4",
    "VP8": "vp8",
    "VP9": "vp9",
    "AV1": "av1",
}


@dataclass(frozen=True, slots=True)
class VideoOffer:
    """One video track. `parameter_sets` are NAL units from the SDP; they may be missing there."""

    codec: str
    payload_type: int
    clock: int
    control: str = field(repr=False)
    parameter_sets: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class AudioOffer:
    """One AAC track (RFC 3640): the bits of the AU header's fields, and AudioSpecificConfig."""

    payload_type: int
    clock: int
    channels: int
    control: str = field(repr=False)
    config: bytes = field(repr=False)
    size_bits: int = 13
    index_bits: int = 3
    delta_bits: int = 3


@dataclass(frozen=True, slots=True)
class Offer:
    """What is taken of a camera's offer. `audio_left_out` names the codec of a sound that MP4 cannot carry."""

    video: VideoOffer
    audio: AudioOffer | None
    audio_left_out: str | None
    control: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Media:
    kind: str
    payload_type: int
    attributes: Mapping[str, str]
    encoding: str
    clock: int
    channels: int

    @property
    def codec(self) -> str:
        return _FAMILIAR.get(self.encoding, shown(self.encoding.lower()))

    @property
    def control(self) -> str:
        return self.attributes.get("control", "")

    @property
    def parameters(self) -> dict[str, str]:
        """Return the format parameters, names in lower case."""
        _, _, text = self.attributes.get("fmtp", "").partition(" ")
        pairs = (part.partition("=") for part in text.split(";"))
        return {key.strip().lower(): value.strip() for key, _, value in pairs if key.strip()}


def read_offer(sdp: bytes) -> Offer:
    """Choose what we take. Raises SourceFailed: garbage, no video, or a video codec that cannot be kept."""
    session, media = _read(sdp)
    videos = [one for one in media if one.kind == "video"]
    if not videos:
        raise SourceFailed(Fault.NO_VIDEO, "the camera offers no video")
    video = next((one for one in videos if one.encoding in _VIDEO), None)
    if video is None:
        raise SourceFailed(Fault.UNSUPPORTED_CODEC, f"the camera's video is {videos[0].codec}; we take h264 and hevc")
    if video.parameters.get("packetization-mode") == "2" or video.parameters.get("sprop-max-don-diff", "0") != "0":
        raise SourceFailed(Fault.UNSUPPORTED_CODEC, f"the camera interleaves its {video.codec}; we take it in order")
    if video.clock <= 0:
        raise SourceFailed(Fault.GARBAGE, "the camera's video has no clock")
    audios = [one for one in media if one.kind == "audio"]
    audio = next((taken for one in audios if (taken := _audio(one)) is not None), None)
    return Offer(
        video=VideoOffer(
            codec=_VIDEO[video.encoding],
            payload_type=video.payload_type,
            clock=video.clock,
            control=video.control,
            parameter_sets=_parameter_sets(video.parameters),
        ),
        audio=audio,
        audio_left_out=audios[0].codec if audios and audio is None else None,
        control=session.get("control", ""),
    )


def control_uri(base: str, control: str, camera: RtspAddress, peer: str) -> str:
    """Return the URI of a track or of the whole (RFC 2326, C.1.1), at the camera's own name.

    `peer` is the IP address we are connected to, by which many cameras call themselves; with TLS some still say rtsp,
    and it is asked over this connection all the same. Raises SourceFailed (redirect-refused) if it leads to another
    host or port: the address that was checked and the certificate that was verified are the camera's.
    """
    if control in {"", "*"}:
        return base
    uri = control if "://" in control else _joined(base, control, camera)
    try:
        found = parse_address(uri)
    except BadCameraAddress:
        raise SourceFailed(Fault.GARBAGE, "the camera names a track by something that is no address") from None
    if found.host not in {camera.host, peer} or found.port not in {camera.port, DEFAULT_PORTS[found.scheme]}:
        raise SourceFailed(Fault.REDIRECT_REFUSED, "the camera leads to another address")
    return f"{camera.scheme}://{camera.authority}{found.target}"


def _joined(base: str, control: str, camera: RtspAddress) -> str:
    if control.startswith("/"):
        return f"{camera.scheme}://{camera.authority}{control}"
    # Cameras append to the base, slash or not, where RFC 1808 would replace its last part.
    return f"{base}{'' if base.endswith('/') else '/'}{control}"


def _read(sdp: bytes) -> tuple[dict[str, str], list[_Media]]:
    lines = sdp.decode("utf-8", errors="replace").replace("\r\n", "\n").split("\n")
    if len(lines) > _MOST_LINES or not lines[0].startswith("v="):
        raise SourceFailed(Fault.GARBAGE, "the camera describes itself in something that is no SDP")
    session: dict[str, str] = {}
    heads: list[tuple[str, dict[str, str]]] = []
    for line in lines:
        kind, _, value = line.partition("=")
        if kind == "m":
            heads.append((value, {}))
        elif kind == "a":
            name, _, text = value.partition(":")
            attributes = heads[-1][1] if heads else session
            attributes.setdefault(name.strip().lower(), text.strip())
    return session, [media for head, attributes in heads if (media := _media(head, attributes)) is not None]


def _media(head: str, attributes: dict[str, str]) -> _Media | None:
    words = head.split()
    if len(words) < 4 or not words[3].isdigit() or int(words[3]) > 127:
        return None
    payload_type = int(words[3])
    number, _, text = attributes.get("rtpmap", "").partition(" ")
    if number != words[3]:
        text = _STATIC.get(payload_type, "")
    encoding, *rest = text.strip().split("/")
    clock = int(rest[0]) if rest and rest[0].isdigit() and len(rest[0]) < 8 else 0
    channels = int(rest[1]) if len(rest) > 1 and rest[1].isdigit() and len(rest[1]) < 3 else 1
    return _Media(words[0].lower(), payload_type, attributes, encoding.upper(), clock, channels)


def _audio(media: _Media) -> AudioOffer | None:
    """Return the track if MP4 can carry it as it is: AAC in the high or low bit-rate mode of RFC 3640."""
    parameters = media.parameters
    if media.encoding != "MPEG4-GENERIC" or not parameters.get("mode", "").lower().startswith("aac-"):
        return None
    if media.clock <= 0:
        return None
    bits = [parameters.get(name, "") for name in ("sizelength", "indexlength", "indexdeltalength")]
    if not all(re.fullmatch(r"[0-9]{1,2}", text or "0") for text in bits):
        return None
    size, index, delta = (int(text or "0") for text in bits)
    if not 1 <= size <= 16 or index > 8 or delta > 8:
        return None
    try:
        config = bytes.fromhex(parameters.get("config", ""))
    except ValueError:
        return None
    if not 2 <= len(config) <= 64:
        return None
    return AudioOffer(
        media.payload_type, media.clock, max(1, media.channels), media.control, config, size, index, delta
    )


def _parameter_sets(parameters: Mapping[str, str]) -> tuple[bytes, ...]:
    """Return the NAL units of RFC 6184, 8.1 and RFC 7798, 7.1; what cannot be read is as if it were not there."""
    names = ("sprop-vps", "sprop-sps", "sprop-pps", "sprop-parameter-sets")
    texts = [text for name in names for text in parameters.get(name, "").split(",") if text]
    return tuple(unit for text in texts if len(unit := _unit(text)) > 3)


def _unit(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""

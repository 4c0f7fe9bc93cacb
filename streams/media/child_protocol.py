"""What the service and a demux child say to each other over two pipes. Pure: bytes in, values out.

Down: open a camera, its bytes with the moment they arrived, close it. Up: a new epoch, a batch of packets, the end. The
parent believes nothing that comes up: a length, a number or a word out of bounds is `ChildSpeaksNonsense`.
"""

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import IntEnum, unique
from typing import Any, Final, NamedTuple

from streams.media.faults import Fault
from streams.media.offer import AudioOffer, VideoOffer
from streams.media.packets import Track, TrackInfo

_HEAD: Final = struct.Struct("<BIQI")
_BATCH: Final = struct.Struct("<IH")
# Track, whether it is a key picture, bytes, dts, pts, duration, when it arrived.
_PACKET: Final = struct.Struct("<BBIqqIQ")
_MOST_MESSAGE: Final = 64 * 1024 * 1024
_MOST_EPOCH: Final = 1024 * 1024
_FARTHEST: Final = 2**62
_TRACKS: Final = (Track.VIDEO, Track.AUDIO)
_NUMBER_OF: Final = {Track.VIDEO: 0, Track.AUDIO: 1}
MOST_IN_BATCH: Final = 0xFFFF


@unique
class Down(IntEnum):
    """What the service says."""

    OPEN = 1
    DATA = 2
    CLOSE = 3


@unique
class Up(IntEnum):
    """What the child says."""

    EPOCH = 1
    PACKETS = 2
    ENDED = 3


class ChildSpeaksNonsense(Exception):
    """The child said something that cannot be: it is no longer ours to trust."""


class Message(NamedTuple):
    """One message. `slot` is the camera within one child and never used twice; `at_us` is set with DATA."""

    kind: int
    slot: int
    at_us: int
    body: bytes


class Coded(NamedTuple):
    """One packet as it comes up. Times are ticks of its epoch, `arrived_us` as we said it on the way down."""

    track: Track
    is_key: bool
    dts: int
    pts: int
    duration: int
    arrived_us: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """What a child must know to take one camera's stream apart. Channels are those of the `$` frames."""

    video: VideoOffer
    video_channel: int
    video_reports: int
    audio: AudioOffer | None = None
    audio_channel: int = -1
    audio_reports: int = -1


@dataclass(frozen=True, slots=True)
class NewEpoch:
    """Tracks and init segments from here on. `sound_refused`: the camera's sound could not be read."""

    tracks: tuple[TrackInfo, ...]
    init: Mapping[frozenset[Track], bytes] = field(repr=False)
    sound_refused: bool = False


def write(kind: int, slot: int, body: bytes = b"", at_us: int = 0) -> bytes:
    """Return one message."""
    return _HEAD.pack(kind, slot, at_us, len(body)) + body


def write_head(kind: int, slot: int, at_us: int, length: int) -> bytes:
    """Return the head of a message whose body of `length` bytes is sent from where it lies."""
    return _HEAD.pack(kind, slot, at_us, length)


class Reader:
    """Cuts what comes through a pipe into messages."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that are whole. Raises ChildSpeaksNonsense."""
        data = self._rest + data if self._rest else data
        at, end = 0, len(data)
        while end - at >= _HEAD.size:
            kind, slot, at_us, length = _HEAD.unpack_from(data, at)
            if length > _MOST_MESSAGE:
                raise ChildSpeaksNonsense("a message is too long")
            body = at + _HEAD.size
            if end - body < length:
                break
            at = body + length
            yield Message(kind, slot, at_us, data[body:at])
        self._rest = data[at:]


def write_plan(plan: Plan) -> bytes:
    """Return the body of OPEN."""
    return json.dumps(asdict(plan), default=bytes.hex).encode()


def read_plan(body: bytes) -> Plan:
    """Read the body of OPEN; it is the service's own word."""
    said: dict[str, Any] = json.loads(body)
    video, audio = said.pop("video"), said.pop("audio")
    video["parameter_sets"] = tuple(bytes.fromhex(one) for one in video["parameter_sets"])
    if audio is not None:
        audio["config"] = bytes.fromhex(audio["config"])
    return Plan(video=VideoOffer(**video), audio=None if audio is None else AudioOffer(**audio), **said)


def write_epoch(epoch: NewEpoch) -> bytes:
    """Return the body of EPOCH."""
    said = {
        "tracks": [asdict(track) for track in epoch.tracks],
        "init": [[sorted(tracks), init.hex()] for tracks, init in epoch.init.items()],
        "sound_refused": epoch.sound_refused,
    }
    return json.dumps(said, default=bytes.hex).encode()


def read_epoch(body: bytes) -> NewEpoch:
    """Read the body of EPOCH. Raises ChildSpeaksNonsense."""
    if len(body) > _MOST_EPOCH:
        raise ChildSpeaksNonsense("an epoch is too long")
    try:
        said = json.loads(body)
        tracks = tuple(_track(one) for one in said["tracks"])
        init = {frozenset(Track(name) for name in names): bytes.fromhex(text) for names, text in said["init"]}
        epoch = NewEpoch(tracks, init, bool(said["sound_refused"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ChildSpeaksNonsense("an epoch cannot be read") from None
    if not tracks or tracks[0].track is not Track.VIDEO or frozenset(one.track for one in tracks) not in init:
        raise ChildSpeaksNonsense("an epoch has no video or no init segment")
    return epoch


def _track(said: dict[str, Any]) -> TrackInfo:
    numbers = [said[name] for name in ("timescale", "width", "height", "sample_rate", "channels")]
    if not all(type(number) is int and 0 <= number < 2**31 for number in numbers) or numbers[0] == 0:
        raise ValueError("a track's numbers are out of bounds")
    codec = said["codec"]
    if codec not in {"h264", "hevc", "aac"}:
        raise ValueError("a codec that was never asked for")
    return TrackInfo(Track(said["track"]), codec, numbers[0], bytes.fromhex(said["extradata"]), *numbers[1:])


def write_packets(lost: int, packets: Sequence[Coded]) -> bytes:
    """Return the body of PACKETS; `lost` counts pictures and frames that came damaged, since the last batch."""
    heads = [
        _PACKET.pack(_NUMBER_OF[one.track], one.is_key, len(one.data), one.dts, one.pts, one.duration, one.arrived_us)
        for one in packets
    ]
    return b"".join((_BATCH.pack(lost, len(packets)), *heads, *(one.data for one in packets)))


def read_packets(body: bytes) -> tuple[int, list[Coded]]:
    """Read the body of PACKETS: how many were lost, and the packets. Raises ChildSpeaksNonsense."""
    try:
        lost, count = _BATCH.unpack_from(body)
        at = _BATCH.size + count * _PACKET.size
        packets = []
        for number, key, size, dts, pts, duration, arrived_us in _PACKET.iter_unpack(body[_BATCH.size : at]):
            if not (0 <= dts <= pts < _FARTHEST and at + size <= len(body) and arrived_us < _FARTHEST):
                raise ChildSpeaksNonsense("a packet is out of bounds")
            packets.append(Coded(_TRACKS[number], key == 1, dts, pts, duration, arrived_us, body[at : at + size]))
            at += size
    except (struct.error, IndexError):
        raise ChildSpeaksNonsense("a batch of packets cannot be read") from None
    if len(packets) != count or at != len(body):
        raise ChildSpeaksNonsense("a batch of packets does not add up")
    return lost, packets


def write_end(fault: Fault, detail: str) -> bytes:
    """Return the body of ENDED."""
    return f"{fault}\n{detail}".encode()


def read_end(body: bytes) -> tuple[Fault, str]:
    """Read the body of ENDED. Raises ChildSpeaksNonsense."""
    try:
        code, _, detail = body[:400].decode("ascii").partition("\n")
        fault = Fault(code)
    except ValueError:
        raise ChildSpeaksNonsense("an end without a reason") from None
    if not detail.isprintable():
        raise ChildSpeaksNonsense("an end that cannot be shown")
    return fault, detail

"""Brightness of decoded pictures, for tests and the demo: the proof that media is what it should be.

Nothing here is on a viewer's path; the service itself never decodes a camera's picture, and a check does so in a child
of its own (`trial_child`).
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import av
from av.video.frame import VideoFrame

from vms_privacy.errors import Kind, Refusal


class NotDecodable(Refusal):
    """The bytes are no media with a picture, or stop being so half-way."""

    kind: ClassVar[Kind] = Kind.DAMAGED
    code: ClassVar[str] = "media-not-decodable"


@dataclass(frozen=True, slots=True)
class Luma:
    """The brightness of one picture: `height` lines of `line_size` bytes of which `width` count."""

    width: int
    height: int
    line_size: int
    data: memoryview = field(repr=False)
    seconds: float | None


def decode_luma(media: bytes) -> Iterator[Luma]:
    """Yield the pictures of a media file in order of presentation.

    `media` is whole: fMP4 (init and fragments put together), MP4, MPEG-TS or an H.264 byte stream.

    Raises:
        NotDecodable: while iterating, at the point where decoding fails.

    """
    try:
        with av.open(io.BytesIO(media), mode="r") as container:
            if not container.streams.video:
                raise NotDecodable("there is no picture in it")
            for frame in container.decode(container.streams.video[0]):
                yield _luma(frame)
    except av.FFmpegError:
        raise NotDecodable("it cannot be decoded") from None


def _luma(frame: VideoFrame) -> Luma:
    if not frame.format.name.startswith(("yuv", "nv", "gray")):
        raise NotDecodable("its pictures have no plane of brightness")
    plane = frame.planes[0]
    return Luma(frame.width, frame.height, plane.line_size, memoryview(plane), frame.time)

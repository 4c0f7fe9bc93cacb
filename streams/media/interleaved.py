"""Walking through what a camera sends: `$` frames, and now and then an answer between them (RFC 2326, 10.12). Pure.

Frames are not looked into, except to tell packets of video from everything else.
"""

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Final

from streams.media.faults import Fault, SourceFailed
from streams.media.rtsp_heads import MOST_BODY, MOST_HEAD, Answer, read_answer

DOLLAR: Final = 0x24
_R: Final = ord("R")


@dataclass(frozen=True, slots=True)
class Walk:
    """What one stretch of bytes held: whole frames of the wanted channels, answers, and a rest to go on with."""

    frames: bytes = field(repr=False)
    rest: bytes = field(repr=False)
    answers: tuple[Answer, ...] = ()
    has_video: bool = False


def walk(data: bytes, channels: Set[int], video: int) -> Walk:
    """Take `data` apart as far as it goes; call again with `rest` and what came after it.

    `channels` are those to keep, `video` the one of video packets. Raises SourceFailed: bytes that are neither a
    frame nor an answer, an answer that is too large.
    """
    at, end = 0, len(data)
    kept_from = 0
    kept: list[bytes] = []
    answers: list[Answer] = []
    has_video = False
    while at + 4 <= end:
        if data[at] == DOLLAR:
            after = at + 4 + (data[at + 2] << 8 | data[at + 3])
            if after > end:
                break
            channel = data[at + 1]
            if channel == video:
                has_video = True
            elif channel not in channels:
                kept.append(data[kept_from:at])
                kept_from = after
            at = after
            continue
        answer, after = _answer(data, at)
        if answer is None:
            break
        kept.append(data[kept_from:at])
        kept_from = at = after
        answers.append(answer)
    kept.append(data[kept_from:at])
    return Walk(b"".join(kept) if len(kept) > 1 else kept[0], data[at:], tuple(answers), has_video)


def _answer(data: bytes, at: int) -> tuple[Answer | None, int]:
    if data[at] != _R:
        raise SourceFailed(Fault.GARBAGE, "the camera sends something that is neither a picture nor an answer")
    until = data.find(b"\r\n\r\n", at, at + MOST_HEAD)
    if until < 0:
        if len(data) - at >= MOST_HEAD:
            raise SourceFailed(Fault.HEAD_TOO_LARGE, "the head of the camera's answer is over 16 KiB")
        return None, at
    answer = read_answer(data[at:until])
    if answer.content_length > MOST_BODY:
        raise SourceFailed(Fault.BODY_TOO_LARGE, "the camera's answer is over 64 KiB")
    after = until + 4 + answer.content_length
    return (None, at) if after > len(data) else (answer, after)

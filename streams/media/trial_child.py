"""The trial child: decodes media that it is sent, says how many pictures there were, and shows them to nobody.

Started by `streams.media.trial` with an empty environment as `python -m streams.media.trial_child`. It has no key, no
database, no socket and no file, as the demux child; what it is sent ends with it. A film that breaks its decoder costs
this process and nothing else.
"""

import io
import os
import signal
import sys
from typing import Final

import av

from streams.media.lockdown import lock_down
from streams.media.trial_rules import LENGTH, MOST_PIECE, Tried, write_answer

_IN, _OUT = 0, 1
# A grey picture of sixteen by sixteen.
_GREY: Final = bytes.fromhex("0000016742c00ada7a1000000300100000030320f1226a00000168ce0fc80000016588843a2780")
_DAMAGE: Final = "explode"
"""Libav hides damage by painting over it, unless it is told not to."""


class Incoming:
    """The media that is being sent, as libav reads it: forwards, once, until the length of 0."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._left = 0
        self._is_over = False

    @property
    def waits(self) -> bool:
        """Block until there is something to read; say no where the parent has closed the pipe before another file."""
        self._is_over = False
        return self._begin_piece(may_end=True)

    def read(self, most: int) -> bytes:
        """Return the next bytes; none at the end. Raises EOFError where the parent has gone away."""
        if self._is_over or (not self._left and not self._begin_piece(may_end=False)):
            return b""
        data = os.read(self._handle, min(most, self._left))
        if not data:
            raise EOFError
        self._left -= len(data)
        return data

    def drain(self) -> None:
        """Let the rest of the file pass."""
        while self.read(MOST_PIECE):
            pass

    def _begin_piece(self, *, may_end: bool) -> bool:
        """Read the length of the next piece; say whether there is one."""
        head = b""
        while len(head) < LENGTH.size:
            part = os.read(self._handle, LENGTH.size - len(head))
            if not part:
                if may_end and not head:
                    return False
                raise EOFError
            head += part
        (self._left,) = LENGTH.unpack(head)
        self._is_over = not self._left
        return may_end or not self._is_over


def decode(source: object, form: str = "mp4") -> Tried:
    """Decode every picture and every sound of a film, and count them. Its form is not guessed from its bytes."""
    counts = {"video": 0, "audio": 0}
    refused = 0
    try:
        with av.open(source, mode="r", format=form) as container:
            streams = [one for one in container.streams if one.type in counts]
            for stream in streams:
                stream.codec_context.thread_count = 1
                stream.codec_context.options = {"err_detect": _DAMAGE}
            for packet in container.demux(*streams):
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    refused += 1
                    continue
                counts[packet.stream.type] += len(frames)
    except (av.FFmpegError, ValueError):
        return Tried(is_media=False, pictures=counts["video"], sounds=counts["audio"], refused=refused)
    return Tried(is_media=True, pictures=counts["video"], sounds=counts["audio"], refused=refused)


def rehearse() -> None:
    """Do once what is done for every film, so that all code is loaded while files can still be opened."""
    if decode(io.BytesIO(_GREY), "h264").pictures != 1 or decode(io.BytesIO(b"no film")).is_media:
        raise RuntimeError("this build of libav decodes no H.264")


def main() -> int:
    """Serve until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    av.logging.set_level(None)
    rehearse()
    lock_down()
    incoming = Incoming(_IN)
    while incoming.waits:
        tried = decode(incoming)
        incoming.drain()
        os.write(_OUT, write_answer(tried))
    return 0


if __name__ == "__main__":
    sys.exit(main())

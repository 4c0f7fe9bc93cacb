"""Whether media decodes, tried in a child process that shows it to nobody. The parent's side.

Promise: what is handed in comes out as four counts and nothing else. A child that dies or hangs costs one film, and
the next one gets a new child.
"""

import os
import select
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Final

import streams
from streams.media.trial_rules import ANSWER, LENGTH, MOST_PIECE, TrialSpeaksNonsense, Tried, read_answer
from vms_privacy.errors import Kind, Refusal

_PIPE: Final = 1024 * 1024
PATIENCE_S: Final = 60.0
"""How long a child may take nothing and answer nothing. A full pipe is some seconds of a film."""


class DecoderFailed(Refusal):
    """The decoder did not come back from these bytes: it died, hung, or spoke nonsense."""

    kind: ClassVar[Kind] = Kind.DAMAGED
    code: ClassVar[str] = "decoder-failed"


class DecoderUnavailable(Refusal):
    """No process for the decoder can be started on this machine."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "decoder-unavailable"


class DecodeTrial:
    """Tries one film after the other. One thread, which must live as long as this: the child is tied to it."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_ms = int(patience_s * 1000)
        self._child: subprocess.Popen[bytes] | None = None

    def run(self, media: Iterable[bytes]) -> Tried:
        """Decode a film that comes in pieces. Raises DecoderFailed, DecoderUnavailable, and what making a piece does.

        However it ends otherwise than by an answer, the child ends with it.
        """
        child = self._child or _start()
        # Only what has answered is used again.
        self._child = None
        try:
            for piece in media:
                for at in range(0, len(piece), MOST_PIECE):
                    part = piece[at : at + MOST_PIECE]
                    self._write(child, LENGTH.pack(len(part)))
                    self._write(child, part)
            self._write(child, LENGTH.pack(0))
            tried = self._answer(child)
        except BaseException:
            _end(child)
            raise
        self._child = child
        return tried

    def close(self) -> None:
        """End the child. Closing twice is harmless."""
        if self._child is not None:
            _end(self._child)
            self._child = None

    @property
    def process_id(self) -> int | None:
        """Return the id of the child that waits for the next film."""
        return None if self._child is None else self._child.pid

    def _write(self, child: "subprocess.Popen[bytes]", data: bytes) -> None:
        left = memoryview(data)
        pipe = _number(child.stdin)
        while left:
            self._wait(pipe, select.POLLOUT)
            try:
                # There is room, and nobody else writes: some of it is always taken.
                left = left[os.write(pipe, left) :]
            except BrokenPipeError:
                raise DecoderFailed("the decoder died") from None

    def _answer(self, child: "subprocess.Popen[bytes]") -> Tried:
        pipe = _number(child.stdout)
        answer = b""
        while len(answer) < ANSWER:
            self._wait(pipe, select.POLLIN)
            part = os.read(pipe, ANSWER - len(answer))
            if not part:
                raise DecoderFailed("the decoder died")
            answer += part
        try:
            return read_answer(answer)
        except TrialSpeaksNonsense:
            raise DecoderFailed("the decoder spoke nonsense") from None

    def _wait(self, pipe: int, events: int) -> None:
        poll = select.poll()
        poll.register(pipe, events)
        if not poll.poll(self._patience_ms):
            raise DecoderFailed("the decoder hung")


def _number(pipe: object) -> int:
    if pipe is None or not hasattr(pipe, "fileno"):
        raise RuntimeError("a child without pipes")
    number: int = pipe.fileno()
    return number


def _start() -> "subprocess.Popen[bytes]":
    try:
        child = subprocess.Popen(
            [sys.executable, "-E", "-s", "-m", "streams.media.trial_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={"MALLOC_ARENA_MAX": "1"},
            cwd=Path(streams.__file__).parent.parent,
            pipesize=_PIPE,
            # A Ctrl-C at the terminal is for the parent to hear.
            process_group=0,
        )
    except OSError:
        raise DecoderUnavailable("this machine starts no process for the decoder") from None
    os.set_blocking(_number(child.stdin), False)
    return child


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Kill it, whatever it does, and leave no zombie."""
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()

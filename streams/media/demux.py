"""The parent's side of the demux children: starts them, feeds them, believes them nothing, replaces them.

Promise: a child that dies or hangs costs each of its cameras one reconnect and nobody else anything. A camera under
whose hands children keep dying gets a child for itself alone. One event loop owns all of it.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import streams
from streams.media.child_protocol import (
    ChildSpeaksNonsense,
    Coded,
    Down,
    Message,
    NewEpoch,
    Plan,
    Reader,
    Up,
    read_end,
    read_epoch,
    read_packets,
    write,
    write_head,
    write_plan,
)
from streams.media.faults import Fault, SourceFailed
from vms_privacy.clock import Clock

CAMERAS_PER_CHILD: Final = 32
_PIPE: Final = 1024 * 1024
_MOST_WAITING: Final = 8 * 1024 * 1024
_HANGS_AFTER_S: Final = 15.0
_DEATHS_TO_BE_ALONE: Final = 2


class Hearer(Protocol):
    """Who wants to know what becomes of one camera's bytes. Called in the event loop; must not raise."""

    def begun(self, epoch: NewEpoch) -> None:
        """Hear of a new epoch; the packets after it belong to it."""
        ...

    def came(self, packets: Sequence[Coded], lost: int) -> None:
        """Hear of packets, in order."""
        ...

    def over(self, fault: Fault, detail: str) -> None:
        """Hear that nothing more will come. Called at most once."""
        ...


class Channel:
    """One camera's place in a child."""

    def __init__(self, child: "_Child", slot: int) -> None:
        self._child = child
        self._slot = slot

    @property
    def is_full(self) -> bool:
        """Say whether the child is behind; feed it nothing until it has caught up."""
        return self._child.is_full

    def feed(self, frames: bytes, arrived_us: int) -> None:
        """Hand over whole frames that arrived together. They are sent with the next `flush` of the pool."""
        self._child.say(write_head(Down.DATA, self._slot, arrived_us, len(frames)), frames)

    def close(self) -> None:
        """Give the place back; nothing more is heard from it. Closing twice is harmless."""
        self._child.close_slot(self._slot)


class DemuxPool:
    """All demux children of the service."""

    def __init__(self, clock: Clock, cameras_per_child: int = CAMERAS_PER_CHILD) -> None:
        self._clock = clock
        self._cameras_per_child = cameras_per_child
        self._children: list[_Child] = []
        self._deaths: dict[str, int] = {}
        self.died = 0

    def open(self, name: str, plan: Plan, hearer: Hearer) -> Channel:
        """Give a camera a place in a child, starting one if need be. `name` remembers under whom children died.

        Raises SourceFailed where the system starts no more processes.
        """
        is_alone = self._deaths.get(name, 0) >= _DEATHS_TO_BE_ALONE
        child = (
            None if is_alone else next((one for one in self._children if one.has_room(self._cameras_per_child)), None)
        )
        if child is None:
            child = _Child(self._clock, self, takes_others=not is_alone)
            self._children.append(child)
        return Channel(child, child.open_slot(name, plan, hearer))

    def flush(self) -> None:
        """Send what was fed since the last time, in one write for each child; find those that hang."""
        for child in list(self._children):
            child.flush()

    def forgive(self, name: str) -> None:
        """A camera has been well for a while: it may share a child again."""
        self._deaths.pop(name, None)

    def close(self) -> None:
        """End all children."""
        for child in list(self._children):
            child.end(Fault.DEMUXER_DIED, "the service is stopping")

    @property
    def process_ids(self) -> tuple[int, ...]:
        """Return the ids of the living children."""
        return tuple(child.process_id for child in self._children)

    def emptied(self, child: "_Child") -> None:
        """Hear that a child has no camera left; one is kept for the next that comes back."""
        others = [one for one in self._children if one is not child and one.has_room(self._cameras_per_child)]
        if others or not child.takes_others:
            child.end(Fault.DEMUXER_DIED, "the last camera left")

    def ended(self, child: "_Child", names: Sequence[str], *, by_itself: bool) -> None:
        """Hear that a child is no more."""
        self._children.remove(child)
        if by_itself:
            self.died += 1
            for name in names:
                self._deaths[name] = self._deaths.get(name, 0) + 1


class _Child:
    """One child process and the pipes to it."""

    def __init__(self, clock: Clock, pool: DemuxPool, *, takes_others: bool) -> None:
        self.takes_others = takes_others
        self._clock = clock
        self._pool = pool
        self._hearers: dict[int, tuple[str, Hearer]] = {}
        self._next_slot = 0
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._moved_at_s = clock.monotonic()
        self._reader = Reader()
        self._buffer = memoryview(bytearray(_PIPE))
        self._is_over = False
        self._loop = asyncio.get_running_loop()
        self._process = _start()
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("a child without pipes")
        self._down, self._up = stdin.fileno(), stdout.fileno()
        os.set_blocking(self._down, False)
        os.set_blocking(self._up, False)
        self._loop.add_reader(self._up, self._hear)

    @property
    def process_id(self) -> int:
        return self._process.pid

    @property
    def is_full(self) -> bool:
        return self._waiting_bytes > _MOST_WAITING

    def has_room(self, cameras: int) -> bool:
        return self.takes_others and len(self._hearers) < cameras and not self._is_over

    def open_slot(self, name: str, plan: Plan, hearer: Hearer) -> int:
        self._next_slot += 1
        self._hearers[self._next_slot] = (name, hearer)
        self.say(write(Down.OPEN, self._next_slot, write_plan(plan)))
        return self._next_slot

    def close_slot(self, slot: int) -> None:
        if self._hearers.pop(slot, None) is None:
            return
        self.say(write(Down.CLOSE, slot))
        if not self._hearers:
            self._pool.emptied(self)

    def say(self, *parts: bytes) -> None:
        if self._is_over:
            return
        if not self._waiting:
            self._moved_at_s = self._clock.monotonic()
        self._waiting += parts
        self._waiting_bytes += sum(map(len, parts))

    def flush(self) -> None:
        if not self._waiting or self._is_over:
            return
        data = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        try:
            sent = os.write(self._down, data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._die("a demux process died")
            return
        self._waiting = [data[sent:]] if sent < len(data) else []
        self._waiting_bytes = len(data) - sent
        now_s = self._clock.monotonic()
        if sent:
            self._moved_at_s = now_s
        elif now_s - self._moved_at_s > _HANGS_AFTER_S:
            self._die("a demux process hung")

    def end(self, fault: Fault, detail: str, *, by_itself: bool = False) -> None:
        """Kill the process and tell every camera that is left."""
        if self._is_over:
            return
        self._is_over = True
        self._loop.remove_reader(self._up)
        hearers = list(self._hearers.values())
        self._hearers.clear()
        self._waiting = []
        self._process.kill()
        # It was killed: this takes as long as the kernel needs, and leaves no zombie.
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._pool.ended(self, [name for name, _ in hearers], by_itself=by_itself)
        for _, hearer in hearers:
            hearer.over(fault, detail)

    def _die(self, detail: str) -> None:
        self.end(Fault.DEMUXER_DIED, detail, by_itself=True)

    def _hear(self) -> None:
        try:
            count = os.readv(self._up, [self._buffer])
        except BlockingIOError:
            return
        if count == 0:
            self._die("a demux process died")
            return
        try:
            for message in self._reader.feed(bytes(self._buffer[:count])):
                self._pass_on(message)
        except ChildSpeaksNonsense:
            self._die("a demux process spoke nonsense")

    def _pass_on(self, message: Message) -> None:
        _, hearer = self._hearers.get(message.slot, ("", None))
        if hearer is None:
            # It was closed while the child still spoke of it.
            return
        match message.kind:
            case Up.PACKETS:
                lost, packets = read_packets(message.body)
                hearer.came(packets, lost)
            case Up.EPOCH:
                hearer.begun(read_epoch(message.body))
            case Up.ENDED:
                fault, detail = read_end(message.body)
                del self._hearers[message.slot]
                hearer.over(fault, detail)
            case _:
                raise ChildSpeaksNonsense("a message of no known kind")


def _start() -> "subprocess.Popen[bytes]":
    """Start a child by this thread, which must live as long as it: the kernel ties the two together.

    An empty environment; the one variable keeps the C library from holding memory for threads there are none of.
    """
    try:
        return subprocess.Popen(
            [sys.executable, "-E", "-s", "-m", "streams.media.demux_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={"MALLOC_ARENA_MAX": "1"},
            cwd=Path(streams.__file__).parent.parent,
            pipesize=_PIPE,
        )
    except OSError:
        raise SourceFailed(Fault.DEMUXER_DIED, "this machine starts no demux process") from None

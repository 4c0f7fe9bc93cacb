"""The demux child: takes the streams of up to 32 cameras apart, and holds nothing worth stealing.

Started by `streams.media.demux` with an empty environment as `python -m streams.media.demux_child`. It has no key, no
database, no socket and no listener; it cannot open a file once it works, leaves no core dump, and dies with its parent.
One loop, one thread: bytes in on standard input, packets out on standard output.
"""

import os
import signal
import sys
from typing import Final

import av

from streams.media.camera_demux import CameraDemux, Heard
from streams.media.child_protocol import (
    MOST_IN_BATCH,
    Coded,
    Down,
    Message,
    NewEpoch,
    Reader,
    Up,
    read_plan,
    write,
    write_end,
    write_epoch,
    write_packets,
)
from streams.media.init_making import make_init
from streams.media.lockdown import lock_down
from streams.media.offer import AudioOffer

_IN, _OUT = 0, 1
_READ: Final = 1024 * 1024
# A grey picture of sixteen by sixteen, and AAC-LC in mono.
_SETS: Final = (bytes.fromhex("6742c00ada7a1000000300100000030320f1226a"), bytes.fromhex("68ce0fc8"))
_KEY: Final = (bytes.fromhex("6588843a2780"),)
_SOUND: Final = AudioOffer(payload_type=97, clock=48000, channels=1, control="", config=bytes.fromhex("1188"))


class DemuxChild:
    """All cameras of one child."""

    def __init__(self) -> None:
        self._cameras: dict[int, CameraDemux] = {}

    def take(self, message: Message) -> list[bytes]:
        """Do what the parent says; return what it is to hear."""
        match message.kind:
            case Down.OPEN:
                self._cameras[message.slot] = CameraDemux(read_plan(message.body), make_init)
            case Down.CLOSE:
                self._cameras.pop(message.slot, None)
            case Down.DATA if message.slot in self._cameras:
                return self._feed(message)
        return []

    def _feed(self, message: Message) -> list[bytes]:
        heard = self._cameras[message.slot].feed(message.body, message.at_us)
        told = _told(message.slot, heard)
        if heard.over is not None:
            del self._cameras[message.slot]
            told.append(write(Up.ENDED, message.slot, write_end(heard.over.fault, heard.over.detail)))
        return told


def _told(slot: int, heard: Heard) -> list[bytes]:
    out: list[bytes] = []
    batch: list[Coded] = []
    lost = heard.lost
    for item in heard.items:
        if isinstance(item, Coded):
            batch.append(item)
        if batch and (isinstance(item, NewEpoch) or len(batch) == MOST_IN_BATCH):
            out.append(write(Up.PACKETS, slot, write_packets(lost, batch)))
            batch, lost = [], 0
        if isinstance(item, NewEpoch):
            out.append(write(Up.EPOCH, slot, write_epoch(item)))
    if batch or lost:
        out.append(write(Up.PACKETS, slot, write_packets(lost, batch)))
    return out


def rehearse() -> None:
    """Do once what is done for every camera, so that all code is loaded while files can still be opened."""
    if make_init("h264", 90_000, _SETS, _KEY, _SOUND).sound_refused:
        raise RuntimeError("this build of libav reads no AAC")


def main() -> int:
    """Serve until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    av.logging.set_level(None)
    rehearse()
    lock_down()
    child = DemuxChild()
    reader = Reader()
    buffer = bytearray(_READ)
    while count := os.readv(_IN, [buffer]):
        told: list[bytes] = []
        for message in reader.feed(bytes(memoryview(buffer)[:count])):
            told += child.take(message)
        if told:
            _write_all(b"".join(told))
    return 0


def _write_all(data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(_OUT, left) :]


if __name__ == "__main__":
    sys.exit(main())

"""What the cipher costs: recording sealed against the same recording with a cipher that only copies.

Twice: two whole services record the same 20 cameras at the same time, which is what is judged; and the recorder alone
takes the same fragments as fast as it can, which is steadier, and tells how much of so little work the cipher is.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from uuid import UUID

from archive.recorder.camera import CameraRecorder
from archive.recorder.heads import Heads
from archive.recorder.rules import Why
from archive.recorder.standing import micros
from archive.recorder.tools import Tools
from streams.media.packets import Fragment
from tests.bench.children import child
from tests.bench.installation import installed
from tests.bench.outcome import Effort, Line, at_most, told
from tests.bench.trees import Tree
from tests.bench.unsealed import unsealed
from tests.given.encoded import START_US, encoded
from tests.given.fragmented import fragments_of
from vms_privacy.app import Assembly
from vms_privacy.ids import CameraId, OperatorId
from vms_privacy.settings import Settings

MOST: Final = 1.05
_STREAM_S: Final = 4
_STRETCH_S: Final = 20
_ROUNDS_AT_LEAST: Final = 9
# The kernel tells CPU time in ticks of 10 ms: in shorter stretches they are a part of what is looked for.
_SECONDS_AT_LEAST: Final = 20.0
_PAIRS_AT_LEAST: Final = 7
_WARM_UP_S: Final = 8.0
# Beside its head, some 2 Mbit/s at 25 pictures a second.
_NOISE: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Half:
    """Half of the cameras, with a recorder each."""

    recorders: Sequence[CameraRecorder]

    def take(self, fragments: Sequence[Fragment], clock: Assembly) -> float:
        """Record; return the CPU seconds that it took."""
        began_s = time.process_time()
        for fragment in fragments:
            # They come at once, as the fragments of many cameras do.
            came_s = clock.clock.monotonic()
            for recorder in self.recorders:
                recorder.take(fragment, came_s)
        return time.process_time() - began_s


def measure(effort: Effort) -> Iterator[Line]:
    """Compare the services, then the recorders."""
    yield _services(effort)
    yield _recorders(effort)


def _services(effort: Effort) -> Line:
    with (
        tempfile.TemporaryDirectory(prefix="vms-bench-") as text,
        child("tests.bench.cameras", str(effort.cameras), "none") as cameras,
        installed(Path(text) / "sealed") as sealed,
        installed(Path(text) / "clear", "unsealed") as clear,
    ):
        for service in (sealed, clear):
            service.record(cameras.said["urls"], sound=False)
        time.sleep(_WARM_UP_S)
        trees = (Tree([sealed.pid]), Tree([clear.pid]))
        seconds = max(effort.seconds, _SECONDS_AT_LEAST)
        pairs = [_stretch(trees, seconds) for _ in range(max(effort.rounds, _PAIRS_AT_LEAST))]
    ratio = statistics.median(one / other for one, other in pairs)
    ours, theirs = (statistics.median(side) / seconds / effort.cameras for side in zip(*pairs, strict=True))
    what = f"sealing, in the whole service, {effort.cameras} cameras"
    return at_most(what, f"{ours * 100:.2f} % of a core each", f"cipher off {theirs * 100:.2f} %", ratio, MOST)


def _stretch(trees: tuple[Tree, Tree], seconds: float) -> tuple[float, float]:
    before = [tree.cpu_s() for tree in trees]
    time.sleep(seconds)
    ours, theirs = (tree.cpu_s() - at for tree, at in zip(trees, before, strict=True))
    return ours, theirs


def _recorders(effort: Effort) -> Line:
    """Let both halves record the same stretches in turns, and compare each pair."""
    half = max(1, effort.cameras // 2)
    with tempfile.TemporaryDirectory(prefix="vms-bench-") as text:
        folder = Path(text) / "data"
        with installed(folder) as service:
            cameras = [service.add_camera(f"cam-{number}", "rtsp://127.0.0.1:9/none") for number in range(2 * half)]
            for camera_id in cameras:
                service.opt_in(camera_id, sound=False)
        operator_id = OperatorId(UUID(service.operator_id))
        ids = [CameraId(UUID(camera_id)) for camera_id in cameras]
        parts = Assembly(Settings(data_dir=folder, port=0, store_capacity_bytes=10**15))
        sealing = _half(parts.recorder_tools, operator_id, ids[:half])
        copying = _half(unsealed(parts.recorder_tools), operator_id, ids[half:])
        pairs = _pairs(parts, sealing, copying, max(effort.rounds, _ROUNDS_AT_LEAST))
        for recorder in (*sealing.recorders, *copying.recorders):
            recorder.lost(Why.STOPPING)
        parts.journal.close()
        parts.db.close()
    ratio = statistics.median(one / other for one, other in pairs)
    ours, theirs = (statistics.median(side) / half / _STRETCH_S * 1e6 for side in zip(*pairs, strict=True))
    what = "sealing, in the recorder alone, CPU for a second of a camera"
    return told(what, f"{ours:.0f} µs", f"cipher off {theirs:.0f} µs", ratio)


def _half(tools: Tools, operator_id: OperatorId, cameras: Sequence[CameraId]) -> _Half:
    heads = Heads(tools.db, tools.ledger, tools.clock)
    return _Half([CameraRecorder(tools, operator_id, one, lambda _: None, lambda _, __: 0, heads) for one in cameras])


def _pairs(parts: Assembly, sealing: _Half, copying: _Half, rounds: int) -> list[tuple[float, float]]:
    """Return what each stretch cost sealed and clear. The first one, in which the files begin, is not counted."""
    stream = encoded(float(_STREAM_S), gop=50, noise=_NOISE)
    for recorder in (*sealing.recorders, *copying.recorders):
        recorder.begin("bench", stream.epoch())
    shift_us = micros(parts.clock.now()) - START_US + 1_000_000
    pairs = []
    for number in range(rounds + 1):
        packets = [
            replace(one, arrived_at_us=one.arrived_at_us + shift_us, captured_at_us=one.captured_at_us + shift_us)
            for at in range(0, _STRETCH_S, _STREAM_S)
            for one in stream.later(number * _STRETCH_S + at)
        ]
        fragments = fragments_of(stream.epoch(), packets)
        # Whoever comes second finds warmer caches: they take turns in that too.
        sides = (sealing, copying) if number % 2 else (copying, sealing)
        cost = {id(side): side.take(fragments, parts) for side in sides}
        pairs.append((cost[id(sealing)], cost[id(copying)]))
    return pairs[1:]

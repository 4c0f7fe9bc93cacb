"""Recording and sealing against copying in clear, in CPU time and in memory, in the same stretches of time."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.children import child
from tests.bench.copies import Copies, copies
from tests.bench.installation import Installation, installed
from tests.bench.outcome import Effort, Line, at_most, told
from tests.bench.trees import MIB, Tree

MOST_CPU: Final = 1.25
MOST_MEMORY: Final = 0.25
_WARM_UP_S: Final = 12.0


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What one stretch of time cost, in CPU seconds, and how many bytes reached the disk."""

    ours_s: float
    peer_s: float
    seconds: float
    ours_bytes: int
    peer_bytes: int


def measure(effort: Effort) -> Iterator[Line]:
    """Record without sound, then with it."""
    for sound in (False, True):
        yield from _measure(effort, sound=sound)


def _measure(effort: Effort, *, sound: bool) -> Iterator[Line]:
    name = f"{effort.cameras} cameras{' with AAC' if sound else ''}"
    with tempfile.TemporaryDirectory(prefix="vms-bench-") as text:
        folder = Path(text)
        with (
            child("tests.bench.cameras", str(effort.cameras), "aac" if sound else "none") as cameras,
            installed(folder / "data") as service,
        ):
            urls = cameras.said["urls"]
            service.record(urls, sound=sound)
            with copies(urls, folder / "copies") as peer:
                time.sleep(_WARM_UP_S)
                found = [_stretch(effort, service, peer) for _ in range(effort.rounds)]
                ours, theirs = Tree([service.pid]).memory(), Tree(peer.pids).memory()
    ratio = statistics.median(one.ours_s / one.peer_s for one in found)
    yield at_most(f"CPU a camera, {name}", _a_core(found, effort), _a_core(found, effort, ours=False), ratio, MOST_CPU)
    bytes_ratio = statistics.median(one.ours_bytes / max(1, one.peer_bytes) for one in found)
    yield told(f"bytes written, {name}", _rate(found), "ffmpeg, the same stretches", bytes_ratio)
    yield at_most(
        f"memory (RSS), {name}",
        f"{ours.resident / MIB:.0f} MiB",
        f"{theirs.resident / MIB:.0f} MiB, {effort.cameras} ffmpeg",
        ours.resident / theirs.resident,
        MOST_MEMORY,
    )
    yield told(
        f"memory (PSS), {name}",
        f"{ours.proportional / MIB:.0f} MiB",
        f"{theirs.proportional / MIB:.0f} MiB",
        ours.proportional / theirs.proportional,
    )


def _stretch(effort: Effort, service: Installation, peer: Copies) -> _Stretch:
    ours, theirs = Tree([service.pid]), Tree(peer.pids)
    before = (ours.cpu_s(), theirs.cpu_s(), time.perf_counter(), service.stored_bytes(), peer.stored_bytes())
    time.sleep(effort.seconds)
    after = (ours.cpu_s(), theirs.cpu_s(), time.perf_counter(), service.stored_bytes(), peer.stored_bytes())
    cpu_ours, cpu_theirs, seconds, bytes_ours, bytes_theirs = (b - a for a, b in zip(before, after, strict=True))
    return _Stretch(cpu_ours, cpu_theirs, seconds, int(bytes_ours), int(bytes_theirs))


def _a_core(found: list[_Stretch], effort: Effort, *, ours: bool = True) -> str:
    share = statistics.median((one.ours_s if ours else one.peer_s) / one.seconds for one in found) / effort.cameras
    return f"{share * 100:.2f} % of a core{'' if ours else ', ffmpeg -c copy'}"


def _rate(found: list[_Stretch]) -> str:
    return f"{statistics.median(one.ours_bytes * 8 / one.seconds for one in found) / 1e6:.1f} Mbit/s"

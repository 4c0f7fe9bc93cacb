"""What one further camera holds in memory, and whether memory stays flat while nothing changes."""

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.bench.children import child
from tests.bench.installation import installed
from tests.bench.outcome import Effort, Line, within
from tests.bench.trees import MIB, Tree
from vms_privacy.clock import SystemClock

MOST_A_CAMERA_MIB: Final = 8.0
MOST_GROWTH_PERCENT: Final = 3.0
# The ring has filled by then, the first root and bucket keys are made, and the code of every path is loaded.
_SETTLED_S: Final = 20.0
_LOOK_EVERY_S: Final = 1.0
_SEGMENT_S: Final = 60.0


def measure(effort: Effort) -> Iterator[Line]:
    """Record one camera, then all of them; then watch. RSS of the whole tree: service and demux children."""
    with (
        tempfile.TemporaryDirectory(prefix="vms-bench-") as folder,
        child("tests.bench.cameras", str(effort.cameras), "aac") as cameras,
        installed(Path(folder) / "data") as service,
    ):
        urls, tree = cameras.said["urls"], Tree([service.pid])
        service.record(urls[:1], sound=True)
        alone = _settled(tree)
        service.record(urls[1:], sound=True, first=1)
        together = _settled(tree)
        each = (together - alone) / (effort.cameras - 1)
        yield within("memory (RSS) of a further camera", each, MOST_A_CAMERA_MIB, "MiB", f"1 camera {alone:.0f} MiB")
        seen = _watch(tree, effort.long_s)
    yield _flat(seen, effort.long_s)


def _settled(tree: Tree) -> float:
    time.sleep(_SETTLED_S)
    return statistics.median(_watch(tree, 5 * _LOOK_EVERY_S))


def _watch(tree: Tree, seconds: float) -> Sequence[float]:
    """Return the tree's RSS in MiB, look by look."""
    clock = SystemClock()
    last_s = clock.monotonic() + seconds
    seen = []
    while clock.monotonic() < last_s:
        seen.append(tree.memory().resident / MIB)
        time.sleep(_LOOK_EVERY_S)
    return seen


def _flat(seen: Sequence[float], seconds: float) -> Line:
    """Compare the first third with the last: an index grows with its segment, so the highest of each is taken.

    Over less than two segments a rise is not a leak; it is told all the same.
    """
    third = max(1, len(seen) // 3)
    first, last = max(seen[:third]), max(seen[-third:])
    growth = (last - first) / first * 100
    line = within(f"growth of RSS over {seconds:.0f} s", growth, MOST_GROWTH_PERCENT, "%", f"{first:.0f} MiB at first")
    return line if seconds >= 2 * _SEGMENT_S else Line(line.what, line.ours, line.peer)

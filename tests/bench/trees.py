"""What processes cost: CPU time and memory of whole trees, as the kernel counts them.

CPU time, not wall time: others use the same machine, and what they take away is not counted. It is not free of them
either (caches, shared cores), so peers are measured in the same stretch of time and only ratios are judged.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psutil

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes. `resident` counts shared pages in each process, `proportional` shares them out."""

    resident: int
    proportional: int


class Tree:
    """Some processes with all their children."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._roots = [psutil.Process(pid) for pid in pids]

    def cpu_s(self) -> float:
        """Return the CPU seconds used so far, those of children that are gone included."""
        total = 0.0
        for root in self._roots:
            gone = root.cpu_times()
            total += gone.children_user + gone.children_system
            for process in _with_children(root):
                used = process.cpu_times()
                total += used.user + used.system
        return total

    def memory(self) -> Memory:
        """Return what all of them hold now."""
        each = [process.memory_full_info() for root in self._roots for process in _with_children(root)]
        return Memory(sum(one.rss for one in each), sum(one.pss for one in each))


def _with_children(root: psutil.Process) -> Sequence[psutil.Process]:
    return [root, *root.children(recursive=True)]

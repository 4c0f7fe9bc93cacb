"""One camera's work in order, on threads shared by all cameras."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Strand(Generic[Item]):
    """Runs what it is given one after another, in order, never two at once; bounded in bytes.

    `run` must not raise: what it cannot do is its own to count. `put` never blocks, so the event loop may call it.
    """

    def __init__(self, pool: Executor, run: Callable[[Item], None], most_bytes: int) -> None:
        self._pool = pool
        self._run = run
        self._most_bytes = most_bytes
        self._waiting: deque[tuple[Item, int]] = deque()
        self._bytes = 0
        self._is_running = False
        self._change = threading.Condition()

    def put(self, item: Item, size: int = 0) -> bool:
        """Take one item; False, and nothing taken, if more than the bound would wait. Size 0 is always taken."""
        with self._change:
            if size and self._bytes + size > self._most_bytes:
                return False
            self._waiting.append((item, size))
            self._bytes += size
            if self._is_running:
                return True
            self._is_running = True
        self._pool.submit(self._drain)
        return True

    def settle(self, within_s: float) -> bool:
        """Wait until nothing waits or runs; say whether that came about in time."""
        with self._change:
            return self._change.wait_for(lambda: not self._is_running, within_s)

    def _drain(self) -> None:
        while True:
            with self._change:
                if not self._waiting:
                    self._is_running = False
                    self._change.notify_all()
                    return
                item, size = self._waiting.popleft()
                self._bytes -= size
            self._run(item)

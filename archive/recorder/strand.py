"""One camera's work in order, on threads shared by all cameras."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

_TURN: Final = 16


class Strand(Generic[Item]):
    """Runs what it is given one after another, in order, never two at once; bounded in bytes.

    `put` never blocks, so the event loop may call it. After some items the others' turn comes. What `run` raises ends
    that item alone; `failures` counts it.
    """

    def __init__(self, pool: Executor, run: Callable[[Item], None], most_bytes: int) -> None:
        self._pool = pool
        self._run = run
        self._most_bytes = most_bytes
        self._waiting: deque[tuple[Item, int]] = deque()
        self._bytes = 0
        self._is_running = False
        self._change = threading.Condition()
        self.failures = 0

    def put(self, item: Item, size: int = 0) -> bool:
        """Take one item. False, and nothing taken, if more than the bound would wait, or the threads are closed.

        Size 0 is never too much.
        """
        with self._change:
            if size and self._bytes + size > self._most_bytes:
                return False
            self._waiting.append((item, size))
            self._bytes += size
            if self._is_running:
                return True
            self._is_running = True
        return self._go_on()

    def settle(self, within_s: float) -> bool:
        """Wait until nothing waits or runs; say whether that came about in time."""
        with self._change:
            return self._change.wait_for(lambda: not self._is_running, within_s)

    def _go_on(self) -> bool:
        try:
            self._pool.submit(self._drain)
        except RuntimeError:
            # The threads are closed: nothing runs any more, and nobody shall wait for it.
            with self._change:
                self.failures += len(self._waiting)
                self._rest()
            return False
        return True

    def _drain(self) -> None:
        for _ in range(_TURN):
            with self._change:
                if not self._waiting:
                    self._rest()
                    return
                item, size = self._waiting.popleft()
                self._bytes -= size
            try:
                self._run(item)
            except Exception:  # noqa: BLE001 - one item's error must not end the camera's whole work in silence
                self.failures += 1
        self._go_on()

    def _rest(self) -> None:
        self._waiting.clear()
        self._bytes = 0
        self._is_running = False
        self._change.notify_all()

"""Opened keys, for a short while: at most so many, each for at most so long, gone at once when told."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from datetime import timedelta
from typing import Final, Generic, TypeVar

from vms_privacy.clock import Clock

LIFE: Final = timedelta(seconds=30)
ROOM: Final = 1024

Value = TypeVar("Value")


class ShortMemory(Generic[Value]):
    """Remembers a value for at most `LIFE` of monotonic time. Thread-safe.

    Python cannot wipe bytes; forgetting here means that nothing of ours refers to them any more.
    """

    def __init__(self, clock: Clock, room: int = ROOM) -> None:
        self._clock = clock
        self._room = room
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()

    def __len__(self) -> int:
        with self._lock:
            return len(self._kept)

    def get(self, name: Hashable) -> Value | None:
        """Return the value if it is still fresh."""
        with self._lock:
            self._drop_old()
            found = self._kept.get(name)
            return None if found is None else found[1]

    def keep(self, name: Hashable, value: Value) -> None:
        """Remember the value from now on; the oldest makes room."""
        with self._lock:
            self._drop_old()
            self._kept.pop(name, None)
            self._kept[name] = (self._clock.monotonic(), value)
            while len(self._kept) > self._room:
                self._kept.popitem(last=False)

    def forget(self, name: Hashable) -> None:
        """Forget one value now."""
        with self._lock:
            self._kept.pop(name, None)

    def forget_old(self) -> None:
        """Forget what is past its time; called by a timer, since an idle memory forgets nothing by itself."""
        with self._lock:
            self._drop_old()

    def _drop_old(self) -> None:
        # Every value has the same life, so the order of coming is the order of going.
        oldest_allowed = self._clock.monotonic() - LIFE.total_seconds()
        while self._kept and next(iter(self._kept.values()))[0] <= oldest_allowed:
            self._kept.popitem(last=False)

"""Whose access token it was a moment ago: a client asks for much at once, and each look costs a query and a thread.

Promise: what was ended, rotated or disabled in this process is forgotten with its commit; in another one it counts on
for a second at most. Only who somebody is stays here; what they may is asked anew each time.
"""

import threading
from typing import Final

from auth.principal import Principal
from auth.sessions.rules import LoginSession
from vms_privacy.clock import Clock

REMEMBERED_S: Final = 1.0
MOST_REMEMBERED: Final = 4096


class AccessMemory:
    """Log-in sessions by the digest of their access token. Thread-safe, and never waits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[bytes, tuple[LoginSession, Principal, float]] = {}
        self._forgotten = 0

    @property
    def forgotten(self) -> int:
        """How often everything was forgotten: to be read before the database is asked, and given to `keep`."""
        return self._forgotten

    def find(self, digest: bytes) -> tuple[LoginSession, Principal] | None:
        """Return what was kept within the last second."""
        known = self._known.get(digest)
        if known is None or self._clock.monotonic() - known[2] >= REMEMBERED_S:
            return None
        return known[0], known[1]

    def keep(self, digest: bytes, found: tuple[LoginSession, Principal], forgotten: int) -> None:
        """Keep what the database said, unless something was forgotten since it was asked."""
        with self._lock:
            if forgotten != self._forgotten:
                return
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[digest] = (*found, self._clock.monotonic())

    def forget(self) -> None:
        """Forget everything: some log-in session has changed."""
        with self._lock:
            self._forgotten += 1
            self._known.clear()

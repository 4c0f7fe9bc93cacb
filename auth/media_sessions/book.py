"""Which media sessions there are: by id, by key, and counted per person and camera. Thread-safe."""

import threading
from collections import Counter
from collections.abc import Sequence

from auth.media_sessions.rules import Limits, over_limit
from auth.media_sessions.session import MediaSession
from vms_privacy.ids import CameraId, MediaSessionId, PersonId


class SessionBook:
    """Holds the living sessions, and for a while the ended ones, so that their clients can be told why."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._living: dict[MediaSessionId, MediaSession] = {}
        self._by_key: dict[str, MediaSession] = {}
        self._ended: dict[MediaSessionId, float] = {}
        self._of_person: Counter[PersonId] = Counter()
        self._of_camera: Counter[CameraId] = Counter()

    def add(self, session: MediaSession) -> str | None:
        """Add a session, or name the limit that leaves no room for it."""
        with self._lock:
            full = over_limit(
                self._of_person[session.person_id],
                self._of_camera[session.camera_id],
                len(self._living),
                self._limits,
            )
            if full is None:
                self._living[session.id] = session
                self._by_key[session.key] = session
                self._of_person[session.person_id] += 1
                self._of_camera[session.camera_id] += 1
            return full

    def by_key(self, key: str) -> MediaSession | None:
        """Return the session of a key, living or ended not long ago."""
        return self._by_key.get(key)

    def living(self) -> Sequence[MediaSession]:
        """Return the sessions that have not ended, as they are now."""
        with self._lock:
            return tuple(self._living.values())

    def retire(self, session: MediaSession, at: float) -> None:
        """Take an ended session out of the living, but keep its key for a while. `at` is monotonic."""
        with self._lock:
            if self._living.pop(session.id, None) is not None:
                self._ended[session.id] = at
                self._leave(session)

    def remove(self, session: MediaSession) -> None:
        """Take out a session that never came to be."""
        with self._lock:
            self._by_key.pop(session.key, None)
            if self._living.pop(session.id, None) is not None:
                self._leave(session)

    def forget(self, before: float) -> None:
        """Drop the keys of sessions that ended before a monotonic moment."""
        with self._lock:
            gone = {session_id for session_id, at in self._ended.items() if at < before}
            if gone:
                self._by_key = {key: one for key, one in self._by_key.items() if one.id not in gone}
                self._ended = {one: at for one, at in self._ended.items() if one not in gone}

    def _leave(self, session: MediaSession) -> None:
        # Counters keep zeros for ever; subtracting drops them.
        self._of_person -= Counter({session.person_id: 1})
        self._of_camera -= Counter({session.camera_id: 1})

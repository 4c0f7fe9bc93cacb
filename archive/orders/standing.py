"""Restrictions on their way to whoever delivers live pictures, and judges them without asking the database."""

import threading
from collections.abc import Callable, Mapping, Sequence

from archive.orders import store
from vms_privacy.db import Database
from vms_privacy.ids import CameraId

Stretches = Mapping[CameraId, Sequence[tuple[int, int]]]
"""The restricted stretches of cameras, microseconds of our clock; the end is not restricted."""


class LiveRestrictions:
    """Reads all restrictions in force and tells them on: at the start, after each change, and every few seconds.

    `judge_again` is told the camera whose orders changed, once what changed is known. Thread-safe: what is read later
    is told later.
    """

    def __init__(
        self,
        db: Database,
        tell: Callable[[Stretches], None],
        judge_again: Callable[[CameraId], None],
        close: Callable[[CameraId], None],
    ) -> None:
        self._db = db
        self._tell = tell
        self._judge_again = judge_again
        self._close = close
        self._one_reading = threading.Lock()

    def read(self) -> None:
        """Read them and tell them on. What fails raises, and what was told before stays."""
        with self._one_reading, self._db.glancing() as connection:
            found = store.restricted(connection)
            self._tell({camera: [(one.from_us, one.until_us) for one in spans] for camera, spans in found.items()})

    def hear(self, camera_id: CameraId) -> None:
        """Hear that a camera's orders changed. Where they cannot be read, it is closed until they can (P12)."""
        try:
            self.read()
        except BaseException:
            self._close(camera_id)
            self._judge_again(camera_id)
            raise
        self._judge_again(camera_id)

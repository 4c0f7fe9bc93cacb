"""Counting refusals of nobody: one event a minute and code, however many knock."""

import threading
from collections import Counter
from datetime import datetime
from typing import Final

from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import Database

_MOST_CODES: Final = 64
_MOST_CELLS: Final = 4096
_OTHER: Final = "other"
_Cell = tuple[datetime, Tag, str]


class RefusalCounter:
    """Counts in memory and writes one event per minute, tag and code. Thread-safe; holds no address.

    Bounded: at most 64 cells a minute, more codes than that are counted as `other`. A crash loses the counts of the
    minutes not yet flushed, two at most if `flush_once` is called every minute.
    """

    def __init__(self, db: Database, audit: AuditLog, clock: Clock) -> None:
        self._db = db
        self._audit = audit
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: Counter[_Cell] = Counter()

    def count(self, tag: Tag, code: str) -> None:
        """Count one refusal of somebody who gave no name; `code` is the refusal's."""
        minute = self._clock.now().replace(second=0, microsecond=0)
        with self._lock:
            cell = (minute, tag, code)
            if cell not in self._counts and self._is_full(minute):
                cell = (minute, tag, _OTHER)
            self._counts[cell] += 1

    def _is_full(self, minute: datetime) -> bool:
        codes = sum(known[0] == minute for known in self._counts)
        return codes >= _MOST_CODES or len(self._counts) >= _MOST_CELLS

    def flush_once(self) -> int:
        """Write the minutes that are over; return how many events. What cannot be written stays counted."""
        this_minute = self._clock.now().replace(second=0, microsecond=0)
        return self._flush(except_for=this_minute)

    def flush_all(self) -> int:
        """Write every minute, the running one too, before the service stops."""
        return self._flush(except_for=None)

    def _flush(self, except_for: datetime | None) -> int:
        with self._lock:
            due = {cell: count for cell, count in self._counts.items() if cell[0] != except_for}
        if not due:
            return 0
        with self._db.writing() as session:
            for (minute, tag, code), count in sorted(due.items()):
                self._audit.note(
                    session,
                    Event(tag, minute, "nobody", Outcome.REFUSED, reason=code, detail={"count": count, "seconds": 60}),
                )
        with self._lock:
            self._counts.subtract(due)
            self._counts = +self._counts
        return len(due)

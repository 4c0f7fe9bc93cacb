"""Counting refusals of nobody: one event a minute and code, however many knock."""

import threading
from collections import Counter
from datetime import datetime
from typing import Final

from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.audit.traces import leave_trace
from vms_privacy.clock import Clock
from vms_privacy.db import Database

_MOST_CODES: Final = 64
_MOST_MINUTES: Final = 60
_OTHER: Final = "other"


class RefusalCounter:
    """Counts in memory and writes one event per minute, tag and code. Thread-safe; holds no address.

    Bounded: of more than 64 codes a minute the rest is counted as `other`, and so is everything once 60 minutes could
    not be written. A crash loses what is not yet flushed, two minutes at most if `flush_once` is called every minute.
    """

    def __init__(self, db: Database, audit: AuditLog, clock: Clock) -> None:
        self._db = db
        self._audit = audit
        self._clock = clock
        self._lock = threading.Lock()
        self._one_flush = threading.Lock()
        self._minutes: dict[datetime, Counter[tuple[Tag, str]]] = {}

    def count(self, tag: Tag, code: str) -> None:
        """Count one refusal of somebody who gave no name; `code` is the refusal's."""
        leave_trace()
        with self._lock:
            cells = self._minutes.setdefault(self._this_minute(), Counter())
            room = _MOST_CODES if len(self._minutes) <= _MOST_MINUTES else 0
            cells[(tag, code) if (tag, code) in cells or len(cells) < room else (tag, _OTHER)] += 1

    def flush_once(self) -> int:
        """Write the minutes that are over; return how many events. What cannot be written stays counted."""
        with self._one_flush:
            return self._flush(except_for=self._this_minute())

    def flush_all(self) -> int:
        """Write every minute, the running one too, before the service stops."""
        with self._one_flush:
            return self._flush(except_for=None)

    def _this_minute(self) -> datetime:
        return self._clock.now().replace(second=0, microsecond=0)

    def _flush(self, except_for: datetime | None) -> int:
        with self._lock:
            due = {minute: Counter(cells) for minute, cells in self._minutes.items() if minute != except_for}
        if not due:
            return 0
        with self._db.writing() as session:
            for minute, cells in sorted(due.items()):
                for (tag, code), count in sorted(cells.items()):
                    detail = {"count": count, "seconds": 60}
                    event = Event(tag, minute, "nobody", Outcome.REFUSED, reason=code, detail=detail)
                    self._audit.note(session, event)
        with self._lock:
            for minute, cells in due.items():
                self._minutes[minute] -= cells
                if not self._minutes[minute]:
                    del self._minutes[minute]
        return sum(map(len, due.values()))

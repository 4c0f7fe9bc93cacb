"""The clock that the service goes by: the machine's, checked. Rules: `time_doubt.py`; why: docs/design/time.md.

Promise: a step of the machine's clock over 60 s neither destroys a picture early nor shows one too long, from the
first question after the step and over restarts, until a named actor has settled it.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

from vms_privacy import durable_files
from vms_privacy.clock import Clock
from vms_privacy.errors import Kind, Refusal
from vms_privacy.time_doubt import (
    LIMIT,
    LONGEST_ABSENCE,
    Cause,
    Mark,
    Seen,
    TimeDoubt,
    Times,
    Trust,
    begin,
    follow,
    look,
    mark_of,
    times,
)

SAVE_EVERY: Final = timedelta(seconds=5)
_FORMAT: Final = "vms-privacy-clock-mark-v1"
_MARK_LIMIT: Final = 4096


class ClockMarkUnusable(Refusal):
    """The file with the last trusted moment is damaged or cannot be read or written."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "clock-mark-unusable"


class NothingToSettle(Refusal):
    """The time is not in doubt."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "clock-not-in-doubt"


class ClocksDisagree(Refusal):
    """The machine's and the database's clock still differ; settling would only begin the next doubt."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "clocks-disagree"


@dataclass(frozen=True, slots=True)
class Settled:
    """A doubt that was ended: by whom, at what moment, and what it was."""

    actor: str
    at: datetime
    doubt: TimeDoubt


class GuardedClock:
    """A Clock that notices steps. Every question looks at the wall and at monotonic time; `check` does the rest.

    `high_water` is the file of the mark; its folder exists. `database_now` is a second machine's clock, or None where
    the database has no clock of its own (SQLite). Raises ClockMarkUnusable. Thread-safe.
    """

    def __init__(
        self,
        system: Clock,
        high_water: Path,
        database_now: Callable[[], datetime] | None = None,
        longest_absence: timedelta = LONGEST_ABSENCE,
    ) -> None:
        self._system = system
        self._file = high_water
        self._database_now = database_now
        # Questions wait for `_lock` only, which is never held over the disk or the database.
        self._lock = threading.Lock()
        self._one_check = threading.Lock()
        seen = self._see()
        left = self._load()
        self._trust: Trust = begin(seen, left, longest_absence)
        self._saved_at: float = seen.ticks
        self._saved: Mark | None = left
        self._save(mark_of(self._trust, seen, left), seen)

    @property
    def doubt(self) -> TimeDoubt | None:
        """The doubt that is to be shown, if there is one. It stays until settled, also if the clocks agree again."""
        self._answers()
        return self._trust.doubt

    def now(self) -> datetime:
        """Return the wall clock's time; while in doubt, the last trusted moment carried on by monotonic time."""
        return self._answers().now

    def for_reading(self) -> datetime:
        return self._answers().latest

    def for_destroying(self) -> datetime:
        return self._answers().earliest

    def monotonic(self) -> float:
        return self._system.monotonic()

    def check(self) -> TimeDoubt | None:
        """Look at every witness, save the mark if that is due; to be called about once a second.

        Whatever `database_now` raises comes through, after everything else is done.
        """
        with self._one_check:
            with self._lock:
                seen = self._see()
                self._trust = trust = follow(look(self._trust, seen), seen)
            self._save_if_due(trust, seen)
            if self._database_now is not None:
                told = self._database_now()
                with self._lock:
                    seen = self._see()
                    self._trust = trust = look(replace(self._trust.at(seen.ticks), database=told), seen)
                self._save_if_due(trust, seen)
        return trust.doubt

    def settle(self, actor: str, about_to: Callable[[Settled], None]) -> Settled:
        """End the doubt: from now on the machine's clock is right, because `actor` (a principal's label) says so.

        `about_to` writes that down before it is so: what it raises comes through, and the doubt goes on. Raises
        NothingToSettle; ClocksDisagree while the database's clock still says otherwise.
        """
        with self._one_check:
            told = None if self._database_now is None else self._database_now()
            with self._lock:
                seen = self._see()
                doubt = look(self._trust, seen).doubt
            if doubt is None:
                raise NothingToSettle("the time is not in doubt")
            if told is not None and abs(told - seen.wall) > LIMIT:
                raise ClocksDisagree("the database's clock is still more than 60 s away from the machine's")
            done = Settled(actor, seen.wall, doubt)
            about_to(done)
            settled = Trust(seen.wall, seen.ticks, database=told)
            # Without the mark of before: the actor may have settled on an earlier time than was trusted so far.
            self._save(replace(mark_of(settled, seen, None), settled_by=actor), seen)
            with self._lock:
                self._trust = settled
        return done

    def _answers(self) -> Times:
        with self._lock:
            seen = self._see()
            self._trust = look(self._trust, seen)
            return times(self._trust, seen)

    def _see(self) -> Seen:
        return Seen(self._system.now(), self._system.monotonic())

    def _load(self) -> Mark | None:
        try:
            data = durable_files.read_private(self._file, _MARK_LIMIT)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ClockMarkUnusable(f"the clock's mark cannot be read: {durable_files.fault_of(error)}") from error
        except ValueError as error:
            raise ClockMarkUnusable(f"the clock's mark is damaged: {error}") from error
        try:
            return _read_mark(json.loads(data))
        except (ValueError, KeyError, TypeError) as error:
            raise ClockMarkUnusable("the clock's mark is damaged") from error

    def _save_if_due(self, trust: Trust, seen: Seen) -> None:
        is_new = self._saved is None or trust.doubt != self._saved.doubt
        if is_new or seen.ticks - self._saved_at >= SAVE_EVERY.total_seconds():
            self._save(mark_of(trust, seen, self._saved), seen)

    def _save(self, mark: Mark, seen: Seen) -> None:
        try:
            durable_files.write_durably(self._file, json.dumps(_write_mark(mark), sort_keys=True).encode())
        except OSError as error:
            raise ClockMarkUnusable(f"the clock's mark cannot be written: {durable_files.fault_of(error)}") from error
        self._saved_at = seen.ticks
        self._saved = mark


def _write_mark(mark: Mark) -> dict[str, Any]:
    doubt = mark.doubt
    return {
        "format": _FORMAT,
        "trusted": mark.trusted.isoformat(),
        "earliest": mark.earliest.isoformat(),
        "latest": mark.latest.isoformat(),
        "doubt": None
        if doubt is None
        else {"since": doubt.since.isoformat(), "cause": doubt.cause, "apart_seconds": doubt.apart.total_seconds()},
        "settled_by": mark.settled_by,
    }


def _read_mark(told: dict[str, Any]) -> Mark:
    if told["format"] != _FORMAT:
        raise ValueError("not a mark of format 1")
    doubt = told["doubt"]
    return Mark(
        _moment(told["trusted"]),
        _moment(told["earliest"]),
        _moment(told["latest"]),
        None
        if doubt is None
        else TimeDoubt(_moment(doubt["since"]), Cause(doubt["cause"]), timedelta(seconds=doubt["apart_seconds"])),
        told["settled_by"],
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() is None:
        raise ValueError("a moment needs a time zone")
    return moment.astimezone(UTC)

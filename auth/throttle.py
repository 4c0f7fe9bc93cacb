"""Slowing down guesses, per log-in and per source, without ever locking anybody out.

After a few free failures each further one doubles the wait, up to a bound; once the wait is over the next try counts
like any other, and without failures the memory of them fades. Unknown log-ins are slowed exactly like known ones.
Memory is bounded: the keys longest untouched are forgotten first.
"""

import hashlib
import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import ClassVar, Final

from vms_privacy.clock import Clock
from vms_privacy.errors import Kind, Refusal

LONGEST_WAIT: Final = 30.0
# A source may be a whole office behind one address; a log-in is one person.
FREE_FAILURES_OF_LOGIN: Final = 5
FREE_FAILURES_OF_SOURCE: Final = 20
_FADES_AFTER: Final = 15 * 60.0
_KEYS: Final = 20_000


class TooManyAttempts(Refusal):
    """Too many failures lately; waiting helps, and nothing else is needed."""

    kind: ClassVar[Kind] = Kind.TOO_MANY
    code: ClassVar[str] = "too-many-attempts"

    def __init__(self, wait: float) -> None:
        super().__init__("too many failed attempts; wait, then try again", retry_after=math.ceil(wait))


@dataclass(frozen=True, slots=True)
class Failures:
    """How often something failed, and when last, in seconds of the monotonic clock."""

    count: int
    last_at: float


def wait_left(failures: Failures | None, free: int, now: float) -> float:
    """Return the seconds until the next try is looked at: 0 to LONGEST_WAIT, never more, however many failed."""
    if failures is None or failures.count < free or now - failures.last_at >= _FADES_AFTER:
        return 0.0
    wait = min(LONGEST_WAIT, 2.0 ** min(failures.count - free, 10))
    return max(0.0, failures.last_at + wait - now)


def one_more(failures: Failures | None, now: float) -> Failures:
    """Return the failures after another one; old ones have faded."""
    if failures is None or now - failures.last_at >= _FADES_AFTER:
        return Failures(1, now)
    return Failures(failures.count + 1, now)


class Throttle:
    """Counts failures by key. Safe in many threads; after a restart everybody starts afresh.

    A try counts as failed until it is said to have succeeded, so a hundred at once are not a hundred free ones.
    """

    def __init__(self, clock: Clock, keys: int = _KEYS) -> None:
        self._clock = clock
        self._keys = keys
        self._failures: OrderedDict[bytes, Failures] = OrderedDict()
        self._lock = threading.Lock()

    def attempt(self, login: str, source: str) -> None:
        """Let a try pass, or say how long to wait. Raises TooManyAttempts. Either of the two may be empty."""
        now = self._clock.monotonic()
        keys = _keys_of(login, source)
        with self._lock:
            wait = self._wait(keys, now)
            if wait > 0:
                raise TooManyAttempts(wait)
            for key, _ in keys:
                self._failures[key] = one_more(self._failures.pop(key, None), now)
            while len(self._failures) > self._keys:
                self._failures.popitem(last=False)

    def succeeded(self, login: str, source: str) -> None:
        """Take the try back, with all failures of the log-in. One right password does not excuse other guesses."""
        with self._lock:
            self._failures.pop(_key("login", login), None)
            of_source = self._failures.get(_key("source", source))
            if of_source is not None:
                self._failures[_key("source", source)] = Failures(of_source.count - 1, of_source.last_at)

    def wait_for(self, login: str, source: str) -> float:
        """Return the seconds until the next try of this log-in from this source is looked at."""
        now = self._clock.monotonic()
        with self._lock:
            return self._wait(_keys_of(login, source), now)

    def _wait(self, keys: list[tuple[bytes, int]], now: float) -> float:
        return max((wait_left(self._failures.get(key), free, now) for key, free in keys), default=0.0)


def _keys_of(login: str, source: str) -> list[tuple[bytes, int]]:
    """Return short keys: neither a log-in nor an address is kept, however long it was."""
    keys = []
    if source:
        keys.append((_key("source", source), FREE_FAILURES_OF_SOURCE))
    if login:
        keys.append((_key("login", login), FREE_FAILURES_OF_LOGIN))
    return keys


def _key(sort: str, text: str) -> bytes:
    return hashlib.sha256(f"{sort}:{text}".encode("utf-8", "surrogatepass")).digest()[:16]


class PerMinute:
    """Lets so many things pass in a minute, and no more. For traces that anybody can cause without being known."""

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock = clock
        self._most = most
        self._minute = 0
        self._passed = 0
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Say whether one more passes in this minute."""
        minute = int(self._clock.monotonic() // 60)
        with self._lock:
            if minute != self._minute:
                self._minute, self._passed = minute, 0
            self._passed += 1
            return self._passed <= self._most

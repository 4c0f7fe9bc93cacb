"""The one file that hashes passwords: Argon2id (RFC 9106), salted, with the parameters in the digest itself.

Default cost: OWASP Password Storage Cheat Sheet and ASVS 5.0 appendix C, Argon2id with 19 MiB and 2 passes.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError

from vms_privacy.errors import Kind, Refusal
from vms_privacy.ids import Randomness

_SALT_OCTETS: Final = 16


@dataclass(frozen=True, slots=True)
class Cost:
    """What one hash costs; raising it re-hashes each password at its owner's next log-in."""

    memory_kib: int = 19 * 1024
    passes: int = 2
    lanes: int = 1


class HashingIsBusy(Refusal):
    """More people log in at once than memory is set aside for; trying again helps."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "log-in-is-busy"


class Passwords:
    """Hashes and compares passwords, a few at once: memory is `at_once` times the cost's, whoever knocks."""

    def __init__(
        self,
        randomness: Randomness,
        cost: Cost = Cost(),
        at_once: int = 4,
        longest_queue_seconds: float = 5.0,
    ) -> None:
        self._randomness = randomness
        self._hasher = PasswordHasher(
            time_cost=cost.passes,
            memory_cost=cost.memory_kib,
            parallelism=cost.lanes,
            hash_len=32,
            salt_len=_SALT_OCTETS,
            type=Type.ID,
        )
        self._slots = threading.BoundedSemaphore(at_once)
        self._longest_queue_seconds = longest_queue_seconds
        # Of no password: compared with where there is no digest, so that an unknown log-in costs what a known one does.
        self._nobodys = self._hasher.hash(randomness.octets(32), salt=randomness.octets(_SALT_OCTETS))

    def hash(self, password: str) -> str:
        """Return the digest to store, with a salt of its own. Raises HashingIsBusy."""
        with self._slot():
            return self._hasher.hash(password, salt=self._randomness.octets(_SALT_OCTETS))

    def matches(self, stored: str | None, password: str) -> bool:
        """Compare, in the same time whether there is a digest or not. Raises HashingIsBusy.

        A stored digest that is none raises argon2's InvalidHashError: it was damaged, and nobody gets in by it.
        """
        with self._slot():
            try:
                self._hasher.verify(self._nobodys if stored is None else stored, password)
            except VerifyMismatchError:
                return False
        return stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Say whether a digest was made under another cost than today's."""
        return self._hasher.check_needs_rehash(stored)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._slots.acquire(timeout=self._longest_queue_seconds):
            raise HashingIsBusy("many people log in just now; try again", retry_after=5)
        try:
            yield
        finally:
            self._slots.release()

"""Where root versions are kept and used: in files here, or in a PKCS#11 token (`pkcs11_roots`).

A root wraps the keys in the keyring's folder and nothing else. What its wraps look like is its own affair; `context`
names the place of the value with its header, and is authenticated with it.
"""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from vms_privacy import durable_files
from vms_privacy.clock import Clock
from vms_privacy.ids import Randomness
from vms_privacy.keyring.faults import told
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.rules import KEY_SIZE, BadKeyFile, with_digest, without_digest
from vms_privacy.keyring.short_memory import ShortMemory
from vms_privacy.keyring.wrapping import unwrap, wrap

ROOT_MAGIC: Final = b"VMSR\x01\x00\x00\x00"
ROOT_FILE_SIZE: Final = len(ROOT_MAGIC) + 4 + KEY_SIZE + 32


class Roots(Protocol):
    """The roots of one keyring. Every method may raise KeyringUnavailable. Thread-safe, and safe between processes."""

    def make(self, version: int) -> None:
        """Make a new random root, durable on return. One that was made whole before is left as it is."""
        ...

    def require(self, version: int) -> None:
        """Raise KeyringUnavailable unless this root is there and whole."""
        ...

    def wrap(self, version: int, value: bytes, context: bytes) -> bytes:
        """Wrap a value under one root."""
        ...

    def unwrap(self, version: int, wrapped: bytes, context: bytes) -> bytes:
        """Open what `wrap` made under the same root with the same context. Raises WrapIsDamaged."""
        ...

    def destroy(self, version: int) -> None:
        """Destroy a root, durable on return; one that is gone already is fine."""
        ...

    def finish_destroying(self, oldest_needed: int) -> None:
        """Destroy what a power cut brought back of roots before this version."""
        ...

    def uses(self, version: int) -> int | None:
        """Return how often this root may have wrapped at most; None where nobody counts, or it cannot be told."""
        ...

    def is_nearly_used_up(self, version: int) -> bool:
        """Say whether this root is to be rotated for its uses, long before it refuses to wrap."""
        ...

    def forget_old(self) -> None:
        """Let go of what was opened and is past its time."""
        ...


RootsIn = Callable[[Path, Callable[[], uuid.UUID]], Roots]
"""Makes the roots of a keyring from their folder and the keyring's id."""


class FileRoots:
    """Roots in files of 76 bytes. keyring-v2, section 3."""

    def __init__(self, folder: Path, clock: Clock, randomness: Randomness) -> None:
        self._folder = folder
        self._randomness = randomness
        self._in_clear: ShortMemory[KeyBytes] = ShortMemory(clock)

    def make(self, version: int) -> None:
        path = self._file(version)
        body = ROOT_MAGIC + version.to_bytes(4, "big") + self._randomness.octets(KEY_SIZE)
        with told(f"root {version}"):
            if not path.exists():
                durable_files.write_durably(path, with_digest(body))
        self.require(version)

    def require(self, version: int) -> None:
        self._root(version)

    def wrap(self, version: int, value: bytes, context: bytes) -> bytes:
        # Every wrap has a key of its own (keyring-v2, 2), so there is nothing to count.
        return wrap(self._root(version), value, context, b"", self._randomness)

    def unwrap(self, version: int, wrapped: bytes, context: bytes) -> bytes:
        return unwrap(self._root(version), wrapped, context, b"")

    def destroy(self, version: int) -> None:
        self._in_clear.forget(version)
        with told(f"root {version}"):
            durable_files.destroy_durably(self._file(version))
        # Again: another thread may have read the file just before it went and remembered it just after.
        self._in_clear.forget(version)

    def finish_destroying(self, oldest_needed: int) -> None:
        """Do nothing: a file that is destroyed durably does not come back."""

    def uses(self, version: int) -> int | None:
        return None

    def is_nearly_used_up(self, version: int) -> bool:
        return False

    def forget_old(self) -> None:
        self._in_clear.forget_old()

    def _file(self, version: int) -> Path:
        return self._folder / f"{version:06d}.root"

    def _root(self, version: int) -> KeyBytes:
        known = self._in_clear.get(version)
        if known is not None:
            return known
        with told(f"root {version}"):
            data = durable_files.read_private(self._file(version), ROOT_FILE_SIZE)
            body = without_digest(data)
            if len(data) != ROOT_FILE_SIZE:
                raise BadKeyFile("it is not as long as it must be")
            if body[: len(ROOT_MAGIC) + 4] != ROOT_MAGIC + version.to_bytes(4, "big"):
                raise BadKeyFile("it is not the root of this version")
        found = KeyBytes(body[-KEY_SIZE:])
        self._in_clear.keep(version, found)
        return found

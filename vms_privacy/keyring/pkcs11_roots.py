"""Roots that live in a PKCS#11 token and never leave it. keyring-pkcs11-v1, sections 2 to 5.

Beside each root lie two small files: its card, which says what it is and holds one known wrap, and the count of its
uses. Neither opens anything.
"""

import fcntl
import functools
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from vms_privacy import durable_files
from vms_privacy.ids import Randomness
from vms_privacy.keyring.faults import told
from vms_privacy.keyring.pkcs11_rules import (
    CARD_FILE_SIZE,
    KNOWN,
    KNOWN_PLACE,
    NONCE_SIZE,
    TAG_SIZE,
    USES_FILE_SIZE,
    Allotted,
    RootCard,
    UsedUp,
    allot,
    associated_of,
    brought_back,
    is_nearly_used_up,
    object_id,
    object_label,
    packed_uses,
    read_card,
    read_uses,
    version_in,
)
from vms_privacy.keyring.pkcs11_token import Pkcs11Token, Sealed
from vms_privacy.keyring.port import KeyringUnavailable, WrapIsDamaged
from vms_privacy.keyring.rules import BadKeyFile


class RootIsUsedUp(KeyringUnavailable):
    """The root in use must wrap nothing more; once it is rotated, new keys can be made again."""

    code: ClassVar[str] = "root-is-used-up"


class Pkcs11Roots:
    """Roots in a token, with their cards and counts in a folder. `keyring_id` says whose they are."""

    def __init__(
        self, folder: Path, keyring_id: Callable[[], uuid.UUID], token: Pkcs11Token, randomness: Randomness
    ) -> None:
        self._folder = folder
        # Once: a folder that another keyring takes the place of holds nothing that opens with this id.
        self._keyring_id = functools.cache(keyring_id)
        self._token = token
        self._randomness = randomness
        self._counting = threading.Lock()
        self._allotted: dict[int, Allotted] = {}

    def make(self, version: int) -> None:
        if not self._card_file(version).exists():
            owner = self._keyring_id()
            self._begin(version, object_id(owner, version))
            # Begun here and without its card, so nothing was wrapped under it yet: a half made one may be replaced.
            self._token.make_key(object_id(owner, version), object_label(owner, version))
            known = self._wrapped(version, KNOWN, KNOWN_PLACE)
            with told(f"root {version}"):
                durable_files.write_durably(self._card_file(version), RootCard(version, owner, known).packed())
        self.require(version)

    def require(self, version: int) -> None:
        known = self._known(version)
        try:
            opened = self._token.unwrap(object_id(self._keyring_id(), version), known, lambda: known)
        except KeyringUnavailable as error:
            raise KeyringUnavailable(f"root {version}: {error.detail}", role=f"root {version}") from None
        if opened != KNOWN:
            raise KeyringUnavailable(f"root {version} in the token is another key", role=f"root {version}")

    def wrap(self, version: int, value: bytes, context: bytes) -> bytes:
        # Whatever the token answers is opened again before it replaces anything that is known to open.
        wrapped = self._wrapped(version, value, context)
        try:
            if self.unwrap(version, wrapped, context) == value:
                return wrapped
        except WrapIsDamaged as error:
            self._token.faults[error.code] += 1
        raise KeyringUnavailable("the PKCS#11 token does not open what it has wrapped", role="token")

    def unwrap(self, version: int, wrapped: bytes, context: bytes) -> bytes:
        if len(wrapped) < NONCE_SIZE + TAG_SIZE:
            raise WrapIsDamaged("a wrapped value is too short")
        owner = self._keyring_id()
        sealed = Sealed(wrapped, associated_of(owner, version, context))
        return self._token.unwrap(object_id(owner, version), sealed, lambda: self._known(version))

    def destroy(self, version: int) -> None:
        with self._counting:
            self._allotted.pop(version, None)
        # The token first: as long as the card is there, whoever comes after a crash knows what is left to do.
        self._token.destroy_key(object_id(self._keyring_id(), version))
        with told(f"root {version}"):
            durable_files.destroy_durably(self._card_file(version))
            durable_files.destroy_durably(self._uses_file(version))

    def finish_destroying(self, oldest_needed: int) -> None:
        owner = self._keyring_id()
        versions = frozenset(filter(None, (version_in(one, owner) for one in self._token.object_ids())))
        for version in brought_back(versions, oldest_needed):
            self.destroy(version)

    def uses(self, version: int) -> int | None:
        return self._counted(version)

    def is_nearly_used_up(self, version: int) -> bool:
        return is_nearly_used_up(self._counted(version))

    def forget_old(self) -> None:
        self._token.forget_old()

    def _begin(self, version: int, named: bytes) -> None:
        """Note durably that a root is being made here, by its count. Raises if it was made elsewhere."""
        if self._uses_file(version).exists():
            return
        if named in self._token.object_ids():
            detail = f"the PKCS#11 token has a root {version} already, of a newer state of this keyring's folder"
            raise KeyringUnavailable(detail, role=f"root {version}")
        with told(_count_of(version)):
            durable_files.write_durably(self._uses_file(version), packed_uses(version, 0))

    def _card_file(self, version: int) -> Path:
        return self._folder / f"{version:06d}.root"

    def _uses_file(self, version: int) -> Path:
        return self._folder / f"{version:06d}.uses"

    def _known(self, version: int) -> Sealed:
        with told(f"root {version}"):
            data = durable_files.read_private(self._card_file(version), CARD_FILE_SIZE)
            card = read_card(data, version, self._keyring_id())
        return Sealed(card.known, associated_of(card.keyring_id, version, KNOWN_PLACE))

    def _wrapped(self, version: int, value: bytes, context: bytes) -> bytes:
        self._use(version)
        owner = self._keyring_id()
        nonce = self._randomness.octets(NONCE_SIZE)
        return self._token.wrap(object_id(owner, version), nonce, value, associated_of(owner, version, context))

    def _use(self, version: int) -> None:
        """Count one use of a root before it happens. Raises RootIsUsedUp."""
        with self._counting:
            left = self._allotted.get(version)
            if left is None or left.first == left.end:
                left = self._allot(version)
            self._allotted[version] = Allotted(left.first + 1, left.end)

    def _allot(self, version: int) -> Allotted:
        """Take the next block of uses, durable before the first of it: a crash wastes uses and never forgets any."""
        with self._counting_alone():
            verdict = allot(self._counted(version))
            if isinstance(verdict, UsedUp):
                raise RootIsUsedUp(f"root {version} must be rotated: {verdict.why}", role=f"root {version}")
            with told(_count_of(version)):
                durable_files.write_durably(self._uses_file(version), packed_uses(version, verdict.end))
        return verdict

    def _counted(self, version: int) -> int | None:
        try:
            return read_uses(durable_files.read_private(self._uses_file(version), USES_FILE_SIZE), version)
        except (OSError, BadKeyFile):
            # Fails closed: a root whose count cannot be read wraps nothing more, and still opens.
            return None

    @contextmanager
    def _counting_alone(self) -> Iterator[None]:
        with told("folder of roots"):
            handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with told("folder of roots"):
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _count_of(version: int) -> str:
    return f"count of root {version}"

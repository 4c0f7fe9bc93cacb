"""A check over the parts of an installation, beside its service or without one."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

from archive.blobs.store import BlobStore
from archive.check.audited import CheckAudit
from archive.check.memory import Memory
from archive.check.mending import Mender
from archive.check.opening import Decoding, Opening
from archive.check.service import Checker, Progress
from archive.erasure.unused_keys import UnusedKeys
from archive.keys.wrap import SegmentKeys
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.keyring.port import Keyring

_AT_ONCE: Final = {"s3": 8}
"""A folder is asked by one: it answers at once, and threads would only wait for each other."""


class CheckedSettings(Protocol):
    """What a check needs of the settings."""

    @property
    def spool(self) -> Path:
        """The folder of files on their way to the store."""
        ...

    @property
    def sweep_every(self) -> timedelta:
        """How often what has expired is destroyed."""
        ...

    @property
    def store(self) -> str:
        """What kind of store there is: `folder` or `s3`."""
        ...


class CheckedParts(Protocol):
    """What a check needs of an installation's parts."""

    @property
    def db(self) -> Database: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def keyring(self) -> Keyring: ...

    @property
    def keys(self) -> SegmentKeys: ...

    @property
    def store(self) -> BlobStore: ...

    @property
    def audit(self) -> AuditLog: ...

    @property
    def settings(self) -> CheckedSettings: ...


def mender_of(parts: CheckedParts, unused_keys: Callable[[], UnusedKeys] | None) -> Mender:
    """Return what mends what a check found; beside a running service it leaves the keys alone."""
    audit = CheckAudit(parts.db, parts.audit, parts.clock)
    return Mender(parts.db, parts.store, parts.settings.spool, audit, parts.clock, unused_keys)


def checker_of(parts: CheckedParts, decoding: Decoding, progress: Progress) -> Checker:
    """Return what accounts for everything, remembers what it looked at, and is heard of in the audit."""
    audit = CheckAudit(parts.db, parts.audit, parts.clock)
    return Checker(
        parts.db,
        parts.keyring,
        parts.store,
        parts.settings.spool,
        parts.clock,
        parts.settings.sweep_every,
        progress=progress,
        opening=Opening(parts.keys, decoding, audit.opens_files),
        memory=Memory(parts.db, parts.clock),
        audit=audit,
        at_once=_AT_ONCE.get(parts.settings.store, 1),
    )

"""What the keyring's files say: headers, contexts and the manifest, as plain values. keyring-v2, sections 2 to 6."""

import hashlib
import json
import re
import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum, unique
from typing import Final

from vms_privacy.keyring.port import Purpose

MAGIC: Final = b"VMSK"
FORMAT: Final = 1
KEY_SIZE: Final = 32
HEADER: Final = struct.Struct(">4sBxxxIIQ")
"""Magic, format, three zero bytes, root version, key version, made at (seconds since 1970)."""
WRAP_FORMAT: Final = b"\x01"
_LENGTH: Final = struct.Struct(">I").pack

HANDOVER: Final = b"vms-privacy key handover v1\n"
SIGNING: Final = frozenset({Purpose.TOKEN_SIGNING, Purpose.RECEIPT_SIGNING, Purpose.CHECKPOINT_SIGNING})
SEALING: Final = frozenset({Purpose.CAMERA_CREDENTIAL, Purpose.REQUEST_CONTACT})
DIGESTING: Final = frozenset({Purpose.PSEUDONYM})
NAMED: Final = SIGNING | SEALING | DIGESTING
"""Purposes with numbered versions; bucket keys have ids instead."""

PSEUDONYM_LIFE: Final = timedelta(hours=24)
ROOT_LIFE: Final = timedelta(days=30)
ROOT_HEAD_START: Final = timedelta(hours=6)
"""How long before the end of a root its rotation begins: time for late rounds, and to re-wrap every key."""
CLOCK_PLAY: Final = timedelta(seconds=60)
_KEY_NAME: Final = re.compile(r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.key")
_VERSION_NAME: Final = re.compile(r"([0-9]{6})\.(key|public|since)")
_MANIFEST_NAME: Final = "vms-privacy-keyring-v2"
_V1_MANIFEST_NAME: Final = "vms-privacy-keyring-v1"


class BadKeyFile(ValueError):
    """Bytes that are not a file of keyring-v1. The text names the fault, never the content."""


@dataclass(frozen=True, slots=True)
class KeyHeader:
    """What a key file says in clear, authenticated with the key it carries."""

    root_version: int
    key_version: int
    made_at: int

    def packed(self) -> bytes:
        return HEADER.pack(MAGIC, FORMAT, self.root_version, self.key_version, self.made_at)


def read_header(data: bytes) -> KeyHeader:
    """Read the header of a key file. Raises BadKeyFile for anything but format 1. keyring-v2, 3."""
    if len(data) < HEADER.size:
        raise BadKeyFile("it is too short")
    magic, form, root_version, key_version, made_at = HEADER.unpack_from(data)
    if magic != MAGIC or form != FORMAT or data[5:8] != bytes(3):
        raise BadKeyFile("it is not of format 1")
    if root_version == 0 or key_version == 0:
        raise BadKeyFile("a version is zero")
    return KeyHeader(root_version, key_version, made_at)


def context_of(*parts: bytes) -> bytes:
    """Join parts so that no two lists give the same bytes: each has its length before it. keyring-v2, 2."""
    return b"".join([_LENGTH(len(part)) + part for part in parts])


def bucket_file(bucket_key: uuid.UUID) -> str:
    """Return the name of the file that a bucket key had in keyring-v1."""
    return f"{bucket_key}.key"


def bucket_of(name: str) -> uuid.UUID | None:
    """Return the bucket key that a file name stands for; None for any other file."""
    found = _KEY_NAME.fullmatch(name)
    return uuid.UUID(found[1]) if found else None


def bucket_place(bucket_key: uuid.UUID) -> bytes:
    """Return the place that a bucket key had in its own file. keyring-v2, 12."""
    return context_of(b"bucket key", Purpose.ARCHIVE_BUCKET.encode(), bucket_key.bytes)


def version_of(name: str, suffix: str) -> int | None:
    """Return the version that a file name stands for; None for any other file."""
    found = _VERSION_NAME.fullmatch(name)
    return int(found[1]) if found and found[2] == suffix else None


def handover(purpose: str, previous: str, following: str, made_at: datetime) -> bytes:
    """Return what a signing key signs of the one that follows it, both by their kid: the last thing it signs. 3.

    So whoever wrote one key down knows every later one. The moment is that from which on the new key is in use.
    """
    told = {
        "made_at": made_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "next": following,
        "previous": previous,
        "purpose": str(purpose),
    }
    return HANDOVER + json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


def is_due(made_at: int, now: datetime) -> bool:
    """Say whether a pseudonym key has served its day. A clock that went back never makes it due."""
    return now.timestamp() - made_at >= PSEUDONYM_LIFE.total_seconds()


@unique
class WhyRotate(StrEnum):
    """Why a root is to be rotated now."""

    INTERRUPTED = "interrupted"
    TIME_IS_NEAR = "time-is-near"
    CLOCK_WAS_AHEAD = "clock-was-ahead"
    USED_UP = "used-up"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Which roots and versions there must be. What is not named here is never used, and what is named must be there.

    `making` is a root being written and not in use yet; `retiring` roots still open old wraps; `condemned` ones must
    go. `versions` holds the current version of each purpose. The current root is in use from `since` and must be gone
    at `until`, in seconds since 1970.
    """

    keyring_id: uuid.UUID
    current: int
    since: int
    until: int
    making: int | None = None
    retiring: tuple[int, ...] = ()
    condemned: tuple[int, ...] = ()
    versions: Mapping[Purpose, int] = field(default_factory=dict)

    @property
    def needed(self) -> tuple[int, ...]:
        """Root versions without which this keyring cannot open."""
        return (self.current, *self.retiring)

    def begun(self) -> "Manifest":
        """Announce the next root; keep the announced one if a crash came between."""
        if self.making is not None:
            return self
        return replace(self, making=max(self.current, *self.retiring, *self.condemned, 0) + 1)

    @property
    def is_rotating(self) -> bool:
        """Say whether a rotation was begun and is not over."""
        return self.making is not None or bool(self.retiring) or bool(self.condemned)

    def switched(self, since: int, until: int) -> "Manifest":
        """Put the announced root to use; the one before it only opens from now on."""
        if self.making is None:
            return self
        retiring = (*self.retiring, self.current)
        return replace(self, current=self.making, since=since, until=until, making=None, retiring=retiring)

    def dropped(self) -> "Manifest":
        """Condemn the roots that no key rests on any more."""
        return replace(self, retiring=(), condemned=tuple(sorted({*self.condemned, *self.retiring})))

    def cleared(self) -> "Manifest":
        """Forget the condemned roots, once they are destroyed."""
        return replace(self, condemned=())

    def with_version(self, purpose: Purpose, version: int) -> "Manifest":
        """Make `version` the current one of a purpose."""
        return replace(self, versions={**self.versions, purpose: version})

    def packed(self) -> bytes:
        return self._packed(_MANIFEST_NAME)

    def packed_v1(self) -> bytes:
        """Return the manifest as keyring-v1 had it: the same, by another name."""
        return self._packed(_V1_MANIFEST_NAME)

    def _packed(self, name: str) -> bytes:
        return json.dumps(
            {
                "format": name,
                "keyring": str(self.keyring_id),
                "current": self.current,
                "since": self.since,
                "until": self.until,
                "making": self.making,
                "retiring": self.retiring,
                "condemned": self.condemned,
                "versions": {str(purpose): version for purpose, version in self.versions.items()},
            },
            sort_keys=True,
        ).encode()


def read_manifest(data: bytes) -> Manifest:
    """Read a manifest. Raises BadKeyFile for anything that `Manifest.packed` would not write. keyring-v2, 6."""
    found = _manifest_in(data)
    if found.packed() != data:
        raise BadKeyFile("it is not as the keyring writes it")
    return found


def is_v1(data: bytes) -> bool:
    """Say whether a manifest calls itself one of keyring-v1."""
    return b'"format": "%s"' % _V1_MANIFEST_NAME.encode() in data


def read_v1_manifest(data: bytes) -> Manifest:
    """Read a manifest of keyring-v1. Raises BadKeyFile for anything that it would not have written."""
    found = _manifest_in(data)
    if found.packed_v1() != data:
        raise BadKeyFile("it is not as the keyring wrote it")
    return found


def _manifest_in(data: bytes) -> Manifest:
    try:
        told = json.loads(data)
        found = Manifest(
            uuid.UUID(told["keyring"]),
            told["current"],
            told["since"],
            told["until"],
            told["making"],
            tuple(told["retiring"]),
            tuple(told["condemned"]),
            {Purpose(name): version for name, version in told["versions"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadKeyFile("it cannot be read") from error
    roots = (*found.needed, *found.condemned, *(() if found.making is None else (found.making,)))
    if any(type(version) is not int or not 0 < version < 2**32 for version in (*roots, *found.versions.values())):
        raise BadKeyFile("a version is not a version")
    if any(type(moment) is not int or not 0 <= moment < 2**63 for moment in (found.since, found.until)):
        raise BadKeyFile("a moment is not a moment")
    if len(set(roots)) != len(roots):
        raise BadKeyFile("a root is in it twice")
    return found


def with_digest(body: bytes) -> bytes:
    """Return a file's bytes with their SHA-256 after them, which finds a damaged disk and protects nothing."""
    return body + hashlib.sha256(body).digest()


def without_digest(data: bytes) -> bytes:
    """Return what `with_digest` was given. Raises BadKeyFile."""
    body = data[:-32]
    if len(data) < 32 or hashlib.sha256(body).digest() != data[-32:]:
        raise BadKeyFile("it does not match its own digest")
    return body


def version_in_seal(sealed: bytes) -> int | None:
    """Return the version of the key that a sealed value names; None for anything else. keyring-v2, 5."""
    return int.from_bytes(sealed[1:5], "big") if sealed[:1] == WRAP_FORMAT and len(sealed) >= 5 else None


def life_of_root(now: datetime, life: timedelta) -> tuple[int, int]:
    """Return `since` and `until` of a root that is put to use at `now`, rounded down."""
    since = int(now.timestamp())
    return since, since + int(life.total_seconds())


def end_of_root(manifest: Manifest, life: timedelta) -> int:
    """Return when the current root must be gone. A shorter life applies at once, a longer one to the next root."""
    return min(manifest.until, manifest.since + int(life.total_seconds()))


def why_rotate(manifest: Manifest, life: timedelta, now: datetime) -> WhyRotate | None:
    """Say why the root is to be rotated at `now`; None while it may stay.

    A key that is destroyed while a root is in use is beyond every copy of the key files once that root is gone: at
    the latest `life` later, as long as one round comes within `ROOT_HEAD_START` and ends in it.
    """
    if manifest.is_rotating:
        return WhyRotate.INTERRUPTED
    seconds = now.timestamp()
    if manifest.since > seconds + CLOCK_PLAY.total_seconds():
        # How old it is cannot be told, so it counts as too old.
        return WhyRotate.CLOCK_WAS_AHEAD
    if seconds + ROOT_HEAD_START.total_seconds() >= end_of_root(manifest, life):
        return WhyRotate.TIME_IS_NEAR
    return None

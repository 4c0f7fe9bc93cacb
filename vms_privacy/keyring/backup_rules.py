"""What a copy of the keyring says and holds, as plain values. keyring-backup-v1, sections 2 to 4.

Promise: a copy says in clear whose it is and until when it may be put back, and that cannot be changed; it holds no
root, no page key and no private half of a signing key.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import Purpose
from vms_privacy.keyring.rules import KEY_SIZE, SEALING, SIGNING, BadKeyFile

HEAD_LIMIT: Final = 1024
"""Bytes of the line in clear, its newline included."""
BACKUP_LIMIT: Final = 1024 * 1024 * 1024
INFO: Final = b"vms-privacy keyring-backup-v1\n"
_FORMAT: Final = "vms-privacy-keyring-backup-v1"
_NAMES: Final = {"backup", "bucket_keys", "format", "keyring", "made_at", "recipient", "root", "until"}


@dataclass(frozen=True, slots=True)
class BackupHead:
    """What stands before the ciphertext and is authenticated with it. Moments are whole seconds since 1970.

    `recipient` is the thumbprint of the key that opens it; `root` the root version that was in use.
    """

    backup_id: UUID
    keyring_id: UUID
    root: int
    bucket_keys: int
    made_at: int
    until: int
    recipient: str

    def line(self) -> bytes:
        """Return the one form of it, newline included."""
        told = {
            "backup": str(self.backup_id),
            "bucket_keys": self.bucket_keys,
            "format": _FORMAT,
            "keyring": str(self.keyring_id),
            "made_at": self.made_at,
            "recipient": self.recipient,
            "root": self.root,
            "until": self.until,
        }
        return _canonical(told) + b"\n"


def read_head(line: bytes) -> BackupHead:
    """Read the line before the ciphertext. Raises BadKeyFile for anything that `BackupHead.line` would not write."""
    told = _object_in(line)
    if told.keys() != _NAMES:
        raise BadKeyFile("it does not begin as a copy of a keyring")
    numbers = [told[name] for name in ("root", "bucket_keys", "made_at", "until")]
    if any(type(one) is not int or not 0 <= one < 2**63 for one in numbers) or type(told["recipient"]) is not str:
        raise BadKeyFile("a number of it is none")
    root, bucket_keys, made_at, until = numbers
    head = BackupHead(
        _uuid(told["backup"]), _uuid(told["keyring"]), root, bucket_keys, made_at, until, told["recipient"]
    )
    if head.line() != line:
        raise BadKeyFile("it is not as it was written")
    return head


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key in clear and when it was made, in seconds since 1970."""

    made_at: int
    key: KeyBytes


@dataclass(frozen=True, slots=True)
class KeyringContents:
    """What of a keyring can live under other roots: bucket keys, sealing keys, and public halves of signing keys.

    Sealing keys and public halves are by purpose and version; `versions` holds the current version of each purpose.
    """

    keyring_id: UUID
    root: int
    buckets: Mapping[UUID, MadeKey]
    sealing: Mapping[tuple[Purpose, int], MadeKey]
    public: Mapping[tuple[Purpose, int], bytes]
    versions: Mapping[Purpose, int]

    def without(
        self, buckets: frozenset[UUID], sealing: frozenset[tuple[Purpose, int]] = frozenset()
    ) -> "KeyringContents":
        """Return it without bucket keys and sealing keys that were destroyed since."""
        return replace(
            self,
            buckets={one: made for one, made in self.buckets.items() if one not in buckets},
            sealing={one: made for one, made in self.sealing.items() if one not in sealing},
        )

    def packed(self) -> bytes:
        """Return the plaintext of a copy. keyring-backup-v1, section 4."""
        told = {
            "buckets": [[str(one), made.made_at, _text(made.key.reveal())] for one, made in self.buckets.items()],
            "public": [[purpose, version, _text(raw)] for (purpose, version), raw in self.public.items()],
            "sealing": [
                [purpose, version, made.made_at, _text(made.key.reveal())]
                for (purpose, version), made in self.sealing.items()
            ],
            "versions": dict(self.versions),
        }
        return _canonical({name: sorted(rows) if isinstance(rows, list) else rows for name, rows in told.items()})


def read_contents(head: BackupHead, data: bytes) -> KeyringContents:
    """Read the plaintext of a copy. Raises BadKeyFile for anything that `KeyringContents.packed` would not write."""
    told = _object_in(data)
    try:
        contents = KeyringContents(
            head.keyring_id,
            head.root,
            {_uuid(one): MadeKey(int(at), _key(key)) for one, at, key in told["buckets"]},
            {(Purpose(of), int(version)): MadeKey(int(at), _key(key)) for of, version, at, key in told["sealing"]},
            {(Purpose(of), int(version)): _octets(raw) for of, version, raw in told["public"]},
            {Purpose(of): int(version) for of, version in told["versions"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadKeyFile("what it holds cannot be read") from error
    if contents.packed() != data or len(contents.buckets) != head.bucket_keys:
        raise BadKeyFile("what it holds is not as it was written")
    if {of for of, _ in contents.sealing} - SEALING or {of for of, _ in contents.public} - SIGNING:
        raise BadKeyFile("it holds keys of a purpose that are never copied")
    return contents


def end_of_backup(now: datetime, wanted: timedelta, root_life: timedelta) -> datetime | None:
    """Return until when a copy made now may be put back; None for one that would outlive the promise of receipts."""
    return now + wanted if timedelta(0) < wanted <= root_life else None


def is_over(head: BackupHead, now: datetime) -> bool:
    """Say whether a copy may not be put back any more."""
    return now.timestamp() >= head.until


def root_after(head: BackupHead, retired: frozenset[int]) -> int:
    """Return the version of the root that a keyring is put back under: no root there ever was has it.

    `retired` are the roots that the journal says were to be rotated since; the one after the last may be in use.
    """
    return max(head.root, *(version + 1 for version in retired), 0) + 1


def _canonical(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _object_in(data: bytes) -> dict[str, Any]:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadKeyFile("it cannot be read") from error
    if not isinstance(told, dict):
        raise BadKeyFile("it cannot be read")
    return told


def _uuid(text: Any) -> UUID:
    try:
        return UUID(text)
    except (ValueError, AttributeError, TypeError) as error:
        raise BadKeyFile("an id of it is none") from error


def _key(text: str) -> KeyBytes:
    return KeyBytes(_octets(text))


def _octets(text: str) -> bytes:
    raw = base64.urlsafe_b64decode(text + "=")
    if len(raw) != KEY_SIZE:
        raise BadKeyFile("a key of it has another length")
    return raw


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

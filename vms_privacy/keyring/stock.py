"""What a keyring holds, read from the heads of its files: no key is opened, and none could be told.

Reads beside a running service; a rotation that goes on meanwhile shows as the root versions its keys rest on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from vms_privacy import durable_files
from vms_privacy.keyring.faults import told
from vms_privacy.keyring.key_folder import KEY_FILE_SIZE, MANIFEST_LIMIT
from vms_privacy.keyring.port import Purpose
from vms_privacy.keyring.rules import bucket_of, read_header, read_manifest, version_of


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """The current key of one purpose: its number, when it was made, and how many versions before it are kept."""

    version: int
    made_at: datetime
    older_kept: int


@dataclass(frozen=True, slots=True)
class Stock:
    """What there is. The root is in use since `root_since` and is gone by `root_until`."""

    root_version: int
    root_since: datetime
    root_until: datetime
    is_rotating: bool
    purposes: Mapping[Purpose, KeyVersion]
    bucket_keys: int


def take_stock(folder: Path) -> Stock:
    """Look through a keyring's folder. Raises KeyringUnavailable."""
    with told("manifest"):
        manifest = read_manifest(durable_files.read_private(folder / "manifest", MANIFEST_LIMIT))
    with told("folder of bucket keys"):
        bucket_keys = sum(bucket_of(path.name) is not None for path in (folder / "buckets").iterdir())
    return Stock(
        root_version=manifest.current,
        root_since=datetime.fromtimestamp(manifest.since, UTC),
        root_until=datetime.fromtimestamp(manifest.until, UTC),
        is_rotating=manifest.is_rotating,
        purposes={purpose: _newest(folder, purpose, version) for purpose, version in manifest.versions.items()},
        bucket_keys=bucket_keys,
    )


def _newest(folder: Path, purpose: Purpose, version: int) -> KeyVersion:
    of_purpose = folder / "purposes" / purpose
    with told(f"key of {purpose}, version {version}"):
        kept = [version_of(path.name, "key") for path in of_purpose.iterdir()]
        header = read_header(durable_files.read_private(of_purpose / f"{version:06d}.key", KEY_FILE_SIZE))
    older = sum(one is not None and one < version for one in kept)
    return KeyVersion(version, datetime.fromtimestamp(header.made_at, UTC), older)

"""Where a bucket is, and the two secrets that the store knows us by."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from archive.errors import StoreDeniesAccess
from vms_privacy.durable_files import read_private

_LONGEST: Final = 4096


@dataclass(frozen=True, slots=True)
class BucketPlace:
    """Where a bucket is. `endpoint` is host and port; without `ca_file` the system's certificates are trusted."""

    endpoint: str
    bucket: str
    region: str
    uses_tls: bool = True
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class S3Keys:
    """What the store knows us by. Both parts are secrets and are shown nowhere."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)

    @classmethod
    def read(cls, access_key_file: Path | None, secret_key_file: Path | None) -> "S3Keys":
        """Read one secret from each file, without the space around it; nobody else may read the files (mode 0600).

        Raises StoreDeniesAccess, without the path or what was read.
        """
        if access_key_file is None or secret_key_file is None:
            raise StoreDeniesAccess("no files with the store's keys are named")
        try:
            found = [read_private(path, _LONGEST).decode("ascii") for path in (access_key_file, secret_key_file)]
        except (OSError, ValueError) as error:
            raise StoreDeniesAccess(f"a file with the store's keys is unusable: {type(error).__name__}") from None
        access_key, secret_key = (one.strip() for one in found)
        if not access_key or not secret_key:
            raise StoreDeniesAccess("a file with the store's keys is empty")
        return cls(access_key, secret_key)

"""Many key files replaced at once, so that a crash loses none of them. keyring-v1, section 6.

A batch is written down as a whole first, and then over the old files where they lie: so the disk is waited for some
ten times less than with one file after the other.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from uuid import UUID

from vms_privacy import durable_files
from vms_privacy.keyring.faults import told
from vms_privacy.keyring.rules import BadKeyFile, bucket_file, packed_batch, read_batch

AT_ONCE: Final = 256
_LIMIT: Final = 1024 * 1024
_ROLE: Final = "record of a re-wrapping"


class Rewrapping:
    """The record of one batch of bucket keys. For every method but `is_left` the caller is alone.

    While the record is there, so is a second copy of what it holds: no key may come or go until it is finished, or
    one that is destroyed would be had again from it.
    """

    def __init__(self, folder: Path, buckets: Path) -> None:
        self._record = folder / "rewrapping"
        self._buckets = str(buckets)

    def is_left(self) -> bool:
        """Say whether a batch was begun and is not finished."""
        with told(_ROLE):
            return self._record.exists()

    def replace(self, files: Mapping[UUID, bytes]) -> None:
        """Replace the files of these bucket keys, durable on return. Raises KeyringUnavailable."""
        self.note(files)
        self.finish()

    def note(self, files: Mapping[UUID, bytes]) -> None:
        """Write down what the files are to become, durable on return."""
        with told(_ROLE):
            durable_files.write_in_place(self._record, packed_batch(files))

    def finish(self) -> None:
        """Do what is written down, and destroy the record; one that a crash cut off was never begun with."""
        if not self.is_left():
            return
        files = self._noted()
        with told("bucket keys"):
            durable_files.overwrite_durably(
                [(f"{self._buckets}/{bucket_file(bucket_key)}", data) for bucket_key, data in files.items()]
            )
        with told(_ROLE):
            durable_files.finish_destroying(self._record)

    def _noted(self) -> dict[UUID, bytes]:
        with told(_ROLE):
            data = durable_files.read_private(self._record, _LIMIT)
            try:
                return read_batch(data)
            except BadKeyFile:
                return {}

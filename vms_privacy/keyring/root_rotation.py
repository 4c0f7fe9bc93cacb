"""Rotating the root in steps that a crash may interrupt anywhere. keyring-v1, section 6.

Promise: at every moment each living key opens under a root that is there; at the end no key rests on the old root
and the old root is gone, so that an older copy of the keyring without its roots opens nothing.
"""

import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path
from uuid import UUID

from vms_privacy import durable_files
from vms_privacy.keyring.faults import told
from vms_privacy.keyring.key_folder import KeyFolder
from vms_privacy.keyring.purpose_keys import PurposeRing
from vms_privacy.keyring.rewrapping import AT_ONCE
from vms_privacy.keyring.rules import bucket_file, bucket_of, bucket_place


@unique
class Step(StrEnum):
    """What has just become durable. Kill points are enumerated from here."""

    ANNOUNCED = "announced"
    WRITTEN = "written"
    SWITCHED = "switched"
    REWRAPPED = "rewrapped"
    DROPPED = "dropped"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class RotatedRoot:
    """What a rotation did: the root now in use, how many keys were re-wrapped, how many roots destroyed."""

    version: int
    rewrapped: int
    destroyed: int


class RootRotation:
    """One rotation, or the rest of one. Other changes wait for `at_once` files at most, never for the whole of it.

    `life_from_now` says from when and until when a root may be in use that is put to use now.
    """

    def __init__(
        self,
        files: KeyFolder,
        purposes: PurposeRing,
        life_from_now: Callable[[], tuple[int, int]],
        at_once: int = AT_ONCE,
    ) -> None:
        self._files = files
        self._purposes = purposes
        self._life_from_now = life_from_now
        self._at_once = at_once
        self._rewrapped = 0
        self._destroyed = 0

    def run(self) -> RotatedRoot:
        """Do every step that is left. Raises KeyringUnavailable; run it again when the cause is gone."""
        for _ in self.steps():
            pass
        return self.done

    @property
    def done(self) -> RotatedRoot:
        """What this rotation has done so far."""
        return RotatedRoot(self._files.manifest().current, self._rewrapped, self._destroyed)

    def steps(self) -> Generator[Step, None, None]:
        """Do one step after the other and say which one is done; REWRAPPED comes for every batch of keys."""
        with self._files.alone():
            manifest = self._files.manifest()
            if not manifest.retiring and not manifest.condemned:
                self._files.write_manifest(manifest.begun())
        yield Step.ANNOUNCED
        with self._files.alone():
            making = self._files.manifest().making
            if making is not None:
                self._files.roots.make(making)
        yield Step.WRITTEN
        with self._files.alone():
            manifest = self._files.manifest()
            if manifest.making is not None:
                # Another rotation may have announced it since: nothing is put to use that was not made.
                self._files.roots.make(manifest.making)
            # From here every new wrap, of any process, is under the new root: each looks at the manifest.
            switched = manifest.switched(*self._life_from_now())
            self._files.write_manifest(switched)
        yield Step.SWITCHED
        for purpose in self._files.manifest().versions:
            for path, role, place in self._purposes.key_files(purpose):
                if self._rewrap(path, role, place):
                    self._rewrapped += 1
                    yield Step.REWRAPPED
        for bucket_keys in self._batches():
            done = self._rewrap_together(bucket_keys)
            if done:
                self._rewrapped += done
                yield Step.REWRAPPED
        with self._files.alone():
            manifest = self._files.manifest()
            # If another rotation has switched since, keys that it has not come to rest on what is retiring now.
            if manifest.current == switched.current:
                self._files.write_manifest(manifest.dropped())
        yield Step.DROPPED
        with self._files.alone():
            self._destroyed += self._files.destroy_condemned(self._files.manifest())
        yield Step.DESTROYED

    def _batches(self) -> Iterator[list[UUID]]:
        with told("folder of bucket keys"):
            found = [bucket_of(name) for name in os.listdir(self._files.buckets)]  # noqa: PTH208 - names, and no paths
        bucket_keys = [bucket_key for bucket_key in found if bucket_key is not None]
        for at in range(0, len(bucket_keys), self._at_once):
            yield bucket_keys[at : at + self._at_once]

    def _rewrap_together(self, bucket_keys: list[UUID]) -> int:
        """Re-wrap some bucket keys under the current root; return for how many that was needed."""
        folder = str(self._files.buckets)
        with self._files.alone():
            # Alone: a key destroyed between reading and writing would otherwise come back.
            manifest, files = self._files.manifest(), dict[UUID, bytes]()
            for one in bucket_keys:
                moved = self._files.moved(f"{folder}/{bucket_file(one)}", "bucket key", bucket_place(one), manifest)
                if moved is not None:
                    files[one] = moved
            if files:
                self._files.rewrapping.replace(files)
        return len(files)

    def _rewrap(self, path: Path, role: str, place: bytes) -> bool:
        """Re-wrap one key under the current root; say whether that was needed."""
        with self._files.alone():
            moved = self._files.moved(path, role, place, self._files.manifest())
            if moved is None:
                return False
            with told(role):
                durable_files.write_durably(path, moved)
            return True

"""Rotating the root in steps that a crash may interrupt anywhere. keyring-v1, section 6.

Promise: at every moment each living key opens under a root that is there; at the end no key rests on the old root
and the old root is gone, so that an older copy of the keyring without its roots opens nothing.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path

from vms_privacy import durable_files
from vms_privacy.keyring.faults import told
from vms_privacy.keyring.key_folder import KEY_FILE_SIZE, KeyFolder, OpenedKey
from vms_privacy.keyring.purpose_keys import PurposeRing
from vms_privacy.keyring.rules import KeyHeader, bucket_of, bucket_place, read_header


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
    """One rotation, or the rest of one. Other changes wait for one file at a time, never for the whole of it.

    `life_from_now` says from when and until when a root may be in use that is put to use now.
    """

    def __init__(self, files: KeyFolder, purposes: PurposeRing, life_from_now: Callable[[], tuple[int, int]]) -> None:
        self._files = files
        self._purposes = purposes
        self._life_from_now = life_from_now
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
        """Do one step after the other and say which one is done; REWRAPPED comes once for every key."""
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
        for path, role, place in self._key_files():
            if self._rewrap(path, role, place):
                self._rewrapped += 1
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

    def _key_files(self) -> Iterator[tuple[Path, str, bytes]]:
        for purpose in self._files.manifest().versions:
            yield from self._purposes.key_files(purpose)
        with told("folder of bucket keys"):
            paths = list(self._files.buckets.iterdir())
        for path in paths:
            bucket_key = bucket_of(path.name)
            if bucket_key is not None:
                yield path, "bucket key", bucket_place(bucket_key)

    def _rewrap(self, path: Path, role: str, place: bytes) -> bool:
        """Re-wrap one key under the current root; say whether that was needed."""
        with self._files.alone():
            # Alone: a key destroyed between reading and writing would otherwise come back.
            current = self._files.manifest().current
            with told(role):
                try:
                    header = read_header(durable_files.read_private(path, KEY_FILE_SIZE))
                except FileNotFoundError:
                    return False
            if header.root_version == current:
                return False
            opened = self._files.read_key(path, role, place)
            if opened is None:
                return False
            moved = KeyHeader(current, opened.header.key_version, opened.header.made_at)
            self._files.write_key(path, role, place, OpenedKey(moved, opened.key))
            return True

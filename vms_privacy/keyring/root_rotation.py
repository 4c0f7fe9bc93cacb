"""Rotating the root in steps that a crash may interrupt anywhere. keyring-v2, section 7.

Promise: at every moment each living key opens under a root that is there; at the end no key rests on the old root
and the old root is gone, so that an older copy of the keyring without its roots opens nothing.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path
from typing import Final

from vms_privacy.keyring.bucket_pages import BucketPages
from vms_privacy.keyring.key_folder import KeyFolder
from vms_privacy.keyring.purpose_keys import PurposeRing

AT_ONCE: Final = 256
"""Bucket keys that are re-wrapped together: what a disk is waited for once, and what a page's other users wait for."""


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
    """One rotation, or the rest of one. Other changes wait for the pages of `at_once` keys at most, never for all.

    `life_from_now` says from when and until when a root may be in use that is put to use now.
    """

    def __init__(
        self,
        files: KeyFolder,
        pages: BucketPages,
        purposes: PurposeRing,
        life_from_now: Callable[[], tuple[int, int]],
        at_once: int = AT_ONCE,
    ) -> None:
        self._files = files
        self._pages = pages
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
        for numbers in self._pages.batches(self._at_once):
            done = self._pages.move(numbers)
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

    def _rewrap(self, path: Path, role: str, place: bytes) -> bool:
        """Re-wrap one key under the current root; say whether that was needed."""
        with self._files.alone():
            manifest = self._files.manifest()
            opened = self._files.read_key_under(manifest, path, role, place)
            if opened is None or opened.header.root_version == manifest.current:
                return False
            self._files.write_key(path, role, place, opened.under(manifest.current))
            return True

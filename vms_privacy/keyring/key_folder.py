"""The keyring's folder: who may look, who may write when, and how a key file is opened under its root. keyring-v1.

    <folder>/            0700
      manifest           which roots and versions there must be
      lock               nothing; locked shared for one change, exclusively for a rotation
      roots/000001.root  one root version each
      buckets/<id>.key   one bucket key each
      purposes/<purpose>/000001.key, 000001.public

A missing root, manifest or version is never made anew: that would turn a lost disk into a silent loss of footage.
"""

import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vms_privacy import durable_files
from vms_privacy.clock import Clock
from vms_privacy.ids import Randomness
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyringUnavailable, Purpose, WrapIsDamaged
from vms_privacy.keyring.rules import HEADER, KEY_SIZE, BadKeyFile, KeyHeader, Manifest, context_of, read_header
from vms_privacy.keyring.rules import read_manifest as manifest_of
from vms_privacy.keyring.short_memory import ShortMemory
from vms_privacy.keyring.wrapping import OVERHEAD, unwrap, wrap

ROOT_MAGIC: Final = b"VMSR\x01\x00\x00\x00"
ROOT_FILE_SIZE: Final = len(ROOT_MAGIC) + 4 + KEY_SIZE + 32
KEY_FILE_SIZE: Final = HEADER.size + OVERHEAD + KEY_SIZE
MANIFEST_LIMIT: Final = 64 * 1024


@contextmanager
def told(role: str) -> Iterator[None]:
    """Turn what the file system or a reader says about a file into KeyringUnavailable, which names its role only."""
    try:
        yield
    except OSError as error:
        raise KeyringUnavailable(f"the keyring's {role}: {durable_files.fault_of(error)}", role=role) from error
    except ValueError as error:
        raise KeyringUnavailable(f"the keyring's {role} is damaged: {error}", role=role) from error


@dataclass(frozen=True, slots=True)
class OpenedKey:
    """One key of the keyring, in clear, with what its file says about it."""

    header: KeyHeader
    key: KeyBytes


class KeyFolder:
    """Reads and writes the files of one keyring. Raises KeyringUnavailable. Thread-safe, and safe between processes."""

    def __init__(self, folder: Path, clock: Clock, randomness: Randomness) -> None:
        self.folder = folder
        self.buckets = folder / "buckets"
        self.roots = folder / "roots"
        self._randomness = randomness
        self._roots_in_clear: ShortMemory[KeyBytes] = ShortMemory(clock)
        self._manifest: tuple[tuple[int, int], Manifest] | None = None

    def purpose_folder(self, purpose: Purpose) -> Path:
        return self.folder / "purposes" / purpose

    @property
    def _manifest_file(self) -> Path:
        return self.folder / "manifest"

    def root_file(self, version: int) -> Path:
        return self.roots / f"{version:06d}.root"

    def lay_out(self, manifest: Manifest) -> None:
        """Make the empty folders and the manifest of a new keyring."""
        with told("folder"):
            for folder in (self.folder, self.roots, self.buckets, self.folder / "purposes"):
                durable_files.make_private_folder(folder)
            durable_files.write_durably(self.folder / "lock", b"")
        self.write_manifest(manifest)

    def refuse_if_shared(self) -> None:
        """Raise KeyringUnavailable if anyone but this process's user has any right to one of the folders."""
        for role, folder in (
            ("folder", self.folder),
            ("folder of roots", self.roots),
            ("folder of bucket keys", self.buckets),
        ):
            with told(role):
                found = folder.stat()
                if not stat.S_ISDIR(found.st_mode):
                    raise NotADirectoryError("not a folder")
                durable_files.refuse_if_shared(found)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold off rotations while one file comes or goes. Not to be nested."""
        with self._locked(fcntl.LOCK_SH):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold off every other change, of any thread and process. Not to be nested."""
        with self._locked(fcntl.LOCK_EX):
            yield

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        with told("lock"):
            handle = os.open(self.folder / "lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            with told("lock"):
                fcntl.flock(handle, how)
            yield
        finally:
            os.close(handle)

    def stamp(self) -> tuple[int, int]:
        """Return what changes whenever the manifest does, in whatever process."""
        with told("manifest"):
            found = self._manifest_file.stat()
        return found.st_ino, found.st_mtime_ns

    def manifest(self) -> Manifest:
        """Return the manifest as it is on disk."""
        stamp = self.stamp()
        known = self._manifest
        if known is not None and known[0] == stamp:
            return known[1]
        with told("manifest"):
            found = manifest_of(durable_files.read_private(self._manifest_file, MANIFEST_LIMIT))
        self._manifest = (stamp, found)
        return found

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest, durable on return. The caller is `alone`."""
        with told("manifest"):
            durable_files.write_durably(self._manifest_file, manifest.packed())

    def write_root(self, version: int) -> None:
        """Write a new random root, durable on return. A root that is there is left as it is."""
        path = self.root_file(version)
        body = ROOT_MAGIC + version.to_bytes(4, "big") + self._randomness.octets(KEY_SIZE)
        with told(f"root {version}"):
            if not path.exists():
                durable_files.write_durably(path, body + hashlib.sha256(body).digest())
        self.root(version)

    def root(self, version: int) -> KeyBytes:
        """Return a root in clear."""
        known = self._roots_in_clear.get(version)
        if known is not None:
            return known
        with told(f"root {version}"):
            data = durable_files.read_private(self.root_file(version), ROOT_FILE_SIZE)
            body, check = data[:-32], data[-32:]
            if len(data) != ROOT_FILE_SIZE or hashlib.sha256(body).digest() != check:
                raise BadKeyFile("it does not match its own digest")
            if body[: len(ROOT_MAGIC) + 4] != ROOT_MAGIC + version.to_bytes(4, "big"):
                raise BadKeyFile("it is not the root of this version")
        found = KeyBytes(body[-KEY_SIZE:])
        self._roots_in_clear.keep(version, found)
        return found

    def destroy_root(self, version: int) -> None:
        """Destroy a root, durable on return."""
        self._roots_in_clear.forget(version)
        with told(f"root {version}"):
            durable_files.destroy_durably(self.root_file(version))
        self._roots_in_clear.forget(version)

    def tidy(self, manifest: Manifest) -> None:
        """Finish what a crash left: doomed and unfinished files, condemned roots. The caller is `alone`."""
        folders = [self.folder, self.roots, self.buckets, *map(self.purpose_folder, manifest.versions)]
        with told("folder"):
            for folder in folders:
                durable_files.tidy(folder)
        self.destroy_condemned(manifest)

    def destroy_condemned(self, manifest: Manifest) -> int:
        """Destroy the condemned roots, then forget that they were; return how many. The caller is `alone`."""
        for version in manifest.condemned:
            self.destroy_root(version)
        if manifest.condemned:
            self.write_manifest(manifest.cleared())
        return len(manifest.condemned)

    def forget_old(self) -> None:
        """Let go of opened roots past their time."""
        self._roots_in_clear.forget_old()

    def write_key(self, path: Path, role: str, place: bytes, opened: OpenedKey) -> None:
        """Wrap a key under the root its header names and write it, durable on return."""
        header = opened.header.packed()
        root = self.root(opened.header.root_version)
        body = wrap(root, opened.key.reveal(), context_of(place, header), b"", self._randomness)
        with told(role):
            durable_files.write_durably(path, header + body)

    def read_key(self, path: Path, role: str, place: bytes) -> OpenedKey | None:
        """Open a key file; None if there is no file of this name."""
        try:
            return self._read_key_once(path, role, place)
        except KeyringUnavailable:
            # A root rotation may have re-wrapped the file and destroyed the root in between; a second look decides.
            return self._read_key_once(path, role, place)

    def _read_key_once(self, path: Path, role: str, place: bytes) -> OpenedKey | None:
        with told(role):
            try:
                data = durable_files.read_private(path, KEY_FILE_SIZE)
            except FileNotFoundError:
                return None
            header = read_header(data)
            if header.root_version not in self.manifest().needed:
                raise BadKeyFile("it names a root that this keyring does not have")
        context = context_of(place, header.packed())
        try:
            key = KeyBytes(unwrap(self.root(header.root_version), data[HEADER.size :], context, b""))
        except WrapIsDamaged:
            raise KeyringUnavailable(f"the keyring's {role} does not authenticate", role=role) from None
        return OpenedKey(header, key)

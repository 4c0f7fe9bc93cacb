"""The keyring's folder: who may look, who may write when, and how a key file is opened under its root. keyring-v2.

    <folder>/            0700
      manifest           which roots and versions there must be
      lock               nothing; locked shared for one change, exclusively for a rotation
      roots/000001.root  one root version each
      buckets/3f.page    the bucket keys whose id ends in 3f (`bucket_pages`)
      buckets/3f.lock    nothing; locked for one change of that page
      purposes/<purpose>/000001.key, 000001.public, 000001.since

A missing root, manifest or version is never made anew: that would turn a lost disk into a silent loss of footage.
"""

import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from vms_privacy import durable_files
from vms_privacy.keyring.faults import told
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyringUnavailable, Purpose, WrapIsDamaged
from vms_privacy.keyring.roots import RootsIn
from vms_privacy.keyring.rules import (
    HEADER,
    KEY_SIZE,
    KeyHeader,
    Manifest,
    context_of,
    is_v1,
    read_header,
    read_v1_manifest,
)
from vms_privacy.keyring.rules import read_manifest as manifest_of
from vms_privacy.keyring.wrapping import OVERHEAD

KEY_FILE_SIZE: Final = HEADER.size + OVERHEAD + KEY_SIZE
MANIFEST_LIMIT: Final = 64 * 1024
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class OpenedKey:
    """One key of the keyring, in clear, with what its file says about it."""

    header: KeyHeader
    key: KeyBytes

    def under(self, root_version: int) -> "OpenedKey":
        """Return the same key with the header it has under another root."""
        return OpenedKey(KeyHeader(root_version, self.header.key_version, self.header.made_at), self.key)


class KeyFolder:
    """Reads and writes the files of one keyring. Raises KeyringUnavailable. Thread-safe, and safe between processes."""

    def __init__(self, folder: Path, roots_in: RootsIn) -> None:
        self.folder = folder
        self.buckets = folder / "buckets"
        self.roots_folder = folder / "roots"
        self._manifest_file = folder / "manifest"
        self.roots = roots_in(self.roots_folder, lambda: self.manifest_as_found()[0].keyring_id)
        self._manifest: tuple[tuple[int, int], Manifest] | None = None

    def purpose_folder(self, purpose: Purpose) -> Path:
        return self.folder / "purposes" / purpose

    def lay_out(self, manifest: Manifest) -> None:
        """Make the empty folders and the manifest of a new keyring."""
        with told("folder"):
            for folder in (self.folder, self.roots_folder, self.buckets, self.folder / "purposes"):
                durable_files.make_private_folder(folder)
            durable_files.write_durably(self.folder / "lock", b"")
        self.write_manifest(manifest)

    def refuse_if_shared(self) -> None:
        """Raise KeyringUnavailable if anyone but this process's user has any right to one of the folders."""
        for role, folder in (
            ("folder", self.folder),
            ("folder of roots", self.roots_folder),
            ("folder of bucket keys", self.buckets),
        ):
            with told(role):
                found = folder.stat()
                if not stat.S_ISDIR(found.st_mode):
                    raise NotADirectoryError("not a folder")
                durable_files.refuse_if_shared(found)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold off whoever is `alone` while one page changes. Not to be nested."""
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

    def manifest_as_found(self) -> tuple[Manifest, bool]:
        """Return the manifest, also of a keyring that is still to be taken over, and whether it is of keyring-v1."""
        with told("manifest"):
            data = durable_files.read_private(self._manifest_file, MANIFEST_LIMIT)
            return (read_v1_manifest(data), True) if is_v1(data) else (manifest_of(data), False)

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest, durable on return. The caller is `alone`."""
        with told("manifest"):
            durable_files.write_durably(self._manifest_file, manifest.packed())

    def tidy(self, manifest: Manifest) -> None:
        """Finish what a crash left: doomed and unfinished files, condemned roots. The caller is `alone`."""
        folders = [self.folder, self.roots_folder, self.buckets, *map(self.purpose_folder, manifest.versions)]
        with told("folder"):
            for folder in folders:
                durable_files.tidy(folder)
        self.destroy_condemned(manifest)
        self.roots.finish_destroying(min(manifest.needed))

    def destroy_condemned(self, manifest: Manifest) -> int:
        """Destroy the condemned roots, then forget that they were; return how many. The caller is `alone`."""
        for version in manifest.condemned:
            self.roots.destroy(version)
        if manifest.condemned:
            self.write_manifest(manifest.cleared())
        return len(manifest.condemned)

    def write_key(self, path: Path, role: str, place: bytes, opened: OpenedKey) -> None:
        """Wrap a key under the root its header names and write it, durable on return."""
        data = self.key_file(place, opened)
        with told(role):
            durable_files.write_durably(path, data)

    def key_file(self, place: bytes, opened: OpenedKey) -> bytes:
        """Return the content of a key file: its header, and the key wrapped under the root that the header names."""
        header = opened.header.packed()
        context = context_of(place, header)
        return header + self.roots.wrap(opened.header.root_version, opened.key.reveal(), context)

    def read_key(self, path: Path, role: str, place: bytes) -> OpenedKey | None:
        """Open a key file; None if there is no file of this name."""
        return looked_again(lambda: self._read_key_once(path, role, place))

    def read_key_under(self, manifest: Manifest, path: Path, role: str, place: bytes) -> OpenedKey | None:
        """Open a key file for a caller who is alone, and so has the manifest for as many keys as it likes."""
        found = _read_file(path, role)
        return None if found is None else self._opened(*found, role, place, manifest)

    def _read_key_once(self, path: Path, role: str, place: bytes) -> OpenedKey | None:
        return self.read_key_under(self.manifest(), path, role, place)

    def _opened(self, header: KeyHeader, wrapped: bytes, role: str, place: bytes, manifest: Manifest) -> OpenedKey:
        if header.root_version not in manifest.needed:
            detail = f"the keyring's {role} is damaged: it names a root that this keyring does not have"
            raise KeyringUnavailable(detail, role=role)
        try:
            key = KeyBytes(self.roots.unwrap(header.root_version, wrapped, context_of(place, header.packed())))
        except WrapIsDamaged:
            raise KeyringUnavailable(f"the keyring's {role} does not authenticate", role=role) from None
        return OpenedKey(header, key)


def looked_again(look: Callable[[], Found], most: int = 4) -> Found:
    """Look, and again where a root rotation may have re-wrapped what was read and destroyed its root in between.

    Several may follow each other on demand; what is missing or damaged is so at the last look too. Raises as `look`.
    """
    try:
        return look()
    except KeyringUnavailable:
        if most == 1:
            raise
        return looked_again(look, most - 1)


def head_of(path: Path, role: str) -> KeyHeader | None:
    """Return what a key file says in clear, without opening it; None if there is no such file."""
    found = _read_file(path, role)
    return None if found is None else found[0]


def _read_file(path: Path, role: str) -> tuple[KeyHeader, bytes] | None:
    """Return a key file's header and the wrap after it, as they are; None if there is no such file."""
    with told(role):
        try:
            data = durable_files.read_private(path, KEY_FILE_SIZE)
        except FileNotFoundError:
            return None
        return read_header(data), data[HEADER.size :]

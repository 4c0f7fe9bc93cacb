"""The keyring as a folder of files under roots, for one machine. Format: docs/formats/keyring-v2.md.

Where the roots are is all in which the two keyrings differ: in files (`file_keyring`), or in a PKCS#11 token
(`pkcs11_keyring`).

Promise: a bucket key destroyed here is unusable from that moment in every thread and process that has this keyring
open, a remembered copy included; and nothing that is missing is replaced in silence.
"""

import functools
import hmac
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from vms_privacy import durable_files
from vms_privacy.clock import Clock
from vms_privacy.errors import Kind, Refusal
from vms_privacy.ids import BucketKeyId, Randomness
from vms_privacy.keyring.backup_rules import KeyringContents
from vms_privacy.keyring.bucket_pages import BucketPages, FoundKey
from vms_privacy.keyring.earlier_layout import take_over
from vms_privacy.keyring.faults import told
from vms_privacy.keyring.key_folder import KeyFolder
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import (
    KeyIsDestroyed,
    KeyringUnavailable,
    PublicKey,
    Purpose,
    SigningTerm,
    WrapIsDamaged,
)
from vms_privacy.keyring.purpose_keys import PurposeRing
from vms_privacy.keyring.root_rotation import AT_ONCE, RootRotation, RotatedRoot
from vms_privacy.keyring.roots import RootsIn
from vms_privacy.keyring.rules import (
    DIGESTING,
    KEY_SIZE,
    NAMED,
    ROOT_LIFE,
    SEALING,
    SIGNING,
    WRAP_FORMAT,
    Manifest,
    WhyRotate,
    context_of,
    end_of_root,
    is_due,
    life_of_root,
    version_in_seal,
    why_rotate,
)
from vms_privacy.keyring.short_memory import ShortMemory
from vms_privacy.keyring.status import KeyringStatus, status_of
from vms_privacy.keyring.wrapping import unwrap, wrap


@dataclass(frozen=True, slots=True)
class PutBack:
    """What a keyring is put back from, and the version of the new root it comes under."""

    contents: KeyringContents
    root: int


class KeyringExists(Refusal):
    """There is something where the new keyring should be; a keyring is never made over another."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "keyring-exists"


class FolderKeyring:
    """A keyring in a folder only this process's user may enter; see `port.Keyring` for what each method promises.

    Opening checks the folder, the manifest, every root and the current key of every purpose, and finishes what a
    crash left half destroyed. Raises KeyringUnavailable. Thread-safe, and safe between processes of one machine.
    `root_life` is how long a root is in use before it must be gone.
    """

    def __init__(
        self, folder: Path, roots_in: RootsIn, clock: Clock, randomness: Randomness, root_life: timedelta
    ) -> None:
        self._clock = clock
        self._root_life = root_life
        self._randomness = randomness
        self._files = KeyFolder(folder, roots_in)
        self._pages = BucketPages(self._files, randomness)
        self._purposes = PurposeRing(self._files, clock, randomness)
        self._buckets: ShortMemory[FoundKey] = ShortMemory(clock)
        self._files.refuse_if_shared()
        self._finish_interrupted()
        self._keyring_id = self._files.manifest().keyring_id
        for version in self._files.manifest().needed:
            self._files.roots.require(version)
        for purpose in sorted(self._files.manifest().versions):
            self._purposes.keys(purpose)

    def create_bucket_key(self) -> BucketKeyId:
        bucket_key = BucketKeyId(self._randomness.uuid())
        key = KeyBytes(self._randomness.octets(KEY_SIZE))
        self._buckets.keep(bucket_key, self._pages.add(bucket_key, int(self._clock.now().timestamp()), key))
        return bucket_key

    def wrap_in_bucket(self, bucket_key: BucketKeyId, segment_key: KeyBytes, associated: bytes) -> bytes:
        context = context_of(b"segment key", bucket_key.bytes)
        key = self._bucket(bucket_key)
        return WRAP_FORMAT + wrap(key, segment_key.reveal(), context, associated, self._randomness)

    def unwrap_in_bucket(self, bucket_key: BucketKeyId, wrapped: bytes, associated: bytes) -> KeyBytes:
        key = self._bucket(bucket_key)
        if wrapped[:1] != WRAP_FORMAT:
            raise WrapIsDamaged("a wrapped segment key is not of format 1")
        return KeyBytes(unwrap(key, wrapped[1:], context_of(b"segment key", bucket_key.bytes), associated))

    def destroy_bucket_keys(self, bucket_keys: Collection[BucketKeyId]) -> frozenset[BucketKeyId]:
        self._forget(bucket_keys)
        try:
            were_there = self._pages.destroy(bucket_keys)
        finally:
            # Again: another thread may have read the page just before it went and remembered it just after.
            self._forget(bucket_keys)
        if not were_there.issuperset(bucket_keys):
            self.refuse_if_lost()
        return frozenset(map(BucketKeyId, were_there))

    def bucket_keys(self) -> frozenset[BucketKeyId]:
        self.refuse_if_lost()
        return frozenset(map(BucketKeyId, self._pages.keys()))

    def seal(self, purpose: Purpose, value: bytes, associated: bytes) -> bytes:
        _refuse_misuse(purpose, SEALING)
        keys = self._purposes.keys(purpose)
        number = keys.version.to_bytes(4, "big")
        context = context_of(b"sealed", purpose.encode(), number)
        return WRAP_FORMAT + number + wrap(keys.key, value, context, associated, self._randomness)

    def open(self, purpose: Purpose, sealed: bytes, associated: bytes) -> bytes:
        _refuse_misuse(purpose, SEALING)
        version = version_in_seal(sealed)
        if version is None:
            raise WrapIsDamaged("a sealed value is not of format 1")
        number = sealed[1:5]
        keys = self._purposes.keys(purpose)
        key = keys.key if version == keys.version else self._purposes.older(purpose, version)
        if key is None:
            raise WrapIsDamaged("a sealed value names a key version that was never made")
        return unwrap(key, sealed[5:], context_of(b"sealed", purpose.encode(), number), associated)

    def is_at_hand(self, purpose: Purpose) -> bool:
        return self._purposes.are_at_hand(purpose)

    def sign(self, purpose: Purpose, message: bytes) -> tuple[str, bytes]:
        _refuse_misuse(purpose, SIGNING)
        keys = self._purposes.keys(purpose)
        assert keys.signer is not None
        return keys.public[0].kid, keys.signer.sign(message)

    def public_keys(self, purpose: Purpose) -> tuple[PublicKey, ...]:
        _refuse_misuse(purpose, SIGNING)
        return self._purposes.keys(purpose).public

    def signing_terms(self, purpose: Purpose) -> tuple[SigningTerm, ...]:
        _refuse_misuse(purpose, SIGNING)
        return self._purposes.terms(purpose)

    def digest(self, purpose: Purpose, value: bytes) -> bytes:
        _refuse_misuse(purpose, DIGESTING)
        keys = self._purposes.keys(purpose)
        # The earlier of the times in doubt: rotating destroys the key of the day before.
        if is_due(keys.made_at, self._clock.for_destroying()):
            self._purposes.rotate(purpose, still=keys.version)
            keys = self._purposes.keys(purpose)
        return hmac.digest(keys.key.reveal(), value, "sha256")

    def rotate(self, purpose: Purpose) -> int:
        """Put a new key of a purpose to use and return its version; what becomes of the old is in `purpose_keys`."""
        return self._purposes.rotate(purpose)

    def give_first(self, purpose: Purpose) -> None:
        """Make the first key of a purpose that was thought of after this keyring was made; none if there is one."""
        self._purposes.rotate(purpose, still=0)

    def root_rotation(self, at_once: int = AT_ONCE) -> RootRotation:
        """Return the rotation of the root, which goes on where a crash stopped it; `at_once` keys at a time."""
        life = functools.partial(_life_from_now, self._clock, self._root_life)
        return RootRotation(self._files, self._pages, self._purposes, life, at_once)

    def rotate_root(self) -> RotatedRoot:
        """Put a new root to use, re-wrap every living key and destroy the old root; durable on return."""
        return self.root_rotation().run()

    def contents(self) -> KeyringContents:
        """Return in clear what of this keyring can live under other roots, for a copy that is sealed at once."""
        manifest = self._files.manifest()
        sealing = {(of, one): key for of in SEALING for one, key in self._purposes.sealing_keys(of).items()}
        public = {
            (of, manifest.versions[of] - back): key.raw
            for of in SIGNING
            for back, key in enumerate(self.public_keys(of))
        }
        return KeyringContents(
            self._keyring_id, manifest.current, self._pages.in_clear(), sealing, public, manifest.versions
        )

    def destroy_older(self, purpose: Purpose, version: int) -> bool:
        """Destroy an old key of a sealing purpose; say whether it was there. Raises KeyIsInUse.

        The caller has seen that nothing is sealed under it any more.
        """
        _refuse_misuse(purpose, SEALING)
        return self._purposes.destroy_older(purpose, version)

    def why_rotate_root(self) -> WhyRotate | None:
        """Say why the root is to be rotated now; None while it may stay."""
        manifest = self._files.manifest()
        why = why_rotate(manifest, self._root_life, self._clock.now())
        if why is None and self._files.roots.is_nearly_used_up(manifest.current):
            return WhyRotate.USED_UP
        return why

    @property
    def root_version(self) -> int:
        """The root in use."""
        return self._files.manifest().current

    @property
    def root_seconds_left(self) -> float:
        """How long until the root in use must be gone; below zero if what receipts say is not kept."""
        return end_of_root(self._files.manifest(), self._root_life) - self._clock.now().timestamp()

    def status(self) -> KeyringStatus:
        """Tell what there is, and in which state, without opening a key."""
        return status_of(self._files, self._pages, self._clock.now())

    def forget_old(self) -> None:
        """Let go of opened keys past their 30 s; for a timer, since an idle keyring forgets nothing by itself."""
        self._buckets.forget_old()
        self._purposes.forget_old()
        self._files.roots.forget_old()

    @property
    def remembered(self) -> int:
        """How many opened bucket keys are in memory now; for the metrics."""
        return len(self._buckets)

    def _forget(self, bucket_keys: Collection[BucketKeyId]) -> None:
        for one in bucket_keys:
            self._buckets.forget(one)

    def _bucket(self, bucket_key: BucketKeyId) -> KeyBytes:
        known = self._buckets.get(bucket_key)
        if known is not None:
            # One look at its page: whoever destroyed the key, in whatever process, has ended its use here.
            if self._pages.still_has(bucket_key, known.edition):
                return known.key
            self._buckets.forget(bucket_key)
        found = self._pages.find(bucket_key)
        if found is None:
            self.refuse_if_lost()
            raise KeyIsDestroyed("the key is not in the keyring; what it protected is gone")
        self._buckets.keep(bucket_key, found)
        return found.key

    def refuse_if_lost(self) -> None:
        """Raise KeyringUnavailable if it is not one key that is missing but the whole keyring, as by a lost mount."""
        with told("folder of bucket keys"):
            if not self._files.buckets.is_dir():
                raise FileNotFoundError("the folder is not there")
        if self._files.manifest().keyring_id != self._keyring_id:
            raise KeyringUnavailable("another keyring has taken the place of this one", role="manifest")

    def _finish_interrupted(self) -> None:
        with self._files.alone():
            take_over(self._files, self._pages)
            manifest = self._files.manifest()
            for purpose, version in manifest.versions.items():
                self._purposes.destroy_retired(purpose, version)
            self._files.tidy(manifest)


def make_folder(
    folder: Path,
    roots_in: RootsIn,
    clock: Clock,
    randomness: Randomness,
    root_life: timedelta = ROOT_LIFE,
    put_back: PutBack | None = None,
) -> None:
    """Make a keyring's folder where nothing is yet, all or nothing: a new one, or one that is put back from a copy.

    Raises KeyringExists, KeyringUnavailable.
    """
    if folder.exists() or folder.is_symlink():
        raise KeyringExists("there is already something where the keyring should be")
    # Made beside its place and moved: a crash in between leaves keys that nothing was ever wrapped with.
    beside = folder.with_name(f".{folder.name}.{randomness.octets(8).hex()}")
    files = KeyFolder(beside, roots_in)
    since, until = life_of_root(clock.now(), root_life)
    keyring_id, root = (randomness.uuid(), 1) if put_back is None else (put_back.contents.keyring_id, put_back.root)
    manifest = Manifest(keyring_id, root, since, until, versions=dict.fromkeys(sorted(NAMED), 1))
    files.lay_out(manifest)
    files.roots.make(root)
    purposes = PurposeRing(files, clock, randomness)
    if put_back is None:
        for purpose in manifest.versions:
            purposes.write_version(purpose, 1, root, clock.now())
    else:
        keys = ((one, made.made_at, made.key) for one, made in put_back.contents.buckets.items())
        BucketPages(files, randomness).write_all(keys, root)
        versions = purposes.put_back(put_back.contents, root, clock.now())
        files.write_manifest(replace(manifest, versions=versions))
    with told("folder"):
        beside.rename(folder)
        durable_files.sync_folder(folder.parent)


def _life_from_now(clock: Clock, life: timedelta) -> tuple[int, int]:
    return life_of_root(clock.now(), life)


def _refuse_misuse(purpose: Purpose, allowed: frozenset[Purpose]) -> None:
    if purpose not in allowed:
        raise ValueError(f"a key of {purpose} is not made for this")

"""Keys of the named purposes: numbered versions, one current, old ones kept only for what they must still open.

Of a signing key the old private half is destroyed and the old public half stays, so that a receipt can be verified
for ever; an old sealing key stays until what it sealed is sealed anew; an old pseudonym key is destroyed, so that
nobody can link two days.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vms_privacy import durable_files
from vms_privacy.clock import Clock
from vms_privacy.errors import Kind, Refusal
from vms_privacy.ids import Randomness
from vms_privacy.keyring.backup_rules import KeyringContents, MadeKey
from vms_privacy.keyring.faults import told
from vms_privacy.keyring.key_folder import KeyFolder, OpenedKey
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyringUnavailable, PublicKey, Purpose, SigningTerm
from vms_privacy.keyring.rules import (
    KEY_SIZE,
    NAMED,
    SEALING,
    SIGNING,
    BadKeyFile,
    KeyHeader,
    context_of,
    handover,
    version_of,
)
from vms_privacy.keyring.short_memory import ShortMemory

_PUBLIC_LIMIT: Final = 1024


class KeyIsInUse(Refusal):
    """The key is the one in use: what it protects from now on would have no key."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "key-is-in-use"


@dataclass(frozen=True, slots=True)
class PurposeKeys:
    """The living keys of one purpose: the current one, and for a signing purpose its signer and all public keys."""

    version: int
    made_at: int
    key: KeyBytes
    signer: Ed25519PrivateKey | None
    public: tuple[PublicKey, ...]


def thumbprint(raw: bytes) -> str:
    """Return the RFC 7638 thumbprint of an Ed25519 public key, base64url without padding."""
    jwk = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}
    return _base64url(hashlib.sha256(json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()).digest())


class PurposeRing:
    """Finds, makes and retires the versions of each purpose. Raises KeyringUnavailable. Thread-safe."""

    def __init__(self, files: KeyFolder, clock: Clock, randomness: Randomness) -> None:
        self._files = files
        self._clock = clock
        self._randomness = randomness
        self._memory: ShortMemory[tuple[tuple[int, int], PurposeKeys]] = ShortMemory(clock)
        self._older: ShortMemory[KeyBytes] = ShortMemory(clock)

    def forget_old(self) -> None:
        self._memory.forget_old()
        self._older.forget_old()

    def keys(self, purpose: Purpose) -> PurposeKeys:
        """Return the current keys of a purpose, as the manifest on disk has it at this moment."""
        stamp = self._files.stamp()
        known = self._memory.get(purpose)
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            found = self._load(purpose)
        except KeyringUnavailable:
            # A rotation may have destroyed the version between reading the manifest and the key; a second look decides.
            stamp = self._files.stamp()
            found = self._load(purpose)
        self._memory.keep(purpose, (stamp, found))
        return found

    def are_at_hand(self, purpose: Purpose) -> bool:
        """Say whether `keys` would have to read nothing but the manifest's stamp."""
        known = self._memory.get(purpose)
        return known is not None and known[0] == self._files.stamp()

    def older(self, purpose: Purpose, version: int) -> KeyBytes | None:
        """Return the key of a version that is not the current one; None if it was never made."""
        if not 0 < version <= self._files.manifest().versions.get(purpose, 0):
            return None
        known = self._older.get((purpose, version))
        if known is not None:
            return known
        found = self._read(purpose, version).key
        self._older.keep((purpose, version), found)
        return found

    def rotate(self, purpose: Purpose, still: int | None = None) -> int:
        """Make the next version, put it to use, retire the one before; return the current version.

        With `still`, do nothing unless this is the current version: of two who notice at once, one rotates.
        """
        if purpose not in NAMED:
            raise ValueError(f"{purpose} has no versions")
        with self._files.alone():
            manifest = self._files.manifest()
            version = manifest.versions.get(purpose, 0)
            if still is not None and version != still:
                return version
            made = self.write_version(purpose, version + 1, manifest.current, self._clock.now())
            if purpose in SIGNING and version:
                self._hand_over(purpose, version, made)
            self._files.write_manifest(manifest.with_version(purpose, version + 1))
            self._memory.forget(purpose)
            self.destroy_retired(purpose, version + 1)
        return version + 1

    def terms(self, purpose: Purpose) -> tuple[SigningTerm, ...]:
        """Return every version of a signing purpose up to the current one, oldest first."""
        keys = self.keys(purpose)
        past = [self._term(purpose, version) for version in range(1, keys.version)]
        current = self._term(purpose, keys.version)
        if current.made_at is None:
            # A key from before such records tells it itself, as long as it is there.
            current = replace(current, made_at=datetime.fromtimestamp(keys.made_at, UTC))
        return (*past, current)

    def write_version(self, purpose: Purpose, version: int, root_version: int, made_at: datetime) -> KeyHeader:
        """Write a new random key, and its public half for a signing purpose. The caller is alone."""
        self._make_folder(purpose)
        seed = KeyBytes(self._randomness.octets(KEY_SIZE))
        header = KeyHeader(root_version, version, int(made_at.timestamp()))
        self._write(purpose, header, seed)
        if purpose in SIGNING:
            raw = Ed25519PrivateKey.from_private_bytes(seed.reveal()).public_key().public_bytes_raw()
            self._write_public(purpose, version, raw)
            self._write_since(purpose, version, header.made_at, None)
        return header

    def put_back(self, contents: KeyringContents, root_version: int, made_at: datetime) -> dict[Purpose, int]:
        """Write what a copy holds and make what it does not; return the version of each purpose. The caller is alone.

        Sealing keys come back as they are. Signing keys come back as public halves, and a new one signs; a new
        pseudonym key is made, so that nobody can link two days.
        """
        versions = dict[Purpose, int]()
        for purpose in sorted(NAMED):
            self._make_folder(purpose)
            last = contents.versions[purpose]
            for (of, version), raw in contents.public.items():
                if of == purpose:
                    self._write_public(purpose, version, raw)
            for (of, version), made in contents.sealing.items():
                if of == purpose:
                    self._write(purpose, KeyHeader(root_version, version, made.made_at), made.key)
            versions[purpose] = last
            if purpose not in SEALING:
                versions[purpose] = last + 1
                self.write_version(purpose, last + 1, root_version, made_at)
        return versions

    def sealing_keys(self, purpose: Purpose) -> dict[int, MadeKey]:
        """Return every key of a sealing purpose that is there, in clear, by version."""
        found = {version: self._read(purpose, version) for version in self.versions_of(purpose)}
        return {version: MadeKey(opened.header.made_at, opened.key) for version, opened in found.items()}

    def versions_of(self, purpose: Purpose) -> list[int]:
        """Return the versions of which the key is there, in rising order."""
        with told(f"folder of {purpose}"):
            found = (version_of(path.name, "key") for path in self._files.purpose_folder(purpose).iterdir())
            return sorted(version for version in found if version is not None)

    def destroy_older(self, purpose: Purpose, version: int) -> bool:
        """Destroy an old sealing key, durable on return; say whether it was there. Raises KeyIsInUse."""
        with self._files.alone():
            if version >= self._files.manifest().versions.get(purpose, 0):
                raise KeyIsInUse(f"{_role(purpose, version)} is the one in use, or is yet to come")
            self._older.forget((purpose, version))
            with told(_role(purpose, version)):
                was_there = durable_files.destroy_durably(self._files.purpose_folder(purpose) / f"{version:06d}.key")
        self._older.forget((purpose, version))
        return was_there

    def destroy_retired(self, purpose: Purpose, current: int) -> None:
        """Destroy old versions that must not act any more; finishes what a crash left. The caller is alone."""
        if purpose in SEALING:
            return
        with told(f"folder of {purpose}"):
            for path in sorted(self._files.purpose_folder(purpose).iterdir()):
                version = version_of(path.name, "key")
                if version is not None and version < current:
                    durable_files.destroy_durably(path)

    def key_files(self, purpose: Purpose) -> list[tuple[Path, str, bytes]]:
        """Return path, role and place of every key file of a purpose, for re-wrapping."""
        with told(f"folder of {purpose}"):
            found = [(path, version_of(path.name, "key")) for path in self._files.purpose_folder(purpose).iterdir()]
        return [(path, _role(purpose, version), _place(purpose)) for path, version in found if version is not None]

    def _make_folder(self, purpose: Purpose) -> None:
        folder = self._files.purpose_folder(purpose)
        with told(f"folder of {purpose}"):
            if not folder.exists():
                durable_files.make_private_folder(folder)

    def _write(self, purpose: Purpose, header: KeyHeader, key: KeyBytes) -> None:
        path = self._files.purpose_folder(purpose) / f"{header.key_version:06d}.key"
        role = _role(purpose, header.key_version)
        self._files.write_key(path, role, _place(purpose), OpenedKey(header, key))

    def _write_public(self, purpose: Purpose, version: int, raw: bytes) -> None:
        path = self._files.purpose_folder(purpose) / f"{version:06d}.public"
        with told(_role(purpose, version)):
            durable_files.write_durably(path, _public_file(raw))

    def _hand_over(self, purpose: Purpose, version: int, made: KeyHeader) -> None:
        """Have a signing key name its successor before its private half goes, and keep since when it was in use."""
        old = self._read(purpose, version)
        signer = Ed25519PrivateKey.from_private_bytes(old.key.reveal())
        previous, following = (self._read_public(purpose, one).kid for one in (version, made.key_version))
        signature = signer.sign(handover(purpose, previous, following, datetime.fromtimestamp(made.made_at, UTC)))
        self._write_since(purpose, made.key_version, made.made_at, signature)
        if not self._since(purpose, version).exists():
            self._write_since(purpose, version, old.header.made_at, None)

    def _write_since(self, purpose: Purpose, version: int, made_at: int, handed_over: bytes | None) -> None:
        with told(_since_role(purpose, version)):
            durable_files.write_durably(self._since(purpose, version), _since_file(made_at, handed_over))

    def _since(self, purpose: Purpose, version: int) -> Path:
        return self._files.purpose_folder(purpose) / f"{version:06d}.since"

    def _term(self, purpose: Purpose, version: int) -> SigningTerm:
        public = self._read_public(purpose, version)
        with told(_since_role(purpose, version)):
            path = self._since(purpose, version)
            if not path.exists():
                return SigningTerm(version, public, None, None)
            data = durable_files.read_private(path, _PUBLIC_LIMIT)
            try:
                found = json.loads(data)
                made_at, text = found["made_at"], found["handed_over"]
                handed_over = None if text is None else base64.urlsafe_b64decode(text + "==")
                as_written = _since_file(made_at, handed_over)
                moment = datetime.fromtimestamp(made_at, UTC)
            except (KeyError, TypeError, OverflowError) as error:
                raise BadKeyFile("it cannot be read") from error
            if data != as_written:
                raise BadKeyFile("it is not as the keyring writes it")
        return SigningTerm(version, public, moment, handed_over)

    def _load(self, purpose: Purpose) -> PurposeKeys:
        version = self._files.manifest().versions.get(purpose)
        if version is None:
            raise KeyringUnavailable(f"this keyring has no key for {purpose} yet", role=_role(purpose, 1))
        opened = self._read(purpose, version)
        if purpose not in SIGNING:
            return PurposeKeys(version, opened.header.made_at, opened.key, None, ())
        signer = Ed25519PrivateKey.from_private_bytes(opened.key.reveal())
        public = tuple(self._read_public(purpose, past) for past in range(version, 0, -1))
        if public[0].raw != signer.public_key().public_bytes_raw():
            role = _role(purpose, version)
            raise KeyringUnavailable(f"the keyring's {role} and its public half do not match", role=role)
        return PurposeKeys(version, opened.header.made_at, opened.key, signer, public)

    def _read(self, purpose: Purpose, version: int) -> OpenedKey:
        role = _role(purpose, version)
        path = self._files.purpose_folder(purpose) / f"{version:06d}.key"
        opened = self._files.read_key(path, role, _place(purpose))
        if opened is None or opened.header.key_version != version:
            raise KeyringUnavailable(f"the keyring's {role} is missing", role=role)
        return opened

    def _read_public(self, purpose: Purpose, version: int) -> PublicKey:
        role = f"public half of {_role(purpose, version)}"
        with told(role):
            data = durable_files.read_private(
                self._files.purpose_folder(purpose) / f"{version:06d}.public", _PUBLIC_LIMIT
            )
            try:
                raw = base64.urlsafe_b64decode(json.loads(data)["x"] + "=")
            except (KeyError, TypeError) as error:
                raise BadKeyFile("it cannot be read") from error
            if data != _public_file(raw):
                raise BadKeyFile("it does not match its own thumbprint")
        return PublicKey(thumbprint(raw), raw)


def _role(purpose: Purpose, version: int) -> str:
    return f"key of {purpose}, version {version}"


def _place(purpose: Purpose) -> bytes:
    return context_of(b"purpose key", purpose.encode())


def _since_role(purpose: Purpose, version: int) -> str:
    return f"date of {_role(purpose, version)}"


def _since_file(made_at: int, handed_over: bytes | None) -> bytes:
    told_of = {"handed_over": None if handed_over is None else _base64url(handed_over), "made_at": made_at}
    return json.dumps(told_of, sort_keys=True).encode()


def _public_file(raw: bytes) -> bytes:
    if len(raw) != 32:
        raise BadKeyFile("it is not an Ed25519 public key")
    jwk = {"crv": "Ed25519", "kid": thumbprint(raw), "kty": "OKP", "x": _base64url(raw)}
    return json.dumps(jwk, sort_keys=True).encode()


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

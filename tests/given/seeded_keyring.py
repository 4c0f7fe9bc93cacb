"""A keyring of signing keys from fixed seeds, for formats whose vectors must be rebuilt byte for byte."""

from collections.abc import Collection

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vms_privacy.ids import BucketKeyId
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyringUnavailable, PublicKey, Purpose, SigningTerm
from vms_privacy.keyring.purpose_keys import thumbprint


class SeededKeyring:
    """Signs, and publishes what it signs with; has no other keys, and says so."""

    def __init__(self, *seeds: bytes) -> None:
        self._keys = [Ed25519PrivateKey.from_private_bytes(seed) for seed in seeds]
        self.times_asked = 0

    def rotate(self, seed: bytes) -> None:
        """Put a new key to use; the old ones stay published."""
        self._keys.insert(0, Ed25519PrivateKey.from_private_bytes(seed))

    def is_at_hand(self, purpose: Purpose) -> bool:
        return True

    def sign(self, purpose: Purpose, message: bytes) -> tuple[str, bytes]:
        return self._published()[0].kid, self._keys[0].sign(message)

    def public_keys(self, purpose: Purpose) -> tuple[PublicKey, ...]:
        self.times_asked += 1
        return self._published()

    def signing_terms(self, purpose: Purpose) -> tuple[SigningTerm, ...]:
        oldest_first = reversed(self._published())
        return tuple(SigningTerm(version, key, None, None) for version, key in enumerate(oldest_first, 1))

    def create_bucket_key(self) -> BucketKeyId:
        raise KeyringUnavailable("only signing keys here")

    def wrap_in_bucket(self, bucket_key: BucketKeyId, segment_key: KeyBytes, associated: bytes) -> bytes:
        raise KeyringUnavailable("only signing keys here")

    def unwrap_in_bucket(self, bucket_key: BucketKeyId, wrapped: bytes, associated: bytes) -> KeyBytes:
        raise KeyringUnavailable("only signing keys here")

    def destroy_bucket_keys(self, bucket_keys: Collection[BucketKeyId]) -> frozenset[BucketKeyId]:
        raise KeyringUnavailable("only signing keys here")

    def bucket_keys(self) -> frozenset[BucketKeyId]:
        return frozenset()

    def seal(self, purpose: Purpose, value: bytes, associated: bytes) -> bytes:
        raise KeyringUnavailable("only signing keys here")

    def open(self, purpose: Purpose, sealed: bytes, associated: bytes) -> bytes:
        raise KeyringUnavailable("only signing keys here")

    def digest(self, purpose: Purpose, value: bytes) -> bytes:
        raise KeyringUnavailable("only signing keys here")

    def _published(self) -> tuple[PublicKey, ...]:
        raws = [key.public_key().public_bytes_raw() for key in self._keys]
        return tuple(PublicKey(thumbprint(raw), raw) for raw in raws)

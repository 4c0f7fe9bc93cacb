"""What any keyring can do. Two implementations: the file keyring, and PKCS#11.

A wrap is authenticated (AES-256-GCM, NIST SP 800-38D) with associated data chosen by the caller, and says under
which key version it was made. Nothing in this interface hands out a root, a bucket key or a signing key.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, unique
from typing import ClassVar, Protocol

from vms_privacy.errors import Kind, Refusal
from vms_privacy.ids import BucketKeyId
from vms_privacy.keyring.plaintext import KeyBytes


@unique
class Purpose(StrEnum):
    """What a key is for. A key of one purpose is never used for another."""

    ARCHIVE_BUCKET = "archive-bucket"
    CAMERA_CREDENTIAL = "camera-credential"
    TOKEN_SIGNING = "token-signing"
    RECEIPT_SIGNING = "receipt-signing"
    CHECKPOINT_SIGNING = "checkpoint-signing"
    PSEUDONYM = "pseudonym"
    REQUEST_CONTACT = "request-contact"


class KeyIsDestroyed(Refusal):
    """The key was destroyed; what it protected is gone for good."""

    kind: ClassVar[Kind] = Kind.GONE
    code: ClassVar[str] = "key-is-destroyed"


class KeyringUnavailable(Refusal):
    """The keyring is missing, damaged or cannot be written; recording stops, nothing is lost."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "keyring-unavailable"


class WrapIsDamaged(Refusal):
    """A wrapped value does not authenticate: changed, of another place, or under another key."""

    kind: ClassVar[Kind] = Kind.DAMAGED
    code: ClassVar[str] = "wrap-is-damaged"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One Ed25519 public key (RFC 8032) with the name it has in `kid` and in receipts.

    `kid` is the base64url SHA-256 thumbprint of the key as a JWK (RFC 7638).
    """

    kid: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class SigningTerm:
    """One version of a signing key and what is known of its time in use; only the newest of a purpose still signs.

    `made_at`: since when it was in use, to the second, UTC. `handed_over`: the signature of the version before it over
    `rules.handover`. Either is None where nobody kept it: for keys from before such records, and of a first key.
    """

    version: int
    public: PublicKey
    made_at: datetime | None
    handed_over: bytes | None


class Keyring(Protocol):
    """Keeps keys of named purposes outside the database. Every method may raise KeyringUnavailable."""

    def create_bucket_key(self) -> BucketKeyId:
        """Make a new bucket key, durable on return."""
        ...

    def wrap_in_bucket(self, bucket_key: BucketKeyId, segment_key: KeyBytes, associated: bytes) -> bytes:
        """Wrap a segment key. Raises KeyIsDestroyed."""
        ...

    def unwrap_in_bucket(self, bucket_key: BucketKeyId, wrapped: bytes, associated: bytes) -> KeyBytes:
        """Open a wrapped segment key. Raises KeyIsDestroyed, WrapIsDamaged."""
        ...

    def destroy_bucket_keys(self, bucket_keys: Collection[BucketKeyId]) -> frozenset[BucketKeyId]:
        """Destroy them, durable on return, evicted from every cache; return those that were there. Raise if unsure.

        What is raised leaves each destroyed or as it was.
        """
        ...

    def bucket_keys(self) -> frozenset[BucketKeyId]:
        """Return the ids of all living bucket keys, for `check` and the start."""
        ...

    def seal(self, purpose: Purpose, value: bytes, associated: bytes) -> bytes:
        """Seal a small secret (a camera credential) under the current key of a purpose."""
        ...

    def open(self, purpose: Purpose, sealed: bytes, associated: bytes) -> bytes:
        """Open what `seal` made, under whatever version it names. Raises WrapIsDamaged."""
        ...

    def is_at_hand(self, purpose: Purpose) -> bool:
        """Say whether the current key is open in memory, so that using it waits for no disk and no token."""
        ...

    def sign(self, purpose: Purpose, message: bytes) -> tuple[str, bytes]:
        """Sign with Ed25519 under the current key; return (kid, signature)."""
        ...

    def public_keys(self, purpose: Purpose) -> tuple[PublicKey, ...]:
        """Return every public key of a purpose that signatures may still name, current one first."""
        ...

    def signing_terms(self, purpose: Purpose) -> tuple[SigningTerm, ...]:
        """Return every version of a signing key that was ever in use, oldest first."""
        ...

    def digest(self, purpose: Purpose, value: bytes) -> bytes:
        """Return a keyed HMAC-SHA-256 of `value`; the key rotates with the purpose."""
        ...

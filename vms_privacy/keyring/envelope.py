"""Sealing for somebody else: HPKE (RFC 9180) with X25519, HKDF-SHA-256 and AES-256-GCM. keyring-backup-v1, section 3.

Promise: what is sealed here opens with the recipient's private key and its line in clear alone; that key is needed
for nothing else, and belongs on no machine of the service.
"""

import base64
import hashlib
from typing import ClassVar, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from vms_privacy.errors import Kind, Refusal
from vms_privacy.ids import Randomness
from vms_privacy.keyring.plaintext import KeyBytes

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_PUBLIC: Final = "vms-privacy-recipient-v1"
_PRIVATE: Final = "vms-privacy-recipient-private-v1"
RECIPIENT_LIMIT: Final = 256


class NotARecipient(Refusal):
    """The file is not the half of a recipient's key that is needed here."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "not-a-recipient"


class EnvelopeDoesNotOpen(Refusal):
    """It was changed, or it is sealed for another recipient."""

    kind: ClassVar[Kind] = Kind.DAMAGED
    code: ClassVar[str] = "envelope-does-not-open"


class Recipient:
    """The public half: seals. `text` is the one line of its file."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._key = X25519PublicKey.from_public_bytes(raw)

    @property
    def text(self) -> str:
        return f"{_PUBLIC} {_base64url(self._raw)}\n"

    @property
    def thumbprint(self) -> str:
        """The base64url SHA-256 of the public half: which key it is, in journal and audit."""
        return _base64url(hashlib.sha256(self._raw).digest())

    def seal(self, value: bytes, info: bytes) -> bytes:
        """Return what only the private half opens, and only with the same `info`."""
        try:
            return _SUITE.encrypt(value, self._key, info)
        except ValueError:
            # A point of small order gives a secret that everybody knows.
            raise NotARecipient("the recipient's public key is not fit to seal with") from None


class RecipientPrivate:
    """The private half: opens. Raises NotARecipient."""

    def __init__(self, raw: KeyBytes) -> None:
        self._key = X25519PrivateKey.from_private_bytes(raw.reveal())
        self._raw = raw

    @classmethod
    def new(cls, randomness: Randomness) -> "RecipientPrivate":
        return cls(KeyBytes(randomness.octets(32)))

    @property
    def text(self) -> str:
        return f"{_PRIVATE} {_base64url(self._raw.reveal())}\n"

    @property
    def recipient(self) -> Recipient:
        return Recipient(self._key.public_key().public_bytes_raw())

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """Open what `Recipient.seal` made. Raises EnvelopeDoesNotOpen."""
        try:
            return _SUITE.decrypt(sealed, self._key, info)
        except (InvalidTag, ValueError):
            raise EnvelopeDoesNotOpen("the copy was changed, or is for another recipient") from None


def read_recipient(data: bytes) -> Recipient:
    """Read a public half. Raises NotARecipient."""
    return Recipient(_raw_in(data, _PUBLIC))


def read_private(data: bytes) -> RecipientPrivate:
    """Read a private half. Raises NotARecipient, which repeats nothing of it."""
    return RecipientPrivate(KeyBytes(_raw_in(data, _PRIVATE)))


def _raw_in(data: bytes, name: str) -> bytes:
    try:
        found, _, text = data.decode("ascii").strip().partition(" ")
        raw = base64.urlsafe_b64decode(text + "=")
    except ValueError:
        raise NotARecipient(f"the file is no {name}") from None
    if found != name or len(raw) != 32 or _base64url(raw) != text:
        raise NotARecipient(f"the file is no {name}")
    return raw


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

"""How the keyring encrypts: AES-256-GCM under a key of its own for every single wrap. keyring-v2, section 2.

Promise: no pair of key and nonce is ever used twice, without a counter that a crash or a restored copy could set
back. Each wrap draws a salt of 192 bits and derives key and nonce from it (HKDF-SHA-256, RFC 5869); two equal salts
under one key are less likely than 2^-32 up to 2^80 wraps, so the limit of 2^32 uses of NIST SP 800-38D 8.3, which is
about random nonces under one key, is out of reach.
"""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vms_privacy.ids import Randomness
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import WrapIsDamaged
from vms_privacy.keyring.rules import context_of

SALT_SIZE: Final = 24
TAG_SIZE: Final = 16
OVERHEAD: Final = SALT_SIZE + TAG_SIZE
_LABEL: Final = context_of(b"vms-privacy keyring-v1 wrap")
_HASH: Final = SHA256()


def wrap(key: KeyBytes, value: bytes, context: bytes, associated: bytes, randomness: Randomness) -> bytes:
    """Return salt, ciphertext and tag. `context` names the place, `associated` is the caller's own."""
    salt = randomness.octets(SALT_SIZE)
    cipher, nonce = _derived(key, salt, context)
    return salt + cipher.encrypt(nonce, value, context_of(context, associated))


def unwrap(key: KeyBytes, wrapped: bytes, context: bytes, associated: bytes) -> bytes:
    """Open what `wrap` made with the same key, context and associated data. Raises WrapIsDamaged."""
    if len(wrapped) < OVERHEAD:
        raise WrapIsDamaged("a wrapped value is too short")
    cipher, nonce = _derived(key, wrapped[:SALT_SIZE], context)
    try:
        return cipher.decrypt(nonce, wrapped[SALT_SIZE:], context_of(context, associated))
    except InvalidTag:
        raise WrapIsDamaged("a wrapped value does not authenticate") from None


def _derived(key: KeyBytes, salt: bytes, context: bytes) -> tuple[AESGCM, bytes]:
    made = HKDF(algorithm=_HASH, length=44, salt=salt, info=_LABEL + context_of(context)).derive(key.reveal())
    return AESGCM(made[:32]), made[32:]

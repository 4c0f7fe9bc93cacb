"""Opaque secrets: random text with a prefix that says what it is for; stored only as a digest.

The text has at least 128 bits from the randomness that comes in through the door, so a plain SHA-256 (FIPS 180-4) of
it can be stored and indexed: unlike a password there is nothing to guess, and no salt is needed.
"""

import hashlib
from base64 import urlsafe_b64encode
from typing import Final

from vms_privacy.ids import Randomness

LEAST_OCTETS: Final = 16


def new_opaque(randomness: Randomness, prefix: str, octets: int = LEAST_OCTETS) -> str:
    """Return a new secret: the prefix, a dot, and base64url without padding (22 characters for 16 octets)."""
    if octets < LEAST_OCTETS:
        raise ValueError("an opaque secret has at least 128 bits")
    return f"{prefix}.{urlsafe_b64encode(randomness.octets(octets)).rstrip(b'=').decode()}"


def digest_of(text: str) -> bytes:
    """Return the 32 bytes under which a secret is stored and found. Any text has some, so nothing needs parsing."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

"""What lies beside a root that is kept in a PKCS#11 token, and how often it may wrap, as plain values.

keyring-pkcs11-v1, sections 3 and 5. A root here wraps under random nonces of 96 bits, so its uses are counted: NIST
SP 800-38D, 8.3, allows one key 2^32 of them.
"""

import re
import struct
import uuid
from dataclasses import dataclass
from typing import Final

from vms_privacy.keyring.rules import BadKeyFile, context_of, with_digest, without_digest

NONCE_SIZE: Final = 12
TAG_SIZE: Final = 16
KNOWN: Final = bytes(32)
"""What every root has wrapped once when it was made, so that it can be told whether a token is well."""
KNOWN_PLACE: Final = context_of(b"known wrap")
KNOWN_SIZE: Final = NONCE_SIZE + len(KNOWN) + TAG_SIZE
MOST_USES: Final = 2**28
"""How often one root may wrap: a sixteenth of what the standard allows, so that a restored count does no harm."""
USES_AT_A_TIME: Final = 4096
NEARLY_USED_UP: Final = MOST_USES // 2

_LABEL: Final = b"vms-privacy keyring-pkcs11-v1 wrap"
_CARD: Final = struct.Struct(f">8sI16s{KNOWN_SIZE}s")
_CARD_MAGIC: Final = b"VMST\x01\x00\x00\x00"
_USES: Final = struct.Struct(">8sIQ")
_USES_MAGIC: Final = b"VMSU\x01\x00\x00\x00"
CARD_FILE_SIZE: Final = _CARD.size + 32
USES_FILE_SIZE: Final = _USES.size + 32
_CARD_NAME: Final = re.compile(r"([0-9]{6})\.root")


@dataclass(frozen=True, slots=True)
class RootCard:
    """What the keyring's folder says about a root in the token: whose it is, and one wrap of a known value."""

    version: int
    keyring_id: uuid.UUID
    known: bytes

    def packed(self) -> bytes:
        return with_digest(_CARD.pack(_CARD_MAGIC, self.version, self.keyring_id.bytes, self.known))


def read_card(data: bytes, version: int, keyring_id: uuid.UUID) -> RootCard:
    """Read the card of one root of one keyring. Raises BadKeyFile for anything else. keyring-pkcs11-v1, 3."""
    magic, found, owner, known = _CARD.unpack(_without_digest(data, CARD_FILE_SIZE))
    if magic != _CARD_MAGIC:
        raise BadKeyFile("it is not of format 1")
    if found != version:
        raise BadKeyFile("it is not the root of this version")
    if owner != keyring_id.bytes:
        raise BadKeyFile("it is a root of another keyring")
    return RootCard(version, keyring_id, known)


def object_id(keyring_id: uuid.UUID, version: int) -> bytes:
    """Return the CKA_ID that a root has in the token."""
    return keyring_id.bytes + version.to_bytes(4, "big")


def version_in(object_id: bytes, keyring_id: uuid.UUID) -> int | None:
    """Return the root version that a CKA_ID stands for; None if it is no root of this keyring."""
    if len(object_id) != 20 or object_id[:16] != keyring_id.bytes:
        return None
    return int.from_bytes(object_id[16:], "big") or None


def object_label(keyring_id: uuid.UUID, version: int) -> str:
    """Return the CKA_LABEL that tells people what the object in the token is."""
    return f"vms-privacy keyring {keyring_id} root {version:06d}"


def associated_of(keyring_id: uuid.UUID, version: int, context: bytes) -> bytes:
    """Return what is authenticated with a wrap under a root. keyring-pkcs11-v1, 2."""
    return context_of(_LABEL, keyring_id.bytes, version.to_bytes(4, "big"), context)


def brought_back(versions: frozenset[int], oldest_needed: int) -> tuple[int, ...]:
    """Return which roots in the token are older than all that are needed, and so were destroyed before.

    Newer ones are never named: they belong to a newer state of a folder that an older copy has replaced.
    """
    return tuple(sorted(version for version in versions if version < oldest_needed))


@dataclass(frozen=True, slots=True)
class Allotted:
    """Uses from `first` to before `end`, good as soon as `end` is written down."""

    first: int
    end: int


@dataclass(frozen=True, slots=True)
class UsedUp:
    """No further use, and why."""

    why: str


def allot(counted: int | None) -> Allotted | UsedUp:
    """Hand out the next uses of a root of which so many were handed out before; None if that cannot be told."""
    if counted is None:
        return UsedUp("how often it was used cannot be told")
    if counted + USES_AT_A_TIME > MOST_USES:
        return UsedUp("it has wrapped as often as one key may")
    return Allotted(counted, counted + USES_AT_A_TIME)


def is_nearly_used_up(counted: int | None) -> bool:
    """Say whether a root is to be rotated for its uses alone; one that cannot be told counts as used up."""
    return counted is None or counted >= NEARLY_USED_UP


def packed_uses(version: int, counted: int) -> bytes:
    """Return the file that says how many uses of a root were handed out. keyring-pkcs11-v1, 5."""
    return with_digest(_USES.pack(_USES_MAGIC, version, counted))


def read_uses(data: bytes, version: int) -> int:
    """Read what `packed_uses` wrote for this version. Raises BadKeyFile for anything else."""
    magic, found, counted = _USES.unpack(_without_digest(data, USES_FILE_SIZE))
    if magic != _USES_MAGIC or found != version:
        raise BadKeyFile("it is not the count of this root")
    return int(counted)


def _without_digest(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise BadKeyFile("it is not as long as it must be")
    return without_digest(data)

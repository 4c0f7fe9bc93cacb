"""One checkpoint: what the chain was at a moment, signed, on one line (audit-chain-v1, 6.2)."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from vms_privacy.keyring.port import PublicKey

BEFORE_THE_FIRST: Final = bytes(32)
_NUMBER: Final = "(0|[1-9][0-9]{0,17})"
_LINE: Final = re.compile(
    rf"(audit-checkpoint-v1 {_NUMBER} {_NUMBER} {_NUMBER} {_NUMBER}"
    r" ([0-9a-f]{64}) ([0-9a-f]{64}) ([0-9a-f]{64})) ([A-Za-z0-9_-]{1,64}) ([0-9a-f]{128})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The chain as it was when `last` was its last position; it speaks for the positions `first` to `last`.

    `head` is the chain's hash at `last`; `operators` the root over the operators' own roots of these positions;
    `previous` the SHA-256 of the line before this one, 32 zero bytes for the first.
    """

    number: int
    first: int
    last: int
    at_us: int
    head: bytes
    operators: bytes
    previous: bytes

    def signed_text(self) -> bytes:
        """Return the bytes that are signed."""
        fields = (self.number, self.first, self.last, self.at_us)
        hashes = (self.head, self.operators, self.previous)
        return " ".join(["audit-checkpoint-v1", *map(str, fields), *(part.hex() for part in hashes)]).encode()

    def line(self, kid: str, signature: bytes) -> str:
        """Return the whole line, without its line feed."""
        return f"{self.signed_text().decode()} {kid} {signature.hex()}"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the anchor taken apart, its signature not yet checked."""

    text: str
    checkpoint: Checkpoint
    kid: str
    signature: bytes

    @property
    def digest(self) -> bytes:
        """Return what the next line names as `previous`."""
        return hashlib.sha256(self.text.encode()).digest()

    def is_signed(self, keys: Mapping[str, PublicKey]) -> bool:
        """Say whether one of these keys signed it (Ed25519, RFC 8032)."""
        key = keys.get(self.kid)
        if key is None:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(key.raw).verify(self.signature, self.checkpoint.signed_text())
        except InvalidSignature:
            return False
        return True


def parse(text: str) -> Line | None:
    """Take a line apart; None for anything that `Checkpoint.line` would not have written byte for byte."""
    found = _LINE.fullmatch(text)
    if found is None:
        return None
    number, first, last, at_us, head, operators, previous, kid, signature = found.groups()[1:]
    checkpoint = Checkpoint(
        int(number),
        int(first),
        int(last),
        int(at_us),
        bytes.fromhex(head),
        bytes.fromhex(operators),
        bytes.fromhex(previous),
    )
    return Line(text, checkpoint, kid, bytes.fromhex(signature))


def by_kid(keys: Iterable[PublicKey]) -> dict[str, PublicKey]:
    """Index public keys by the name that lines give them."""
    return {key.kid: key for key in keys}


def follows(line: Line, before: Line | None) -> bool:
    """Say whether a line is the next one: number, positions and digest go on without a gap. A3."""
    point = line.checkpoint
    if before is None:
        return (point.number, point.first, point.previous) == (1, 1, BEFORE_THE_FIRST) and point.last >= 1
    earlier = before.checkpoint
    goes_on = (point.number, point.first, point.previous) == (earlier.number + 1, earlier.last + 1, before.digest)
    return goes_on and point.last >= point.first

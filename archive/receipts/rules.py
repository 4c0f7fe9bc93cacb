"""What a receipt says, as exact bytes, and how a stranger checks them. Format: docs/formats/receipt-v1.md.

Plain Python: the signature itself is checked by a function that is handed in.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from archive.receipts import merkle

HEADER: Final = b"vms-privacy receipt v1\n"
LARGEST_BYTES: Final = 256 * 1024 * 1024
CANNOT_PROVE: Final = (
    "that no picture was copied by someone who was allowed to watch it",
    "that a copy of the root key made by someone with control of the machine does not exist",
)

Verify = Callable[[str, bytes, bytes], bool]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One destroyed segment. Moments are ISO 8601 in UTC with microseconds."""

    camera_id: str
    segment_id: str
    captured_from: str
    captured_until: str
    cause: str
    erasure_id: str
    bucket_key_id: str
    key_destroyed_at: str
    bytes_gone_at: str
    store_answer: str
    size_bytes: int

    def octets(self) -> bytes:
        """Return the one encoding of this leaf."""
        return canonical({name: getattr(self, name) for name in self.__slots__})


@dataclass(frozen=True, slots=True)
class Head:
    """What is signed: everything but the leaves, which the root binds."""

    receipt_id: str
    installation_id: str
    operator_id: str
    kind: str
    actor: str
    signed_at: str
    covers_from: str
    covers_until: str
    leaf_count: int
    merkle_root: str
    beyond_backups_at: str

    def octets(self) -> bytes:
        """Return the one encoding of this head."""
        body: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return canonical(body | {"cannot_prove": list(CANNOT_PROVE)})


@dataclass(frozen=True, slots=True)
class Valid:
    """The receipt holds. `partial` means: an extract; the leaves shown are proven, others exist."""

    head: Mapping[str, Any]
    leaves: tuple[Mapping[str, Any], ...]
    kid: str
    partial: bool


@dataclass(frozen=True, slots=True)
class Invalid:
    """The receipt does not hold; `code` is stable."""

    code: str
    why: str


def canonical(value: Mapping[str, Any]) -> bytes:
    """Return JSON in its one form: keys sorted, no white space, ASCII only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def signed_part(head: bytes) -> bytes:
    """Return exactly the bytes under the signature."""
    return HEADER + head + b"\n"


def write(head: bytes, kid: str, signature: bytes, leaves: Sequence[bytes]) -> bytes:
    """Put a whole receipt together."""
    seal = canonical({"kid": kid, "signature": _b64(signature)})
    return signed_part(head) + seal + b"\n" + b"".join(leaf + b"\n" for leaf in leaves)


def extract(receipt: bytes, camera_id: str) -> bytes:
    """Return one camera's part of a whole receipt, each leaf with its path. Does not verify."""
    lines = receipt.split(b"\n")
    head, seal, leaves = lines[1], lines[2], lines[3:-1]
    tree = merkle.Tree([merkle.leaf_hash(leaf) for leaf in leaves])
    shown = [(index, leaf) for index, leaf in enumerate(map(json.loads, leaves)) if leaf["camera_id"] == camera_id]
    proven = [
        canonical({"index": index, "leaf": leaf, "path": [_b64(step) for step in tree.path(index)]})
        for index, leaf in shown
    ]
    return signed_part(head) + seal + b"\n" + b"".join(line + b"\n" for line in proven)


def cameras_of(receipt: bytes) -> tuple[str, ...] | Invalid:
    """Return the cameras that a whole receipt tells of, in order; for anything else, why there is no part to take."""
    if not receipt.startswith(HEADER) or not receipt.endswith(b"\n"):
        return Invalid("not-a-receipt", "this is not a receipt of version 1")
    lines = receipt[len(HEADER) : -1].split(b"\n")
    if len(lines) < 2:
        return Invalid("receipt-cut", "the receipt has no signature line")
    leaves = [_object(line) for line in lines[2:]]
    if any(leaf is not None and "path" in leaf for leaf in leaves):
        return Invalid("receipt-is-an-extract", "this is an extract already; a part is taken of a whole receipt")
    if any(leaf is None or not isinstance(leaf.get("camera_id"), str) for leaf in leaves):
        return Invalid("receipt-not-canonical", "a leaf is not in its one form")
    return tuple(sorted({str(leaf["camera_id"]) for leaf in leaves if leaf is not None}))


def check(receipt: bytes, verify: Verify) -> Valid | Invalid:
    """Verify a receipt or an extract: every byte of it counts."""
    if len(receipt) > LARGEST_BYTES:
        return Invalid("receipt-too-large", f"a receipt has at most {LARGEST_BYTES} bytes")
    if not receipt.startswith(HEADER) or not receipt.endswith(b"\n"):
        return Invalid("not-a-receipt", "this is not a receipt of version 1")
    lines = receipt[len(HEADER) : -1].split(b"\n")
    if len(lines) < 2:
        return Invalid("receipt-cut", "the receipt has no signature line")
    head, seal = _object(lines[0]), _object(lines[1])
    if head is None or seal is None or set(seal) != {"kid", "signature"}:
        return Invalid("receipt-not-canonical", "head or signature line is not in its one form")
    signature = _octets(seal["signature"])
    if signature is None or not isinstance(seal["kid"], str):
        return Invalid("receipt-not-canonical", "the signature is not in its one form")
    if not verify(seal["kid"], signed_part(lines[0]), signature):
        return Invalid("receipt-signature", "the signature is not of a known key of this installation")
    return _check_leaves(head, seal["kid"], lines[2:])


def _check_leaves(head: Mapping[str, Any], kid: str, lines: Sequence[bytes]) -> Valid | Invalid:
    expected = _octets(head.get("merkle_root"))
    count = head.get("leaf_count")
    if expected is None or not isinstance(count, int):
        return Invalid("receipt-not-canonical", "the head names no root or count")
    leaves = [_object(line) for line in lines]
    if any(leaf is None for leaf in leaves):
        return Invalid("receipt-not-canonical", "a leaf is not in its one form")
    known = tuple(leaf for leaf in leaves if leaf is not None)
    if known and all("path" in leaf for leaf in known):
        return _check_extract(head, kid, known, count, expected)
    if len(lines) != count or merkle.Tree([merkle.leaf_hash(line) for line in lines]).root != expected:
        return Invalid("receipt-leaves", "the leaves are not those that were signed")
    return Valid(head, known, kid, partial=False)


def _check_extract(
    head: Mapping[str, Any], kid: str, proven: Sequence[Mapping[str, Any]], count: int, expected: bytes
) -> Valid | Invalid:
    shown = []
    for one in proven:
        steps = [_octets(step) for step in one["path"]] if isinstance(one["path"], list) else [None]
        if set(one) != {"index", "leaf", "path"} or None in steps or not isinstance(one["index"], int):
            return Invalid("receipt-not-canonical", "a proof is not in its one form")
        leaf = merkle.leaf_hash(canonical(one["leaf"]))
        if merkle.root_from(leaf, one["index"], count, [step for step in steps if step is not None]) != expected:
            return Invalid("receipt-leaves", "a leaf is not one of those that were signed")
        shown.append(one["leaf"])
    if [one["index"] for one in proven] != sorted({one["index"] for one in proven}):
        return Invalid("receipt-not-canonical", "the proofs are not in order")
    return Valid(head, tuple(shown), kid, partial=True)


def _object(line: bytes) -> Mapping[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and _same(value, line) else None


def _same(value: Mapping[str, Any], line: bytes) -> bool:
    try:
        return canonical(value) == line
    except ValueError:
        return False


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _octets(text: object) -> bytes | None:
    if not isinstance(text, str):
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if _b64(raw) == text else None

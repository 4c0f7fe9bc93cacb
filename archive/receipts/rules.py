"""What a receipt says, as exact bytes, and how a stranger checks them. Format: docs/formats/receipt-v1.md.

Plain Python: the signature itself is checked by a function that is handed in.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from archive.receipts import lines, merkle
from archive.receipts.key_history import KeyHistory, KnownKey, trusted
from archive.receipts.lines import (
    Invalid,
    Label,
    Verify,
    an_object,
    b64,
    canonical,
    has_form,
    is_moment,
    is_root,
    is_text,
    is_whole,
    not_canonical,
    octets,
)

LARGEST_BYTES: Final = 256 * 1024 * 1024
LABEL: Final = Label(b"vms-privacy receipt v1\n", "a receipt", "not-a-receipt", "receipt", LARGEST_BYTES)
_KINDS: Final = ("hourly", "on-demand")
_KINDS_OF_MANDATES: Final = ("request", "withdrawal", "off-boarding")
CANNOT_PROVE: Final = (
    "that no picture was copied by someone who was allowed to watch it",
    "that a copy of the root key made by someone with control of the machine does not exist",
)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One destroyed segment. Moments are ISO 8601 in UTC with microseconds.

    `due_at`: since when it was to be destroyed.
    """

    camera_id: str
    segment_id: str
    captured_from: str
    captured_until: str
    cause: str
    erasure_id: str
    bucket_key_id: str
    due_at: str
    key_destroyed_at: str
    bytes_gone_at: str
    store_answer: str
    size_bytes: int

    def octets(self) -> bytes:
        """Return the one encoding of this leaf."""
        return canonical({name: getattr(self, name) for name in self.__slots__})


@dataclass(frozen=True, slots=True)
class ToldMandate:
    """A mandate that destroyed some of a receipt's leaves: what was to be destroyed, and who decided it.

    Whether something is left of it is not told: that would tell of a hold (P6).
    """

    mandate_id: str
    camera_id: str
    asked_from: str
    asked_until: str
    proposed_by: str
    approved_by: str
    placed_at: str

    def told(self) -> dict[str, str]:
        """Return it as an object of a head."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Head:
    """What is signed: everything but the leaves, which the root binds.

    `reference` and `mandates` are in receipts of mandates alone; `reference` is None where people put it in words.
    """

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
    reference: str | None = None
    mandates: tuple[ToldMandate, ...] = ()

    def octets(self) -> bytes:
        """Return the one encoding of this head."""
        body: dict[str, Any] = {name: getattr(self, name) for name in _HEAD if name != "cannot_prove"}
        if self.mandates:
            body |= {"reference": self.reference, "mandates": [one.told() for one in self.mandates]}
        return canonical(body | {"cannot_prove": list(CANNOT_PROVE)})


@dataclass(frozen=True, slots=True)
class Valid:
    """The receipt holds. `partial` means: an extract; the leaves shown are proven, others exist."""

    head: Mapping[str, Any]
    leaves: tuple[Mapping[str, Any], ...]
    key: KnownKey
    partial: bool


def _is_sentences(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_text_or_none(value: object) -> bool:
    return value is None or is_text(value)


def _are_mandates(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(has_form(one, _MANDATE) for one in value)


_MOMENTS: Final = ("signed_at", "covers_from", "covers_until", "beyond_backups_at")
_HEAD: Final[Mapping[str, Callable[[object], bool]]] = {
    **dict.fromkeys(("receipt_id", "installation_id", "operator_id", "actor"), is_text),
    **dict.fromkeys(_MOMENTS, is_moment),
    "kind": lambda value: value in _KINDS,
    "leaf_count": is_whole,
    "merkle_root": is_root,
    "cannot_prove": _is_sentences,
}
_HEAD_OF_MANDATES: Final[Mapping[str, Callable[[object], bool]]] = {
    **_HEAD,
    "kind": lambda value: value in _KINDS_OF_MANDATES,
    "reference": _is_text_or_none,
    "mandates": _are_mandates,
}
_MANDATE: Final[Mapping[str, Callable[[object], bool]]] = {
    **dict.fromkeys(("mandate_id", "camera_id", "proposed_by", "approved_by"), is_text),
    **dict.fromkeys(("asked_from", "asked_until", "placed_at"), is_moment),
}
_FIRST_LEAF: Final[Mapping[str, Callable[[object], bool]]] = {
    **dict.fromkeys(("camera_id", "segment_id", "cause", "erasure_id", "bucket_key_id", "store_answer"), is_text),
    **dict.fromkeys(("captured_from", "captured_until", "key_destroyed_at", "bytes_gone_at"), is_moment),
    "size_bytes": is_whole,
}
_LEAF: Final[Mapping[str, Callable[[object], bool]]] = {**_FIRST_LEAF, "due_at": is_moment}


def signed_part(head: bytes) -> bytes:
    """Return exactly the bytes under the signature."""
    return lines.signed_part(LABEL, head)


def write(head: bytes, kid: str, signature: bytes, leaves: Sequence[bytes]) -> bytes:
    """Put a whole receipt together."""
    return lines.write(LABEL, head, kid, signature, leaves)


def extract(receipt: bytes, camera_id: str) -> bytes:
    """Return one camera's part of a whole receipt, each leaf with its path. Does not verify."""
    every = receipt.split(b"\n")
    head, seal, leaves = every[1], every[2], every[3:-1]
    tree = merkle.Tree([merkle.leaf_hash(leaf) for leaf in leaves])
    shown = [(index, leaf) for index, leaf in enumerate(map(json.loads, leaves)) if leaf["camera_id"] == camera_id]
    proven = [
        canonical({"index": index, "leaf": leaf, "path": [b64(step) for step in tree.path(index)]})
        for index, leaf in shown
    ]
    return signed_part(head) + seal + b"\n" + b"".join(line + b"\n" for line in proven)


def cameras_of(receipt: bytes) -> tuple[str, ...] | Invalid:
    """Return the cameras that a whole receipt tells of, in order; for anything else, why there is no part to take."""
    read = lines.read(LABEL, receipt)
    if isinstance(read, Invalid):
        return read
    leaves = [an_object(line) for line in read.rest]
    if any(leaf is not None and "path" in leaf for leaf in leaves):
        return Invalid("receipt-is-an-extract", "this is an extract already; a part is taken of a whole receipt")
    if not all(_is_leaf(leaf) for leaf in leaves):
        return not_canonical(LABEL, "a leaf is not in its one form")
    return tuple(sorted({str(leaf["camera_id"]) for leaf in leaves if leaf is not None}))


def check(receipt: bytes, history: KeyHistory, verify: Verify) -> Valid | Invalid:
    """Verify a receipt or an extract against an installation's key history: every byte of it counts."""
    read = lines.read(LABEL, receipt)
    if isinstance(read, Invalid):
        return read
    if not (has_form(read.body, _HEAD) or has_form(read.body, _HEAD_OF_MANDATES)):
        return not_canonical(LABEL, "the head has not exactly the fields of a receipt")
    key = trusted(LABEL, read, history, verify)
    if isinstance(key, Invalid):
        return key
    leaves = [an_object(line) for line in read.rest]
    known = tuple(leaf for leaf in leaves if leaf is not None)
    if len(known) != len(leaves):
        return not_canonical(LABEL, "a leaf is not in its one form")
    if known and all("path" in leaf for leaf in known):
        return _check_extract(read.body, key, known)
    if not all(_is_leaf(leaf) for leaf in known):
        return not_canonical(LABEL, "a leaf has not exactly its fields")
    top = b64(merkle.Tree([merkle.leaf_hash(line) for line in read.rest]).root)
    if len(known) != read.body["leaf_count"] or top != read.body["merkle_root"]:
        return Invalid("receipt-leaves", "the leaves are not those that were signed")
    return Valid(read.body, known, key, partial=False)


def _check_extract(head: Mapping[str, Any], key: KnownKey, proven: Sequence[Mapping[str, Any]]) -> Valid | Invalid:
    if not all(has_form(one, _PROOF) for one in proven):
        return not_canonical(LABEL, "a proof is not in its one form")
    if any(before["index"] >= after["index"] for before, after in pairwise(proven)):
        return not_canonical(LABEL, "the proofs are not in order")
    expected = octets(head["merkle_root"])
    for one in proven:
        leaf = merkle.leaf_hash(canonical(one["leaf"]))
        path = [step for step in map(octets, one["path"]) if step is not None]
        if merkle.root_from(leaf, one["index"], head["leaf_count"], path) != expected:
            return Invalid("receipt-leaves", "a leaf is not one of those that were signed")
    return Valid(head, tuple(one["leaf"] for one in proven), key, partial=True)


def _is_leaf(value: object) -> bool:
    # Leaves of receipts from before `due_at` was told have every other field.
    return has_form(value, _LEAF) or has_form(value, _FIRST_LEAF)


def _is_path(value: object) -> bool:
    return isinstance(value, list) and all(map(is_root, value))


_PROOF: Final[Mapping[str, Callable[[object], bool]]] = {"index": is_whole, "leaf": _is_leaf, "path": _is_path}

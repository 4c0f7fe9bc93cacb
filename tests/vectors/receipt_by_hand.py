"""Documents of receipt-v1 made by hand, always the same. Written from docs/formats/receipt-v1.md alone."""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

RECEIPT, KEYS, SUMMARY = (
    b"vms-privacy receipt v1\n",
    b"vms-privacy receipt keys v1\n",
    b"vms-privacy monthly summary v1\n",
)
LEAVE_OUT = object()


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def canonical(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def changed(base: Mapping[str, Any], **members: object) -> dict[str, Any]:
    return {name: value for name, value in {**base, **members}.items() if value is not LEAVE_OUT}


def an_id(name: str) -> str:
    raw = bytearray(hashlib.sha256(b"id" + name.encode()).digest()[:16])
    raw[6], raw[8] = raw[6] & 0x0F | 0x40, raw[8] & 0x3F | 0x80
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def a_key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"key" + name.encode()).digest())


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def fingerprint(key: Ed25519PrivateKey) -> str:
    jwk = {"crv": "Ed25519", "kty": "OKP", "x": base64url(public(key))}
    return base64url(hashlib.sha256(canonical(jwk)).digest())


FIRST, SECOND, THIRD, STRANGER = (a_key(name) for name in ("first", "second", "third", "stranger"))
INSTALLATION, OPERATOR = an_id("installation"), an_id("operator")
GATE, YARD = an_id("gate"), an_id("yard")


def moment(day: int, hour: int = 0, minute: int = 0, second: int = 0, us: int = 0, month: str = "2030-01") -> str:
    return f"{month}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}.{us:06d}Z"


# The tree of RFC 6962, 2.1, and the path of 2.1.1.


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + leaf).digest()


def _half(count: int) -> int:
    half = 1
    while half * 2 < count:
        half *= 2
    return half


def root(hashes: Sequence[bytes]) -> bytes:
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    half = _half(len(hashes))
    return hashlib.sha256(b"\x01" + root(hashes[:half]) + root(hashes[half:])).digest()


def path(hashes: Sequence[bytes], index: int) -> list[bytes]:
    if len(hashes) == 1:
        return []
    half = _half(len(hashes))
    if index < half:
        return [*path(hashes[:half], index), root(hashes[half:])]
    return [*path(hashes[half:], index - half), root(hashes[:half])]


def sealed(
    label: bytes, body: bytes, key: Ed25519PrivateKey, lines: Iterable[bytes] = (), seal: bytes | None = None
) -> bytes:
    told = seal or canonical({"kid": fingerprint(key), "signature": base64url(key.sign(label + body + b"\n"))})
    return label + body + b"\n" + told + b"\n" + b"".join(line + b"\n" for line in lines)


def a_leaf(number: int, camera: str, **members: object) -> dict[str, Any]:
    leaf = {
        "camera_id": camera,
        "segment_id": an_id(f"segment {number}"),
        "captured_from": moment(10, 9, number),
        "captured_until": moment(10, 9, number, 59, 960_000),
        "cause": "expiry",
        "erasure_id": an_id("erasure"),
        "bucket_key_id": an_id(f"bucket of {camera}"),
        "due_at": moment(13, 9, number, 59, 960_000),
        "key_destroyed_at": moment(13, 9, number + 1, 30 + number),
        "bytes_gone_at": moment(13, 9, number + 1, 31 + number),
        "store_answer": "erased",
        "size_bytes": 1_000_000 + number,
    }
    return changed(leaf, **members)


LEAVES = (a_leaf(0, GATE), a_leaf(1, YARD), a_leaf(2, GATE))
HEAD: dict[str, Any] = {
    "receipt_id": an_id("receipt"),
    "installation_id": INSTALLATION,
    "operator_id": OPERATOR,
    "kind": "hourly",
    "actor": "worker:receipts",
    "signed_at": moment(13, 10, 2),
    "covers_from": moment(13, 9, 1, 31),
    "covers_until": moment(13, 10),
    "beyond_backups_at": moment(12, 10, 2, month="2030-02"),
    "cannot_prove": [
        "that no picture was copied by someone who was allowed to watch it",
        "that a copy of the root key made by someone with control of the machine does not exist",
    ],
}


MANDATE: dict[str, Any] = {
    "mandate_id": an_id("mandate"),
    "camera_id": GATE,
    "asked_from": moment(10, 9),
    "asked_until": moment(10, 9, 3),
    "proposed_by": f"person:{an_id('first person')}",
    "approved_by": f"person:{an_id('second person')}",
    "placed_at": moment(13, 9),
}
OF_MANDATES: dict[str, Any] = {"kind": "request", "reference": an_id("request"), "mandates": [MANDATE]}


def head_over(lines: Sequence[bytes], **members: object) -> dict[str, Any]:
    told = {"leaf_count": len(lines), "merkle_root": base64url(root([leaf_hash(line) for line in lines]))}
    return changed({**HEAD, **told}, **members)


def receipt(
    leaves: Sequence[Mapping[str, Any]] = LEAVES,
    key: Ed25519PrivateKey = FIRST,
    shown: Iterable[bytes] | None = None,
    **members: object,
) -> bytes:
    """A receipt over leaves; `shown` are the lines that stand there in place of them."""
    lines = [canonical(leaf) for leaf in leaves]
    return sealed(RECEIPT, canonical(head_over(lines, **members)), key, lines if shown is None else shown)


def proofs(leaves: Sequence[Mapping[str, Any]], camera: str) -> list[dict[str, Any]]:
    hashes = [leaf_hash(canonical(leaf)) for leaf in leaves]
    return [
        {"index": index, "leaf": leaf, "path": [base64url(step) for step in path(hashes, index)]}
        for index, leaf in enumerate(leaves)
        if leaf["camera_id"] == camera
    ]


def extract(camera: str, leaves: Sequence[Mapping[str, Any]] = LEAVES, **members: object) -> bytes:
    return receipt(leaves, shown=[canonical({**one, **members}) for one in proofs(leaves, camera)])


# Key histories


@dataclass(frozen=True)
class Version:
    """One key of a history; `hands` is who signs that it follows."""

    key: Ed25519PrivateKey
    since: str | None
    hands: Ed25519PrivateKey | None = None
    said: Mapping[str, str] = field(default_factory=dict)

    def handed_over(self, previous: Ed25519PrivateKey) -> str | None:
        if self.hands is None:
            return None
        said = {
            "made_at": self.since,
            "next": fingerprint(self.key),
            "previous": fingerprint(previous),
            "purpose": "receipt-signing",
            **self.said,
        }
        return base64url(self.hands.sign(b"vms-privacy key handover v1\n" + canonical(said)))


V1 = Version(FIRST, moment(1, 8))
V2 = Version(SECOND, moment(20, 8), FIRST)
V3 = Version(THIRD, moment(10, 8, month="2030-02"), SECOND)


def key_list(*versions: Version) -> list[dict[str, Any]]:
    following = [*(one.since for one in versions[1:]), None]
    before = [versions[0].key, *(one.key for one in versions)]
    return [
        {
            "version": number,
            "kid": fingerprint(one.key),
            "public_key": base64url(public(one.key)),
            "state": "active" if number == len(versions) else "retired",
            "in_use_from": one.since,
            "in_use_until": until,
            "handed_over": one.handed_over(previous),
        }
        for number, (one, previous, until) in enumerate(zip(versions, before, following, strict=False), 1)
    ]


def history(keys: object, signer: Ed25519PrivateKey = THIRD, **members: object) -> bytes:
    body = {"installation_id": INSTALLATION, "signed_at": moment(1, 0, 30, month="2030-03"), "keys": keys}
    return sealed(KEYS, canonical(changed(body, **members)), signer)


# Monthly summaries


def listed(document: bytes) -> dict[str, Any]:
    head = json.loads(document.split(b"\n")[1])
    names = ("receipt_id", "kind", "signed_at", "covers_from", "covers_until", "leaf_count", "merkle_root")
    return {name: head[name] for name in names}


def summary_body(**members: object) -> dict[str, Any]:
    """January's: one receipt of three leaves of two cameras. Leaf 2 took 32 s to its key and 33 s to its bytes."""
    body = {
        "summary_id": an_id("summary"),
        "installation_id": INSTALLATION,
        "operator_id": OPERATOR,
        "month": "2030-01",
        "signed_at": moment(1, 1, month="2030-02"),
        "previous": None,
        "receipts": [listed(receipt())],
        "segments": 3,
        "size_bytes": 3_000_003,
        "causes": {"expiry": 3},
        "cameras": sorted(
            (
                {"camera_id": GATE, "segments": 2, "size_bytes": 2_000_002},
                {"camera_id": YARD, "segments": 1, "size_bytes": 1_000_001},
            ),
            key=lambda one: str(one["camera_id"]),
        ),
        "segments_without_due": 0,
        "due_to_key_destroyed_us": 32_040_000,
        "due_to_bytes_gone_us": 33_040_000,
        "overdue_segments": 0,
        "overdue_bytes": 0,
        "overdue_oldest_due_at": None,
        "longest_overdue_us": 33_040_000,
    }
    return changed(body, **members)


def summary(signer: Ed25519PrivateKey = SECOND, **members: object) -> bytes:
    return sealed(SUMMARY, canonical(summary_body(**members)), signer)


def digest(document: bytes) -> str:
    return base64url(hashlib.sha256(document).digest())


NOTHING: dict[str, Any] = {
    "summary_id": an_id("second summary"),
    "month": "2030-02",
    "signed_at": moment(1, 1, month="2030-03"),
    "receipts": [],
    "segments": 0,
    "size_bytes": 0,
    "causes": {},
    "cameras": [],
    "due_to_key_destroyed_us": None,
    "due_to_bytes_gone_us": None,
    "longest_overdue_us": None,
}

"""A second verifier of receipt-v1, written from docs/formats/receipt-v1.md alone: it shares no code with the service.

`verify` answers `valid`, `extract`, or the code of the first rule that does not hold. `python -m
tests.vectors.receipt_verifier RECEIPT KEYS` says it of two files.
"""

import base64
import hashlib
import json
import re
import sys
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LABELS = {
    "receipt": (b"vms-privacy receipt v1\n", 256 << 20, "receipt", "not-a-receipt"),
    "keys": (b"vms-privacy receipt keys v1\n", 1 << 20, "receipt-keys", "not-receipt-keys"),
    "summary": (b"vms-privacy monthly summary v1\n", 64 << 20, "summary", "not-a-summary"),
}
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


class Refused(Exception):
    """Carries the code."""


def verify(
    kind: str,
    document: bytes,
    keys: bytes = b"",
    pinned: str = "",
    receipts: list[bytes] | None = None,
    previous: bytes = b"",
) -> str:
    try:
        if kind == "keys":
            read_keys(document, pinned)
            return "valid"
        history = read_keys(keys, pinned)
        if kind == "receipt":
            return "extract" if read_receipt(document, history)[2] else "valid"
        body = read_summary(document, history)
        if previous:
            follows(body, read_summary(previous, history), previous)
        if receipts is not None:
            compare(body, receipts, history)
    except Refused as refused:
        return str(refused)
    return "valid"


# Canonical JSON, written by our own hand so that no library's idea of it decides.


def text_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool | float):
        raise ValueError("only whole numbers and texts")
    if isinstance(value, int):
        if not 0 <= value < 1 << 63:
            raise ValueError("out of range")
        return str(value)
    if isinstance(value, str):
        return '"' + "".join(_character(one) for one in value) + '"'
    if isinstance(value, list):
        return "[" + ",".join(text_of(one) for one in value) + "]"
    return "{" + ",".join(f"{text_of(name)}:{text_of(value[name])}" for name in sorted(value)) + "}"


def _character(one: str) -> str:
    if one in _ESCAPES:
        return _ESCAPES[one]
    if 0x20 <= ord(one) < 0x7F:
        return one
    units = one.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))


def object_of(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line.decode("ascii"))
        return value if isinstance(value, dict) and text_of(value).encode() == line else None
    except (ValueError, RecursionError):
        return None


def raw_of(value: Any, size: int) -> bytes | None:
    if not isinstance(value, str) or not re.fullmatch("[A-Za-z0-9_-]*", value):
        return None
    try:
        raw = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except ValueError:
        return None
    is_same = base64.urlsafe_b64encode(raw).decode().rstrip("=") == value
    return raw if len(raw) == size and is_same else None


def whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def moment(value: Any) -> bool:
    if not isinstance(value, str) or not re.fullmatch(
        r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):\d\d:\d\d\.\d{6}Z", value, re.ASCII
    ):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def month(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"(?!0000|9999)\d{4}-(0[1-9]|1[0-2])", value, re.ASCII))


def next_month(value: str) -> str:
    year, number = map(int, value.split("-"))
    return f"{year + 1:04d}-01" if number == 12 else f"{year:04d}-{number + 1:02d}"


def or_null(form: Any) -> Any:
    return lambda value: value is None or form(value)


def root(value: Any) -> bool:
    return raw_of(value, 32) is not None


def text(value: Any) -> bool:
    return isinstance(value, str)


def fields(value: Any, forms: dict[str, Any]) -> bool:
    return isinstance(value, dict) and value.keys() == forms.keys() and all(forms[name](value[name]) for name in forms)


def holds(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


# Section 2


def split(kind: str, document: bytes) -> tuple[dict[str, Any], bytes, dict[str, Any], list[bytes]]:
    label, most, prefix, other = LABELS[kind]
    if len(document) > most:
        raise Refused(f"{prefix}-too-large")
    if document[: len(label)] != label or document[-1:] != b"\n":
        raise Refused(other)
    lines = document[len(label) :].split(b"\n")[:-1]
    if len(lines) < 2:
        raise Refused(f"{prefix}-cut")
    body, seal = object_of(lines[0]), object_of(lines[1])
    if body is None or seal is None or not fields(seal, {"kid": text, "signature": lambda one: raw_of(one, 64)}):
        raise Refused(f"{prefix}-not-canonical")
    return body, label + lines[0] + b"\n", seal, lines[2:]


def signer_of(prefix: str, body: dict[str, Any], seal: dict[str, Any], signed: bytes, history: dict[str, Any]) -> None:
    if body["installation_id"] != history["installation_id"]:
        raise Refused(f"{prefix}-of-another-installation")
    found = [key for key in history["keys"] if key["kid"] == seal["kid"]]
    if not found:
        raise Refused(f"{prefix}-unknown-key")
    if not holds(raw_of(found[0]["public_key"], 32) or b"", signed, raw_of(seal["signature"], 64) or b""):
        raise Refused(f"{prefix}-signature")


# Section 3

HEAD = {
    **dict.fromkeys(("receipt_id", "installation_id", "operator_id", "actor"), text),
    "kind": lambda value: value in ("hourly", "on-demand"),
    **dict.fromkeys(("signed_at", "covers_from", "covers_until", "beyond_backups_at"), moment),
    "leaf_count": whole,
    "merkle_root": root,
    "cannot_prove": lambda value: isinstance(value, list) and all(map(text, value)),
}
MANDATE = {
    **dict.fromkeys(("mandate_id", "camera_id", "proposed_by", "approved_by"), text),
    **dict.fromkeys(("asked_from", "asked_until", "placed_at"), moment),
}
HEAD_OF_MANDATES = {
    **HEAD,
    "kind": lambda value: value in ("request", "withdrawal", "off-boarding"),
    "reference": lambda value: value is None or text(value),
    "mandates": lambda value: isinstance(value, list) and value != [] and all(fields(one, MANDATE) for one in value),
}
OLD_LEAF = {
    **dict.fromkeys(("camera_id", "segment_id", "cause", "erasure_id", "bucket_key_id", "store_answer"), text),
    **dict.fromkeys(("captured_from", "captured_until", "key_destroyed_at", "bytes_gone_at"), moment),
    "size_bytes": whole,
}
LEAF = {**OLD_LEAF, "due_at": moment}


def read_receipt(document: bytes, history: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]], bool]:
    head, signed, seal, lines = split("receipt", document)
    if not (fields(head, HEAD) or fields(head, HEAD_OF_MANDATES)):
        raise Refused("receipt-not-canonical")
    signer_of("receipt", head, seal, signed, history)
    found = [object_of(line) for line in lines]
    told = [one for one in found if one is not None]
    is_extract = bool(told) and all("path" in one for one in told)
    if len(told) != len(found) or not (extract_form(told) if is_extract else all(map(a_leaf, told))):
        raise Refused("receipt-not-canonical")
    wanted, count = raw_of(head["merkle_root"], 32), head["leaf_count"]
    if is_extract:
        if not all(climb(one, count) == wanted for one in told):
            raise Refused("receipt-leaves")
        return head, [one["leaf"] for one in told], True
    if count != len(lines) or top([hashlib.sha256(b"\0" + line).digest() for line in lines]) != wanted:
        raise Refused("receipt-leaves")
    return head, told, False


def a_leaf(value: Any) -> bool:
    return fields(value, LEAF) or fields(value, OLD_LEAF)


def extract_form(told: list[dict[str, Any]]) -> bool:
    forms = {"index": whole, "leaf": a_leaf, "path": lambda value: isinstance(value, list) and all(map(root, value))}
    if not all(fields(one, forms) for one in told):
        return False
    places = [one["index"] for one in told]
    return all(places[at] < places[at + 1] for at in range(len(places) - 1))


def top(hashes: list[bytes]) -> bytes:
    """RFC 6962, 2.1, level by level: the one that is left over rises."""
    if not hashes:
        return hashlib.sha256().digest()
    while len(hashes) > 1:
        pairs = [b"\1" + b"".join(hashes[at : at + 2]) for at in range(0, len(hashes), 2)]
        hashes = [hashlib.sha256(one).digest() if len(one) == 65 else one[1:] for one in pairs]
    return hashes[0]


def climb(proof: dict[str, Any], count: int) -> bytes | None:
    """RFC 9162, 2.1.3.2, which verifies the same paths from below."""
    at, last = proof["index"], count - 1
    if at > last:
        return None
    value = hashlib.sha256(b"\0" + text_of(proof["leaf"]).encode()).digest()
    for step in proof["path"]:
        other = raw_of(step, 32) or b""
        if last == 0:
            return None
        if at & 1 or at == last:
            value = hashlib.sha256(b"\1" + other + value).digest()
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            value = hashlib.sha256(b"\1" + value + other).digest()
        at, last = at >> 1, last >> 1
    return value if last == 0 else None


# Section 4


def read_keys(document: bytes, pinned: str) -> dict[str, Any]:
    body, signed, seal, lines = split("keys", document)
    key = {
        "version": whole,
        "kid": root,
        "public_key": root,
        "state": lambda value: value in ("active", "retired"),
        "in_use_from": or_null(moment),
        "in_use_until": or_null(moment),
        "handed_over": or_null(lambda value: raw_of(value, 64)),
    }
    forms = {
        "installation_id": text,
        "signed_at": moment,
        "keys": lambda value: isinstance(value, list) and value and all(fields(one, key) for one in value),
    }
    if lines or not fields(body, forms):
        raise Refused("receipt-keys-not-canonical")
    keys = body["keys"]
    for number, one in enumerate(keys, 1):
        is_last = number == len(keys)
        raw = one["public_key"]
        jwk = f'{{"crv":"Ed25519","kty":"OKP","x":"{raw}"}}'.encode()
        kid = base64.urlsafe_b64encode(hashlib.sha256(jwk).digest()).decode().rstrip("=")
        until = None if is_last else keys[number]["in_use_from"]
        state = "active" if is_last else "retired"
        if (one["version"], one["kid"], one["in_use_until"], one["state"]) != (number, kid, until, state):
            raise Refused("receipt-keys-disagree")
    if len({one["kid"] for one in keys}) < len(keys) or keys[0]["handed_over"] is not None:
        raise Refused("receipt-keys-disagree")
    newest = keys[-1]
    if seal["kid"] != newest["kid"] or not holds(
        raw_of(newest["public_key"], 32) or b"", signed, raw_of(seal["signature"], 64) or b""
    ):
        raise Refused("receipt-keys-signature")
    for before, after in pairwise(keys):
        said = {"made_at": after["in_use_from"], "next": after["kid"], "previous": before["kid"]}
        message = b"vms-privacy key handover v1\n" + text_of({**said, "purpose": "receipt-signing"}).encode()
        signature = raw_of(after["handed_over"], 64)
        if signature is not None and not holds(raw_of(before["public_key"], 32) or b"", message, signature):
            raise Refused("receipt-keys-handover")
    if pinned:
        kids = [one["kid"] for one in keys]
        if pinned not in kids or any(one["handed_over"] is None for one in keys[kids.index(pinned) + 1 :]):
            raise Refused("receipt-keys-not-pinned")
    return body


# Section 5


def maximum(values: list[int | None]) -> int | None:
    known = [one for one in values if one is not None]
    return max(known) if known else None


def micros(earlier: str, later: str) -> int:
    passed = datetime.fromisoformat(later) - datetime.fromisoformat(earlier)
    return max(0, passed.days * 86_400_000_000 + passed.seconds * 1_000_000 + passed.microseconds)


def read_summary(document: bytes, history: dict[str, Any]) -> dict[str, Any]:
    body, signed, seal, lines = split("summary", document)
    receipt = {name: HEAD[name] for name in LISTED} | {"kind": text}
    camera = {"camera_id": text, "segments": whole, "size_bytes": whole}
    forms = {
        **dict.fromkeys(("summary_id", "installation_id", "operator_id"), text),
        **dict.fromkeys(("segments", "size_bytes", "segments_without_due", "overdue_segments", "overdue_bytes"), whole),
        **dict.fromkeys(("due_to_key_destroyed_us", "due_to_bytes_gone_us", "longest_overdue_us"), or_null(whole)),
        "month": month,
        "signed_at": moment,
        "previous": or_null(lambda value: fields(value, {"month": month, "digest": root})),
        "receipts": lambda value: isinstance(value, list) and all(fields(one, receipt) for one in value),
        "cameras": lambda value: isinstance(value, list) and all(fields(one, camera) for one in value),
        "causes": lambda value: isinstance(value, dict) and all(map(whole, value.values())),
        "overdue_oldest_due_at": or_null(moment),
    }
    if lines or not fields(body, forms):
        raise Refused("summary-not-canonical")
    signer_of("summary", body, seal, signed, history)
    places = [(one["signed_at"], one["receipt_id"]) for one in body["receipts"]]
    names = [one["camera_id"] for one in body["cameras"]]
    oldest = body["overdue_oldest_due_at"]
    late = None if oldest is None else micros(oldest, body["signed_at"])
    facts = (
        places == sorted(places),
        len({place[1] for place in places}) == len(places),
        names == sorted(names) and len(set(names)) == len(names),
        all(at[: len("2030-01")] <= body["month"] for at, _ in places),
        body["segments"] == sum(one["leaf_count"] for one in body["receipts"]),
        body["segments"] == sum(body["causes"].values()) == sum(one["segments"] for one in body["cameras"]),
        body["size_bytes"] == sum(one["size_bytes"] for one in body["cameras"]),
        (oldest is None) == (body["overdue_segments"] == 0),
        body["longest_overdue_us"] == maximum([body["due_to_bytes_gone_us"], late]),
        body["previous"] is None or next_month(body["previous"]["month"]) == body["month"],
    )
    if not all(facts):
        raise Refused("summary-sums")
    return body


LISTED = ("receipt_id", "kind", "signed_at", "covers_from", "covers_until", "leaf_count", "merkle_root")


def follows(body: dict[str, Any], before: dict[str, Any], document: bytes) -> None:
    digest = base64.urlsafe_b64encode(hashlib.sha256(document).digest()).decode().rstrip("=")
    named = {"digest": digest, "month": before["month"]}
    if body["previous"] != named or body["operator_id"] != before["operator_id"]:
        raise Refused("summary-previous")


def compare(body: dict[str, Any], receipts: list[bytes], history: dict[str, Any]) -> None:
    listed = {one["receipt_id"]: one for one in body["receipts"]}
    leaves: dict[str, list[dict[str, Any]]] = {}
    for document in receipts:
        try:
            head, told, is_extract = read_receipt(document, history)
        except Refused:
            raise Refused("summary-receipt-unusable") from None
        if is_extract:
            raise Refused("summary-receipt-unusable")
        name = head["receipt_id"]
        if name not in listed:
            if head["operator_id"] == body["operator_id"] and head["signed_at"][:7] == body["month"]:
                raise Refused("summary-receipt-unlisted")
            continue
        if {one: head[one] for one in LISTED} != listed[name]:
            raise Refused("summary-receipt-differs")
        leaves[name] = told
    if leaves.keys() != listed.keys():
        raise Refused("summary-receipt-missing")
    every = [leaf for told in leaves.values() for leaf in told]
    dated = [leaf for leaf in every if "due_at" in leaf]
    names = sorted({leaf["camera_id"] for leaf in every})
    of = {name: [leaf["size_bytes"] for leaf in every if leaf["camera_id"] == name] for name in names}
    causes = [leaf["cause"] for leaf in every]
    computed = {
        "segments": len(every),
        "size_bytes": sum(leaf["size_bytes"] for leaf in every),
        "causes": {cause: causes.count(cause) for cause in causes},
        "cameras": [{"camera_id": one, "segments": len(of[one]), "size_bytes": sum(of[one])} for one in names],
        "segments_without_due": len(every) - len(dated),
        "due_to_key_destroyed_us": maximum([micros(leaf["due_at"], leaf["key_destroyed_at"]) for leaf in dated]),
        "due_to_bytes_gone_us": maximum([micros(leaf["due_at"], leaf["bytes_gone_at"]) for leaf in dated]),
    }
    if any(body[name] != value for name, value in computed.items()):
        raise Refused("summary-sums")


if __name__ == "__main__":
    sys.stdout.write(f"{verify('receipt', Path(sys.argv[1]).read_bytes(), Path(sys.argv[2]).read_bytes())}\n")

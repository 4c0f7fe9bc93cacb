"""The form that receipts, key histories and summaries share: a label, a body and a seal, then lines of their own.

Promise: a value has one encoding, and a reader takes no other. Plain Python; docs/formats/receipt-v1.md. The signature
itself is checked by a function that is handed in.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

Verify = Callable[[bytes, bytes, bytes], bool]
"""Says whether an Ed25519 public key, 32 bytes, has signed a message: `(key, message, signature)`."""

_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_LARGEST_WHOLE: Final = 2**63
_SIGNATURE_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class Invalid:
    """The document does not hold; `code` is stable, `why` a sentence for people."""

    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Label:
    """The first line of a kind of document, what it is called, and how its codes begin; at most so many bytes."""

    line: bytes
    name: str
    other: str
    prefix: str
    largest_bytes: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """A document whose form holds; the signature is not looked at yet. `rest` are the lines behind the seal."""

    body: Mapping[str, Any]
    signed: bytes
    kid: str
    signature: bytes
    rest: tuple[bytes, ...]


def canonical(value: Mapping[str, Any]) -> bytes:
    """Return JSON in its one form: keys sorted, no white space, ASCII only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def signed_part(label: Label, body: bytes) -> bytes:
    """Return exactly the bytes under the signature."""
    return label.line + body + b"\n"


def write(label: Label, body: bytes, kid: str, signature: bytes, rest: Iterable[bytes] = ()) -> bytes:
    """Put a whole document together."""
    seal = canonical({"kid": kid, "signature": b64(signature)})
    return signed_part(label, body) + seal + b"\n" + b"".join(line + b"\n" for line in rest)


def read(label: Label, document: bytes) -> Sealed | Invalid:
    """Read a document's form: label, end, body and seal."""
    if len(document) > label.largest_bytes:
        return Invalid(f"{label.prefix}-too-large", f"{label.name} has at most {label.largest_bytes} bytes")
    if not document.startswith(label.line) or not document.endswith(b"\n"):
        return Invalid(label.other, f"this is not {label.name} of version 1, or not a whole one")
    lines = document[len(label.line) : -1].split(b"\n")
    if len(lines) < 2:
        return Invalid(f"{label.prefix}-cut", f"{label.name} has a signature line, and this has none")
    body, seal = an_object(lines[0]), an_object(lines[1])
    if body is None or seal is None or set(seal) != {"kid", "signature"} or not isinstance(seal["kid"], str):
        return not_canonical(label, "the first line or the signature line is not in its one form")
    signature = octets(seal["signature"])
    if signature is None or len(signature) != _SIGNATURE_BYTES:
        return not_canonical(label, "the signature is not in its one form")
    return Sealed(body, signed_part(label, lines[0]), seal["kid"], signature, tuple(lines[2:]))


def not_canonical(label: Label, why: str) -> Invalid:
    """Say that something is not in its one form."""
    return Invalid(f"{label.prefix}-not-canonical", why)


def an_object(line: bytes) -> Mapping[str, Any] | None:
    """Return the object that a line is, or None if it is not one in its one form."""
    try:
        value = json.loads(line)
        return value if isinstance(value, dict) and canonical(value) == line else None
    except (ValueError, RecursionError):
        return None


def b64(raw: bytes) -> str:
    """Write bytes as base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def octets(text: object) -> bytes | None:
    """Return the bytes that `b64` wrote so, or None."""
    if not isinstance(text, str):
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if b64(raw) == text else None


def iso(moment: datetime) -> str:
    """Write a moment in UTC with microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def is_moment(value: object) -> bool:
    """Say whether a value is a moment as `iso` writes it."""
    if not isinstance(value, str) or _MOMENT.fullmatch(value) is None:
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def is_whole(value: object) -> bool:
    """Say whether a value is a whole number from zero on; JSON's `true` is none."""
    return type(value) is int and 0 <= value < _LARGEST_WHOLE


def is_text(value: object) -> bool:
    """Say whether a value is text."""
    return isinstance(value, str)


def is_root(value: object) -> bool:
    """Say whether a value is a SHA-256 hash in base64."""
    raw = octets(value)
    return raw is not None and len(raw) == 32


def has_form(value: object, form: Mapping[str, Callable[[object], bool]]) -> bool:
    """Say whether a value is an object with exactly these members, each of its form."""
    return isinstance(value, dict) and set(value) == set(form) and all(is_so(value[at]) for at, is_so in form.items())

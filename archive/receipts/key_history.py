"""The receipt-signing keys of an installation, of all versions, as one signed document. docs/formats/receipt-v1.md.

Promise: whoever wrote one key's fingerprint down can tell, offline and for ever, which keys were the installation's:
each key has signed its successor, and the newest signs the whole list. Plain Python; signatures are checked by a
function that is handed in.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import pairwise
from typing import Any, Final

from archive.receipts import lines
from archive.receipts.lines import (
    Invalid,
    Label,
    Sealed,
    Verify,
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
from vms_privacy.keyring.port import Purpose, SigningTerm
from vms_privacy.keyring.rules import CLOCK_PLAY, handover

LABEL: Final = Label(b"vms-privacy receipt keys v1\n", "a key history", "not-receipt-keys", "receipt-keys", 1024 * 1024)
ACTIVE: Final = "active"
RETIRED: Final = "retired"


@dataclass(frozen=True, slots=True)
class KnownKey:
    """One version. Its fingerprint is `kid`; a retired one's private half is destroyed.

    A moment is None where nobody kept it, `in_use_until` also for the active one.
    """

    version: int
    kid: str
    raw: bytes
    state: str
    in_use_from: str | None
    in_use_until: str | None
    handed_over: bytes | None

    def was_in_use(self, moment: str) -> bool | None:
        """Say whether it was in use at a moment, give or take a minute of clocks; None where that is not known."""
        if self.in_use_from is None or (self.in_use_until is None and self.state != ACTIVE):
            return None
        at = datetime.fromisoformat(moment)
        began = datetime.fromisoformat(self.in_use_from)
        ended = None if self.in_use_until is None else datetime.fromisoformat(self.in_use_until)
        return began - CLOCK_PLAY <= at and (ended is None or at <= ended + CLOCK_PLAY)


@dataclass(frozen=True, slots=True)
class KeyHistory:
    """All versions, oldest first; the last one is the active one, and has signed the list."""

    installation_id: str
    signed_at: str
    keys: tuple[KnownKey, ...]

    @property
    def fingerprint(self) -> str:
        """The active key's."""
        return self.keys[-1].kid

    def octets(self) -> bytes:
        """Return the one encoding of its body."""
        keys = [
            {
                "version": key.version,
                "kid": key.kid,
                "public_key": b64(key.raw),
                "state": key.state,
                "in_use_from": key.in_use_from,
                "in_use_until": key.in_use_until,
                "handed_over": None if key.handed_over is None else b64(key.handed_over),
            }
            for key in self.keys
        ]
        return canonical({"installation_id": self.installation_id, "signed_at": self.signed_at, "keys": keys})


def history_of(installation_id: str, signed_at: datetime, terms: Sequence[SigningTerm]) -> KeyHistory:
    """Tell what a keyring knows of its keys. One is in use until the next one is."""
    began = [None if term.made_at is None else lines.iso(term.made_at) for term in terms]
    ended = [*began[1:], None]
    states = [*[RETIRED] * (len(terms) - 1), ACTIVE]
    keys = [
        KnownKey(term.version, term.public.kid, term.public.raw, state, since, until, term.handed_over)
        for term, state, since, until in zip(terms, states, began, ended, strict=True)
    ]
    return KeyHistory(installation_id, lines.iso(signed_at), tuple(keys))


def write(history: KeyHistory, kid: str, signature: bytes) -> bytes:
    """Put a whole document together."""
    return lines.write(LABEL, history.octets(), kid, signature)


def signed_part(history: KeyHistory) -> bytes:
    """Return exactly the bytes under the signature."""
    return lines.signed_part(LABEL, history.octets())


def read(document: bytes, verify: Verify, pinned: str | None = None) -> KeyHistory | Invalid:
    """Read a key history and verify it.

    With a `pinned` fingerprint it holds only if that key is in it and every later one was handed over to, so that no
    key can have been slipped in. Without one it says what it says: whoever gave it has to be trusted.
    """
    sealed = lines.read(LABEL, document)
    if isinstance(sealed, Invalid):
        return sealed
    history = _history(sealed)
    if history is None:
        return not_canonical(LABEL, "the list of keys is not in its one form")
    if not _agrees(history):
        return Invalid("receipt-keys-disagree", "the keys are not one run of versions with one in use, the newest")
    newest = history.keys[-1]
    if sealed.kid != newest.kid or not verify(newest.raw, sealed.signed, sealed.signature):
        return Invalid("receipt-keys-signature", "the key history is not signed by the key that it calls active")
    for before, after in pairwise(history.keys):
        if after.handed_over is not None and not _is_handed_over(before, after, verify):
            return Invalid("receipt-keys-handover", f"key {before.version} has not signed key {after.version}")
    if pinned is not None and not _leads_from(history, pinned):
        return Invalid("receipt-keys-not-pinned", "no unbroken handing over leads from the key of that fingerprint")
    return history


def trusted(label: Label, sealed: Sealed, history: KeyHistory, verify: Verify) -> KnownKey | Invalid:
    """Return the key that has signed a document, if it is one of this installation's."""
    if sealed.body["installation_id"] != history.installation_id:
        why = f"{label.name} of another installation, {str(sealed.body['installation_id'])[:80]!r}, not of these keys'"
        return Invalid(f"{label.prefix}-of-another-installation", why)
    known = {key.kid: key for key in history.keys}.get(sealed.kid)
    if known is None:
        return Invalid(f"{label.prefix}-unknown-key", "it is signed with a key that was never this installation's")
    if not verify(known.raw, sealed.signed, sealed.signature):
        return Invalid(f"{label.prefix}-signature", "the signature does not fit what it stands under")
    return known


def _is_moment_or_none(value: object) -> bool:
    return value is None or is_moment(value)


def _is_signature_or_none(value: object) -> bool:
    raw = octets(value)
    return value is None or (raw is not None and len(raw) == 64)


_KEY: Final[Mapping[str, Callable[[object], bool]]] = {
    "version": is_whole,
    "kid": is_root,
    "public_key": is_root,
    "state": lambda value: value in {ACTIVE, RETIRED},
    "in_use_from": _is_moment_or_none,
    "in_use_until": _is_moment_or_none,
    "handed_over": _is_signature_or_none,
}
_BODY: Final[Mapping[str, Callable[[object], bool]]] = {
    "installation_id": is_text,
    "signed_at": is_moment,
    "keys": lambda value: isinstance(value, list) and bool(value) and all(has_form(one, _KEY) for one in value),
}


def _history(sealed: Sealed) -> KeyHistory | None:
    if sealed.rest or not has_form(sealed.body, _BODY):
        return None
    return KeyHistory(
        sealed.body["installation_id"], sealed.body["signed_at"], tuple(_known(one) for one in sealed.body["keys"])
    )


def _known(told: Mapping[str, Any]) -> KnownKey:
    return KnownKey(
        told["version"],
        told["kid"],
        octets(told["public_key"]) or b"",
        told["state"],
        told["in_use_from"],
        told["in_use_until"],
        octets(told["handed_over"]),
    )


def _agrees(history: KeyHistory) -> bool:
    keys = history.keys
    return (
        [key.version for key in keys] == list(range(1, len(keys) + 1))
        and all(key.kid == _thumbprint(key.raw) for key in keys)
        and len({key.kid for key in keys}) == len(keys)
        and [key.state for key in keys] == [*[RETIRED] * (len(keys) - 1), ACTIVE]
        and [key.in_use_until for key in keys] == [*(key.in_use_from for key in keys[1:]), None]
        and keys[0].handed_over is None
    )


def _thumbprint(raw: bytes) -> str:
    """RFC 7638, over the JWK of RFC 8037."""
    return b64(sha256(canonical({"crv": "Ed25519", "kty": "OKP", "x": b64(raw)})).digest())


def _is_handed_over(before: KnownKey, after: KnownKey, verify: Verify) -> bool:
    if after.handed_over is None or after.in_use_from is None:
        return False
    said = handover(Purpose.RECEIPT_SIGNING, before.kid, after.kid, datetime.fromisoformat(after.in_use_from))
    return verify(before.raw, said, after.handed_over)


def _leads_from(history: KeyHistory, pinned: str) -> bool:
    later = [key for at, key in enumerate(history.keys) if pinned in {one.kid for one in history.keys[:at]}]
    return pinned in {key.kid for key in history.keys} and all(key.handed_over is not None for key in later)

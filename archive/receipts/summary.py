"""What a monthly summary says, and how a stranger checks it, alone and against the receipts that it lists.

Promise: with a month's summary and the month's receipts anyone sees whether one of them is missing, and computes every
number of it again. Plain Python; docs/formats/receipt-v1.md.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from archive.receipts import lines, rules
from archive.receipts.key_history import KeyHistory, KnownKey, trusted
from archive.receipts.lines import (
    Invalid,
    Label,
    Verify,
    b64,
    canonical,
    has_form,
    is_moment,
    is_root,
    is_text,
    is_whole,
    not_canonical,
)
from archive.receipts.months import is_month, next_month

LABEL: Final = Label(
    b"vms-privacy monthly summary v1\n", "a monthly summary", "not-a-summary", "summary", 64 * 1024 * 1024
)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(slots=True)
class Totals:
    """What receipts tell, added up. Microseconds `_us` run from when a segment was due; None where none says it."""

    receipts: list[Mapping[str, Any]] = field(default_factory=list)
    segments: int = 0
    size_bytes: int = 0
    causes: dict[str, int] = field(default_factory=dict)
    cameras: dict[str, tuple[int, int]] = field(default_factory=dict)
    without_due: int = 0
    due_to_key_destroyed_us: int | None = None
    due_to_bytes_gone_us: int | None = None

    def add(self, receipt: rules.Valid) -> None:
        """Add one whole receipt."""
        self.receipts.append({name: receipt.head[name] for name in _LISTED})
        for leaf in receipt.leaves:
            self._add_leaf(leaf)

    def told(self) -> Mapping[str, Any]:
        """Return the fields of a summary that its receipts alone decide."""
        return {
            "receipts": sorted(self.receipts, key=_by_time),
            "segments": self.segments,
            "size_bytes": self.size_bytes,
            "causes": self.causes,
            "cameras": [
                {"camera_id": camera_id, "segments": count, "size_bytes": size}
                for camera_id, (count, size) in sorted(self.cameras.items())
            ],
            "segments_without_due": self.without_due,
            "due_to_key_destroyed_us": self.due_to_key_destroyed_us,
            "due_to_bytes_gone_us": self.due_to_bytes_gone_us,
        }

    def _add_leaf(self, leaf: Mapping[str, Any]) -> None:
        self.segments += 1
        self.size_bytes += leaf["size_bytes"]
        self.causes[leaf["cause"]] = self.causes.get(leaf["cause"], 0) + 1
        count, size = self.cameras.get(leaf["camera_id"], (0, 0))
        self.cameras[leaf["camera_id"]] = (count + 1, size + leaf["size_bytes"])
        if "due_at" not in leaf:
            self.without_due += 1
            return
        due_at = datetime.fromisoformat(leaf["due_at"])
        self.due_to_key_destroyed_us = _longer(self.due_to_key_destroyed_us, due_at, leaf["key_destroyed_at"])
        self.due_to_bytes_gone_us = _longer(self.due_to_bytes_gone_us, due_at, leaf["bytes_gone_at"])


@dataclass(frozen=True, slots=True)
class Overdue:
    """What was due and not destroyed when the summary was signed; `oldest_due_at` is None if nothing was."""

    segments: int
    size_bytes: int
    oldest_due_at: str | None


@dataclass(frozen=True, slots=True)
class ValidSummary:
    """The summary holds. `digest` is what the next month's names it by."""

    body: Mapping[str, Any]
    key: KnownKey
    digest: str


def body_of(
    *,
    summary_id: str,
    installation_id: str,
    operator_id: str,
    month: str,
    signed_at: str,
    previous: Mapping[str, str] | None,
    totals: Totals,
    overdue: Overdue,
) -> bytes:
    """Return the one encoding of a summary's body."""
    seen = [totals.due_to_bytes_gone_us, _since(overdue.oldest_due_at, signed_at)]
    known = [one for one in seen if one is not None]
    return canonical(
        {
            **totals.told(),
            "summary_id": summary_id,
            "installation_id": installation_id,
            "operator_id": operator_id,
            "month": month,
            "signed_at": signed_at,
            "previous": previous,
            "overdue_segments": overdue.segments,
            "overdue_bytes": overdue.size_bytes,
            "overdue_oldest_due_at": overdue.oldest_due_at,
            "longest_overdue_us": max(known) if known else None,
        }
    )


def digest_of(document: bytes) -> str:
    """Return what the next month's summary names this one by."""
    return b64(sha256(document).digest())


def check(document: bytes, history: KeyHistory, verify: Verify) -> ValidSummary | Invalid:
    """Verify a summary by itself: form, signature, and that its numbers agree with each other."""
    sealed = lines.read(LABEL, document)
    if isinstance(sealed, Invalid):
        return sealed
    if sealed.rest or not has_form(sealed.body, _BODY):
        return not_canonical(LABEL, "it has not exactly the fields of a summary")
    key = trusted(LABEL, sealed, history, verify)
    if isinstance(key, Invalid):
        return key
    if not _adds_up(sealed.body):
        return Invalid("summary-sums", "its numbers do not agree with each other")
    return ValidSummary(sealed.body, key, digest_of(document))


def compare(
    summary: ValidSummary, receipts: Iterable[tuple[str, bytes]], history: KeyHistory, verify: Verify
) -> Invalid | None:
    """Verify a summary against receipts, each with a name for people: none missing, none beside, every number again.

    Receipts of other months and operators are left alone, and so is one that is there twice.
    """
    listed = {one["receipt_id"]: one for one in summary.body["receipts"]}
    totals, found = Totals(), set()
    for name, document in receipts:
        receipt = rules.check(document, history, verify)
        if isinstance(receipt, Invalid) or receipt.partial:
            why = f"is not valid: {receipt.why}" if isinstance(receipt, Invalid) else "is an extract"
            return Invalid("summary-receipt-unusable", f"{name} {why}")
        receipt_id = receipt.head["receipt_id"]
        if receipt_id not in listed:
            if _belongs(receipt.head, summary.body):
                return Invalid("summary-receipt-unlisted", f"{name}, {receipt_id}, is of this month and not listed")
            continue
        if {name: receipt.head[name] for name in _LISTED} != listed[receipt_id]:
            return Invalid("summary-receipt-differs", f"{name}, {receipt_id}, is not the one that is listed")
        if receipt_id not in found:
            found.add(receipt_id)
            totals.add(receipt)
    missing = sorted(set(listed) - found)
    if missing:
        return Invalid("summary-receipt-missing", f"{len(missing)} listed and not there, the first: {missing[0]}")
    told = totals.told()
    if any(summary.body[name] != value for name, value in told.items()):
        return Invalid("summary-sums", "its numbers are not those of its receipts")
    return None


def follows(summary: ValidSummary, previous: ValidSummary) -> Invalid | None:
    """Verify that a summary is the next one after another of the same operator."""
    named = {"month": previous.body["month"], "digest": previous.digest}
    is_next = next_month(previous.body["month"]) == summary.body["month"]
    if summary.body["previous"] != named or not is_next or summary.body["operator_id"] != previous.body["operator_id"]:
        return Invalid("summary-previous", "it does not follow that summary")
    return None


_LISTED: Final = ("receipt_id", "kind", "signed_at", "covers_from", "covers_until", "leaf_count", "merkle_root")


def _by_time(listed: Mapping[str, Any]) -> tuple[str, str]:
    return listed["signed_at"], listed["receipt_id"]


def _longer(known: int | None, due_at: datetime, done_at: str) -> int:
    return max(known or 0, (datetime.fromisoformat(done_at) - due_at) // _MICROSECOND)


def _since(earlier: str | None, later: str) -> int | None:
    """Microseconds between two moments, never below zero: what is destroyed before it was due is not late."""
    if earlier is None:
        return None
    return max(0, (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)) // _MICROSECOND)


def _belongs(head: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    return bool(head["operator_id"] == body["operator_id"] and head["signed_at"].startswith(f"{body['month']}-"))


def _adds_up(body: Mapping[str, Any]) -> bool:
    receipts, cameras = body["receipts"], body["cameras"]
    ids = [one["receipt_id"] for one in receipts]
    names = [one["camera_id"] for one in cameras]
    seen = [body["due_to_bytes_gone_us"], _since(body["overdue_oldest_due_at"], body["signed_at"])]
    known = [one for one in seen if one is not None]
    return (
        receipts == sorted(receipts, key=_by_time)
        and len(set(ids)) == len(ids)
        and names == sorted(set(names))
        and body["segments"] == sum(one["leaf_count"] for one in receipts)
        and body["segments"] == sum(body["causes"].values())
        and body["segments"] == sum(one["segments"] for one in cameras)
        and body["size_bytes"] == sum(one["size_bytes"] for one in cameras)
        and (body["overdue_segments"] == 0) == (body["overdue_oldest_due_at"] is None)
        and body["longest_overdue_us"] == (max(known) if known else None)
        and (body["previous"] is None or next_month(body["previous"]["month"]) == body["month"])
        and all(one["signed_at"] < f"{next_month(body['month'])}-" for one in receipts)
    )


def _is_whole_or_none(value: object) -> bool:
    return value is None or is_whole(value)


def _all(form: Mapping[str, Callable[[object], bool]]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(has_form(one, form) for one in value)


_RECEIPT: Final[Mapping[str, Callable[[object], bool]]] = {
    **dict.fromkeys(("receipt_id", "kind"), is_text),
    **dict.fromkeys(("signed_at", "covers_from", "covers_until"), is_moment),
    "leaf_count": is_whole,
    "merkle_root": is_root,
}
_CAMERA: Final[Mapping[str, Callable[[object], bool]]] = {
    "camera_id": is_text,
    "segments": is_whole,
    "size_bytes": is_whole,
}
_PREVIOUS: Final[Mapping[str, Callable[[object], bool]]] = {"month": is_month, "digest": is_root}
_BODY: Final[Mapping[str, Callable[[object], bool]]] = {
    **dict.fromkeys(("summary_id", "installation_id", "operator_id"), is_text),
    "month": is_month,
    "signed_at": is_moment,
    "previous": lambda value: value is None or has_form(value, _PREVIOUS),
    "receipts": _all(_RECEIPT),
    "cameras": _all(_CAMERA),
    "causes": lambda value: isinstance(value, dict) and all(is_whole(one) for one in value.values()),
    **dict.fromkeys(("segments", "size_bytes", "segments_without_due", "overdue_segments", "overdue_bytes"), is_whole),
    **dict.fromkeys(("due_to_key_destroyed_us", "due_to_bytes_gone_us", "longest_overdue_us"), _is_whole_or_none),
    "overdue_oldest_due_at": lambda value: value is None or is_moment(value),
}

"""The chain as arithmetic: an event's only encoding, leaf, link and Merkle root (docs/formats/audit-chain-v1.md).

Nothing here knows where rows are kept. Hashes are SHA-256, 32 bytes; every use has its own first byte, so that a
value made for one place is never valid in another (RFC 6962, 2.1 for leaves and nodes).
"""

import hashlib
import json
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from vms_privacy.audit.events import Event, Outcome

NO_ID: Final = bytes(16)
FIRST_LINK: Final = hashlib.sha256(b"\x03audit-chain-v1").digest()
LONGEST_TEXT: Final = 200
LARGEST_NUMBER: Final = 2**53 - 1

_VERSION: Final = 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIXED: Final = struct.Struct(">BHBq16s16s16s")
_OUTCOMES: Final[Mapping[str, int]] = {Outcome.DONE: 0, Outcome.REFUSED: 1, Outcome.FAILED: 2}
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)
_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)


def microseconds(moment: datetime) -> int:
    """Return whole microseconds since 1970 in UTC. Raises ValueError for a moment without a zone."""
    if moment.utcoffset() is None:
        raise ValueError("a moment needs a time zone")
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(at_us: int) -> datetime:
    """Return the moment that `microseconds` turned into a number."""
    return _EPOCH + at_us * _MICROSECOND


def detail_text(detail: Mapping[str, str | int | bool | None]) -> str:
    """Write details as JSON in the one form of audit-chain-v1, 3.2: sorted keys, no spaces, no escapes but two.

    Raises ValueError for a key, a number or a text that the format does not have.
    """
    if not detail:
        return "{}"
    for key, value in detail.items():
        if _KEY.fullmatch(key) is None:
            raise ValueError("a key of a detail is written like_this")
        if isinstance(value, str):
            plain_text(value)
        elif value is not None and not (isinstance(value, int) and -LARGEST_NUMBER <= value <= LARGEST_NUMBER):
            raise ValueError(f"detail {key} is neither text, whole number, truth value nor nothing")
    return _JSON.encode(detail)


def plain_text(text: str) -> str:
    """Return the text unchanged, or raise ValueError: one line of at most 200 printable characters.

    A line break in a log is a forged line, so none gets in (ASVS 16.4.1).
    """
    if len(text) > LONGEST_TEXT or not text.isprintable():
        raise ValueError("text in the audit is one line of at most 200 printable characters")
    return text


def event_bytes(
    event_id: bytes,
    tag: int,
    outcome: str,
    at_us: int,
    operator_id: bytes | None,
    camera_id: bytes | None,
    actor: str,
    reason: str,
    detail: str,
) -> bytes:
    """Encode one event (audit-chain-v1, 3.1); ids are 16 bytes. Two different events never have the same bytes.

    Raises ValueError for values of any other type, size or form: a row may hold what somebody put there.
    """
    try:
        return _encode(event_id, tag, outcome, at_us, operator_id, camera_id, actor, reason, detail)
    except (AttributeError, KeyError, TypeError, struct.error) as error:
        raise ValueError("not an event of this format") from error


def _encode(
    event_id: bytes,
    tag: int,
    outcome: str,
    at_us: int,
    operator_id: bytes | None,
    camera_id: bytes | None,
    actor: str,
    reason: str,
    detail: str,
) -> bytes:
    # `struct` would cut or fill an id in silence; and sixteen zero bytes are only ever written as no id at all.
    if any(len(given) != 16 or given == NO_ID for given in (event_id, operator_id, camera_id) if given is not None):
        raise ValueError("an id is sixteen bytes, not all zero")
    fixed = _FIXED.pack(
        _VERSION,
        tag,
        _OUTCOMES[outcome],
        at_us,
        event_id,
        operator_id or NO_ID,
        camera_id or NO_ID,
    )
    out = [fixed]
    for text in (actor, reason, detail):
        raw = text.encode()
        out += (len(raw).to_bytes(4, "big"), raw)
    return b"".join(out)


def bytes_of(event: Event, event_id: UUID) -> bytes:
    """Encode an event as `event_bytes` does. Raises ValueError if it holds what the audit must not."""
    return event_bytes(
        event_id.bytes,
        event.tag,
        event.outcome,
        microseconds(event.at),
        event.operator_id.bytes if event.operator_id else None,
        event.camera_id.bytes if event.camera_id else None,
        plain_text(event.actor),
        plain_text(event.reason),
        detail_text(event.detail),
    )


def leaf(encoded: bytes) -> bytes:
    """Hash one encoded event, or one operator's line of a checkpoint, into a leaf. 4."""
    return hashlib.sha256(b"\x00" + encoded).digest()


def link(previous: bytes, of_leaf: bytes) -> bytes:
    """Hash a leaf onto the chain. 4."""
    return hashlib.sha256(b"\x02" + previous + of_leaf).digest()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the Merkle tree hash of RFC 6962, 2.1, over leaves that are hashes already. 5.1."""
    if not leaves:
        return hashlib.sha256().digest()
    level = list(leaves)
    while len(level) > 1:
        # The last one of an odd level moves up as it is: the same tree as the split at a power of two.
        pairs = [
            hashlib.sha256(b"\x01" + left + right).digest()
            for left, right in zip(level[0::2], level[1::2], strict=False)
        ]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


def operators_root(leaves_of: Mapping[bytes, Sequence[bytes]]) -> bytes:
    """Return the root over one line per operator, in the order of their 16 bytes. 5.2.

    `leaves_of` maps an operator's id (`NO_ID` for the platform) to the leaves of its events, in chain order.
    """
    return merkle_root([operator_leaf(operator, leaves_of[operator]) for operator in sorted(leaves_of)])


def operator_leaf(operator: bytes, leaves: Sequence[bytes]) -> bytes:
    """Hash an operator's id, its number of events and their root into one leaf. 5.2."""
    return leaf(operator + len(leaves).to_bytes(8, "big") + merkle_root(leaves))


def by_operator(entries: Iterable[tuple[bytes, bytes]]) -> dict[bytes, list[bytes]]:
    """Group (operator, leaf) pairs by operator, keeping their order."""
    grouped: dict[bytes, list[bytes]] = {}
    for operator, of_leaf in entries:
        grouped.setdefault(operator, []).append(of_leaf)
    return grouped

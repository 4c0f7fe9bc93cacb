"""What a journal line is, and what follows what. Pure; docs/formats/custody-journal-v1.md says the same in words."""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum, unique
from types import MappingProxyType
from typing import Any, Final

LINE_LIMIT: Final = 64 * 1024
"""Bytes of one line, its newline included."""

IDS_IN_AN_ENTRY: Final = 1500
"""So many ids fit in one entry beside a few other facts."""

_IDS_IN_A_WORD: Final = 5
_LABEL: Final = b"vms-privacy custody-journal-v1\n"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_WORD: Final = re.compile(r"[A-Za-z0-9._:+/=-]{0,200}")
_MEMBERS: Final = {"at", "facts", "hash", "kind", "number", "previous"}

Fact = str | int | None


@unique
class JournalKind(StrEnum):
    """What kind of act an entry is about. `TAIL_CUT` is the journal's own: an unfinished last line was removed."""

    ERASURE = "erasure"
    HOLD = "hold"
    RESTRICTION = "restriction"
    WITHDRAWAL = "withdrawal"
    REVOCATION = "revocation"
    SHORTENING = "shortening"
    MANDATE = "mandate"
    REQUEST = "request"
    KEY_DESTROYED = "key-destroyed"
    ROOT_ROTATED = "root-rotated"
    KEYS_BACKED_UP = "keys-backed-up"
    KEYS_RESTORED = "keys-restored"
    TAIL_CUT = "tail-cut"
    RECORDING_TIMES = "recording-times"
    DATABASE_RESTORED = "database-restored"
    CAMERA_REMOVED = "camera-removed"
    OFF_BOARDING = "off-boarding"


class BadLine(ValueError):
    """A line that the journal would not have written there. The text names the fault."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry's number and hash; 0 and 64 zeros before the first entry."""

    number: int = 0
    hash: str = "0" * 64


NO_ENTRY: Final = Head()


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One act. `facts` holds ids, codes, moments and numbers, never a name, an address or free text."""

    number: int
    at: datetime
    kind: JournalKind
    facts: Mapping[str, Fact]
    previous: str
    hash: str

    @property
    def head(self) -> Head:
        """What the journal's head is while this is the last entry."""
        return Head(self.number, self.hash)


def joined(prefix: str, ids: Sequence[uuid.UUID]) -> list[dict[str, Fact]]:
    """Return ids as the facts of as few entries as hold them: words of some ids each, `prefix_0` and so on."""
    words = ["+".join(one.hex for one in ids[at : at + _IDS_IN_A_WORD]) for at in range(0, len(ids), _IDS_IN_A_WORD)]
    most = IDS_IN_AN_ENTRY // _IDS_IN_A_WORD
    shares = [words[at : at + most] for at in range(0, len(words), most)]
    return [{f"{prefix}_{number}": word for number, word in enumerate(share)} for share in shares]


def ids_in(facts: Mapping[str, Fact], prefix: str) -> list[uuid.UUID]:
    """Return the ids that `joined` wrote. Raises ValueError."""
    words = [str(word) for name, word in facts.items() if name.startswith(f"{prefix}_")]
    return [uuid.UUID(hex=one) for word in words for one in word.split("+") if one]


def bucket_keys_in(facts: Mapping[str, Fact]) -> list[uuid.UUID]:
    """Return the bucket keys that a `key-destroyed` names: many, or in older entries one. Raises ValueError."""
    older = [uuid.UUID(str(facts["bucket_key"]))] if "bucket_key" in facts else []
    return older + ids_in(facts, "bucket_keys")


def next_entry(head: Head, at: datetime, kind: JournalKind, facts: Mapping[str, Fact]) -> JournalEntry:
    """Make the entry that follows `head`. Raises ValueError for facts that have no place in a journal."""
    for name, value in facts.items():
        _refuse_fact(name, value)
    kept = {name: int(value) if isinstance(value, bool) else value for name, value in facts.items()}
    bare = _members(head.number + 1, at.astimezone(UTC), kind, kept, head.hash)
    entry = JournalEntry(head.number + 1, at.astimezone(UTC), kind, MappingProxyType(kept), head.hash, _hash(bare))
    if len(line_of(entry)) > LINE_LIMIT:
        raise ValueError("the facts do not fit in one journal line")
    return entry


def line_of(entry: JournalEntry) -> bytes:
    """Return the line of an entry, newline included. custody-journal-v1, 2."""
    bare = _members(entry.number, entry.at, entry.kind, entry.facts, entry.previous)
    return _canonical({**bare, "hash": entry.hash}) + b"\n"


def read_line(line: bytes, head: Head) -> JournalEntry:
    """Read the line that must follow `head`. Raises BadLine for anything the journal would not have written."""
    if len(line) > LINE_LIMIT or not line.endswith(b"\n"):
        raise BadLine("it is too long or has no end")
    try:
        told = json.loads(line)
        if not isinstance(told, dict) or told.keys() != _MEMBERS:
            raise BadLine("it does not have the members of an entry")
        entry = JournalEntry(
            told["number"],
            datetime.fromisoformat(told["at"]).astimezone(UTC),
            JournalKind(told["kind"]),
            MappingProxyType(dict(told["facts"])),
            told["previous"],
            told["hash"],
        )
        for name, value in entry.facts.items():
            _refuse_fact(name, value)
        if line_of(entry) != line:
            raise BadLine("it is not as the journal writes it")
        bare = _members(entry.number, entry.at, entry.kind, entry.facts, entry.previous)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        if isinstance(error, BadLine):
            raise
        raise BadLine("it cannot be read") from error
    if _hash(bare) != entry.hash:
        raise BadLine("its hash does not match its content")
    if type(entry.number) is not int or entry.number != head.number + 1:
        raise BadLine("its number is not the next one")
    if entry.previous != head.hash:
        raise BadLine("it does not follow the entry before it")
    return entry


def _refuse_fact(name: str, value: Any) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError("the name of a fact is not a short lower-case word")
    if isinstance(value, str) and not _WORD.fullmatch(value):
        raise ValueError(f"the fact {name} is not an id, a code, a moment or a number")
    if not (value is None or isinstance(value, str | int)):
        raise ValueError(f"the fact {name} is neither a word nor a whole number")


def _members(number: int, at: datetime, kind: str, facts: Mapping[str, Fact], previous: str) -> dict[str, Any]:
    moment = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {"at": moment, "facts": dict(facts), "kind": str(kind), "number": number, "previous": previous}


def _canonical(members: Mapping[str, Any]) -> bytes:
    return json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def _hash(bare: Mapping[str, Any]) -> str:
    return hashlib.sha256(_LABEL + _canonical(bare)).hexdigest()

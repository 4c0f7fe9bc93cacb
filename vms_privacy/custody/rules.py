"""What a copy says of itself, which steps a restore has, and what it can leave unsettled. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import IntEnum, StrEnum, unique
from typing import Any, Final
from uuid import UUID

FORMAT: Final = "vms-privacy-backup-v1"
MANIFEST_LIMIT: Final = 64 * 1024
MANIFEST_NAME: Final = "manifest.json"
DATABASE_NAME: Final = "database.sqlite3"
LEFT_OUT: Final = ("footage", "keyring", "journal", "anchor")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_REVISION: Final = re.compile(r"[0-9a-z_]{1,32}")


@unique
class Step(IntEnum):
    """A restore, in order; each step may be repeated, and is durable before the next.

    Up to the last but one of the first six, the present database is as it was, or there is none: a crash opens nothing.
    From `IN_PLACE` on the database itself says that it is in custody.
    """

    UNPACKED = 1
    PREPARED = 2
    JOURNALLED = 3
    ANCHOR_CUT = 4
    SET_ASIDE = 5
    IN_PLACE = 6
    RECOVERED = 7
    MARKED = 8
    ORDERED = 9
    RULED = 10
    DESTROYED = 11
    REPLAYED = 12


@unique
class Unsettled(StrEnum):
    """What the journal cannot bring back, or what somebody has to look at; stable codes."""

    GRANT_WAS_CHANGED = "grant-was-changed"
    OWNER_WAS_CHANGED = "owner-was-changed"
    KEY_LOST_WITH_DATABASE = "key-lost-with-database"
    DESTROYED_BUT_KEPT = "destroyed-but-kept-by-an-order"
    KEY_IS_MISSING = "key-is-missing"
    NOT_DESTROYED_YET = "not-destroyed-yet"
    FILES_WITHOUT_ROW = "files-without-a-row"


@dataclass(frozen=True, slots=True)
class Open:
    """One thing that a restore could not settle: what, and of which id (or how many)."""

    code: Unsettled
    subject: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a copy says of itself, before its database. The head is the journal's when the copy was begun."""

    backup_id: UUID
    installation_id: str
    made_at: datetime
    program: str
    schema: str
    journal_number: int
    journal_hash: str
    size_bytes: int
    sha256: str

    def text(self) -> bytes:
        """Return the manifest as it is written."""
        told = asdict(self) | {
            "format": FORMAT,
            "backup_id": str(self.backup_id),
            "made_at": self.made_at.astimezone(UTC).isoformat(),
            "left_out": list(LEFT_OUT),
        }
        return json.dumps(told, sort_keys=True, indent=1, ensure_ascii=True).encode() + b"\n"


def read_manifest(text: bytes) -> Manifest:
    """Read a manifest. Raises ValueError for anything that was not written here."""
    if len(text) > MANIFEST_LIMIT:
        raise ValueError("its manifest is too long")
    told = json.loads(text)
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise ValueError(f"it is not in the form {FORMAT}")
    manifest = Manifest(
        UUID(_word(told, "backup_id")),
        _word(told, "installation_id"),
        datetime.fromisoformat(_word(told, "made_at")),
        _word(told, "program"),
        _word(told, "schema"),
        _whole(told, "journal_number"),
        _word(told, "journal_hash"),
        _whole(told, "size_bytes"),
        _word(told, "sha256"),
    )
    if not (_HASH.fullmatch(manifest.journal_hash) and _HASH.fullmatch(manifest.sha256)):
        raise ValueError("a hash in its manifest is none")
    if not _REVISION.fullmatch(manifest.schema) or manifest.made_at.utcoffset() is None:
        raise ValueError("its manifest names no schema or no moment")
    if manifest.text() != text:
        raise ValueError("its manifest is not as it was written")
    return manifest


def _word(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str) or not value or len(value) > 200:
        raise ValueError(f"its manifest has no {name}")
    return value


def _whole(told: Mapping[str, Any], name: str) -> int:
    value = told.get(name)
    if type(value) is not int or value < 0:
        raise ValueError(f"its manifest has no {name}")
    return value

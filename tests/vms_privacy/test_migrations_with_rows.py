"""A database of an earlier schema, with rows in it: after the upgrade each is what it was, and is guarded as today."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.given.databases import Databases
from tests.given.tampering import plainly
from vms_privacy.db import Database
from vms_privacy.migrations import is_current, migrate

CAMERA: Final = UUID(int=1).hex
OPERATOR: Final = UUID(int=2).hex
ENTRY: Final = UUID(int=3).hex
ERASURE: Final = UUID(int=4).hex
_NOON: Final = "2030-01-15 12:00:00.000000"


def _segment(number: int, state: str, **changed: object) -> dict[str, object]:
    is_open, is_erased = state == "writing", state == "erased"
    row: dict[str, object] = {
        "id": UUID(int=100 + number).hex,
        "operator_id": OPERATOR,
        "camera_id": CAMERA,
        "consent_entry_id": ENTRY,
        "policy_version": 1,
        "state": state,
        "place": "spool" if is_open else "store",
        "blob_name": f"{number:022d}",
        "starts_us": number * 60_000_000,
        "ends_us": None if is_open else (number + 1) * 60_000_000,
        "keep_us": 3_600_000_000,
        "destroy_from_us": None if is_open else (number + 61) * 60_000_000,
        "run": "run-a",
        "epoch": 1,
        "tracks": "video",
        "chunk_size": 4096,
        "bucket_key_id": UUID(int=5).hex,
        "bucket_hour": 0,
        "wrapped_key": None if is_erased else b"wrapped",
        "salt": bytes(32),
        "last_tag": None if is_open else bytes(16),
        "size_bytes": None if is_open else 1000,
        "recovered": False,
        "erasure_id": ERASURE if state in {"erasing", "erased"} else None,
    }
    return row | changed


# In the order in which the service writes them; what the first schema had, and not what today's code knows of it.
ROWS: Final[list[tuple[str, dict[str, object]]]] = [
    (
        "consent_entry",
        {
            "id": ENTRY,
            "number": 1,
            "camera_id": CAMERA,
            "operator_id": OPERATOR,
            "actor": "person:00000000-0000-0000-0000-000000000007",
            "kind": "video-recording",
            "answer": "given",
            "from_at": _NOON,
            "until_at": None,
            "purpose": "burglary",
            "legal_basis": "consent",
            "wording_version": "0" * 64,
            "method": "api",
            "sign_confirmed_at": _NOON,
            "reason": "",
        },
    ),
    (
        "consent_head",
        {
            "camera_id": CAMERA,
            "kind": "video-recording",
            "active_entry_id": ENTRY,
            "until_us": None,
            "changed_at": _NOON,
        },
    ),
    (
        "archive_bucket",
        {
            "bucket_key_id": UUID(int=5).hex,
            "operator_id": OPERATOR,
            "camera_id": CAMERA,
            "hour": 0,
            "generation": 1,
            "made_at": _NOON,
            "replaced_at": None,
            "destroyed_at": None,
        },
    ),
    (
        "erasure",
        {
            "id": ERASURE,
            "operator_id": OPERATOR,
            "cause": "expiry",
            "actor": "worker:sweep",
            "journal_number": 7,
            "step": 2,
            "segments": 2,
            "size_bytes": 2000,
            "started_at": _NOON,
            "done_at": None,
            "attempts": 1,
            "last_failure": "store-unavailable",
            "next_attempt_at": _NOON,
        },
    ),
    ("segment", _segment(1, "erased")),
    ("segment", _segment(2, "erasing")),
    ("segment", _segment(3, "stored")),
    ("segment", _segment(4, "writing")),
    (
        "recording_gap",
        {
            "id": UUID(int=6).hex,
            "operator_id": OPERATOR,
            "camera_id": CAMERA,
            "from_us": 0,
            "until_us": 60_000_000,
            "why": "service-not-running",
        },
    ),
]


def _insert(db: Database, table: str, row: dict[str, object]) -> None:
    plainly(db, f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})", **row)


def _kept(db: Database) -> list[list[Any]]:
    with db.engine.connect() as connection:
        return [
            sorted(map(str, connection.execute(text(f"SELECT {', '.join(row)} FROM {table}")))) for table, row in ROWS
        ]


@pytest.fixture
def upgraded(databases: Databases, tmp_path: Path) -> Iterator[tuple[Database, list[list[Any]]]]:
    """A database of the first schema that was brought to today's, and what it held before."""
    db = Database(databases.empty(tmp_path, "first"))
    migrate(db.engine, "0001")
    assert not is_current(db.engine)
    for table, row in ROWS:
        _insert(db, table, row)
    before = _kept(db)
    migrate(db.engine)
    assert is_current(db.engine)
    yield db, before
    db.close()


def test_rows_of_the_first_schema_survive_the_upgrade(upgraded: tuple[Database, list[list[Any]]]) -> None:
    db, before = upgraded
    assert _kept(db) == before
    assert plainly(db, "SELECT count(*) FROM segment_ahead") == [(0,)]


def test_after_the_upgrade_a_segment_needs_an_opt_in_still(upgraded: tuple[Database, list[list[Any]]]) -> None:
    db, _ = upgraded
    plainly(db, "UPDATE segment SET state = 'stored', ends_us = 300000000 WHERE state = 'writing'")
    with pytest.raises(IntegrityError, match="no active opt-in"):
        _insert(db, "segment", _segment(7, "writing", consent_entry_id=UUID(int=9).hex))
    with pytest.raises(IntegrityError, match="no active opt-in"):
        _insert(db, "segment", _segment(7, "writing", camera_id=UUID(int=9).hex))
    _insert(db, "segment", _segment(7, "writing"))


def test_after_the_upgrade_nothing_erased_can_be_made_readable(upgraded: tuple[Database, list[list[Any]]]) -> None:
    db, _ = upgraded
    with pytest.raises(IntegrityError, match="stays destroyed"):
        plainly(db, "UPDATE segment SET wrapped_key = :wrapped WHERE state = 'erased'", wrapped=b"again")

"""What the database itself refuses, whoever asks it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from tests.given.audit import GATE, NORTH
from tests.given.clock import NOON, HandClock
from tests.given.consent import Cameras, make_ledger, opt_in
from vms_privacy.audit.rules import microseconds
from vms_privacy.consent.ledger import ConsentLedger
from vms_privacy.consent.rules import ConsentKind
from vms_privacy.consent.tables import needs_active_entry
from vms_privacy.db import Database

CAMERA = GATE.hex


@pytest.fixture
def ledger(db: Database, clock: HandClock, tmp_path: Path) -> ConsentLedger:
    cameras = Cameras()
    cameras.add(GATE, NORTH)
    return make_ledger(db, clock, tmp_path, cameras)


@pytest.fixture
def raw(db: Database, ledger: ConsentLedger, clock: HandClock) -> Iterator[sqlite3.Connection]:
    """A plain connection to a database in which the gate's video is opted in until a minute after noon."""
    with db.writing() as session:
        opt_in(ledger, session, clock, NORTH, GATE, until=NOON + timedelta(minutes=1))
    with closing(sqlite3.connect(str(db.engine.url.database), isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        yield connection


GIVEN = {
    "id": UUID(int=50).hex,
    "number": 2,
    "camera_id": CAMERA,
    "operator_id": NORTH.hex,
    "actor": "person:00000000-0000-0000-0000-000000000007",
    "kind": "video-recording",
    "answer": "given",
    "from_at": "2030-01-15 12:00:00.000000",
    "until_at": None,
    "purpose": "burglary",
    "legal_basis": "consent",
    "wording_version": "0" * 64,
    "method": "api",
    "sign_confirmed_at": "2030-01-15 11:00:00.000000",
    "reason": "",
}


def insert(raw: sqlite3.Connection, **changed: object) -> None:
    row = {**GIVEN, **changed}
    columns = ", ".join(row)
    marks = ", ".join(f":{name}" for name in row)
    raw.execute(f"INSERT INTO consent_entry ({columns}) VALUES ({marks})", row)


def test_a_whole_entry_is_taken(raw: sqlite3.Connection) -> None:
    insert(raw)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consent_entry SET purpose = 'any'",
        "UPDATE consent_entry SET until_at = NULL",
        "DELETE FROM consent_entry",
        "INSERT OR REPLACE INTO consent_entry SELECT * FROM consent_entry",
    ],
)
def test_an_entry_is_never_changed_or_deleted(raw: sqlite3.Connection, statement: str) -> None:
    before = raw.execute("SELECT * FROM consent_entry").fetchall()
    with pytest.raises(sqlite3.IntegrityError, match=r"append-only|leaves no number out"):
        raw.execute(statement)
    assert raw.execute("SELECT * FROM consent_entry").fetchall() == before


@pytest.mark.parametrize(
    "changed",
    [
        {"actor": "platform-admin:00000000-0000-0000-0000-000000000007"},
        {"actor": "worker"},
        {"method": "import"},
        {"method": "template"},
        {"method": ""},
        {"purpose": "  "},
        {"legal_basis": ""},
        {"wording_version": "v1"},
        {"sign_confirmed_at": None},
        {"sign_confirmed_at": "2030-01-15 12:00:00.000001"},
        {"until_at": "2030-01-15 12:00:00.000000"},
        {"kind": "everything"},
        {"answer": "assumed"},
        {"number": 3},
        {"number": 0},
    ],
)
def test_the_database_takes_no_entry_that_is_not_a_persons_whole_act(
    raw: sqlite3.Connection, changed: dict[str, object]
) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        insert(raw, **changed)


def test_the_database_takes_no_recorded_sound_without_recorded_pictures(raw: sqlite3.Connection) -> None:
    insert(raw, kind="recorded-audio", number=1)
    with pytest.raises(sqlite3.IntegrityError, match="needs video"):
        insert(raw, kind="recorded-audio", number=1, id=UUID(int=51).hex, camera_id=UUID(int=99).hex)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consent_head SET active_entry_id = NULL",
        f"UPDATE consent_head SET active_entry_id = '{UUID(int=50).hex}'",
        "DELETE FROM consent_head",
        "INSERT INTO consent_head SELECT hex(zeroblob(16)), kind, active_entry_id, NULL, changed_at FROM consent_head",
    ],
)
def test_the_head_says_nothing_that_no_entry_says(raw: sqlite3.Connection, statement: str) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(statement)


def test_the_head_must_follow_a_withdrawal(raw: sqlite3.Connection) -> None:
    insert(raw, answer="withdrawn", sign_confirmed_at=None)
    with pytest.raises(sqlite3.IntegrityError, match="newest"):
        raw.execute("UPDATE consent_head SET changed_at = changed_at")
    raw.execute("UPDATE consent_head SET active_entry_id = NULL")


@pytest.fixture
def recorded(raw: sqlite3.Connection) -> sqlite3.Connection:
    raw.execute(
        "CREATE TABLE recorded (camera_id CHAR(32), starts_us BIGINT, "
        "consent_entry_id CHAR(32) REFERENCES consent_entry (id))"
    )
    raw.execute(needs_active_entry("recorded"))
    return raw


def record(recorded: sqlite3.Connection, entry: str | None, camera: str = CAMERA, seconds: int = 0) -> None:
    starts_us = microseconds(NOON + timedelta(seconds=seconds))
    recorded.execute("INSERT INTO recorded VALUES (?, ?, ?)", (camera, starts_us, entry))


def active(recorded: sqlite3.Connection) -> str:
    (found,) = recorded.execute("SELECT active_entry_id FROM consent_head WHERE kind = 'video-recording'").fetchone()
    return str(found)


def test_a_recorded_row_needs_the_entry_in_force_for_its_camera(recorded: sqlite3.Connection) -> None:
    record(recorded, active(recorded))
    for entry, camera in ((None, CAMERA), (UUID(int=5).hex, CAMERA), (active(recorded), UUID(int=99).hex)):
        with pytest.raises(sqlite3.IntegrityError, match="no active opt-in"):
            record(recorded, entry, camera)


def test_a_recorded_row_begins_before_the_opt_in_ends(recorded: sqlite3.Connection) -> None:
    record(recorded, active(recorded), seconds=59)
    with pytest.raises(sqlite3.IntegrityError, match="no active opt-in"):
        record(recorded, active(recorded), seconds=60)


def test_after_a_withdrawal_no_row_is_taken_until_the_next_opt_in(
    recorded: sqlite3.Connection, ledger: ConsentLedger, db: Database, clock: HandClock
) -> None:
    old = active(recorded)
    with db.writing() as session:
        ledger.withdraw(session, "worker", NORTH, GATE, ConsentKind.VIDEO_RECORDING)
    for entry in (old, None):
        with pytest.raises(sqlite3.IntegrityError, match="no active opt-in"):
            record(recorded, entry)
    with db.writing() as session:
        opt_in(ledger, session, clock, NORTH, GATE)
    with pytest.raises(sqlite3.IntegrityError, match="no active opt-in"):
        record(recorded, old)
    record(recorded, active(recorded))


def test_an_opt_in_for_sound_alone_lets_no_picture_in(
    recorded: sqlite3.Connection, ledger: ConsentLedger, db: Database, clock: HandClock
) -> None:
    with db.writing() as session:
        ledger.withdraw(session, "worker", NORTH, GATE, ConsentKind.VIDEO_RECORDING)
        entry_id = opt_in(ledger, session, clock, NORTH, GATE, ConsentKind.LIVE_AUDIO)
    with pytest.raises(sqlite3.IntegrityError, match="no active opt-in"):
        record(recorded, entry_id.hex)

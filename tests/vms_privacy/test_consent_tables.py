"""What the database itself refuses, whoever asks it."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import BigInteger
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tests.given.audit import GATE, NORTH
from tests.given.clock import NOON, HandClock
from tests.given.consent import Cameras, make_ledger, opt_in
from tests.given.tampering import plainly, skip_unless_spoken
from vms_privacy.audit.rules import microseconds
from vms_privacy.consent.ledger import ConsentLedger
from vms_privacy.consent.rules import ConsentKind
from vms_privacy.consent.store import ConsentStore
from vms_privacy.consent.tables import needs_active_entry
from vms_privacy.db import Database
from vms_privacy.ids import SystemRandomness

CAMERA = GATE.hex
_OTHER = UUID(int=9).hex


@pytest.fixture
def ledger(db: Database, clock: HandClock, tmp_path: Path) -> ConsentLedger:
    cameras = Cameras()
    cameras.add(GATE, NORTH)
    return make_ledger(db, clock, tmp_path, cameras)


@pytest.fixture
def raw(db: Database, ledger: ConsentLedger, clock: HandClock) -> Database:
    """A database in which the gate's video is opted in until a minute after noon."""
    with db.writing() as session:
        opt_in(ledger, session, clock, NORTH, GATE, until=NOON + timedelta(minutes=1))
    return db


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


def insert(raw: Database, **changed: object) -> None:
    row = {**GIVEN, **changed}
    columns = ", ".join(row)
    marks = ", ".join(f":{name}" for name in row)
    plainly(raw, f"INSERT INTO consent_entry ({columns}) VALUES ({marks})", **row)


def test_a_whole_entry_is_taken(raw: Database) -> None:
    insert(raw)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consent_entry SET purpose = 'any'",
        "UPDATE consent_entry SET until_at = NULL",
        "DELETE FROM consent_entry",
        "TRUNCATE consent_entry CASCADE",
        "INSERT OR REPLACE INTO consent_entry SELECT * FROM consent_entry",
    ],
)
def test_an_entry_is_never_changed_or_deleted(raw: Database, statement: str) -> None:
    skip_unless_spoken(raw, statement)
    before = plainly(raw, "SELECT * FROM consent_entry")
    with pytest.raises(IntegrityError, match=r"append-only|leaves no number out"):
        plainly(raw, statement)
    assert plainly(raw, "SELECT * FROM consent_entry") == before


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
def test_the_database_takes_no_entry_that_is_not_a_persons_whole_act(raw: Database, changed: dict[str, object]) -> None:
    with pytest.raises(IntegrityError):
        insert(raw, **changed)


def test_the_database_takes_no_recorded_sound_without_recorded_pictures(raw: Database) -> None:
    insert(raw, kind="recorded-audio", number=1)
    with pytest.raises(IntegrityError, match="needs video"):
        insert(raw, kind="recorded-audio", number=1, id=UUID(int=51).hex, camera_id=UUID(int=99).hex)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consent_head SET active_entry_id = NULL",
        f"UPDATE consent_head SET active_entry_id = '{UUID(int=50).hex}'",
        "DELETE FROM consent_head",
        "TRUNCATE consent_head",
        f"INSERT INTO consent_head SELECT '{_OTHER}', kind, active_entry_id, NULL, changed_at FROM consent_head",
    ],
)
def test_the_head_says_nothing_that_no_entry_says(raw: Database, statement: str) -> None:
    skip_unless_spoken(raw, statement)
    with pytest.raises(IntegrityError):
        plainly(raw, statement)


def test_the_head_must_follow_a_withdrawal(raw: Database) -> None:
    insert(raw, answer="withdrawn", sign_confirmed_at=None)
    with pytest.raises(IntegrityError, match="newest"):
        plainly(raw, "UPDATE consent_head SET changed_at = changed_at")
    plainly(raw, "UPDATE consent_head SET active_entry_id = NULL")


class _Apart(DeclarativeBase):
    """Tables of this test alone."""


class Recorded(_Apart):
    """What another room would record."""

    __tablename__ = "recorded"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    camera_id: Mapped[UUID]
    starts_us: Mapped[int] = mapped_column(BigInteger)
    consent_entry_id: Mapped[UUID | None]


needs_active_entry(Recorded)


@pytest.fixture
def recorded(raw: Database) -> Database:
    _Apart.metadata.create_all(raw.engine)
    return raw


def record(recorded: Database, entry: UUID | None, camera: UUID = GATE, seconds: int = 0) -> None:
    starts_us = microseconds(NOON + timedelta(seconds=seconds))
    with recorded.writing() as session:
        number = SystemRandomness().uuid()
        session.add(Recorded(id=number, camera_id=camera, starts_us=starts_us, consent_entry_id=entry))


def active(recorded: Database) -> UUID:
    with recorded.reading() as session:
        found = ConsentStore().active_entry(session, GATE, ConsentKind.VIDEO_RECORDING)
    assert found is not None
    return found


def test_a_recorded_row_needs_the_entry_in_force_for_its_camera(recorded: Database) -> None:
    record(recorded, active(recorded))
    for entry, camera in ((None, GATE), (UUID(int=5), GATE), (active(recorded), UUID(int=99))):
        with pytest.raises(IntegrityError, match="no active opt-in"):
            record(recorded, entry, camera)


def test_a_recorded_row_begins_before_the_opt_in_ends(recorded: Database) -> None:
    record(recorded, active(recorded), seconds=59)
    with pytest.raises(IntegrityError, match="no active opt-in"):
        record(recorded, active(recorded), seconds=60)


def test_after_a_withdrawal_no_row_is_taken_until_the_next_opt_in(
    recorded: Database, ledger: ConsentLedger, db: Database, clock: HandClock
) -> None:
    old = active(recorded)
    with db.writing() as session:
        ledger.withdraw(session, "worker", NORTH, GATE, ConsentKind.VIDEO_RECORDING)
    for entry in (old, None):
        with pytest.raises(IntegrityError, match="no active opt-in"):
            record(recorded, entry)
    with db.writing() as session:
        opt_in(ledger, session, clock, NORTH, GATE)
    with pytest.raises(IntegrityError, match="no active opt-in"):
        record(recorded, old)
    record(recorded, active(recorded))


def test_an_opt_in_for_sound_alone_lets_no_picture_in(
    recorded: Database, ledger: ConsentLedger, db: Database, clock: HandClock
) -> None:
    with db.writing() as session:
        ledger.withdraw(session, "worker", NORTH, GATE, ConsentKind.VIDEO_RECORDING)
        entry_id = opt_in(ledger, session, clock, NORTH, GATE, ConsentKind.LIVE_AUDIO)
    with pytest.raises(IntegrityError, match="no active opt-in"):
        record(recorded, entry_id)

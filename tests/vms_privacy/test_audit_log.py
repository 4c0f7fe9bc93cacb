"""Events are written with the act or not at all, and never changed afterwards."""

from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import create_engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.given.audit import GATE, NORTH, Audit
from tests.given.clock import NOON, HandClock
from tests.given.tampering import plainly, skip_unless_spoken
from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.inserting import PlainInsert
from vms_privacy.audit.rules import moment_of
from vms_privacy.audit.tables import EVENTS, EventRow, UnsealedRow
from vms_privacy.db import Database


@pytest.fixture
def audit(db: Database, tmp_path: Path, clock: HandClock) -> Audit:
    return Audit(db, tmp_path, clock)


def count(db: Database) -> int:
    with db.reading() as session:
        return session.execute(select(func.count()).select_from(EventRow)).scalar_one()


def test_an_event_is_kept_as_it_was_noted(audit: Audit, db: Database) -> None:
    event = Event(
        Tag.TOKEN_ISSUED,
        NOON,
        f"person:{UUID(int=5)}",
        Outcome.FAILED,
        NORTH,
        GATE,
        "store-unavailable",
        {"z": 1, "a": None, "text": 'a "quoted" \\ text', "yes": True},
    )
    with db.writing() as session:
        event_id = audit.log.note(session, event)
    with db.reading() as session:
        row = session.scalars(select(EventRow)).one()
    assert (row.event_id, row.tag, row.outcome) == (event_id, 30, "failed")
    assert (row.operator_id, row.camera_id, moment_of(row.at_us)) == (NORTH, GATE, NOON)
    assert (row.actor, row.reason) == (f"person:{UUID(int=5)}", "store-unavailable")
    assert row.detail == '{"a":null,"text":"a \\"quoted\\" \\\\ text","yes":true,"z":1}'


def test_an_act_that_is_rolled_back_leaves_no_event(audit: Audit, db: Database) -> None:
    def act() -> None:
        with db.writing() as session:
            audit.log.note(session, audit.event())
            raise InterruptedError

    with pytest.raises(InterruptedError):
        act()
    assert count(db) == 0


def test_a_refusal_is_kept_although_the_act_was_rolled_back(audit: Audit, db: Database) -> None:
    with pytest.raises(InterruptedError), db.writing():
        raise InterruptedError
    audit.log.note_refusal(audit.event())
    assert count(db) == 1


def test_a_refusal_is_not_noted_while_the_write_lock_is_held(audit: Audit, db: Database) -> None:
    with db.writing(), pytest.raises(RuntimeError):
        audit.log.note_refusal(audit.event())


def test_every_event_waits_for_its_seal_from_the_same_transaction_on(audit: Audit, db: Database) -> None:
    audit.note(3)
    with db.reading() as session:
        events = session.scalars(select(EventRow.number)).all()
        waiting = session.scalars(select(UnsealedRow.number)).all()
    assert sorted(events) == sorted(waiting)
    assert len(events) == 3


@pytest.mark.parametrize(
    "event",
    [
        Event(Tag.LOGGED_IN, datetime(2030, 1, 1), "nobody"),  # noqa: DTZ001 - what must be refused
        Event(Tag.LOGGED_IN, NOON, "nobody\nperson:somebody-else"),
        Event(Tag.LOGGED_IN, NOON, "nobody", reason="x" * 201),
        Event(Tag.LOGGED_IN, NOON, "nobody", reason="\x1b[2J"),
        Event(Tag.LOGGED_IN, NOON, "nobody", detail={"Bad Key": 1}),
        Event(Tag.LOGGED_IN, NOON, "nobody", detail={"text": "two\r\nlines"}),
        Event(Tag.LOGGED_IN, NOON, "nobody", detail={"number": 2**53}),
        Event(Tag.LOGGED_IN, NOON, "nobody", detail={"fraction": 0.5}),  # type: ignore[dict-item]
    ],
)
def test_what_the_audit_must_not_hold_is_refused(audit: Audit, db: Database, event: Event) -> None:
    with pytest.raises(ValueError), db.writing() as session:
        audit.log.note(session, event)
    assert count(db) == 0


@pytest.mark.parametrize("table", ["audit_event", "audit_chain", "audit_checkpoint"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {table} SET {key} = {key}",
        "DELETE FROM {table}",
        "INSERT INTO {table} SELECT * FROM {table} WHERE true ON CONFLICT ({key}) DO UPDATE SET {key} = EXCLUDED.{key}",
        "INSERT OR REPLACE INTO {table} SELECT * FROM {table} LIMIT 1",
        "TRUNCATE {table} CASCADE",
    ],
)
def test_the_database_refuses_to_change_or_delete_what_was_noted(audit: Audit, table: str, statement: str) -> None:
    skip_unless_spoken(audit.db, statement)
    audit.grow([2])
    key = {"audit_chain": "position"}.get(table, "number")
    before = plainly(audit.db, f"SELECT * FROM {table}")
    with pytest.raises(IntegrityError, match="append-only"):
        plainly(audit.db, statement.format(table=table, key=key))
    assert plainly(audit.db, f"SELECT * FROM {table}") == before
    assert audit.verify().ok


def test_a_session_sees_its_own_note_and_others_only_after_the_commit(audit: Audit, db: Database) -> None:
    def seen(session: Session) -> int:
        return session.execute(select(func.count()).select_from(EventRow)).scalar_one()

    with db.writing() as session:
        audit.log.note(session, audit.event())
        assert seen(session) == 1
        assert count(db) == 0
    assert count(db) == 1


def test_two_events_of_the_same_moment_are_two(audit: Audit, db: Database) -> None:
    with db.writing() as session:
        first = audit.log.note(session, audit.event())
        second = audit.log.note(session, audit.event())
    assert first != second
    assert count(db) == 2


def test_events_are_noted_alike_where_the_driver_takes_values_by_name(
    db: Database, tmp_path: Path, clock: HandClock
) -> None:
    if db.engine.dialect.name != "sqlite":
        pytest.skip("psycopg takes them by name everywhere")
    by_name = create_engine(db.engine.url, paramstyle="named")
    insert = PlainInsert(EVENTS, by_name.dialect, without="number")
    audit = Audit(db, tmp_path, clock)
    row = (b"i" * 16, 14, "done", 5, None, None, "worker", "", "{}")
    with Session(by_name) as session:
        insert.into(session, [row, row])
        session.commit()
    by_name.dispose()
    audit.sealer.seal_once()
    assert audit.verify().sealed == 2

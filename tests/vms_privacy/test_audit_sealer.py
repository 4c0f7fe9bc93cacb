"""Every event gets exactly one place, in whatever order writers commit; nothing is built on a broken chain."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from tests.given.audit import Audit, Intruder
from tests.given.clock import HandClock
from vms_privacy.audit.checkpoints import parse
from vms_privacy.audit.errors import AnchorUnavailable, ChainIsBroken
from vms_privacy.audit.tables import ChainRow, CheckpointRow, EventRow, UnsealedRow
from vms_privacy.db import Database


@pytest.fixture
def audit(db: Database, tmp_path: Path, clock: HandClock) -> Audit:
    return Audit(db, tmp_path, clock)


def chain(db: Database) -> list[tuple[int, int]]:
    with db.reading() as session:
        rows = session.execute(select(ChainRow.position, ChainRow.event_number).order_by(ChainRow.position))
        return [(row.position, row.event_number) for row in rows]


def waiting(db: Database) -> int:
    with db.reading() as session:
        return session.execute(select(func.count()).select_from(UnsealedRow)).scalar_one()


def test_all_that_waits_is_sealed_batch_after_batch(audit: Audit, db: Database) -> None:
    audit.note(2500)
    assert audit.sealer.seal_once() == 2500
    assert [position for position, _ in chain(db)] == list(range(1, 2501))
    assert waiting(db) == 0
    assert audit.sealer.seal_once() == 0


def test_an_event_committed_late_under_a_lower_number_is_not_lost(audit: Audit, db: Database) -> None:
    # On PostgreSQL a transaction may take its number early and commit late. Here the number is given by hand.
    audit.note(3)
    row = "event_id, tag, outcome, at_us, actor, reason, detail"
    insert = f"INSERT INTO audit_event (number, {row}) SELECT number - 100, {row} FROM audit_event WHERE number = 1"
    audit.sealer.seal_once()
    with db.writing() as session:
        session.connection().exec_driver_sql(insert)
    audit.note(1)
    audit.sealer.seal_once()
    assert [number for _, number in chain(db)] == [1, 2, 3, -99, 4]
    audit.sealer.checkpoint_once()
    assert audit.verify().ok


def test_writers_and_a_sealer_at_the_same_time_lose_nothing(audit: Audit, db: Database) -> None:
    done = threading.Event()
    sealed: list[int] = []

    def seal() -> None:
        while not done.is_set():
            sealed.append(audit.sealer.seal_once())

    def write() -> None:
        for _ in range(25):
            audit.note(1)

    sealer = threading.Thread(target=seal)
    writers = [threading.Thread(target=write) for _ in range(4)]
    for thread in [sealer, *writers]:
        thread.start()
    for thread in writers:
        thread.join(60)
    done.set()
    sealer.join(60)
    sealed.append(audit.sealer.seal_once())
    audit.sealer.checkpoint_once()
    assert sum(sealed) == 100
    verdict = audit.verify()
    assert (verdict.ok, verdict.events, verdict.sealed) == (True, 100, 100)


def test_a_second_sealer_gets_an_error_and_makes_no_fork(audit: Audit, db: Database) -> None:
    audit.note(2)
    other = audit.new_sealer()
    with db.reading() as session:
        taken = session.execute(select(EventRow.number)).scalars().all()
    assert len(taken) == 2
    audit.sealer.seal_once()
    place = {"leaf": bytes(32), "head": bytes(32), "operator_id": None}
    with pytest.raises(IntegrityError), db.writing() as session:  # noqa: PT012 - nothing before the flush raises
        session.add(ChainRow(position=2, event_number=taken[0], **place))
        session.flush()
    audit.note(1)
    assert other.seal_once() == 1
    assert [position for position, _ in chain(db)] == [1, 2, 3]


def test_a_checkpoint_speaks_for_what_was_added_since_the_last(audit: Audit) -> None:
    audit.grow([3, 2])
    points = [line.checkpoint for line in map(parse, audit.anchor.lines()) if line]
    assert [(point.number, point.first, point.last) for point in points] == [(1, 1, 3), (2, 4, 5)]
    assert audit.sealer.checkpoint_once() is None
    assert len(list(audit.anchor.lines())) == 2


def test_a_service_that_starts_again_goes_on_where_it_stopped(audit: Audit) -> None:
    audit.grow([3])
    audit.sealer = audit.new_sealer()
    audit.grow([2])
    verdict = audit.verify()
    assert (verdict.ok, verdict.sealed, verdict.checkpoints) == (True, 5, 2)


def test_a_crash_between_anchor_and_database_is_mended_by_the_next_checkpoint(audit: Audit, db: Database) -> None:
    audit.grow([3])
    Intruder(db).run("DELETE FROM audit_checkpoint")
    assert audit.verify().ok
    assert audit.sealer.checkpoint_once() is None
    with db.reading() as session:
        copies = session.execute(select(CheckpointRow.line)).scalars().all()
    assert copies == list(audit.anchor.lines())


def test_nothing_is_sealed_on_top_of_a_rewritten_chain(audit: Audit, db: Database) -> None:
    audit.grow([3])
    Intruder(db).run("UPDATE audit_chain SET head = zeroblob(32) WHERE position = 3")
    audit.note(1)
    for sealer in (audit.sealer, audit.new_sealer()):
        with pytest.raises(ChainIsBroken):
            sealer.seal_once()
        with pytest.raises(ChainIsBroken):
            sealer.checkpoint_once()
    assert waiting(db) == 1
    assert len(list(audit.anchor.lines())) == 1


def test_nothing_is_signed_on_top_of_an_anchor_that_was_cut(audit: Audit) -> None:
    audit.grow([3, 2])
    first = next(audit.anchor.lines())
    audit.anchor_path.write_text(f"{first}\n")
    audit.note(1)
    with pytest.raises(ChainIsBroken):
        audit.new_sealer().seal_once()
    with pytest.raises(ChainIsBroken):
        audit.sealer.checkpoint_once()


def test_nothing_is_signed_on_top_of_a_foreign_line(audit: Audit) -> None:
    audit.grow([3])
    with audit.anchor_path.open("a") as file:
        file.write("audit-checkpoint-v1 2 4 4\n")
    audit.note(1)
    audit.sealer.seal_once()
    with pytest.raises(ChainIsBroken):
        audit.sealer.checkpoint_once()


def test_sealing_goes_on_while_the_anchor_is_away(audit: Audit, tmp_path: Path) -> None:
    audit.note(1)
    audit.sealer.seal_once()
    audit.anchor_path.mkdir()
    audit.note(1)
    assert audit.sealer.seal_once() == 1
    with pytest.raises(AnchorUnavailable):
        audit.sealer.checkpoint_once()
    audit.anchor_path.rmdir()
    assert audit.sealer.checkpoint_once() is not None
    assert audit.verify().ok


def test_an_event_that_the_service_would_not_have_noted_is_not_sealed(audit: Audit, db: Database) -> None:
    audit.note(2)
    Intruder(db).run("UPDATE audit_event SET operator_id = zeroblob(16) WHERE number = 1")
    with pytest.raises(ChainIsBroken):
        audit.sealer.seal_once()
    assert waiting(db) == 2

"""Outages of cameras in the audit: each once, with its reason, and nothing else."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from streams.cameras.rules import CameraState, CameraStatus
from streams.ingest.events import CameraEvents
from tests.given.clock import NOON, HandClock
from tests.given.ingesting import source
from tests.given.randomness import CountedRandomness
from vms_privacy.audit.log import AuditLog
from vms_privacy.db import Database

CAMERA = source("rtsp://eve:secret@camera.example.org/")


def test_an_outage_is_noted_once_when_it_begins_and_once_when_it_is_over(
    db: Database, clock: HandClock, randomness: CountedRandomness
) -> None:
    events = CameraEvents(db, AuditLog(db, randomness), clock)
    happening = [
        (CameraState.CONNECTING, ""),
        (CameraState.WAITING, "unreachable"),
        (CameraState.CONNECTING, "unreachable"),
        (CameraState.WAITING, "unreachable"),
        (CameraState.RUNNING, ""),
        (CameraState.RUNNING, ""),
        (CameraState.WAITING, "stalled"),
    ]
    for state, why in happening:
        events.hear(CAMERA, CameraStatus(state, NOON, why=why))
    events.close()
    with db.reading() as session:
        rows = session.execute(text("SELECT tag, reason, camera_id, detail FROM audit_event ORDER BY number")).all()
    assert [(row.tag, row.reason) for row in rows] == [(43, "unreachable"), (44, ""), (43, "stalled")]
    assert {row.camera_id for row in rows} == {CAMERA.camera_id.bytes}
    assert events.failed == 0


def test_an_outage_that_the_database_refused_is_counted_and_noted_once_it_takes_it(
    db: Database, clock: HandClock, randomness: CountedRandomness
) -> None:
    events = CameraEvents(db, AuditLog(db, randomness), clock)
    rename(db, "audit_event", "taken_away")
    events.hear(CAMERA, CameraStatus(CameraState.WAITING, NOON, why="stalled"))
    events.hear(CAMERA, CameraStatus(CameraState.RUNNING, NOON))
    with pytest.raises(DatabaseError):
        events.retry()
    assert (events.failed, events.waiting) == (2, 2)
    rename(db, "taken_away", "audit_event")
    events.retry()
    assert events.waiting == 0
    events.close()
    with db.reading() as session:
        rows = session.execute(text("SELECT tag, reason FROM audit_event ORDER BY number")).all()
    assert [(row.tag, row.reason) for row in rows] == [(43, "stalled"), (44, "")]


def test_of_more_events_than_may_wait_the_oldest_give_way_and_are_counted(
    db: Database, clock: HandClock, randomness: CountedRandomness
) -> None:
    events = CameraEvents(db, AuditLog(db, randomness), clock, most_waiting=2)
    rename(db, "audit_event", "taken_away")
    for state, why in ((CameraState.WAITING, "stalled"), (CameraState.RUNNING, ""), (CameraState.WAITING, "garbage")):
        events.hear(CAMERA, CameraStatus(state, NOON, why=why))
    with pytest.raises(DatabaseError):
        events.retry()
    assert (events.waiting, events.dropped) == (2, 1)
    rename(db, "taken_away", "audit_event")
    events.close()
    with db.reading() as session:
        reasons = session.execute(text("SELECT reason FROM audit_event ORDER BY number")).scalars().all()
    assert reasons == ["", "garbage"]


def test_events_that_cannot_be_written_at_the_end_are_told(
    db: Database, clock: HandClock, randomness: CountedRandomness
) -> None:
    events = CameraEvents(db, AuditLog(db, randomness), clock)
    rename(db, "audit_event", "taken_away")
    events.hear(CAMERA, CameraStatus(CameraState.RUNNING, NOON))
    with pytest.raises(DatabaseError):
        events.close()


def rename(db: Database, old: str, new: str) -> None:
    with db.engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")

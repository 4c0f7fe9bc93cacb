"""Outages of cameras in the audit: each once, with its reason, and nothing else."""

from sqlalchemy import text

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


def test_a_database_that_refuses_is_counted(db: Database, clock: HandClock, randomness: CountedRandomness) -> None:
    events = CameraEvents(db, AuditLog(db, randomness), clock)
    with db.writing() as session:
        session.execute(text("DROP TABLE audit_event"))
    events.hear(CAMERA, CameraStatus(CameraState.RUNNING, NOON))
    events.close()
    assert events.failed == 1

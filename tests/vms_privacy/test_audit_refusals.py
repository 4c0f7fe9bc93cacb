"""However many knock, one event a minute and code is written, and none of them is lost by a failed write."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.given.audit import Audit
from tests.given.clock import NOON, HandClock
from vms_privacy.audit.events import Tag
from vms_privacy.audit.refusals import RefusalCounter
from vms_privacy.audit.rules import moment_of
from vms_privacy.audit.tables import EventRow
from vms_privacy.db import Database

MINUTE = timedelta(minutes=1)


@pytest.fixture
def audit(db: Database, tmp_path: Path, clock: HandClock) -> Audit:
    return Audit(db, tmp_path, clock)


@pytest.fixture
def counter(audit: Audit, db: Database, clock: HandClock) -> RefusalCounter:
    return RefusalCounter(db, audit.log, clock)


def written(db: Database) -> list[tuple[datetime, int, str, int]]:
    with db.reading() as session:
        rows = session.scalars(select(EventRow).order_by(EventRow.number)).all()
    assert {(row.actor, row.outcome, row.operator_id) for row in rows} <= {("nobody", "refused", None)}
    return [(moment_of(row.at_us), row.tag, row.reason, json.loads(row.detail)["count"]) for row in rows]


def test_a_thousand_refusals_of_a_minute_are_one_event(counter: RefusalCounter, db: Database, clock: HandClock) -> None:
    for _ in range(1000):
        counter.count(Tag.TOKEN_REFUSED, "not-authenticated")
    counter.count(Tag.TOKEN_REFUSED, "token-expired")
    counter.count(Tag.LOG_IN_REFUSED, "token-expired")
    assert counter.flush_once() == 0
    clock.forward(MINUTE)
    assert counter.flush_once() == 3
    assert written(db) == [
        (NOON, Tag.LOG_IN_REFUSED, "token-expired", 1),
        (NOON, Tag.TOKEN_REFUSED, "not-authenticated", 1000),
        (NOON, Tag.TOKEN_REFUSED, "token-expired", 1),
    ]
    assert counter.flush_once() == 0


def test_minutes_are_counted_apart(counter: RefusalCounter, db: Database, clock: HandClock) -> None:
    counter.count(Tag.TOKEN_REFUSED, "not-authenticated")
    clock.forward(MINUTE)
    counter.count(Tag.TOKEN_REFUSED, "not-authenticated")
    counter.count(Tag.TOKEN_REFUSED, "not-authenticated")
    assert counter.flush_once() == 1
    assert counter.flush_all() == 1
    assert [(at, count) for at, _, _, count in written(db)] == [(NOON, 1), (NOON + MINUTE, 2)]


def test_more_codes_than_there_can_be_are_counted_together(
    counter: RefusalCounter, db: Database, clock: HandClock
) -> None:
    for number in range(500):
        counter.count(Tag.TOKEN_REFUSED, f"code-{number:03}")
    clock.forward(MINUTE)
    assert counter.flush_once() == 65
    assert sum(count for *_, count in written(db)) == 500
    assert ("other", 436) in [(code, count) for *_, code, count in written(db)]


def test_a_flood_that_cannot_be_written_does_not_fill_the_memory(
    counter: RefusalCounter, db: Database, clock: HandClock
) -> None:
    for number in range(200 * 64):
        counter.count(Tag.TOKEN_REFUSED, f"code-{number % 64:03}")
        if number % 64 == 63:
            clock.forward(MINUTE)
    events = counter.flush_once()
    assert events == 60 * 64 + 140
    assert sum(count for *_, count in written(db)) == 200 * 64


def test_what_could_not_be_written_stays_counted(
    counter: RefusalCounter, audit: Audit, db: Database, clock: HandClock
) -> None:
    counter.count(Tag.TOKEN_REFUSED, "not-authenticated")
    clock.forward(MINUTE)
    with db.writing(), pytest.raises(RuntimeError):
        counter.flush_once()
    counter.count(Tag.TOKEN_REFUSED, "not-authenticated")
    assert counter.flush_all() == 2
    assert sum(count for *_, count in written(db)) == 2

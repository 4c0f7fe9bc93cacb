"""An operator's auditor reads every event of their operator, once, and none of another."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from tests.given.audit import DOOR, GATE, NORTH, SOUTH, Audit
from tests.given.clock import NOON, HandClock
from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.reader import AuditReader, EventPage, Filter, SealedEvent
from vms_privacy.db import Database
from vms_privacy.ids import CameraId, OperatorId

READER = AuditReader()


@pytest.fixture
def audit(db: Database, tmp_path: Path, clock: HandClock) -> Audit:
    return Audit(db, tmp_path, clock)


def note(
    audit: Audit, tag: Tag, operator_id: OperatorId | None, camera_id: CameraId | None = None, reason: str = ""
) -> None:
    actor = f"person:{UUID(int=1)}"
    with audit.db.writing() as session:
        event = Event(tag, audit.clock.now(), actor, Outcome.DONE, operator_id, camera_id, reason, {"b": 1, "a": "x"})
        audit.log.note(session, event)


def page(
    audit: Audit,
    operator_id: OperatorId | None,
    wanted: Filter | None = None,
    before: int | None = None,
    limit: int = 100,
) -> EventPage:
    with audit.db.reading() as session:
        if operator_id is None:
            return READER.of_platform(session, wanted or Filter(), before, limit)
        return READER.of_operator(session, operator_id, wanted or Filter(), before, limit)


def every(audit: Audit, operator_id: OperatorId | None, wanted: Filter, limit: int) -> list[SealedEvent]:
    events: list[SealedEvent] = []
    before = None
    while True:
        found = page(audit, operator_id, wanted, before, limit)
        events += found.events
        before = found.before
        if before is None:
            return events


def test_an_event_is_read_as_it_was_noted(audit: Audit) -> None:
    note(audit, Tag.TOKEN_ISSUED, NORTH, GATE, "because")
    audit.sealer.seal_once()
    (found,) = page(audit, NORTH).events
    assert found.position == 1
    assert found.event == Event(
        Tag.TOKEN_ISSUED,
        NOON,
        f"person:{UUID(int=1)}",
        Outcome.DONE,
        NORTH,
        GATE,
        "because",
        {"a": "x", "b": 1},
    )


def test_an_operator_sees_its_own_events_and_the_platform_those_of_nobody(audit: Audit) -> None:
    audit.note(9)
    audit.sealer.seal_once()
    for whose in (NORTH, SOUTH, None):
        found = page(audit, whose)
        assert len(found.events) == 3
        assert {each.event.operator_id for each in found.events} == {whose}


def test_pages_hold_every_event_once_newest_first_while_more_arrive(audit: Audit) -> None:
    audit.note(30)
    audit.sealer.seal_once()
    first = page(audit, NORTH, limit=4)
    audit.note(30)
    audit.sealer.seal_once()
    rest: list[SealedEvent] = []
    before = first.before
    while before is not None:
        following = page(audit, NORTH, before=before, limit=4)
        rest += following.events
        before = following.before
    positions = [each.position for each in (*first.events, *rest)]
    assert positions == sorted(positions, reverse=True)
    assert len(set(positions)) == 10


def test_filters_narrow_what_is_listed(audit: Audit) -> None:
    note(audit, Tag.TOKEN_ISSUED, NORTH, GATE)
    audit.clock.forward(timedelta(minutes=1))
    note(audit, Tag.TOKEN_ISSUED, NORTH, DOOR)
    note(audit, Tag.MEDIA_OPENED, NORTH, GATE)
    audit.clock.forward(timedelta(minutes=1))
    note(audit, Tag.MEDIA_OPENED, SOUTH, GATE)
    audit.sealer.seal_once()
    minute = NOON + timedelta(minutes=1)

    def positions(wanted: Filter) -> list[int]:
        return [each.position for each in page(audit, NORTH, wanted).events]

    assert positions(Filter()) == [3, 2, 1]
    assert positions(Filter(camera_id=GATE)) == [3, 1]
    assert positions(Filter(tag=Tag.TOKEN_ISSUED)) == [2, 1]
    assert positions(Filter(without=Tag.TOKEN_ISSUED)) == [3]
    assert positions(Filter(camera_id=GATE, tag=Tag.TOKEN_ISSUED)) == [1]
    assert positions(Filter(since=minute)) == [3, 2]
    assert positions(Filter(until=minute)) == [1]


def test_a_search_for_something_rare_walks_a_bounded_way_and_goes_on_where_it_stopped(audit: Audit) -> None:
    note(audit, Tag.OPTED_IN, NORTH, GATE)
    with audit.db.writing() as session:
        for _ in range(6000):
            audit.log.note(session, Event(Tag.TOKEN_ISSUED, NOON, "worker", operator_id=NORTH))
    audit.sealer.seal_once()
    wanted = Filter(tag=Tag.OPTED_IN)
    first = page(audit, NORTH, wanted)
    assert (first.events, first.before) == ((), 1002)
    assert [each.position for each in every(audit, NORTH, wanted, 100)] == [1]


@pytest.mark.parametrize("limit", [0, 501])
def test_a_page_has_a_size_within_bounds(audit: Audit, limit: int) -> None:
    with pytest.raises(ValueError):
        page(audit, NORTH, limit=limit)

"""Doubts about the time, and who settled them, are in the audit: with their effect, or the effect does not come."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from tests.given.failing_db import FailingDatabase
from tests.given.loose_clock import LooseClock
from tests.given.randomness import CountedRandomness
from vms_privacy.audit.events import Outcome, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.audit.tables import EventRow
from vms_privacy.clock_care import ClockCare
from vms_privacy.db import Base
from vms_privacy.guarded_clock import ClockMarkUnusable, GuardedClock
from vms_privacy.time_doubt import Cause

HOUR = timedelta(hours=1)
ADMIN = "platform_admin:1"


class Place:
    """A clock, its care, and the audit that it writes to."""

    def __init__(self, folder: Path) -> None:
        self.machine = LooseClock()
        self.mark = folder / "marks" / "clock"
        self.mark.parent.mkdir()
        self.clock = GuardedClock(self.machine, self.mark)
        self.db = FailingDatabase(f"sqlite:///{folder / 'audit.db'}")
        Base.metadata.create_all(self.db.engine)
        self.care = ClockCare(self.clock, self.db, AuditLog(self.db, CountedRandomness()))

    def told(self) -> list[tuple[int, str, str]]:
        with self.db.reading() as session:
            rows = session.scalars(select(EventRow).order_by(EventRow.number))
            return [(row.tag, row.outcome, row.reason) for row in rows]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.db.close()


def test_each_doubt_is_noted_once_however_long_it_lasts(place: Place) -> None:
    place.care.round()
    place.machine.step(HOUR)
    for _ in range(3):
        place.care.round()
        place.machine.forward(timedelta(seconds=1))
    in_doubt = (Tag.CLOCK_IN_DOUBT, Outcome.FAILED, Cause.STEPPED_FORWARD)
    assert place.told() == [in_doubt]
    place.care.settle(ADMIN, "ticket-1")
    place.care.round()
    place.machine.step(HOUR)
    place.care.round()
    assert place.told() == [in_doubt, (Tag.CLOCK_SETTLED, Outcome.DONE, "ticket-1"), in_doubt]


def test_a_doubt_that_could_not_be_noted_is_noted_by_the_next_round(place: Place) -> None:
    place.machine.step(-HOUR)
    place.db.is_away = True
    with pytest.raises(OperationalError):
        place.care.round()
    place.db.is_away = False
    place.care.round()
    assert place.told() == [(Tag.CLOCK_IN_DOUBT, Outcome.FAILED, Cause.STEPPED_BACK)]


def test_nothing_is_settled_that_the_audit_does_not_hold(place: Place) -> None:
    place.machine.step(HOUR)
    safe = place.clock.for_destroying()
    place.db.is_away = True
    with pytest.raises(OperationalError):
        place.care.settle(ADMIN, "ticket-1")
    place.db.is_away = False
    assert place.clock.doubt is not None
    assert place.clock.for_destroying() == safe
    assert place.told() == []


def test_settling_that_did_not_come_about_is_said_to_have_failed(place: Place) -> None:
    place.machine.step(HOUR)
    assert place.clock.doubt is not None
    place.mark.parent.rename(place.mark.parent.with_name("elsewhere"))
    with pytest.raises(ClockMarkUnusable):
        place.care.settle(ADMIN, "ticket-1")
    assert place.clock.doubt is not None
    assert [outcome for _, outcome, _ in place.told()] == [Outcome.DONE, Outcome.FAILED]

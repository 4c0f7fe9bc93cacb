"""What footage will come to; nothing is allowed that the store has no room for, and nothing destroyed for room."""

from datetime import timedelta
from typing import Final

import pytest

from archive.errors import StoreUnavailable
from archive.forecast.rules import Basis, needs_bytes, rate_of
from archive.forecast.service import StoreOverCommitted, told_to_operators
from archive.retention.rules import DEFAULT_KEEP_FOR, Terms
from archive.retention.terms import OperatorTerms
from archive.segments.rules import State
from auth.principal import Granted, Right
from tests.given.access import Access
from tests.given.clock import NOON
from tests.given.footage import House
from vms_privacy.ids import CameraId, GrantId
from vms_privacy.recording_times.room import Change

EVERY_DAY: Final = "mon+tue+wed+thu+fri+sat+sun"
DAY: Final = timedelta(days=1)
WHY: Final = "the insurer asks for it in writing"


class Shelf:
    """A house whose store says how much it holds, and which asks for room as the service does."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.holds: int | None = None
        self.is_away = False
        self.seen, self.forecaster = house.seen, house.room
        house.capacity = self.capacity
        self.terms = OperatorTerms(house.retention, house.audit, house.journal, house.clock, house.randomness)

    def capacity(self, ours: int) -> int | None:
        if self.is_away:
            raise StoreUnavailable("the store is away")
        return None if self.holds is None else self.holds

    @property
    def camera_id(self) -> CameraId:
        return self.house.camera.camera_id

    def needs(self) -> int:
        with self.house.db.reading() as session:
            return needs_bytes(self.forecaster.forecast(session).cameras[self.camera_id])

    def promised(self) -> int:
        with self.house.db.reading() as session:
            return self.forecaster.forecast(session).room.promised_bytes

    def fill_up(self, left: int = 0) -> None:
        """Let the store hold what is promised, and so much more that `left` may be promised."""
        self.holds = -(-(self.promised() + left) * 10 // 9)

    def another_camera(self, name: str) -> CameraId:
        access = Access(self.house.db, self.house.randomness)
        return access.camera(self.house.operator_id, name).camera_id


@pytest.fixture
def shelf(house: House) -> Shelf:
    return Shelf(house)


def recorded(shelf: Shelf) -> int:
    """Record for some seconds; return the rate."""
    shelf.house.opt_in()
    shelf.house.record(8)
    with shelf.house.db.reading() as session:
        rate = rate_of(shelf.forecaster.forecast(session).cameras[shelf.camera_id])
    assert rate.basis is Basis.RECORDED
    assert rate.bytes_per_s is not None
    return rate.bytes_per_s


def test_what_footage_will_come_to_follows_from_what_was_recorded(shelf: Shelf) -> None:
    assert shelf.promised() == 0
    rate = recorded(shelf)
    [row] = shelf.house.rows()
    assert row.size_bytes is not None
    assert rate == pytest.approx(row.size_bytes / 8, rel=0.02)
    assert shelf.needs() == rate * int(DEFAULT_KEEP_FOR.total_seconds())
    shelf.house.record_at(f"{EVERY_DAY}=06:00-18:00")
    assert shelf.needs() == rate * int(DEFAULT_KEEP_FOR.total_seconds()) // 2
    shelf.house.keep_for(DAY)
    assert shelf.needs() == rate * 12 * 3600


def test_footage_that_is_kept_so_shortly_that_no_sum_is_left_is_measured_by_its_rows(shelf: Shelf) -> None:
    shelf.house.opt_in()
    shelf.house.keep_for(timedelta(seconds=10))
    shelf.house.record(8)
    shelf.house.delivery.deliver()
    shelf.house.clock.forward(timedelta(minutes=2))
    assert shelf.house.eraser.sweep().is_clean
    assert {row.state for row in shelf.house.rows()} == {State.ERASED}
    assert shelf.needs() > 0


def test_a_longer_retention_than_there_is_room_for_is_refused_with_the_figures(shelf: Shelf) -> None:
    rate = recorded(shelf)
    shelf.fill_up(left=rate * 86_400)
    with pytest.raises(StoreOverCommitted) as refused:
        shelf.house.keep_for(DEFAULT_KEEP_FOR + DAY + timedelta(minutes=5))
    assert refused.value.facts["adds_bytes"] == rate * (86_400 + 300)
    assert refused.value.facts["left_bytes"] == told_to_operators(rate * 86_400)
    with shelf.house.db.reading() as session:
        assert shelf.house.retention.current(session, shelf.camera_id).version == 0
    shelf.house.keep_for(DEFAULT_KEEP_FOR + DAY)


def test_shorter_is_never_refused_however_full_the_store_is_or_away(shelf: Shelf) -> None:
    recorded(shelf)
    shelf.holds = 0
    shelf.house.keep_for(DAY)
    shelf.is_away = True
    shelf.house.keep_for(DAY / 2)
    shelf.house.record_at(f"{EVERY_DAY}=06:00-18:00")


def test_where_the_store_does_not_tell_nothing_is_refused_and_that_is_said(shelf: Shelf) -> None:
    recorded(shelf)
    shelf.house.keep_for(300 * DAY)
    with shelf.house.db.reading() as session:
        assert shelf.forecaster.forecast(session).room.left_bytes is None
        outlook = shelf.forecaster.outlook(session, shelf.camera_id, Change(keep_for=366 * DAY))
    assert outlook.fits is None
    assert outlook.forecast_bytes is not None


def test_while_the_store_is_away_nothing_more_is_allowed(shelf: Shelf) -> None:
    recorded(shelf)
    shelf.is_away = True
    with pytest.raises(StoreUnavailable):
        shelf.house.keep_for(4 * DAY)
    with shelf.house.db.reading() as session:
        assert shelf.forecaster.forecast(session).room.left_bytes is None


def test_an_opt_in_that_there_is_no_room_for_is_refused(shelf: Shelf) -> None:
    rate = recorded(shelf)
    shelf.house.withdraw()
    other = shelf.needs()
    assert other == sum(row.size_bytes or 0 for row in shelf.house.rows()), "what is there stays counted"
    shelf.holds = rate * int(DEFAULT_KEEP_FOR.total_seconds())
    with pytest.raises(StoreOverCommitted):
        shelf.house.opt_in()
    shelf.holds = -(-shelf.holds * 10 // 9)
    shelf.house.opt_in()


def test_a_camera_that_was_never_recorded_is_judged_by_what_comes_from_it(shelf: Shelf) -> None:
    shelf.seen[shelf.camera_id] = 250_000
    shelf.holds = 250_000 * 3 * 86_400
    with pytest.raises(StoreOverCommitted) as refused:
        shelf.house.opt_in()
    assert refused.value.facts["adds_bytes"] == 250_000 * 3 * 86_400
    shelf.holds = -(-shelf.holds * 10 // 9)
    shelf.house.opt_in()


def test_a_camera_of_which_nothing_is_known_needs_a_store_with_anything_left(shelf: Shelf) -> None:
    recorded(shelf)
    shelf.fill_up()
    other = shelf.another_camera("cam-2")
    with shelf.house.db.writing() as session, pytest.raises(StoreOverCommitted) as refused:
        shelf.forecaster.refuse_if_full(session, {other: Change(opts_in=True)})
    assert "adds_bytes" not in refused.value.facts
    shelf.fill_up(left=10)
    with shelf.house.db.writing() as session:
        shelf.forecaster.refuse_if_full(session, {other: Change(opts_in=True)})


def test_wider_recording_times_than_there_is_room_for_are_refused(shelf: Shelf) -> None:
    recorded(shelf)
    shelf.house.record_at(f"{EVERY_DAY}=06:00-18:00")
    shelf.fill_up()
    with pytest.raises(StoreOverCommitted):
        shelf.house.record_at(f"{EVERY_DAY}=06:00-18:01")
    shelf.house.record_at(f"{EVERY_DAY}=18:00-06:00")


def test_a_longer_default_is_refused_for_all_cameras_that_it_reaches(shelf: Shelf) -> None:
    recorded(shelf)
    shelf.fill_up()
    house = shelf.house
    granted = Granted(house.owner, Right.RETAIN, house.operator_id, None, GrantId(house.randomness.uuid()), 1)
    longer = Terms(keep_for=4 * DAY, justification=WHY)
    with pytest.raises(StoreOverCommitted), house.db.writing() as session:
        shelf.terms.set(session, granted, longer)
    house.keep_for(DEFAULT_KEEP_FOR)
    with house.db.writing() as session:
        shelf.terms.set(session, granted, longer)


def test_an_opt_in_that_has_ended_and_a_camera_that_is_gone_promise_only_what_is_there(shelf: Shelf) -> None:
    house = shelf.house
    with house.db.writing() as session:
        house.opt_in_until(session, NOON + timedelta(minutes=1))
    house.recorder.ask_again()
    house.record(8)
    assert shelf.needs() > 1_000_000
    house.clock.forward(timedelta(minutes=2))
    assert shelf.needs() == sum(row.size_bytes or 0 for row in house.rows())


def test_a_full_store_destroys_nothing_before_its_time(shelf: Shelf) -> None:
    """P6: disk pressure never deletes early; the sweep has nothing to do with room."""
    recorded(shelf)
    shelf.house.delivery.deliver()
    shelf.holds = 0
    before = shelf.house.rows()
    with pytest.raises(StoreOverCommitted):
        shelf.house.keep_for(4 * DAY)
    shelf.house.clock.forward(2 * DAY)
    assert shelf.house.eraser.sweep().erased == []
    assert shelf.house.rows() == before


def test_operators_are_told_what_is_left_in_whole_gibibytes() -> None:
    assert told_to_operators(5 * 2**30 + 17) == 5 * 2**30
    assert told_to_operators(-1) == told_to_operators(2**30 - 1) == 0


def test_each_store_has_room_for_its_own(shelf: Shelf) -> None:
    """What one region's store has left is nothing to an operator whose footage goes to another."""
    house = shelf.house
    house.regions["kz-ala-1"] = "away"
    house.opt_in()
    house.record(2)
    shelf.fill_up()
    house.capacities["away"] = lambda ours: 10**15 + ours
    access = Access(house.db, house.randomness)
    south = access.operator("south", region="kz-ala-1")
    dock = access.camera(south, "dock").camera_id
    house.seen[dock] = 1000
    longer, opted_in = {shelf.camera_id: Change(keep_for=30 * DAY)}, {dock: Change(opts_in=True)}
    with house.db.reading() as session:
        shelf.forecaster.refuse_if_full(session, opted_in)
        with pytest.raises(StoreOverCommitted):
            shelf.forecaster.refuse_if_full(session, longer)
        assert shelf.forecaster.forecast(session, south).room.promised_bytes == 0
        assert shelf.forecaster.forecast(session, south).room.capacity_bytes == 10**15
        mine = shelf.forecaster.forecast(session, house.operator_id).room
        assert (mine.promised_bytes, mine.capacity_bytes) == (shelf.promised(), shelf.holds)

"""The sums by day say what the segments say, whatever happened to them; a dry run is exact to the segment."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from archive.orders.rules import OrderKind
from archive.recorder.standing import micros
from archive.segments import days
from archive.segments.days import DAY_US, Amount
from archive.segments.rules import Span, State
from archive.segments.tables import FootageDayRow, SegmentRow
from tests.given.footage import House
from vms_privacy.ids import CameraId

HOUR = timedelta(hours=1)
Sums = dict[tuple[int, int], Amount]


def kept_sums(house: House) -> Sums:
    with house.db.reading() as session:
        rows = session.scalars(select(FootageDayRow)).all()
    return {
        (row.day, row.keep_us): Amount(row.segments, row.size_bytes, row.recorded_us) for row in rows if row.segments
    }


def counted_sums(house: House) -> Sums:
    found: Sums = {}
    with house.db.reading() as session:
        for row in session.scalars(select(SegmentRow).where(SegmentRow.state == State.STORED)):
            assert row.destroy_from_us is not None
            assert row.ends_us is not None
            key = ((row.destroy_from_us - row.keep_us) // DAY_US, row.keep_us)
            found[key] = found.get(key, Amount()) + Amount(1, row.size_bytes or 0, row.ends_us - row.starts_us)
    return found


def expiring(house: House, keep: timedelta) -> Amount:
    with house.db.reading() as session:
        keep_us = keep // timedelta(microseconds=1)
        return days.expiring(session, house.camera.camera_id, keep_us, micros(house.clock.now()))


def test_sums_follow_segments_through_their_whole_life(house: House) -> None:
    house.opt_in()
    house.keep_for(timedelta(days=3))
    for _ in range(3):
        house.record(2)
        house.clock.forward(timedelta(hours=9))
        assert kept_sums(house) == counted_sums(house)
    house.record(2, close=False)
    assert kept_sums(house) == counted_sums(house)
    house.close()
    assert len(kept_sums(house)) > 1
    house.keep_for(timedelta(days=2))
    house.record(2)
    assert kept_sums(house) == counted_sums(house)
    house.clock.forward(timedelta(days=1, hours=20))
    assert house.eraser.sweep().erased
    assert kept_sums(house) == counted_sums(house) != {}
    house.clock.forward(timedelta(days=3))
    house.eraser.sweep()
    assert kept_sums(house) == counted_sums(house) == {}


def test_of_a_day_of_which_nothing_is_left_no_sum_stays(house: House) -> None:
    house.opt_in()
    house.record(2)
    with house.db.reading() as session:
        assert len(session.scalars(select(FootageDayRow)).all()) == 1
    house.clock.forward(timedelta(days=10))
    assert house.eraser.sweep().erased
    with house.db.reading() as session:
        assert session.scalars(select(FootageDayRow)).all() == []


def test_sums_follow_a_recovered_segment_and_one_that_ends_earlier(house: House) -> None:
    house.opt_in()
    house.record(3, close=False)
    house.revive()
    assert kept_sums(house) == counted_sums(house) != {}
    house.record(2)
    house.clock.forward(-timedelta(milliseconds=400))
    house.record(2)
    assert kept_sums(house) == counted_sums(house)


def test_a_dry_run_counts_exactly_what_the_change_then_destroys(house: House) -> None:
    house.opt_in()
    house.keep_for(timedelta(days=3))
    for _ in range(6):
        house.record(2)
        house.clock.forward(timedelta(hours=7))
    for keep in (timedelta(hours=3), timedelta(hours=20), timedelta(hours=36), timedelta(hours=50)):
        with house.db.reading() as session:
            keep_us, now_us = keep // timedelta(microseconds=1), micros(house.clock.now())
            chosen = days.is_expiring(house.camera.camera_id, keep_us, now_us)
            by_rows = session.scalar(select(func.count()).where(chosen))
        assert expiring(house, keep).segments == by_rows
    wanted = timedelta(hours=20)
    told, before = expiring(house, wanted), {row.id for row in house.rows()}
    house.keep_for(wanted)
    erased = set(house.eraser.sweep().erased)
    assert (len(erased), len(before)) == (told.segments, 6)
    assert 0 < told.segments < 6


def test_what_has_expired_already_and_is_held_is_not_counted_again(house: House) -> None:
    house.record_in_turn(2)
    house.order(OrderKind.HOLD, Span(0, 2**60))
    house.clock.forward(timedelta(minutes=10))
    assert expiring(house, timedelta(seconds=20)) == Amount()


def test_another_camera_is_not_counted(house: House) -> None:
    house.record_in_turn(2)
    with house.db.reading() as session:
        other = CameraId(house.randomness.uuid())
        assert days.in_all(session, other) == days.expiring(session, other, 1, 2**60) == Amount()
        assert days.in_all(session, house.camera.camera_id).segments == 2


@pytest.mark.parametrize("hours", [1, 23, 24, 25, 47, 48, 49])
def test_the_rims_of_a_dry_run_are_right_at_every_hour_of_the_day(house: House, hours: int) -> None:
    house.opt_in()
    house.keep_for(timedelta(days=30))
    house.record(2)
    [row] = house.rows()
    last_us = _last_us(house)
    for keep, counts in ((hours * HOUR, 1), (hours * HOUR + timedelta(microseconds=1), 0)):
        at_us = last_us + (hours * HOUR) // timedelta(microseconds=1)
        with house.db.reading() as session:
            keep_us = keep // timedelta(microseconds=1)
            assert days.expiring(session, row.camera_id, keep_us, at_us).segments == counts


def _last_us(house: House) -> int:
    with house.db.reading() as session:
        row = session.scalars(select(SegmentRow)).one()
        assert row.destroy_from_us is not None
        return row.destroy_from_us - row.keep_us

"""A check remembers what it looked at: it leaves out what was in order, goes on where it was, and hides nothing."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from archive.check import Depth, Kind, store
from archive.check.memory import EVERYTHING, How, Memory, Wish
from archive.check.service import CheckReport
from archive.check.tables import CheckLookRow, CheckTurnRow
from archive.segments.rules import State
from tests.given.checked import blob_path
from tests.given.failing_db import FailingDatabase
from tests.given.footage import House

GO_ON = Wish(How.GO_ON)
NEW_ALONE = Wish(How.NEW_ALONE)
_DAY = timedelta(days=1)


def _run(
    house: House, wish: Wish = EVERYTHING, stop_after: int | None = None, depth: Depth = Depth.SEALS
) -> CheckReport:
    asked = iter(range(10_000))

    def stop() -> bool:
        return stop_after is not None and next(asked) >= stop_after

    return house.checker(decoding=house.decoding, remembers=True).check(depth, wish, stop)


def _looked(report: CheckReport) -> tuple[int, int]:
    return report.totals.get("files_looked_at", 0), report.totals.get("files_left_out", 0)


@pytest.fixture
def five(house: House) -> House:
    """Five segments in the store; they are kept for longer than a test takes."""
    house.opt_in()
    house.keep_for(timedelta(days=60))
    for _ in range(5):
        house.record(2)
        house.clock.forward(timedelta(seconds=27))
    house.delivery.deliver()
    return house


def test_only_what_is_new_is_looked_at_since_the_last_time(five: House) -> None:
    assert _looked(_run(five)) == (5, 0)
    assert _looked(_run(five, NEW_ALONE)) == (0, 5)
    five.record(2)
    assert _looked(_run(five, NEW_ALONE)) == (1, 5)
    assert _looked(_run(five)) == (6, 0), "who asks for everything gets everything"


def test_a_first_check_finds_everything_new(five: House) -> None:
    assert _looked(_run(five, NEW_ALONE)) == (5, 0)


def test_what_was_looked_at_longer_ago_is_looked_at_again(five: House) -> None:
    _run(five)
    five.clock.forward(3 * _DAY)
    five.record(2)
    _run(five, NEW_ALONE)
    five.clock.forward(3 * _DAY)
    assert _looked(_run(five, Wish(older_than=7 * _DAY))) == (0, 6)
    assert _looked(_run(five, Wish(older_than=5 * _DAY))) == (5, 1)
    assert _looked(_run(five, Wish(older_than=5 * _DAY))) == (0, 6)


def test_what_was_looked_at_at_all_is_younger_than_any_age_that_can_be_written(five: House) -> None:
    _run(five)
    assert _looked(_run(five, Wish(older_than=timedelta.max))) == (0, 5)


def test_a_deeper_look_counts_for_a_shallower_one_and_not_the_other_way_round(five: House) -> None:
    _run(five, depth=Depth.SIZE)
    assert _looked(_run(five, NEW_ALONE, depth=Depth.OPENS)) == (5, 0)
    assert _looked(_run(five, NEW_ALONE, depth=Depth.PRESENCE)) == (0, 5)
    assert _looked(_run(five, NEW_ALONE, depth=Depth.SEALS)) == (0, 5)


def test_a_check_that_was_stopped_goes_on_where_it_was(five: House) -> None:
    stopped = _run(five, stop_after=2)
    assert (_looked(stopped), stopped.is_whole) == ((2, 0), False)
    stopped = _run(five, GO_ON, stop_after=2)
    assert (_looked(stopped), stopped.is_whole) == ((2, 2), False)
    whole = _run(five, GO_ON)
    assert (_looked(whole), whole.is_whole) == ((1, 4), True)
    assert _looked(_run(five, GO_ON)) == (5, 0), "the turn was over: the next one begins"


def test_one_turn_after_the_other_goes_through_everything_a_part_at_a_time(five: House) -> None:
    """What a nightly timer does: no night is long, and nothing is left out for ever."""
    seen = []
    for _ in range(5):
        five.clock.forward(_DAY)
        seen.append(_looked(_run(five, GO_ON, stop_after=2)))
    assert seen == [(2, 0), (2, 2), (1, 4), (2, 0), (2, 2)]


def test_several_files_at_once_are_looked_at_like_one_after_the_other(five: House) -> None:
    rows = five.rows()
    path = blob_path(five, rows[3].blob_name)
    path.write_bytes(path.read_bytes()[:-1])
    blob_path(five, rows[1].blob_name).unlink()
    report = five.checker(remembers=True, at_once=4).check()
    assert [(one.kind, one.segment_id) for one in report.findings] == [
        (Kind.LOST, rows[1].id),
        (Kind.WRONG_SIZE, rows[3].id),
    ]
    assert _looked(report) == (5, 0)
    assert _looked(_run(five, NEW_ALONE)) == (2, 3)
    stopped = five.checker(remembers=True, at_once=4).check(Depth.SEALS, EVERYTHING, lambda: True)
    assert (_looked(stopped), stopped.is_whole) == ((0, 0), False)


def test_a_new_check_does_not_go_on(five: House) -> None:
    _run(five, stop_after=2)
    assert _looked(_run(five)) == (5, 0)


def test_turns_of_different_depths_do_not_know_each_other(five: House) -> None:
    _run(five, stop_after=2)
    five.clock.forward(_DAY)
    assert _looked(_run(five, GO_ON, depth=Depth.OPENS)) == (5, 0)


class _Killed(BaseException):
    """Nothing cleans up behind a kill."""


def test_a_kill_loses_five_seconds_of_memory_and_no_more(five: House) -> None:
    def kill_at_the_fifth() -> bool:
        five.clock.forward(timedelta(seconds=2))
        looked.append(1)
        if len(looked) == 5:
            raise _Killed
        return False

    looked: list[int] = []
    with pytest.raises(_Killed):
        five.checker(remembers=True).check(Depth.SEALS, EVERYTHING, kill_at_the_fifth)
    assert _looked(_run(five, GO_ON)) == (2, 3)


def test_what_was_found_wrong_is_looked_at_every_time_until_it_is_not(five: House) -> None:
    _run(five)
    path = blob_path(five, five.rows()[0].blob_name)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert _run(five, NEW_ALONE).is_clean, "it was in order when it was last looked at"
    assert [one.kind for one in _run(five).findings] == [Kind.WRONG_SIZE]
    for wish in (NEW_ALONE, GO_ON, Wish(older_than=_DAY)):
        assert [one.kind for one in _run(five, wish).findings] == [Kind.WRONG_SIZE]
    path.write_bytes(whole)
    assert _run(five, NEW_ALONE).is_clean
    assert _looked(_run(five, NEW_ALONE)) == (0, 5)


def test_what_was_found_before_a_check_was_stopped_is_found_by_the_one_that_goes_on(five: House) -> None:
    blob_path(five, five.rows()[0].blob_name).unlink()
    assert [one.kind for one in _run(five, stop_after=2).findings] == [Kind.LOST]
    assert [one.kind for one in _run(five, GO_ON).findings] == [Kind.LOST]


def test_a_growing_file_is_never_taken_for_looked_at(house: House) -> None:
    house.opt_in()
    house.record(3, close=False)
    _run(house)
    house.close()
    assert _looked(_run(house, NEW_ALONE)) == (1, 0)


def test_time_names_and_keys_are_gone_through_whatever_the_wish(five: House) -> None:
    _run(five)
    five.keyring.create_bucket_key()
    (five.spool / "who-wrote-this").write_bytes(b"x")
    assert sorted(one.kind for one in _run(five, NEW_ALONE).findings) == [Kind.STRANGER, Kind.STRANGER_KEY]


def test_what_is_destroyed_is_forgotten_with_the_turn(house: House) -> None:
    house.opt_in()
    house.keep_for(timedelta(seconds=60))
    house.record(3)
    _run(house)
    house.clock.forward(timedelta(seconds=70))
    house.eraser.sweep()
    assert [row.state for row in house.rows()] == [State.ERASED]
    _run(house)
    with house.db.reading() as session:
        assert session.scalars(select(CheckLookRow.segment_id)).all() == []


def test_a_clock_that_was_ahead_hides_nothing(five: House) -> None:
    five.clock.forward(400 * _DAY)
    with five.db.writing() as session:
        later = five.clock.now()
        session.add_all(
            CheckLookRow(segment_id=row.id, depth=Depth.SEALS, looked_at=later + _DAY) for row in five.rows()
        )
    run = Memory(five.db, five.clock).begin(Depth.SEALS, NEW_ALONE)
    with five.db.reading() as session:
        rows = store.page(session, five.camera.camera_id, None)
    assert len(run.due(rows)) == 5


def test_the_memory_of_one_turn_is_one_row_a_file_and_one_for_itself(five: House) -> None:
    for _ in range(3):
        _run(five)
    with five.db.reading() as session:
        assert len(session.scalars(select(CheckLookRow.segment_id)).all()) == 5
        [turn] = session.scalars(select(CheckTurnRow)).all()
    assert (turn.depth, turn.ended_at is not None) == (Depth.SEALS, True)


def test_a_database_that_takes_nothing_is_a_finding_and_keeps_nobody_from_looking(
    five: House, failing_db: FailingDatabase
) -> None:
    blob_path(five, five.rows()[0].blob_name).unlink()
    failing_db.is_full = True
    findings = five.checker(remembers=True).check().findings
    assert {one.kind for one in findings} == {Kind.LOST, Kind.CANNOT_TELL}
    assert [one.name for one in findings if one.kind is Kind.CANNOT_TELL] == ["memory of what was looked at", "audit"]

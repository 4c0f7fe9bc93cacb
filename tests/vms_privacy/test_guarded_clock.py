"""The guarded clock over steps, restarts and a second opinion."""

import json
import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.given.clock import NOON
from tests.given.loose_clock import LooseClock
from vms_privacy.guarded_clock import ClockMarkUnusable, ClocksDisagree, GuardedClock, NothingToSettle, Settled
from vms_privacy.time_doubt import Cause

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def machine() -> LooseClock:
    return LooseClock()


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "clock-mark"


class OtherMachine:
    """The database's clock: right, unless it is told to be wrong or away."""

    def __init__(self, machine: LooseClock) -> None:
        self.machine = machine
        self.wrong_by = timedelta(0)
        self.away = False

    def __call__(self) -> datetime:
        if self.away:
            raise ConnectionError("the database is away")
        return self.machine.truth + self.wrong_by


def noted(_: Settled) -> None:
    """Whoever writes it down has done so."""


def test_without_doubt_the_three_times_are_the_walls(machine: LooseClock, mark: Path) -> None:
    clock = GuardedClock(machine, mark)
    machine.forward(HOUR)
    assert clock.check() is None
    assert clock.now() == clock.for_reading() == clock.for_destroying() == NOON + HOUR
    assert clock.monotonic() == machine.monotonic()


@pytest.mark.parametrize("by", [timedelta(seconds=60), timedelta(seconds=-60)])
def test_a_step_of_a_minute_is_borne(machine: LooseClock, mark: Path, by: timedelta) -> None:
    clock = GuardedClock(machine, mark)
    machine.step(by)
    assert clock.doubt is None
    assert clock.now() == NOON + by


def test_a_step_forward_is_noticed_by_the_first_question_and_destroys_nothing_early(
    machine: LooseClock, mark: Path
) -> None:
    clock = GuardedClock(machine, mark)
    machine.forward(HOUR)
    machine.step(DAY)
    assert clock.for_destroying() == NOON + HOUR
    assert clock.for_reading() == NOON + HOUR + DAY
    assert clock.now() == NOON + HOUR
    assert clock.doubt is not None
    assert (clock.doubt.cause, clock.doubt.apart) == (Cause.STEPPED_FORWARD, DAY)


def test_a_step_back_shows_nothing_longer(machine: LooseClock, mark: Path) -> None:
    clock = GuardedClock(machine, mark)
    machine.forward(HOUR)
    machine.step(-DAY)
    machine.forward(HOUR)
    assert clock.for_reading() == NOON + 2 * HOUR
    assert clock.for_destroying() == NOON + 2 * HOUR - DAY
    assert clock.now() == NOON + 2 * HOUR
    assert clock.doubt is not None
    assert clock.doubt.cause is Cause.STEPPED_BACK


def test_many_small_steps_add_up_to_a_doubt(machine: LooseClock, mark: Path) -> None:
    clock = GuardedClock(machine, mark)
    for _ in range(20):
        machine.forward(SECOND)
        machine.step(timedelta(seconds=5))
        clock.check()
    assert clock.doubt is not None
    assert clock.for_destroying() <= machine.truth + SECOND


def test_a_clock_that_is_slewed_stays_trusted_for_a_month(machine: LooseClock, mark: Path) -> None:
    clock = GuardedClock(machine, mark)
    for _ in range(30 * 24):
        machine.forward(HOUR)
        machine.step(timedelta(seconds=1.8))
        assert clock.check() is None


def test_a_doubt_is_shown_until_settled_also_when_the_clocks_agree_again(machine: LooseClock, mark: Path) -> None:
    clock = GuardedClock(machine, mark)
    machine.step(DAY)
    clock.check()
    machine.step(-DAY)
    assert clock.check() is not None
    assert clock.for_reading() == clock.for_destroying() == NOON
    settled = clock.settle("person:1", noted)
    assert (settled.actor, settled.at, settled.doubt.cause) == ("person:1", NOON, Cause.STEPPED_FORWARD)
    assert clock.check() is None


def test_settling_takes_the_machines_clock_for_right(machine: LooseClock, mark: Path) -> None:
    clock = GuardedClock(machine, mark)
    machine.step(-DAY)
    clock.check()
    clock.settle("person:1", noted)
    assert clock.now() == clock.for_reading() == clock.for_destroying() == NOON - DAY
    machine.restart(SECOND)
    again = GuardedClock(machine, mark)
    assert again.check() is None
    machine.forward(HOUR)
    assert again.check() is None


def test_who_settled_last_stays_written_outside_the_database(machine: LooseClock, mark: Path) -> None:
    clock = GuardedClock(machine, mark)
    machine.step(DAY)
    clock.settle("person:1", noted)
    machine.restart(DAY)
    GuardedClock(machine, mark).check()
    assert json.loads(mark.read_bytes())["settled_by"] == "person:1"


def test_nothing_is_settled_that_is_not_in_doubt(machine: LooseClock, mark: Path) -> None:
    with pytest.raises(NothingToSettle):
        GuardedClock(machine, mark).settle("person:1", noted)


# Restarts


def test_a_clock_behind_the_mark_at_start_is_in_doubt(machine: LooseClock, mark: Path) -> None:
    GuardedClock(machine, mark)
    machine.restart(after=HOUR)
    machine.step(-2 * HOUR)
    clock = GuardedClock(machine, mark)
    assert clock.doubt is not None
    assert clock.doubt.cause is Cause.BEFORE_THE_MARK
    assert clock.for_destroying() == NOON - HOUR
    assert clock.for_reading() == NOON


def test_an_ordinary_absence_is_no_doubt(machine: LooseClock, mark: Path) -> None:
    GuardedClock(machine, mark)
    machine.restart(after=3 * DAY)
    assert GuardedClock(machine, mark).doubt is None


def test_an_absence_longer_than_a_week_destroys_nothing_until_settled(machine: LooseClock, mark: Path) -> None:
    GuardedClock(machine, mark)
    machine.restart(after=8 * DAY)
    clock = GuardedClock(machine, mark)
    assert clock.doubt is not None
    assert clock.doubt.cause is Cause.LONG_ABSENCE
    assert clock.for_destroying() == NOON
    assert clock.now() == clock.for_reading() == NOON + 8 * DAY
    clock.settle("person:1", noted)
    assert clock.for_destroying() == NOON + 8 * DAY


def test_a_doubt_outlives_a_restart_and_a_kill(machine: LooseClock, mark: Path) -> None:
    clock = GuardedClock(machine, mark)
    machine.forward(HOUR)
    machine.step(DAY)
    clock.check()
    machine.restart(after=HOUR)
    again = GuardedClock(machine, mark)
    assert again.doubt == clock.doubt
    assert again.for_destroying() == NOON + HOUR
    assert again.for_reading() == NOON + 2 * HOUR + DAY
    machine.forward(HOUR)
    assert again.for_destroying() == NOON + 2 * HOUR


def test_small_steps_back_over_restarts_add_up(machine: LooseClock, mark: Path) -> None:
    GuardedClock(machine, mark)
    machine.restart(after=SECOND)
    machine.step(timedelta(seconds=-50))
    assert GuardedClock(machine, mark).doubt is None
    machine.restart(after=SECOND)
    machine.step(timedelta(seconds=-50))
    assert GuardedClock(machine, mark).doubt is not None


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"\xff", b'{"format": "vms-privacy-clock-mark-v1"}', b"x" * 5000]
)
def test_a_damaged_mark_does_not_start(machine: LooseClock, mark: Path, content: bytes) -> None:
    GuardedClock(machine, mark)
    mark.write_bytes(content)
    with pytest.raises(ClockMarkUnusable):
        GuardedClock(machine, mark)


def test_a_mark_without_zones_does_not_start(machine: LooseClock, mark: Path) -> None:
    GuardedClock(machine, mark)
    mark.write_bytes(mark.read_bytes().replace(b"+00:00", b""))
    with pytest.raises(ClockMarkUnusable):
        GuardedClock(machine, mark)


def test_a_mark_that_others_may_read_does_not_start(machine: LooseClock, mark: Path) -> None:
    GuardedClock(machine, mark)
    mark.chmod(0o644)
    with pytest.raises(ClockMarkUnusable):
        GuardedClock(machine, mark)


def test_a_mark_that_cannot_be_written_is_loud(machine: LooseClock, mark: Path) -> None:
    clock = GuardedClock(machine, mark)
    mark.unlink()
    mark.mkdir()
    machine.forward(HOUR)
    with pytest.raises(ClockMarkUnusable):
        clock.check()


def test_the_mark_is_written_every_five_seconds_and_at_once_for_a_doubt(machine: LooseClock, mark: Path) -> None:
    clock = GuardedClock(machine, mark)

    def saved() -> datetime:
        return datetime.fromisoformat(json.loads(mark.read_bytes())["trusted"])

    machine.forward(4 * SECOND)
    clock.check()
    assert saved() == NOON
    machine.forward(SECOND)
    clock.check()
    assert saved() == NOON + 5 * SECOND
    machine.forward(SECOND)
    machine.step(DAY)
    clock.check()
    assert json.loads(mark.read_bytes())["doubt"]["cause"] == "stepped-forward"


# The database's clock


def test_a_database_that_differs_puts_the_time_in_doubt(machine: LooseClock, mark: Path) -> None:
    other = OtherMachine(machine)
    clock = GuardedClock(machine, mark, other)
    assert clock.check() is None
    other.wrong_by = -HOUR
    doubt = clock.check()
    assert doubt is not None
    assert (doubt.cause, doubt.apart) == (Cause.DATABASE_DIFFERS, HOUR)
    assert clock.for_destroying() == NOON - HOUR
    assert clock.for_reading() == clock.now() == NOON


def test_a_machine_started_with_a_wrong_clock_is_found_by_the_database(machine: LooseClock, mark: Path) -> None:
    GuardedClock(machine, mark)
    machine.restart(after=HOUR)
    machine.step(DAY)
    clock = GuardedClock(machine, mark, OtherMachine(machine))
    clock.check()
    assert clock.for_destroying() == machine.truth
    with pytest.raises(ClocksDisagree):
        clock.settle("person:1", noted)
    machine.step(-DAY)
    clock.settle("person:1", noted)
    assert clock.check() is None


def test_while_the_database_is_away_its_last_word_goes_on_counting(machine: LooseClock, mark: Path) -> None:
    other = OtherMachine(machine)
    clock = GuardedClock(machine, mark, other)
    other.wrong_by = -HOUR
    clock.check()
    other.away = True
    machine.forward(HOUR)
    with pytest.raises(ConnectionError):
        clock.check()
    assert clock.for_destroying() == NOON
    assert datetime.fromisoformat(json.loads(mark.read_bytes())["earliest"]) == NOON


def test_many_threads_may_ask_at_once(machine: LooseClock, mark: Path) -> None:
    clock = GuardedClock(machine, mark)
    machine.step(DAY)
    seen: set[tuple[datetime, datetime]] = set()
    threads = [
        threading.Thread(target=lambda: seen.add((clock.for_destroying(), clock.for_reading()))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {(NOON, NOON + DAY)}
    assert all(moment.tzinfo is UTC for pair in seen for moment in pair)


def test_the_tests_that_the_page_names_exist() -> None:
    root = Path(__file__).parents[2]
    sources = (root / "tests" / "properties" / "test_time_doubt.py").read_text()
    named = re.findall(r"`(test_\w+)`", (root / "docs" / "design" / "time.md").read_text())
    assert len(named) == 4
    assert [name for name in named if f"def {name}(" not in sources] == []

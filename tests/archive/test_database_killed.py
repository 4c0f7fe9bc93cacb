"""PostgreSQL is killed while a camera is recorded, and comes back: at once, within a minute, or later than that."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from archive.recorder.rules import Why
from archive.recorder.standing import micros
from archive.segments.rules import State
from streams.media.packets import Fragment
from tests.given.clock import HandClock
from tests.given.databases import make_tables
from tests.given.footage import House
from tests.given.postgres import Postgres, postgres
from vms_privacy.db import Database

KEEP = timedelta(hours=1)


@pytest.fixture(scope="module")
def mortal() -> Iterator[Postgres]:
    """A server that a test may kill."""
    with postgres(keeps_commits=True) as server:
        yield server


@pytest.fixture
def home(mortal: Postgres, clock: HandClock, tmp_path: Path) -> Iterator[House]:
    """A house whose rows are on that server."""
    url = mortal.url(mortal.create())
    make_tables(url)
    db = Database(url)
    house = House(db, clock, tmp_path)
    yield house
    house.kill()
    db.close()


def _begun(house: House, seconds: float) -> list[Fragment]:
    house.opt_in()
    house.keep_for(KEEP)
    stream, fed = house.stream(seconds)
    house.recorder.begin("run-a", stream.epoch(1))
    return fed


def _until(fed: list[Fragment], seconds: float) -> list[Fragment]:
    """Take away from a stream, and return, what comes in its first seconds."""
    until_us = fed[0].captured_from_us + round(seconds * 1_000_000)
    first = [one for one in fed if one.captured_from_us < until_us]
    del fed[: len(first)]
    return first


def _times(fragments: list[Fragment]) -> list[int]:
    return [one.captured_from_us for one in fragments]


@pytest.mark.parametrize("killed_after_s", [1, 30, 58])
def test_no_packet_is_lost_when_the_server_is_killed_and_started_again_within_a_minute(
    mortal: Postgres, home: House, killed_after_s: float
) -> None:
    fed = _begun(home, 130)
    everything = _times(fed)
    home.take(_until(fed, killed_after_s))
    mortal.kill()
    home.take(_until(fed, 55))
    mortal.start()
    home.take(fed)
    home.close()
    home.recorder.tidy()
    assert home.delivery.deliver().is_clean
    assert home.shown() == everything
    assert {row.state for row in home.rows()} == {State.STORED}
    assert [gap for gap in home.gaps() if gap[2] == Why.DATABASE_REFUSED] == []
    home.clock.forward(timedelta(seconds=10))
    assert home.is_in_order


def test_a_server_that_stays_away_stops_recording_after_a_minute_and_recording_comes_back_with_it(
    mortal: Postgres, home: House
) -> None:
    fed = _begun(home, 150)
    home.take(_until(fed, 20))
    killed_us = micros(home.clock.now())
    mortal.kill()
    home.take(_until(fed, 100))
    assert home.recorder.growing() is None
    mortal.start()
    back_us = micros(home.clock.now())
    home.take(fed)
    home.close()
    home.recorder.tidy()
    shown = home.shown()
    stopped_us = max(at for at in shown if at < back_us)
    assert 59_000_000 <= stopped_us - killed_us <= 61_000_000
    [gap] = [gap for gap in home.gaps() if gap[2] == Why.DATABASE_REFUSED]
    assert abs(gap[0] - stopped_us) <= 1_000_000
    assert gap[1] is not None
    assert gap[1] - back_us <= 2_000_000, "it comes back with the next key picture"
    assert next(at for at in shown if at > back_us) == gap[1]
    home.clock.forward(timedelta(seconds=10))
    assert home.is_in_order


def test_a_service_that_dies_beside_its_server_has_lost_nothing_once_both_are_back(
    mortal: Postgres, home: House
) -> None:
    fed = _begun(home, 80)
    everything = _times(fed)
    home.take(_until(fed, 50))
    mortal.kill()
    home.take(fed)
    mortal.start()
    assert home.revive().recovered.failed == {}
    assert home.shown() == everything
    home.clock.forward(timedelta(seconds=10))
    assert home.is_in_order


def test_what_is_kept_is_destroyed_in_time_after_the_server_was_killed_in_between(
    mortal: Postgres, home: House
) -> None:
    fed = _begun(home, 80)
    home.take(_until(fed, 50))
    mortal.kill()
    home.take(fed)
    mortal.start()
    home.close()
    home.recorder.tidy()
    assert home.delivery.deliver().is_clean
    home.clock.forward(KEEP + timedelta(minutes=1))
    mortal.kill()
    mortal.start()
    assert home.eraser.sweep().is_clean
    assert {row.state for row in home.rows()} == {State.ERASED}
    assert home.keyring.bucket_keys() == frozenset()
    assert home.is_in_order

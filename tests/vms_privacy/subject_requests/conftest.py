"""A desk for every test of requests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.given.clock import HandClock
from tests.given.desk import Desk
from tests.given.footage import House
from vms_privacy.db import Database


@pytest.fixture
def desk(db: Database, clock: HandClock, tmp_path: Path) -> Iterator[Desk]:
    house = House(db, clock, tmp_path)
    yield Desk(house)
    house.kill()

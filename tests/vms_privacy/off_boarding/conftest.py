"""A house with one operator that may leave."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.given.clock import HandClock
from tests.given.footage import House
from tests.given.leaving import Leaving
from vms_privacy.db import Database


@pytest.fixture
def house(db: Database, clock: HandClock, tmp_path: Path) -> Iterator[House]:
    made = House(db, clock, tmp_path)
    yield made
    made.kill()


@pytest.fixture
def leaving(house: House) -> Leaving:
    return Leaving(house)

"""A desk for every test of requests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.given.clock import HandClock
from tests.given.databases import Databases
from tests.given.desk import Desk
from tests.given.failing_db import FailingDatabase
from tests.given.footage import House


@pytest.fixture
def failing_db(databases: Databases, tmp_path: Path) -> Iterator[FailingDatabase]:
    """A database that works until it is told not to."""
    database = FailingDatabase(databases.with_tables(tmp_path, "failing"))
    yield database
    database.close()


@pytest.fixture
def desk(failing_db: FailingDatabase, clock: HandClock, tmp_path: Path) -> Iterator[Desk]:
    house = House(failing_db, clock, tmp_path)
    yield Desk(house)
    house.kill()

"""A house for every test of the archive: one operator, one camera, all parts joined over a folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.given.clock import HandClock
from tests.given.databases import Databases
from tests.given.failing_db import FailingDatabase
from tests.given.footage import House


@pytest.fixture
def failing_db(databases: Databases, tmp_path: Path) -> Iterator[FailingDatabase]:
    """A database that works until it is told not to."""
    database = FailingDatabase(databases.with_tables(tmp_path, "failing"))
    yield database
    database.close()


@pytest.fixture
def house(failing_db: FailingDatabase, clock: HandClock, tmp_path: Path) -> Iterator[House]:
    made = House(failing_db, clock, tmp_path)
    yield made
    made.kill()

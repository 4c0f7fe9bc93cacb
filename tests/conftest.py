"""What every test may ask for: a hand clock, counted randomness, an empty database on disk."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.given.clock import HandClock
from tests.given.databases import Databases, DatabaseServer, PostgresDatabases, SqliteDatabases
from tests.given.postgres import postgres
from tests.given.randomness import CountedRandomness
from tests.given.rgw import Rgw, started
from tests.given.softhsm import SoftHsm, soft_hsm
from tests.given.tools import missing
from vms_privacy.db import Database

# Two cores are shared: a slow moment is no counterexample. A real one is printed so that it can be replayed.
settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the whole suite run on either database."""
    parser.addoption("--database", choices=("sqlite", "postgresql"), default="sqlite", help="what tests keep rows in")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run with PostgreSQL only what has a database: all else was run with SQLite."""
    if config.getoption("--database") == "sqlite":
        return
    has_none = [item for item in items if "database_server" not in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=has_none)
    items[:] = [item for item in items if item not in set(has_none)]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that `needs` a program which is not there, with its name; in CI, fail."""
    for mark in item.iter_markers("needs"):
        for program in mark.args:
            if shutil.which(program) is None:
                missing(program)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def randomness() -> CountedRandomness:
    return CountedRandomness()


@pytest.fixture(scope="session")
def database_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DatabaseServer]:
    """What makes databases of the kind that was asked for, for all tests of this process."""
    if request.config.getoption("--database") == "sqlite":
        yield SqliteDatabases(tmp_path_factory.mktemp("databases"))
    else:
        with postgres() as server:
            yield PostgresDatabases(server)


@pytest.fixture
def databases(database_server: DatabaseServer) -> Iterator[Databases]:
    """What makes databases for this test."""
    with database_server.for_one_test() as made:
        yield made


@pytest.fixture
def db(databases: Databases, tmp_path: Path) -> Iterator[Database]:
    """A real database with every table."""
    database = Database(databases.with_tables(tmp_path))
    yield database
    database.close()


@pytest.fixture(scope="session")
def rgw() -> Iterator[Rgw]:
    """A real S3 store on loopback, for all tests of this process."""
    yield from started()


@pytest.fixture(scope="session")
def softhsm() -> Iterator[SoftHsm]:
    """SoftHSM, once a process: it reads where its tokens are when it is loaded."""
    with soft_hsm() as installed:
        yield installed

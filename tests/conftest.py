"""What every test may ask for: a hand clock, counted randomness, an empty database on disk."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.given.clock import HandClock
from tests.given.randomness import CountedRandomness
from tests.given.rgw import Rgw, started
from tests.given.softhsm import SoftHsm, soft_hsm
from tests.given.tools import missing
from vms_privacy.db import Base, Database

# Two cores are shared: a slow moment is no counterexample. A real one is printed so that it can be replayed.
settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")


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


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """A real database with the tables of whatever the test module has imported."""
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    Base.metadata.create_all(database.engine)
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

"""The whole service, served once for the tests of a module."""

from collections.abc import Iterator

import pytest

from tests.given.access import Access
from tests.given.databases import DatabaseServer
from tests.given.stage import Stage
from tests.given.whole_app import WholeApp, whole_app


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, database_server: DatabaseServer) -> Iterator[WholeApp]:
    """One installation with its platform admin."""
    with whole_app(tmp_path_factory.mktemp("whole"), database_server) as served:
        Access(served.parts.db, served.parts.randomness, served.clock.now()).platform_admin("first-admin")
        yield served


@pytest.fixture
def stage(app: WholeApp) -> Stage:
    return Stage(app)

"""The room `auth`, joined on the test's own database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.given.auth_app import AuthParts
from tests.given.clock import HandClock
from tests.given.randomness import CountedRandomness
from vms_privacy.db import Database


@pytest.fixture
def auth(db: Database, clock: HandClock, randomness: CountedRandomness, tmp_path: Path) -> Iterator[AuthParts]:
    parts = AuthParts(db, clock, randomness, tmp_path)
    yield parts
    parts.journal.close()

"""One service's worth of parts for tokens, on a hand clock."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.given.clock import HandClock
from tests.given.randomness import CountedRandomness
from tests.given.tokens import TokenParts
from vms_privacy.db import Database


@pytest.fixture
def parts(db: Database, clock: HandClock, randomness: CountedRandomness, tmp_path: Path) -> Iterator[TokenParts]:
    made = TokenParts(db, clock, randomness, tmp_path)
    yield made
    made.close()

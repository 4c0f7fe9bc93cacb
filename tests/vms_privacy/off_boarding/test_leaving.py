"""An operator leaves: nothing is recorded any more, everything is listed, and what is confirmed is destroyed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from archive.segments.rules import Span, State
from tests.given.clock import HandClock
from tests.given.footage import House
from tests.given.leaving import Leaving
from vms_privacy.db import Database
from vms_privacy.off_boarding.rules import Step

_EVER = Span(0, 2**60)


@pytest.fixture
def house(db: Database, clock: HandClock, tmp_path: Path) -> Iterator[House]:
    made = House(db, clock, tmp_path)
    yield made
    made.kill()


@pytest.fixture
def leaving(house: House) -> Leaving:
    return Leaving(house)


def test_an_operator_leaves_and_nothing_of_it_is_left(house: House, leaving: Leaving) -> None:
    rows = leaving.recorded()
    leaving.begin()
    manifest = leaving.list_all()
    assert manifest.listed == len(rows) == 2
    assert house.footage.find(house.look(), _EVER)
    leaving.confirm(manifest.digest)
    assert house.footage.ranges(house.camera.camera_id, _EVER) == []
    assert leaving.carry_out() == ""
    far = leaving.how_far()
    assert far.off_boarding.step is Step.CLOSED
    assert {one.state for one in house.rows()} == {State.ERASED}
    assert house.keyring.bucket_keys() == frozenset()
    assert house.is_in_order

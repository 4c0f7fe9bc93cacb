"""A house with something of everything in it, what the check finds in it, and how to damage it."""

from datetime import timedelta
from pathlib import Path

from archive.check import Depth, Kind
from archive.segments.rules import Segment, State
from tests.given.footage import House
from tests.given.tampering import past_the_guards


def change_behind_the_back(house: House, statement: str, *values: object) -> None:
    """Change the database behind everybody's back, its own guards included."""
    with past_the_guards(house.db) as run:
        run(statement, *values)


def found(house: House, depth: Depth = Depth.SEALS) -> list[Kind]:
    return sorted({one.kind for one in house.check(depth).findings})


def blob_path(house: House, name: str) -> Path:
    return house.folder / "archive" / name[:2] / name


def furnish(house: House) -> tuple[Segment, Segment, Segment]:
    """One destroyed segment, one in the store, and one in the spool; then the camera is gone."""
    house.opt_in()
    house.keep_for(timedelta(seconds=60))
    house.record(3)
    house.clock.forward(timedelta(seconds=58))
    house.record(3)
    house.delivery.deliver()
    house.clock.forward(timedelta(seconds=2))
    house.eraser.sweep()
    house.record(3)
    erased, stored, spooled = house.rows()
    assert (erased.state, stored.state, spooled.state) == (State.ERASED, State.STORED, State.STORED)
    return erased, stored, spooled

"""A house with something of everything in it, what the check finds in it, and how to damage it."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from archive.check import Depth, Kind
from archive.segments.rules import Segment, State
from tests.given.footage import House


def change_behind_the_back(house: House, statement: str, *values: object) -> None:
    """Change the database behind everybody's back, its own guards included."""
    with closing(sqlite3.connect(house.db.engine.url.database or "", isolation_level=None)) as connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(statement, values)


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

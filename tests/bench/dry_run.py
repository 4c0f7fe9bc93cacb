"""What a shorter retention would do to millions of segments, over twenty cameras: asked of sums, exact to the segment.

Rows are copies of one real segment's row, a minute each, made by the database itself. A million of them, ten with
`--long`. The limits are those for ten.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import select

from archive.recorder.standing import micros
from archive.segments import days
from archive.segments.tables import SegmentRow
from tests.bench.outcome import Effort, Line, told, within
from tests.given.access import Access
from tests.given.clock import HandClock
from tests.given.databases import import_every_table, make_tables
from tests.given.footage import House
from tests.given.postgres import Postgres, postgres
from tests.given.tampering import past_the_guards
from vms_privacy.db import Database
from vms_privacy.ids import CameraId, SystemRandomness

CAMERAS: Final = 20
LONG_S: Final = 600.0
MOST_S: Final = {"sqlite": 2.0, "postgresql": 1.0}
WANTED: Final = timedelta(days=10)
_KEPT: Final = timedelta(days=366)
_MINUTE_US: Final = 60_000_000
_WHY: Final = "the insurer asks for it in writing"


def measure(effort: Effort) -> Iterator[Line]:
    """Measure on both databases."""
    import_every_table()
    rows = 10_000_000 if effort.long_s >= LONG_S else 1_000_000
    for kind in MOST_S:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vms-bench-")))
            server = stack.enter_context(postgres(keeps_commits=True)) if kind == "postgresql" else None
            yield from _of(kind, _database(folder, server), folder, rows, effort.rounds)


def _database(folder: Path, server: Postgres | None) -> Database:
    url = f"sqlite:///{folder / 'bench.db'}" if server is None else server.url(server.create())
    make_tables(url)
    return Database(url)


def _of(kind: str, db: Database, folder: Path, rows: int, rounds: int) -> Iterator[Line]:
    house = House(db, HandClock(), folder, SystemRandomness())
    house.opt_in()
    house.keep_for(_KEPT)
    house.record(2)
    cameras = _fill(house, kind, rows)
    house.clock.forward(timedelta(minutes=rows // CAMERAS))
    took = []
    segments = 0
    for _ in range(rounds):
        began = time.perf_counter()
        with db.reading() as session:
            found = [house.retention.preview(session, one, WANTED, _WHY) for one in cameras]
        took.append(time.perf_counter() - began)
        segments = sum(one.expires.segments for one in found)
    yield told(f"{kind}: would expire", f"{segments:,} of {rows:,}")
    yield within(f"{kind}: dry run of {CAMERAS} cameras, {rows:,} rows", statistics.median(took), MOST_S[kind], "s")
    db.close()


def _fill(house: House, kind: str, rows: int) -> list[CameraId]:
    """Add rows for many cameras, a minute each, and their sums."""
    with house.db.reading() as session:
        model = session.scalars(select(SegmentRow)).one()
    access = Access(house.db, house.randomness)
    cameras = [access.camera(house.operator_id, f"bench-{number}").camera_id for number in range(CAMERAS)]
    is_sqlite = kind == "sqlite"
    names = [column.name for column in SegmentRow.__table__.columns]
    begins = f"{micros(house.clock.now())} + (n / {CAMERAS}) * {_MINUTE_US}"
    made = {
        "id": "lower(hex(randomblob(16)))" if is_sqlite else "gen_random_uuid()",
        "blob_name": "printf('%022d', n)" if is_sqlite else "lpad(n::text, 22, '0')",
        "camera_id": _camera_of(cameras, is_sqlite=is_sqlite),
        "starts_us": begins,
        "ends_us": f"{begins} + {_MINUTE_US}",
        "destroy_from_us": f"{begins} + {_MINUTE_US} + m.keep_us",
    }
    numbers = (
        f"(WITH RECURSIVE one(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM one WHERE n < {rows}) SELECT n FROM one) AS s"
        if is_sqlite
        else f"generate_series(1::bigint, {rows}::bigint) AS s(n)"
    )
    chosen = ", ".join(made.get(name, f"m.{name}") for name in names)
    with past_the_guards(house.db) as run:
        run(f"INSERT INTO segment ({', '.join(names)}) SELECT {chosen} FROM segment AS m, {numbers} WHERE true")
    with house.db.writing() as session:
        days.stored(session, SegmentRow.id != model.id)
    if not is_sqlite:
        with past_the_guards(house.db) as run:
            run("ANALYZE segment")
    return cameras


def _camera_of(cameras: list[CameraId], *, is_sqlite: bool) -> str:
    ids = [f"'{one.hex}'" if is_sqlite else f"'{one}'::uuid" for one in cameras]
    cases = " ".join(f"WHEN {number} THEN {one}" for number, one in enumerate(ids))
    return f"CASE n % {CAMERAS} {cases} END"

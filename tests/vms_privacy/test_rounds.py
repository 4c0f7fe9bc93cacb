"""What comes round by time costs what there is to do, not what there ever was."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from tests.given.databases import DatabaseServer
from tests.given.whole_app import WholeApp, whole_app
from vms_privacy.db import Database
from vms_privacy.rounds import jobs_of

GROWING = ("segment", "recording_gap", "audit_event", "audit_chain", "erasure", "stream_token", "receipt")
"""Tables that only grow, or hold as much as an installation keeps."""
# By the state alone it would be all that is stored.
_ALL_OF_IT = re.compile(rf"SCAN ({'|'.join(GROWING)})\b(?! USING INDEX)|ix_segment_state_destroy_from_us \(state=\?\)")
_STORED_ALONE = re.compile(r"ix_segment_state_destroy_from_us \(state=\?\)")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, database_server: DatabaseServer) -> Iterator[WholeApp]:
    with whole_app(tmp_path_factory.mktemp("whole"), database_server) as served:
        yield served


@contextmanager
def asked_of(db: Database) -> Iterator[list[tuple[str, Any]]]:
    """Collect every query, with its values."""
    found: list[tuple[str, Any]] = []

    def hear(_: Connection, __: Any, statement: str, values: Any, ___: Any, many: bool) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE")):
            found.append((statement, values[0] if many else values))

    event.listen(db.engine, "before_cursor_execute", hear)
    try:
        yield found
    finally:
        event.remove(db.engine, "before_cursor_execute", hear)


def goes_through(db: Database, statement: str, values: Any) -> list[str]:
    """The steps of SQLite's plan that go through a whole table, or through all that is stored."""
    with db.engine.connect() as connection:
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    # One row from the end of an index, or the first that there is, is no walk.
    is_one = "LIMIT" in statement and "JOIN" not in statement
    found = [step for step in plan if _ALL_OF_IT.search(step)]
    return [step for step in found if not (is_one and step.startswith("SCAN")) and not _of_few(step, values)]


def _of_few(step: str, values: Any) -> bool:
    """Segments that grow, or are being destroyed, are few."""
    return bool(_STORED_ALONE.search(step)) and not {"stored", "erased"} & set(map(str, values))


def test_no_round_goes_through_a_table_that_only_grows(app: WholeApp) -> None:
    db = app.parts.db
    if db.engine.dialect.name != "sqlite":
        pytest.skip("the plans of a database without rows tell something with SQLite alone")
    walks: dict[str, list[str]] = {}
    for job in jobs_of(app.parts):
        with asked_of(db) as asked:
            job.run()
        walks[job.name] = [f"{step}: {query}" for query, values in asked for step in goes_through(db, query, values)]
        if job.name in {"seal", "sweep", "deliver", "receipts", "summaries"}:
            assert asked
    assert {name: found for name, found in walks.items() if found} == {}


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id FROM segment WHERE state = :state AND place = 'store'",
        "SELECT actor FROM audit_event JOIN audit_unsealed USING (number) ORDER BY audit_event.number LIMIT 5",
    ],
)
def test_a_walk_through_all_of_it_is_seen(app: WholeApp, query: str) -> None:
    db = app.parts.db
    if db.engine.dialect.name != "sqlite":
        pytest.skip("the plans of a database without rows tell something with SQLite alone")
    with asked_of(db) as asked, db.reading() as session:
        session.execute(text(query), {"state": "stored"} if ":state" in query else {}).all()
    assert any(goes_through(db, statement, values) for statement, values in asked)

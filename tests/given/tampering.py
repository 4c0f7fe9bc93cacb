"""Whoever reaches the database itself, past the service: guards, foreign keys and, with SQLite, checks are off."""

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from sqlalchemy import Connection, Table, insert, select, text

from archive.segments.tables import SegmentRow
from vms_privacy.db import Base, Database
from vms_privacy.ids import SegmentId

Run = Callable[..., list[tuple[Any, ...]]]
"""Takes a statement with question marks and its values; returns the rows, if there are any."""


@contextmanager
def past_the_guards(db: Database) -> Iterator[Run]:
    """Let somebody at the database; afterwards its guards stand again."""
    url = db.engine.url
    if db.engine.dialect.name == "sqlite":
        with closing(sqlite3.connect(url.database or "", isolation_level=None)) as file, _without_triggers(file):
            file.execute("PRAGMA ignore_check_constraints = ON")
            yield lambda statement, *values: file.execute(statement, values).fetchall()
    else:
        address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as server:
            server.execute("SET session_replication_role = replica")
            yield lambda statement, *values: _asked(server, statement, values)


def tamper(db: Database, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Carry out one statement past the guards."""
    with past_the_guards(db) as run:
        return run(statement, *values)


@contextmanager
def _without_triggers(file: sqlite3.Connection) -> Iterator[None]:
    triggers = file.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        file.execute(f"DROP TRIGGER {name}")
    yield
    for _, statement in triggers:
        file.execute(statement)


class NotTaken(Exception):
    """The database takes no such value, whoever asks: PostgreSQL knows types, and does not let go of its checks."""


def _asked(server: psycopg.Connection[Any], statement: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
    try:
        done = server.execute(_in_postgresql(statement).encode(), values or None)
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.DatatypeMismatch) as refusal:
        raise NotTaken(str(refusal)) from refusal
    return [] if done.description is None else done.fetchall()


def _in_postgresql(statement: str) -> str:
    """The same in its words, as far as tests say something that only SQLite knows."""
    for ours, theirs in _WORDS:
        statement = re.sub(ours, theirs, statement)
    return statement


_WORDS = (
    (r"\?", "%s"),
    (r"randomblob\((\d+)\)", r"substring(sha512('any'::bytea) FOR \1)"),
    (r"zeroblob\((\d+)\)", r"decode(repeat('00', \1), 'hex')"),
    (r"x'([0-9a-f]*)'", r"decode('\1', 'hex')"),
    (r"AS BLOB", "AS bytea"),
)


def plainly(db: Database, statement: str, **values: object) -> list[tuple[Any, ...]]:
    """Ask the database itself, guards and all, in a transaction of its own; return the rows, if there are any."""
    with db.engine.begin() as connection:
        done = connection.execute(text(statement), values)
        return [tuple(row) for row in done] if done.returns_rows else []


def skip_unless_spoken(db: Database, statement: str) -> None:
    """Skip what only the other kind of database can be asked."""
    kind = "postgresql" if "TRUNCATE" in statement else "sqlite" if "OR REPLACE" in statement else ""
    if kind not in ("", db.engine.dialect.name):
        pytest.skip(f"only {kind} has this statement")


def everything_stored(db: Database) -> bytes:
    """Everything that SQLite wrote, or every row that PostgreSQL has, with its octets as they are."""
    url = db.engine.url
    if db.engine.dialect.name == "sqlite":
        path = Path(url.database or "")
        return b"".join(one.read_bytes() for one in path.parent.glob(path.name + "*"))
    found = []
    with db.reading() as session:
        for table in Base.metadata.tables.values():
            for row in session.connection().exec_driver_sql(f"SELECT * FROM {table.name}"):
                found += [one if isinstance(one, bytes) else str(one).encode() for one in row]
    return b"\0".join(found)


def add_copies(db: Database, model: SegmentId, changes: Sequence[Mapping[str, object]]) -> None:
    """Add rows like that of a segment, each with its changes, past the guards."""
    table = cast("Table", SegmentRow.__table__)
    with db.engine.begin() as connection:
        triggers = []
        if db.engine.dialect.name == "sqlite":
            triggers = _sqlite_triggers(connection)
            for name, _ in triggers:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        found = connection.execute(select(table).where(table.c.id == model)).one()._mapping
        connection.execute(insert(table), [{**found, **change} for change in changes])
        for _, statement in triggers:
            connection.exec_driver_sql(statement)


def _sqlite_triggers(connection: Connection) -> list[tuple[str, str]]:
    rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    return [(name, statement) for name, statement in rows]

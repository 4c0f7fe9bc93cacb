"""Copies of the story's database, of one moment, beside the running service; what is done to one touches no other.

SQLite's is a file. PostgreSQL's is a second database on the same server, made by the tables' owner, who must be allowed
to make databases: with today's schema, the rows of one moment, and the counters behind them.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final, cast

from sqlalchemy import Connection, make_url, text

from vms_privacy.db import Base, Database
from vms_privacy.demo.world import World
from vms_privacy.migrations import migrate

_GUARDS_OFF: Final = "ALTER TABLE {} DISABLE TRIGGER USER"
_GUARDS_ON: Final = "ALTER TABLE {} ENABLE TRIGGER USER"
_COUNTERS: Final = text("SELECT quote_ident(sequencename), last_value FROM pg_sequences WHERE last_value IS NOT NULL")


def copy_database(world: World, name: str) -> str:
    """Copy the database under a name, over a copy of that name; return the copy's address, as of its owner.

    A copy on a server goes with the world.
    """
    settings = world.parts.settings
    if world.parts.db.engine.dialect.name == "sqlite":
        path = world.folder / f"{name}.db"
        for ending in ("", "-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        with closing(sqlite3.connect(make_url(settings.url).database or "")) as source:
            _copy_file(source, str(path))
        return f"sqlite:///{path}"
    owner = make_url(settings.owner_url)
    copied = owner.set(database=f"{owner.database}_{name.replace('-', '_')}")
    with _serving(settings.owner_url) as server:
        if copied.database not in world.copies:
            world.copies.append(str(copied.database))
            world.at_end(lambda: _drop(settings.owner_url, str(copied.database)))
        _remake(server, str(copied.database))
    address = copied.render_as_string(hide_password=False)
    with opened(address) as target, opened(settings.owner_url) as source_db:
        migrate(target.engine)
        _copy_rows(source_db, target)
    return address


@contextmanager
def opened(address: str) -> Iterator[Database]:
    """Be connected to a database for as long as the block lasts."""
    db = Database(address)
    try:
        yield db
    finally:
        db.close()


def take_guards_off(db: Database) -> None:
    """Take off everything that keeps rows as they are, as whoever owns the tables can."""
    with db.engine.begin() as connection:
        if db.engine.dialect.name == "sqlite":
            wanted = text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            for trigger in connection.scalars(wanted).all():
                connection.exec_driver_sql(f"DROP TRIGGER {trigger}")
        else:
            for table in Base.metadata.sorted_tables:
                connection.exec_driver_sql(_GUARDS_OFF.format(table.name))


def _copy_file(source: sqlite3.Connection, path: str) -> None:
    with closing(sqlite3.connect(path)) as target:
        source.backup(target)


def _copy_rows(source: Database, target: Database) -> None:
    """Copy every row and counter of one moment, in PostgreSQL's own binary form."""
    with source.reading() as session, target.engine.begin() as into:
        reading = session.connection()
        for table in Base.metadata.sorted_tables:
            into.exec_driver_sql(_GUARDS_OFF.format(table.name))
            _copy_table(reading, into, table.name)
            into.exec_driver_sql(_GUARDS_ON.format(table.name))
        for name, last in reading.execute(_COUNTERS).all():
            into.execute(text("SELECT setval(:name, :last)"), {"name": name, "last": last})


def _copy_table(source: Connection, target: Connection, table: str) -> None:
    # What a cursor of the driver can beyond the standard.
    reads, writes = (cast("Any", one.connection.cursor()) for one in (source, target))
    with (
        reads.copy(f"COPY {table} TO STDOUT (FORMAT binary)") as rows,
        writes.copy(f"COPY {table} FROM STDIN (FORMAT binary)") as taken,
    ):
        for part in rows:
            taken.write(part)


@contextmanager
def _serving(owner_url: str) -> Iterator[Connection]:
    """Speak to the server outside of any transaction, as making databases wants it."""
    with opened(owner_url) as db, db.engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


def _remake(server: Connection, database: str) -> None:
    quoted = server.dialect.identifier_preparer.quote(database)
    server.exec_driver_sql(f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE)")
    server.exec_driver_sql(f"CREATE DATABASE {quoted} TEMPLATE template0")


def _drop(owner_url: str, database: str) -> None:
    with _serving(owner_url) as server:
        quoted = server.dialect.identifier_preparer.quote(database)
        server.exec_driver_sql(f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE)")

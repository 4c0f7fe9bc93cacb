"""Databases for tests, of the kind that was asked for with `--database`: each empty, or with every table."""

import importlib
import pkgutil
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import psycopg
from psycopg import sql

from tests.given.postgres import SERVICE, Postgres
from tests.guards.sources import PACKAGES
from vms_privacy.db import Base, Database


class Addresses(NamedTuple):
    """What an installation's settings say of its database; SQLite's is where it is by default."""

    service: str | None
    owner: str | None


class Databases(Protocol):
    """Makes databases that last as long as a test; each is known by its SQLAlchemy address."""

    def empty(self, folder: Path, name: str = "empty") -> str: ...

    def with_tables(self, folder: Path, name: str = "test") -> str: ...

    def copy_of(self, db: Database, folder: Path, name: str) -> str:
        """Copy as a backup tool does: consistent, everything included."""
        ...

    def of_installation(self) -> Addresses:
        """Return with what addresses an installation takes an empty database of this kind."""
        ...


class DatabaseServer(Protocol):
    """Where databases come from, for all tests of a process."""

    def for_one_test(self) -> AbstractContextManager[Databases]: ...


class SqliteDatabases:
    """Files. One with every table is made once and copied."""

    def __init__(self, folder: Path) -> None:
        self._template = folder / "template.db"
        make_tables(f"sqlite:///{self._template}")

    @contextmanager
    def for_one_test(self) -> Iterator["SqliteDatabases"]:
        """What is made goes with the test's folder."""
        yield self

    def empty(self, folder: Path, name: str = "empty") -> str:
        return f"sqlite:///{folder / name}.db"

    def with_tables(self, folder: Path, name: str = "test") -> str:
        shutil.copyfile(self._template, folder / f"{name}.db")
        return self.empty(folder, name)

    def copy_of(self, db: Database, folder: Path, name: str) -> str:
        with (
            closing(sqlite3.connect(db.engine.url.database or "")) as source,
            closing(sqlite3.connect(folder / f"{name}.db")) as target,
        ):
            source.backup(target)
        return self.empty(folder, name)

    def of_installation(self) -> Addresses:
        return Addresses(None, None)


class PostgresDatabases:
    """Databases of one server. Making one takes longer than emptying it: one that is as it was is used again."""

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self.template = server.create()
        make_tables(server.url(self.template))
        with server.connected(self.template) as connection:
            self._tables = _tables(connection)
            self._emptied = _emptying(connection, self._tables)
        self.clean: list[str] = []

    @contextmanager
    def for_one_test(self) -> Iterator["PostgresLoans"]:
        """Empty or drop at the end what was used meanwhile."""
        loans = PostgresLoans(self)
        yield loans
        for name in loans.made:
            self.server.drop(name)
        for name in loans.full:
            if self._is_emptied(name):
                self.clean.append(name)
            else:
                self.server.drop(name)

    def _is_emptied(self, name: str) -> bool:
        """Take every row out; say whether the tables are those that were there at the beginning."""
        with self.server.connected(name) as connection:
            if _tables(connection) != self._tables:
                return False
            connection.execute(self._emptied)
        return True


class PostgresLoans:
    """What one test has of a server's databases."""

    def __init__(self, lender: PostgresDatabases) -> None:
        self._lender = lender
        self._server = lender.server
        self.made: list[str] = []
        self.full: list[str] = []

    def empty(self, folder: Path, name: str = "empty") -> str:
        self.made.append(self._server.create())
        return self._server.url(self.made[-1])

    def with_tables(self, folder: Path, name: str = "test") -> str:
        clean = self._lender.clean
        self.full.append(clean.pop() if clean else self._server.create(self._lender.template))
        return self._server.url(self.full[-1])

    def copy_of(self, db: Database, folder: Path, name: str) -> str:
        # The server copies only what nobody is connected to; whoever asks next is connected again.
        db.close()
        self.made.append(self._server.create(db.engine.url.database or ""))
        return self._server.url(self.made[-1])

    def of_installation(self) -> Addresses:
        self.made.append(self._server.create())
        return Addresses(self._server.url(self.made[-1], SERVICE), self._server.url(self.made[-1]))


def _tables(connection: psycopg.Connection) -> frozenset[str]:
    found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return frozenset(table for (table,) in found)


def _emptying(connection: psycopg.Connection, tables: Iterable[str]) -> sql.Composed:
    """All of it in one message to the server, past the guards."""
    sequences = connection.execute("SELECT sequencename FROM pg_sequences").fetchall()
    return sql.SQL("; ").join(
        [
            sql.SQL("SET session_replication_role = replica"),
            *(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)) for table in tables),
            *(sql.SQL("ALTER SEQUENCE {} RESTART").format(sql.Identifier(name)) for (name,) in sequences),
        ]
    )


def import_every_table() -> None:
    """Import the tables of every room, as the service does."""
    for room in PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(room).__path__, f"{room}."):
            if module.name.endswith(".tables"):
                importlib.import_module(module.name)


def make_tables(url: str) -> None:
    """Make every table of the code in an empty database."""
    import_every_table()
    database = Database(url)
    Base.metadata.create_all(database.engine)
    database.close()

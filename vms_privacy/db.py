"""The database door: one engine, short transactions, moments that always know their zone.

Services take a `Session` and never commit; the edge (route, worker, command) does, by leaving `writing()`.
SQLite and PostgreSQL keep the same promise: who reads sees one moment, and of those who write one is first. SQLite has
one writer by its nature; on PostgreSQL a lock of the transaction makes the others wait (decision 0031).
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from select import POLLIN, poll
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import (
    Connection,
    CursorResult,
    DateTime,
    Delete,
    Engine,
    MetaData,
    Update,
    create_engine,
    event,
    func,
    make_url,
    select,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection
from sqlalchemy.types import TypeDecorator

Result = TypeVar("Result")
Reading = Session | Connection
"""What a query may be asked through: a transaction of `reading()` or `writing()`, or a `glancing()`."""
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 5000",
    # Without it INSERT OR REPLACE deletes a row and asks no guard.
    "PRAGMA recursive_triggers = ON",
    # Hygiene, never the mechanism of erasure: the old bytes stay until a checkpoint.
    "PRAGMA secure_delete = ON",
)
# A server that is out of reach is noticed soon: recording goes on for a minute without it, and nobody may hang.
_POSTGRESQL_PATIENCE: Final[Mapping[str, int]] = MappingProxyType(
    {
        "connect_timeout": 5,
        "tcp_user_timeout": 10_000,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
    }
)
_WAIT_FOR_THE_WRITER: Final = select(func.pg_advisory_xact_lock(0x766D73))
_AFTER_COMMIT: Final = "vms.after_commit"
_MOST_GLANCES_KEPT: Final = 8


class _GlanceWords(NamedTuple):
    """How a database is told that a connection only reads, and that what follows is to be of one moment."""

    only_read: str
    begin: str
    write_again: str


_SQLITE_GLANCE: Final = _GlanceWords("PRAGMA query_only = ON", "BEGIN", "PRAGMA query_only = OFF")
_POSTGRESQL_GLANCE: Final = _GlanceWords(
    "SET default_transaction_read_only = on",
    "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "RESET default_transaction_read_only",
)


class Base(DeclarativeBase):
    """The tables of every room. A column that needs a sentence has a comment; constraints have names."""

    metadata = MetaData(naming_convention=_NAMES)


class UTCDateTime(TypeDecorator[datetime]):
    """A moment. A value without a zone is a bug, so it is refused, not guessed."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError("a moment needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """One engine; `reading()` sees a consistent picture, `writing()` is the only way to change anything.

    `glancing()` is `reading()` for a few statements that are asked all the time, at a third of the price. A connection
    of PostgreSQL that has ended since it was used last is replaced before anybody asks anything through it.
    """

    def __init__(self, url: str) -> None:
        self.engine: Engine = create_engine(url, pool_size=20, max_overflow=20, connect_args=_patience(url))
        self._is_sqlite = self.engine.dialect.name == "sqlite"
        self._for_reading = self.engine
        self._for_writing = self.engine.execution_options(writes=True)
        self._for_glancing = self.engine.execution_options(glances=True)
        if self._is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            event.listen(self.engine, "checkout", self._replace_if_ended)
            one_moment = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            self._for_reading = self.engine.execution_options(**one_moment)
            # With SQLite a statement outside of a transaction is one by itself already.
            self._for_glancing = self._for_glancing.execution_options(isolation_level="AUTOCOMMIT")
        self._glance_words = _SQLITE_GLANCE if self._is_sqlite else _POSTGRESQL_GLANCE
        self._glances: list[Connection] = []
        self._taking = threading.Lock()
        # SQLite has one writer; queueing here is fair, its own busy handler is not.
        self._one_writer = threading.Lock()
        self._inside = threading.local()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that changes nothing and is rolled back at the end."""
        with Session(self._for_reading, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def glancing(self, *, at_one_moment: bool = False) -> Iterator[Connection]:
        """A connection for what is asked many times a second; it changes nothing.

        A statement sees all that is committed as it begins; a second one may see more, unless both are asked
        `at_one_moment`. Results are taken whole inside the block.
        """
        kept = self._kept_glance()
        # Outside of the lock: who has to wait for the pool keeps nobody from a kept one that comes back.
        connection = self._new_glance() if kept is None else kept
        try:
            if at_one_moment:
                connection.exec_driver_sql(self._glance_words.begin)
            yield connection
            if at_one_moment:
                connection.exec_driver_sql("ROLLBACK")
        except BaseException:
            # Nobody knows what state it is in.
            connection.invalidate()
            connection.close()
            raise
        if len(self._glances) < _MOST_GLANCES_KEPT:
            self._glances.append(connection)
        else:
            self._end_glance(connection)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that is committed on leaving, or rolled back by an exception.

        Callbacks given to `after_commit` run once the commit is durable, in this thread. Opening a second one in
        the same thread would wait for itself, so it raises RuntimeError.
        """
        with self._turn(), Session(self._for_writing, expire_on_commit=False) as session:
            if not self._is_sqlite:
                session.execute(_WAIT_FOR_THE_WRITER)
            yield session
            session.commit()
            callbacks = callbacks_of(session)
        for callback in callbacks:
            callback()

    def _kept_glance(self) -> Connection | None:
        while True:
            with self._taking:
                if not self._glances:
                    return None
                kept = self._glances.pop()
            raw = kept.connection.dbapi_connection
            if self._is_sqlite or (raw is not None and not self._has_ended(raw)):
                return kept
            kept.invalidate()
            kept.close()

    def _replace_if_ended(self, raw: DBAPIConnection, _: ConnectionPoolEntry, __: PoolProxiedConnection) -> None:
        if self._has_ended(raw):
            raise InvalidatePoolError("the server has ended the connection")

    def _has_ended(self, raw: Any) -> bool:
        """Say whether the server has ended a connection on which nothing was asked.

        The system knows: then there is its end to be read. That look takes 2 µs. Only what has something to be read is
        asked whether it still answers, which takes 80 µs: it may have been told of something else.
        """
        if raw.closed:
            return True
        waiting = poll()
        waiting.register(raw.fileno(), POLLIN)
        if not waiting.poll(0):
            return False
        try:
            self.engine.dialect.do_ping(raw)
        except self.engine.dialect.loaded_dbapi.Error:
            return True
        return False

    def _new_glance(self) -> Connection:
        connection = self._for_glancing.connect()
        connection.exec_driver_sql(self._glance_words.only_read)
        return connection

    def _end_glance(self, connection: Connection) -> None:
        """Give a connection back to the pool as it was."""
        connection.exec_driver_sql(self._glance_words.write_again)
        connection.close()

    def refuse_inside_writing(self) -> None:
        """Raise RuntimeError if this thread holds a writing transaction, so that it never waits for itself."""
        if getattr(self._inside, "writing", False):
            raise RuntimeError("this thread already has a writing transaction open")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        self.refuse_inside_writing()
        self._inside.writing = True
        try:
            with self._one_writer if self._is_sqlite else nullcontext():
                yield
        finally:
            self._inside.writing = False

    def now(self) -> datetime:
        """Return the database's own time in UTC; the clock compares itself with it."""
        if self._is_sqlite:
            with self.engine.connect() as connection:
                text = connection.execute(select(func.strftime("%Y-%m-%dT%H:%M:%f", "now"))).scalar_one()
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        with self.engine.connect() as connection:
            moment: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return moment.astimezone(UTC)

    def close(self) -> None:
        """Give all connections back to the system."""
        while self._glances:
            self._end_glance(self._glances.pop())
        self.engine.dispose()


def _patience(url: str) -> dict[str, int]:
    """Return how long a server is waited for, but for what its address says itself."""
    address = make_url(url)
    if address.get_backend_name() != "postgresql":
        return {}
    return {name: value for name, value in _POSTGRESQL_PATIENCE.items() if name not in address.query}


def after_commit(session: Session, callback: Callable[[], None]) -> None:
    """Run `callback` once the transaction of `session` is durable; never if it is rolled back."""
    session.info.setdefault(_AFTER_COMMIT, []).append(callback)


def callbacks_of(session: Session) -> list[Callable[[], None]]:
    """Take what `after_commit` was given; whoever takes it runs it, once that is durable."""
    callbacks: list[Callable[[], None]] = session.info.pop(_AFTER_COMMIT, [])
    return callbacks


def connection_of(asked: Reading) -> Connection:
    """Return the connection itself: past the session's own machinery, which costs four times a simple query."""
    return asked.connection() if isinstance(asked, Session) else asked


def changed(session: Session, statement: Update | Delete) -> int:
    """Execute an UPDATE or DELETE and return how many rows it met."""
    result = session.execute(statement)
    if not isinstance(result, CursorResult):
        raise TypeError("only an UPDATE or DELETE counts rows")
    return result.rowcount


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # The driver's own BEGIN comes too late for IMMEDIATE: `_begin_sqlite` says it instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _SQLITE_PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("glances", False):
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes", False) else "BEGIN")

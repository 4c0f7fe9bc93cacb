"""The database door: one engine, short transactions, moments that always know their zone.

Services take a `Session` and never commit; the edge (route, worker, command) does, by leaving `writing()`.
Nothing here is SQLite only, except what `_SQLITE_PRAGMAS` says.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Generic, Protocol, Self, TypeVar

from sqlalchemy import (
    DDL,
    Connection,
    CursorResult,
    DateTime,
    Delete,
    Engine,
    MetaData,
    Table,
    Update,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator

from vms_privacy.errors import Kind, Refusal

Result = TypeVar("Result")
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
    # Hygiene, never the mechanism of erasure: the old bytes stay until a checkpoint.
    "PRAGMA secure_delete = ON",
)
_AFTER_COMMIT: Final = "vms.after_commit"
_GATHERED: Final = "vms.gathered"
_MOST_GLANCES_KEPT: Final = 8


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


def guard_table(table: Any, name: str, sqlite: str) -> None:
    """Attach a trigger to a table, so that the database itself refuses what the code must never do.

    `sqlite` is the whole CREATE TRIGGER statement. The statement is part of the schema: the migration that
    creates the table repeats it, and a test compares the two.
    """
    target: Table = table.__table__ if hasattr(table, "__table__") else table
    target.info.setdefault("guards", {})[name] = sqlite
    event.listen(target, "after_create", DDL(sqlite.replace("%", "%%")).execute_if(dialect="sqlite"))  # type: ignore[no-untyped-call]


class Database:
    """One engine; `reading()` sees a consistent picture, `writing()` is the only way to change anything.

    `glancing()` is `reading()` for a single statement, at a third of the price.
    """

    def __init__(self, url: str) -> None:
        self.engine: Engine = create_engine(url, pool_size=20, max_overflow=20)
        self._is_sqlite = self.engine.dialect.name == "sqlite"
        if self._is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._for_writing = self.engine.execution_options(writes=True)
        # With SQLite a statement outside of a transaction is one by itself already.
        no_transaction = {} if self._is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        self._for_glancing = self.engine.execution_options(glances=True, **no_transaction)
        self._glances: deque[Connection] = deque()
        # SQLite has one writer; queueing here is fair, its own busy handler is not.
        self._one_writer = threading.Lock()
        self._inside = threading.local()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that changes nothing and is rolled back at the end."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def glancing(self) -> Iterator[Connection]:
        """A connection for what is asked many times a second by one statement; it changes nothing.

        The statement sees all that is committed as it begins; a second one may see more. Its result is taken whole
        inside the block.
        """
        try:
            connection = self._glances.pop()
        except IndexError:
            connection = self._for_glancing.connect()
        try:
            yield connection
        except BaseException:
            # Nobody knows what state it is in.
            connection.close()
            raise
        if len(self._glances) < _MOST_GLANCES_KEPT:
            self._glances.append(connection)
        else:
            connection.close()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that is committed on leaving, or rolled back by an exception.

        Callbacks given to `after_commit` run once the commit is durable, in this thread. Opening a second one in
        the same thread would wait for itself, so it raises RuntimeError.
        """
        with self._turn(), Session(self._for_writing, expire_on_commit=False) as session:
            yield session
            session.commit()
            callbacks = _callbacks_of(session)
        for callback in callbacks:
            callback()

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
            self._glances.pop().close()
        self.engine.dispose()


def after_commit(session: Session, callback: Callable[[], None]) -> None:
    """Run `callback` once the transaction of `session` is durable; never if it is rolled back."""
    session.info.setdefault(_AFTER_COMMIT, []).append(callback)


def _callbacks_of(session: Session) -> list[Callable[[], None]]:
    callbacks: list[Callable[[], None]] = session.info.pop(_AFTER_COMMIT, [])
    return callbacks


class GatheredInsert(Protocol):
    """An INSERT whose rows can be gathered from many callers and go to the database in one call."""

    def insert(self, connection: Connection, rows: Sequence[Any]) -> None:
        """Insert rows, at least one."""
        ...


def insert_gathered(session: Session, statement: GatheredInsert, rows: Sequence[Any]) -> None:
    """Insert rows now, or, in a group commit, together with those of its other callers right before it."""
    gathered: dict[GatheredInsert, list[Any]] | None = session.info.get(_GATHERED)
    if gathered is None:
        statement.insert(session.connection(), rows)
    else:
        gathered.setdefault(statement, []).extend(rows)


def changed(session: Session, statement: Update | Delete) -> int:
    """Execute an UPDATE or DELETE and return how many rows it met."""
    result = session.execute(statement)
    if not isinstance(result, CursorResult):
        raise TypeError("only an UPDATE or DELETE counts rows")
    return result.rowcount


class WriteFailed(Refusal):
    """The transaction could not be committed, or too many wait already; nothing of it was kept."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "write-failed"


class _Waiting(Generic[Result]):
    """One caller's work and what came of it. `woken` is released once, when it is done or must lead."""

    __slots__ = ("callbacks", "error", "is_done", "result", "woken", "work")

    def __init__(self, work: Callable[[Session], Result]) -> None:
        self.work = work
        self.woken = threading.Lock()
        self.woken.acquire()
        self.is_done = False
        self.callbacks: list[Callable[[], None]] = []
        self.error: Exception | None = None
        self.result: Result

    def run(self, session: Session) -> None:
        self.result = self.work(session)
        session.flush()
        self.callbacks = _callbacks_of(session)

    def outcome(self) -> Result:
        if self.error is not None:
            raise self.error
        for callback in self.callbacks:
            callback()
        return self.result


class GroupCommit:
    """Many small writes in one transaction: each caller pays for its own statements, all share one flush to disk.

    Whoever comes while nobody writes leads: it runs its own piece of work and those that came meanwhile, in their
    order, commits, and hands the lead to the first of those who came since. A piece that fails takes nothing from its
    neighbours: then the batch is rolled back and run again, each piece in a savepoint of its own. So `work` may be
    called twice, by another caller's thread, and does nothing but talk to its session; what it adds by
    `insert_gathered` it does not see there.
    """

    def __init__(self, db: Database, most_waiting: int = 1000, most_at_once: int = 64) -> None:
        self._db = db
        self._most_waiting = most_waiting
        self._most_at_once = most_at_once
        self._queue: deque[_Waiting[Any]] = deque()
        self._changing = threading.Condition()
        self._is_led = False
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def waiting(self) -> int:
        """How many pieces of work wait for the next transaction."""
        return len(self._queue)

    def run(self, work: Callable[[Session], Result]) -> Result:
        """Return what `work` returns, once that is durable; what it gave to `after_commit` runs in this thread.

        Raises what `work` raises, or WriteFailed. `work` must not wait for anything: others wait behind it.
        """
        self._db.refuse_inside_writing()
        mine = _Waiting(work)
        with self._changing:
            if self._is_closed:
                raise WriteFailed("the service is stopping")
            if len(self._queue) >= self._most_waiting:
                raise WriteFailed("too many writes are waiting", retry_after=1)
            self._queue.append(mine)
            leads, self._is_led = not self._is_led, True
        if not leads:
            mine.woken.acquire()
        if not mine.is_done:
            self._lead()
        return mine.outcome()

    def close(self) -> None:
        """Take nothing new, and return when what waits is done."""
        with self._changing:
            self._is_closed = True
            self._changing.wait_for(lambda: not self._is_led)

    def _lead(self) -> None:
        """Commit the first of those who wait, the caller among them, and hand the lead on."""
        with self._changing:
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._most_at_once))]
        try:
            self._commit(batch)
        finally:
            with self._changing:
                following = self._queue[0] if self._queue else None
                self._is_led = following is not None
                self._changing.notify_all()
            for waiting in batch:
                waiting.is_done = True
                waiting.woken.release()
            if following is not None:
                following.woken.release()

    def _commit(self, batch: list[_Waiting[Any]]) -> None:
        try:
            if not self._commit_at_once(batch):
                self._commit_apart(batch)
        except BaseException as error:
            # Told to every caller whose work is lost with it; what is no failure of the work goes on up as well.
            for waiting in batch:
                waiting.error = waiting.error or _lost(error)
            if not isinstance(error, Exception):
                raise

    def _commit_at_once(self, batch: list[_Waiting[Any]]) -> bool:
        """Commit all, or, if one of them fails, nothing: savepoints cost more than most work, so they come second."""
        running = True
        try:
            with self._db.writing() as session:
                gathered: dict[GatheredInsert, list[Any]] = {}
                session.info[_GATHERED] = gathered
                for waiting in batch:
                    waiting.run(session)
                for statement, rows in gathered.items():
                    statement.insert(session.connection(), rows)
                running = False
        except Exception:
            if not running:
                raise
            return False
        return True

    def _commit_apart(self, batch: list[_Waiting[Any]]) -> None:
        with self._db.writing() as session:
            for waiting in batch:
                savepoint = session.begin_nested()
                try:
                    waiting.run(session)
                    savepoint.commit()
                except Exception as error:  # noqa: BLE001 - told to the one caller whose work it is
                    waiting.error = error
                    session.info.pop(_AFTER_COMMIT, None)
                    # Where the database ended the whole transaction by itself, this fails, and with it the batch.
                    savepoint.rollback()


def _lost(error: BaseException) -> WriteFailed:
    refusal = WriteFailed("the database could not keep this; nothing of it was written", retry_after=1)
    refusal.__cause__ = error
    return refusal


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

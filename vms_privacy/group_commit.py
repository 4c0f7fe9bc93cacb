"""Many small writes share one transaction, and with it one flush to disk (decision 0003)."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, Generic, Protocol, Self, TypeVar

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from vms_privacy.db import Database, callbacks_of
from vms_privacy.errors import Kind, Refusal

Result = TypeVar("Result")
_GATHERED: Final = "vms.gathered"


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
        self.callbacks = callbacks_of(session)

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
                    callbacks_of(session)
                    # Where the database ended the whole transaction by itself, this fails, and with it the batch.
                    savepoint.rollback()


def _lost(error: BaseException) -> WriteFailed:
    refusal = WriteFailed("the database could not keep this; nothing of it was written", retry_after=1)
    refusal.__cause__ = error
    return refusal

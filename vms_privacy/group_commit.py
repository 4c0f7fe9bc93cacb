"""Many small writes share one transaction, and with it one flush to disk (decision 0003)."""

import asyncio
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
    """One caller's work and what came of it. `woken` is released once it is over; a coroutine has `future` instead."""

    __slots__ = ("callbacks", "error", "future", "result", "woken", "work")

    def __init__(self, work: Callable[[Session], Result], future: "asyncio.Future[Result] | None" = None) -> None:
        self.work = work
        self.future = future
        self.woken = threading.Lock()
        self.woken.acquire()
        self.callbacks: list[Callable[[], None]] = []
        self.error: Exception | None = WriteFailed("the write was broken off; nothing of it was kept", retry_after=1)
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

    def settle(self) -> None:
        """Give the outcome to the coroutine that waits; one that was cancelled has its callbacks run all the same."""
        future = self.future
        if future is None:
            return
        try:
            result = self.outcome()
        except Exception as error:  # noqa: BLE001 - told to the one caller whose work it is
            if not future.done():
                future.set_exception(error)
            return
        if not future.done():
            future.set_result(result)


class GroupCommit:
    """Many small writes in one transaction: each caller pays for its own statements, all share one flush to disk.

    One thread commits: what waits, in its order, up to `most_at_once`, and then what came meanwhile. Where several came
    together the last time, it has `patience_s` for more of them; who is alone waits for nobody. A piece that fails
    takes nothing from its neighbours: then the batch is rolled back and run again, each piece in its own savepoint. So
    `work` may be called twice, in another thread, and does nothing but talk to its session; what it adds by
    `insert_gathered` it does not see there.
    """

    def __init__(
        self, db: Database, most_waiting: int = 1000, most_at_once: int = 64, patience_s: float = 0.003
    ) -> None:
        self._db = db
        self._most_waiting = most_waiting
        self._most_at_once = most_at_once
        self._queue: deque[_Waiting[Any]] = deque()
        self._changing = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._patience_s = patience_s
        self._in_company = False
        self.untold = 0

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
        self._enter(mine)
        mine.woken.acquire()
        return mine.outcome()

    async def submit(self, work: Callable[[Session], Result]) -> Result:
        """Do as `run` without a thread that waits; what `work` gave to `after_commit` runs in the event loop."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._enter(_Waiting(work, future))
        return await future

    def close(self) -> None:
        """Take nothing new, and return when what waits is done."""
        with self._changing:
            self._is_closed = True
            self._changing.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _enter(self, mine: _Waiting[Any]) -> None:
        with self._changing:
            if self._is_closed:
                raise WriteFailed("the service is stopping")
            if len(self._queue) >= self._most_waiting:
                raise WriteFailed("too many writes are waiting", retry_after=1)
            self._queue.append(mine)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._keep_committing, name="group-commit", daemon=True)
                self._thread.start()
            if len(self._queue) == 1:
                # Who comes after it is found with it.
                self._changing.notify()

    def _keep_committing(self) -> None:
        while batch := self._next():
            try:
                self._commit(batch)
            finally:
                self._tell(batch)

    def _next(self) -> list[_Waiting[Any]]:
        """Wait for work and return it; none once this is closed."""
        with self._changing:
            self._changing.wait_for(lambda: self._queue or self._is_closed)
            if self._in_company:
                self._changing.wait_for(lambda: self._is_closed, self._patience_s)
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._most_at_once))]
            self._in_company = len(batch) > 1
            return batch

    def _tell(self, batch: list[_Waiting[Any]]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[_Waiting[Any]]] = {}
        for waiting in batch:
            if waiting.future is None:
                waiting.woken.release()
            else:
                by_loop.setdefault(waiting.future.get_loop(), []).append(waiting)
        for loop, theirs in by_loop.items():
            try:
                loop.call_soon_threadsafe(_settle, theirs)
            except RuntimeError:
                # The loop was closed over its coroutines: nobody is left who could be told.
                self.untold += len(theirs)

    def _commit(self, batch: list[_Waiting[Any]]) -> None:
        failed: dict[_Waiting[Any], Exception] = {}
        lost: WriteFailed | None = None
        try:
            if not self._commit_at_once(batch):
                self._commit_apart(batch, failed)
        except Exception as error:  # noqa: BLE001 - told to every caller whose work is lost with it
            lost = _lost(error)
        for waiting in batch:
            waiting.error = failed.get(waiting, lost)

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

    def _commit_apart(self, batch: list[_Waiting[Any]], failed: dict[_Waiting[Any], Exception]) -> None:
        """Commit each that can be; the others stand in `failed` with what became of them."""
        with self._db.writing() as session:
            for waiting in batch:
                savepoint = session.begin_nested()
                try:
                    waiting.run(session)
                    savepoint.commit()
                except Exception as error:  # noqa: BLE001 - told to the one caller whose work it is
                    failed[waiting] = error
                    callbacks_of(session)
                    # Where the database ended the whole transaction by itself, this fails, and with it the batch.
                    savepoint.rollback()


def _settle(batch: list[_Waiting[Any]]) -> None:
    for waiting in batch:
        waiting.settle()


def _lost(error: Exception) -> WriteFailed:
    refusal = WriteFailed("the database could not keep this; nothing of it was written", retry_after=1)
    refusal.__cause__ = error
    return refusal

"""Many small writes in one transaction: what each caller is promised, on a real database."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from sqlalchemy import Integer, event, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from vms_privacy.db import Database, after_commit
from vms_privacy.group_commit import GroupCommit, WriteFailed

DEADLINE_S = 10.0


class OwnBase(DeclarativeBase):
    """Not the service's: what is declared there must have a migration."""


class NoteRow(OwnBase):
    __tablename__ = "note_of_a_test"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)


@pytest.fixture(autouse=True)
def _notes(db: Database) -> None:
    OwnBase.metadata.create_all(db.engine)


@pytest.fixture
def group(db: Database) -> Iterator[GroupCommit]:
    with GroupCommit(db) as one:
        yield one


def numbers(db: Database) -> list[int]:
    with db.reading() as session:
        return list(session.scalars(select(NoteRow.number).order_by(NoteRow.number)))


def note(number: int) -> Callable[[Session], int]:
    def work(session: Session) -> int:
        session.add(NoteRow(number=number))
        return number

    return work


def together(group: GroupCommit, works: Sequence[Callable[[Session], object]]) -> list[object]:
    """Have all works wait at once, so that they share a batch; return results and errors in their order."""
    entered, go_on = threading.Event(), threading.Event()

    def hold_up(_: Session) -> None:
        entered.set()
        assert go_on.wait(DEADLINE_S)

    def run(work: Callable[[Session], object]) -> object:
        try:
            return group.run(work)
        except (IntegrityError, WriteFailed, LookupError) as error:
            return error

    with ThreadPoolExecutor(len(works) + 1) as pool:
        pool.submit(run, hold_up)
        assert entered.wait(DEADLINE_S)
        running = []
        for count, work in enumerate(works, 1):
            running.append(pool.submit(run, work))
            wait_until(group, count)
        go_on.set()
        return [one.result(DEADLINE_S) for one in running]


def wait_until(group: GroupCommit, waiting: int) -> None:
    for _ in range(int(DEADLINE_S * 1000)):
        if group.waiting == waiting:
            return
        threading.Event().wait(0.001)
    pytest.fail("it never came to that")


def test_what_is_returned_is_durable(db: Database, group: GroupCommit) -> None:
    assert group.run(note(1)) == 1
    assert numbers(db) == [1]


def test_each_of_many_callers_gets_its_own_result(db: Database, group: GroupCommit) -> None:
    assert together(group, [note(number) for number in range(20)]) == list(range(20))
    assert numbers(db) == list(range(20))


def test_work_runs_in_the_order_in_which_it_came(group: GroupCommit) -> None:
    seen: list[int] = []
    works = [lambda _, number=number: seen.append(number) for number in range(10)]
    together(group, works)
    assert seen == list(range(10))


def test_one_that_fails_takes_nothing_from_its_neighbours(db: Database, group: GroupCommit) -> None:
    def broken(session: Session) -> None:
        session.add(NoteRow(number=99))
        session.flush()
        raise LookupError("mine alone")

    outcomes = together(group, [note(1), broken, note(2), note(2), note(3)])
    assert [outcome for outcome in outcomes if isinstance(outcome, int)] == [1, 2, 3]
    assert isinstance(outcomes[1], LookupError)
    assert isinstance(outcomes[3], IntegrityError)
    assert numbers(db) == [1, 2, 3]


def test_callbacks_run_in_the_callers_thread_once_it_is_durable(db: Database, group: GroupCommit) -> None:
    told: list[tuple[list[int], str]] = []

    def work(session: Session) -> None:
        session.add(NoteRow(number=7))
        after_commit(session, lambda: told.append((numbers(db), threading.current_thread().name)))

    group.run(work)
    assert told == [([7], threading.current_thread().name)]


def test_the_callbacks_of_one_that_fails_never_run_and_its_neighbours_run_once(group: GroupCommit) -> None:
    told: list[str] = []

    def good(session: Session) -> None:
        after_commit(session, lambda: told.append("good"))

    def broken(session: Session) -> None:
        after_commit(session, lambda: told.append("broken"))
        raise LookupError("no")

    together(group, [good, broken])
    assert told == ["good"]


def test_when_the_database_ends_the_transaction_nobody_is_told_yes(db: Database, group: GroupCommit) -> None:
    def ended_by_the_database(session: Session) -> None:
        # What SQLite does by itself on a full disk.
        session.connection().exec_driver_sql("ROLLBACK")
        raise LookupError("full")

    outcomes = together(group, [note(1), ended_by_the_database, note(2)])
    assert [type(outcome) for outcome in outcomes] == [WriteFailed, LookupError, WriteFailed]
    assert numbers(db) == []
    assert group.run(note(3)) == 3


def test_a_caller_inside_a_transaction_of_its_own_is_told_so_and_does_not_wait(
    db: Database, group: GroupCommit
) -> None:
    with db.writing(), pytest.raises(RuntimeError):
        group.run(note(1))


def test_more_than_may_wait_are_refused_at_once(db: Database) -> None:
    with GroupCommit(db, most_waiting=2) as group:
        entered, go_on = threading.Event(), threading.Event()

        def hold_up(_: Session) -> None:
            entered.set()
            assert go_on.wait(DEADLINE_S)

        with ThreadPoolExecutor(3) as pool:
            running: list[Future[object]] = [pool.submit(group.run, hold_up)]
            assert entered.wait(DEADLINE_S)
            running += [pool.submit(group.run, note(number)) for number in range(2)]
            wait_until(group, 2)
            with pytest.raises(WriteFailed) as refused:
                group.run(note(3))
            go_on.set()
            for one in running:
                one.result(DEADLINE_S)
    assert refused.value.facts == {"retry_after": 1}
    assert numbers(db) == [0, 1]


def test_after_closing_nothing_new_is_taken(db: Database) -> None:
    group = GroupCommit(db)
    group.run(note(1))
    group.close()
    group.close()
    with pytest.raises(WriteFailed):
        group.run(note(2))
    assert numbers(db) == [1]


async def test_a_coroutine_gets_its_result_once_it_is_durable(db: Database, group: GroupCommit) -> None:
    told: list[list[int]] = []

    def work(session: Session) -> int:
        after_commit(session, lambda: told.append(numbers(db)))
        return note(1)(session)

    assert await group.submit(work) == 1
    assert told == [[1]]


async def test_coroutines_and_threads_share_a_batch_and_each_gets_its_own(db: Database, group: GroupCommit) -> None:
    def broken(_: Session) -> None:
        raise LookupError("mine alone")

    outcomes = await asyncio.gather(
        *(group.submit(note(number)) for number in range(5)),
        group.submit(broken),
        asyncio.to_thread(group.run, note(5)),
        return_exceptions=True,
    )
    assert outcomes[:5] == [0, 1, 2, 3, 4]
    assert isinstance(outcomes[5], LookupError)
    assert outcomes[6] == 5
    assert numbers(db) == [0, 1, 2, 3, 4, 5]


async def test_a_coroutine_that_is_cancelled_takes_nothing_from_its_neighbours(
    db: Database, group: GroupCommit
) -> None:
    entered, go_on = threading.Event(), threading.Event()
    told: list[str] = []

    def hold_up(_: Session) -> None:
        entered.set()
        assert go_on.wait(DEADLINE_S)

    def left(session: Session) -> int:
        after_commit(session, lambda: told.append("left"))
        return note(1)(session)

    held = asyncio.create_task(group.submit(hold_up))
    await asyncio.to_thread(entered.wait, DEADLINE_S)
    leaving, staying = asyncio.create_task(group.submit(left)), asyncio.create_task(group.submit(note(2)))
    await asyncio.sleep(0)
    leaving.cancel()
    go_on.set()
    assert await staying == 2
    await held
    with pytest.raises(asyncio.CancelledError):
        await leaving
    # Its work was done all the same, and whoever listens to such changes hears of it.
    assert numbers(db) == [1, 2]
    assert told == ["left"]


def test_coroutines_whose_loop_is_gone_are_counted_and_the_next_caller_is_served(
    db: Database, group: GroupCommit
) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def hold_up(_: Session) -> None:
        entered.set()
        assert go_on.wait(DEADLINE_S)

    async def leave() -> None:
        task = asyncio.create_task(group.submit(hold_up))
        await asyncio.to_thread(entered.wait, DEADLINE_S)
        task.cancel()

    asyncio.run(leave())
    go_on.set()
    assert group.run(note(1)) == 1
    assert group.untold == 1
    assert numbers(db) == [1]


def test_those_who_write_in_company_share_their_next_commit_and_who_is_alone_waits_for_nobody(db: Database) -> None:
    commits: list[int] = []
    event.listen(db.engine, "commit", lambda _: commits.append(1))
    with ThreadPoolExecutor(2) as pool, GroupCommit(db, patience_s=DEADLINE_S) as group:
        for number in (1, 2):
            assert pool.submit(group.run, note(number)).result(DEADLINE_S / 2) == number
        together(group, [note(3), note(4)])
        before = len(commits)
        later = [pool.submit(group.run, note(number)) for number in (5, 6)]
        wait_until(group, 2)
        # Stopping does not wait for more to come.
        group.close()
        assert [one.result(DEADLINE_S / 2) for one in later] == [5, 6]
    assert len(commits) == before + 1
    assert numbers(db) == [1, 2, 3, 4, 5, 6]

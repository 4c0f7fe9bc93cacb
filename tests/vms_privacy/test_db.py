"""Glances: what is asked many times a second, on connections that are kept."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError

from vms_privacy.db import Database

DEADLINE_S = 10.0
_COUNT = text("SELECT count(*) FROM note_of_a_glance")


@pytest.fixture(autouse=True)
def _table(db: Database) -> None:
    with db.writing() as session:
        session.execute(text("CREATE TABLE note_of_a_glance (number INTEGER)"))


def _add(db: Database) -> None:
    with db.writing() as session:
        session.execute(text("INSERT INTO note_of_a_glance VALUES (1)"))


def _counted(connection: Connection) -> int:
    found: int = connection.execute(_COUNT).scalar_one()
    return found


def _glance(db: Database) -> int:
    with db.glancing() as connection:
        return _counted(connection)


@pytest.mark.parametrize(("at_one_moment", "seen"), [(False, [0, 1]), (True, [0, 0])])
def test_two_statements_of_a_glance_see_the_same_commits_if_they_are_asked_at_one_moment(
    db: Database, at_one_moment: bool, seen: list[int]
) -> None:
    with db.glancing(at_one_moment=at_one_moment) as connection:
        first = _counted(connection)
        _add(db)
        assert [first, _counted(connection)] == seen
    assert _glance(db) == 1


def test_a_glance_that_ended_in_an_error_pins_no_moment_for_the_next_one(db: Database) -> None:
    with pytest.raises(DatabaseError), db.glancing(at_one_moment=True) as connection:
        connection.execute(text("SELECT number FROM nowhere"))
    _add(db)
    assert _glance(db) == 1


def test_nothing_is_changed_by_a_glance_and_its_connection_writes_again_where_it_is_given_back(db: Database) -> None:
    with pytest.raises(DatabaseError, match=r"readonly|read-only"), db.glancing() as connection:
        connection.execute(text("INSERT INTO note_of_a_glance VALUES (2)"))
    with ExitStack() as more_than_are_kept:
        for _ in range(12):
            _counted(more_than_are_kept.enter_context(db.glancing()))
    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(_add, db) for _ in range(30)]:
            done.result(DEADLINE_S)
    assert _glance(db) == 30


def test_whoever_waits_for_a_connection_keeps_nobody_from_one_that_is_free(db: Database) -> None:
    with ThreadPoolExecutor(2) as pool:
        with ExitStack() as all_of_them:
            for _ in range(32):
                all_of_them.enter_context(db.reading()).connection()
            with ExitStack() as glances:
                for _ in range(8):
                    glances.enter_context(db.glancing())
                begun = threading.Event()

                def late() -> int:
                    begun.set()
                    return _glance(db)

                waiting = pool.submit(late)
                assert begun.wait(DEADLINE_S)
                # It waits for the pool by now, or finds a free one in a moment: both are well.
            assert pool.submit(_glance, db).result(DEADLINE_S / 2) == 0
        assert waiting.result(DEADLINE_S) == 0


def test_of_two_processes_that_write_one_is_first_and_the_other_sees_what_it_wrote(db: Database) -> None:
    other, order = Database(db.engine.url.render_as_string(hide_password=False)), list[str]()
    tries = threading.Event()

    def second() -> int:
        tries.set()
        with other.writing() as session:
            found: int = session.execute(_COUNT).scalar_one()
            order.append("second")
            return found

    with ThreadPoolExecutor(1) as pool:
        with db.writing() as session:
            # Nothing is written yet: who only looks has the turn already.
            assert session.execute(_COUNT).scalar_one() == 0
            answer = pool.submit(second)
            assert tries.wait(DEADLINE_S)
            session.execute(text("INSERT INTO note_of_a_glance VALUES (1)"))
            order.append("first")
        assert answer.result(DEADLINE_S) == 1
    other.close()
    assert order == ["first", "second"]


def test_who_reads_sees_one_moment_and_changes_nothing(db: Database) -> None:
    with db.reading() as session:
        before = session.execute(_COUNT).scalar_one()
        _add(db)
        assert session.execute(_COUNT).scalar_one() == before == 0
    if db.engine.dialect.name == "postgresql":
        with pytest.raises(DatabaseError, match="read-only"), db.reading() as session:
            session.execute(text("INSERT INTO note_of_a_glance VALUES (2)"))

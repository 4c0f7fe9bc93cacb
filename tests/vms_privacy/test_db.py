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

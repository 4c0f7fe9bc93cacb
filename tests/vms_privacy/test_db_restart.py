"""PostgreSQL is killed and comes back: whoever asks next is answered, and SQLite pays nothing for it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from select import POLLIN, poll
from typing import cast

import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError

from tests.given.postgres import Postgres, postgres
from vms_privacy.db import Database
from vms_privacy.group_commit import GroupCommit

DEADLINE_S = 10
_ONE = text("SELECT 1")


@pytest.fixture(scope="module")
def mortal() -> Iterator[Postgres]:
    """A server that a test may kill."""
    with postgres(keeps_commits=True) as server:
        yield server


@pytest.fixture
def on_server(mortal: Postgres) -> Iterator[Database]:
    database = Database(mortal.url(mortal.create()))
    yield database
    database.close()


def _read(db: Database) -> int:
    with db.reading() as session:
        found: int = session.execute(_ONE).scalar_one()
    return found


def _glance(db: Database) -> int:
    with db.glancing() as connection:
        found: int = connection.execute(_ONE).scalar_one()
    return found


def _write(db: Database) -> int:
    with db.writing() as session:
        found: int = session.execute(_ONE).scalar_one()
    return found


def _write_in_a_group(db: Database) -> int:
    with GroupCommit(db) as group:
        found: int = group.run(lambda session: session.execute(_ONE).scalar_one())
    return found


ASKED = [_read, _glance, _write, _write_in_a_group]


@pytest.mark.parametrize("ask", ASKED)
def test_after_a_restart_of_the_server_the_first_who_asks_is_answered(
    mortal: Postgres, on_server: Database, ask: Callable[[Database], int]
) -> None:
    for kept in ASKED:
        kept(on_server)
    mortal.kill()
    mortal.start()
    assert [ask(on_server), *(each(on_server) for each in ASKED)] == [1] * 5


def test_while_the_server_is_away_everybody_is_told_so_and_afterwards_answered(
    mortal: Postgres, on_server: Database
) -> None:
    for ask in ASKED:
        ask(on_server)
    mortal.kill()
    for ask in (_read, _glance, _write):
        with pytest.raises(OperationalError):
            ask(on_server)
    mortal.start()
    assert [ask(on_server) for ask in ASKED] == [1] * 4


def test_without_a_look_the_first_who_asks_would_fail(mortal: Postgres, on_server: Database) -> None:
    """The positive control of the test above."""
    event.remove(on_server.engine, "checkout", on_server._replace_if_ended)
    _read(on_server)
    mortal.kill()
    mortal.start()
    with pytest.raises(OperationalError):
        _read(on_server)


def test_a_connection_is_asked_only_when_it_has_something_to_say_and_is_used_on_if_that_is_not_its_end(
    mortal: Postgres, on_server: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    ping = on_server.engine.dialect.do_ping

    def counted(raw: DBAPIConnection) -> bool:
        asked.append(raw)
        return ping(raw)

    monkeypatch.setattr(on_server.engine.dialect, "do_ping", counted)
    with on_server.engine.connect() as connection:
        connection.exec_driver_sql("LISTEN anything")
        connection.commit()
        arrival = poll()
        arrival.register(cast("psycopg.Connection", connection.connection.dbapi_connection).fileno(), POLLIN)
    before = _backend(on_server)
    assert asked == []
    with mortal.connected(on_server.engine.url.database or "") as other:
        other.execute("NOTIFY anything")
    assert arrival.poll(DEADLINE_S * 1000)
    assert _backend(on_server) == before
    assert len(asked) == 1


def _backend(db: Database) -> int:
    with db.reading() as session:
        found: int = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
    return found


def test_a_server_out_of_reach_is_waited_for_as_long_as_its_address_says(mortal: Postgres) -> None:
    told: list[object] = []
    for more in ("", "&connect_timeout=9"):
        database = Database(mortal.url("postgres") + more)
        event.listen(database.engine, "do_connect", lambda *given: told.append(given[3]["connect_timeout"]))
        _read(database)
        database.close()
    assert told == [5, "9"]


def test_sqlite_pays_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    assert not database.engine.pool.dispatch.checkout
    _read(database)
    database.close()

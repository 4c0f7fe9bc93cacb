"""An upgraded database equals a fresh one: tables, columns, types, constraints, indexes and triggers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, inspect, text

from archive.segments.days import DAY_US
from tests.given.databases import Databases, import_every_table
from tests.given.tampering import Run, past_the_guards
from vms_privacy.db import Base, Database
from vms_privacy.db_guards import guards_of
from vms_privacy.migrations import is_current, migrate

ALEMBICS_OWN = "alembic_version"


@pytest.fixture(scope="module", autouse=True)
def every_table_is_known() -> None:
    import_every_table()


@pytest.fixture
def fresh(databases: Databases, tmp_path: Path) -> Iterator[Engine]:
    database = Database(databases.empty(tmp_path, "fresh"))
    Base.metadata.create_all(database.engine)
    yield database.engine
    database.close()


@pytest.fixture
def upgraded(databases: Databases, tmp_path: Path) -> Iterator[Engine]:
    database = Database(databases.empty(tmp_path, "upgraded"))
    migrate(database.engine)
    yield database.engine
    database.close()


def described(engine: Engine) -> dict[str, Any]:
    """Return all of a schema that the database keeps, by table, in an order of its own."""
    with engine.connect() as connection:
        tables = [name for name in inspect(connection).get_table_names() if name != ALEMBICS_OWN]
        return {name: _table(connection, name) for name in sorted(tables)}


def _table(connection: Connection, name: str) -> dict[str, Any]:
    looked = inspect(connection)
    others = connection.execute(_MADE[connection.dialect.name], {"name": name})
    return {
        "columns": {
            one["name"]: (str(one["type"]), one["nullable"], one["default"]) for one in looked.get_columns(name)
        },
        "checks": {one["name"]: _plain(one["sqltext"]) for one in looked.get_check_constraints(name)},
        "uniques": {one["name"]: one["column_names"] for one in looked.get_unique_constraints(name)},
        "key": looked.get_pk_constraint(name),
        "foreign": {
            one["name"]: (one["referred_table"], one["referred_columns"]) for one in looked.get_foreign_keys(name)
        },
        "made": {(kind, made): _plain(sql or "") for kind, made, sql in others},
    }


# Indexes and guards in the database's own words; of a guard of PostgreSQL the trigger and what it calls.
_MADE = {
    "sqlite": text("SELECT type, name, sql FROM sqlite_master WHERE tbl_name = :name AND type IN ('index', 'trigger')"),
    "postgresql": text(
        "SELECT 'index', indexname, indexdef FROM pg_indexes WHERE tablename = :name UNION ALL "
        "SELECT 'trigger', tgname, pg_get_triggerdef(pg_trigger.oid) || ' ' || prosrc FROM pg_trigger "
        "JOIN pg_proc ON pg_proc.oid = tgfoid WHERE tgrelid = CAST(:name AS regclass) AND NOT tgisinternal"
    ),
}


def _plain(sql: str) -> str:
    return " ".join(sql.replace('"', "").split())


def test_upgraded_schema_equals_a_fresh_one(fresh: Engine, upgraded: Engine) -> None:
    assert described(upgraded) == described(fresh)


def test_every_guard_of_the_code_is_in_the_upgraded_database(upgraded: Engine) -> None:
    found = {name: table["made"] for name, table in described(upgraded).items()}
    for table in Base.metadata.tables.values():
        guards = guards_of(table, upgraded.dialect.name)
        assert {name for kind, name in found[table.name] if kind == "trigger"} == set(guards)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE segment ADD COLUMN note VARCHAR(10)",
        "ALTER TABLE segment DROP COLUMN recovered",
        "DROP TRIGGER segment_needs_opt_in{on_segment}",
        "DROP INDEX ix_segment_bucket_key_id",
        "CREATE INDEX ix_more ON segment (epoch)",
        "DROP TABLE receipt_summed",
    ],
)
def test_a_schema_that_differs_is_found(fresh: Engine, upgraded: Engine, change: str) -> None:
    on_segment = " ON segment" if upgraded.dialect.name == "postgresql" else ""
    with upgraded.begin() as connection:
        connection.execute(text(change.format(on_segment=on_segment)))
    assert described(upgraded) != described(fresh)


def test_upgrading_again_changes_nothing(upgraded: Engine) -> None:
    before = described(upgraded)
    migrate(upgraded)
    assert described(upgraded) == before


def test_only_an_upgraded_database_is_current(fresh: Engine, upgraded: Engine) -> None:
    assert is_current(upgraded)
    assert not is_current(fresh)


def test_a_database_of_the_first_release_keeps_its_rows_and_is_counted(databases: Databases, tmp_path: Path) -> None:
    """What was stored before there were sums is in them afterwards, and nothing of the rows is changed."""
    database = Database(databases.empty(tmp_path, "first"))
    try:
        migrate(database.engine, to="0001")
        with past_the_guards(database) as run:
            for number, (last_us, keep_us) in enumerate([(5, 10), (6, 10), (6, 20), (DAY_US + 1, 10)]):
                _add_segment(run, database, number, "stored", last_us, keep_us)
            _add_segment(run, database, 4, "erasing", 7, 10)
        with database.engine.connect() as connection:
            before = [dict(row) for row in connection.execute(_ROWS).mappings()]
        migrate(database.engine)
        with database.engine.connect() as connection:
            # What a row has got since is empty in it; all footage went to the one store there was.
            after = [dict(row) for row in connection.execute(_ROWS).mappings()]
            assert after == [one | {"resealed_from": None, "store": "default"} for one in before]
            sums = connection.execute(
                text("SELECT day, keep_us, segments, size_bytes, recorded_us FROM footage_day ORDER BY day, keep_us")
            ).all()
        assert [tuple(int(one) for one in row) for row in sums] == [
            (0, 10, 2, 200, 9),
            (0, 20, 1, 100, 5),
            (1, 10, 1, 100, DAY_US),
        ]
        assert is_current(database.engine)
    finally:
        database.close()


_ROWS = text("SELECT * FROM segment ORDER BY blob_name")


def _add_segment(run: Run, database: Database, number: int, state: str, last_us: int, keep_us: int) -> None:
    """Add a row as the first release has it, past the guards."""
    is_sqlite = database.engine.dialect.name == "sqlite"
    camera = UUID(int=7)
    facts: dict[str, object] = {
        "id": UUID(int=number + 1),
        "operator_id": UUID(int=8),
        "camera_id": camera,
        "consent_entry_id": UUID(int=9),
        "policy_version": 0,
        "state": state,
        "place": "store",
        "blob_name": f"{number:022d}",
        "starts_us": 1,
        "ends_us": last_us,
        "keep_us": keep_us,
        "destroy_from_us": last_us + keep_us,
        "run": "run-1",
        "epoch": 1,
        "tracks": "video",
        "chunk_size": 4096,
        "bucket_key_id": UUID(int=10),
        "bucket_hour": 0,
        "wrapped_key": b"wrap",
        "size_bytes": 100,
        "recovered": False,
    }
    values = [one.hex if is_sqlite and isinstance(one, UUID) else one for one in facts.values()]
    marks = ", ".join("?" for _ in facts)
    run(f"INSERT INTO segment ({', '.join(facts)}) VALUES ({marks})", *values)

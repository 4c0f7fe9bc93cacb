"""An upgraded database equals a fresh one: tables, columns, types, constraints, indexes and triggers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, inspect, text

from tests.given.databases import Databases, import_every_table
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
        "DROP TABLE receipt",
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

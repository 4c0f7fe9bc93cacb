"""An upgraded database equals a fresh one: tables, columns, types, constraints, indexes and triggers."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, inspect, text

from tests.guards.sources import PACKAGES
from vms_privacy.db import Base, Database
from vms_privacy.migrations import is_current, migrate

ALEMBICS_OWN = "alembic_version"


@pytest.fixture(scope="module", autouse=True)
def every_table_is_known() -> None:
    """Import the tables of every room, as the service does."""
    for room in PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(room).__path__, f"{room}."):
            if module.name.endswith(".tables"):
                importlib.import_module(module.name)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Engine]:
    database = Database(f"sqlite:///{tmp_path / 'fresh.db'}")
    Base.metadata.create_all(database.engine)
    yield database.engine
    database.close()


@pytest.fixture
def upgraded(tmp_path: Path) -> Iterator[Engine]:
    database = Database(f"sqlite:///{tmp_path / 'upgraded.db'}")
    migrate(database.engine)
    yield database.engine
    database.close()


def described(engine: Engine) -> dict[str, Any]:
    """Return all of a schema that SQLite keeps, by table, in an order of its own."""
    with engine.connect() as connection:
        tables = [name for name in inspect(connection).get_table_names() if name != ALEMBICS_OWN]
        return {name: _table(connection, name) for name in sorted(tables)}


def _table(connection: Connection, name: str) -> dict[str, Any]:
    looked = inspect(connection)
    columns = connection.execute(text(f"PRAGMA table_xinfo('{name}')")).mappings()
    kept = connection.execute(
        text("SELECT type, name, sql FROM sqlite_master WHERE tbl_name = :name AND type IN ('index', 'trigger')"),
        {"name": name},
    ).mappings()
    return {
        "columns": {one["name"]: (one["type"], one["notnull"], one["dflt_value"], one["pk"]) for one in columns},
        "checks": {one["name"]: _plain(one["sqltext"]) for one in looked.get_check_constraints(name)},
        "uniques": {one["name"]: one["column_names"] for one in looked.get_unique_constraints(name)},
        "key": looked.get_pk_constraint(name)["name"],
        "foreign": {
            one["name"]: (one["referred_table"], one["referred_columns"]) for one in looked.get_foreign_keys(name)
        },
        "made": {(one["type"], one["name"]): _plain(one["sql"] or "") for one in kept},
    }


def _plain(sql: str) -> str:
    return " ".join(sql.replace('"', "").split())


def test_upgraded_schema_equals_a_fresh_one(fresh: Engine, upgraded: Engine) -> None:
    assert described(upgraded) == described(fresh)


def test_every_guard_of_the_code_is_in_the_upgraded_database(upgraded: Engine) -> None:
    found = {name: table["made"] for name, table in described(upgraded).items()}
    for table in Base.metadata.tables.values():
        for trigger, statement in table.info.get("guards", {}).items():
            assert found[table.name].get(("trigger", trigger)) == _plain(statement), trigger


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE segment ADD COLUMN note VARCHAR(10)",
        "ALTER TABLE segment DROP COLUMN recovered",
        "DROP TRIGGER segment_needs_opt_in",
        "DROP INDEX ix_segment_bucket_key_id",
        "CREATE INDEX ix_more ON segment (epoch)",
        "DROP TABLE receipt",
    ],
)
def test_a_schema_that_differs_is_found(fresh: Engine, upgraded: Engine, change: str) -> None:
    with upgraded.begin() as connection:
        connection.execute(text(change))
    assert described(upgraded) != described(fresh)


def test_upgrading_again_changes_nothing(upgraded: Engine) -> None:
    before = described(upgraded)
    migrate(upgraded)
    assert described(upgraded) == before


def test_only_an_upgraded_database_is_current(fresh: Engine, upgraded: Engine) -> None:
    assert is_current(upgraded)
    assert not is_current(fresh)

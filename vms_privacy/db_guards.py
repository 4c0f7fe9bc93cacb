"""Guards: triggers by which the database itself refuses what no code may do (decision 0019), on SQLite and PostgreSQL.

The statements are part of the schema: the migration that makes a table repeats them, and a test compares the two.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import DDL, Table, event

FOR_SHARE: Final = "{for_share}"
"""Ends a query inside a condition: nobody may change its row before this transaction is over. SQLite has one writer."""
IS_LEAVING: Final = "EXISTS (SELECT 1 FROM operator WHERE id = NEW.operator_id AND leaving_since IS NOT NULL)"
"""Of a new row that names its operator: that operator's off-boarding has begun."""
_KEPT_IN: Final = "guards"
_REFUSED_IN: Final = "refused"


def refuse(
    table: Any, name: str, act: str, why: str, when: str = "", of: Sequence[str] = (), *, sqlite_only: bool = False
) -> None:
    """Have the database refuse an act (INSERT, UPDATE, DELETE, TRUNCATE) on a table, for each row with `when`.

    `when` is SQL that PostgreSQL reads; SQLite is given the same, with its own words where it lacks one. `of` are the
    columns that an update is about.
    """
    on = f"{act}{' OF ' + ', '.join(of) if of else ''} ON {_table(table).name}"
    message = why.replace("'", "''")
    if not when:
        _table(table).info.setdefault(_REFUSED_IN, set()).add(act)
    if act != "TRUNCATE":
        condition = f" WHEN {_for_sqlite(when)}" if when else ""
        sqlite = f"CREATE TRIGGER {name} BEFORE {on}{condition} BEGIN SELECT RAISE(ABORT, '{message}'); END"
        _attach(table, "sqlite", name, [sqlite])
    if not sqlite_only:
        raising = f"RAISE EXCEPTION '{message.replace('%', '%%')}' USING ERRCODE = 'integrity_constraint_violation';"
        condition = when.replace(FOR_SHARE, " FOR SHARE")
        goes_on = "RETURN OLD;" if act == "DELETE" else "RETURN NEW;"
        body = f"IF {condition} THEN {raising} END IF; {goes_on}" if condition else raising
        _attach(table, "postgresql", name, [_function(name, body), _trigger(name, f"BEFORE {on}", act)])


def follow(table: Any, name: str, act: str, statement: str) -> None:
    """Have the database do something by itself after each row of an act."""
    on = f"AFTER {act} ON {_table(table).name}"
    _attach(table, "sqlite", name, [f"CREATE TRIGGER {name} {on} BEGIN {statement}; END"])
    _attach(table, "postgresql", name, [_function(name, f"{statement}; RETURN NULL;"), _trigger(name, on, act)])


def guards_of(table: Table, dialect: str) -> dict[str, Sequence[str]]:
    """Return the statements that make each guard of a table, by the guard's name."""
    kept: dict[str, dict[str, Sequence[str]]] = table.info.get(_KEPT_IN, {})
    return kept.get(dialect, {})


def refused_acts(table: Table) -> frozenset[str]:
    """Return the acts that no row of a table ever sees."""
    return frozenset(table.info.get(_REFUSED_IN, ()))


def _attach(table: Any, dialect: str, name: str, statements: Sequence[str]) -> None:
    target = _table(table)
    target.info.setdefault(_KEPT_IN, {}).setdefault(dialect, {})[name] = tuple(statements)
    for statement in statements:
        made = DDL(statement.replace("%", "%%")).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]
        event.listen(target, "after_create", made)


def _function(name: str, body: str) -> str:
    return f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"


def _trigger(name: str, on: str, act: str) -> str:
    each = "STATEMENT" if act == "TRUNCATE" else "ROW"
    return f"CREATE TRIGGER {name} {on} FOR EACH {each} EXECUTE FUNCTION {name}()"


def _for_sqlite(condition: str) -> str:
    return condition.replace("IS DISTINCT FROM", "IS NOT").replace(FOR_SHARE, "")


def _table(table: Any) -> Table:
    found: Table = table.__table__ if hasattr(table, "__table__") else table
    return found

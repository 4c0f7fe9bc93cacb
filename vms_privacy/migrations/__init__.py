"""The steps from an empty database to today's schema. A released step never changes.

An upgraded database equals a fresh one: tests/vms_privacy/test_migrations.py compares tables, constraints and guards.
"""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from vms_privacy.db import Base
from vms_privacy.db_guards import refused_acts

_ACTS: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")
# An owner without the right gives it to itself, or takes the triggers off.
_MAY_REWRITE: Final = text(
    "SELECT has_table_privilege(oid, :acts) OR pg_has_role(relowner, 'MEMBER') FROM pg_class "
    "WHERE oid = CAST(:name AS regclass)"
)


def _config(engine: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["engine"] = engine
    return config


def migrate(engine: Engine, to: str = "head") -> None:
    """Bring a database to today's schema, or to that of an earlier step; nothing happens where it is there already."""
    command.upgrade(_config(engine), to)


def grant(engine: Engine, role: str) -> None:
    """Give the service's own role what it needs and no more: what is only ever added it can neither change nor delete.

    For PostgreSQL; the engine is connected as the role that owns the tables.
    """
    quoted = engine.dialect.identifier_preparer.quote(role)
    with engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            acts = [act for act in _ACTS if act not in refused_acts(table)]
            connection.exec_driver_sql(f"REVOKE ALL ON {table.name} FROM {quoted}")
            connection.exec_driver_sql(f"GRANT {', '.join(acts)} ON {table.name} TO {quoted}")
        connection.exec_driver_sql(f"GRANT SELECT ON alembic_version TO {quoted}")
        connection.exec_driver_sql(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {quoted}")


def may_rewrite(engine: Engine) -> bool:
    """Say whether PostgreSQL lets this role change or delete what is only ever added, or lets it take that right."""
    with engine.connect() as connection:
        return any(
            connection.execute(_MAY_REWRITE, {"name": table.name, "acts": ", ".join(sorted(acts))}).scalar_one()
            for table in Base.metadata.sorted_tables
            if (acts := refused_acts(table))
        )


def is_current(engine: Engine) -> bool:
    """Say whether a database has today's schema. The service does not start on another."""
    return revision_of(engine) == ScriptDirectory.from_config(_config(engine)).get_current_head()


def revision_of(engine: Engine) -> str:
    """Return the schema that a database has; empty where it has none."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() or ""


def is_known(engine: Engine, revision: str) -> bool:
    """Say whether a schema is today's or an earlier one."""
    scripts = ScriptDirectory.from_config(_config(engine))
    return revision in {step.revision for step in scripts.walk_revisions()}


def write_step(engine: Engine, message: str) -> None:
    """Draft the next step by comparing a current database with the tables in the code; for developers."""
    command.revision(_config(engine), message, autogenerate=True)

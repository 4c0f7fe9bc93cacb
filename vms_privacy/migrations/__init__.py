"""The steps from an empty database to today's schema. A released step never changes.

An upgraded database equals a fresh one: tests/vms_privacy/test_migrations.py compares tables, constraints and guards.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine


def _config(engine: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["engine"] = engine
    return config


def migrate(engine: Engine) -> None:
    """Bring a database to today's schema; nothing happens where it is there already."""
    command.upgrade(_config(engine), "head")


def is_current(engine: Engine) -> bool:
    """Say whether a database has today's schema. The service does not start on another."""
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    return found == ScriptDirectory.from_config(_config(engine)).get_current_head()


def write_step(engine: Engine, message: str) -> None:
    """Draft the next step by comparing a current database with the tables in the code; for developers."""
    command.revision(_config(engine), message, autogenerate=True)

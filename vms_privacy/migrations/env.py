"""What Alembic runs for each command: one transaction on the engine the caller brought."""

from alembic import context
from sqlalchemy import Engine

from vms_privacy.db import Base


def _run() -> None:
    engine: Engine = context.config.attributes["engine"]
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            transactional_ddl=True,
            render_as_batch=False,
            compare_type=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


_run()

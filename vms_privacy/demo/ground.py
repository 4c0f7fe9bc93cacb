"""What the story may be played on: a database that nobody has put anything into."""

from typing import ClassVar

from sqlalchemy import inspect

from vms_privacy.db import Database
from vms_privacy.errors import Kind, Refusal
from vms_privacy.settings import Settings


class DatabaseIsUsed(Refusal):
    """There are tables in the database that the settings name: the story makes an installation, and never over one."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "database-is-used"


def refuse_used_database(settings: Settings) -> None:
    """Raise DatabaseIsUsed where the settings name a database that is not empty."""
    if settings.database_url is None:
        return
    db = Database(settings.owner_url)
    try:
        if inspect(db.engine).get_table_names():
            raise DatabaseIsUsed(
                "the database of the settings has tables in it", next="name an empty one, or none for a file of its own"
            )
    finally:
        db.close()

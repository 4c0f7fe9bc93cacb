"""In which store each blob lies, as the rows have it: what the router of stores goes by."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from archive.errors import StoreUnavailable
from archive.segments.tables import SegmentRow
from vms_privacy.db import Database

_AT_ONCE: Final = 500


class RowStores:
    """Asks the rows of segments. One registered ahead, or a part still being made, lies in the spool alone."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return the store's name of each blob that is a segment's, whatever became of it. Raises StoreUnavailable."""
        found: dict[str, str] = {}
        try:
            with self._db.reading() as session:
                for at in range(0, len(names), _AT_ONCE):
                    wanted = select(SegmentRow.blob_name, SegmentRow.store).where(
                        SegmentRow.blob_name.in_(names[at : at + _AT_ONCE])
                    )
                    found |= {row.blob_name: row.store for row in session.execute(wanted)}
        except SQLAlchemyError as error:
            raise StoreUnavailable("where a blob lies cannot be looked up now") from error
        return found

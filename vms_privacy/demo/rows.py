"""Every segment there ever was: the story accounts for all of them."""

from collections.abc import Sequence

from sqlalchemy import select

from archive.segments.tables import SegmentRow
from vms_privacy.db import Database


def every_segment(db: Database) -> Sequence[SegmentRow]:
    """Return all rows, erased ones included, of every camera."""
    with db.reading() as session:
        return session.scalars(select(SegmentRow)).all()

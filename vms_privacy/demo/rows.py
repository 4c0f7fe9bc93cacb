"""Every segment there ever was, and the bytes of a blob: the story accounts for all of them."""

from collections.abc import Sequence

from sqlalchemy import select

from archive.blobs.store import BlobStore
from archive.segments.tables import SegmentRow
from vms_privacy.db import Database


def every_segment(db: Database) -> Sequence[SegmentRow]:
    """Return all rows, erased ones included, of every camera."""
    with db.reading() as session:
        return session.scalars(select(SegmentRow)).all()


def read_whole(store: BlobStore, blob: str) -> bytes | None:
    """Return all bytes of a blob; None if it was destroyed since it was listed."""
    try:
        return store.read(blob, 0, store.size(blob) or 0)
    except FileNotFoundError:
        return None

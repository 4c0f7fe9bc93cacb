"""Every row of a segment there is, as a value: for tests that say what became of all of them."""

from dataclasses import fields

from sqlalchemy import select
from sqlalchemy.orm import Session

from archive.segments.rules import Place, Segment, State
from archive.segments.tables import SegmentRow


def every(session: Session) -> list[Segment]:
    """All rows by camera and start, erased ones included."""
    rows = session.scalars(select(SegmentRow).order_by(SegmentRow.camera_id, SegmentRow.starts_us))
    return [_segment(row) for row in rows]


def _segment(row: SegmentRow) -> Segment:
    values = {field.name: getattr(row, field.name) for field in fields(Segment)}
    return Segment(**values | {"state": State(row.state), "place": Place(row.place)})

"""Parts of segments that are kept while the rest is destroyed: their files while they are made, and their rows.

Promise: no file is begun without a row that names it, and a kept part is a segment in the same transaction in which its
origin is marked for destruction: there is no moment in which both can be read, or neither. Nothing here decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.orm import Session

from archive.segments import days
from archive.segments.rules import Place, Span, State
from archive.segments.tables import KeptPartRow, SegmentRow
from vms_privacy.ids import BucketKeyId, SegmentId, WorkerId


@dataclass(frozen=True, slots=True)
class KeptPart:
    """A part of a segment, sealed anew in the spool: what its row says beyond what its origin's says.

    Its store is its origin's.
    """

    id: SegmentId
    blob_name: str
    starts_us: int
    ends_us: int
    last_packet_until_us: int
    bucket_key_id: BucketKeyId
    bucket_hour: int
    wrapped_key: bytes
    salt: bytes
    last_tag: bytes
    size_bytes: int


def begin(session: Session, worker: WorkerId, segment_id: SegmentId, blob_name: str, at: datetime) -> None:
    """Name a file before its first byte."""
    session.execute(
        insert(KeptPartRow).values(blob_name=blob_name, worker_id=worker, segment_id=segment_id, begun_at=at)
    )


def begun(session: Session, worker: WorkerId | None = None) -> list[str]:
    """Return the names of files that are being made, or that a crash has left: all, or those of one worker."""
    of_it: tuple[ColumnElement[bool], ...] = () if worker is None else (KeptPartRow.worker_id == worker,)
    return list(session.scalars(select(KeptPartRow.blob_name).where(*of_it).order_by(KeptPartRow.blob_name)))


def forget(session: Session, names: Sequence[str]) -> None:
    """Take files out of those that are being made: they are segments now, or gone."""
    session.execute(delete(KeptPartRow).where(KeptPartRow.blob_name.in_(names)))


def take_over(session: Session, origin_id: SegmentId, gone: Span, parts: Sequence[KeptPart]) -> None:
    """Let a segment that is marked just now tell of the time that goes, and add what is kept of it beside that."""
    chosen = (SegmentRow.id == origin_id, SegmentRow.state == State.ERASING)
    session.execute(update(SegmentRow).where(*chosen).values(starts_us=gone.from_us, ends_us=gone.until_us))
    origin = (
        session.execute(
            select(
                SegmentRow.operator_id,
                SegmentRow.camera_id,
                SegmentRow.consent_entry_id,
                SegmentRow.policy_version,
                SegmentRow.keep_us,
                SegmentRow.run,
                SegmentRow.epoch,
                SegmentRow.tracks,
                SegmentRow.chunk_size,
                SegmentRow.store,
                SegmentRow.destroy_from_us,
            ).where(*chosen)
        )
        .mappings()
        .one()
    )
    kept = {name: value for name, value in origin.items() if name != "destroy_from_us"}
    due_us = origin["destroy_from_us"]
    for part in parts:
        session.execute(
            insert(SegmentRow).values(
                **kept,
                id=part.id,
                state=State.STORED,
                place=Place.SPOOL,
                blob_name=part.blob_name,
                starts_us=part.starts_us,
                ends_us=part.ends_us,
                destroy_from_us=min(kept["keep_us"] + part.last_packet_until_us, due_us),
                bucket_key_id=part.bucket_key_id,
                bucket_hour=part.bucket_hour,
                wrapped_key=part.wrapped_key,
                salt=part.salt,
                last_tag=part.last_tag,
                size_bytes=part.size_bytes,
                recovered=False,
                resealed_from=origin_id,
            )
        )
    days.stored(session, SegmentRow.id.in_([part.id for part in parts]))
    forget(session, [part.blob_name for part in parts])

"""Much recorded footage made quickly: rows by one statement, and real sealed files for some of them."""

import io
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from sqlalchemy import Table, text
from sqlalchemy.orm import Session

from archive.format.index import FragmentEntry, FragmentIndex
from archive.format.rules import chunk_size_for
from archive.format.sealed_file import SealedSummary, SealedWriter
from archive.recorder.standing import micros
from archive.segments import store as segments
from archive.segments.store import Closed, NewSegment
from archive.segments.tables import SegmentRow
from auth.tokens.handles import random_name
from streams.media.packets import Fragment, Packet, Track
from tests.given.encoded import Encoded, encoded
from tests.given.fragmented import fragments_of
from vms_privacy.app import Assembly
from vms_privacy.consent.rules import RecordingPermit
from vms_privacy.db_guards import guards_of
from vms_privacy.ids import CameraId, OperatorId, SegmentId

MINUTE_US: Final = 60_000_000
_KEEP_US: Final = 5 * 366 * 24 * 60 * MINUTE_US
_KEY_PICTURE, _PICTURE = 60_000, 8_980  # 2 Mbit/s at 25 pictures and a key picture every two seconds
_RUN: Final = "bench"
_GUARD: Final = "segment_never_overlaps"


@dataclass(frozen=True, slots=True)
class Place:
    """What is filled: one camera and its owner, back from the moment `until_us`, a segment a minute."""

    operator_id: OperatorId
    camera_id: CameraId
    until_us: int


def fill(parts: Assembly, place: Place, rows: range, chosen: Sequence[int]) -> None:
    """Make these rows, counted back in minutes; those of them that are `chosen` get a real file in the store.

    The others are like them in everything but that nothing opens under their names.
    """
    with parts.db.reading() as session:
        permit = parts.ledger.permit(session, place.camera_id)
    assert permit is not None
    minute = _Minute()
    # Oldest first: a segment begins to grow only where nothing comes after it.
    for back in sorted((one for one in chosen if one in rows), reverse=True):
        _seal(parts, permit, place, minute, place.until_us - back * MINUTE_US)
    with parts.db.writing() as session:
        _rows(session, permit, place, rows, chosen)
    with parts.db.writing() as session:
        session.execute(text("ANALYZE"))


class _Minute:
    """One minute of 2 Mbit/s as fragments, made once."""

    def __init__(self) -> None:
        self._made: Encoded = encoded(2.0, size=(1280, 720))
        noise = random.Random(1).randbytes(_KEY_PICTURE)
        packets = [_packet(number, noise) for number in range(60 * 25)]
        self.fragments: list[Fragment] = fragments_of(self._made.epoch(), packets)
        self.init = self._made.inits[frozenset({Track.VIDEO})]

    def seal(self, writer: SealedWriter, begins_us: int) -> SealedSummary:
        """Write it as the recorder does, and close it."""
        writer.write(self.init)
        entries: list[FragmentEntry] = []
        for one in self.fragments:
            entries.append(
                FragmentEntry(
                    track=one.track,
                    captured_from_us=begins_us + one.captured_from_us,
                    captured_until_us=begins_us + one.captured_until_us,
                    offset=writer.plain_length,
                    length=len(one.data),
                    starts_with_key=one.starts_with_key,
                    decode_time=one.decode_time,
                    duration=one.duration,
                )
            )
            writer.write(one.data)
            writer.fill_chunk()
        return writer.finish(FragmentIndex(len(self.init), tuple(entries)))


def _packet(number: int, noise: bytes) -> Packet:
    at_us = number * 40_000
    is_key = number % 50 == 0
    data = noise[: _KEY_PICTURE if is_key else _PICTURE]
    return Packet(Track.VIDEO, number * 3_600, number * 3_600, 3_600, is_key, data, at_us, at_us)


def _seal(parts: Assembly, permit: RecordingPermit, place: Place, minute: _Minute, starts_us: int) -> None:
    segment_id, name = SegmentId(parts.randomness.uuid()), random_name(parts.randomness)
    chunk_size = chunk_size_for(250_000)
    file = io.BytesIO()
    with parts.db.writing() as session:
        made = parts.keys.new(session, permit, place.operator_id, segment_id, starts_us)
        writer = SealedWriter(file, made.key, chunk_size, parts.randomness)
        new = NewSegment(
            id=segment_id,
            operator_id=place.operator_id,
            camera_id=place.camera_id,
            consent_entry_id=permit.entry_id,
            policy_version=0,
            blob_name=name,
            store="default",
            starts_us=starts_us,
            keep_us=_KEEP_US,
            run=_RUN,
            epoch=1,
            tracks="video",
            chunk_size=chunk_size,
            bucket_key_id=made.bucket_key_id,
            bucket_hour=made.bucket_hour,
            wrapped_key=made.wrapped,
            salt=writer.salt,
        )
        segments.add(session, new)
        summary = minute.seal(writer, starts_us)
        ends_us = starts_us + MINUTE_US
        segments.close(session, segment_id, Closed(ends_us, ends_us, summary.last_tag, summary.size))
    parts.store.put(name, io.BytesIO(file.getvalue()), summary.size)
    with parts.db.writing() as session:
        segments.moved_to_store(session, segment_id)


def _rows(session: Session, permit: RecordingPermit, place: Place, rows: range, chosen: Sequence[int]) -> None:
    """All other rows by one statement. They do not overlap, and the guard that says so is slow with what is old."""
    (guard,) = guards_of(cast("Table", SegmentRow.__table__), "sqlite")[_GUARD]
    session.execute(text(f"DROP TRIGGER {_GUARD}"))
    session.execute(text("PRAGMA cache_size = -400000"))
    session.execute(text("CREATE TEMP TABLE chosen (back INTEGER PRIMARY KEY)"))
    session.execute(text("INSERT INTO chosen VALUES (:back)"), [{"back": back} for back in chosen])
    session.execute(
        text(
            """
            WITH RECURSIVE minute(back) AS
              (SELECT :first UNION ALL SELECT back + 1 FROM minute WHERE back + 1 < :last)
            INSERT INTO segment (id, operator_id, camera_id, consent_entry_id, policy_version, state, place, blob_name,
              starts_us, ends_us, keep_us, destroy_from_us, run, epoch, tracks, chunk_size, bucket_key_id, bucket_hour,
              wrapped_key, salt, last_tag, size_bytes, recovered)
            SELECT lower(hex(randomblob(16))), :operator, :camera, :entry, 0, 'stored', 'store',
              substr(lower(hex(randomblob(11))), 1, 22), :until - back * :minute, :until - back * :minute + :minute,
              :keep, :until - back * :minute + :minute + :keep, :run, 1, 'video', 8192, lower(hex(randomblob(16))),
              (:until - back * :minute) / 3600000000, randomblob(65), randomblob(32), randomblob(16), 15000000, 0
            FROM minute WHERE back NOT IN (SELECT back FROM chosen)
            """
        ),
        {
            "first": rows.start,
            "last": rows.stop,
            "operator": place.operator_id.hex,
            "camera": place.camera_id.hex,
            "entry": permit.entry_id.hex,
            "until": place.until_us,
            "minute": MINUTE_US,
            "keep": _KEEP_US,
            "run": _RUN,
        },
    )
    session.execute(text("DROP TABLE chosen"))
    session.execute(text(guard))


def cold(parts: Assembly) -> None:
    """Have the system forget what it holds of the files in the store."""
    for name in parts.store.names():
        descriptor = os.open(parts.settings.archive / name[:2] / name, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def moment_us(parts: Assembly) -> int:
    """Return the beginning of an hour that is over: where filling begins."""
    return micros(parts.clock.now()) // (60 * MINUTE_US) * 60 * MINUTE_US

"""After a crash or a failed write: close what was left open, from the file itself, losing nothing that is whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from archive.format.beginning import Beginning, DamagedBeginning, decode_beginning
from archive.format.errors import SealedFileRefused
from archive.format.index import FragmentIndex
from archive.format.rebuild import rebuild_index
from archive.format.rules import CHUNK_SIZES, HEAD
from archive.format.sealed_file import FileState, ReadAt, SealedReader, recover
from archive.keys.rules import WrapIsForeign, permit_for_recovery
from archive.keys.wrap import SegmentKeys
from archive.recorder.ahead import drop, size_of, take_in
from archive.recorder.rules import Why
from archive.recorder.standing import micros
from archive.segments import ahead, gaps
from archive.segments import store as segments
from archive.segments.ahead import Ahead
from archive.segments.rules import LONGEST_FILE_US, NO_SEAL, Segment
from archive.segments.store import Closed, Sealed
from streams.media.packets import Track
from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.durable_files import sync_folder
from vms_privacy.errors import Refusal
from vms_privacy.ids import CameraId, OperatorId, Randomness, SegmentId
from vms_privacy.keyring.port import KeyIsDestroyed, WrapIsDamaged

_NAMES_AT_ONCE: Final = 500


@dataclass(slots=True)
class RecoveryReport:
    """What was left open and became of it. `empty`: a row without a byte, taken back. `failed`: tried again later."""

    closed: list[SegmentId] = field(default_factory=list)
    empty: list[SegmentId] = field(default_factory=list)
    failed: dict[SegmentId, str] = field(default_factory=dict)
    stray_files: int = 0


@contextmanager
def _counted(report: RecoveryReport, segment_id: SegmentId) -> Iterator[None]:
    """Let one segment's failure stop no other's recovery; the report has it."""
    try:
        yield
    except (Refusal, OSError, IntegrityError) as error:
        # The database refuses what began ahead as long as what was open before it cannot be closed.
        report.failed[segment_id] = error.code if isinstance(error, Refusal) else type(error).__name__


class Recovery:
    """Closes growing segments that nobody writes any more. The caller makes sure that nobody does.

    A file that cannot be opened, whose key is gone or that is not there is closed as it is: its pictures are lost, its
    row says so and stays, and the camera can be recorded again.
    """

    def __init__(
        self, db: Database, keys: SegmentKeys, spool: Path, audit: AuditLog, clock: Clock, randomness: Randomness
    ) -> None:
        self._db = db
        self._keys = keys
        self._spool = spool
        self._audit = audit
        self._clock = clock
        self._randomness = randomness

    def left_open(self) -> set[tuple[OperatorId, CameraId]]:
        """Return whose cameras have a segment that grows, whoever writes it."""
        with self._db.reading() as session:
            return segments.growing_cameras(session) | ahead.cameras(session)

    def recover(self, camera_id: CameraId | None = None, in_use: SegmentId | None = None) -> RecoveryReport:
        """Close what a camera, or every camera, has left open; remove files that never got a row or a byte.

        What was registered ahead and has begun becomes a segment; what has not is given back, but for the one `in_use`.
        Raises FileNotFoundError where the spool itself is not there: a disk that is not mounted tells nothing.
        """
        report = RecoveryReport()
        self._spool.stat()
        with self._db.reading() as session:
            left = [one for one in segments.growing(session) if camera_id in (None, one.segment.camera_id)]
            registered = [one for one in ahead.every(session, camera_id) if one.id != in_use]
        for sealed in left:
            with _counted(report, sealed.segment.id):
                self._close(sealed, report)
        # Only now: a camera has one open segment, so what began ahead comes behind the one that was open then.
        for one in registered:
            with _counted(report, one.id):
                taken_in = self._take_in(one)
                if taken_in is not None:
                    self._close(taken_in, report)
        if camera_id is None:
            report.stray_files = self._remove_strays()
        return report

    def _take_in(self, one: Ahead) -> Sealed | None:
        """Make a segment of what has begun ahead, as its file tells it; give back what has not begun."""
        path = self._spool / one.blob_name
        if size_of(path) < HEAD:
            begun = None
        else:
            begun, chunk_size = self._told(one, path)
        with self._db.writing() as session:
            if begun is None or not take_in(session, self._randomness, one, begun, chunk_size, Why.NOT_RUNNING):
                drop(session, one, self._spool)
                if begun is not None:
                    self._note(session, one, Outcome.DONE, "opt-in-had-ended", 0)
                return None
            return segments.by_id(session, one.camera_id, one.id)

    def _told(self, one: Ahead, path: Path) -> tuple[Beginning | None, int]:
        """Return what a file tells of its beginning, and its chunk size; nothing where no chunk of it is whole.

        One that cannot be opened begins where it was registered: its row says that its pictures are lost.
        """
        try:
            key = self._keys.unwrap(permit_for_recovery(one.operator_id, one.camera_id, one.id), one.wrapped_place())
            with path.open("r+b", buffering=0) as file:
                found = recover(file, key, one.salt)
            reader = SealedReader(self._reader(path), found.summary.size, key, one.salt, found.summary.last_tag)
            return decode_beginning(reader), reader.chunk_size
        except (SealedFileRefused, DamagedBeginning, KeyIsDestroyed, WrapIsDamaged, WrapIsForeign):
            with self._db.reading() as session:
                last_us = segments.last_end_us(session, one.camera_id) or 0
            return Beginning(max(one.registered_us, last_us), "", 0, str(Track.VIDEO)), CHUNK_SIZES[0]

    def _close(self, sealed: Sealed, report: RecoveryReport) -> None:
        segment = sealed.segment
        path = self._spool / segment.blob_name
        if not path.exists():
            # The empty file was durable before its row: somebody has taken the file, or the wrong disk is mounted.
            self._close_unreadable(segment, 0, "spool-file-is-missing")
            report.closed.append(segment.id)
            return
        if path.stat().st_size == 0:
            self._take_back(segment, path)
            report.empty.append(segment.id)
            return
        try:
            key = self._keys.unwrap(
                permit_for_recovery(segment.operator_id, segment.camera_id, segment.id), sealed.wrapped_place()
            )
            with path.open("r+b", buffering=0) as file:
                found = recover(file, key, sealed.salt)
            reader = SealedReader(self._reader(path), found.summary.size, key, sealed.salt, found.summary.last_tag)
            index = self._index(reader, segment)
        except (SealedFileRefused, KeyIsDestroyed, WrapIsDamaged, WrapIsForeign) as refusal:
            self._close_unreadable(segment, path.stat().st_size, refusal.code)
            report.closed.append(segment.id)
            return
        # Times are rebuilt from the camera's own stamps: they lead no further than a file, or than time itself.
        most_us = min(segment.starts_us + LONGEST_FILE_US, micros(self._clock.now()))
        until_us = max((one.captured_until_us for one in index.entries if one.track is Track.VIDEO), default=0)
        last_us = max((one.captured_until_us for one in index.entries), default=0)
        floor_us = segment.starts_us + 1
        closed = Closed(
            max(min(until_us, most_us), floor_us),
            max(min(last_us, most_us), floor_us),
            found.summary.last_tag,
            found.summary.size,
            recovered=True,
        )
        self._write_closed(segment, closed, Outcome.DONE, "closed-after-a-crash", found.cut)
        report.closed.append(segment.id)

    def _take_back(self, segment: Segment, path: Path) -> None:
        with self._db.writing() as session:
            segments.take_back(session, segment.id)
            self._note(session, segment, Outcome.DONE, "no-byte-was-written", 0)
        path.unlink()
        sync_folder(self._spool)

    def _write_closed(self, segment: Segment, closed: Closed, outcome: Outcome, reason: str, cut: int) -> None:
        with self._db.writing() as session:
            segments.close(session, segment.id, closed)
            gaps.pull_to(session, segment.camera_id, segment.starts_us, closed.ends_us)
            self._note(session, segment, outcome, reason, cut)

    def _reader(self, path: Path) -> ReadAt:
        def read_at(offset: int, length: int) -> bytes:
            with path.open("rb", buffering=0) as file:
                file.seek(offset)
                return file.read(length)

        return read_at

    def _index(self, reader: SealedReader, segment: Segment) -> FragmentIndex:
        if reader.state is FileState.FINISHED:
            return reader.index()
        return rebuild_index(reader, segment.starts_us)

    def _close_unreadable(self, segment: Segment, size: int, code: str) -> None:
        # What is in it nobody knows: the last packet as late as one may be, so that no hold misses it, and none of it
        # is destroyed early should a key come back.
        floor_us = segment.starts_us + 1
        last_us = max(min(segment.starts_us + LONGEST_FILE_US, micros(self._clock.now())), floor_us)
        closed = Closed(floor_us, last_us, NO_SEAL, size, recovered=True)
        self._write_closed(segment, closed, Outcome.FAILED, code, size)

    def _remove_strays(self) -> int:
        """Remove empty files without a row: a crash came between making one and the commit of its row."""
        empty = [path for path in self._spool.iterdir() if path.stat().st_size == 0]
        removed = 0
        for at in range(0, len(empty), _NAMES_AT_ONCE):
            with self._db.reading() as session:
                strays = segments.unknown_blobs(session, [path.name for path in empty[at : at + _NAMES_AT_ONCE]])
            for name in strays:
                (self._spool / name).unlink()
            removed += len(strays)
        if removed:
            sync_folder(self._spool)
        return removed

    def _note(self, session: Session, segment: Segment | Ahead, outcome: Outcome, reason: str, cut: int) -> None:
        self._audit.note(
            session,
            Event(
                Tag.SEGMENT_RECOVERED,
                self._clock.now(),
                "worker:recorder",
                outcome,
                operator_id=segment.operator_id,
                camera_id=segment.camera_id,
                reason=reason,
                detail={"segment_id": str(segment.id), "bytes_cut": cut},
            ),
        )

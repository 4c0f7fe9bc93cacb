"""After a crash or a failed write: close what was left open, from the file itself, losing nothing that is whole."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from archive.format.errors import SealedFileRefused
from archive.format.index import FragmentIndex
from archive.format.rebuild import rebuild_index
from archive.format.sealed_file import FileState, ReadAt, SealedReader, recover
from archive.keys.rules import WrapIsForeign, permit_for_recovery
from archive.keys.wrap import SegmentKeys
from archive.recorder.standing import micros
from archive.segments import gaps
from archive.segments import store as segments
from archive.segments.rules import LONGEST_FILE_US, NO_SEAL, Segment
from archive.segments.store import Closed, Sealed
from streams.media.packets import Track
from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.durable_files import sync_folder
from vms_privacy.errors import Refusal
from vms_privacy.ids import CameraId, OperatorId, SegmentId
from vms_privacy.keyring.port import KeyIsDestroyed, WrapIsDamaged

_NAMES_AT_ONCE: Final = 500


@dataclass(slots=True)
class RecoveryReport:
    """What was left open and became of it. `empty`: a row without a byte, taken back. `failed`: tried again later."""

    closed: list[SegmentId] = field(default_factory=list)
    empty: list[SegmentId] = field(default_factory=list)
    failed: dict[SegmentId, str] = field(default_factory=dict)
    stray_files: int = 0


class Recovery:
    """Closes growing segments that nobody writes any more. The caller makes sure that nobody does.

    A file that cannot be opened, whose key is gone or that is not there is closed as it is: its pictures are lost, its
    row says so and stays, and the camera can be recorded again.
    """

    def __init__(self, db: Database, keys: SegmentKeys, spool: Path, audit: AuditLog, clock: Clock) -> None:
        self._db = db
        self._keys = keys
        self._spool = spool
        self._audit = audit
        self._clock = clock

    def left_open(self) -> set[tuple[OperatorId, CameraId]]:
        """Return whose cameras have a segment that grows, whoever writes it."""
        with self._db.reading() as session:
            return segments.growing_cameras(session)

    def recover(self, camera_id: CameraId | None = None) -> RecoveryReport:
        """Close what a camera, or every camera, has left open; remove files that never got a row or a byte.

        Raises FileNotFoundError where the spool itself is not there: a disk that is not mounted tells nothing.
        """
        report = RecoveryReport()
        self._spool.stat()
        with self._db.reading() as session:
            left = [one for one in segments.growing(session) if camera_id in (None, one.segment.camera_id)]
        for sealed in left:
            try:
                self._close(sealed, report)
            except (Refusal, OSError) as error:
                code = error.code if isinstance(error, Refusal) else type(error).__name__
                report.failed[sealed.segment.id] = code
        if camera_id is None:
            report.stray_files = self._remove_strays()
        return report

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
        floor_us = segment.starts_us + 1
        closed = Closed(floor_us, floor_us, NO_SEAL, size, recovered=True)
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

    def _note(self, session: Session, segment: Segment, outcome: Outcome, reason: str, cut: int) -> None:
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

"""Recorded footage without a recorder: real sealed files and their rows, of exactly the fragments a test names."""

import io
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import select

from archive.blobs.folder_store import FolderStore
from archive.blobs.spool import create
from archive.erasure.service import Eraser
from archive.erasure.tools import Tools
from archive.format import rules as sizes
from archive.format.sealed_file import SealedWriter
from archive.keys.service import BucketKeys
from archive.keys.wrap import SegmentKeys
from archive.mandates.edges import Edges
from archive.playback.service import Footage
from archive.recorder.growing import Growing, GrowingFile
from archive.retention.service import RetentionService
from archive.retention.terms import OperatorTerms
from archive.segments import store as segments
from archive.segments.rules import Place, Segment
from archive.segments.store import Closed, NewSegment
from archive.segments.tables import SegmentRow
from auth.resources.rules import Resource
from auth.resources.store import ResourceStore
from auth.tokens.handles import random_name
from streams.media.packets import Epoch, Fragment
from tests.given.clock import HandClock
from tests.given.consent import opt_in
from tests.given.rows import every
from tests.given.tokens import TokenParts
from vms_privacy.approvals.service import Approvals
from vms_privacy.consent.ledger import ConsentLedger
from vms_privacy.consent.rules import RecordingPermit
from vms_privacy.ids import CameraId, SegmentId, WorkerId

HOURS_72 = timedelta(hours=72)
_MICROSECOND = timedelta(microseconds=1)


class GatedStore(FolderStore):
    """Reads only while its gate is open."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.gate = threading.Event()
        self.gate.set()
        self.waiting = threading.Semaphore(0)

    def read(self, name: str, offset: int, length: int) -> bytes:
        if not self.gate.is_set():
            self.waiting.release()
            assert self.gate.wait(20)
        return super().read(name, offset, length)


class Vault:
    """Spool, store, keys and rows of recorded footage; the cameras in it are opted in when first recorded."""

    def __init__(self, parts: TokenParts, clock: HandClock, folder: Path) -> None:
        self.parts, self.clock = parts, clock
        self.db, self.randomness = parts.db, parts.randomness
        self.spool = folder / "spool"
        self.spool.mkdir()
        self.folder = folder / "archive"
        FolderStore.create(self.folder)
        self.store = GatedStore(self.folder)
        self.keys = SegmentKeys(parts.keyring, self.randomness, clock)
        self.ledger = ConsentLedger(parts.audit, clock, self.randomness, parts.journal, ResourceStore())
        self.growing: dict[CameraId, GrowingFile] = {}
        self.before_growing: Callable[[], None] = lambda: None
        self.footage = Footage(self.db, clock, self.keys, self.spool, self.store, self._growing)
        approvals = Approvals(parts.audit, clock, self.randomness)
        retention = RetentionService(parts.audit, parts.journal, clock, self.randomness, approvals)
        self.eraser = Eraser(
            Tools(
                self.db,
                self.keys,
                BucketKeys(parts.keyring, self.keys, clock),
                self.store,
                self.spool,
                parts.journal,
                parts.audit,
                clock,
                self.randomness,
                WorkerId(UUID(int=1)),
                Edges(self.keys, self.spool, self.store, self.randomness, lambda: random_name(self.randomness)),
                OperatorTerms(retention, parts.audit, parts.journal, clock, self.randomness),
                (self.footage,),
            )
        )

    def record(
        self,
        camera: Resource,
        epoch: Epoch,
        fragments: Sequence[Fragment],
        *,
        run: str = "run-1",
        keep: timedelta = HOURS_72,
        place: Place = Place.STORE,
        chunk_size: int = 4096,
    ) -> SegmentId:
        """Seal one closed segment."""
        segment_id = self.grow(camera, epoch, fragments, run=run, keep=keep, chunk_size=chunk_size)
        self.close(camera, place)
        return segment_id

    def grow(
        self,
        camera: Resource,
        epoch: Epoch,
        fragments: Sequence[Fragment],
        *,
        run: str = "run-1",
        keep: timedelta = HOURS_72,
        chunk_size: int = 4096,
    ) -> SegmentId:
        """Begin a segment that goes on growing."""
        permit = self._permit(camera)
        segment_id, name = SegmentId(self.randomness.uuid()), random_name(self.randomness)
        tracks = frozenset(fragment.track for fragment in fragments)
        starts_us = fragments[0].captured_from_us
        file = create(self.spool / name)
        with self.db.writing() as session:
            made = self.keys.new(session, permit, camera.operator_id, segment_id, starts_us)
            writer = SealedWriter(file, made.key, chunk_size, self.randomness)
            row = NewSegment(
                id=segment_id,
                operator_id=camera.operator_id,
                camera_id=camera.camera_id,
                consent_entry_id=permit.entry_id,
                policy_version=0,
                blob_name=name,
                store="default",
                starts_us=starts_us,
                keep_us=keep // _MICROSECOND,
                run=run,
                epoch=epoch.number,
                tracks="+".join(sorted(tracks, reverse=True)),
                chunk_size=chunk_size,
                bucket_key_id=made.bucket_key_id,
                bucket_hour=made.bucket_hour,
                wrapped_key=made.wrapped,
                salt=writer.salt,
            )
            segments.add(session, row)
        growing = GrowingFile(segment_id, camera.camera_id, starts_us, file, writer, epoch.init[tracks])
        self.growing[camera.camera_id] = growing
        self.add(camera, fragments)
        return segment_id

    def add(self, camera: Resource, fragments: Sequence[Fragment]) -> None:
        """Let the growing segment grow."""
        for fragment in fragments:
            self.growing[camera.camera_id].add(fragment, self.clock.monotonic())

    def close(self, camera: Resource, place: Place = Place.STORE) -> None:
        """Close the growing segment, and take it to the store."""
        file = self.growing[camera.camera_id]
        summary = file.finish()
        del self.growing[camera.camera_id]
        closed = Closed(file.until_us, file.last_packet_until_us, summary.last_tag, summary.size)
        with self.db.writing() as session:
            segments.close(session, file.segment_id, closed)
        if place is Place.STORE:
            self.deliver(file.segment_id)

    def leave(self) -> None:
        """Close what still grows as it is, as the end of the service does."""
        for file in self.growing.values():
            file.abandon()
        self.growing.clear()

    def shorten(self, camera: Resource, keep: timedelta) -> None:
        """Lower the retention of what is recorded already."""
        with self.db.writing() as session:
            segments.shorten(session, camera.camera_id, keep // _MICROSECOND)

    def destroy_key(self) -> None:
        """Destroy every bucket key, and say nothing of it in any row."""
        for key in self.parts.keyring.bucket_keys():
            self.parts.keyring.destroy_bucket_keys([key])
        with self.db.reading() as session:
            self.keys.evict([one.id for one in every(session)])

    def row(self, segment_id: SegmentId) -> Segment:
        with self.db.reading() as session:
            return next(one for one in every(session) if one.id == segment_id)

    def damage(self, segment_id: SegmentId, offset: int) -> None:
        """Change one bit of a stored file; a negative offset counts from its end."""
        path = self.path(segment_id)
        octets = bytearray(path.read_bytes())
        octets[offset] ^= 1
        path.write_bytes(octets)

    def damage_fragment(self, segment_id: SegmentId, place: int) -> None:
        """Change one bit inside of a fragment that somebody has played."""
        at = self.footage._files._known[segment_id].index.entries[place].offset + 50
        with self.db.reading() as session:
            (chunk_size,) = session.scalars(select(SegmentRow.chunk_size).where(SegmentRow.id == segment_id))
        self.damage(segment_id, sizes.offset_of(at // chunk_size, chunk_size) + at % chunk_size)

    def damage_wrap(self, segment_id: SegmentId) -> None:
        """Change one bit of the wrapped key in the row."""
        with self.db.writing() as session:
            row = session.get_one(SegmentRow, segment_id)
            assert row.wrapped_key is not None
            row.wrapped_key = row.wrapped_key[:-1] + bytes((row.wrapped_key[-1] ^ 1,))

    @staticmethod
    def named(uri: str) -> tuple[SegmentId, int]:
        """The segment and the first place that the address of a piece names."""
        _, segment_id, places = uri.split("/")
        return SegmentId(UUID(segment_id)), int(places.split("-")[0])

    def path(self, segment_id: SegmentId) -> Path:
        name = self.row(segment_id).blob_name
        return self.folder / name[:2] / name

    def deliver(self, segment_id: SegmentId) -> None:
        """Take a closed segment from the spool to the store."""
        segment = self.row(segment_id)
        assert segment.size_bytes is not None
        path = self.spool / segment.blob_name
        self.store.put(segment.blob_name, io.BytesIO(path.read_bytes()), segment.size_bytes)
        with self.db.writing() as session:
            segments.moved_to_store(session, segment.id)
        path.unlink()

    def _permit(self, camera: Resource) -> RecordingPermit:
        with self.db.writing() as session:
            permit = self.ledger.permit(session, camera.camera_id)
            if permit is None:
                opt_in(self.ledger, session, self.clock, camera.operator_id, camera.camera_id)
                permit = self.ledger.permit(session, camera.camera_id)
        assert permit is not None
        return permit

    def _growing(self, camera_id: CameraId) -> Growing | None:
        before, self.before_growing = self.before_growing, lambda: None
        before()
        file = self.growing.get(camera_id)
        return None if file is None else file.snapshot()

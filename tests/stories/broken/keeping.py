"""Broken parts on the way of what is kept: ledger, recorder, playback, sweep, keyring, store."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, ClassVar, Final
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from archive.blobs.folder_store import FolderStore
from archive.blobs.router import StoreRouter
from archive.blobs.rules import DEFAULT_STORE
from archive.blobs.store import BlobStore
from archive.erasure.service import Eraser
from archive.erasure.tools import SweepReport
from archive.format.sealed_file import SealedWriter
from archive.orders import store as orders
from archive.orders.rules import FOREVER_US
from archive.playback.opening import Look, Seen
from archive.playback.rules import Bounds
from archive.playback.service import Footage, Part
from archive.recorder.tools import Tools
from archive.retention.rules import Policy
from archive.retention.service import RetentionService
from archive.segments.rules import Span
from archive.segments.store_names import RowStores
from archive.segments.tables import SegmentRow
from auth.principal import Granted
from auth.resources.store import ResourceStore
from auth.tokens.handles import random_name
from vms_privacy.app import Assembly
from vms_privacy.consent.ledger import ConsentLedger
from vms_privacy.consent.rules import ConsentKind, LegalBasis, Method, Paused, RecordingPermit, permit_at
from vms_privacy.consent.store import Active
from vms_privacy.consent.tables import ConsentHeadRow
from vms_privacy.consent.wording import current
from vms_privacy.db import Database, Reading, connection_of
from vms_privacy.db_guards import guards_of
from vms_privacy.ids import BucketKeyId, CameraId
from vms_privacy.keyring.file_keyring import FileKeyring
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.rules import context_of
from vms_privacy.keyring.wrapping import unwrap


class PermitIsForged(Assembly):
    """Once two cameras were opted in, silence counts as a yes: the ledger enters an opt-in that nobody gave.

    It has to enter one: the database takes no segment on a permit alone.
    """

    @cached_property
    def ledger(self) -> ConsentLedger:
        ledger = _EagerLedger(self.audit, self.clock, self.randomness, self.journal, ResourceStore())
        ledger.db = self.db
        return ledger


class _EagerLedger(ConsentLedger):
    db: Database
    _asked: frozenset[CameraId] = frozenset()

    def permit(self, session: Session, camera_id: CameraId) -> RecordingPermit | None:
        self._asked |= {camera_id}
        return super().permit(session, camera_id)

    def active(self, asked: Reading) -> Active:
        found = super().active(asked)
        if len(found) == 2:
            for camera_id in self._asked:
                with self.db.reading() as session:
                    if not self.history(session, camera_id):
                        self._forge(session, camera_id)
        return found

    def _forge(self, session: Session, camera_id: CameraId) -> None:
        camera = ResourceStore().by_id(session, camera_id)
        assert camera is not None
        with self.db.writing() as own:
            self.opt_in(
                own,
                f"person:{UUID(int=1)}",
                camera.operator_id,
                camera_id,
                ConsentKind.VIDEO_RECORDING,
                "protection of the premises",
                LegalBasis.LEGITIMATE_INTERESTS,
                self._clock.now() - timedelta(hours=1),
                current(ConsentKind.VIDEO_RECORDING).version,
                Method.API,
            )


class CipherIsOff(Assembly):
    """Beside each sealed file its media is kept in clear, where only a search of the whole disk finds it."""

    @cached_property
    def recorder_tools(self) -> Tools:
        folder = self.settings.data_dir / "cache"
        folder.mkdir()

        class Writer(_LeakyWriter):
            cache = folder

        return replace(super().recorder_tools, new_writer=Writer)


class _LeakyWriter(SealedWriter):
    cache: ClassVar[Path]

    def write(self, plain: bytes | memoryview) -> None:
        super().write(plain)
        with (self.cache / f"{self.salt.hex()}.part").open("ab") as file:
            file.write(plain)


class PictureIsDropped(Assembly):
    """Of what is played from the archive the last fragment before a later key picture is left out."""

    @cached_property
    def footage(self) -> Footage:
        return _LossyFootage(self.db, self.clock, self.keys, self.settings.spool, self.store, self.recorder.growing)


class _LossyFootage(Footage):
    def find(self, look: Look, wanted: Span) -> list[Part]:
        return [left for part in super().find(look, wanted) for left in self._without_one(part)]

    def _without_one(self, part: Part) -> list[Part]:
        keys = [at for at in part.chosen if part.index.entries[at].starts_with_key]
        if len(keys) < 2 or keys[1] - part.chosen.start < 2:
            return [part]
        # Both halves begin with a key picture, as every selection does.
        before, after = range(part.chosen.start, keys[1] - 1), range(keys[1], part.chosen.stop)
        return [replace(part, chosen=before), replace(part, chosen=after)]


class RecorderIsDeaf(Assembly):
    """The recorder hears of the first camera's withdrawal late."""

    @cached_property
    def recorder_tools(self) -> Tools:
        tools = super().recorder_tools
        ledger = _DeafLedger(self.audit, self.clock, self.randomness, self.journal, ResourceStore())
        return replace(tools, ledger=ledger)


class _DeafLedger(ConsentLedger):
    """Says for 0.8 s from a withdrawal on what it said before, however late somebody asks.

    A second later the check would find it too: up to then the end of a picture may be a guess.
    """

    LATE = timedelta(seconds=0.8)
    _camera_id: CameraId | None = None
    _permit: RecordingPermit | None = None

    def permit(self, session: Session, camera_id: CameraId) -> RecordingPermit | None:
        found = super().permit(session, camera_id)
        if found is not None and self._camera_id in (None, camera_id):
            self._camera_id, self._permit = camera_id, found
        return self._permit if self._does_not_hear(session, camera_id) else found

    def active(self, asked: Reading) -> Active:
        found, known, camera_id = dict(super().active(asked)), self._permit, self._camera_id
        if known is not None and camera_id is not None and self._does_not_hear(asked, camera_id):
            found[camera_id, ConsentKind.VIDEO_RECORDING] = known.entry_id
        return found

    def stopped_at(self, session: Session, camera_id: CameraId) -> datetime | None:
        return None if self._does_not_hear(session, camera_id) else super().stopped_at(session, camera_id)

    def _does_not_hear(self, asked: Reading, camera_id: CameraId) -> bool:
        known = self._permit
        if known is None or camera_id != self._camera_id or known.entry_id in super().active(asked).values():
            return False
        head = select(ConsentHeadRow.changed_at).where(
            ConsentHeadRow.camera_id == camera_id, ConsentHeadRow.kind == ConsentKind.VIDEO_RECORDING
        )
        withdrawn_at: datetime = connection_of(asked).execute(head).scalar_one()
        return self._clock.now() < withdrawn_at + self.LATE


class TimesAreNotAsked(Assembly):
    """The recorder's permits are made without the camera's recording times.

    The check allows two seconds for hearing of them, and the story pauses for less.
    """

    @cached_property
    def recorder_tools(self) -> Tools:
        ledger = _TimelessLedger(self.audit, self.clock, self.randomness, self.journal, ResourceStore())
        return replace(super().recorder_tools, ledger=ledger)


class _TimelessLedger(ConsentLedger):
    def permit(self, session: Session, camera_id: CameraId) -> RecordingPermit | None:
        return permit_at(self.history(session, camera_id), camera_id, self._clock.for_reading())

    def paused(self, session: Session, camera_id: CameraId) -> Paused | None:
        return None


class ExpiryGateIsOff(Assembly):
    """What has expired is shown until its key is destroyed."""

    @cached_property
    def footage(self) -> Footage:
        return _PatientFootage(self.db, self.clock, self.keys, self.settings.spool, self.store, self.recorder.growing)


class _PatientFootage(Footage):
    def allowed(self, look: Look, seen: Seen) -> Bounds:
        real, segment = super().allowed(look, seen), seen.sealed.segment
        with self._db.reading() as session:
            # What is held is another step's.
            span = Span(segment.starts_us, FOREVER_US if segment.ends_us is None else segment.ends_us)
            is_held = bool(orders.touching(session, look.camera_id, span))
        return real if is_held else replace(real, kept_from_us=0)


class LongerReachesBack(Assembly):
    """A longer retention is given to what was taken before as well, with the database's guard taken off for it."""

    @cached_property
    def retention(self) -> RetentionService:
        return _GenerousRetention(self.audit, self.journal, self.clock, self.randomness, self.approvals)


class _GenerousRetention(RetentionService):
    def set(self, session: Session, granted: Granted, keep_for: timedelta, justification: str) -> Policy:
        assert granted.camera_id is not None
        before = self.current(session, granted.camera_id)
        policy = super().set(session, granted, keep_for, justification)
        if policy.keep_us > before.keep_us:
            told = {"camera": granted.camera_id.hex, "old": before.keep_us, "new": policy.keep_us}
            (guard,) = guards_of(SegmentRow.__table__, "sqlite")[_GUARD]  # type: ignore[arg-type]
            session.execute(text(f"DROP TRIGGER {_GUARD}"))
            for statement in _REACHES_BACK:
                session.execute(text(statement), told)
            session.execute(text(guard))
        return policy


_GUARD: Final = "segment_is_never_kept_longer"
# The sums by day go with the rows: that they are right is another step's.
_REACHES_BACK: Final = (
    """UPDATE segment SET keep_us = :new, destroy_from_us = destroy_from_us + :new - :old
    WHERE camera_id = :camera AND keep_us = :old""",
    "UPDATE footage_day SET keep_us = :new WHERE camera_id = :camera AND keep_us = :old",
)


class SweepIsIdle(Assembly):
    """The sweep rests for long between two rounds. It does wake: later steps need what it destroys."""

    @cached_property
    def eraser(self) -> Eraser:
        real = super().eraser
        return _IdleEraser(real, 12.0, self.clock.monotonic)


class _IdleEraser(Eraser):
    def __init__(self, real: Eraser, rest_s: float, monotonic: Callable[[], float]) -> None:
        self.__dict__.update(real.__dict__)
        self._rest_s = rest_s
        self._monotonic = monotonic
        self._swept_at_s = monotonic()

    def sweep(self) -> SweepReport:
        if self._monotonic() - self._swept_at_s < self._rest_s:
            return SweepReport()
        self._swept_at_s = self._monotonic()
        return super().sweep()


class KeyringKeepsCopies(Assembly):
    """A bucket key that was destroyed answers again after a while, out of a copy in memory.

    Not at once: the sample that every erasure tries would find it out, and nothing would ever be said to be destroyed.
    """

    @cached_property
    def keyring(self) -> FileKeyring:
        return _HoardingKeyring(self.settings.keyring, self.clock, self.randomness)


_SILENT_S: Final = 1.0


class _HoardingKeyring(FileKeyring):
    def destroy_bucket_keys(self, bucket_keys: Collection[BucketKeyId]) -> frozenset[BucketKeyId]:
        for one in self.bucket_keys().intersection(bucket_keys):
            self._hoard[one] = (self._clock.monotonic() + _SILENT_S, self._bucket(one))
        return super().destroy_bucket_keys(bucket_keys)

    def unwrap_in_bucket(self, bucket_key: BucketKeyId, wrapped: bytes, associated: bytes) -> KeyBytes:
        since_s, copy = self._hoard.get(bucket_key, (math.inf, None))
        if copy is None or self._clock.monotonic() < since_s:
            return super().unwrap_in_bucket(bucket_key, wrapped, associated)
        return KeyBytes(unwrap(copy, wrapped[1:], context_of(b"segment key", bucket_key.bytes), associated))

    @cached_property
    def _hoard(self) -> dict[BucketKeyId, tuple[float, KeyBytes]]:
        return {}


class StrangerInTheStore(Assembly):
    """The store keeps a second copy of everything, under a name that no row knows."""

    @cached_property
    def stores(self) -> Mapping[str, BlobStore]:
        store = _DoublingStore(self.settings.archive)
        store.new_name = lambda: random_name(self.randomness)
        return {**super().stores, DEFAULT_STORE: store}


class EverybodyToOneStore(Assembly):
    """Every blob is led to the first store, whatever its row says."""

    @cached_property
    def store(self) -> BlobStore:
        return StoreRouter(self.stores, _OneStore(self.db))


class _OneStore(RowStores):
    def of(self, names: Sequence[str]) -> Mapping[str, str]:
        return dict.fromkeys(super().of(names), DEFAULT_STORE)


class _DoublingStore(FolderStore):
    new_name: Callable[[], str]

    def put(self, name: str, source: BinaryIO, size: int) -> None:
        super().put(name, source, size)
        source.seek(0)
        super().put(self.new_name(), source, size)

"""A keyring on disk, an opted-in camera, and segment keys between them."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from archive.keys.rules import (
    WrappedKey,
    permit_from,
)
from archive.keys.service import BucketKeys, Replacement
from archive.keys.wrap import NewSegmentKey, SegmentKeys
from auth.principal import Granted, Principal, PrincipalKind, Right
from auth.tokens.rules import Purpose
from tests.given.clock import HandClock
from tests.given.consent import Cameras, make_ledger, opt_in
from tests.given.randomness import CountedRandomness
from vms_privacy.consent.rules import RecordingPermit
from vms_privacy.db import Database
from vms_privacy.ids import BucketKeyId, CameraId, GrantId, OperatorId, PersonId, SegmentId
from vms_privacy.keyring.file_keyring import FileKeyring

OPERATOR, OTHER_OPERATOR = OperatorId(uuid.UUID(int=1)), OperatorId(uuid.UUID(int=2))
CAMERA, OTHER_CAMERA = CameraId(uuid.UUID(int=11)), CameraId(uuid.UUID(int=12))
PERSON = Principal(PrincipalKind.PERSON, PersonId(uuid.UUID(int=21)), OPERATOR)
NOON_US = 1_894_708_800_000_000
HOUR = NOON_US // 3_600_000_000


def granted(right: Right = Right.ARCHIVE, camera: CameraId | None = CAMERA, who: Principal = PERSON) -> Granted:
    return Granted(who, right, OPERATOR, camera, GrantId(uuid.UUID(int=31)), 1)


LOOK = permit_from(granted(), Purpose.ARCHIVE_VIEW)


@dataclass
class World:
    """A keyring on disk, a ledger with one opted-in camera, and the keys between them."""

    db: Database
    clock: HandClock
    keyring: FileKeyring
    randomness: CountedRandomness
    keys: SegmentKeys
    buckets: BucketKeys
    ask: Callable[[], RecordingPermit]

    def new(self, at_us: int = NOON_US, permit: RecordingPermit | None = None) -> tuple[NewSegmentKey, WrappedKey]:
        """A key of a new segment, and the row it would have."""
        segment_id = SegmentId(self.randomness.uuid())
        with self.db.writing() as session:
            made = self.keys.new(session, permit or self.ask(), OPERATOR, segment_id, at_us)
        return made, WrappedKey(OPERATOR, CAMERA, segment_id, made.bucket_key_id, made.wrapped)

    def rekey(self, old: BucketKeyId, survivors: list[WrappedKey], doomed: list[WrappedKey]) -> list[WrappedKey]:
        """All steps of a re-key."""
        successor = self.buckets.make_successor() if survivors else None
        with self.db.writing() as session:
            moved = self.buckets.replace(session, [Replacement(old, successor, survivors)])
        assert self.buckets.destroy([old], [one.segment_id for one in doomed]) == {old}
        with self.db.writing() as session:
            self.buckets.note_destroyed(session, [old])
        return moved


def make_world(db: Database, clock: HandClock, randomness: CountedRandomness, tmp_path: Path) -> World:
    """Join real parts; the camera is opted in."""
    keyring = FileKeyring.create(tmp_path / "keyring", clock, CountedRandomness("keyring"))
    cameras = Cameras()
    cameras.add(CAMERA, OPERATOR)
    ledger = make_ledger(db, clock, tmp_path, cameras)
    with db.writing() as session:
        opt_in(ledger, session, clock, OPERATOR, CAMERA)

    def ask() -> RecordingPermit:
        with db.reading() as session:
            permit = ledger.permit(session, CAMERA)
        assert permit is not None
        return permit

    keys = SegmentKeys(keyring, randomness, clock)
    return World(db, clock, keyring, randomness, keys, BucketKeys(keyring, keys, clock), ask)

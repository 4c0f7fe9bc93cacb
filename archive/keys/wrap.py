"""Segment keys in the clear: made here, wrapped here, opened here. See docs/design/keys.md."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy.orm import Session

from archive.keys import store
from archive.keys.rules import (
    Bucket,
    CheckPermit,
    DecryptPermit,
    EdgePermit,
    PermitIsOld,
    WrappedKey,
    associated_data,
    hour_of,
    refuse_unless_covered,
    split_wrap,
    wrap_header,
)
from vms_privacy.clock import Clock
from vms_privacy.consent.rules import RecordingPermit
from vms_privacy.db import after_commit
from vms_privacy.ids import BucketKeyId, CameraId, OperatorId, Randomness, SegmentId
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyIsDestroyed, Keyring
from vms_privacy.keyring.short_memory import ShortMemory

_KEY_SIZE: Final = 32


@dataclass(frozen=True, slots=True)
class NewSegmentKey:
    """The key of a file that does not exist yet, and what its row keeps of it."""

    key: KeyBytes
    wrapped: bytes
    bucket_key_id: BucketKeyId
    bucket_hour: int


@dataclass(frozen=True, slots=True)
class PartKey:
    """The key of a file that takes a kept part: of whose segment, and in no row before it is wrapped."""

    key: KeyBytes
    permit: EdgePermit


class SegmentKeys:
    """Makes, opens and re-wraps segment keys. Thread-safe.

    An opened key is remembered for at most 30 s, for exactly the row it was opened for, and not at all once
    `evict` was told of its segment.
    """

    def __init__(self, keyring: Keyring, randomness: Randomness, clock: Clock) -> None:
        self._keyring = keyring
        self._randomness = randomness
        self._clock = clock
        self._opened: ShortMemory[tuple[WrappedKey, KeyBytes]] = ShortMemory(clock)
        self._lock = threading.Lock()
        self._evictions = 0
        self._spares: dict[CameraId, BucketKeyId] = {}

    def new(
        self,
        session: Session,
        permit: RecordingPermit,
        operator_id: OperatorId,
        segment_id: SegmentId,
        starts_us: int,
    ) -> NewSegmentKey:
        """Make the key of one new file of the permit's camera (P1), under the bucket of its first picture's hour.

        The bucket's row is written with the caller's transaction; if that is rolled back, a bucket key that never
        wrapped anything is left, and the camera's next one is that one: of each camera there is one at most. Raises
        PermitIsOld, KeyringUnavailable, and KeyIsDestroyed where the bucket key is not in the keyring.
        """
        if self._clock.for_reading() >= permit.ask_again_at:
            raise PermitIsOld("ask the ledger again before a new key")
        key = KeyBytes(self._randomness.octets(_KEY_SIZE))
        return self._under_its_bucket(session, operator_id, permit.camera_id, segment_id, starts_us, key)

    def make_for_part(self, permit: EdgePermit) -> PartKey:
        """Make the key of a file that takes a kept part; nothing keeps it but whoever seals, until `wrap_part`."""
        return PartKey(KeyBytes(self._randomness.octets(_KEY_SIZE)), permit)

    def wrap_part(self, session: Session, part: PartKey, part_id: SegmentId, starts_us: int) -> NewSegmentKey:
        """Wrap the key of a kept part under the bucket of its first picture's hour, as `new` does.

        What is kept was recorded under an opt-in: no other is needed. Raises KeyringUnavailable, KeyIsDestroyed.
        """
        origin = part.permit.wrap
        return self._under_its_bucket(session, origin.operator_id, origin.camera_id, part_id, starts_us, part.key)

    def unwrap(self, permit: DecryptPermit, wrapped: WrappedKey) -> KeyBytes:
        """Open a segment key for whoever may. Raises MayNotDecrypt, KeyIsDestroyed, WrapIsDamaged, WrapIsForeign."""
        refuse_unless_covered(permit, wrapped)
        found = self._opened.get(wrapped.segment_id)
        if found is not None and found[0] == wrapped:
            return found[1]
        seen = self._evictions
        key = self._open(wrapped)
        with self._lock:
            # An eviction since then may have been meant for this key: it is used once and not remembered.
            if seen == self._evictions:
                self._opened.keep(wrapped.segment_id, (wrapped, key))
        return key

    def unwrap_for_check(self, permit: CheckPermit) -> KeyBytes:
        """Open the segment key of one file that is looked after, and remember it nowhere. Raises as `unwrap`.

        A guard keeps the one caller: `archive.check.opening`.
        """
        return self._open(permit.wrap)

    def unwrap_for_edge(self, permit: EdgePermit) -> KeyBytes:
        """Open the segment key of one file that a mandate covers in part, and remember it nowhere. Raises as `unwrap`.

        A guard keeps the one caller: `archive.erasure.edges`.
        """
        return self._open(permit.wrap)

    def rewrap(self, wrapped: WrappedKey, successor: Bucket) -> WrappedKey:
        """Move a segment key under another generation of its bucket; nobody gets to see it. Raises as `unwrap`."""
        if (wrapped.operator_id, wrapped.camera_id) != (successor.operator_id, successor.camera_id):
            raise ValueError("a segment key stays with its camera")
        key = self._open(wrapped)
        place = WrappedKey(wrapped.operator_id, wrapped.camera_id, wrapped.segment_id, successor.bucket_key_id, b"")
        return WrappedKey(
            place.operator_id,
            place.camera_id,
            place.segment_id,
            place.bucket_key_id,
            self._wrapped(place, successor, key),
        )

    def evict(self, segment_ids: Iterable[SegmentId]) -> None:
        """Forget these keys now; an opening that is under way is not remembered either."""
        with self._lock:
            self._evictions += 1
            for segment_id in segment_ids:
                self._opened.forget(segment_id)

    def forget_old(self) -> None:
        """Let go of keys past their 30 s; for a timer, since an idle memory forgets nothing by itself."""
        self._opened.forget_old()

    @property
    def remembered(self) -> int:
        """How many opened segment keys are in memory now; for the metrics."""
        return len(self._opened)

    def _under_its_bucket(
        self,
        session: Session,
        operator_id: OperatorId,
        camera_id: CameraId,
        segment_id: SegmentId,
        starts_us: int,
        key: KeyBytes,
    ) -> NewSegmentKey:
        bucket = self._bucket(session, camera_id, operator_id, hour_of(starts_us))
        place = WrappedKey(operator_id, camera_id, segment_id, bucket.bucket_key_id, b"")
        try:
            wrapped = self._wrapped(place, bucket, key)
        except KeyIsDestroyed:
            # The keyring is not the one in which it was made: nothing is ever begun under it.
            self._let_go(camera_id, bucket.bucket_key_id)
            raise
        return NewSegmentKey(key, wrapped, bucket.bucket_key_id, bucket.hour)

    def _bucket(self, session: Session, camera_id: CameraId, operator_id: OperatorId, hour: int) -> Bucket:
        found = store.current(session, camera_id, hour)
        if found is not None and found.operator_id != operator_id:
            raise ValueError("a camera stays with its operator")
        if found is not None:
            return found
        generation = store.next_generation(session, camera_id, hour)
        unused = self._unused_key(session, camera_id)
        made = Bucket(unused, operator_id, camera_id, hour, generation)
        store.add(session, made, self._clock.now())
        return made

    def _unused_key(self, session: Session, camera_id: CameraId) -> BucketKeyId:
        """Return a key that wraps nothing yet: the one that an attempt that failed has left, or a new one."""
        with self._lock:
            spare = self._spares.get(camera_id)
        # The attempt may have been committed although it ended in an error.
        if spare is None or store.by_id(session, spare) is not None:
            spare = self._keyring.create_bucket_key()
            with self._lock:
                self._spares[camera_id] = spare
        after_commit(session, partial(self._let_go, camera_id, spare))
        return spare

    def _let_go(self, camera_id: CameraId, spare: BucketKeyId) -> None:
        with self._lock:
            if self._spares.get(camera_id) == spare:
                del self._spares[camera_id]

    def _wrapped(self, place: WrappedKey, bucket: Bucket, key: KeyBytes) -> bytes:
        associated = associated_data(place, bucket.generation)
        inner = self._keyring.wrap_in_bucket(bucket.bucket_key_id, key, associated)
        return wrap_header(bucket.generation) + inner

    def _open(self, wrapped: WrappedKey) -> KeyBytes:
        generation, inner = split_wrap(wrapped.wrapped)
        associated = associated_data(wrapped, generation)
        return self._keyring.unwrap_in_bucket(wrapped.bucket_key_id, inner, associated)

"""Re-keying a bucket: how some of its segments are destroyed while the others live on. docs/design/keys.md."""

from collections.abc import Iterable, Sequence

from sqlalchemy.orm import Session

from archive.keys import store
from archive.keys.rules import Bucket, WrappedKey
from archive.keys.wrap import SegmentKeys
from vms_privacy.clock import Clock
from vms_privacy.ids import BucketKeyId, SegmentId
from vms_privacy.keyring.port import Keyring


class BucketKeys:
    """The steps of a re-key, each repeatable, in this order: make a successor, replace, destroy, note.

    Between `replace` and `destroy` the old key still exists and wraps nothing living; `unfinished` finds it again
    after a crash. Only after `destroy` has returned may anybody say that the key is destroyed.
    """

    def __init__(self, keyring: Keyring, keys: SegmentKeys, clock: Clock) -> None:
        self._keyring = keyring
        self._keys = keys
        self._clock = clock

    def make_successor(self) -> BucketKeyId:
        """Make a bucket key, durable on return, that nothing is wrapped under yet. Raises KeyringUnavailable."""
        return self._keyring.create_bucket_key()

    def replace(
        self,
        session: Session,
        old: BucketKeyId,
        successor: BucketKeyId | None,
        survivors: Sequence[WrappedKey],
    ) -> list[WrappedKey]:
        """Re-wrap the survivors of `old` under its successor; the caller stores what is returned in this transaction.

        With no survivors there need be no successor: new keys of the hour get one when they come. Raises LookupError
        for a key that was never registered, KeyIsDestroyed, WrapIsDamaged.
        """
        bucket = store.by_id(session, old)
        if bucket is None:
            raise LookupError("no such bucket")
        if any(one.bucket_key_id != old for one in survivors):
            raise ValueError("a survivor of another bucket")
        if survivors and successor is None:
            raise ValueError("survivors need a successor")
        now = self._clock.now()
        store.mark_replaced(session, old, now)
        if successor is None:
            return []
        generation = store.next_generation(session, bucket.camera_id, bucket.hour)
        made = Bucket(successor, bucket.operator_id, bucket.camera_id, bucket.hour, generation)
        store.add(session, made, now)
        return [self._keys.rewrap(one, made) for one in survivors]

    def destroy(self, old: BucketKeyId, destroyed: Iterable[SegmentId]) -> bool:
        """Destroy a replaced bucket key, durable on return; say whether it was there. Raises KeyringUnavailable.

        `destroyed` are the segments that die with it: their opened keys are forgotten, here and now.
        """
        gone = tuple(destroyed)
        self._keys.evict(gone)
        was_there = self._keyring.destroy_bucket_key(old)
        # Again: a reader may have opened one of them between the first eviction and the destruction.
        self._keys.evict(gone)
        return was_there

    def note_destroyed(self, session: Session, old: BucketKeyId) -> None:
        """Write down that the keyring has destroyed it; the first time stands."""
        store.mark_destroyed(session, old, self._clock.now())

    def unfinished(self, session: Session) -> frozenset[BucketKeyId]:
        """Return the keys that were replaced and are not yet noted as destroyed: a crash came in between."""
        return store.replaced(session)

    def there(self) -> frozenset[BucketKeyId]:
        """Return the keys that the keyring has. Raises KeyringUnavailable."""
        return self._keyring.bucket_keys()

    def note_lost(self, session: Session, key: BucketKeyId) -> None:
        """Write down that a key is destroyed which the database still holds for living; what it wrapped is lost."""
        now = self._clock.now()
        store.mark_replaced(session, key, now)
        store.mark_destroyed(session, key, now)

    def strangers(self, session: Session) -> frozenset[BucketKeyId]:
        """Return the keys in the keyring that no row knows as living: of no use, or of rows that were lost."""
        return self._keyring.bucket_keys() - store.living(session)

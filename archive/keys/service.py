"""Re-keying a bucket: how some of its segments are destroyed while the others live on. docs/design/keys.md."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from archive.keys import store
from archive.keys.rules import Bucket, WrappedKey
from archive.keys.wrap import SegmentKeys
from vms_privacy.clock import Clock
from vms_privacy.ids import BucketKeyId, SegmentId
from vms_privacy.keyring.port import Keyring


@dataclass(frozen=True, slots=True)
class Replacement:
    """A bucket key that is to be destroyed, what lives on under it, and the key that this goes under.

    With no survivors there need be no successor: new keys of the hour get one when they come.
    """

    old: BucketKeyId
    successor: BucketKeyId | None = None
    survivors: Sequence[WrappedKey] = ()


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

    def replace(self, session: Session, replacements: Sequence[Replacement]) -> list[WrappedKey]:
        """Re-wrap all survivors under their successors; the caller stores what is returned in this transaction.

        Raises LookupError for a key that was never registered, KeyIsDestroyed, WrapIsDamaged.
        """
        known = store.by_ids(session, [one.old for one in replacements])
        now = self._clock.now()
        store.mark_replaced(session, list(known), now)
        rewrapped: list[WrappedKey] = []
        for one in replacements:
            bucket = known.get(one.old)
            if bucket is None:
                raise LookupError("no such bucket")
            if any(survivor.bucket_key_id != one.old for survivor in one.survivors):
                raise ValueError("a survivor of another bucket")
            if one.successor is not None:
                generation = store.next_generation(session, bucket.camera_id, bucket.hour)
                made = Bucket(one.successor, bucket.operator_id, bucket.camera_id, bucket.hour, generation)
                store.add(session, made, now)
                rewrapped += [self._keys.rewrap(survivor, made) for survivor in one.survivors]
            elif one.survivors:
                raise ValueError("survivors need a successor")
        return rewrapped

    def destroy(self, old: Collection[BucketKeyId], destroyed: Iterable[SegmentId]) -> frozenset[BucketKeyId]:
        """Destroy replaced bucket keys, durable on return; return those that were there. Raises KeyringUnavailable.

        `destroyed` are the segments that die with them: their opened keys are forgotten, here and now.
        """
        gone = tuple(destroyed)
        self._keys.evict(gone)
        were_there = self._keyring.destroy_bucket_keys(old)
        # Again: a reader may have opened one of them between the first eviction and the destruction.
        self._keys.evict(gone)
        return were_there

    def note_destroyed(self, session: Session, old: Collection[BucketKeyId]) -> None:
        """Write down that the keyring has destroyed them; the first time stands."""
        store.mark_destroyed(session, old, self._clock.now())

    def unfinished(self, session: Session) -> frozenset[BucketKeyId]:
        """Return the keys that were replaced and are not yet noted as destroyed: a crash came in between."""
        return store.replaced(session)

    def there(self) -> frozenset[BucketKeyId]:
        """Return the keys that the keyring has. Raises KeyringUnavailable."""
        return self._keyring.bucket_keys()

    def note_lost(self, session: Session, keys: Collection[BucketKeyId]) -> None:
        """Write down that keys are destroyed which the database still holds for living; what they wrapped is lost."""
        now = self._clock.now()
        store.mark_replaced(session, keys, now)
        store.mark_destroyed(session, keys, now)

    def strangers(self, session: Session) -> frozenset[BucketKeyId]:
        """Return the keys in the keyring that no row knows as living: of no use, or of rows that were lost."""
        return self._keyring.bucket_keys() - store.living(session)

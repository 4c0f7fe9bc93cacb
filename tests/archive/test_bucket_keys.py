"""Re-keying: some segments of a bucket are destroyed for good, the others live on. docs/design/keys.md, section 4."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from archive.keys import store
from archive.keys.rules import (
    Bucket,
)
from archive.keys.service import BucketKeys, Replacement
from archive.keys.tables import BucketRow
from archive.keys.wrap import SegmentKeys
from tests.given.clock import HandClock
from tests.given.randomness import CountedRandomness
from tests.given.segment_keys import (
    CAMERA,
    HOUR,
    LOOK,
    NOON_US,
    OPERATOR,
    OTHER_CAMERA,
    OTHER_OPERATOR,
    World,
    make_world,
)
from tests.given.tampering import everything_stored
from vms_privacy.db import Database
from vms_privacy.ids import BucketKeyId
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyIsDestroyed, Keyring


@pytest.fixture
def world(db: Database, clock: HandClock, randomness: CountedRandomness, tmp_path: Path) -> World:
    return make_world(db, clock, randomness, tmp_path)


def test_destroying_one_segment_of_a_bucket_leaves_its_neighbours_and_no_way_back(world: World) -> None:
    """P5: with the old rows, the current keyring opens the neighbours' new wraps and nothing of the destroyed one."""
    made = [world.new() for _ in range(3)]
    before = [row for _, row in made]
    old = before[0].bucket_key_id
    for row in before:
        world.keys.unwrap(LOOK, row)
    moved = world.rekey(old, [before[0], before[2]], [before[1]])
    assert [one.segment_id for one in moved] == [before[0].segment_id, before[2].segment_id]
    for (new_key, _), row in zip((made[0], made[2]), moved, strict=True):
        assert world.keys.unwrap(LOOK, row).reveal() == new_key.key.reveal()
    with pytest.raises(KeyIsDestroyed):
        world.keys.unwrap(LOOK, before[1])
    fresh = SegmentKeys(world.keyring, world.randomness, world.clock)
    for row in before:
        with pytest.raises(KeyIsDestroyed):
            fresh.unwrap(LOOK, row)
    assert old not in world.keyring.bucket_keys()


def test_new_keys_of_the_hour_go_under_the_successor(world: World) -> None:
    _, row = world.new()
    (moved,) = world.rekey(row.bucket_key_id, [row], [])
    made, _ = world.new()
    assert made.bucket_key_id == moved.bucket_key_id
    with world.db.reading() as session:
        assert store.by_id(session, made.bucket_key_id) == Bucket(made.bucket_key_id, OPERATOR, CAMERA, HOUR, 2)


def test_a_bucket_without_survivors_needs_no_successor_until_a_new_key_comes(world: World) -> None:
    _, row = world.new()
    assert world.rekey(row.bucket_key_id, [], [row]) == []
    assert world.keyring.bucket_keys() == frozenset()
    made, _ = world.new()
    with world.db.reading() as session:
        bucket = store.by_id(session, made.bucket_key_id)
    assert bucket is not None
    assert bucket.generation == 2


def test_a_crash_between_replacing_and_destroying_is_found_again(world: World) -> None:
    _, row = world.new()
    successor = world.buckets.make_successor()
    with world.db.writing() as session:
        world.buckets.replace(session, [Replacement(row.bucket_key_id, successor, [row])])
    with world.db.reading() as session:
        assert world.buckets.unfinished(session) == {row.bucket_key_id}
    assert world.buckets.destroy([row.bucket_key_id], []) == {row.bucket_key_id}
    assert not world.buckets.destroy([row.bucket_key_id], []), "destroying again is calm but truthful"
    with world.db.writing() as session:
        world.buckets.note_destroyed(session, [row.bucket_key_id])
        world.buckets.note_destroyed(session, [row.bucket_key_id])
    with world.db.reading() as session:
        assert world.buckets.unfinished(session) == frozenset()


def test_a_re_key_that_is_rolled_back_changes_nothing_but_leaves_a_key_that_wraps_nothing(world: World) -> None:
    made, row = world.new()
    successor = world.buckets.make_successor()

    def replace_and_fail() -> None:
        with world.db.writing() as session:
            world.buckets.replace(session, [Replacement(row.bucket_key_id, successor, [row])])
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="the power went"):
        replace_and_fail()
    assert world.keys.unwrap(LOOK, row).reveal() == made.key.reveal()
    with world.db.reading() as session:
        assert world.buckets.strangers(session) == {successor}


def test_a_survivor_of_another_bucket_or_without_a_successor_is_a_mistake(world: World) -> None:
    _, row = world.new()
    _, later = world.new(NOON_US + 3_600_000_000)
    successor = world.buckets.make_successor()
    with pytest.raises(ValueError, match="another bucket"), world.db.writing() as session:
        world.buckets.replace(session, [Replacement(row.bucket_key_id, successor, [row, later])])
    with pytest.raises(ValueError, match="need a successor"), world.db.writing() as session:
        world.buckets.replace(session, [Replacement(row.bucket_key_id, None, [row])])
    with pytest.raises(LookupError), world.db.writing() as session:
        world.buckets.replace(session, [Replacement(successor)])
    with pytest.raises(ValueError, match="stays with its camera"):
        world.keys.rewrap(row, Bucket(successor, OPERATOR, OTHER_CAMERA, HOUR, 2))


class HeldKeyring:
    """A real keyring whose unwrapping stops in the middle until it is told to go on."""

    def __init__(self, inner: Keyring) -> None:
        self._inner = inner
        self.is_inside = threading.Event()
        self.go_on = threading.Event()

    def unwrap_in_bucket(self, bucket_key: BucketKeyId, wrapped: bytes, associated: bytes) -> KeyBytes:
        key = self._inner.unwrap_in_bucket(bucket_key, wrapped, associated)
        self.is_inside.set()
        assert self.go_on.wait(10)
        return key

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


def test_a_key_that_was_being_opened_while_it_was_destroyed_is_not_remembered(world: World) -> None:
    """Without the count of evictions, the key would come back into the memory after it was evicted."""
    _, row = world.new()
    held = HeldKeyring(world.keyring)
    keys = SegmentKeys(held, world.randomness, world.clock)  # type: ignore[arg-type]
    opener = threading.Thread(target=keys.unwrap, args=(LOOK, row))
    opener.start()
    assert held.is_inside.wait(10)
    BucketKeys(world.keyring, keys, world.clock).destroy([row.bucket_key_id], [row.segment_id])
    held.go_on.set()
    opener.join(10)
    assert keys.remembered == 0
    with pytest.raises(KeyIsDestroyed):
        keys.unwrap(LOOK, row)


def row_of(world: World, key: BucketKeyId) -> BucketRow:
    with world.db.reading() as session:
        return session.scalars(select(BucketRow).where(BucketRow.bucket_key_id == key)).one()


@pytest.mark.parametrize(
    "change",
    [
        {"destroyed_at": None},
        {"replaced_at": None},
        {"camera_id": OTHER_CAMERA},
        {"operator_id": OTHER_OPERATOR},
        {"hour": 5},
        {"generation": 7},
    ],
)
def test_the_database_keeps_what_it_was_told_of_a_destroyed_bucket(world: World, change: dict[str, object]) -> None:
    _, row = world.new()
    world.rekey(row.bucket_key_id, [], [row])
    noted = row_of(world, row.bucket_key_id)
    assert noted.destroyed_at == noted.replaced_at == world.clock.now()
    with pytest.raises(IntegrityError, match="stays destroyed"), world.db.writing() as session:
        session.execute(update(BucketRow).where(BucketRow.bucket_key_id == row.bucket_key_id).values(change))


def test_the_database_refuses_two_current_keys_for_one_hour(world: World) -> None:
    world.new()
    with pytest.raises(IntegrityError), world.db.writing() as session:
        store.add(session, Bucket(world.buckets.make_successor(), OPERATOR, CAMERA, HOUR, 2), world.clock.now())


def test_the_database_refuses_to_call_a_living_bucket_destroyed(world: World) -> None:
    _, row = world.new()
    with pytest.raises(IntegrityError, match="replaced_before_destroyed"), world.db.writing() as session:
        store.mark_destroyed(session, [row.bucket_key_id], world.clock.now())


def test_no_key_is_in_the_database(world: World) -> None:
    """Everything that was written is searched; the bucket key's id is found there, so the search works."""
    made, _ = world.new()
    written = everything_stored(world.db)
    name = made.bucket_key_id
    assert any(one in written for one in (name.bytes, name.hex.encode(), str(name).encode()))
    assert made.key.reveal() not in written
    assert made.key.reveal().hex().encode() not in written
    assert "KeyBytes(hidden)" in repr(made)
    assert made.key.reveal().hex() not in repr(made)

"""Segment keys: made with a permit, opened with a permit, moved without being seen, destroyed for good."""

import dataclasses
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from archive.keys import store
from archive.keys.rules import (
    Bucket,
    MayNotDecrypt,
    PermitIsOld,
    WrapIsForeign,
    WrappedKey,
    permit_for_recovery,
    permit_from,
)
from archive.keys.service import BucketKeys
from archive.keys.tables import BucketRow
from archive.keys.wrap import NewSegmentKey, SegmentKeys
from auth.principal import NOBODY, Granted, Principal, PrincipalKind, Right, worker
from auth.tokens.rules import Purpose
from tests.given.clock import HandClock
from tests.given.consent import Cameras, make_ledger, opt_in
from tests.given.randomness import CountedRandomness
from vms_privacy.consent.rules import RecordingPermit
from vms_privacy.db import Database
from vms_privacy.ids import BucketKeyId, CameraId, GrantId, OperatorId, PersonId, SegmentId
from vms_privacy.keyring.file_keyring import FileKeyring
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyIsDestroyed, Keyring, WrapIsDamaged

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
            moved = self.buckets.replace(session, old, successor, survivors)
        assert self.buckets.destroy(old, [one.segment_id for one in doomed]) is True
        with self.db.writing() as session:
            self.buckets.note_destroyed(session, old)
        return moved


@pytest.fixture
def world(db: Database, clock: HandClock, randomness: CountedRandomness, tmp_path: Path) -> World:
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


def test_f3_every_new_file_has_a_key_of_its_own(world: World) -> None:
    made = [world.new()[0] for _ in range(20)]
    assert len({one.key.reveal() for one in made}) == 20
    assert {len(one.key.reveal()) for one in made} == {32}
    assert len({one.wrapped for one in made}) == 20


def test_a_wrapped_key_opens_for_whoever_may(world: World) -> None:
    made, row = world.new()
    assert made.key.reveal() not in made.wrapped
    assert world.keys.unwrap(LOOK, row).reveal() == made.key.reveal()
    again = SegmentKeys(world.keyring, world.randomness, world.clock)
    assert again.unwrap(LOOK, row).reveal() == made.key.reveal(), "also after a restart"


def test_keys_of_one_hour_share_a_bucket_and_those_of_another_do_not(world: World) -> None:
    first, second = world.new(NOON_US)[0], world.new(NOON_US + 3_599_999_999)[0]
    later = world.new(NOON_US + 3_600_000_000)[0]
    assert first.bucket_key_id == second.bucket_key_id != later.bucket_key_id
    assert (first.bucket_hour, later.bucket_hour) == (HOUR, HOUR + 1)
    assert world.keyring.bucket_keys() == {first.bucket_key_id, later.bucket_key_id}


def test_no_key_is_made_with_a_permit_that_has_to_be_asked_for_again(world: World) -> None:
    permit = world.ask()
    world.clock.forward(permit.ask_again_at - world.clock.now())
    with pytest.raises(PermitIsOld):
        world.new(permit=permit)
    assert world.keyring.bucket_keys() == frozenset()
    world.new(permit=world.ask())


def test_a_camera_stays_with_its_operator(world: World) -> None:
    world.new()
    with world.db.writing() as session, pytest.raises(ValueError, match="stays with its operator"):
        world.keys.new(session, world.ask(), OTHER_OPERATOR, SegmentId(uuid.uuid1()), NOON_US)


CHANGES = {
    "operator": {"operator_id": OTHER_OPERATOR},
    "camera": {"camera_id": OTHER_CAMERA},
    "segment": {"segment_id": SegmentId(uuid.UUID(int=99))},
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_wrap_opens_in_no_other_row(world: World, what: str) -> None:
    """The row of another operator, camera or segment with this wrap pasted in, asked for with a fitting permit."""
    _, row = world.new()
    pasted = dataclasses.replace(row, **CHANGES[what])  # type: ignore[arg-type]
    permit = dataclasses.replace(LOOK, operator_id=pasted.operator_id, camera_id=pasted.camera_id)
    with pytest.raises(WrapIsDamaged):
        world.keys.unwrap(permit, pasted)
    world.keys.unwrap(LOOK, row)
    with pytest.raises(WrapIsDamaged):
        world.keys.unwrap(permit, pasted)


def test_a_wrap_opens_under_no_other_bucket_key_and_no_other_generation(world: World) -> None:
    _, row = world.new()
    _, other = world.new(NOON_US + 3_600_000_000)
    with pytest.raises(WrapIsDamaged):
        world.keys.unwrap(LOOK, dataclasses.replace(row, bucket_key_id=other.bucket_key_id))
    raised = row.wrapped[:4] + b"\x02" + row.wrapped[5:]
    with pytest.raises(WrapIsDamaged):
        world.keys.unwrap(LOOK, dataclasses.replace(row, wrapped=raised))


@pytest.mark.parametrize("wrapped", [b"", b"\x01", b"\x01\0\0\0\x01", b"\x02\0\0\0\x01" + bytes(60), bytes(70)])
def test_what_is_not_a_wrap_of_ours_is_refused(world: World, wrapped: bytes) -> None:
    _, row = world.new()
    with pytest.raises(WrapIsForeign):
        world.keys.unwrap(LOOK, dataclasses.replace(row, wrapped=wrapped))


def test_every_changed_bit_of_a_wrap_is_noticed(world: World) -> None:
    _, row = world.new()
    for place in range(len(row.wrapped)):
        changed = bytearray(row.wrapped)
        changed[place] ^= 1
        with pytest.raises((WrapIsDamaged, WrapIsForeign)):
            world.keys.unwrap(LOOK, dataclasses.replace(row, wrapped=bytes(changed)))


NOT_ALLOWED: dict[str, tuple[Granted, Purpose]] = {
    "nobody": (granted(who=NOBODY), Purpose.ARCHIVE_VIEW),
    "a worker": (granted(who=worker("sweep")), Purpose.ARCHIVE_VIEW),
    "the right to live alone": (granted(Right.LIVE), Purpose.ARCHIVE_VIEW),
    "live for a live view": (granted(Right.LIVE), Purpose.LIVE_VIEW),
    "the archive for a live view": (granted(), Purpose.LIVE_VIEW),
    "health checks": (granted(), Purpose.HEALTH),
    "an export under the right to look": (granted(), Purpose.EXPORT),
    "evidence under the right to look": (granted(), Purpose.EVIDENCE),
    "a look under the right to export": (granted(Right.EXPORT), Purpose.ARCHIVE_VIEW),
    "the right to erase": (granted(Right.ERASE), Purpose.ARCHIVE_VIEW),
    "a whole operator": (granted(camera=None), Purpose.ARCHIVE_VIEW),
}


@pytest.mark.parametrize("who", NOT_ALLOWED)
def test_who_may_not_decrypt_gets_no_permit(who: str) -> None:
    with pytest.raises(MayNotDecrypt):
        permit_from(*NOT_ALLOWED[who])


@pytest.mark.parametrize(
    ("right", "purpose"),
    [(Right.ARCHIVE, Purpose.ARCHIVE_VIEW), (Right.EXPORT, Purpose.EXPORT), (Right.EXPORT, Purpose.EVIDENCE)],
)
def test_a_permit_names_the_person_and_the_purpose(right: Right, purpose: Purpose) -> None:
    permit = permit_from(granted(right), purpose)
    assert (permit.actor, permit.purpose, permit.camera_id) == (PERSON.label, purpose, CAMERA)


def test_a_permit_opens_its_camera_and_no_other(world: World) -> None:
    _, row = world.new()
    for permit in (
        dataclasses.replace(LOOK, camera_id=OTHER_CAMERA),
        dataclasses.replace(LOOK, operator_id=OTHER_OPERATOR),
        permit_for_recovery(OPERATOR, CAMERA, SegmentId(uuid.UUID(int=99))),
        permit_for_recovery(OPERATOR, OTHER_CAMERA, row.segment_id),
    ):
        with pytest.raises(MayNotDecrypt):
            world.keys.unwrap(permit, row)
    world.keys.unwrap(LOOK, row)
    with pytest.raises(MayNotDecrypt):
        world.keys.unwrap(dataclasses.replace(LOOK, camera_id=OTHER_CAMERA), row)


def test_recovery_opens_the_one_file_it_is_for(world: World) -> None:
    made, row = world.new()
    permit = permit_for_recovery(OPERATOR, CAMERA, row.segment_id)
    assert world.keys.unwrap(permit, row).reveal() == made.key.reveal()


def test_an_opened_key_is_remembered_for_30_s_and_not_longer(world: World) -> None:
    _, row = world.new()
    first = world.keys.unwrap(LOOK, row)
    world.clock.forward(timedelta(seconds=29))
    assert world.keys.unwrap(LOOK, row) is first
    world.clock.forward(timedelta(seconds=1))
    assert world.keys.unwrap(LOOK, row) is not first
    world.clock.forward(timedelta(seconds=30))
    world.keys.forget_old()
    assert world.keys.remembered == 0


def test_an_evicted_key_is_gone_at_once(world: World) -> None:
    _, row = world.new()
    _, other = world.new()
    first, second = world.keys.unwrap(LOOK, row), world.keys.unwrap(LOOK, other)
    world.keys.evict([row.segment_id])
    assert world.keys.remembered == 1
    assert world.keys.unwrap(LOOK, row) is not first
    assert world.keys.unwrap(LOOK, other) is second


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
        world.buckets.replace(session, row.bucket_key_id, successor, [row])
    with world.db.reading() as session:
        assert world.buckets.unfinished(session) == {row.bucket_key_id}
    assert world.buckets.destroy(row.bucket_key_id, []) is True
    assert world.buckets.destroy(row.bucket_key_id, []) is False, "destroying again is calm but truthful"
    with world.db.writing() as session:
        world.buckets.note_destroyed(session, row.bucket_key_id)
        world.buckets.note_destroyed(session, row.bucket_key_id)
    with world.db.reading() as session:
        assert world.buckets.unfinished(session) == frozenset()


def test_a_re_key_that_is_rolled_back_changes_nothing_but_leaves_a_key_that_wraps_nothing(world: World) -> None:
    made, row = world.new()
    successor = world.buckets.make_successor()

    def replace_and_fail() -> None:
        with world.db.writing() as session:
            world.buckets.replace(session, row.bucket_key_id, successor, [row])
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="the power went"):
        replace_and_fail()
    assert world.keys.unwrap(LOOK, row).reveal() == made.key.reveal()
    with world.db.reading() as session:
        assert world.buckets.strangers(session) == {successor}
        assert world.buckets.lost(session) == frozenset()


def test_a_key_that_the_keyring_lost_is_named(world: World) -> None:
    _, row = world.new()
    world.keyring.destroy_bucket_key(row.bucket_key_id)
    with world.db.reading() as session:
        assert world.buckets.lost(session) == {row.bucket_key_id}
        assert world.buckets.strangers(session) == frozenset()


def test_a_survivor_of_another_bucket_or_without_a_successor_is_a_mistake(world: World) -> None:
    _, row = world.new()
    _, later = world.new(NOON_US + 3_600_000_000)
    successor = world.buckets.make_successor()
    with pytest.raises(ValueError, match="another bucket"), world.db.writing() as session:
        world.buckets.replace(session, row.bucket_key_id, successor, [row, later])
    with pytest.raises(ValueError, match="need a successor"), world.db.writing() as session:
        world.buckets.replace(session, row.bucket_key_id, None, [row])
    with pytest.raises(LookupError), world.db.writing() as session:
        world.buckets.replace(session, successor, None, [])
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
    BucketKeys(world.keyring, keys, world.clock).destroy(row.bucket_key_id, [row.segment_id])
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
        store.mark_destroyed(session, row.bucket_key_id, world.clock.now())


def test_no_key_is_in_the_database(world: World) -> None:
    """Everything that SQLite wrote is searched; the bucket key's id is found there, so the search works."""
    made, _ = world.new()
    path = Path(str(world.db.engine.url.database))
    written = b"".join(one.read_bytes() for one in path.parent.glob(path.name + "*"))
    assert made.bucket_key_id.bytes in written or made.bucket_key_id.hex.encode() in written
    assert made.key.reveal() not in written
    assert "KeyBytes(hidden)" in repr(made)
    assert made.key.reveal().hex() not in repr(made)

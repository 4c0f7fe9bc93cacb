"""Segment keys: made with a permit, opened with a permit, of use in one place and for a short time."""

import dataclasses
import uuid
from datetime import timedelta
from pathlib import Path

import pytest

from archive.keys.rules import (
    MayNotDecrypt,
    PermitIsOld,
    WrapIsForeign,
    permit_for_recovery,
    permit_from,
)
from archive.keys.wrap import NewSegmentKey, SegmentKeys
from auth.principal import NOBODY, Granted, Right, worker
from auth.tokens.rules import Purpose
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
    granted,
    make_world,
)
from vms_privacy.db import Database
from vms_privacy.ids import SegmentId
from vms_privacy.keyring.port import KeyIsDestroyed, WrapIsDamaged


@pytest.fixture
def world(db: Database, clock: HandClock, randomness: CountedRandomness, tmp_path: Path) -> World:
    return make_world(db, clock, randomness, tmp_path)


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


def _rolled_back(world: World, at_us: int) -> NewSegmentKey:
    """A key of a segment whose row is never committed."""
    made: list[NewSegmentKey] = []

    def make_and_fail() -> None:
        with world.db.writing() as session:
            made.append(world.keys.new(session, world.ask(), OPERATOR, SegmentId(world.randomness.uuid()), at_us))
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="the power went"):
        make_and_fail()
    return made[0]


def test_attempts_that_are_rolled_back_leave_one_bucket_key_and_the_next_one_uses_it(world: World) -> None:
    made = [_rolled_back(world, NOON_US + attempt * 3_600_000_000) for attempt in range(5)]
    assert len({one.key.reveal() for one in made}) == 5, "the keys of files are new each time (F3)"
    [spare] = world.keyring.bucket_keys()
    assert world.new()[0].bucket_key_id == spare
    assert world.new(NOON_US + 3_600_000_000)[0].bucket_key_id != spare


def test_a_left_over_bucket_key_that_the_keyring_has_lost_stops_nothing_for_good(world: World) -> None:
    world.keyring.destroy_bucket_keys([_rolled_back(world, NOON_US).bucket_key_id])
    with pytest.raises(KeyIsDestroyed):
        world.new()
    made, _ = world.new()
    assert world.keyring.bucket_keys() == {made.bucket_key_id}


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
def test_who_may_decrypt_gets_a_permit_for_the_camera_that_was_granted(right: Right, purpose: Purpose) -> None:
    assert permit_from(granted(right), purpose) == LOOK


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

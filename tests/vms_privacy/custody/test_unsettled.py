"""What the journal cannot settle is listed, and never settled by destroying or showing more than it says."""

from datetime import timedelta
from pathlib import Path

import pytest

from archive.errors import FootageIsGone
from archive.keys.service import BucketKeys
from archive.orders.rules import OrderKind
from archive.segments.rules import Segment, Span, State
from tests.given.clock import HandClock
from tests.given.databases import Databases
from tests.given.footage import House
from tests.given.restored import custody_of, gone_on_with, restoring_of
from vms_privacy.custody.rules import Open, Unsettled
from vms_privacy.db import Database
from vms_privacy.ids import BucketKeyId
from vms_privacy.journal.rules import JournalKind
from vms_privacy.keyring.port import KeyIsDestroyed

_EVER = Span(0, 2**60)


class World:
    """A house and an older copy of its database, which is put back by `house`."""

    def __init__(self, databases: Databases, folder: Path) -> None:
        self.databases, self.folder = databases, folder
        self.db = Database(databases.with_tables(folder, "lost"))
        self.before = House(self.db, HandClock(), folder)
        self.before.opt_in()
        self.url = ""

    def record(self) -> Segment:
        self.before.record(2)
        self.before.delivery.deliver()
        return self.before.rows()[-1]

    def copy(self) -> None:
        self.url = self.databases.copy_of(self.db, self.folder, "copy")

    def lose(self) -> None:
        self.before.kill()
        self.db.close()

    def replayed(self, house: House) -> list[Open]:
        restoring_of(house).take_in(house.db, self.folder / "anchor")
        return custody_of(house).replay()


@pytest.fixture
def world(databases: Databases, tmp_path: Path) -> World:
    return World(databases, tmp_path)


def _bucket_keys(house: House) -> frozenset[BucketKeyId]:
    return BucketKeys(house.keyring, house.keys, house.clock).there()


def test_what_was_destroyed_after_its_hold_was_lifted_waits_for_two_people_and_opens_nothing_meanwhile(
    world: World,
) -> None:
    house = world.before
    house.keep_for(timedelta(minutes=2))
    segment = world.record()
    order = house.order(OrderKind.HOLD, people=frozenset({house.owner.person_id})).order  # type: ignore[arg-type]
    world.copy()
    house.lift(order)
    house.clock.forward(timedelta(minutes=5))
    assert house.eraser.sweep().erased == [segment.id]
    world.lose()
    with gone_on_with(world.url, world.folder, house.clock.now()) as again:
        found = world.replayed(again)
        assert Open(Unsettled.DESTROYED_BUT_KEPT, str(segment.id)) in found
        assert [one.state for one in again.rows()] == [State.STORED]
        custody_of(again).release("ticket-17")
        again.revive()
        look = again.look(case_person=house.owner.person_id)
        with pytest.raises(KeyIsDestroyed):
            again.footage.find(look, _EVER)
        assert again.eraser.sweep().erased == []
        again.lift(order)
        again.withdraw()
        assert again.eraser.sweep().erased == [segment.id]
        assert again.is_in_order


def test_an_erasure_that_the_journal_names_and_never_was_destroys_no_more_than_its_mandate(world: World) -> None:
    house = world.before
    segment = world.record()
    world.copy()
    # A crash, or a full disk, between the journal and the marking of a segment that was to be destroyed in part.
    facts: dict[str, str | int | None] = {
        "erasure": str(house.randomness.uuid()),
        "cause": "request",
        "segments": 1,
        "ids_0": segment.id.hex,
    }
    house.journal.append(JournalKind.ERASURE, facts)
    house.withdraw()
    world.lose()
    with gone_on_with(world.url, world.folder, house.clock.now()) as again:
        assert world.replayed(again) == []
        assert [one.state for one in again.rows()] == [State.STORED]
        assert again.shown() != []


def test_what_expired_and_was_marked_alone_is_destroyed_with_its_key(world: World) -> None:
    house = world.before
    segment = world.record()
    world.copy()
    facts: dict[str, str | int | None] = {
        "erasure": str(house.randomness.uuid()),
        "cause": "expiry",
        "segments": 1,
        "ids_0": segment.id.hex,
    }
    house.journal.append(JournalKind.ERASURE, facts)
    house.withdraw()
    world.lose()
    with gone_on_with(world.url, world.folder, house.clock.now()) as again:
        before = _bucket_keys(again)
        assert world.replayed(again) == []
        assert [one.state for one in again.rows()] == [State.ERASED]
        assert len(before - _bucket_keys(again)) == 1
        with pytest.raises(FootageIsGone):
            again.footage.segment(again.look(), segment.id)


def test_a_key_that_is_missing_though_nobody_destroyed_it_is_listed_and_its_footage_kept_for_it(world: World) -> None:
    house = world.before
    world.record()
    world.copy()
    house.withdraw()
    (key,) = _bucket_keys(house)
    # Past the journal: an older keyring, say, that was put in place by hand.
    house.keyring.destroy_bucket_keys([key])
    world.lose()
    with gone_on_with(world.url, world.folder, house.clock.now()) as again:
        assert world.replayed(again) == [Open(Unsettled.KEY_IS_MISSING, str(key))]
        assert [one.state for one in again.rows()] == [State.STORED]


def test_what_was_recorded_since_the_copy_is_told_and_opens_nothing(world: World) -> None:
    house = world.before
    world.record()
    world.copy()
    house.clock.forward(timedelta(hours=1))
    newer = world.record()
    house.withdraw()
    world.lose()
    with gone_on_with(world.url, world.folder, house.clock.now()) as again:
        assert world.replayed(again) == [Open(Unsettled.FILES_WITHOUT_ROW, "store")]
        assert again.store.size(newer.blob_name) is not None
        assert len(again.rows()) == 1


def test_what_was_in_the_spool_and_was_delivered_since_is_found_in_the_store(world: World) -> None:
    house = world.before
    house.record(2)
    world.copy()
    house.delivery.deliver()
    house.withdraw()
    world.lose()
    with gone_on_with(world.url, world.folder, house.clock.now()) as again:
        assert world.replayed(again) == []
        custody_of(again).release("ticket-17")
        again.revive()
        assert again.delivery.deliver().is_clean
        assert again.shown() != []
        assert again.is_in_order

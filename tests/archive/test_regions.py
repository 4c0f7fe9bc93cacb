"""An operator's footage goes to the store of its region and lies there alone, or it is not recorded at all (LT-1)."""

import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from archive.blobs.folder_store import FolderStore
from archive.blobs.memory_store import MemoryStore
from archive.blobs.router import StoreRouter
from archive.blobs.rules import DEFAULT_STORE, name_of
from archive.blobs.store import BlobStore
from archive.errors import NoStoreForRegion, StoreUnavailable
from archive.mandates.errors import NothingToDestroy
from archive.recorder.regions import RegionStores, refuse_without_stores
from archive.recorder.rules import Why
from archive.segments import ahead
from archive.segments.rules import Place, Span, State
from archive.segments.store_names import RowStores
from auth.operators.store import OperatorStore
from streams.media.packets import Track
from tests.given.access import Access
from tests.given.clock import HandClock
from tests.given.databases import Databases
from tests.given.footage import House
from tests.given.randomness import CountedRandomness
from tests.given.rgw import Rgw
from tests.given.s3 import s3_store
from vms_privacy.db import Database

HERE, AWAY = "here", "kz-ala-1"
SEALED = b"sealed"


class Rows:
    """Rows that say where each blob lies, and count how often they are asked."""

    def __init__(self, of: Mapping[str, str]) -> None:
        self.known = dict(of)
        self.asked = 0

    def of(self, names: Sequence[str]) -> Mapping[str, str]:
        self.asked += 1
        return {name: self.known[name] for name in names if name in self.known}


class Away(MemoryStore):
    """A store that does not answer."""

    def erase(self, name: str) -> bool:
        raise StoreUnavailable("it is away")


@pytest.fixture
def names(randomness: CountedRandomness) -> Iterator[str]:
    return (name_of(randomness.octets(16)) for _ in range(1000))


def put(store: BlobStore, name: str) -> None:
    store.put(name, io.BytesIO(SEALED), len(SEALED))


def test_a_blob_goes_to_the_store_of_its_row_and_is_read_there(names: Iterator[str]) -> None:
    here, there, name = MemoryStore(), MemoryStore(), next(names)
    router = StoreRouter({HERE: here, AWAY: there}, Rows({name: AWAY}))
    put(router, name)
    assert (list(here.names()), list(there.names())) == ([], [name])
    assert router.read(name, 0, 99) == SEALED
    assert (router.size(name), router.erase(name), router.size(name)) == (len(SEALED), True, None)


def test_what_no_row_has_is_never_put_and_is_looked_for_everywhere(names: Iterator[str]) -> None:
    here, there = MemoryStore(), MemoryStore()
    router = StoreRouter({HERE: here, AWAY: there}, Rows({}))
    with pytest.raises(NoStoreForRegion) as refused:
        put(router, next(names))
    assert refused.value.code == "no-store-for-region"
    stray, other, third = next(names), next(names), next(names)
    for one in (stray, other, third):
        put(there, one)
    assert router.size(stray) == len(SEALED)
    assert router.read(stray, 0, 99) == SEALED
    assert router.erase(stray)
    assert not router.erase(stray)
    assert router.quarantine(other)
    assert [one.name for one in router.quarantined()] == [other]
    assert router.erase_many([stray, third]).gone == {stray: False, third: True}
    assert (list(here.names()), list(there.names())) == ([], [])
    with pytest.raises(FileNotFoundError):
        router.read(stray, 0, 1)


def test_what_lies_in_a_store_that_is_not_set_up_is_unavailable_and_never_gone(names: Iterator[str]) -> None:
    name, mine = next(names), next(names)
    here = MemoryStore()
    put(here, mine)
    router = StoreRouter({HERE: here}, Rows({name: "lost", mine: HERE}))
    for act in (router.size, router.erase, router.quarantine, lambda one: router.read(one, 0, 1)):
        with pytest.raises(StoreUnavailable):
            act(name)
    report = router.erase_many([name, mine])
    assert (report.failed, report.gone) == ({name: "store-unavailable"}, {mine: True})


def test_a_store_that_is_away_keeps_no_other_from_erasing(names: Iterator[str]) -> None:
    mine, other, stray = next(names), next(names), next(names)
    here, there = MemoryStore(), Away()
    for store, one in ((here, mine), (there, other), (here, stray)):
        put(store, one)
    router = StoreRouter({AWAY: there, HERE: here}, Rows({mine: HERE, other: AWAY}))
    report = router.erase_many([mine, other])
    assert (report.gone, report.failed) == ({mine: True}, {other: "store-unavailable"})
    with pytest.raises(StoreUnavailable):
        router.erase(stray)
    assert list(here.names()) == []


def test_what_a_row_said_is_remembered_and_that_there_was_none_is_not(names: Iterator[str]) -> None:
    first, second, third = next(names), next(names), next(names)
    rows = Rows({})
    router = StoreRouter({HERE: MemoryStore(), AWAY: MemoryStore()}, rows, remembered=2)
    assert router.size(first) is None
    rows.known[first] = AWAY
    put(router, first)
    asked = rows.asked
    assert router.size(first) == len(SEALED)
    assert rows.asked == asked
    rows.known |= {second: HERE, third: HERE}
    router.size(second), router.size(third)
    assert rows.asked == asked + 2
    assert router.size(first) == len(SEALED)
    assert rows.asked == asked + 3


def test_a_router_without_a_store_or_with_one_twice_is_refused() -> None:
    store = MemoryStore()
    wrong: list[Mapping[str, BlobStore]] = [{}, {HERE: store, AWAY: store}]
    for stores in wrong:
        with pytest.raises(ValueError, match="store"):
            StoreRouter(stores, Rows({}))


class Two:
    """A house whose footage goes to one of two stores."""

    def __init__(self, house: House, stores: Mapping[str, BlobStore]) -> None:
        self.house, self.stores = house, stores
        house.regions = {HERE: DEFAULT_STORE, AWAY: "away"}
        house.store = StoreRouter(stores, RowStores(house.db))
        house.journal.close()
        house.join()

    def promise(self, region: str) -> None:
        house = self.house
        with house.db.writing() as session:
            OperatorStore().set_region(session, house.randomness, house.operator_id, region, "test", house.clock.now())

    def rows(self) -> dict[str, tuple[str, str, str]]:
        """The store, state and place of each segment, by the name of its blob."""
        with self.house.db.reading() as session:
            found = session.execute(text("SELECT blob_name, store, state, place FROM segment")).all()
        return {name: (store, state, place) for name, store, state, place in found}

    def misplaced(self) -> list[str]:
        """What lies where its row does not say, and what does not lie where it does."""
        rows = self.rows()
        there = {name: set(store.names()) for name, store in self.stores.items()}
        strays = [
            f"{name} lies in {store}"
            for store, found in there.items()
            for name in found
            if name not in rows or rows[name][0] != store
        ]
        missing = [
            f"{name} does not lie in {store}"
            for name, (store, state, place) in rows.items()
            if (state, place) == (State.STORED, Place.STORE) and name not in there[store]
        ]
        return strays + missing

    def stores_in_turn(self) -> list[str]:
        with self.house.db.reading() as session:
            return list(session.scalars(text("SELECT store FROM segment ORDER BY starts_us")))


@pytest.fixture(params=["folders", "buckets"])
def two(request: pytest.FixtureRequest, db: Database, clock: HandClock, tmp_path: Path) -> Two:
    if request.param == "folders":
        return _two_folders(db, clock, tmp_path)
    rgw: Rgw = request.getfixturevalue("rgw")
    return Two(House(db, clock, tmp_path), {DEFAULT_STORE: s3_store(rgw), "away": s3_store(rgw)})


def _two_folders(db: Database, clock: HandClock, folder: Path) -> Two:
    house = House(db, clock, folder)
    away = FolderStore.create(folder / "away")
    return Two(house, {DEFAULT_STORE: FolderStore(folder / "archive"), "away": away})


@pytest.fixture
def folders(db: Database, clock: HandClock, tmp_path: Path) -> Two:
    return _two_folders(db, clock, tmp_path)


def test_a_region_that_changes_works_forward_and_moves_nothing(two: Two) -> None:
    house = two.house
    house.opt_in()
    fed = house.record(2)
    house.delivery.deliver()
    two.promise(AWAY)
    house.clock.forward(timedelta(seconds=5))
    fed += house.record(2)
    assert house.delivery.deliver().is_clean
    assert two.stores_in_turn() == [DEFAULT_STORE, "away"]
    assert [len(set(store.names())) for store in two.stores.values()] == [1, 1]
    assert two.misplaced() == []
    assert len(house.shown()) == len([one for one in fed if one.track is Track.VIDEO])
    assert house.is_in_order


def test_without_a_store_in_the_region_nothing_is_recorded_and_the_gap_says_why(folders: Two) -> None:
    house = folders.house
    house.opt_in()
    folders.promise("nowhere")
    house.record(2)
    assert (house.rows(), list(house.spool.iterdir())) == ([], [])
    assert house.gaps()[-1][2] == Why.NO_STORE_FOR_REGION
    folders.promise(AWAY)
    house.clock.forward(timedelta(seconds=30))
    house.record(2)
    assert folders.stores_in_turn() == ["away"]
    house.clock.forward(timedelta(seconds=1))
    assert house.is_in_order


def test_what_is_registered_ahead_goes_to_the_region_that_is_promised_now(folders: Two) -> None:
    """Recording that goes on while the database is away takes the store that was promised when it was there last."""
    house = folders.house
    house.opt_in()
    house.record(2, close=False)
    with house.db.reading() as session:
        [before] = ahead.every(session)
    assert before.store == DEFAULT_STORE
    folders.promise(AWAY)
    house.recorder.begin("run-2", house.stream(1)[0].epoch(1))
    house.record(2, close=False)
    with house.db.reading() as session:
        [after] = ahead.every(session)
    assert (after.store, after.id == before.id) == ("away", False)
    house.close()


def test_a_kept_part_lies_in_the_store_of_its_origin_whatever_is_promised_since(two: Two) -> None:
    house = two.house
    house.opt_in()
    house.record(6)
    house.delivery.deliver()
    [segment] = house.rows()
    two.promise(AWAY)
    house.mandate(Span(segment.starts_us + 2_000_000, segment.starts_us + 4_000_000))
    house.eraser.sweep()
    assert house.delivery.deliver().is_clean
    kept = [store for store, state, place in two.rows().values() if (state, place) == (State.STORED, Place.STORE)]
    assert kept == [DEFAULT_STORE, DEFAULT_STORE]
    assert (list(two.stores["away"].names()), two.misplaced()) == ([], [])


def test_no_statement_moves_a_segment_to_another_store(folders: Two) -> None:
    house = folders.house
    house.opt_in()
    house.record(6, close=False)
    with house.db.writing() as session, pytest.raises(IntegrityError, match="keeps its owner"):
        session.execute(text("UPDATE segment SET store = 'away'"))
    with house.db.writing() as session, pytest.raises(IntegrityError, match="keeps its place"):
        session.execute(text("UPDATE segment_ahead SET store = 'away'"))
    house.close()


_ACTS = st.sampled_from(["record", "deliver", "here", "away", "mandate", "shorten", "sweep", "mend", "revive"])


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_ACTS, min_size=4, max_size=12))
def test_whatever_is_done_each_blob_lies_in_the_store_of_its_row_alone(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory, acts: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("house")
    db = Database(databases.with_tables(folder, folder.name))
    try:
        two = _two_folders(db, HandClock(), folder)
        two.house.opt_in()
        for act in ["record", "deliver", "away", "record", "deliver", *acts]:
            _do(two, act)
            assert two.misplaced() == []
        two.house.delivery.deliver()
        assert two.misplaced() == []
        assert len(set(two.stores_in_turn())) == 2
        two.house.kill()
    finally:
        db.close()


def _do(two: Two, act: str) -> None:
    house = two.house
    living = [one for one in house.rows() if one.state is State.STORED]
    match act:
        case "record":
            house.record(3)
            house.clock.forward(timedelta(seconds=2))
        case "deliver":
            assert house.delivery.deliver().is_clean
        case "here" | "away":
            two.promise(HERE if act == "here" else AWAY)
        case "mandate" if living:
            start = living[-1].starts_us
            try:
                house.mandate(Span(start + 1_000_000, start + 2_000_000))
            except NothingToDestroy:
                return  # An earlier one took it.
        case "shorten" if living:
            house.keep_for(timedelta(minutes=2))
            house.clock.forward(timedelta(minutes=1))
        case "sweep":
            house.eraser.sweep()
        case "mend":
            stranger = name_of(house.randomness.octets(16))
            put(two.stores["away"], stranger)
            house.mend(house.check().findings)
            assert [one.name for one in house.store.quarantined()][-1:] != []
        case "revive":
            house.revive()
        case _:
            return


class _Everything(RowStores):
    """Broken: says that all lies in the first store, whatever the rows say."""

    def of(self, names: Sequence[str]) -> Mapping[str, str]:
        return dict.fromkeys(super().of(names), DEFAULT_STORE)


def test_a_router_that_leads_everybody_to_the_first_store_is_found(folders: Two) -> None:
    """The sabotage of this promise: all else works, and what was promised to lie away lies here."""
    house = folders.house
    house.store = StoreRouter(folders.stores, _Everything(house.db))
    house.journal.close()
    house.join()
    house.opt_in()
    folders.promise(AWAY)
    house.record(2)
    assert house.delivery.deliver().is_clean
    assert house.is_in_order
    [name] = folders.rows()
    assert folders.misplaced() == [f"{name} lies in {DEFAULT_STORE}", f"{name} does not lie in away"]


def test_the_start_is_refused_while_a_promised_region_has_no_store(folders: Two) -> None:
    house = folders.house
    folders.promise(AWAY)
    with house.db.reading() as session:
        refuse_without_stores(session, {HERE, AWAY}, {DEFAULT_STORE, "away"})
        with pytest.raises(NoStoreForRegion, match=AWAY):
            refuse_without_stores(session, {HERE}, {DEFAULT_STORE})


def test_the_start_is_refused_while_footage_lies_in_a_store_that_is_not_set_up(folders: Two) -> None:
    house = folders.house
    house.opt_in()
    house.keep_for(timedelta(minutes=2))
    folders.promise(AWAY)
    house.record(2, close=False)
    folders.promise(HERE)
    with house.db.reading() as session, pytest.raises(NoStoreForRegion, match="away"):
        refuse_without_stores(session, {HERE}, {DEFAULT_STORE})
    house.close()
    house.delivery.deliver()
    house.clock.forward(timedelta(minutes=5))
    with house.db.reading() as session, pytest.raises(NoStoreForRegion, match="away"):
        refuse_without_stores(session, {HERE}, {DEFAULT_STORE})
    house.eraser.sweep()
    with house.db.reading() as session:
        refuse_without_stores(session, {HERE}, {DEFAULT_STORE})


def test_an_operator_without_a_region_has_no_store(db: Database, randomness: CountedRandomness) -> None:
    operator_id = Access(db, randomness).operator("north", region=None)
    with db.reading() as session:
        assert RegionStores({HERE: DEFAULT_STORE}).store_for(session, operator_id) is None

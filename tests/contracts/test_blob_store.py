"""What every blob store promises. One suite; each real implementation runs all of it."""

import io
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

import pytest

from archive.blobs.folder_store import FolderStore
from archive.blobs.memory_store import MemoryStore
from archive.blobs.router import StoreRouter
from archive.blobs.rules import name_of
from archive.blobs.store import BlobStore, Quarantined
from archive.errors import StoreUnavailable
from tests.given.randomness import CountedRandomness
from tests.given.rgw import Rgw
from tests.given.s3 import s3_store

SEALED = bytes(range(256)) * 300
NOT_NAMES = (
    "",
    "short",
    "../../../../etc/passwd",
    "AAAAAAAAAAAAAAAAAAAA/A",
    "../AAAAAAAAAAAAAAAAAAA",
    "AAAAAAAAAAAAAAAAAAAAA\0",
    "AAAAAAAAAAAAAAAAAAAAA\n",
    "AAAAAAAAAAAAAAAAAAAAAA\n",
    "AAAAAAAAAAAAAAAAAAAAAB",
    "AAAAAAAAAAAAAAAAAAAAAAA",
    "ÀAAAAAAAAAAAAAAAAAAAAA",
    "A AAAAAAAAAAAAAAAAAAAA",
    ".AAAAAAAAAAAAAAAAAAAAA",
)


class HeldBack(io.BytesIO):
    """A source that stops after its first 50,000 bytes until it is told to go on."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reached_the_middle = threading.Event()
        self.go_on = threading.Event()

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() and not self.reached_the_middle.is_set():
            self.reached_the_middle.set()
            assert self.go_on.wait(10)
        return super().read(50_000)


class ByFirstCharacter:
    """Rows that have every blob: each lies in one of two stores."""

    def of(self, names: Sequence[str]) -> Mapping[str, str]:
        return {name: "upper" if name[0].isupper() else "other" for name in names}


@pytest.fixture(params=["folder", "memory", "router", "s3", "s3-versions"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "folder":
        return FolderStore.create(tmp_path / "blobs")
    if request.param == "router":
        stores = {"upper": FolderStore.create(tmp_path / "upper"), "other": FolderStore.create(tmp_path / "other")}
        return StoreRouter(stores, ByFirstCharacter())
    if request.param == "memory":
        return MemoryStore()
    rgw: Rgw = request.getfixturevalue("rgw")
    return s3_store(rgw, keeps_versions=request.param == "s3-versions")


@pytest.fixture
def names(randomness: CountedRandomness) -> Iterator[str]:
    return (name_of(randomness.octets(16)) for _ in range(1000))


def put(store: BlobStore, name: str, data: bytes = SEALED) -> None:
    store.put(name, io.BytesIO(data), len(data))


def test_what_is_put_is_read_again_whole_and_in_pieces(store: BlobStore, names: Iterator[str]) -> None:
    name = next(names)
    put(store, name)
    assert store.size(name) == len(SEALED)
    assert store.read(name, 0, len(SEALED)) == SEALED
    assert store.read(name, 1000, 17) == SEALED[1000:1017]
    assert store.read(name, len(SEALED) - 3, 100) == SEALED[-3:], "fewer at the end"
    assert store.read(name, len(SEALED) + 5, 100) == b""
    assert store.read(name, 0, 0) == b""


def test_an_empty_blob_is_a_blob(store: BlobStore, names: Iterator[str]) -> None:
    name = next(names)
    put(store, name, b"")
    assert store.size(name) == 0
    assert list(store.names()) == [name]


def test_exactly_the_bytes_that_were_announced_are_stored(store: BlobStore, names: Iterator[str]) -> None:
    name = next(names)
    store.put(name, io.BytesIO(SEALED), 1000)
    assert store.read(name, 0, 5000) == SEALED[:1000]


def test_an_empty_blob_has_nothing_to_read(store: BlobStore, names: Iterator[str]) -> None:
    name = next(names)
    put(store, name, b"")
    assert store.read(name, 0, 100) == b""
    assert store.read(name, 0, 0) == b""
    with pytest.raises(FileNotFoundError):
        store.read(next(names), 0, 0)


def test_a_source_that_ends_early_leaves_nothing_behind(store: BlobStore, names: Iterator[str]) -> None:
    name = next(names)
    with pytest.raises(ValueError, match="fewer bytes"):
        store.put(name, io.BytesIO(SEALED), len(SEALED) + 1)
    assert store.size(name) is None
    assert list(store.names()) == []


def test_a_name_is_used_once(store: BlobStore, names: Iterator[str]) -> None:
    name = next(names)
    put(store, name)
    with pytest.raises(FileExistsError):
        put(store, name, b"something else")
    assert store.read(name, 0, len(SEALED)) == SEALED


def test_what_is_not_there_says_so(store: BlobStore, names: Iterator[str]) -> None:
    name = next(names)
    assert store.size(name) is None
    with pytest.raises(FileNotFoundError):
        store.read(name, 0, 1)


def test_erasing_twice_is_calm_but_truthful(store: BlobStore, names: Iterator[str]) -> None:
    name, other = next(names), next(names)
    put(store, name)
    put(store, other)
    assert store.keeps(name)
    assert store.erase(name) is True
    assert store.erase(name) is False
    assert store.size(name) is None
    assert not store.keeps(name)
    assert store.keeps(other)
    with pytest.raises(FileNotFoundError):
        store.read(name, 0, 1)
    assert store.read(other, 0, 5) == SEALED[:5], "its neighbour stays"


def test_names_account_for_every_blob_once(store: BlobStore, names: Iterator[str]) -> None:
    kept = {next(names) for _ in range(30)}
    for name in kept:
        put(store, name, b"sealed")
    gone = set(sorted(kept)[::3])
    for name in gone:
        store.erase(name)
    assert sorted(store.names()) == sorted(kept - gone)


def test_many_are_erased_at_once_and_each_is_answered_for(store: BlobStore, names: Iterator[str]) -> None:
    there, absent, kept = [next(names) for _ in range(30)], [next(names) for _ in range(3)], next(names)
    for name in (*there, kept):
        put(store, name, b"sealed")
    report = store.erase_many([*there, *absent, there[0]])
    assert report.is_clean
    assert report.gone == dict.fromkeys(there, True) | dict.fromkeys(absent, False)
    assert list(store.names()) == [kept]
    assert store.erase_many([]).gone == {}


def test_nothing_is_erased_where_one_of_many_is_not_a_name(store: BlobStore, names: Iterator[str]) -> None:
    name = next(names)
    put(store, name)
    with pytest.raises(ValueError, match="22 characters"):
        store.erase_many([name, "../etc/passwd"])
    assert store.size(name) == len(SEALED)


def test_what_is_not_a_name_is_refused_everywhere(store: BlobStore) -> None:
    for name in NOT_NAMES:
        for act in (
            partial(put, store, name),
            partial(store.read, name, 0, 1),
            partial(store.size, name),
            partial(store.erase, name),
            partial(store.erase_many, [name]),
            partial(store.quarantine, name),
        ):
            with pytest.raises(ValueError, match="22 characters"):
                act()
    assert list(store.names()) == []


def test_a_negative_range_is_refused(store: BlobStore, names: Iterator[str]) -> None:
    name = next(names)
    put(store, name)
    for offset, length in ((-1, 5), (0, -1)):
        with pytest.raises(ValueError, match="range"):
            store.read(name, offset, length)


def test_of_many_that_use_one_name_at_once_one_wins_whole(store: BlobStore, names: Iterator[str]) -> None:
    name = next(names)
    offers = [bytes([number]) * 200_000 for number in range(8)]

    def offer(data: bytes) -> bool:
        try:
            put(store, name, data)
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(offer, offers))
    assert sum(won) == 1
    assert store.read(name, 0, 300_000) == offers[won.index(True)]
    assert list(store.names()) == [name]


def test_many_blobs_at_once_are_all_whole(store: BlobStore, names: Iterator[str]) -> None:
    wanted = {next(names): bytes([number]) * 50_000 for number in range(40)}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: put(store, name, wanted[name]), wanted))
    assert {name: store.read(name, 0, 60_000) for name in store.names()} == wanted


def test_a_blob_is_invisible_until_it_is_whole(store: BlobStore, names: Iterator[str]) -> None:
    name, source = next(names), HeldBack(SEALED)
    with ThreadPoolExecutor(1) as pool:
        stored = pool.submit(store.put, name, source, len(SEALED))
        assert source.reached_the_middle.wait(10)
        assert store.size(name) is None
        with pytest.raises(FileNotFoundError):
            store.read(name, 0, 1)
        source.go_on.set()
        stored.result(10)
    assert store.read(name, 0, len(SEALED)) == SEALED


def test_a_store_says_nothing_of_what_it_refuses_but_a_code(store: BlobStore, names: Iterator[str]) -> None:
    name = next(names)
    with pytest.raises(FileNotFoundError) as missing:
        store.read(name, 0, 1)
    assert "/" not in str(missing.value)
    assert StoreUnavailable.code == "store-unavailable"


def test_what_is_quarantined_is_no_blob_any_more_and_none_of_its_bytes_is_lost(
    store: BlobStore, names: Iterator[str]
) -> None:
    name, neighbour = next(names), next(names)
    put(store, name)
    put(store, neighbour, b"sealed")
    assert list(store.quarantined()) == []
    assert store.quarantine(name) is True
    assert store.size(name) is None
    with pytest.raises(FileNotFoundError):
        store.read(name, 0, 1)
    assert list(store.names()) == [neighbour]
    assert list(store.quarantined()) == [Quarantined(name, len(SEALED))]
    assert store.read(neighbour, 0, 10) == b"sealed"


def test_quarantining_twice_is_calm_but_truthful(store: BlobStore, names: Iterator[str]) -> None:
    name = next(names)
    assert store.quarantine(name) is False
    put(store, name)
    assert store.quarantine(name) is True
    assert store.quarantine(name) is False
    assert len(list(store.quarantined())) == 1


def test_nothing_in_quarantine_is_erased_or_overwritten(store: BlobStore, names: Iterator[str]) -> None:
    name = next(names)
    put(store, name)
    store.quarantine(name)
    assert store.erase(name) is False
    assert store.erase_many([name]).gone == {name: False}
    assert list(store.quarantined()) == [Quarantined(name, len(SEALED))]


def test_what_comes_back_under_the_same_name_is_quarantined_beside_the_first(
    store: BlobStore, names: Iterator[str]
) -> None:
    name = next(names)
    put(store, name)
    store.quarantine(name)
    try:
        put(store, name, b"once more")
    except FileExistsError:
        return  # A store that remembers every name that was ever used never has this.
    store.quarantine(name)
    assert list(store.quarantined()) == [Quarantined(name, len(SEALED)), Quarantined(f"{name}~2", 9)]


def test_an_empty_blob_is_quarantined_too(store: BlobStore, names: Iterator[str]) -> None:
    name = next(names)
    put(store, name, b"")
    assert store.quarantine(name) is True
    assert list(store.quarantined()) == [Quarantined(name, 0)]
    assert list(store.names()) == []


def test_an_upload_under_way_never_becomes_a_blob_once_it_was_quarantined(
    store: BlobStore, names: Iterator[str]
) -> None:
    name, source = next(names), HeldBack(SEALED)
    with ThreadPoolExecutor(1) as pool:
        stored = pool.submit(store.put, name, source, len(SEALED))
        assert source.reached_the_middle.wait(10)
        store.quarantine(name)
        source.go_on.set()
        wait([stored], 10)
    if isinstance(store, MemoryStore):
        return  # It knows of an upload only once that is over.
    assert isinstance(stored.exception(), StoreUnavailable)
    assert store.size(name) is None
    assert list(store.names()) == []


def test_what_a_store_holds_counts_in_what_is_there_or_is_not_known(store: BlobStore) -> None:
    nothing_there, much_there = store.capacity(0), store.capacity(10**15)
    assert (nothing_there is None) is (much_there is None)
    if isinstance(store, FolderStore):
        assert nothing_there is not None
        assert much_there is not None
        assert much_there - nothing_there > 10**14, "the disk's free bytes, and ours"

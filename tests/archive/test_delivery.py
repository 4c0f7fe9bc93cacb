"""From the spool to the store: nothing leaves the one before it is safe in the other, whatever comes between."""

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import pytest

from archive.blobs.folder_store import FolderStore
from archive.erasure.rules import Step
from archive.errors import StoreUnavailable
from archive.recorder.delivery import BATCH, Delivery
from archive.segments import store as segments
from archive.segments.rules import Place, Span, State
from tests.given.failing_db import FailingDatabase
from tests.given.footage import House
from tests.given.tampering import add_copies

DEADLINE_S = 20.0


class _Killed(BaseException):
    """The process ends here: nothing that comes after is executed, nothing is cleaned up."""


class _Store(FolderStore):
    """A store that is away, or at which the process dies, or which keeps somebody waiting, as it is told."""

    is_away = False
    keeps_a_piece = False
    before_put: Callable[[], None] | None = None
    after_put: Callable[[], None] | None = None
    after_size: Callable[[], None] | None = None

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.events: list[str] = []

    def put(self, name: str, source: BinaryIO, size: int) -> None:
        if self.is_away:
            raise StoreUnavailable("the store does not answer")
        if self.before_put is not None:
            self.before_put()
        if self.keeps_a_piece:
            super().put(name, source, size // 2)
            raise StoreUnavailable("the line broke")
        super().put(name, source, size)
        self.events.append("put")
        if self.after_put is not None:
            self.after_put()

    def erase(self, name: str) -> bool:
        self.events.append("erase")
        return super().erase(name)

    def size(self, name: str) -> int | None:
        if self.is_away:
            raise StoreUnavailable("the store does not answer")
        found = super().size(name)
        if found is not None and self.after_size is not None:
            self.after_size()
        return found


def _die() -> None:
    raise _Killed


@pytest.fixture
def store(house: House) -> _Store:
    made = _Store(house.folder / "archive")
    house.store = made
    house.kill()
    house.join()
    house.opt_in()
    return made


def _played(house: House) -> bytes:
    parts = house.footage.find(house.look(), Span(0, 2**60))
    return b"".join(house.footage.read(house.look(), part.seen, part.index, part.chosen) for part in parts)


def test_while_the_store_is_away_everything_stays_in_the_spool_and_plays_and_then_catches_up(
    house: House, store: _Store
) -> None:
    store.is_away = True
    fed = [fragment for _ in range(3) for fragment in house.record(2)]
    report = house.delivery.deliver()
    assert list(report.failed.values()) == ["store-unavailable"]  # one is enough to know
    assert {row.place for row in house.rows()} == {Place.SPOOL}
    assert _played(house) == b"".join(one.data for one in fed)
    store.is_away = False
    report = house.delivery.deliver()
    assert report.is_clean
    assert len(report.moved) == 3
    assert {row.place for row in house.rows()} == {Place.STORE}
    assert list(house.spool.iterdir()) == []
    assert _played(house) == b"".join(one.data for one in fed)
    assert house.check().is_clean


@pytest.mark.parametrize("step", ["before the put", "after the put", "after the sizes", "after the row"])
def test_a_delivery_killed_between_any_two_of_its_steps_is_finished_later(
    house: House, store: _Store, failing_db: FailingDatabase, step: str
) -> None:
    fed = house.record(3)
    if step == "after the row":
        failing_db.after_commit = _Killed()
    else:
        told = {"before the put": "before_put", "after the put": "after_put", "after the sizes": "after_size"}
        setattr(store, told[step], _die)
    with pytest.raises(_Killed):
        house.delivery.deliver()
    store.before_put = store.after_put = store.after_size = None
    assert _played(house) == b"".join(one.data for one in fed)  # at any moment
    house.revive()
    report = house.delivery.deliver()
    assert report.is_clean
    assert (len(report.moved), report.removed) == ((0, 1) if step == "after the row" else (1, 0))
    [row] = house.rows()
    assert row.place is Place.STORE
    assert list(house.spool.iterdir()) == []
    assert list(store.names()) == [row.blob_name]
    assert _played(house) == b"".join(one.data for one in fed)
    assert house.check().is_clean


def test_a_piece_that_a_store_kept_of_a_broken_upload_is_replaced_by_the_whole(house: House, store: _Store) -> None:
    fed = house.record(3)
    store.keeps_a_piece = True
    assert list(house.delivery.deliver().failed.values()) == ["store-unavailable"]
    [row] = house.rows()
    assert (store.size(row.blob_name), row.place) == ((row.size_bytes or 0) // 2, Place.SPOOL)
    assert _played(house) == b"".join(one.data for one in fed), "what is not delivered plays from the spool"
    store.keeps_a_piece = False
    assert house.delivery.deliver().is_clean
    assert store.size(row.blob_name) == row.size_bytes
    assert _played(house) == b"".join(one.data for one in fed)
    assert house.check().is_clean


def test_a_whole_blob_is_never_taken_away_for_a_spool_file_that_is_not(house: House, store: _Store) -> None:
    house.record(3)
    store.after_put = _die
    with pytest.raises(_Killed):
        house.delivery.deliver()
    store.after_put = None
    [row] = house.rows()
    path = house.spool / row.blob_name
    path.write_bytes(path.read_bytes()[:-1])
    assert list(house.delivery.deliver().failed.values()) == ["FileExistsError"]
    assert store.size(row.blob_name) == row.size_bytes


def test_one_file_that_cannot_be_moved_keeps_no_other_from_the_store(house: House, store: _Store) -> None:
    for _ in range(3):
        house.record(2)
    first, second, third = house.rows()
    (house.spool / first.blob_name).unlink()
    report = house.delivery.deliver()
    assert report.failed == {first.id: "FileNotFoundError"}
    assert report.moved == [second.id, third.id]


def test_more_files_that_cannot_be_moved_than_one_batch_keep_no_other_from_the_store(house: House) -> None:
    """The oldest are asked for first, every time: they must not fill every batch."""
    house.opt_in()
    house.record(2)
    [model] = house.rows()
    lost = [f"{number:021d}A" for number in range(BATCH + 5)]
    at_us = model.starts_us - 10_000_000
    add_copies(
        house.db,
        model.id,
        [
            {"id": UUID(int=number), "blob_name": name, "starts_us": at_us + number, "ends_us": at_us + number + 1}
            for number, name in enumerate(lost)
        ],
    )
    report = house.delivery.deliver()
    assert len(report.failed) == len(lost)
    assert report.moved == [model.id]


def test_a_segment_that_is_being_put_is_not_erased_beside_it(house: House, store: _Store) -> None:
    """Else the bytes could come into the store after it has confirmed that they are gone."""
    house.keep_for(timedelta(seconds=10))
    house.record(2)
    house.clock.forward(timedelta(seconds=20))
    reached, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        reached.set()
        assert go_on.wait(DEADLINE_S)

    store.before_put = wait
    marked = threading.Event()
    house.progress = lambda step: marked.set() if step is Step.KEY_DESTRUCTION_NOTED else None
    house.eraser = house.new_eraser()
    moving = threading.Thread(target=house.delivery.deliver)
    sweeping = threading.Thread(target=house.eraser.sweep)
    moving.start()
    assert reached.wait(DEADLINE_S)
    sweeping.start()
    assert marked.wait(DEADLINE_S)
    go_on.set()
    moving.join(DEADLINE_S)
    sweeping.join(DEADLINE_S)
    assert store.events[:2] == ["put", "erase"]
    assert {row.state for row in house.rows()} == {State.ERASED}
    assert list(store.names()) == []
    assert list(house.spool.iterdir()) == []
    assert house.check().is_clean


def test_a_segment_that_is_being_erased_is_not_put_any_more(house: House, store: _Store) -> None:
    house.keep_for(timedelta(seconds=10))
    house.record(2)
    house.clock.forward(timedelta(seconds=20))
    with house.db.reading() as session:
        waiting = segments.in_spool(session, 10)
    house.eraser.sweep()
    assert not house.delivery._move(waiting[0])
    assert list(store.names()) == []


def test_another_services_erasure_that_came_first_takes_the_bytes_away_again(house: House, store: _Store) -> None:
    """Without this delivery among the eraser's copies nobody waits: then what was put is erased at once."""
    house.keep_for(timedelta(seconds=10))
    house.record(2)
    house.clock.forward(timedelta(seconds=20))
    alone = Delivery(house.db, house.spool, store)
    store.before_put = lambda: _rest(house.eraser.sweep())
    report = alone.deliver()
    assert report.moved == []
    assert list(store.names()) == []
    assert list(house.spool.iterdir()) == []


def _rest(_: object) -> None:
    """A sweep's report says nothing here."""

"""All cameras' recorders together: fed without waiting, started, stopped, and never two for one camera."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import BinaryIO

import pytest

from archive.blobs.folder_store import FolderStore
from archive.format.sealed_file import SealedWriter
from archive.recorder.delivery import Delivery
from archive.recorder.rules import Why
from archive.recorder.service import MOST_WAITING_BYTES, RecorderService
from archive.recorder.standing import micros
from archive.segments import gaps
from archive.segments import store as segments
from archive.segments.rules import Place, Span, State
from tests.given.encoded import encoded
from tests.given.failing_db import FailingDatabase
from tests.given.footage import House

DEADLINE_S = 20.0


@pytest.fixture
def service(house: House) -> Iterator[RecorderService]:
    made = RecorderService(house.tools, house.recovery, house.delivery)
    house.start()
    made.add(house.operator_id, house.camera.camera_id)
    yield made
    made.stop(DEADLINE_S)


def _whys(house: House) -> list[str]:
    with house.db.reading() as session:
        return [gap.why for gap in gaps.touching(session, house.camera.camera_id, Span(0, 2**60))]


def _feed(house: House, service: RecorderService, seconds: float, run: str = "run-1") -> int:
    """Hand over a stream that has all arrived by now."""
    fed = house.fragments(seconds)
    house.clock.forward(timedelta(seconds=seconds + 2))
    service.epoch(house.camera.camera_id, run, encoded(seconds, gop=25).epoch(1))
    for fragment in fed:
        service.fragment(house.camera.camera_id, fragment)
    return len(fed)


def _settle(service: RecorderService, house: House) -> None:
    assert service._lanes[house.camera.camera_id].strand.settle(DEADLINE_S)


def test_what_is_fed_is_recorded_delivered_and_closed_at_the_end(house: House, service: RecorderService) -> None:
    house.opt_in()
    fed = _feed(house, service, 4)
    _settle(service, house)
    growing = service.growing(house.camera.camera_id)
    assert growing is not None
    assert len(growing.index.entries) == fed
    assert service.tallies()[house.camera.camera_id].fragments == fed
    assert service.stop(DEADLINE_S)
    assert [row.state for row in house.rows()] == [State.STORED]
    assert _whys(house)[-1] == Why.STOPPING


def test_after_the_end_nothing_is_taken_and_nothing_raises(house: House, service: RecorderService) -> None:
    house.opt_in()
    assert service.stop(DEADLINE_S)
    _feed(house, service, 2)
    service.ask_again(house.camera.camera_id)
    service.lost(house.camera.camera_id, Why.CAMERA_LOST)
    assert house.rows() == []


def test_a_camera_that_is_removed_and_added_at_once_has_one_recorder(house: House, service: RecorderService) -> None:
    house.opt_in()
    _feed(house, service, 3)
    lane = service._lanes[house.camera.camera_id]
    service.remove(house.camera.camera_id)
    service.add(house.operator_id, house.camera.camera_id)
    _feed(house, service, 3, "run-2")
    _settle(service, house)
    assert service._lanes[house.camera.camera_id] is lane
    assert [row.state for row in house.rows()] == [State.STORED, State.WRITING]


def test_a_camera_that_is_removed_is_closed_and_forgotten(house: House, service: RecorderService) -> None:
    house.opt_in()
    _feed(house, service, 3)
    lane = service._lanes[house.camera.camera_id]
    service.remove(house.camera.camera_id)
    assert lane.strand.settle(DEADLINE_S)
    assert service.tallies() == {}
    assert [row.state for row in house.rows()] == [State.STORED]


class _SlowStore(FolderStore):
    """Takes nothing until its gate is opened."""

    def __init__(self, house: House) -> None:
        super().__init__(house.folder / "archive")
        self.gate = threading.Event()
        self.reached = threading.Event()

    def put(self, name: str, source: BinaryIO, size: int) -> None:
        self.reached.set()
        assert self.gate.wait(DEADLINE_S)
        super().put(name, source, size)


def test_a_slow_store_delays_no_recording(house: House) -> None:
    slow = _SlowStore(house)
    service = RecorderService(house.tools, house.recovery, Delivery(house.db, house.spool, slow))
    service.add(house.operator_id, house.camera.camera_id)
    house.opt_in()
    for number in range(8):  # more closed segments than there are threads
        _feed(house, service, 2, f"run-{number}")
    _settle(service, house)
    assert slow.reached.wait(DEADLINE_S)
    assert len(house.rows()) == 8
    assert {row.place for row in house.rows()} == {Place.SPOOL}
    slow.gate.set()
    assert service.stop(DEADLINE_S)
    assert service.deliver().is_clean
    assert {row.place for row in house.rows()} == {Place.STORE}


class _Unforeseen(SealedWriter):
    """Fails in a way that nobody foresaw, once."""

    has_failed = False

    def write(self, plain: bytes | memoryview) -> None:
        if len(plain) > 2000 and not _Unforeseen.has_failed:
            _Unforeseen.has_failed = True
            raise ZeroDivisionError
        super().write(plain)


def test_an_error_nobody_foresaw_costs_a_segment_and_not_the_camera(house: House) -> None:
    _Unforeseen.has_failed = False
    tools = replace(house.tools, new_writer=_Unforeseen)
    service = RecorderService(tools, house.recovery, house.delivery)
    service.add(house.operator_id, house.camera.camera_id)
    house.opt_in()
    _feed(house, service, 3)
    _settle(service, house)
    _feed(house, service, 3, "run-2")
    _settle(service, house)
    assert _Unforeseen.has_failed
    assert service.growing(house.camera.camera_id) is not None
    assert service.tallies()[house.camera.camera_id].failures == 2  # it failed, and left a file to recovery
    assert Why.RECORDER_FAILED in _whys(house)
    assert service.stop(DEADLINE_S)
    house.clock.forward(timedelta(seconds=10))
    assert house.check().is_clean


def test_too_much_waiting_loses_whole_fragments_loudly(house: House, service: RecorderService) -> None:
    house.opt_in()
    held, go_on = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        held.set()
        assert go_on.wait(DEADLINE_S)

    strand = service._lanes[house.camera.camera_id].strand
    strand.put(hold)
    assert held.wait(DEADLINE_S)
    assert strand.put(lambda _: None, MOST_WAITING_BYTES - 1000)
    _feed(house, service, 3)
    go_on.set()
    _settle(service, house)
    assert house.rows() == []
    tally = service.tallies()[house.camera.camera_id]
    assert tally.failures > 0
    _feed(house, service, 3, "run-2")
    _settle(service, house)
    assert [row.state for row in house.rows()] == [State.WRITING]


def test_a_disk_that_hangs_lets_nothing_pile_up(house: House, service: RecorderService) -> None:
    house.opt_in()
    held, go_on = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        held.set()
        assert go_on.wait(DEADLINE_S)

    lane = service._lanes[house.camera.camera_id]
    lane.strand.put(hold)
    assert held.wait(DEADLINE_S)
    assert lane.strand.put(lambda _: None, MOST_WAITING_BYTES)
    for _ in range(20):
        _feed(house, service, 3)
        service.deliver()
    # The filler, and of all that was lost and all the rounds one word each beside 20 beginnings.
    assert len(lane.strand._waiting) == 1 + 20 + 2
    go_on.set()
    _settle(service, house)
    _feed(house, service, 3, "run-2")
    _settle(service, house)
    assert [row.state for row in house.rows()] == [State.WRITING]


def test_each_loss_between_fragments_that_were_taken_ends_the_segment(house: House, service: RecorderService) -> None:
    house.opt_in()
    [stream, fed] = house.stream(4)
    house.clock.forward(timedelta(seconds=6))
    service.epoch(house.camera.camera_id, "run-1", stream.epoch(1))
    strand = service._lanes[house.camera.camera_id].strand
    heavy = replace(fed[0], data=b"x" * (MOST_WAITING_BYTES + 1))
    for one in (*fed[:3], heavy, heavy, *fed[3:5], heavy, *fed[5:]):
        service.fragment(house.camera.camera_id, one)
    assert strand.settle(DEADLINE_S)
    house.close()
    assert service.tallies()[house.camera.camera_id].failures == 2
    assert len(house.rows()) == 3


def test_what_the_start_could_not_close_of_a_camera_that_is_gone_is_closed_by_the_timer(house: House) -> None:
    house.opt_in()
    house.record(3, close=False)
    house.kill()
    house.join()
    hidden = house.spool.with_name("elsewhere")
    house.spool.rename(hidden)
    with pytest.raises(FileNotFoundError):
        house.start()
    hidden.rename(house.spool)
    service = RecorderService(house.tools, house.recovery, house.delivery)
    service.deliver()
    lanes = list(service._lanes.values())
    assert all(lane.strand.settle(DEADLINE_S) for lane in lanes)
    assert [row.state for row in house.rows()] == [State.STORED]
    assert service.tallies() == {}
    assert service.stop(DEADLINE_S)


def test_a_file_that_a_failed_write_left_open_is_closed_by_the_timer(house: House, service: RecorderService) -> None:
    house.opt_in()
    _feed(house, service, 3)
    _settle(service, house)
    service._lanes[house.camera.camera_id].recorder.failed()
    assert [row.state for row in house.rows()] == [State.WRITING]
    service.deliver()
    _settle(service, house)
    assert [row.state for row in house.rows()] == [State.STORED]


def test_a_start_accounts_for_the_time_in_which_nobody_recorded(house: House) -> None:
    house.opt_in()
    house.record(3)
    stopped_us = micros(house.clock.now())
    house.clock.forward(timedelta(minutes=10))
    assert not house.start().failed_cameras
    with house.db.reading() as session:
        [_, gap] = gaps.touching(session, house.camera.camera_id, Span(0, 2**60))
    assert gap.from_us <= stopped_us + 1_000_000
    assert gap.until_us is None


def test_a_camera_that_leaves_while_the_database_is_away_is_not_forgotten_before_its_segment_is_closed(
    house: House, service: RecorderService, failing_db: FailingDatabase
) -> None:
    house.opt_in()
    _feed(house, service, 3)
    _settle(service, house)
    strand = service._lanes[house.camera.camera_id].strand
    failing_db.is_away = True
    service.remove(house.camera.camera_id)
    assert strand.settle(DEADLINE_S)
    failing_db.is_away = False
    with house.db.reading() as session:
        assert len(segments.growing(session)) == 1
    service.deliver()
    assert strand.settle(DEADLINE_S)
    with house.db.reading() as session:
        assert segments.growing(session) == []
    assert service.tallies() == {}

"""One camera's work is done in order, never twice at once, within its bound, whatever its neighbours do."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from archive.recorder.strand import Strand

DEADLINE_S = 20.0


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


def test_work_is_done_in_order_and_never_two_at_once(pool: ThreadPoolExecutor) -> None:
    done: list[int] = []
    inside = threading.Lock()

    def run(item: int) -> None:
        assert inside.acquire(blocking=False)
        done.append(item)
        inside.release()

    strand = Strand(pool, run, 10**9)
    assert all(strand.put(number, 1) for number in range(5000))
    assert strand.settle(DEADLINE_S)
    assert done == list(range(5000))
    assert strand.failures == 0


def test_many_cameras_from_many_threads_each_keep_their_order(pool: ThreadPoolExecutor) -> None:
    done: dict[int, list[int]] = {camera: [] for camera in range(12)}
    strands = {camera: Strand(pool, done[camera].append, 10**9) for camera in done}

    def feed(camera: int) -> None:
        for number in range(400):
            strands[camera].put(number, 1)

    feeders = [threading.Thread(target=feed, args=(camera,)) for camera in done]
    for feeder in feeders:
        feeder.start()
    for feeder in feeders:
        feeder.join(DEADLINE_S)
    assert all(strand.settle(DEADLINE_S) for strand in strands.values())
    assert all(order == list(range(400)) for order in done.values())


class _Gate:
    """Holds whoever runs until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Semaphore(0)
        self.open = threading.Event()
        self.done: list[int] = []

    def run(self, item: int) -> None:
        self.reached.release()
        assert self.open.wait(DEADLINE_S)
        self.done.append(item)


def test_what_would_exceed_the_bound_is_not_taken_and_control_messages_always_are(pool: ThreadPoolExecutor) -> None:
    gate = _Gate()
    strand = Strand(pool, gate.run, 100)
    assert strand.put(0, 100)
    assert gate.reached.acquire(timeout=DEADLINE_S)  # it runs, and waits no more
    assert strand.put(1, 60)
    assert not strand.put(2, 60)
    assert strand.put(3)
    assert strand.put(4, 40)
    gate.open.set()
    assert strand.settle(DEADLINE_S)
    assert gate.done == [0, 1, 3, 4]
    assert strand.put(5, 100)


def test_to_put_something_never_waits_for_what_runs(pool: ThreadPoolExecutor) -> None:
    gate = _Gate()
    strand = Strand(pool, gate.run, 10**9)
    strand.put(0, 1)
    assert gate.reached.acquire(timeout=DEADLINE_S)
    assert all(strand.put(number, 1) for number in range(1, 100))
    assert not strand.settle(0.0)
    gate.open.set()
    assert strand.settle(DEADLINE_S)


def test_one_items_error_ends_nothing_but_that_item(pool: ThreadPoolExecutor) -> None:
    done: list[int] = []

    def run(item: int) -> None:
        if item % 3 == 0:
            raise ZeroDivisionError
        done.append(item)

    strand = Strand(pool, run, 10**9)
    for number in range(100):
        strand.put(number)
    assert strand.settle(DEADLINE_S)
    assert done == [number for number in range(100) if number % 3]
    assert strand.failures == 34


def test_a_camera_with_a_backlog_lets_the_others_have_their_turn() -> None:
    order: list[str] = []
    gate = _Gate()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(gate.run, 0)
        busy: Strand[int] = Strand(pool, lambda _: order.append("busy"), 10**9)
        calm: Strand[int] = Strand(pool, lambda _: order.append("calm"), 10**9)
        for _ in range(500):
            busy.put(0)
        calm.put(0)
        gate.open.set()
        assert busy.settle(DEADLINE_S)
        assert calm.settle(DEADLINE_S)
    assert order.index("calm") < 50


def test_after_the_threads_are_closed_nothing_is_taken_and_nobody_waits_for_it() -> None:
    pool = ThreadPoolExecutor(1)
    strand: Strand[int] = Strand(pool, lambda _: None, 100)
    pool.shutdown()
    assert not strand.put(1, 10)
    assert not strand.put(2)
    assert strand.settle(0.0)
    assert strand.failures == 2

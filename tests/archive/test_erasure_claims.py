"""Several workers sweep one database: each erasure is one worker's, a dead one's is gone on with, none comes twice."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from archive.erasure import claims
from archive.erasure.claims import ClaimIsLost
from archive.erasure.removal import ERASED
from archive.erasure.rules import Step
from archive.erasure.tables import ErasureRow
from archive.erasure.tools import SweepReport
from archive.receipts import store as receipts
from archive.receipts.rules import Valid
from archive.receipts.service import verify
from archive.segments.rules import Segment, State
from archive.segments.tables import SegmentRow
from tests.given.clock import HandClock
from tests.given.footage import House
from tests.given.sweeping import Worker, killed_at, working
from vms_privacy.audit.events import Tag
from vms_privacy.audit.tables import EventRow
from vms_privacy.ids import WorkerId
from vms_privacy.journal.rules import JournalKind, bucket_keys_in

_MINUTE = timedelta(seconds=60)
DEADLINE_S = 60.0


class _Killed(BaseException):
    """The process ends here: nothing that comes after is executed, nothing is cleaned up."""


@pytest.fixture
def two(house: House) -> Iterator[tuple[Worker, Worker]]:
    with ExitStack() as stack:
        url = house.db.engine.url.render_as_string(hide_password=False)
        first, second = (stack.enter_context(working(url, house.folder, house.clock, number)) for number in (11, 12))
        yield first, second


def _record(house: House, hours: int, each: int) -> list[Segment]:
    """Some segments an hour, in the store, all of them due."""
    house.opt_in()
    house.keep_for(2 * _MINUTE)
    for _ in range(hours):
        for _ in range(each):
            house.record(1)
            house.clock.forward(timedelta(seconds=3))
        house.clock.forward(timedelta(hours=1))
    house.delivery.deliver()
    return house.rows()


def _events(house: House, tag: Tag) -> list[str]:
    with house.db.reading() as session:
        return list(session.scalars(select(EventRow.detail).where(EventRow.tag == tag)))


def _journalled(workers: tuple[Worker, ...]) -> tuple[Counter[str], Counter[str]]:
    """How often each segment, and each bucket key, is in a journal as destroyed."""
    segments: Counter[str] = Counter()
    keys: Counter[str] = Counter()
    for worker in workers:
        for entry in worker.journal.entries():
            if entry.kind is JournalKind.KEY_DESTROYED:
                keys.update(map(str, bucket_keys_in(entry.facts)))
            if entry.kind is JournalKind.ERASURE:
                for name, word in entry.facts.items():
                    if name.startswith("ids_"):
                        segments.update(str(word).split("+"))
    return segments, keys


def _erasures(house: House) -> list[ErasureRow]:
    with house.db.reading() as session:
        return list(session.scalars(select(ErasureRow)))


def _each_was_destroyed_once(house: House, workers: tuple[Worker, ...], recorded: list[Segment]) -> None:
    ids = {one.id for one in recorded}
    assert {row.state for row in house.rows()} == {State.ERASED}
    assert list(house.store.names()) == []
    assert house.keyring.bucket_keys() == frozenset()
    done = [one for worker in workers for one in worker.report.erased]
    assert sorted(done) == sorted(ids), "each once, by one of them"
    segments, keys = _journalled(workers)
    assert segments == Counter(one.hex for one in ids)
    assert set(keys.values()) == {1}
    erasures = _erasures(house)
    assert sum(one.segments for one in erasures) == len(ids)
    assert len(_events(house, Tag.ERASURE_STARTED)) == len(_events(house, Tag.ERASURE_DONE)) == len(erasures)
    assert _events(house, Tag.ERASURE_FAILED) == []
    with house.db.reading() as session:
        assert set(session.scalars(select(SegmentRow.store_answer))) == {ERASED}
    assert sorted(_leaves(house)) == sorted(str(one) for one in ids)
    assert house.is_in_order


def _leaves(house: House) -> list[str]:
    """Which segments the receipts tell of, as often as they do."""
    with house.db.writing() as session:
        (receipt_id,) = house.receipts.sign_now(session, house.operator_id, house.owner.label)
    with house.db.reading() as session:
        row = receipts.by_id(session, house.operator_id, receipt_id)
    assert row is not None
    verdict = verify(row.document, house.receipts.history)
    assert isinstance(verdict, Valid)
    return [str(leaf["segment_id"]) for leaf in verdict.leaves]


def test_two_sweeps_at_once_share_what_is_due_and_destroy_each_segment_once(
    house: House, two: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archive.erasure.service.BATCH", 3)
    recorded = _record(house, hours=6, each=4)
    both = threading.Barrier(2)

    def sweep(worker: Worker) -> None:
        both.wait(DEADLINE_S)
        worker.sweep()

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(sweep, worker) for worker in two]:
            done.result(DEADLINE_S)
    # What was under a bucket that the other re-keyed just then is left to the next round.
    for worker in two:
        worker.sweep()
    _each_was_destroyed_once(house, two, recorded)
    assert [worker.report.failed for worker in two] == [{}, {}]


def _sweep_beside(first: Worker, second: Worker, at: Step) -> None:
    """Have the second sweep all of it whenever the first has reached a step."""
    first.on_step = lambda step: _sweep_too(second) if step is at else None
    first.sweep()
    second.sweep()


def _sweep_too(worker: Worker) -> None:
    worker.sweep()


# Before it is marked nobody can write: that is inside of the transaction that marks.
_STEPS = [step for step in Step if step > Step.JOURNALLED]


@pytest.mark.parametrize("at", _STEPS)
def test_whatever_step_one_worker_is_at_the_other_leaves_it_alone(
    house: House, two: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch, at: Step
) -> None:
    monkeypatch.setattr("archive.erasure.service.BATCH", 2)
    recorded = _record(house, hours=3, each=3)
    _sweep_beside(*two, at)
    _each_was_destroyed_once(house, two, recorded)
    assert all(worker.report.erased for worker in two), "it is shared"


def test_with_claims_that_are_over_at_once_the_two_get_in_each_others_way(
    house: House, two: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sabotage of the test above."""
    monkeypatch.setattr("archive.erasure.service.BATCH", 2)
    monkeypatch.setattr(claims, "CLAIM", timedelta(0))
    monkeypatch.setattr(claims, "keep", lambda *_: None)
    recorded = _record(house, hours=3, each=3)
    _sweep_beside(*two, Step.SURVIVORS_REWRAPPED)
    with pytest.raises(AssertionError):
        _each_was_destroyed_once(house, two, recorded)
    assert {row.state for row in house.rows()} == {State.ERASED}, "and yet all of it is destroyed"
    assert house.keyring.bucket_keys() == frozenset()


@pytest.mark.parametrize("last", _STEPS[:-1])
def test_what_a_killed_worker_was_at_is_gone_on_with_once_its_claim_has_run_out(
    house: House, two: tuple[Worker, Worker], last: Step
) -> None:
    recorded = _record(house, hours=1, each=2)
    first, second = two

    def die(step: Step) -> None:
        if step is last:
            raise _Killed

    first.on_step = die
    with pytest.raises(_Killed):
        first.sweep()
    assert second.sweep() == SweepReport()
    house.clock.forward(claims.CLAIM - timedelta(seconds=1))
    assert second.sweep() == SweepReport()
    assert house.eraser.debt(_MINUTE).segments == (0 if last is Step.BYTES_GONE else len(recorded))
    house.clock.forward(timedelta(seconds=1))
    second.sweep()
    assert {row.state for row in house.rows()} == {State.ERASED}
    assert [one.claimed_by for one in _erasures(house)] == [WorkerId(UUID(int=12))]
    assert len(_events(house, Tag.ERASURE_DONE)) == 1
    assert house.is_in_order


def test_a_worker_killed_in_the_middle_of_a_key_is_gone_on_with_by_another_process(
    house: House, two: tuple[Worker, Worker]
) -> None:
    """`kill -9`, of a process with its own connections, keyring and journal."""
    recorded = _record(house, hours=2, each=2)
    url = house.db.engine.url.render_as_string(hide_password=False)
    with killed_at(Step.OLD_BUCKET_KEY_DESTROYED, url, house.folder, house.clock.now(), 13):
        _, second = two
        assert second.sweep() == SweepReport()
    assert State.STORED not in {row.state for row in house.rows()}, "all of it was one batch, and that is marked"
    house.clock.forward(claims.CLAIM)
    assert sorted(second.sweep().erased) == sorted(one.id for one in recorded)
    assert house.keyring.bucket_keys() == frozenset()
    assert len(_events(house, Tag.ERASURE_DONE)) == 1
    assert house.is_in_order


def test_a_worker_that_is_started_again_takes_up_its_own_at_once(house: House, two: tuple[Worker, Worker]) -> None:
    recorded = _record(house, hours=1, each=2)
    first, _ = two

    def die(step: Step) -> None:
        if step is Step.MARKED:
            raise _Killed

    first.on_step = die
    with pytest.raises(_Killed):
        first.sweep()
    first.on_step = lambda _: None
    assert sorted(first.sweep().erased) == sorted(one.id for one in recorded)


def test_a_worker_that_was_too_slow_leaves_the_rest_to_the_one_that_took_over(
    house: House, clock: HandClock, two: tuple[Worker, Worker]
) -> None:
    _record(house, hours=1, each=2)
    first, second = two

    def sleep(step: Step) -> None:
        if step is Step.KEY_DESTRUCTION_NOTED and not second.report.erased:
            clock.forward(claims.CLAIM)
            second.sweep()

    first.on_step = sleep
    first.sweep()
    assert (len(second.report.erased), first.report.erased, first.report.failed) == (2, [], {})
    assert first.report.taken_over == [one.id for one in _erasures(house)]
    assert len(_events(house, Tag.ERASURE_DONE)) == 1
    assert house.is_in_order


def test_a_claim_that_another_has_taken_is_lost(house: House) -> None:
    _record(house, hours=1, each=1)
    mine, other = WorkerId(UUID(int=11)), WorkerId(UUID(int=12))

    def die(step: Step) -> None:
        if step is Step.MARKED:
            raise _Killed

    house.worker, house.progress = mine, die
    with pytest.raises(_Killed):
        house.new_eraser().sweep()
    now = house.clock.now()
    with house.db.writing() as session:
        claimed = claims.take(session, mine, now)
        assert claimed is not None
        assert claims.take(session, other, now) is None
        claims.keep(session, mine, claimed, now + claims.CLAIM)
        assert claims.take(session, other, now + claims.CLAIM) is None
        assert claims.take(session, other, now + 2 * claims.CLAIM) is not None
        with pytest.raises(ClaimIsLost) as refused:
            claims.keep(session, mine, claimed, now + 2 * claims.CLAIM)
        assert not claims.give_back(session, mine, claimed.erasure.id)
        assert claims.give_back(session, other, claimed.erasure.id)
        assert claims.take(session, mine, now) is not None
        assert claims.take(session, mine, now, claimed) is None, "each once in a round"
    assert refused.value.code == "claim-is-lost"


def test_a_worker_that_takes_long_goes_on_holding_its_claim(
    house: House, clock: HandClock, two: tuple[Worker, Worker]
) -> None:
    recorded = _record(house, hours=4, each=1)
    first, second = two

    def dawdle(step: Step) -> None:
        if step is Step.KEY_DESTRUCTION_NOTED:
            clock.forward(claims.CLAIM * 0.6)
            second.sweep()

    first.on_step = dawdle
    assert sorted(first.sweep().erased) == sorted(one.id for one in recorded)
    assert (second.report.erased, second.steps) == ([], [])


def test_what_failed_is_free_for_whoever_comes_first_after_its_pause(house: House, two: tuple[Worker, Worker]) -> None:
    _record(house, hours=1, each=1)
    first, second = two
    tools = first.eraser._steps._tools
    first.eraser._steps._tools = replace(tools, blobs=_AwayStore())  # type: ignore[arg-type]
    assert not first.sweep().is_clean
    first.eraser._steps._tools = tools
    assert second.sweep().erased == [], "it is tried again after a pause"
    house.clock.forward(timedelta(seconds=6))
    assert len(second.sweep().erased) == 1
    assert house.is_in_order


class _AwayStore:
    """Answers nobody."""

    def erase_many(self, names: object) -> None:
        raise TimeoutError

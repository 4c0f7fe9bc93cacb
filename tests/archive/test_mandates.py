"""What two people decide to have destroyed: exact to the key picture, and nothing beside it."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from archive.blobs.folder_store import FolderStore
from archive.erasure.rules import Step
from archive.errors import FootageIsGone
from archive.format.index import FragmentEntry
from archive.keys.wrap import SegmentKeys
from archive.mandates.errors import MandateRefused, NothingToDestroy, TooManyMandates
from archive.mandates.rules import Cause, Mandate, NewMandate, touches
from archive.mandates.service import Preview
from archive.mandates.store import Left
from archive.orders import store as orders
from archive.orders.rules import Order, OrderKind
from archive.playback.service import Footage
from archive.receipts import store as receipts
from archive.receipts.rules import Valid
from archive.receipts.service import verify
from archive.retention.rules import Terms
from archive.segments.rules import Segment, Span, State
from auth.principal import Right
from streams.media.packets import Fragment, Track
from tests.given.clock import NOON, HandClock
from tests.given.databases import Databases
from tests.given.footage import House
from tests.given.sweeping import killed_at
from vms_privacy.approvals.errors import SecondPersonNeeded
from vms_privacy.approvals.rules import Decision
from vms_privacy.consent.rules import ConsentKind
from vms_privacy.db import Database
from vms_privacy.ids import OrderId, PersonId, SystemRandomness
from vms_privacy.journal.rules import JournalKind
from vms_privacy.keyring.port import KeyIsDestroyed

SECOND_US = 1_000_000
_EVER = Span(0, 2**60)


class _Killed(BaseException):
    """The process ends here: nothing that comes after is executed, nothing is cleaned up."""


def _until_now(house: House) -> Span:
    now_us = int(house.clock.now().timestamp() * SECOND_US)
    return Span(now_us - 3600 * SECOND_US, now_us)


def _new(house: House, span: Span) -> NewMandate:
    return NewMandate(house.camera.camera_id, span, Cause.REQUEST, "request 17", "the person is to be seen in it")


def _preview(house: House, asked: Span, *, knows_orders: bool = True) -> Preview:
    with house.db.reading() as session:
        return house.mandates.preview(session, house.granted(Right.ERASE), asked, knows_orders=knows_orders)


def _name(house: House, order_id: OrderId, person: PersonId) -> None:
    """Put somebody on a case, past the service: nobody of that id works here."""
    with house.db.writing() as session:
        orders.add_people(session, order_id, [person], "person:1", house.clock.now(), house.randomness)


def _thief(house: House, old: Database, copy: Path) -> Footage:
    """Whoever has copies of database and store, and got at today's keyring, past gate and state."""
    keys = SegmentKeys(house.keyring, house.randomness, house.clock)
    return Footage(old, house.clock, keys, copy, FolderStore(copy / "archive"), lambda _: None)


def _recorded(house: House, seconds: float = 6, *, audio: bool = False) -> tuple[Segment, list[Fragment]]:
    house.opt_in()
    fed = house.record(seconds, audio=audio)
    house.delivery.deliver()
    return house.rows()[0], fed


def _played(house: House) -> list[FragmentEntry]:
    parts = house.footage.find(house.look(), Span(0, 2**60))
    return [entry for part in parts for entry in part.entries]


def _pictures(entries: list[FragmentEntry]) -> list[tuple[int, int]]:
    return [(one.captured_from_us, one.captured_until_us) for one in entries if one.track is Track.VIDEO]


def test_a_stretch_in_the_middle_of_a_file_goes_and_both_sides_of_it_play_on(house: House) -> None:
    segment, _ = _recorded(house)
    before = _pictures(_played(house))
    asked = Span(segment.starts_us + 2 * SECOND_US, segment.starts_us + 3 * SECOND_US)
    house.mandate(asked)
    report = house.eraser.sweep()
    assert report.is_clean
    assert report.erased == [segment.id]
    head, gone, tail = house.rows()
    assert (head.state, gone.state, tail.state) == (State.STORED, State.ERASED, State.STORED)
    assert (head.starts_us, head.ends_us, gone.ends_us, tail.ends_us) == (
        segment.starts_us,
        gone.starts_us,
        tail.starts_us,
        segment.ends_us,
    )
    assert gone.starts_us <= asked.from_us < asked.until_us <= (gone.ends_us or 0)
    after = _pictures(_played(house))
    assert after == [one for one in before if one[1] <= asked.from_us or one[0] >= tail.starts_us]
    assert house.is_in_order


def _middle(segment: Segment, since_s: float = 2, until_s: float = 3) -> Span:
    return Span(segment.starts_us + round(since_s * SECOND_US), segment.starts_us + round(until_s * SECOND_US))


def _states(house: House) -> list[State]:
    return [row.state for row in house.rows()]


def _mandate(house: House) -> Mandate:
    with house.db.reading() as session:
        return house.mandates.of_operator(session, house.operator_id, only_standing=False)[0]


def _left(house: House) -> Left:
    with house.db.reading() as session:
        return house.mandates.left(session, _mandate(house))


def test_from_the_approval_on_nobody_reads_it_and_what_lies_around_plays(house: House) -> None:
    """Before any byte of it is destroyed, and while a look that found it goes on."""
    segment, _ = _recorded(house)
    look = house.look()
    seen, index = house.footage.segment(look, segment.id)
    inside = [at for at, one in enumerate(index.entries) if touches(one, _middle(segment, 2, 4))]
    assert house.footage.read(look, seen, index, range(inside[0], inside[-1] + 1))
    house.mandate(_middle(segment, 2, 4))
    with pytest.raises(FootageIsGone):
        house.footage.read(look, seen, index, range(inside[0], inside[-1] + 1))
    with pytest.raises(FootageIsGone):
        house.footage.find(look, Span(segment.starts_us + 2_200_000, segment.starts_us + 2_600_000))
    assert house.footage.read(look, seen, index, range(inside[0]))
    before = house.footage.ranges(house.camera.camera_id, _EVER)[0]
    assert before.until_us == _middle(segment, 2, 4).from_us


def test_whole_segments_go_and_the_receipt_tells_cause_and_time(house: House) -> None:
    house.opt_in()
    house.record(3)
    house.clock.forward(timedelta(seconds=30))
    house.record(3)
    first, second = house.rows()
    house.mandate(Span(first.starts_us, second.starts_us))
    assert house.eraser.sweep().erased == [first.id]
    assert _states(house) == [State.ERASED, State.STORED]
    assert _mandate(house).done_at == house.clock.now()
    with house.db.writing() as session:
        (receipt_id,) = house.receipts.sign_now(session, house.operator_id, "person:1")
    with house.db.reading() as session:
        row = receipts.by_id(session, house.operator_id, receipt_id)
    assert row is not None
    told = verify(row.document, house.receipts.history)
    assert isinstance(told, Valid)
    assert [leaf["cause"] for leaf in told.leaves] == ["request"]


def test_a_kept_part_is_due_when_its_own_last_packet_is_and_is_destroyed_then(house: House) -> None:
    house.opt_in()
    house.keep_for(timedelta(seconds=60))
    house.record(6)
    segment = house.rows()[0]
    house.mandate(_middle(segment))
    assert house.eraser.sweep().is_clean
    head, _, tail = house.rows()
    house.clock.forward(timedelta(seconds=57))
    assert house.eraser.sweep().erased == [head.id]
    house.clock.forward(timedelta(seconds=10))
    assert house.eraser.sweep().erased == [tail.id]
    assert house.is_in_order


def test_a_kept_part_can_be_cut_again(house: House) -> None:
    segment, _ = _recorded(house)
    house.mandate(_middle(segment, 1, 2))
    house.eraser.sweep()
    house.mandate(_middle(segment, 4, 4.5))
    assert house.eraser.sweep().is_clean
    assert _states(house) == [State.STORED, State.ERASED, State.STORED, State.ERASED, State.STORED]
    house.mandate(_until_now(house))
    assert house.eraser.sweep().is_clean
    assert set(_states(house)) == {State.ERASED}
    assert list(house.store.names()) == []
    assert list(house.spool.iterdir()) == []
    assert house.is_in_order


def test_mandates_over_the_same_second_destroy_it_once(house: House) -> None:
    segment, _ = _recorded(house)
    house.mandate(_middle(segment, 2, 3))
    house.mandate(_middle(segment, 2.5, 4))
    house.mandate(_middle(segment, 2, 3))
    assert house.eraser.sweep().is_clean
    with house.db.reading() as session:
        assert [
            one.done_at is None for one in house.mandates.of_operator(session, house.operator_id, only_standing=False)
        ] == [False] * 3
    assert not [one for one in _played(house) if touches(one, _middle(segment, 2, 4))]
    assert house.is_in_order


def test_sound_of_the_time_asked_for_goes_with_the_pictures(house: House) -> None:
    house.opt_in()
    house.opt_in(ConsentKind.RECORDED_AUDIO)
    house.record(6, audio=True)
    house.delivery.deliver()
    segment = house.rows()[0]
    assert {one.track for one in _played(house)} == {Track.VIDEO, Track.AUDIO}
    house.mandate(_middle(segment))
    assert house.eraser.sweep().is_clean
    left = _played(house)
    assert not [one for one in left if touches(one, _middle(segment))]
    assert {one.track for one in left} == {Track.VIDEO, Track.AUDIO}
    assert house.is_in_order


def test_a_file_that_recovery_closed_is_cut_as_well(house: House) -> None:
    house.opt_in()
    house.record(6, close=False)
    house.revive()
    segment = house.rows()[0]
    before = _pictures(_played(house))
    house.mandate(_middle(segment))
    assert house.eraser.sweep().is_clean
    assert _states(house) == [State.STORED, State.ERASED, State.STORED]
    assert _pictures(_played(house)) == [
        one for one in before if one[1] <= _middle(segment).from_us or one[0] >= (house.rows()[1].ends_us or 0)
    ]
    assert house.is_in_order


@pytest.mark.parametrize("last", [step for step in Step if step is not Step.DONE])
def test_a_mandate_killed_after_any_step_is_carried_out_later_and_leaves_nothing(house: House, last: Step) -> None:
    segment, _ = _recorded(house)

    def die(step: Step) -> None:
        if step is last:
            raise _Killed

    house.mandate(_middle(segment))
    house.progress = die
    with pytest.raises(_Killed):
        house.new_eraser().sweep()
    house.progress = lambda _: None
    house.start()
    assert house.new_eraser().sweep().is_clean
    assert house.new_eraser().sweep().is_clean
    assert _mandate(house).done_at is not None
    assert _states(house) == [State.STORED, State.ERASED, State.STORED]
    assert house.delivery.deliver().is_clean
    assert list(house.spool.iterdir()) == []
    assert sorted(house.store.names()) == sorted(row.blob_name for row in house.rows() if row.state is State.STORED)
    assert not [one for one in _played(house) if touches(one, _middle(segment))]
    assert house.is_in_order


@pytest.mark.parametrize("last", [Step.PART_NAMED, Step.PART_SEALED, Step.JOURNALLED, Step.MARKED])
def test_a_process_that_is_killed_beside_a_part_leaves_no_file_of_it(
    databases: Databases, tmp_path: Path, last: Step
) -> None:
    url = databases.with_tables(tmp_path)
    clock = HandClock(NOON)
    db = Database(url)
    try:
        house = House(db, clock, tmp_path, SystemRandomness())
        segment, _ = _recorded(house)
        house.mandate(_middle(segment))
        house.kill()
        with killed_at(last, url, tmp_path, clock.now(), 1):
            house.join()
            house.start()
            assert house.eraser.sweep().is_clean
            assert house.eraser.sweep().is_clean
            house.delivery.deliver()
            assert _states(house) == [State.STORED, State.ERASED, State.STORED]
            assert list(house.spool.iterdir()) == []
            assert house.is_in_order
            house.kill()
    finally:
        db.close()


def test_an_older_copy_of_database_and_store_opens_what_a_mandate_destroyed_no_more(
    house: House, databases: Databases, tmp_path: Path
) -> None:
    segment, _ = _recorded(house)
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copytree(tmp_path / "archive", copy / "archive")
    old = Database(databases.copy_of(house.db, copy, "old"))
    try:
        thief = _thief(house, old, copy)
        sealed, index = thief.segment(house.look(), segment.id)
        assert thief.read(house.look(), sealed, index, range(len(index.entries)))  # the copy is a good one
        house.mandate(_middle(segment))
        house.eraser.sweep()
        with pytest.raises(KeyIsDestroyed):
            _thief(house, old, copy).segment(house.look(), segment.id)
        assert _played(house)
    finally:
        old.close()


def test_what_is_held_stays_and_opens_for_its_case_alone_until_the_hold_ends(house: House) -> None:
    """Order of precedence: hold before erasure (P6); and whoever may not know of holds cannot tell."""
    segment, _ = _recorded(house)
    person = PersonId(house.randomness.uuid())
    placed = house.order(OrderKind.HOLD, Span(segment.starts_us, segment.starts_us + SECOND_US))
    _name(house, placed.order.id, person)
    house.mandate(_middle(segment, 0, 1))
    assert house.eraser.sweep().erased == []
    assert (_mandate(house).done_at, _left(house).kept_by_orders, _left(house).is_nothing_but_kept) == (None, 1, True)
    with pytest.raises(FootageIsGone):
        house.footage.find(house.look(), _middle(segment, 0.1, 0.9))
    assert house.footage.find(house.look(case_person=person), _middle(segment, 0.1, 0.9))
    house.lift(placed.order)
    house.clock.forward(timedelta(minutes=1))
    assert house.eraser.sweep().erased == [segment.id]
    assert _mandate(house).done_at is not None
    assert house.is_in_order


def test_an_order_that_comes_while_parts_are_sealed_keeps_the_file_whole(house: House) -> None:
    segment, _ = _recorded(house)

    placed: list[Order] = []

    def order(step: Step) -> None:
        if step is Step.PART_SEALED and not placed:
            placed.append(house.order(OrderKind.HOLD, Span(segment.starts_us, segment.starts_us + 1)).order)

    house.mandate(_middle(segment))
    house.progress = order
    assert house.new_eraser().sweep().erased == []
    assert _states(house) == [State.STORED]
    assert list(house.spool.iterdir()) == []
    assert house.is_in_order


def test_what_is_younger_than_the_operators_minimum_waits_until_it_is_not(house: House) -> None:
    segment, _ = _recorded(house)
    with house.db.writing() as session:
        house.terms.set(session, house.granted(), Terms(at_least=timedelta(hours=1)))
    house.mandate(_middle(segment))
    assert house.eraser.sweep().erased == []
    assert _left(house).too_young == 1
    assert house.eraser.debt(timedelta(minutes=1)).is_clear
    house.clock.forward(timedelta(hours=1, seconds=1))
    assert house.eraser.sweep().erased == [segment.id]


def test_what_grows_waits_until_it_is_closed(house: House) -> None:
    house.opt_in()
    house.record(6, close=False)
    growing = house.rows()[0]
    house.mandate(Span(growing.starts_us + SECOND_US, growing.starts_us + 2 * SECOND_US))
    assert house.eraser.sweep().erased == []
    assert _left(house).growing >= 1
    house.close()
    house.clock.forward(timedelta(seconds=31))
    assert house.eraser.sweep().erased == [growing.id]
    assert _mandate(house).done_at is not None
    assert house.is_in_order


def test_a_file_that_cannot_be_opened_is_not_cut_and_is_debt_with_its_reason(house: House) -> None:
    """Nothing of it could be kept, and nobody asked for all of it."""
    segment, _ = _recorded(house)
    path = next(one for one in (house.folder / "archive").rglob(segment.blob_name))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    house.mandate(_middle(segment))
    report = house.eraser.sweep()
    assert list(report.failed.values()) == ["sealed-file-stale"]
    assert _states(house) == [State.STORED]
    house.clock.forward(timedelta(minutes=2))
    house.eraser.sweep()
    debt = house.eraser.debt(timedelta(minutes=1))
    assert (debt.segments, debt.reason, debt.attempts) == (1, "sealed-file-stale", 2)
    path.write_bytes(whole)
    house.clock.forward(timedelta(minutes=2))
    assert house.eraser.sweep().erased == [segment.id]
    assert house.eraser.debt(timedelta(minutes=1)).is_clear


def test_a_preview_says_what_comes_to_pass(house: House) -> None:
    segment, _ = _recorded(house)
    asked = _middle(segment, 2.1, 3.1)
    told = _preview(house, asked)
    house.mandate(asked)
    house.eraser.sweep()
    gone = house.rows()[1]
    assert told.gone == Span(gone.starts_us, gone.ends_us or 0)
    assert (told.segments, told.in_part, told.size_bytes) == (1, 1, segment.size_bytes)
    assert told.recorded_us == (gone.ends_us or 0) - gone.starts_us
    assert _preview(house, asked).segments == 0


def test_a_preview_tells_of_holds_those_alone_who_may_know(house: House) -> None:
    segment, _ = _recorded(house)
    house.order(OrderKind.HOLD, Span(segment.starts_us, segment.starts_us + 1))
    knowing, other = _preview(house, _middle(segment)), _preview(house, _middle(segment), knows_orders=False)
    assert (knowing.segments, knowing.kept_by_orders) == (0, 1)
    assert (other.segments, other.kept_by_orders) == (1, None)


def test_nobody_has_footage_destroyed_alone_and_the_database_says_the_same(house: House) -> None:
    segment, _ = _recorded(house)
    with house.db.writing() as session:
        proposal = house.mandates.propose(session, house.granted(Right.ERASE), _new(house, _middle(segment)))
    with house.db.writing() as session, pytest.raises(SecondPersonNeeded):
        house.approvals.decide(session, proposal, Decision.APPROVED, house.owner.label, lambda _: True)
    assert house.eraser.sweep().erased == []
    with house.db.writing() as session, pytest.raises(IntegrityError, match="two people alone"):
        session.execute(
            text(
                "INSERT INTO mandate (id, operator_id, camera_id, from_us, until_us, cause, reference, reason, "
                "proposed_by, approved_by, placed_at, attempts, last_failure, next_attempt_at) "
                "SELECT id, operator_id, camera_id, 0, 9, 'request', '1', 'because', 'a', 'b', proposed_at, 0, '', "
                "proposed_at FROM proposal"
            )
        )


def test_a_mandate_never_changes_and_never_goes(house: House) -> None:
    segment, _ = _recorded(house)
    house.mandate(_middle(segment))
    for statement in ("UPDATE mandate SET until_us = until_us + 1", "DELETE FROM mandate"):
        with house.db.writing() as session, pytest.raises(IntegrityError, match="mandate"):
            session.execute(text(statement))
    house.eraser.sweep()
    with house.db.writing() as session, pytest.raises(IntegrityError, match="mandate"):
        session.execute(text("UPDATE mandate SET done_at = NULL"))


def test_no_statement_past_the_service_makes_a_part_of_what_is_not_destroyed(house: House) -> None:
    segment, _ = _recorded(house)
    house.mandate(_middle(segment))
    house.eraser.sweep()
    copied = (
        "INSERT INTO segment (id, operator_id, camera_id, consent_entry_id, policy_version, state, place, blob_name, "
        "starts_us, ends_us, keep_us, destroy_from_us, run, epoch, tracks, chunk_size, bucket_key_id, bucket_hour, "
        "wrapped_key, salt, last_tag, size_bytes, recovered, resealed_from) "
        "SELECT camera_id, operator_id, camera_id, consent_entry_id, policy_version, 'stored', place, 'x', "
        "ends_us, ends_us + 1, keep_us, destroy_from_us, run, epoch, tracks, chunk_size, bucket_key_id, bucket_hour, "
        "last_tag, last_tag, last_tag, size_bytes, recovered, id FROM segment WHERE state = 'stored'"
    )
    with house.db.writing() as session, pytest.raises(IntegrityError, match="kept part"):
        session.execute(text(f"{copied} ORDER BY starts_us DESC LIMIT 1"))
    with house.db.writing() as session, pytest.raises(IntegrityError, match="keeps its owner"):
        session.execute(text("UPDATE segment SET starts_us = starts_us + 1 WHERE state = 'stored'"))


@pytest.mark.parametrize(
    ("since_s", "until_s", "rule"),
    [(1, 10_000, "lies-ahead"), (-40_000_000, 2, "too-long")],
)
def test_what_cannot_be_destroyed_is_refused_with_its_rule(
    house: House, since_s: float, until_s: float, rule: str
) -> None:
    segment, _ = _recorded(house)
    start = segment.starts_us
    flawed = Span(start + round(since_s * SECOND_US), start + round(until_s * SECOND_US))
    with house.db.writing() as session, pytest.raises(MandateRefused) as refused:
        house.mandates.propose(session, house.granted(Right.ERASE), _new(house, flawed))
    assert (refused.value.code, refused.value.facts["rule"]) == ("mandate-refused", rule)


def test_what_was_never_recorded_or_is_destroyed_already_needs_no_mandate(house: House) -> None:
    segment, _ = _recorded(house)
    before = Span(segment.starts_us - 60 * SECOND_US, segment.starts_us - 30 * SECOND_US)
    with house.db.writing() as session, pytest.raises(NothingToDestroy):
        house.mandates.propose(session, house.granted(Right.ERASE), _new(house, before))
    house.mandate(_middle(segment))
    house.eraser.sweep()
    gone = house.rows()[1]
    inside = Span(gone.starts_us + 10 * 1000, gone.starts_us + 20 * 1000)
    with house.db.writing() as session, pytest.raises(NothingToDestroy) as refused:
        house.mandates.propose(session, house.granted(Right.ERASE), _new(house, inside))
    assert refused.value.code == "nothing-to-destroy"


def test_a_camera_has_so_many_mandates_at_once_and_no_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archive.mandates.service.MOST_STANDING", 1)
    segment, _ = _recorded(house)
    house.mandate(_middle(segment))
    with pytest.raises(TooManyMandates) as refused:
        house.mandate(_middle(segment, 4, 5))
    assert refused.value.code == "too-many-mandates"


def test_each_mandate_is_in_the_journal_before_it_is_answered(house: House) -> None:
    segment, _ = _recorded(house)
    house.mandate(_middle(segment))
    [entry] = [one for one in house.journal.entries() if one.kind is JournalKind.MANDATE]
    assert (entry.facts["from_us"], entry.facts["until_us"]) == (_middle(segment).from_us, _middle(segment).until_us)
    assert entry.facts["mandate"] == str(_mandate(house).id)

"""An operator leaves: from the confirmation on nobody reads anything, and in the end nothing of it is left."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from archive.errors import FootageIsGone
from archive.keys.tables import BucketRow
from archive.mandates import store as mandates
from archive.mandates.rules import Cause
from archive.orders import store as orders
from archive.orders.rules import OrderKind
from archive.playback.opening import Look
from archive.receipts import store as receipts
from archive.receipts.rules import Valid
from archive.receipts.service import verify
from archive.retention.rules import Terms
from archive.segments.rules import Span, State
from auth.grants.store import GrantStore
from auth.identities.store import PersonStore
from auth.operators.store import OperatorStore
from auth.resources.store import ResourceStore
from streams.cameras.tables import CameraRow
from tests.given.desk import COMPLAINT, Desk
from tests.given.footage import House
from tests.given.leaving import Leaving, sizes
from vms_privacy.approvals.errors import SecondPersonNeeded
from vms_privacy.audit.events import Tag
from vms_privacy.ids import PersonId
from vms_privacy.journal.rules import JournalKind
from vms_privacy.keyring.port import KeyringUnavailable
from vms_privacy.off_boarding.errors import (
    ManifestDoesNotCover,
    ManifestIsAnother,
    ManifestIsForgotten,
    ManifestIsNotReady,
    NoOffBoarding,
    OffBoardingIsConfirmed,
    OffBoardingIsUnderWay,
)
from vms_privacy.off_boarding.rules import Step, WaitsFor
from vms_privacy.subject_requests.kinds import Answer, Reason, RequestKind

_EVER = Span(0, 2**60)


def _look_at(house: House, look: Look) -> int:
    """How many fragments somebody may see of a camera. Raises FootageIsGone."""
    return sum(len(part.entries) for part in house.footage.find(look, _EVER))


def test_in_the_end_nothing_of_an_operator_is_left(house: House, leaving: Leaving) -> None:
    rows = leaving.recorded()
    leaving.leave()
    assert leaving.carry_out() == ""

    far = leaving.how_far()
    assert far.off_boarding.step is Step.CLOSED
    assert far.waits_for is None
    assert {one.state for one in house.rows()} == {State.ERASED}
    assert (far.gone.segments, far.gone.size_bytes, far.gone.untold) == (2, sizes(rows), 0)
    with house.db.reading() as session:
        assert all(one.destroyed_at is not None for one in session.scalars(select(BucketRow)))
        assert ResourceStore().of_operator(session, house.operator_id) == []
        assert {one.sealed_url for one in session.scalars(select(CameraRow))} == {None}
        assert house.ledger.active(session) == {}
        assert GrantStore().of_operator(session, house.operator_id) == []
        assert PersonStore().not_disabled(session, house.operator_id) == []
        operator = OperatorStore().by_id(session, house.operator_id)
    assert operator is not None
    assert operator.closed_at == house.clock.now()
    assert operator.name == f"closed-{house.operator_id.hex}"
    assert house.keyring.bucket_keys() == frozenset()
    assert list(house.store.names()) == []
    with pytest.raises(FootageIsGone):
        _look_at(house, house.look())
    assert house.is_in_order


def test_from_the_confirmation_on_everything_reads_as_gone_before_any_of_it_is_destroyed(
    house: House, leaving: Leaving
) -> None:
    leaving.recorded()
    look = house.look()
    leaving.begin()
    digest = leaving.list_all().digest
    assert _look_at(house, look) > 0
    leaving.confirm(digest)
    assert {one.state for one in house.rows()} == {State.STORED}
    with pytest.raises(FootageIsGone):
        _look_at(house, look)
    assert house.footage.ranges(house.camera.camera_id, _EVER) == []


def test_the_mandates_are_over_every_camera_and_rest_on_the_two_who_confirmed(house: House, leaving: Leaving) -> None:
    rows = leaving.recorded()
    leaving.leave()
    far = leaving.how_far().off_boarding
    with house.db.reading() as session:
        placed = mandates.of_reference(session, house.operator_id, Cause.OFF_BOARDING, str(far.id))
    assert {one.camera_id for one in placed} == {one.camera_id for one in rows}
    assert far.confirmation is not None
    people = {(one.proposed_by, one.approved_by) for one in placed}
    assert people == {(far.confirmation.proposed_by, far.confirmation.approved_by)}
    for row in rows:
        assert any(
            one.span.from_us < row.starts_us and (row.ends_us or 0) < one.span.until_us
            for one in placed
            if one.camera_id == row.camera_id
        )


def test_what_a_hold_keeps_keeps_the_off_boarding_open_until_two_people_lift_it(house: House, leaving: Leaving) -> None:
    rows = leaving.recorded()
    held = next(one for one in rows if one.camera_id == house.camera.camera_id)
    case_person = PersonId(house.randomness.uuid())
    placed = house.order(OrderKind.HOLD, Span(held.starts_us, (held.ends_us or 0) + 1))
    with house.db.writing() as session:
        orders.add_people(session, placed.order.id, [case_person], "person:1", house.clock.now(), house.randomness)
    leaving.leave()
    assert leaving.carry_out() == ""
    far = leaving.how_far()
    assert far.off_boarding.step is Step.CAMERAS_REMOVED
    assert (far.waits_for, far.left.kept_by_orders, far.left.segments) == (WaitsFor.ORDERS, 1, 1)
    states = {one.id: one.state for one in house.rows()}
    assert states.pop(held.id) is State.STORED
    assert set(states.values()) == {State.ERASED}
    with pytest.raises(FootageIsGone):
        _look_at(house, house.look())
    assert _look_at(house, house.look(case_person=case_person)) > 0
    # Long after its retention, too: nothing overrides a hold.
    house.clock.forward(timedelta(days=400))
    assert house.eraser.sweep().is_clean
    assert leaving.carry_out() == ""
    assert leaving.how_far().waits_for is WaitsFor.ORDERS

    house.lift(placed.order)
    house.clock.forward(timedelta(minutes=1))
    assert leaving.carry_out() == ""
    assert leaving.how_far().off_boarding.step is Step.CLOSED
    assert house.is_in_order


def test_what_the_operators_own_minimum_keeps_waits_for_its_time(house: House, leaving: Leaving) -> None:
    with house.db.writing() as session:
        house.terms.set(session, house.granted(), Terms(at_least=timedelta(hours=2), justification="it was agreed"))
    leaving.recorded()
    leaving.leave()
    assert leaving.carry_out() == ""
    assert leaving.how_far().waits_for is WaitsFor.MINIMUM
    house.clock.forward(timedelta(hours=3))
    assert leaving.carry_out() == ""
    assert leaving.how_far().off_boarding.step is Step.CLOSED


def test_nobody_is_locked_out_who_has_to_answer_a_request(house: House, leaving: Leaving) -> None:
    leaving.recorded()
    desk = Desk(house)
    mine = next(one for one in house.rows() if one.camera_id == house.camera.camera_id)
    request = desk.enter(desk.middle(mine), kind=RequestKind.ACCESS)
    leaving.leave()
    assert leaving.carry_out() == ""
    far = leaving.how_far()
    assert (far.off_boarding.step, far.waits_for) == (Step.RECEIPTS_SIGNED, WaitsFor.REQUESTS)
    desk.decide(request, Answer.REFUSE, Reason.OTHERS_RIGHTS, complaint_to=COMPLAINT)
    desk.close(request)
    assert leaving.carry_out() == ""
    assert leaving.how_far().off_boarding.step is Step.CLOSED


def test_receipts_tell_of_everything_that_was_destroyed_under_it(house: House, leaving: Leaving) -> None:
    rows = leaving.recorded()
    leaving.leave()
    assert leaving.carry_out() == ""
    told = leaving.how_far().gone.receipts
    assert told
    leaves: list[Mapping[str, Any]] = []
    with house.db.reading() as session:
        for one in told:
            found = receipts.by_id(session, house.operator_id, one)
            assert found is not None
            verdict = verify(found.document, house.receipts.history)
            assert isinstance(verdict, Valid)
            leaves += verdict.leaves
    assert {one["segment_id"] for one in leaves} == {str(one.id) for one in rows}
    assert {one["cause"] for one in leaves} == {"off-boarding"}


def test_both_pairs_of_people_and_the_manifest_stand_in_the_audit_and_the_journal(
    house: House, leaving: Leaving
) -> None:
    leaving.recorded()
    leaving.begin()
    digest = leaving.list_all().digest
    leaving.confirm(digest)
    assert leaving.carry_out() == ""
    (began,), (confirmed,) = leaving.events(Tag.OFF_BOARDING_BEGUN), leaving.events(Tag.OFF_BOARDING_CONFIRMED)
    for event in (began, confirmed):
        assert json.loads(event.detail)["proposed_by"] == house.owner.label
        assert event.actor.startswith("person:")
        assert event.actor != house.owner.label
    assert json.loads(confirmed.detail)["digest"] == digest
    assert len(leaving.tags(Tag.OFF_BOARDING_STEP_DONE)) == Step.ACCESS_ENDED - Step.CONFIRMED
    assert len(leaving.tags(Tag.OPERATOR_CLOSED)) == 1
    told = [entry.facts for entry in house.journal.entries() if entry.kind is JournalKind.OFF_BOARDING]
    assert [one["act"] for one in told] == ["begun", "confirmed", "closed"]
    assert told[1]["manifest"] == digest


def test_whoever_proposed_it_neither_begins_nor_confirms_it_alone(house: House, leaving: Leaving) -> None:
    leaving.recorded()
    with house.db.writing() as session:
        proposal = leaving.service.propose(session, leaving.granted, "the contract has ended")
    with pytest.raises(SecondPersonNeeded), house.db.writing() as session:
        leaving.approve(session, proposal, house.owner.label)
    leaving.begin()
    digest = leaving.list_all().digest
    with house.db.writing() as session:
        proposal = leaving.service.propose_confirmation(session, leaving.granted, digest, "all was taken away")
    with pytest.raises(SecondPersonNeeded), house.db.writing() as session:
        leaving.approve(session, proposal, house.owner.label)
    assert _look_at(house, house.look()) > 0


def test_each_act_is_refused_where_it_does_not_belong(house: House, leaving: Leaving) -> None:
    leaving.recorded()
    for act in (
        lambda session: leaving.service.ask_for_manifest(session, leaving.granted),
        lambda session: leaving.service.propose_confirmation(session, leaving.granted, "0" * 64, "it has ended"),
        lambda session: leaving.service.take_back(session, leaving.granted),
    ):
        with pytest.raises(NoOffBoarding), house.db.writing() as session:
            act(session)
    with pytest.raises(ManifestIsNotReady), house.db.reading() as session:
        leaving.service.signed_manifest(session, house.operator_id)
    leaving.begin()
    with pytest.raises(OffBoardingIsUnderWay), house.db.writing() as session:
        leaving.service.propose(session, leaving.granted, "once more")
    with pytest.raises(ManifestIsNotReady), house.db.writing() as session:
        leaving.service.propose_confirmation(session, leaving.granted, "0" * 64, "it has ended")
    digest = leaving.list_all().digest
    with pytest.raises(ManifestIsAnother), house.db.writing() as session:
        leaving.service.propose_confirmation(session, leaving.granted, "0" * 64, "it has ended")
    leaving.confirm(digest)
    for act in (
        lambda session: leaving.service.ask_for_manifest(session, leaving.granted),
        lambda session: leaving.service.take_back(session, leaving.granted),
    ):
        with pytest.raises(OffBoardingIsConfirmed), house.db.writing() as session:
            act(session)
    assert leaving.carry_out() == ""
    with pytest.raises(ManifestIsForgotten), house.db.reading() as session:
        leaving.service.signed_manifest(session, house.operator_id)
    with pytest.raises(OffBoardingIsUnderWay), house.db.writing() as session:
        leaving.service.propose(session, leaving.granted, "once more")


def test_a_manifest_that_does_not_list_everything_any_more_is_not_confirmed(house: House, leaving: Leaving) -> None:
    """Somebody asked for a second of it meanwhile: what was kept of the file is another file."""
    rows = leaving.recorded()
    leaving.begin()
    digest = leaving.list_all().digest
    with house.db.writing() as session:
        proposal = leaving.service.propose_confirmation(session, leaving.granted, digest, "all was taken away")
    mine = next(one for one in rows if one.camera_id == house.camera.camera_id)
    house.mandate(Span(mine.starts_us + 1_000_000, mine.starts_us + 2_000_000))
    assert house.eraser.carry_out_mandates().is_clean
    with pytest.raises(ManifestDoesNotCover), house.db.writing() as session:
        leaving.service.propose_confirmation(session, leaving.granted, digest, "all was taken away")
    with pytest.raises(ManifestDoesNotCover), house.db.writing() as session:
        leaving.approve(session, proposal)
    assert leaving.how_far().off_boarding.step is Step.BEGUN
    leaving.confirm(leaving.list_all().digest)
    assert leaving.carry_out() == ""
    assert leaving.how_far().off_boarding.step is Step.CLOSED
    assert house.is_in_order


def test_an_operator_may_stay_after_all_until_it_is_confirmed(house: House, leaving: Leaving) -> None:
    leaving.recorded()
    leaving.begin()
    leaving.list_all()
    with house.db.writing() as session:
        taken = leaving.service.take_back(session, leaving.granted)
    assert taken.taken_back_by == house.owner.label
    with house.db.reading() as session:
        assert house.ledger.permit(session, house.camera.camera_id) is None
    house.opt_in()
    house.record(2)
    assert len(house.rows()) == 3
    # And it may leave again.
    leaving.leave()
    assert leaving.carry_out() == ""
    assert leaving.how_far().off_boarding.step is Step.CLOSED
    assert house.is_in_order


def test_a_step_that_fails_is_counted_told_and_tried_again(house: House, leaving: Leaving) -> None:
    leaving.recorded()
    leaving.leave()
    assert leaving.rounds.round() == ""
    assert house.eraser.carry_out_mandates().is_clean
    keyring, hidden = house.folder / "keyring", house.folder / "hidden"
    keyring.rename(hidden)
    assert leaving.rounds.round() == KeyringUnavailable.code
    far = leaving.how_far().off_boarding
    assert (far.step, far.attempts, far.last_failure) == (Step.KEYS_DESTROYED, 1, KeyringUnavailable.code)
    assert [one.reason for one in leaving.events(Tag.OFF_BOARDING_STEP_FAILED)] == [KeyringUnavailable.code]
    hidden.rename(keyring)
    assert leaving.rounds.round() == ""
    assert leaving.how_far().off_boarding.step is Step.CLOSED


def test_the_month_of_its_end_is_the_last_that_is_summed_up(house: House, leaving: Leaving) -> None:
    leaving.recorded()
    leaving.leave()
    assert leaving.carry_out() == ""
    house.clock.forward(timedelta(days=100))
    assert len(house.summaries.sign_due().signed) == 1
    assert house.summaries.sign_due().signed == []


def test_an_operator_is_not_closed_before_receipts_tell_of_everything(house: House, leaving: Leaving) -> None:
    """A node whose clock is a second ahead noted the destruction: here that moment is still to come."""
    leaving.recorded()
    leaving.leave()
    assert leaving.rounds.round() == ""
    assert house.eraser.carry_out_mandates().is_clean
    house.clock.forward(-timedelta(seconds=1))
    assert leaving.rounds.round() == ""
    far = leaving.how_far()
    assert far.off_boarding.step < Step.RECEIPTS_SIGNED
    house.clock.forward(timedelta(seconds=2))
    assert leaving.rounds.round() == ""
    far = leaving.how_far()
    assert (far.off_boarding.step, far.gone.untold) == (Step.CLOSED, 0)

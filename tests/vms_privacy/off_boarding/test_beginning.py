"""From the beginning of an off-boarding on nothing new comes to the operator, and nothing of it is given away."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from archive.segments.rules import Span
from auth.errors import NameIsReserved, NameIsTaken, OperatorIsLeaving
from auth.grants.rules import Scope, Terms
from auth.operators.service import OperatorService
from auth.principal import GIVES_FOOTAGE_AWAY, Principal, PrincipalKind, Right, Role
from auth.resources.tables import ResourceRow
from streams.cameras.service import NewCamera
from tests.given.auth_app import REGIONS
from tests.given.consent import opt_in
from tests.given.footage import House
from tests.given.leaving import REASON, Leaving
from tests.given.restored import grants_of
from vms_privacy.consent.errors import RecordingHasEnded
from vms_privacy.consent.rules import ConsentKind
from vms_privacy.off_boarding import footage
from vms_privacy.off_boarding.rules import Step

_EVER = Span(0, 2**60)
_ADMIN = Principal(PrincipalKind.PLATFORM_ADMIN)


def test_recording_ends_with_the_commit_and_what_was_growing_is_closed(house: House, leaving: Leaving) -> None:
    leaving.move_in()
    house.opt_in()
    house.record(4, close=False)
    leaving.begin()
    before = len(house.rows())
    house.take(house.fragments(3, offset_s=4.0))
    with house.db.reading() as session:
        assert house.ledger.permit(session, house.camera.camera_id) is None
        assert footage.growing(session, house.operator_id) == 0
    assert len(house.rows()) == before
    assert all((one.ends_us or 0) <= house.clock.now().timestamp() * 1_000_000 for one in house.rows())
    assert house.footage.find(house.look(), _EVER), "what there is can be looked at, to be taken away"


def test_live_sound_goes_on_until_the_confirmation_and_ends_then(house: House, leaving: Leaving) -> None:
    leaving.move_in()
    house.opt_in()
    house.opt_in(ConsentKind.RECORDED_AUDIO)
    house.opt_in(ConsentKind.LIVE_AUDIO)
    house.record(2)
    house.delivery.deliver()
    leaving.begin()
    with house.db.reading() as session:
        assert set(house.ledger.active(session)) == {(house.camera.camera_id, ConsentKind.LIVE_AUDIO)}
    leaving.confirm(leaving.list_all().digest)
    assert leaving.rounds.round() == ""
    with house.db.reading() as session:
        assert house.ledger.active(session) == {}


@pytest.mark.parametrize("kind", [ConsentKind.VIDEO_RECORDING, ConsentKind.LIVE_AUDIO])
def test_nothing_is_switched_on_any_more(house: House, leaving: Leaving, kind: ConsentKind) -> None:
    leaving.move_in()
    leaving.begin()
    with pytest.raises(RecordingHasEnded), house.db.writing() as session:
        opt_in(house.ledger, session, house.clock, house.operator_id, house.camera.camera_id, kind)


def test_no_camera_comes_any_more(house: House, leaving: Leaving) -> None:
    leaving.move_in()
    leaving.begin()
    new = NewCamera("cam-3", "rtsps://camera.example.org/1", "protection of the premises")
    with pytest.raises(OperatorIsLeaving), house.db.writing() as session:
        leaving.cameras.create(session, house.owner, house.operator_id, new)


@pytest.mark.parametrize("right", sorted(GIVES_FOOTAGE_AWAY - {Right.MASK_LIFT}))
def test_nobody_is_given_footage_any_more_nor_more_than_they_have(house: House, leaving: Leaving, right: Right) -> None:
    leaving.move_in()
    person = leaving.access.person(house.operator_id, "viewer@example.org")
    held = leaving.access.grant(person, {right})
    leaving.begin()
    grants, scope = grants_of(house), Scope(house.operator_id)
    assert person.person_id is not None
    terms = Terms(frozenset({right}), house.clock.now())
    with pytest.raises(OperatorIsLeaving), house.db.writing() as session:
        grants.grant(session, house.owner, person.person_id, scope, terms)
    with pytest.raises(OperatorIsLeaving), house.db.writing() as session:
        grants.change(session, house.owner, house.operator_id, held.id, held.version, terms)
    with house.db.writing() as session:
        other = replace(terms, rights=frozenset({Right.HOLD}))
        assert grants.grant(session, house.owner, person.person_id, scope, other)
        assert grants.withdraw(session, house.owner, house.operator_id, held.id)


def test_the_database_itself_takes_none_of_it(house: House, leaving: Leaving) -> None:
    leaving.move_in()
    leaving.begin()
    person = leaving.access.person(house.operator_id, "viewer@example.org")
    with pytest.raises(IntegrityError, match="nobody is given footage"):
        leaving.access.grant(person, {Right.ARCHIVE})
    assert leaving.access.grant(person, {Right.HOLD})
    row = ResourceRow(
        camera_id=house.randomness.uuid(), operator_id=house.operator_id, name="3", group_path="", version=1
    )
    with pytest.raises(IntegrityError, match="no camera comes"), house.db.writing() as session:
        session.add(row)
    with pytest.raises(IntegrityError, match="nothing is switched on"), house.db.writing() as session:
        session.execute(
            text(
                "INSERT INTO consent_entry (id, number, camera_id, operator_id, actor, kind, answer, from_at, purpose, "
                "legal_basis, wording_version, method, sign_confirmed_at, reason) VALUES (:id, 1, :camera, :operator, "
                "'person:x', 'video-recording', 'given', :at, 'p', 'consent', :wording, 'api', :at, '')"
            ),
            _raw(house, {"wording": "0" * 64, "at": house.clock.now()}),
        )


def _raw(house: House, more: dict[str, object]) -> dict[str, object]:
    """Ids in the form of the database that is asked past the code."""
    ids = {"id": house.randomness.uuid(), "camera": house.camera.camera_id, "operator": house.operator_id}
    is_sqlite = house.db.engine.dialect.name == "sqlite"
    return {name: one.hex if is_sqlite else one for name, one in ids.items()} | more


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("UPDATE off_boarding SET step = 1, closed_at = NULL", "no step of it is taken back"),
        ("UPDATE off_boarding SET approved_by = 'person:3'", "keeps what it says"),
        ("DELETE FROM off_boarding", "never deleted"),
        ("DELETE FROM off_boarding_manifest", "never deleted"),
        ("UPDATE off_boarding_manifest SET digest = 'x'", "signed stays"),
        ("UPDATE operator SET closed_at = NULL", "stays closed"),
    ],
)
def test_what_two_people_decided_cannot_be_changed_in_the_database(
    house: House, leaving: Leaving, change: str, why: str
) -> None:
    leaving.recorded()
    leaving.leave()
    assert leaving.carry_out() == ""
    with pytest.raises(IntegrityError, match=why), house.db.writing() as session:
        session.execute(text(change))


def test_the_database_takes_no_off_boarding_and_no_confirmation_of_one_person_alone(
    house: House, leaving: Leaving
) -> None:
    leaving.recorded()
    with pytest.raises(IntegrityError, match="two people alone begin"), house.db.writing() as session:
        session.execute(
            text(
                "INSERT INTO off_boarding (id, operator_id, reason, proposed_by, approved_by, begun_at, step, "
                "manifest_digest, confirm_proposed_by, confirm_approved_by, taken_back_by, attempts, last_failure) "
                "VALUES (:id, :operator, 'x', 'person:1', 'person:2', :at, 1, '', '', '', '', 0, '')"
            ),
            {name: value for name, value in _raw(house, {"at": house.clock.now()}).items() if name != "camera"},
        )
    leaving.begin()
    with pytest.raises(IntegrityError, match="two people alone confirm"), house.db.writing() as session:
        session.execute(
            text(
                "UPDATE off_boarding SET step = 2, confirmed_at = :at, confirm_proposed_by = 'person:1', "
                "confirm_approved_by = 'person:2'"
            ),
            {"at": house.clock.now()},
        )


def test_its_name_is_free_once_nothing_is_left_and_not_before(house: House, leaving: Leaving) -> None:
    leaving.recorded()
    operators = OperatorService(house.audit, house.clock, house.randomness, REGIONS)
    leaving.leave()
    with pytest.raises(NameIsTaken), house.db.writing() as session:
        operators.create(session, _ADMIN, "north-gate", "Somebody else")
    assert leaving.carry_out() == ""
    assert leaving.how_far().off_boarding.step is Step.CLOSED
    with house.db.writing() as session:
        other = operators.create(session, _ADMIN, "north-gate", "Somebody else")
    assert other != house.operator_id
    with pytest.raises(NameIsReserved), house.db.writing() as session:
        operators.create(session, _ADMIN, "closed-3", "Somebody else")


def test_another_operator_notices_nothing(house: House, leaving: Leaving) -> None:
    leaving.recorded()
    other = leaving.access.operator("south")
    owner = leaving.access.person(other, "owner@south.example.org")
    leaving.access.grant(owner, Role.OWNER)
    camera = leaving.access.camera(other, "cam-1")
    with house.db.writing() as session:
        opt_in(house.ledger, session, house.clock, other, camera.camera_id)
    leaving.leave()
    assert leaving.carry_out() == ""
    house.clock.forward(timedelta(hours=1))
    with house.db.reading() as session:
        assert house.ledger.permit(session, camera.camera_id) is not None
        assert len(grants_of(house).held_by(session, owner)) == 1


def test_a_proposal_that_is_not_approved_changes_nothing(house: House, leaving: Leaving) -> None:
    leaving.recorded()
    with house.db.writing() as session:
        leaving.service.propose(session, leaving.granted, REASON)
    house.record(2)
    assert len(house.rows()) == 3

"""Shortenings that the custody journal tells of: which of them a database knows already, and which not."""

from datetime import timedelta

from archive.retention import store
from archive.retention.replay import Shortenings
from tests.given.footage import House
from vms_privacy.journal.rules import Fact, JournalKind


def _replay(house: House) -> int:
    with house.db.writing() as session:
        return Shortenings(house.audit, house.clock, house.randomness).replay(session, house.journal.entries())


def _policies(house: House) -> list[int]:
    with house.db.reading() as session:
        return [one.keep_seconds for one in reversed(store.history(session, house.camera.camera_id))]


def _terms(house: House) -> list[int]:
    with house.db.reading() as session:
        return [one.keep_seconds for one in reversed(store.terms_history(session, house.operator_id))]


def _keep_for(house: House, *seconds: int) -> None:
    for one in seconds:
        house.keep_for(timedelta(seconds=one))


def _tell(house: House, seconds: int, version: int, **more: Fact) -> None:
    about: dict[str, Fact] = more if "operator" in more else {"camera_id": str(house.camera.camera_id), **more}
    house.journal.append(JournalKind.SHORTENING, about | {"keep_seconds": seconds, "version": version})


def test_what_was_told_of_and_lost_holds_under_its_own_id_whatever_numbers_are_there(house: House) -> None:
    _keep_for(house, 40, 10, 12, 15, 120)
    lost = str(house.randomness.uuid())
    _tell(house, 20, 2, policy=lost)
    assert _replay(house) == 1
    assert _policies(house) == [40, 10, 12, 15, 120, 20]
    with house.db.reading() as session:
        assert str(store.history(session, house.camera.camera_id)[0].id) == lost
    assert _replay(house) == 0


def test_what_was_never_committed_comes_in_behind_nothing_that_was_set_later(house: House) -> None:
    _keep_for(house, 120)
    _tell(house, 40, 2, policy=str(house.randomness.uuid()))
    _keep_for(house, 10)
    assert _replay(house) == 0
    assert _policies(house) == [120, 10]


def test_an_older_entry_without_an_id_holds_unless_its_very_number_and_seconds_are_there(house: House) -> None:
    _keep_for(house, 40, 10, 15, 120)
    _tell(house, 20, 2)
    assert _replay(house) == 1
    assert _policies(house) == [40, 10, 15, 120, 20]
    assert _replay(house) == 0
    _tell(house, 15, 3)
    assert _replay(house) == 0


def test_an_operators_default_that_was_lost_holds_whatever_numbers_are_there(house: House) -> None:
    operator = str(house.operator_id)
    for number, seconds in enumerate((40, 10, 120), 1):
        _tell(house, seconds, number, operator=operator, terms=str(house.randomness.uuid()))
    assert _replay(house) == 3
    _tell(house, 20, 2, operator=operator, terms=str(house.randomness.uuid()))
    assert _replay(house) == 1
    assert _terms(house) == [40, 10, 120, 20]
    assert _replay(house) == 0


def test_a_default_does_not_reach_a_camera_that_had_a_policy_of_its_own_before(house: House) -> None:
    house.opt_in()
    house.record(3)
    _tell(house, 60, 1, policy=str(house.randomness.uuid()))
    _tell(house, 10, 1, operator=str(house.operator_id), terms=str(house.randomness.uuid()))
    assert _replay(house) == 2
    assert [one.keep_us for one in house.rows()] == [60_000_000]

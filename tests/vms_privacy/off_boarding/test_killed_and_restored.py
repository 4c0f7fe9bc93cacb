"""Killed between any two steps an off-boarding is taken to its end, and no older database brings the operator back."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from archive.segments.rules import Span, State
from auth.operators.store import OperatorStore
from auth.resources.store import ResourceStore
from tests.given.clock import HandClock
from tests.given.databases import Databases
from tests.given.footage import House
from tests.given.leaving import Leaving, leave_until_killed
from tests.given.restored import custody_of, gone_on_with, killed_at, restoring_of
from vms_privacy.db import Database
from vms_privacy.journal.rules import JournalKind
from vms_privacy.off_boarding import store
from vms_privacy.off_boarding.rules import JournalAct, Step

_EVER = Span(0, 2**60)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Site:
    """A house with something recorded: where its database is, and what its clock said."""

    url: str
    now: datetime


@pytest.fixture
def site(databases: Databases, tmp_path: Path) -> Site:
    db = Database(databases.with_tables(tmp_path, "leaving"))
    house = House(db, HandClock(), tmp_path)
    Leaving(house).recorded()
    now = house.clock.now()
    house.kill()
    # With its password, which SQLAlchemy hides.
    url = db.engine.url.render_as_string(hide_password=False)
    db.close()
    return Site(url, now)


def _step_of(house: House) -> Step:
    with house.db.reading() as session:
        present = store.present(session, house.operator_id)
    assert present is not None
    return present.step


def _nothing_step_of(house: House) -> None:
    assert {one.state for one in house.rows()} == {State.ERASED}
    assert house.keyring.bucket_keys() == frozenset()
    assert list(house.store.names()) == []
    with house.db.reading() as session:
        assert house.ledger.active(session) == {}
        assert ResourceStore().of_operator(session, house.operator_id) == []
        operator = OperatorStore().by_id(session, house.operator_id)
    assert operator is not None
    assert operator.closed_at is not None
    assert house.is_in_order


@pytest.mark.parametrize("step", list(Step))
def test_killed_between_any_two_steps_it_is_taken_to_its_end(site: Site, tmp_path: Path, step: Step) -> None:
    with killed_at(step, leave_until_killed, site.url, tmp_path, site.now):
        pass
    with gone_on_with(site.url, tmp_path, site.now + timedelta(minutes=10)) as house:
        house.start()
        leaving = Leaving(house)
        if step > Step.CONFIRMED:
            assert _step_of(house) is step
        leaving.go_on()
        assert _step_of(house) is Step.CLOSED
        _nothing_step_of(house)
        acts = [one.facts["act"] for one in house.journal.entries() if one.kind is JournalKind.OFF_BOARDING]
        # What was told of and not committed is told of again.
        assert acts.count(JournalAct.CLOSED) == 1
        assert acts.count(JournalAct.CONFIRMED) == (2 if step is Step.CONFIRMED else 1)


def _copied(databases: Databases, site: Site, folder: Path) -> str:
    db = Database(site.url)
    try:
        return databases.copy_of(db, folder, "copy")
    finally:
        db.close()


def _put_back(url: str, folder: Path, now: datetime) -> None:
    """Have an older database taken in and replayed, look at it before its release, and let it go on to the end."""
    with gone_on_with(url, folder, now) as house:
        restoring_of(house).take_in(house.db, folder / "anchor")
        custody_of(house).replay()
        assert house.footage.ranges(house.camera.camera_id, _EVER) == []
        with house.db.reading() as session:
            assert house.ledger.active(session) == {}
            assert ResourceStore().is_leaving(session, house.operator_id)
        custody_of(house).release("ticket-17")
        house.start()
        leaving = Leaving(house)
        assert house.eraser.sweep().is_clean
        house.clock.forward(timedelta(minutes=1))
        assert leaving.carry_out() == ""
        assert _step_of(house) is Step.CLOSED
        _nothing_step_of(house)


@pytest.mark.parametrize("step", [None, *Step])
def test_no_older_database_brings_the_operator_back(
    site: Site, databases: Databases, tmp_path: Path, step: Step | None
) -> None:
    """The copy is of before it began, or of the moment after any of its steps."""
    now = site.now + timedelta(minutes=10)
    if step is not None:
        with killed_at(step, leave_until_killed, site.url, tmp_path, site.now):
            pass
    url = _copied(databases, site, tmp_path)
    with gone_on_with(site.url, tmp_path, now) as house:
        house.start()
        Leaving(house).go_on()
        _nothing_step_of(house)
    with gone_on_with(url, tmp_path, now + _HOUR) as house:
        # What the copy would bring back, were it not for the journal.
        with house.db.reading() as session:
            operator = OperatorStore().by_id(session, house.operator_id)
            present = store.present(session, house.operator_id)
        assert operator is not None
        if step is None or step <= Step.BEGUN:
            assert present is None
            assert operator.leaving_since is None
    _put_back(url, tmp_path, now + _HOUR)


def test_one_that_was_taken_back_is_taken_back_in_an_older_database_too(
    site: Site, databases: Databases, tmp_path: Path
) -> None:
    with gone_on_with(site.url, tmp_path, site.now) as house:
        Leaving(house).begin()
    url = _copied(databases, site, tmp_path)
    with gone_on_with(site.url, tmp_path, site.now + _HOUR) as house:
        leaving = Leaving(house)
        with house.db.writing() as session:
            leaving.service.take_back(session, leaving.granted)
    with gone_on_with(url, tmp_path, site.now + 2 * _HOUR) as house:
        restoring_of(house).take_in(house.db, tmp_path / "anchor")
        custody_of(house).release("ticket-17")
        assert Leaving(house).how_far().off_boarding.taken_back_at is not None
        with house.db.reading() as session:
            assert not ResourceStore().is_leaving(session, house.operator_id)
        assert {one.state for one in house.rows()} == {State.STORED}
        custody_again = custody_of(house).state()
        assert custody_again is None

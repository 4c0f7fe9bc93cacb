"""An older database is put back: what was destroyed, held, withdrawn, shortened or taken away since, still is."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from archive.mandates import store as mandates
from archive.orders import store as orders
from archive.orders.rules import OrderKind
from archive.retention import store as retention
from archive.segments.rules import Place, Segment, Span, State
from auth.grants.rules import Grant
from auth.grants.store import GrantStore
from auth.identities.store import PersonStore
from auth.principal import Principal, Role
from tests.given.access import Access
from tests.given.clock import HandClock
from tests.given.databases import Databases
from tests.given.footage import House
from tests.given.restored import (
    custody_of,
    gone_on_with,
    grants_of,
    killed_at,
    people_of,
    replay_until_killed,
    restoring_of,
)
from vms_privacy.custody.errors import NotInCustody
from vms_privacy.custody.rules import Open, Step, Unsettled
from vms_privacy.db import Database
from vms_privacy.journal.rules import JournalKind

_EVER = Span(0, 2**60)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Before:
    """What there was when the copy was made, and what became of it since."""

    url: str
    now: datetime
    mandated: Segment
    held: Segment
    shortened: Segment
    survivor: Segment
    viewer: Principal
    leaver: Principal
    grant: Grant
    changed: Grant


def _record_one(house: House) -> Segment:
    """A segment of its own hour: no other is under its bucket key."""
    house.record(2)
    house.delivery.deliver()
    made = house.rows()[-1]
    house.clock.forward(_HOUR)
    return made


def _span(one: Segment) -> Span:
    return Span(one.starts_us - 5_000_000, (one.ends_us or 0) + 1_000_000)


@pytest.fixture
def before(databases: Databases, tmp_path: Path) -> Before:
    """A copy, and everything that may happen behind it."""
    db = Database(databases.with_tables(tmp_path, "lost"))
    house = House(db, HandClock(), tmp_path)
    access = Access(db, house.randomness)
    access.grant(house.owner, Role.OWNER)
    viewer, leaver = (access.person(house.operator_id, f"{one}@example.org") for one in ("viewer", "leaver"))
    grant = access.grant(viewer, Role.VIEWER)
    changed = access.grant(viewer, Role.INVESTIGATOR)
    house.opt_in()
    house.keep_for(timedelta(hours=50))
    shortened = _record_one(house)
    mandated = _record_one(house)
    held = _record_one(house)
    house.record(2)
    house.clock.forward(timedelta(seconds=30))
    house.record(2)
    house.delivery.deliver()
    gone_in_part, survivor = house.rows()[-2:]
    url = databases.copy_of(db, tmp_path, "copy")

    house.mandate(_span(mandated))
    house.mandate(_span(gone_in_part))
    assert house.eraser.carry_out_mandates().is_clean
    house.order(OrderKind.HOLD, _span(held))
    house.clock.forward(_HOUR)
    house.keep_for(timedelta(hours=3))
    assert house.eraser.sweep().is_clean
    house.withdraw()
    with db.writing() as session:
        grants_of(house).withdraw(session, house.owner, house.operator_id, grant.id)
        grants_of(house).change(session, house.owner, house.operator_id, changed.id, changed.version, grant.terms)
        people_of(house).disable(session, house.owner, house.operator_id, leaver.person_id)  # type: ignore[arg-type]
    states = {one.id: one.state for one in house.rows()}
    assert [states[one.id] for one in (mandated, shortened, held, survivor)] == [
        State.ERASED,
        State.ERASED,
        State.STORED,
        State.STORED,
    ]
    now = house.clock.now()
    house.kill()
    db.close()
    return Before(url, now, mandated, held, shortened, survivor, viewer, leaver, grant, changed)


def _is_as_the_copy_says(house: House, before: Before) -> None:
    """What an older database would bring back, were it not for the journal."""
    assert {one.state for one in house.rows()} == {State.STORED}
    with house.db.reading() as session:
        assert house.ledger.permit(session, house.camera.camera_id) is not None
        assert retention.current(session, house.camera.camera_id).keep_for == timedelta(hours=50)
        held = GrantStore().held_by(session, [before.viewer.person_id])[before.viewer.person_id]  # type: ignore[index,list-item]
        assert {one.id for one in held} == {before.grant.id, before.changed.id}


def _is_as_the_journal_says(house: House, before: Before) -> None:
    """Nothing that was destroyed opens, nothing records, the hold holds, no right that was taken away is one."""
    rows = {one.id: one.state for one in house.rows()}
    assert rows[before.mandated.id] is rows[before.shortened.id] is rows[before.survivor.id] is State.ERASED
    assert rows[before.held.id] is State.STORED
    shown = {part.sealed.segment.id for part in house.footage.find(house.look(), _EVER)}
    assert shown <= {before.held.id}
    with house.db.reading() as session:
        assert house.ledger.permit(session, house.camera.camera_id) is None
        assert retention.current(session, house.camera.camera_id).keep_for == timedelta(hours=3)
        held = GrantStore().held_by(session, [before.viewer.person_id])[before.viewer.person_id]  # type: ignore[index,list-item]
        assert held == []
        grants = GrantStore().of_operator(session, house.operator_id)
        assert all(one.version > 1 for one in grants)
        leaver = PersonStore().by_id(session, before.leaver.person_id)  # type: ignore[arg-type]
        assert leaver is not None
        assert leaver.disabled_at is not None
        span = _span(before.held)
        kept = orders.touching(session, house.camera.camera_id, span)
        assert [(one.kind, one.placed_by) for one in kept] == [(OrderKind.HOLD, "worker:replay")]


def test_an_older_database_is_told_what_has_happened_since_before_and_after_its_release(
    before: Before, tmp_path: Path
) -> None:
    with gone_on_with(before.url, tmp_path, before.now) as house:
        _is_as_the_copy_says(house, before)
        restoring_of(house).take_in(house.db, tmp_path / "anchor")
        custody = custody_of(house)
        assert custody.state() is not None

        found = custody.replay()

        _is_as_the_journal_says(house, before)
        assert Open(Unsettled.GRANT_WAS_CHANGED, str(before.changed.id)) in found
        assert Open(Unsettled.KEY_LOST_WITH_DATABASE, str(before.survivor.id)) in found
        with house.db.reading() as session:
            standing = mandates.of_operator(session, house.operator_id, only_standing=True, most=10)
        assert len(standing) == 2
        custody.release("ticket-17")
        assert custody.state() is None
        house.revive()
        assert house.eraser.sweep().is_clean
        assert house.eraser.carry_out_mandates().is_clean
        _is_as_the_journal_says(house, before)
        with house.db.reading() as session:
            assert mandates.of_operator(session, house.operator_id, only_standing=True, most=10) == []
        assert [str(one) for one in house.check().findings] == []
        acts = [entry.facts["act"] for entry in house.journal.entries() if entry.kind is JournalKind.DATABASE_RESTORED]
        assert acts == ["begun", "released"]


def test_replaying_twice_changes_nothing_more(before: Before, tmp_path: Path) -> None:
    with gone_on_with(before.url, tmp_path, before.now) as house:
        restoring_of(house).take_in(house.db, tmp_path / "anchor")
        first = custody_of(house).replay()
        rows = house.rows()
        assert custody_of(house).replay() == first
        assert house.rows() == rows
        _is_as_the_journal_says(house, before)


@pytest.mark.parametrize("step", [one for one in Step if one >= Step.RECOVERED])
def test_killed_between_any_two_steps_the_replay_is_done_again_and_whole(
    before: Before, tmp_path: Path, step: Step
) -> None:
    with gone_on_with(before.url, tmp_path, before.now) as house:
        restoring_of(house).take_in(house.db, tmp_path / "anchor")
    with killed_at(step, replay_until_killed, before.url, tmp_path, before.now):
        pass
    with gone_on_with(before.url, tmp_path, before.now) as house:
        assert custody_of(house).state() is not None
        custody_of(house).release("ticket-17")
        house.revive()
        assert house.eraser.sweep().is_clean
        assert house.eraser.carry_out_mandates().is_clean
        _is_as_the_journal_says(house, before)
        assert [str(one) for one in house.check().findings] == []


def test_what_is_not_in_custody_is_neither_replayed_nor_released(before: Before, tmp_path: Path) -> None:
    with gone_on_with(before.url, tmp_path, before.now) as house:
        with pytest.raises(NotInCustody):
            custody_of(house).replay()
        with pytest.raises(NotInCustody):
            custody_of(house).release("ticket-17")
        assert {one.state for one in house.rows()} == {State.STORED}


def test_what_grew_when_the_copy_was_made_and_was_delivered_since_is_closed_again_and_plays(
    databases: Databases, tmp_path: Path
) -> None:
    db = Database(databases.with_tables(tmp_path, "lost"))
    house = House(db, HandClock(), tmp_path)
    house.opt_in()
    house.record(6, close=False)
    url = databases.copy_of(db, tmp_path, "copy")
    house.close()
    shown = [part.sealed.segment.id for part in house.footage.find(house.look(), _EVER)]
    assert house.delivery.deliver().is_clean
    now = house.clock.now()
    house.kill()
    db.close()
    with gone_on_with(url, tmp_path, now) as again:
        restoring_of(again).take_in(again.db, tmp_path / "anchor")
        custody_of(again).release("ticket-17")
        again.revive()
        assert again.delivery.deliver().is_clean
        (row,) = again.rows()
        assert (row.state, row.place) == (State.STORED, Place.STORE)
        assert again.check().is_clean
        assert [part.sealed.segment.id for part in again.footage.find(again.look(), _EVER)] == shown == [row.id]

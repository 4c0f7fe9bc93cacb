"""Setting retention: versioned, justified, journalled where it takes away, and heard of once it is durable."""

import random
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from archive.orders.rules import OrderKind
from archive.retention import store
from archive.retention.service import RetentionRefused, ShorteningTakesTwo
from archive.segments import days
from archive.segments.rules import Span
from archive.segments.tables import SegmentRow
from tests.given.footage import House
from tests.given.rows import every
from tests.given.tampering import add_copies
from vms_privacy.approvals.rules import Decision
from vms_privacy.audit.events import Tag
from vms_privacy.audit.tables import EventRow
from vms_privacy.ids import CameraId, SegmentId
from vms_privacy.journal.rules import JournalKind


def _set(house: House, keep_for: timedelta, why: str = "") -> None:
    with house.db.writing() as session:
        house.retention.set(session, house.granted(), keep_for, why)


def _shortenings(house: House) -> list[object]:
    return [entry.facts["keep_seconds"] for entry in house.journal.entries() if entry.kind is JournalKind.SHORTENING]


def test_without_a_word_it_is_72_hours(house: House) -> None:
    with house.db.reading() as session:
        policy = house.retention.current(session, house.camera.camera_id)
    assert (policy.version, policy.keep_for) == (0, timedelta(hours=72))


@pytest.mark.parametrize(
    ("keep_for", "why", "rule"),
    [
        (timedelta(seconds=9), "", "retention-too-short"),
        (timedelta(days=367), "the court asked for it", "retention-too-long"),
        (timedelta(seconds=10, microseconds=1), "", "retention-not-whole"),
        (timedelta(hours=73), "because", "retention-needs-justification"),
    ],
)
def test_what_may_not_be_set_is_refused_with_the_rule_it_breaks(
    house: House, keep_for: timedelta, why: str, rule: str
) -> None:
    with pytest.raises(RetentionRefused) as refused:
        _set(house, keep_for, why)
    assert refused.value.facts["rule"] == rule
    with house.db.reading() as session:
        assert store.history(session, house.camera.camera_id) == []


def test_each_change_is_a_version_with_who_and_why_and_is_in_the_audit(house: House) -> None:
    _set(house, timedelta(hours=100), "the court asked for it in writing")
    _set(house, timedelta(hours=24))
    with house.db.reading() as session:
        newest, older = store.history(session, house.camera.camera_id)
        noted = session.scalar(select(func.count()).where(EventRow.tag == int(Tag.RETENTION_SET)))
    assert (newest.version, older.version) == (2, 1)
    assert older.justification == "the court asked for it in writing"
    assert older.set_by == house.owner.label
    assert noted == 2


def test_only_what_takes_away_is_in_the_custody_journal(house: House) -> None:
    _set(house, timedelta(hours=100), "the court asked for it in writing")
    assert _shortenings(house) == []
    _set(house, timedelta(hours=24))
    _set(house, timedelta(hours=30))
    assert _shortenings(house) == [24 * 3600]


def test_lengthening_again_never_reaches_what_was_shortened(house: House) -> None:
    house.opt_in()
    house.record(2)
    for hours in (24, 48, 72, 24):
        _set(house, timedelta(hours=hours))
    with house.db.reading() as session:
        assert {row.keep_us for row in every(session)} == {24 * 3_600_000_000}


@pytest.mark.parametrize("seed", range(4))
def test_whatever_follows_footage_is_kept_as_was_promised_when_it_was_taken_or_shorter(house: House, seed: int) -> None:
    pick = random.Random(seed)
    house.opt_in()
    promised: list[int] = []
    for _ in range(6):
        hours = pick.randrange(1, 100)
        _set(house, timedelta(hours=hours), "the court asked for it in writing")
        promised = [min(hours, kept) for kept in promised]
        if pick.random() < 0.6:
            house.recorder.ask_again()
            house.record(2)
            promised.append(hours)
    with house.db.reading() as session:
        kept = [row.keep_us // 3_600_000_000 for row in every(session)]
    assert kept == promised


def test_listeners_hear_of_a_change_once_it_is_durable_and_of_none_that_was_rolled_back(house: House) -> None:
    heard: list[tuple[CameraId, int]] = []

    def hear(camera_id: CameraId) -> None:
        with house.db.reading() as session:
            heard.append((camera_id, house.retention.current(session, camera_id).version))

    house.retention.on_change(hear)
    with pytest.raises(ZeroDivisionError):
        _set_and_fail(house)
    assert heard == []
    _set(house, timedelta(hours=1))
    assert heard == [(house.camera.camera_id, 1)]


def _set_and_fail(house: House) -> None:
    with house.db.writing() as session:
        house.retention.set(session, house.granted(), timedelta(hours=1), "")
        raise ZeroDivisionError


# -- what takes two people


def _recorded(house: House, hours: int) -> None:
    """One real segment, and its row copied over hours, each of them a minute long; sums and rows say the same."""
    house.opt_in()
    house.record(2)
    minute = 60_000_000
    with house.db.reading() as session:
        model = session.scalars(select(SegmentRow)).one()
    assert model.destroy_from_us is not None
    changes = [
        {
            "id": house.randomness.uuid(),
            "blob_name": f"{number:022d}",
            "starts_us": model.starts_us + number * minute,
            "ends_us": model.starts_us + (number + 1) * minute,
            "destroy_from_us": model.starts_us + (number + 1) * minute + model.keep_us,
        }
        for number in range(1, hours * 60)
    ]
    add_copies(house.db, SegmentId(model.id), changes)
    with house.db.writing() as session:
        days.stored(session, SegmentRow.id != model.id)
    house.clock.forward(timedelta(hours=hours))


def _expires(house: House, keep_for: timedelta) -> int:
    with house.db.reading() as session:
        return house.retention.preview(session, house.camera.camera_id, keep_for, "").expires.segments


def test_a_strong_shortening_takes_two_people_and_is_then_on_time(house: House) -> None:
    _set(house, timedelta(days=30), "the court asked for it in writing")
    _recorded(house, 3)
    with pytest.raises(ShorteningTakesTwo) as refused:
        _set(house, timedelta(hours=1))
    assert refused.value.facts["segments"] == _expires(house, timedelta(hours=1)) > 60
    with house.db.writing() as session:
        proposal = house.retention.propose(session, house.granted(), timedelta(hours=1), "", "less is enough")
    second = f"person:{house.randomness.uuid()}"
    with house.db.writing() as session:
        house.approvals.decide(session, proposal, Decision.APPROVED, second, lambda _: True)
    with house.db.reading() as session:
        assert house.retention.current(session, house.camera.camera_id).keep_for == timedelta(hours=1)
        noted = session.scalars(select(EventRow).where(EventRow.tag == int(Tag.RETENTION_SET))).all()[-1]
    assert noted.actor == house.owner.label
    assert second in noted.detail
    assert _shortenings(house)[-1] == 3600


def test_what_was_changed_since_it_was_proposed_is_not_set(house: House) -> None:
    with house.db.writing() as session:
        proposal = house.retention.propose(session, house.granted(), timedelta(hours=1), "", "less is enough")
    _set(house, timedelta(hours=48))
    with pytest.raises(RetentionRefused) as refused, house.db.writing() as session:
        house.approvals.decide(session, proposal, Decision.APPROVED, "person:2", lambda _: True)
    assert refused.value.facts["rule"] == "changed-since"


def test_shortening_where_little_is_lost_takes_one_person(house: House) -> None:
    house.record_in_turn(2)
    _set(house, timedelta(seconds=10))


def test_small_steps_that_together_are_a_strong_one_take_two_people(house: House) -> None:
    _set(house, timedelta(days=30), "the court asked for it in writing")
    _recorded(house, 24)
    # Down to there nothing is lost; then the step is more than half of the one before, and all together are not.
    for hours in (18 * 24, 11 * 24, 7 * 24, 100, 60, 40, 24):
        _set(house, timedelta(hours=hours), "the court asked for it in writing")
    with pytest.raises(ShorteningTakesTwo):
        _set(house, timedelta(hours=16))


def test_a_preview_changes_nothing_and_says_what_is_held(house: House) -> None:
    first, _, _ = house.record_in_turn(3)
    assert first.ends_us is not None
    house.order(OrderKind.HOLD, Span(first.starts_us, first.ends_us))
    house.clock.forward(timedelta(seconds=15))
    with house.db.reading() as session:
        found = house.retention.preview(session, house.camera.camera_id, timedelta(seconds=10), "")
        assert store.current(session, house.camera.camera_id).version == 1
    assert (found.expires.segments, found.held, found.takes_two) == (3, 1, False)


def test_a_listener_that_fails_is_counted_and_silences_no_other(house: House) -> None:
    heard: list[CameraId] = []

    def fail(_: CameraId) -> None:
        raise OSError

    house.retention.on_change(fail)
    house.retention.on_change(heard.append)
    _set(house, timedelta(hours=48))
    assert (heard, house.retention.listener_failures) == ([house.camera.camera_id], 1)


def test_an_hour_at_a_time_is_judged_as_all_of_it_together(house: House) -> None:
    _recorded(house, 12)
    refused_at = None
    for hours in range(35, 0, -1):
        try:
            _set(house, timedelta(hours=hours))
        except ShorteningTakesTwo:
            refused_at = hours
            break
        house.eraser.sweep()
    assert refused_at is not None
    assert refused_at >= 10

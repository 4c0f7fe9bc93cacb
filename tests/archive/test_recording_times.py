"""Recording happens inside the opt-in and inside the camera's recording times, and nowhere else. P1."""

import json
from datetime import datetime, timedelta
from typing import Final

import pytest
from sqlalchemy import insert, select

from archive.check import Kind
from archive.explain.rules import MayKnow, What
from archive.explain.service import Explainer
from archive.recorder.rules import Why
from archive.recorder.standing import micros
from archive.segments.rules import State
from tests.given.clock import NOON
from tests.given.failing_db import FailingDatabase
from tests.given.footage import House
from vms_privacy.audit.events import Tag
from vms_privacy.audit.tables import EventRow
from vms_privacy.consent.rules import RecordingPermit
from vms_privacy.journal.rules import Fact, JournalKind
from vms_privacy.recording_times import store as times
from vms_privacy.recording_times.errors import RecordingTimesRefused, RecordingTimesUnreadable
from vms_privacy.recording_times.replay import replay_recording_times
from vms_privacy.recording_times.tables import RecordingTimesRow
from vms_privacy.subject_requests.service import RequestService

EVERY_DAY: Final = "mon+tue+wed+thu+fri+sat+sun"
SECOND: Final = timedelta(seconds=1)
OUTSIDE: Final = Why.OUTSIDE_TIMES
A_PICTURE_US: Final = 40_000
"""The end of the last picture is a guess until another one comes."""


def permit(house: House) -> RecordingPermit | None:
    with house.db.reading() as session:
        return house.ledger.permit(session, house.camera.camera_id)


def at(hour: int, minute: int = 0, days: int = 0) -> datetime:
    return NOON.replace(hour=hour, minute=minute) + timedelta(days=days)


def go_to(house: House, moment: datetime) -> None:
    house.clock.forward(moment - house.clock.now())
    house.recorder.tidy()


def gaps(house: House) -> list[tuple[int, int | None, str]]:
    """The gaps that last for longer than a fragment, to the second."""
    found = house.gaps()
    return [
        (round(from_us / 1e6), None if until_us is None else round(until_us / 1e6), why)
        for from_us, until_us, why in found
        if until_us is None or until_us - from_us > 2_000_000
    ]


def s(moment: datetime) -> int:
    return micros(moment) // 1_000_000


def test_outside_of_its_times_there_is_no_permit_and_inside_it_ends_with_them(house: House) -> None:
    house.opt_in()
    house.record_at(f"{EVERY_DAY}=13:00-14:00")
    assert permit(house) is None
    house.clock.forward(at(13) - house.clock.now() - timedelta(microseconds=1))
    assert permit(house) is None
    house.clock.forward(timedelta(microseconds=1))
    found = permit(house)
    assert found is not None
    assert (found.times_from, found.times_until) == (at(13), at(14))
    house.clock.forward(at(14) - house.clock.now() - SECOND)
    found = permit(house)
    assert found is not None
    assert found.ask_again_at == at(14)
    house.clock.forward(SECOND)
    assert permit(house) is None


def test_nothing_is_recorded_outside_and_the_gap_says_so_to_the_second(house: House) -> None:
    house.opt_in()
    house.record_at(f"{EVERY_DAY}=12:01-12:02")
    house.record(5)
    assert house.rows() == []
    go_to(house, at(12, 1) - 5 * SECOND)
    house.record(10, close=False)
    [row] = house.rows()
    assert row.starts_us >= micros(at(12, 1))
    assert row.starts_us < micros(at(12, 1)) + 2_000_000
    go_to(house, at(12, 2) - 5 * SECOND)
    house.record(10)
    rows = house.rows()
    assert all(one.state is State.STORED for one in rows)
    assert max(one.ends_us or 0 for one in rows) <= micros(at(12, 2))
    assert max(one.ends_us or 0 for one in rows) > micros(at(12, 2)) - 1_000_000
    told = gaps(house)
    assert told[0] == (s(NOON), s(at(12, 1)), OUTSIDE)
    assert told[-1][1:] == (None, OUTSIDE)
    assert 0 <= s(at(12, 2)) - told[-1][0] <= 1
    assert house.is_in_order


def test_a_narrowing_cuts_the_segment_that_is_being_written(house: House) -> None:
    house.opt_in()
    stream, fed = house.stream(8)
    house.recorder.begin("run-a", stream.epoch(1))
    house.take(fed[:8])
    house.record_at(f"{EVERY_DAY}=01:00-02:00")
    narrowed_us = micros(house.clock.now())
    assert [row.state for row in house.rows()] == [State.STORED]
    house.take(fed[8:])
    [row] = house.rows()
    assert (row.ends_us or 0) <= narrowed_us + A_PICTURE_US
    assert house.recorder.tally.last_why == OUTSIDE
    assert house.gaps()[-1][1:] == (None, OUTSIDE)
    assert house.is_in_order


def test_a_widening_works_forward_from_its_own_moment(house: House) -> None:
    house.opt_in()
    house.record_at(f"{EVERY_DAY}=01:00-02:00")
    stream, fed = house.stream(6)
    house.recorder.begin("run-a", stream.epoch(1))
    house.take(fed[:5])
    assert house.rows() == []
    house.record_at(f"{EVERY_DAY}=00:00-24:00")
    widened_us = micros(house.clock.now())
    house.take(fed[5:])
    house.close()
    [row] = house.rows()
    assert row.starts_us >= widened_us
    assert house.gaps()[0] == (micros(NOON), widened_us, OUTSIDE)
    assert house.is_in_order


def test_a_change_of_plan_that_leaves_the_recording_on_loses_no_picture(house: House) -> None:
    house.opt_in()
    house.record_at(f"{EVERY_DAY}=11:00-13:00")
    stream, fed = house.stream(6)
    house.recorder.begin("run-a", stream.epoch(1))
    house.take(fed[:5])
    house.record_at(f"{EVERY_DAY}=10:00-15:00")
    house.take(fed[5:])
    house.close()
    assert house.shown() == [one.captured_from_us for one in fed]
    assert house.is_in_order


def test_a_recorder_that_nobody_told_hears_of_it_within_half_a_minute(house: House) -> None:
    house.opt_in()
    stream, fed = house.stream(40)
    house.recorder.begin("run-a", stream.epoch(1))
    house.take(fed[:4])
    house.record_at(f"{EVERY_DAY}=01:00-02:00", tell=False)
    told_us = micros(house.clock.now())
    house.take(fed[4:])
    assert max(row.ends_us or 0 for row in house.rows()) <= told_us + 31_000_000
    assert {finding.kind for finding in house.check().findings} == {Kind.OUTSIDE_TIMES}


def test_while_the_database_is_away_the_times_end_all_the_same(house: House) -> None:
    assert isinstance(house.db, FailingDatabase)
    house.opt_in()
    house.record_at(f"{EVERY_DAY}=12:00-12:01")
    house.record(3, close=False)
    go_to(house, at(12, 1) - 4 * SECOND)
    house.record(2, close=False)
    house.db.is_away = True
    house.record(10, close=False)
    house.db.is_away = False
    house.recorder.tidy()
    house.close()
    assert max(row.ends_us or 0 for row in house.rows()) <= micros(at(12, 1))
    assert house.is_in_order


def test_a_gap_is_cut_where_times_begin_and_end_whatever_the_camera_does(house: House) -> None:
    """A camera that is lost: by night that is nobody's concern, and by day it is."""
    house.opt_in()
    house.record_at(f"{EVERY_DAY}=08:00-18:00")
    house.record(3)
    go_to(house, at(9, days=1))
    house.record(3)
    lost = s(NOON) + 4
    assert gaps(house) == [
        (lost, s(at(18)), Why.CAMERA_LOST),
        (s(at(18)), s(at(8, days=1)), OUTSIDE),
        (s(at(8, days=1)), s(at(9, days=1)) + 1, Why.CAMERA_LOST),
        (s(at(9, days=1)) + 4, None, Why.CAMERA_LOST),
    ]
    assert house.is_in_order


def test_of_a_time_in_which_the_service_did_not_run_the_nights_are_told_apart(house: House) -> None:
    house.opt_in()
    house.record_at(f"{EVERY_DAY}=08:00-18:00")
    house.record(3, close=False)
    house.clock.forward(at(9, days=2) - house.clock.now())
    house.revive()
    assert [why for _, _, why in gaps(house)] == [
        Why.NOT_RUNNING,
        OUTSIDE,
        Why.NOT_RUNNING,
        OUTSIDE,
        Why.NOT_RUNNING,
    ]
    assert gaps(house)[1] == (s(at(18)), s(at(8, days=1)), OUTSIDE)
    house.record(3)
    assert house.is_in_order


def test_an_opt_in_that_ends_outside_of_the_times_ends_the_gap(house: House) -> None:
    house.opt_in()
    house.record_at(f"{EVERY_DAY}=08:00-18:00")
    go_to(house, at(20))
    house.withdraw()
    assert house.gaps()[-1] == (micros(at(18)), micros(at(20)), OUTSIDE)
    go_to(house, at(21, days=1))
    assert house.gaps()[-1][1] == micros(at(20))
    assert house.is_in_order


def test_why_says_that_it_was_none_of_the_recording_times(house: House) -> None:
    house.opt_in()
    house.record_at(f"{EVERY_DAY}=12:01-18:00")
    go_to(house, at(12, 2))
    requests = RequestService(house.audit, house.journal, house.clock, house.randomness, house.keyring)
    explainer = Explainer(house.ledger, requests, house.clock, timedelta(seconds=60))
    with house.db.reading() as session:
        answer = explainer.why(session, house.camera.camera_id, micros(NOON) + 1, MayKnow(holds=False, proof=False))
    assert answer.what is What.GAP
    assert [(one.code, one.about) for one in answer.because] == [("gap", OUTSIDE)]


@pytest.mark.parametrize(
    ("zone", "stretches"),
    [("Europe/Nowhere", f"{EVERY_DAY}=00:00-24:00"), ("UTC", "always"), ("UTC", "mon=08:00-08:00"), ("localtime", "x")],
)
def test_a_plan_that_cannot_be_read_allows_nothing_and_says_so(house: House, zone: str, stretches: str) -> None:
    house.opt_in()
    stream, fed = house.stream(8)
    house.recorder.begin("run-a", stream.epoch(1))
    house.take(fed[:6])
    failures = house.recorder.tally.failures
    with house.db.writing() as session:
        session.execute(
            insert(RecordingTimesRow).values(
                id=house.randomness.uuid(),
                operator_id=house.operator_id,
                camera_id=house.camera.camera_id,
                version=1,
                zone=zone,
                stretches=stretches,
                set_by=house.owner.label,
                set_at=house.clock.now(),
            )
        )
    house.recorder.ask_again()
    broken_us = micros(house.clock.now())
    house.take(fed[6:])
    [row] = house.rows()
    assert row.state is State.STORED
    assert (row.ends_us or 0) <= broken_us + A_PICTURE_US
    assert house.recorder.tally.failures > failures
    assert house.recorder.tally.last_why == Why.TIMES_UNREADABLE
    assert house.gaps()[-1][1:] == (None, Why.TIMES_UNREADABLE)
    with pytest.raises(RecordingTimesUnreadable):
        permit(house)
    assert [(one.kind, one.detail) for one in house.check().findings] == [
        (Kind.CANNOT_TELL, RecordingTimesUnreadable.code)
    ]
    house.record_at(f"{EVERY_DAY}=00:00-24:00")
    house.record(3)
    assert len(house.rows()) == 2
    assert house.is_in_order


def test_a_change_is_a_version_in_the_audit_and_in_the_journal(house: House) -> None:
    house.record_at("mon+tue=08:00-18:00", "sat=22:00-06:00", zone="Europe/Paris")
    house.record_at(f"{EVERY_DAY}=00:00-24:00")
    with house.db.reading() as session:
        told = session.scalars(select(EventRow.detail).where(EventRow.tag == Tag.RECORDING_TIMES_SET)).all()
    assert [json.loads(one) for one in told] == [
        {"version": 1, "zone": "Europe/Paris", "stretches": 2},
        {"version": 2, "zone": "UTC", "stretches": 1},
    ]
    entries = [one for one in house.journal.entries() if one.kind is JournalKind.RECORDING_TIMES]
    assert [one.facts["version"] for one in entries] == [1, 2]
    assert entries[0].facts["stretch_2"] == "sat=22:00-06:00"


def test_what_is_no_plan_changes_nothing_and_says_which_rule_it_breaks(house: House) -> None:
    for stretches, zone, rule in (
        ((), "UTC", "no-stretch"),
        (("mon=08:00-18:00",), "Europe/Nowhere", "unknown-zone"),
        (("mon=08:00-18:00",), "localtime", "unknown-zone"),
        (("mon=08:00-18:00",), "../../etc/passwd", "unknown-zone"),
    ):
        with pytest.raises(RecordingTimesRefused) as refused:
            house.record_at(*stretches, zone=zone)
        assert refused.value.facts["rule"] == rule
    with house.db.reading() as session:
        assert session.scalars(select(RecordingTimesRow)).all() == []


def _told(house: House, version: int, stretch: str) -> None:
    about: dict[str, Fact] = {
        "operator": str(house.operator_id),
        "camera": str(house.camera.camera_id),
        "version": version,
    }
    house.journal.append(JournalKind.RECORDING_TIMES, about | {"zone": "UTC", "stretch_1": stretch})


def _replayed(house: House) -> list[tuple[int, str]]:
    """What a database has once the journal was replayed over it, and once more, which changes nothing."""
    for _ in range(2):
        with house.db.writing() as session:
            changed = replay_recording_times(
                session, house.journal.entries(), house.audit, house.clock, house.randomness
            )
    assert changed == 0
    with house.db.reading() as session:
        return [(row.version, row.stretches) for row in times.rows(session, house.camera.camera_id)]


def test_of_two_that_were_told_of_with_one_number_the_last_holds_after_a_replay(house: House) -> None:
    _told(house, 1, "mon+tue=00:00-24:00")
    _told(house, 1, "mon=10:00-11:00")
    assert _replayed(house) == [(1, "mon=10:00-11:00")]


def test_the_last_that_was_told_of_holds_after_a_replay_whatever_numbers_are_there(house: House) -> None:
    for version, stretch in enumerate(("mon=08:00-18:00", "tue=08:00-18:00", f"{EVERY_DAY}=08:00-18:00"), 1):
        _told(house, version, stretch)
    before = _replayed(house)
    assert [version for version, _ in before] == [1, 2, 3]
    # An earlier restore of a copy that had one: what was set then counts from there.
    _told(house, 2, "wed=10:00-11:00")
    assert _replayed(house) == [*before, (4, "wed=10:00-11:00")]


def test_a_replay_over_a_database_that_has_one_sets_every_version_behind_it_and_the_last_one_holds(
    house: House,
) -> None:
    house.record_at("mon=08:00-18:00")
    _told(house, 2, "tue=08:00-18:00")
    _told(house, 3, f"{EVERY_DAY}=08:00-18:00")
    _told(house, 2, "wed=10:00-11:00")
    every_day = f"{EVERY_DAY}=08:00-18:00"
    assert _replayed(house) == [
        (1, "mon=08:00-18:00"),
        (2, "wed=10:00-11:00"),
        (3, every_day),
        (4, "wed=10:00-11:00"),
    ]

"""Whatever happens to a house, in whatever order: the check has nothing to say, and nobody sees what has expired."""

import tempfile
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive.errors import FootageIsGone, NoFootage
from archive.recorder.rules import Why
from archive.recorder.standing import micros
from archive.segments.rules import Span
from tests.given.clock import HandClock
from tests.given.databases import DatabaseServer
from tests.given.failing_db import FailingDatabase
from tests.given.footage import House
from tests.given.rows import every
from vms_privacy.consent.rules import ConsentKind

_ALL: Final = Span(0, 2**60)


def _is_opted_in(house: House) -> bool:
    with house.db.reading() as session:
        return house.ledger.in_force(session, house.camera.camera_id) is not None


def _toggle(house: House) -> None:
    if _is_opted_in(house):
        house.withdraw()
    else:
        house.opt_in()


def _toggle_unheard(house: House) -> None:
    """Withdraw, and give again, while nobody tells the recorder."""
    camera_id, kind = house.camera.camera_id, ConsentKind.VIDEO_RECORDING
    if not _is_opted_in(house):
        return
    with house.db.writing() as session:
        house.ledger.withdraw(session, house.owner.label, house.operator_id, camera_id, kind)
    house.clock.forward(timedelta(seconds=3))
    with house.db.writing() as session:
        house.opt_in_until(session, house.clock.now() + timedelta(seconds=40))


def _hear_sound(house: House) -> None:
    if _is_opted_in(house):
        with house.db.reading() as session:
            permit = house.ledger.permit(session, house.camera.camera_id)
        if permit is not None and not permit.audio:
            house.opt_in(ConsentKind.RECORDED_AUDIO)


def _set_back(house: House) -> None:
    """Set the clock back, and record until time has caught up.

    Whoever withdraws before that does so, by the clock, before pictures that were recorded: the check says so, rightly.
    """
    house.clock.forward(-timedelta(seconds=3))
    house.record(3)


def _without_the_database(house: House, seconds: float, *, is_killed: bool = False) -> None:
    """Record while the database is away, over the border of a segment that is kept for a short time."""
    assert isinstance(house.db, FailingDatabase)
    house.db.is_away = True
    house.record(seconds, close=False)
    house.db.is_away = False
    if is_killed:
        house.revive()


def _record_for_some_minutes(house: House) -> None:
    """Let the recording times begin or end within what is done next, whatever the minute is."""
    now = house.clock.now()
    minute = 60 * now.hour + now.minute
    begins, ends = (f"{at // 60 % 24:02}:{at % 60:02}" for at in (minute, minute + 2))
    house.record_at(f"mon+tue+wed+thu+fri+sat+sun={begins}-{ends}")


ACTS: Final[Mapping[str, Callable[[House], object]]] = {
    "record": lambda house: house.record(2),
    "begin to record": lambda house: house.record(2, close=False),
    "record with sound": lambda house: house.record(2, audio=True, close=False),
    "lose the camera": lambda house: house.close(),
    "opt in or withdraw": _toggle,
    "withdraw and give again unheard": _toggle_unheard,
    "opt in to sound": _hear_sound,
    "keep short": lambda house: house.keep_for(timedelta(seconds=10)),
    "keep longer": lambda house: house.keep_for(timedelta(seconds=40)),
    "record at other times": lambda house: house.record_at("mon=08:00-18:00"),
    "record for some minutes": _record_for_some_minutes,
    "record at all times": lambda house: house.record_at("mon+tue+wed+thu+fri+sat+sun=00:00-24:00"),
    "wait a little": lambda house: house.clock.forward(timedelta(seconds=4)),
    "wait": lambda house: house.clock.forward(timedelta(seconds=31)),
    "set the clock back": _set_back,
    "deliver": lambda house: house.delivery.deliver(),
    "sweep": lambda house: house.eraser.sweep(),
    "be killed": lambda house: house.revive(),
    "fail": lambda house: house.recorder.failed(),
    "tidy": lambda house: house.recorder.tidy(),
    "stop": lambda house: house.recorder.lost(Why.STOPPING),
    "record without the database": lambda house: _without_the_database(house, 14),
    "lose the database for long": lambda house: _without_the_database(house, 70),
    "be killed without the database": lambda house: _without_the_database(house, 14, is_killed=True),
}


def _nothing_expired_is_shown(house: House) -> None:
    now_us = micros(house.clock.now())
    try:
        parts = house.footage.find(house.look(), _ALL)
    except (NoFootage, FootageIsGone):
        return
    for part in parts:
        assert all(now_us < entry.captured_from_us + part.sealed.segment.keep_us for entry in part.entries)
        assert house.footage.read(house.look(), part.seen, part.index, part.chosen)


def _told(house: House) -> list[str]:
    house.recorder.tidy()
    return [str(finding) for finding in house.check().findings]


@given(acts=st.lists(st.sampled_from(sorted(ACTS)), max_size=14))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_house_stays_in_order_whatever_happens_in_it(database_server: DatabaseServer, acts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder, database_server.for_one_test() as databases:
        db = FailingDatabase(databases.with_tables(Path(folder)))
        house = House(db, HandClock(), Path(folder))
        try:
            house.opt_in()
            for act in acts:
                ACTS[act](house)
                _nothing_expired_is_shown(house)
                assert _told(house) == [], act
            house.clock.forward(timedelta(hours=100))
            house.close()
            house.recorder.tidy()
            house.eraser.sweep()
            assert _told(house) == []
            assert list(house.store.names()) == [path.name for path in house.spool.iterdir()] == []
            assert house.keyring.bucket_keys() == frozenset()
            with house.db.reading() as session:
                assert {row.state for row in every(session)} <= {"erased"}
        finally:
            house.kill()
            db.close()

"""One reading of the ledger's heads answers every fragment that came before it, and none that came after."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from archive.recorder.heads import REST_S, Heads
from archive.recorder.rules import Why
from tests.given.audit import GATE
from tests.given.clock import HandClock
from tests.given.consent import Consent, opt_in
from tests.given.footage import House
from vms_privacy.consent.ledger import ConsentLedger
from vms_privacy.consent.rules import ConsentKind
from vms_privacy.consent.store import Active
from vms_privacy.db import Database, Reading

VIDEO = (GATE, ConsentKind.VIDEO_RECORDING)
MOMENT = timedelta(milliseconds=1)


class Counted(ConsentLedger):
    """A real ledger that counts how often it is asked, takes its time, and fails while it is told to."""

    def __init__(self, real: ConsentLedger, clock: HandClock) -> None:
        self.__dict__.update(real.__dict__)
        self.asked = 0
        self.failing = False
        self._hand = clock

    def active(self, asked: Reading) -> Active:
        self.asked += 1
        self._hand.forward(MOMENT)
        if self.failing:
            raise OperationalError("SELECT", {}, Exception("away"))
        return super().active(asked)


@pytest.fixture
def consent(db: Database, clock: HandClock, tmp_path: Path) -> Consent:
    return Consent(db, clock, tmp_path)


@pytest.fixture
def ledger(consent: Consent) -> Counted:
    return Counted(consent.ledger, consent.clock)


@pytest.fixture
def heads(consent: Consent, ledger: Counted) -> Heads:
    return Heads(consent.db, ledger, consent.clock)


def _came(clock: HandClock) -> float:
    """A fragment comes now, and then a moment passes."""
    at_s = clock.monotonic()
    clock.forward(MOMENT)
    return at_s


def test_one_reading_answers_all_that_came_before_it(consent: Consent, ledger: Counted, heads: Heads) -> None:
    entry_id = consent.give()
    came = [_came(consent.clock) for _ in range(20)]
    assert [heads.since(one) for one in came] == [{VIDEO: entry_id}] * 20
    assert ledger.asked == 1


def test_what_comes_after_a_reading_is_answered_by_another(consent: Consent, ledger: Counted, heads: Heads) -> None:
    consent.give()
    heads.since(_came(consent.clock))
    consent.take_back()
    assert heads.since(_came(consent.clock)) == {}
    assert ledger.asked == 2


def test_what_comes_at_the_very_moment_of_a_reading_is_answered_by_another(
    consent: Consent, ledger: Counted, heads: Heads
) -> None:
    heads.since(consent.clock.monotonic())
    read_at_s = consent.clock.monotonic() - MOMENT.total_seconds()
    heads.since(read_at_s)
    assert ledger.asked == 2


def test_threads_that_wait_for_one_reading_share_it(consent: Consent, ledger: Counted, heads: Heads) -> None:
    entry_id = consent.give()
    came_s = _came(consent.clock)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(heads.since, [came_s] * 40)) == [{VIDEO: entry_id}] * 40
    assert ledger.asked == 1


def test_a_failed_reading_is_nobodys_yes(consent: Consent, ledger: Counted, heads: Heads) -> None:
    consent.give()
    heads.since(_came(consent.clock))
    ledger.failing = True
    came = [_came(consent.clock) for _ in range(2)]
    for one in came:
        with pytest.raises(OperationalError):
            heads.since(one)
    assert ledger.asked == 2, "for a second it is the answer to every question"
    ledger.failing = False
    consent.take_back()
    with pytest.raises(OperationalError):
        heads.since(_came(consent.clock))
    consent.clock.forward(timedelta(seconds=REST_S))
    assert heads.since(_came(consent.clock)) == {}


def test_an_opt_in_is_heard_even_by_a_recorder_that_nobody_told(house: House) -> None:
    house.record(2)
    assert house.recorder.tally.last_why == Why.NO_OPT_IN
    with house.db.writing() as session:
        opt_in(house.ledger, session, house.clock, house.operator_id, house.camera.camera_id)
    house.record(3)
    assert house.recorder.tally.segments == 1

"""The root is kept young by rounds that may be late, cut short or fail, and no recorder waits for them."""

import fcntl
import json
import math
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.given.clock import HandClock
from tests.given.pages import pages_in
from vms_privacy.audit.events import Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.audit.tables import EventRow
from vms_privacy.db import Database
from vms_privacy.ids import SystemRandomness
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalKind
from vms_privacy.keyring.file_keyring import FileKeyring
from vms_privacy.keyring.port import KeyringUnavailable
from vms_privacy.keyring.root_rotation import Step
from vms_privacy.keyring.rules import ROOT_HEAD_START, ROOT_LIFE
from vms_privacy.root_care import AT_A_TIME_S, RootCare

NEARLY = ROOT_LIFE - ROOT_HEAD_START
_MINUTE = timedelta(minutes=1)


class Cared:
    """A keyring with its care, which can be restarted; `pauses` are the moments in which others have their turn."""

    def __init__(self, folder: Path, db: Database, clock: HandClock) -> None:
        self.folder, self.db, self.clock = folder, db, clock
        FileKeyring.create(folder / "keyring", clock, SystemRandomness())
        self.journal = Journal(folder / "journal", clock)
        self.audit = AuditLog(db, SystemRandomness())
        self.pauses = 0
        self.step_takes = timedelta(0)
        self.restart()

    def restart(self, life: timedelta = ROOT_LIFE) -> None:
        self.keyring = FileKeyring(self.folder / "keyring", self.clock, SystemRandomness(), life)
        self.care = RootCare(self.keyring, self.journal, self.db, self.audit, self.clock, self.pause, at_once=1)

    def pause(self, _: float) -> None:
        """Whoever makes or destroys a key now finds the lock free."""
        self.pauses += 1
        with (self.folder / "keyring/lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        self.clock.forward(self.step_takes)

    def roots(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "keyring/roots").iterdir())

    def events(self) -> list[tuple[Tag, str]]:
        with self.db.reading() as session:
            return [(Tag(row.tag), row.reason) for row in session.scalars(select(EventRow).order_by(EventRow.number))]


@pytest.fixture
def cared(tmp_path: Path, db: Database, clock: HandClock) -> Iterator[Cared]:
    made = Cared(tmp_path, db, clock)
    yield made
    made.journal.close()


def test_a_root_stays_until_its_time_is_near_and_is_gone_before_it_is_over(cared: Cared) -> None:
    cared.clock.forward(NEARLY - _MINUTE)
    assert cared.care.round() is None
    assert (cared.roots(), cared.events()) == (["000001.root"], [])
    cared.clock.forward(_MINUTE)
    done = cared.care.round()
    assert done is not None
    assert (done.version, done.destroyed) == (2, 1)
    assert cared.roots() == ["000002.root"]
    assert cared.keyring.root_seconds_left == ROOT_LIFE.total_seconds()
    assert cared.care.round() is None


def test_a_rotation_is_in_the_audit_and_the_journal_says_which_root_must_not_come_back(cared: Cared) -> None:
    cared.clock.forward(NEARLY)
    cared.care.round()
    assert cared.events() == [(Tag.ROOT_ROTATION_BEGUN, "time-is-near"), (Tag.ROOT_ROTATED, "")]
    (entry,) = cared.journal.entries()
    assert (entry.kind, dict(entry.facts)) == (JournalKind.ROOT_ROTATED, {"retires": 1})


def test_the_age_of_a_root_outlives_restarts(cared: Cared) -> None:
    for _ in range(30):
        cared.clock.forward(NEARLY / 30)
        cared.restart()
    assert cared.care.round() is not None


def test_a_shorter_life_applies_at_the_next_start_and_a_longer_one_to_the_next_root(cared: Cared) -> None:
    cared.restart(life=timedelta(days=90))
    cared.clock.forward(NEARLY)
    assert cared.care.round() is not None
    cared.clock.forward(timedelta(days=2))
    assert cared.care.round() is None
    cared.restart(life=timedelta(days=1))
    assert cared.care.round() is not None


def test_a_root_in_use_since_a_later_moment_counts_as_too_old(cared: Cared) -> None:
    cared.clock.forward(timedelta(hours=-1))
    assert cared.care.round() is not None
    assert cared.events()[0] == (Tag.ROOT_ROTATION_BEGUN, "clock-was-ahead")
    assert cared.care.round() is None


@pytest.mark.parametrize("last", list(Step)[:-1])
def test_a_rotation_that_was_interrupted_after_any_step_is_finished_by_a_round_after_the_restart(
    cared: Cared, last: Step
) -> None:
    cared.clock.forward(NEARLY)
    steps = cared.keyring.root_rotation().steps()
    while next(steps) is not last:
        pass
    steps.close()
    cared.restart()
    cared.care.round()
    assert cared.roots() == ["000002.root"]
    assert cared.care.round() is None


def test_a_long_rotation_leaves_everybody_their_turn_and_goes_on_round_by_round(cared: Cared) -> None:
    keys = [cared.keyring.create_bucket_key() for _ in range(12)]
    pages = len(pages_in(cared.folder / "keyring"))
    cared.clock.forward(NEARLY)
    cared.step_takes = timedelta(seconds=AT_A_TIME_S / 4)
    rounds = 1
    while cared.care.round() is None:
        rounds += 1
        assert cared.keyring.bucket_keys() == set(keys)
    # Six purposes, the pages of twelve bucket keys, and five further steps; a page a batch, four steps a round.
    assert rounds == math.ceil((6 + pages + 5) / 4)
    assert cared.pauses == 6 + pages + 4
    assert [tag for tag, _ in cared.events()] == [Tag.ROOT_ROTATION_BEGUN, Tag.ROOT_ROTATED]
    assert cared.roots() == ["000002.root"]


def test_a_round_that_fails_says_so_and_the_next_one_goes_on(cared: Cared) -> None:
    cared.keyring.create_bucket_key()
    (path,) = (cared.folder / "keyring/buckets").glob("*.page")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    cared.clock.forward(NEARLY)
    with pytest.raises(KeyringUnavailable):
        cared.care.round()
    with pytest.raises(KeyringUnavailable):
        cared.care.round()
    assert "000001.root" in cared.roots()
    path.write_bytes(whole)
    assert cared.care.round() is not None
    assert cared.roots() == ["000002.root"]
    assert json.loads((cared.folder / "keyring/manifest").read_bytes())["retiring"] == []

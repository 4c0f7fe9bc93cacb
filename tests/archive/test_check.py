"""The check accounts for everything, and accuses nobody in a house that is in order."""

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from archive.blobs.folder_store import FolderStore
from archive.check import Checker, Finding, Kind
from archive.check.accounts import _Times
from archive.check.rules import joined
from archive.errors import StoreUnavailable
from archive.recorder.rules import Why
from archive.recorder.standing import micros
from archive.segments import gaps
from archive.segments.rules import Span
from tests.given.checked import blob_path, change_behind_the_back, found, furnish
from tests.given.footage import House
from tests.properties.test_check import ROW
from vms_privacy.consent.rules import ConsentKind
from vms_privacy.ids import BucketKeyId
from vms_privacy.keyring.port import KeyringUnavailable


def test_an_empty_house_is_clean(house: House) -> None:
    report = house.check()
    assert report.is_clean
    assert report.totals["cameras"] == 0


def test_a_house_in_order_is_clean_whatever_happened_in_it(house: House) -> None:
    def clean(then: str) -> None:
        findings = house.check().findings
        assert findings == [], f"after {then}: {[str(one) for one in findings]}"

    house.opt_in()
    clean("opting in")
    house.clock.forward(timedelta(seconds=20))
    clean("waiting")
    house.keep_for(timedelta(seconds=30))
    house.record(4, close=False)
    clean("recording")
    house.close()
    clean("the camera went away")
    house.clock.forward(timedelta(seconds=12))
    house.delivery.deliver()
    clean("delivery")
    house.record(4, close=False)
    house.revive()
    clean("a kill while recording")
    house.clock.forward(timedelta(seconds=7))
    house.record(4)
    house.clock.forward(timedelta(seconds=20))
    clean("expiry, before the sweep")
    house.eraser.sweep()
    clean("a sweep")
    house.revive()
    clean("a kill")
    house.opt_in(ConsentKind.RECORDED_AUDIO)
    house.record(3, audio=True, close=False)
    house.withdraw()
    clean("a withdrawal while recording")
    house.clock.forward(timedelta(seconds=100))
    house.eraser.sweep()
    clean("everything is destroyed")
    house.opt_in()
    house.clock.forward(timedelta(seconds=9))
    house.record(3)
    clean("opting in again")
    totals = house.check().totals
    assert totals["unaccounted_ms"] == 0
    assert totals["opted_in_ms"] == totals["recorded_ms"] + totals["destroyed_ms"] + totals["gaps_ms"]


@pytest.mark.timeout(20)
def test_many_stretches_that_do_not_touch_are_accounted_for_in_a_time_that_grows_with_them() -> None:
    """Sorting all of them for every further one takes minutes."""
    times = _Times()
    for number in range(50_000):
        starts_us = number * 60_000_000
        row = replace(ROW, starts_us=starts_us, ends_us=starts_us + 2_000_000)
        times.add(row, 2**60, is_stuck=False)
    assert len(joined(times.living)) == 50_000


def test_totals_tell_what_was_looked_at(house: House) -> None:
    furnish(house)
    totals = house.check().totals
    assert totals["cameras"] == 1
    assert (totals["segments_erased"], totals["segments_stored"]) == (1, 2)
    assert (totals["spool_files"], totals["blobs"]) == (1, 1)
    assert totals["bucket_keys"] == 1
    assert totals["destroyed_ms"] > 2900


def test_less_than_a_second_beside_a_segment_is_tolerated_and_counted(house: House) -> None:
    _, stored, _ = furnish(house)
    house.clock.forward(timedelta(seconds=8))
    change_behind_the_back(house, "UPDATE segment SET starts_us = starts_us + 89000 WHERE id = ?", stored.id.hex)
    change_behind_the_back(house, "UPDATE footage_day SET recorded_us = recorded_us - 89000")
    report = house.check()
    assert report.is_clean
    assert (report.totals["unaccounted_ms"], report.totals["tolerated_ms"]) == (89, 89)
    change_behind_the_back(house, "DELETE FROM segment WHERE id = ?", stored.id.hex)
    report = house.check()
    assert (report.is_clean, report.totals["tolerated_ms"]) == (False, 0)
    assert report.totals["unaccounted_ms"] > 1000


def test_what_is_overdue_is_named_once_a_sweep_should_have_taken_it(house: House) -> None:
    house.opt_in()
    house.keep_for(timedelta(seconds=60))
    house.record(3)
    house.delivery.deliver()
    house.clock.forward(timedelta(seconds=60 + 4))
    assert found(house) == []
    house.clock.forward(timedelta(minutes=4))
    assert found(house) == [Kind.OVERDUE]
    house.eraser.sweep()
    assert found(house) == []


def test_a_file_that_recovery_could_not_open_stays_named(house: House) -> None:
    house.opt_in()
    house.record(3, close=False)
    [path] = house.spool.iterdir()
    path.write_bytes(b"x" * 500)
    house.revive()
    assert found(house) == [Kind.UNREADABLE]
    house.delivery.deliver()
    assert found(house) == [Kind.UNREADABLE]


def test_a_store_that_does_not_answer_is_a_finding_and_no_error(house: House) -> None:
    furnish(house)
    (house.folder / "archive" / "sealed-blobs-v1").unlink()
    findings = house.check().findings
    assert {one.kind for one in findings} == {Kind.CANNOT_TELL}
    assert StoreUnavailable.code in {one.detail for one in findings}


def test_something_in_the_store_that_is_no_blob_is_not_hidden(house: House) -> None:
    furnish(house)
    (house.folder / "archive" / "zz").mkdir(mode=0o700)
    (house.folder / "archive" / "zz" / ("z" * 22)).write_bytes(b"not ours")
    assert found(house) == [Kind.CANNOT_TELL]


def test_a_second_without_recorder_is_named_until_the_service_starts_again(house: House) -> None:
    house.opt_in()
    house.record(3, close=False)
    house.kill()
    house.join()
    house.clock.forward(timedelta(minutes=10))
    assert found(house) == [Kind.STUCK, Kind.UNACCOUNTED]
    house.revive()
    assert found(house) == []


def test_a_growing_segment_of_another_process_is_trusted_only_as_long_as_any_may_grow(house: House) -> None:
    house.opt_in()
    house.record(3, close=False)
    beside = Checker(house.db, house.keyring, house.store, house.spool, house.clock, timedelta(seconds=60))
    assert beside.check().is_clean
    house.clock.forward(timedelta(minutes=8))
    assert {one.kind for one in beside.check().findings} == {Kind.STUCK, Kind.UNACCOUNTED}


class _Moving(FolderStore):
    """A store that gets a file from the spool, as delivery does it, just before or just after it was asked for it."""

    before: Callable[[], object] | None = None
    after: Callable[[], object] | None = None

    def size(self, name: str) -> int | None:
        act, self.before = self.before, None
        if act is not None:
            act()
        found = super().size(name)
        act, self.after = self.after, None
        if act is not None:
            act()
        return found


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_segment_on_its_way_from_spool_to_store_is_not_even_suspected(house: House, moment: str) -> None:
    house.opt_in()
    house.record(3)
    moving = _Moving(house.folder / "archive")
    house.store = moving
    setattr(moving, moment, house.delivery.deliver)
    suspects: list[int] = []
    checker = house.checker(lambda part, done, of=0: suspects.append(done) if part == "second look" else None)
    assert checker.check().findings == []
    assert suspects == [0]
    assert [row.place for row in house.rows()] == ["store"]


def test_what_cannot_be_looked_at_again_is_a_finding_and_no_error(house: House) -> None:
    """Unknown is not clean: what looked wrong and then could not be looked at is no longer in order."""
    furnish(house)
    house.keyring.create_bucket_key()
    keys = house.folder / "keyring"

    def take_the_keyring(part: str, done: int, of: int = 0) -> None:
        if part == "second look":
            keys.rename(house.folder / "elsewhere")

    report = house.checker(take_the_keyring).check()
    assert [(one.kind, one.detail) for one in report.findings] == [(Kind.CANNOT_TELL, KeyringUnavailable.code)]


def test_a_file_that_was_missing_and_whose_store_is_then_away_stays_a_finding(house: House) -> None:
    _, stored, _ = furnish(house)
    blob_path(house, stored.blob_name).unlink()
    mark = house.folder / "archive" / "sealed-blobs-v1"
    report = house.checker(lambda part, _, of=0: mark.unlink() if part == "second look" else None).check()
    assert [(one.kind, one.segment_id) for one in report.findings] == [(Kind.CANNOT_TELL, stored.id)]


def test_an_erasure_in_the_middle_of_its_steps_is_accused_of_nothing(house: House) -> None:
    house.opt_in()
    house.keep_for(timedelta(seconds=60))
    house.record(3)
    house.clock.forward(timedelta(seconds=30))
    house.record(3)
    house.delivery.deliver()
    house.clock.forward(timedelta(seconds=32))
    seen: dict[str, list[Finding]] = {}
    house.progress = lambda step: seen.__setitem__(step.name, house.check().findings)
    house.new_eraser().sweep()
    assert len(seen) == 8
    # A new bucket key that no row knows yet is there for as long as one transaction takes.
    during = {name: [one.kind for one in found] for name, found in seen.items() if found}
    assert during == {"NEW_BUCKET_KEY_MADE": [Kind.STRANGER_KEY]}


def test_a_gap_ends_where_the_opt_in_ends(house: House) -> None:
    house.opt_in()
    house.record(3)
    house.clock.forward(timedelta(seconds=10))
    house.withdraw()
    withdrawn_us = micros(house.clock.now())
    house.clock.forward(timedelta(seconds=10))
    report = house.check()
    assert report.is_clean
    with house.db.reading() as session:
        found = gaps.touching(session, house.camera.camera_id, Span(0, 2**60))
    assert [gap.until_us for gap in found if gap.why == Why.CAMERA_LOST] == [withdrawn_us]


def test_keys_that_a_crash_left_behind_are_destroyed_at_the_start_if_nothing_can_be_under_them(house: House) -> None:
    furnish(house)
    unused = house.keyring.create_bucket_key()
    assert found(house) == [Kind.STRANGER_KEY]
    house.revive()
    assert unused not in house.keyring.bucket_keys()
    assert found(house) == []


def test_a_key_that_no_row_knows_stays_while_there_is_a_file_that_no_row_knows(house: House) -> None:
    """The database may be an older copy: then the key is not unused, its rows are lost."""
    furnish(house)
    unknown: BucketKeyId = house.keyring.create_bucket_key()
    house.store.put("A" * 22, io.BytesIO(b"whose is this"), 13)
    house.revive()
    assert unknown in house.keyring.bucket_keys()
    assert found(house) == sorted([Kind.STRANGER, Kind.STRANGER_KEY])

"""The check finds each kind of damage, names exactly that, and accuses nobody in a house that is in order."""

import io
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from archive.blobs.folder_store import FolderStore
from archive.check import Checker, Depth, Finding, Kind
from archive.check.rules import SECOND_US
from archive.errors import StoreUnavailable
from archive.recorder.rules import Why
from archive.recorder.standing import micros
from archive.segments import gaps
from archive.segments import store as segments
from archive.segments.rules import Segment, Span, State
from tests.given.footage import House
from vms_privacy.consent.rules import ConsentKind
from vms_privacy.ids import BucketKeyId


def _rows(house: House) -> list[Segment]:
    with house.db.reading() as session:
        return list(segments.every(session))


def _sql(house: House, statement: str, *values: object) -> None:
    """Change the database behind everybody's back, its own guards included."""
    with closing(sqlite3.connect(house.db.engine.url.database or "", isolation_level=None)) as connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(statement, values)


def _found(house: House, depth: Depth = Depth.SEALS) -> list[Kind]:
    return sorted({one.kind for one in house.check(depth).findings})


def _blob(house: House, name: str) -> Path:
    return house.folder / "archive" / name[:2] / name


def _furnish(house: House) -> tuple[Segment, Segment, Segment]:
    """One destroyed segment, one in the store, and one in the spool; then the camera is gone."""
    house.opt_in()
    house.keep_for(timedelta(seconds=60))
    house.record(3)
    house.clock.forward(timedelta(seconds=58))
    house.record(3)
    house.delivery.deliver()
    house.clock.forward(timedelta(seconds=2))
    house.eraser.sweep()
    house.record(3)
    erased, stored, spooled = _rows(house)
    assert (erased.state, stored.state, spooled.state) == (State.ERASED, State.STORED, State.STORED)
    return erased, stored, spooled


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


def test_totals_tell_what_was_looked_at(house: House) -> None:
    _furnish(house)
    totals = house.check().totals
    assert totals["cameras"] == 1
    assert (totals["segments_erased"], totals["segments_stored"]) == (1, 2)
    assert (totals["spool_files"], totals["blobs"]) == (1, 1)
    assert totals["bucket_keys"] == 1
    assert totals["destroyed_ms"] > 2900


def _lose_blob(house: House, _: Segment, stored: Segment, __: Segment) -> None:
    _blob(house, stored.blob_name).unlink()


def _lose_spooled(house: House, _: Segment, __: Segment, spooled: Segment) -> None:
    (house.spool / spooled.blob_name).unlink()


def _bring_back_blob(house: House, erased: Segment, _: Segment, __: Segment) -> None:
    house.store.put(erased.blob_name, io.BytesIO(b"back again"), 10)


def _bring_back_spooled(house: House, erased: Segment, _: Segment, __: Segment) -> None:
    (house.spool / erased.blob_name).write_bytes(b"back again")


def _strange_blob(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    house.store.put("A" * 22, io.BytesIO(b"whose is this"), 13)


def _strange_file(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    (house.spool / "who-wrote-this").write_bytes(b"x")


def _strange_empty_file(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    (house.spool / ("A" * 22)).write_bytes(b"")


def _forget_in_spool(house: House, _: Segment, stored: Segment, __: Segment) -> None:
    (house.spool / stored.blob_name).write_bytes(_blob(house, stored.blob_name).read_bytes())


def _cut_blob(house: House, _: Segment, stored: Segment, __: Segment) -> None:
    path = _blob(house, stored.blob_name)
    path.write_bytes(path.read_bytes()[:-1])


def _lengthen_spooled(house: House, _: Segment, __: Segment, spooled: Segment) -> None:
    with (house.spool / spooled.blob_name).open("ab") as file:
        file.write(b"more")


def _change_last_tag(house: House, _: Segment, stored: Segment, __: Segment) -> None:
    path = _blob(house, stored.blob_name)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def _change_salt(house: House, _: Segment, __: Segment, spooled: Segment) -> None:
    path = house.spool / spooled.blob_name
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(bytes(data))


def _change_magic(house: House, _: Segment, stored: Segment, __: Segment) -> None:
    path = _blob(house, stored.blob_name)
    path.write_bytes(b"x" + path.read_bytes()[1:])


def _lose_bucket_row(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    house.store.erase("A" * 22)
    _sql(house, "UPDATE segment SET bucket_key_id = ? WHERE state = 'stored'", uuid.UUID(int=5).hex)


def _lose_wrap(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    _sql(house, "UPDATE segment SET wrapped_key = NULL WHERE state = 'stored' AND place = 'store'")


def _lose_key(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    [key] = house.keyring.bucket_keys()
    house.keyring.destroy_bucket_key(key)


def _strange_key(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    house.keyring.create_bucket_key()


def _bring_back_key(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    _sql(house, "UPDATE archive_bucket SET bucket_key_id = ? WHERE destroyed_at IS NOT NULL", _key(house))


def _key(house: House) -> str:
    return house.keyring.create_bucket_key().hex


def _lose_gap(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    _sql(house, "DELETE FROM recording_gap WHERE until_us - from_us > 5000000")


def _lose_row(house: House, erased: Segment, _: Segment, __: Segment) -> None:
    _sql(house, "DELETE FROM segment WHERE id = ?", erased.id.hex)


def _overlap(house: House, _: Segment, __: Segment, spooled: Segment) -> None:
    _sql(house, "UPDATE segment SET starts_us = starts_us - 60000000 WHERE id = ?", spooled.id.hex)


def _record_without_opt_in(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    _sql(house, "UPDATE consent_entry SET answer = 'withdrawn'")
    _sql(house, "DELETE FROM recording_gap")


def _get_stuck(house: House, _: Segment, __: Segment, spooled: Segment) -> None:
    _sql(
        house,
        "UPDATE segment SET state = 'writing', ends_us = NULL, destroy_from_us = NULL WHERE id = ?",
        spooled.id.hex,
    )


def _forget_evidence(house: House, erased: Segment, _: Segment, __: Segment) -> None:
    _sql(house, "UPDATE segment SET bytes_gone_at = NULL WHERE id = ?", erased.id.hex)


def _leave_key_undestroyed(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    _sql(
        house,
        "UPDATE archive_bucket SET replaced_at = '2029-01-01 00:00:00.000000' WHERE destroyed_at IS NULL",
    )


@pytest.mark.parametrize(
    ("damage", "kinds"),
    [
        (_lose_blob, [Kind.LOST]),
        (_lose_spooled, [Kind.LOST]),
        (_bring_back_blob, [Kind.UNDEAD]),
        (_bring_back_spooled, [Kind.UNDEAD]),
        (_strange_blob, [Kind.STRANGER]),
        (_strange_file, [Kind.STRANGER]),
        (_strange_empty_file, [Kind.STRANGER]),
        (_forget_in_spool, [Kind.LEFT_BEHIND]),
        (_cut_blob, [Kind.WRONG_SIZE]),
        (_lengthen_spooled, [Kind.WRONG_SIZE]),
        (_change_last_tag, [Kind.WRONG_SEAL]),
        (_change_salt, [Kind.WRONG_SEAL]),
        (_change_magic, [Kind.WRONG_SEAL]),
        (_lose_bucket_row, [Kind.KEYLESS]),
        (_lose_wrap, [Kind.KEYLESS]),
        (_lose_key, [Kind.LOST_KEY]),
        (_strange_key, [Kind.STRANGER_KEY]),
        (_bring_back_key, [Kind.UNDEAD_KEY]),
        (_lose_gap, [Kind.UNACCOUNTED]),
        (_lose_row, [Kind.UNACCOUNTED]),
        (_overlap, [Kind.OVERLAPPING]),
        (_record_without_opt_in, [Kind.WITHOUT_OPT_IN]),
        (_get_stuck, [Kind.STUCK, Kind.UNACCOUNTED]),
        (_forget_evidence, [Kind.UNPROVEN]),
        (_leave_key_undestroyed, [Kind.OVERDUE]),
    ],
)
def test_each_kind_of_damage_is_found_and_nothing_else(
    house: House, damage: Callable[[House, Segment, Segment, Segment], None], kinds: list[Kind]
) -> None:
    rows = _furnish(house)
    house.clock.forward(timedelta(seconds=8))
    assert _found(house) == []
    damage(house, *rows)
    assert _found(house) == kinds


def test_what_only_the_seal_tells_is_not_seen_by_size_alone(house: House) -> None:
    rows = _furnish(house)
    _change_last_tag(house, *rows)
    assert _found(house, Depth.PRESENCE) == []
    assert _found(house, Depth.SEALS) == [Kind.WRONG_SEAL]


def test_a_finding_names_the_segment_and_the_stretch_it_is_about(house: House) -> None:
    erased, stored, spooled = _furnish(house)
    _lose_blob(house, erased, stored, spooled)
    [finding] = house.check().findings
    assert (finding.segment_id, finding.camera_id, finding.name) == (stored.id, stored.camera_id, stored.blob_name)
    assert str(stored.id) in str(finding)
    _sql(house, "DELETE FROM segment WHERE id = ?", stored.id.hex)
    [lost] = [one for one in house.check().findings if one.kind is Kind.UNACCOUNTED]
    assert lost.span is not None
    assert abs(lost.span.from_us - stored.starts_us) < SECOND_US


def test_less_than_a_second_beside_a_segment_is_tolerated_and_counted(house: House) -> None:
    _, stored, _ = _furnish(house)
    house.clock.forward(timedelta(seconds=8))
    _sql(house, "UPDATE segment SET starts_us = starts_us + 89000 WHERE id = ?", stored.id.hex)
    report = house.check()
    assert report.is_clean
    assert (report.totals["unaccounted_ms"], report.totals["tolerated_ms"]) == (89, 89)
    _sql(house, "DELETE FROM segment WHERE id = ?", stored.id.hex)
    report = house.check()
    assert (report.is_clean, report.totals["tolerated_ms"]) == (False, 0)
    assert report.totals["unaccounted_ms"] > 1000


def test_what_is_overdue_is_named_once_a_sweep_should_have_taken_it(house: House) -> None:
    house.opt_in()
    house.keep_for(timedelta(seconds=60))
    house.record(3)
    house.delivery.deliver()
    house.clock.forward(timedelta(seconds=60 + 4))
    assert _found(house) == []
    house.clock.forward(timedelta(minutes=4))
    assert _found(house) == [Kind.OVERDUE]
    house.eraser.sweep()
    assert _found(house) == []


def test_a_file_that_recovery_could_not_open_stays_named(house: House) -> None:
    house.opt_in()
    house.record(3, close=False)
    [path] = house.spool.iterdir()
    path.write_bytes(b"x" * 500)
    house.revive()
    assert _found(house) == [Kind.UNREADABLE]
    house.delivery.deliver()
    assert _found(house) == [Kind.UNREADABLE]


def test_a_store_that_does_not_answer_is_a_finding_and_no_error(house: House) -> None:
    _furnish(house)
    (house.folder / "archive" / "sealed-blobs-v1").unlink()
    findings = house.check().findings
    assert {one.kind for one in findings} == {Kind.CANNOT_TELL}
    assert StoreUnavailable.code in {one.detail for one in findings}


def test_something_in_the_store_that_is_no_blob_is_not_hidden(house: House) -> None:
    _furnish(house)
    (house.folder / "archive" / "zz").mkdir(mode=0o700)
    (house.folder / "archive" / "zz" / ("z" * 22)).write_bytes(b"not ours")
    assert _found(house) == [Kind.CANNOT_TELL]


def test_a_second_without_recorder_is_named_until_the_service_starts_again(house: House) -> None:
    house.opt_in()
    house.record(3, close=False)
    house.kill()
    house.join()
    house.clock.forward(timedelta(minutes=10))
    assert _found(house) == [Kind.STUCK, Kind.UNACCOUNTED]
    house.revive()
    assert _found(house) == []


def test_a_growing_segment_of_another_process_is_trusted_only_as_long_as_any_may_grow(house: House) -> None:
    house.opt_in()
    house.record(3, close=False)
    beside = Checker(house.db, house.keyring, house.store, house.spool, house.clock, timedelta(seconds=60))
    assert beside.check().is_clean
    house.clock.forward(timedelta(minutes=8))
    assert {one.kind for one in beside.check().findings} == {Kind.STUCK, Kind.UNACCOUNTED}


class _Moving(FolderStore):
    """A store that gets a file from the spool, as delivery does it, just after it was asked for it."""

    deliver: Callable[[], object] | None = None

    def size(self, name: str) -> int | None:
        found = super().size(name)
        act, self.deliver = self.deliver, None
        if act is not None:
            act()
        return found


def test_a_segment_on_its_way_from_spool_to_store_is_accused_of_nothing(house: House) -> None:
    house.opt_in()
    house.record(3)
    moving = _Moving(house.folder / "archive")
    house.store = moving
    moving.deliver = house.delivery.deliver
    assert house.checker().check().findings == []
    assert [row.place for row in _rows(house)] == ["store"]


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
    _furnish(house)
    unused = house.keyring.create_bucket_key()
    assert _found(house) == [Kind.STRANGER_KEY]
    house.revive()
    assert unused not in house.keyring.bucket_keys()
    assert _found(house) == []


def test_a_key_that_no_row_knows_stays_while_there_is_a_file_that_no_row_knows(house: House) -> None:
    """The database may be an older copy: then the key is not unused, its rows are lost."""
    _furnish(house)
    unknown: BucketKeyId = house.keyring.create_bucket_key()
    house.store.put("A" * 22, io.BytesIO(b"whose is this"), 13)
    house.revive()
    assert unknown in house.keyring.bucket_keys()
    assert _found(house) == sorted([Kind.STRANGER, Kind.STRANGER_KEY])

"""What the service does at its start about keys that are there and should not be. docs/design/archive-lifecycle.md."""

import io
import json
import shutil
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from archive.check import Kind
from archive.erasure.unused_keys import destroy_unused_keys
from archive.keys import store as buckets
from archive.keys.rules import permit_from
from archive.keys.service import BucketKeys
from archive.recorder.rows import CameraRows
from archive.recorder.rules import Why
from archive.segments import store as segments
from archive.segments.rules import State
from archive.segments.store import Sealed
from auth.principal import Right
from auth.tokens.rules import Purpose
from tests.given.failing_db import FailingDatabase
from tests.given.footage import House
from tests.given.rows import every
from vms_privacy.audit.events import Tag
from vms_privacy.audit.tables import EventRow
from vms_privacy.ids import BucketKeyId, SegmentId
from vms_privacy.journal.rules import JournalKind, bucket_keys_in
from vms_privacy.keyring.file_keyring import FileKeyring
from vms_privacy.keyring.port import KeyIsDestroyed


def _sealed(house: House) -> Sealed:
    with house.db.reading() as session:
        [one] = [segments.by_id(session, house.camera.camera_id, segment.id) for segment in every(session)]
    assert one is not None
    return one


def _audited(house: House) -> list[dict[str, object]]:
    with house.db.reading() as session:
        told = session.scalars(select(EventRow.detail).where(EventRow.tag == Tag.KEY_DESTROYED))
        return [json.loads(detail) for detail in told]


def test_a_key_that_comes_back_with_an_older_keyring_is_destroyed_again_and_opens_nothing(house: House) -> None:
    """P5: the whole folder of keys is the one from before the destruction, its root included."""
    house.opt_in()
    house.keep_for(timedelta(seconds=10))
    house.record(2)
    wrapped = _sealed(house).wrapped_place()
    folder, older = house.folder / "keyring", house.folder / "older"
    shutil.copytree(folder, older)
    [key] = house.keyring.bucket_keys()
    house.clock.forward(timedelta(seconds=60))
    assert house.eraser.sweep().is_clean
    assert house.keyring.bucket_keys() == frozenset()
    shutil.rmtree(folder)
    older.rename(folder)
    house.keyring = FileKeyring(folder, house.clock, house.randomness)
    assert house.keyring.bucket_keys() == {key}
    before = house.journal.head.number
    report = house.revive()
    assert report.keys.destroyed == {key}
    assert house.keyring.bucket_keys() == frozenset()
    with pytest.raises(KeyIsDestroyed):
        house.keys.unwrap(permit_from(house.granted(Right.ARCHIVE), Purpose.ARCHIVE_VIEW), wrapped)
    told = [entry for entry in house.journal.entries() if entry.number > before]
    assert [(one.kind, bucket_keys_in(one.facts)) for one in told] == [(JournalKind.KEY_DESTROYED, [key])]
    assert _audited(house) == [{"unused": 0, "returned": 1}]
    assert house.check().is_clean


def test_the_key_of_a_beginning_that_a_crash_cut_off_is_gone_after_the_start(house: House) -> None:
    house.opt_in()
    house.record(2)
    living = house.keyring.bucket_keys()
    unused = house.keyring.create_bucket_key()
    (house.spool / ("A" * 22)).touch()
    report = house.revive()
    assert report.recovered.stray_files == 1
    assert report.keys.destroyed == {unused}
    assert house.keyring.bucket_keys() == living
    assert house.check().is_clean


class _Killed(BaseException):
    """The process ends here: nothing that comes after is executed, nothing is cleaned up."""


class _DyingKeys(BucketKeys):
    """The process ends once the keyring has destroyed one."""

    def destroy(self, old: Collection[BucketKeyId], destroyed: Iterable[SegmentId]) -> frozenset[BucketKeyId]:
        super().destroy(old, destroyed)
        raise _Killed


def _begin_and_write_nothing(house: House) -> BucketKeyId:
    """A row, its file and its bucket key, and a crash before the first byte; return the key."""
    house.opt_in()
    stream, fed = house.stream(2)
    house.clock.forward(timedelta(seconds=2))
    rows = CameraRows(house.tools, house.operator_id, house.camera.camera_id)
    rows.begin(fed[0], "run", stream.epoch(1), None, Why.NOT_RUNNING).file.abandon()
    [key] = house.keyring.bucket_keys()
    return key


def test_a_key_under_which_nothing_was_ever_written_is_gone_with_the_first_start_after_its_hour(house: House) -> None:
    key = _begin_and_write_nothing(house)
    report = house.revive()
    assert (len(report.recovered.empty), report.keys.destroyed) == (1, frozenset())
    assert house.keyring.bucket_keys() == {key}, "new segments of this hour go under it"
    house.clock.forward(timedelta(hours=1))
    before = house.journal.head.number
    assert house.revive().keys.destroyed == {key}
    assert house.keyring.bucket_keys() == frozenset()
    told = [entry for entry in house.journal.entries() if entry.number > before]
    assert [(one.kind, bucket_keys_in(one.facts)) for one in told] == [(JournalKind.KEY_DESTROYED, [key])]
    assert _audited(house) == [{"unused": 1, "returned": 0}]
    assert house.revive().keys.destroyed == frozenset()
    assert house.check().is_clean


def test_a_key_of_an_hour_without_a_segment_is_named_until_the_next_start_destroys_it(house: House) -> None:
    _begin_and_write_nothing(house)
    house.revive()
    house.clock.forward(timedelta(hours=1, minutes=1))
    assert house.check().is_clean
    house.clock.forward(timedelta(hours=2))
    assert [one.kind for one in house.check().findings] == [Kind.OVERDUE]
    house.revive()
    assert house.check().is_clean


@pytest.mark.parametrize("last", ["marked", "destroyed"])
def test_a_start_killed_between_two_steps_of_destroying_an_unused_key_is_finished_by_the_next(
    house: House, failing_db: FailingDatabase, last: str
) -> None:
    key = _begin_and_write_nothing(house)
    house.revive()
    house.clock.forward(timedelta(hours=1))
    if last == "marked":
        failing_db.after_commit = _Killed()
    keys = (_DyingKeys if last == "destroyed" else BucketKeys)(house.keyring, house.keys, house.clock)
    with pytest.raises(_Killed):
        destroy_unused_keys(house.db, keys, house.store, house.spool, house.journal, house.audit, house.clock)
    assert house.revive().keys.destroyed == {key}
    assert house.keyring.bucket_keys() == frozenset()
    with house.db.reading() as session:
        assert buckets.living(session) == frozenset()


def test_a_key_without_a_segment_stays_while_there_is_a_file_that_no_row_knows(house: House) -> None:
    """The database may be an older copy: then what lies under the key is not nothing, its rows are lost."""
    key = _begin_and_write_nothing(house)
    house.revive()
    house.store.put("A" * 22, io.BytesIO(b"whose is this"), 13)
    house.clock.forward(timedelta(hours=1))
    report = house.revive()
    assert report.keys.destroyed == frozenset()
    assert report.keys.left == {key}
    assert house.keyring.bucket_keys() == {key}


def test_a_start_asks_about_the_names_that_are_there_and_reads_no_row_of_what_was_there_once(house: House) -> None:
    house.opt_in()
    house.keep_for(timedelta(seconds=10))
    house.record(2)
    house.clock.forward(timedelta(seconds=60))
    assert house.eraser.sweep().is_clean
    house.record(2)
    stray = house.spool / ("A" * 22)
    stray.touch()
    house.keyring.create_bucket_key()
    asked: list[str] = []

    def see(_: object, __: object, statement: str, values: Any, *___: object) -> None:
        if statement.startswith("SELECT segment.blob_name"):
            asked.extend(values.values() if isinstance(values, dict) else values)

    event.listen(house.db.engine, "before_cursor_execute", see)
    report = house.revive()
    event.remove(house.db.engine, "before_cursor_execute", see)
    assert (report.recovered.stray_files, len(report.keys.destroyed)) == (1, 1)
    erased, kept = house.rows()
    assert erased.state is State.ERASED
    assert asked == [stray.name, kept.blob_name]

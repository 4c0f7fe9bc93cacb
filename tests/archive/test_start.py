"""What the service does at its start about keys that are there and should not be. docs/design/archive-lifecycle.md."""

import json
import shutil
from datetime import timedelta

import pytest
from sqlalchemy import select

from archive.keys.rules import permit_from
from archive.segments import store as segments
from archive.segments.store import Sealed
from auth.principal import Right
from auth.tokens.rules import Purpose
from tests.given.footage import House
from vms_privacy.audit.events import Tag
from vms_privacy.audit.tables import EventRow
from vms_privacy.journal.rules import JournalKind
from vms_privacy.keyring.file_keyring import FileKeyring
from vms_privacy.keyring.port import KeyIsDestroyed


def _sealed(house: House) -> Sealed:
    with house.db.reading() as session:
        [one] = [segments.by_id(session, house.camera.camera_id, segment.id) for segment in segments.every(session)]
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
    assert [(one.kind, one.facts["bucket_key"]) for one in told] == [(JournalKind.KEY_DESTROYED, str(key))]
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

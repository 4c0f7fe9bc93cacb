"""What a check mends loses nothing, is told and audited, and is in order afterwards; all else stays as it is."""

import io
import os
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import select

from archive.blobs.folder_store import FolderStore
from archive.blobs.quarantine import spool_quarantine
from archive.blobs.rules import name_of
from archive.check import Finding, Kind
from archive.check.mending import SETTLED, How, MendReport
from archive.errors import StoreUnavailable
from archive.segments import ahead
from archive.segments.rules import Place, Segment
from tests.archive.test_check_damage import DAMAGES, Damage
from tests.given.checked import blob_path, change_behind_the_back, found, furnish
from tests.given.footage import House
from tests.given.tampering import NotTaken
from vms_privacy.audit.events import Tag
from vms_privacy.audit.tables import EventRow

WHO = b"whose is this"


def _age(house: House, path: Path, age: timedelta = timedelta(hours=1)) -> None:
    """Let a file be of an age by the house's clock."""
    at = (house.clock.now() - age).timestamp()
    os.utime(path, (at, at))


def _mend(house: House, *, beside_a_service: bool = True) -> MendReport:
    return house.mend(house.check().findings, beside_a_service=beside_a_service)


def _told(report: MendReport) -> list[tuple[Kind, How]]:
    return [(one.finding.kind, one.how) for one in report.mended]


def _audited(house: House) -> list[tuple[int, str]]:
    with house.db.reading() as session:
        rows = session.execute(select(EventRow.tag, EventRow.detail).order_by(EventRow.number))
        return [(tag, str(detail)) for tag, detail in rows if tag in {Tag.CHECK_MENDED, Tag.QUARANTINED}]


def _quarantine(house: House) -> dict[str, bytes]:
    """Everything in quarantine, by name."""
    folders = (spool_quarantine(house.spool), house.folder / "archive" / "quarantine")
    return {path.name: path.read_bytes() for folder in folders if folder.exists() for path in folder.iterdir()}


def _every_byte(house: House) -> Counter[str]:
    """Digests of all files there are, wherever they lie, empty ones aside."""
    folders = (house.spool, spool_quarantine(house.spool), house.folder / "archive")
    files = [path for folder in folders if folder.exists() for path in folder.rglob("*") if path.is_file()]
    return Counter(sha256(data).hexdigest() for path in files if (data := path.read_bytes()))


def test_a_copy_that_was_left_behind_is_removed_once_the_store_has_the_same_bytes(house: House) -> None:
    _, stored, _ = furnish(house)
    shown = house.shown()
    copy = house.spool / stored.blob_name
    copy.write_bytes(blob_path(house, stored.blob_name).read_bytes())
    assert _told(_mend(house)) == [(Kind.LEFT_BEHIND, How.REMOVED_COPY)]
    assert not copy.exists()
    assert found(house) == []
    assert house.shown() == shown
    [(tag, detail)] = _audited(house)
    assert tag == Tag.CHECK_MENDED
    assert stored.blob_name in detail


@pytest.mark.parametrize("damaged", ["spool", "store"])
def test_a_copy_that_differs_in_a_byte_is_left(house: House, damaged: str) -> None:
    """One of the two may be the only good one: head and seal tell nothing of the middle."""
    _, stored, _ = furnish(house)
    copy, blob = house.spool / stored.blob_name, blob_path(house, stored.blob_name)
    copy.write_bytes(blob.read_bytes())
    one = copy if damaged == "spool" else blob
    data = bytearray(one.read_bytes())
    data[len(data) // 2] ^= 1
    one.write_bytes(bytes(data))
    report = _mend(house)
    assert ([one.kind for one in report.left], report.mended) == ([Kind.LEFT_BEHIND], [])
    assert copy.exists()


def test_a_file_that_is_in_the_store_although_its_row_says_spool_is_noted_there(house: House) -> None:
    _, stored, _ = furnish(house)
    change_behind_the_back(house, "UPDATE segment SET place = 'spool' WHERE id = ?", stored.id.hex)
    assert stored.id in house.delivery.deliver().failed, "nobody delivers it a second time"
    assert _told(_mend(house)) == [(Kind.MISPLACED, How.NOTED_PLACE)]
    assert found(house) == []
    assert house.delivery.deliver().is_clean


def test_a_file_that_is_in_the_spool_although_its_row_says_store_is_noted_there_and_delivered(house: House) -> None:
    _, _, spooled = furnish(house)
    change_behind_the_back(house, "UPDATE segment SET place = 'store' WHERE id = ?", spooled.id.hex)
    assert _told(_mend(house)) == [(Kind.MISPLACED, How.NOTED_PLACE)]
    assert found(house) == []
    assert spooled.id in house.delivery.deliver().moved
    assert found(house) == []
    assert [row.place for row in house.rows()][-1] is Place.STORE


def test_a_misplaced_file_under_another_seal_is_not_taken_for_its_segments(house: House) -> None:
    _, _, spooled = furnish(house)
    path = house.spool / spooled.blob_name
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    change_behind_the_back(house, "UPDATE segment SET place = 'store' WHERE id = ?", spooled.id.hex)
    report = _mend(house)
    assert ([one.kind for one in report.left], report.mended) == ([Kind.MISPLACED], [])


def test_a_spool_file_that_nobody_knows_is_moved_whole_and_told(house: House) -> None:
    furnish(house)
    stranger = house.spool / "who-wrote-this"
    stranger.write_bytes(WHO)
    _age(house, stranger)
    assert _told(_mend(house)) == [(Kind.STRANGER, How.QUARANTINED)]
    assert _quarantine(house) == {"who-wrote-this": WHO}
    report = house.check()
    assert report.is_clean
    assert (report.totals["quarantined"], report.totals["quarantined_bytes"]) == (1, len(WHO))
    [(tag, detail)] = _audited(house)
    assert tag == Tag.QUARANTINED
    assert "who-wrote-this" not in detail, "a name that somebody chose may say anything"


def test_a_blob_that_nobody_knows_is_moved_whole_and_told(house: House) -> None:
    furnish(house)
    name = name_of(bytes(16))
    house.store.put(name, io.BytesIO(WHO), len(WHO))
    assert _told(_mend(house)) == [(Kind.STRANGER, How.QUARANTINED)]
    assert _quarantine(house) == {name: WHO}
    assert house.check().is_clean
    [(_, detail)] = _audited(house)
    assert name in detail
    assert _mend(house).mended == []


def test_an_empty_spool_file_that_nobody_knows_is_removed(house: House) -> None:
    furnish(house)
    stranger = house.spool / name_of(bytes(16))
    stranger.touch()
    _age(house, stranger)
    assert _told(_mend(house)) == [(Kind.STRANGER, How.REMOVED_EMPTY)]
    assert not stranger.exists()
    assert house.check().is_clean
    assert len(_audited(house)) == 1


@pytest.mark.parametrize("data", [b"", WHO])
def test_a_spool_file_that_was_just_touched_may_be_somebodys_at_work(house: House, data: bytes) -> None:
    furnish(house)
    stranger = house.spool / name_of(bytes(16))
    stranger.write_bytes(data)
    _age(house, stranger, SETTLED - timedelta(seconds=1))
    report = _mend(house)
    assert ([one.kind for one in report.left], report.mended) == ([Kind.STRANGER], [])
    assert stranger.exists()
    house.clock.forward(timedelta(seconds=2))
    assert len(_mend(house).mended) == 1


def test_whatever_has_a_strangers_name_is_moved_and_not_followed(house: House, tmp_path: Path) -> None:
    furnish(house)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(WHO)
    folder, link = house.spool / "folder", house.spool / "link"
    folder.mkdir()
    (folder / "inside").write_bytes(WHO)
    link.symlink_to(elsewhere)
    _age(house, folder)
    at = (house.clock.now() - timedelta(hours=1)).timestamp()
    os.utime(link, (at, at), follow_symlinks=False)
    assert _told(_mend(house)) == [(Kind.STRANGER, How.QUARANTINED)] * 2
    moved = spool_quarantine(house.spool)
    assert (moved / "folder" / "inside").read_bytes() == WHO
    assert (moved / "link").is_symlink()
    assert elsewhere.read_bytes() == WHO


def test_what_has_a_row_by_now_is_no_stranger_any_more(house: House) -> None:
    _, stored, spooled = furnish(house)
    _age(house, house.spool / spooled.blob_name)
    findings = [
        Finding(Kind.STRANGER, name=stored.blob_name, place=Place.STORE),
        Finding(Kind.STRANGER, name=spooled.blob_name, place=Place.SPOOL),
    ]
    report = house.mend(findings)
    assert (report.mended, report.left) == ([], findings)
    assert house.check().is_clean


def test_an_unused_key_is_destroyed_while_no_service_runs(house: House) -> None:
    furnish(house)
    unused = house.keyring.create_bucket_key()
    report = _mend(house, beside_a_service=True)
    assert ([one.kind for one in report.left], report.mended) == ([Kind.STRANGER_KEY], [])
    assert unused in house.keyring.bucket_keys()
    assert _told(_mend(house, beside_a_service=False)) == [(Kind.STRANGER_KEY, How.DESTROYED_KEY)]
    assert unused not in house.keyring.bucket_keys()
    assert found(house) == []


def test_no_key_is_destroyed_while_anything_is_in_quarantine(house: House) -> None:
    """The rows may be lost: then the key without a row opens the blob without a row, and both come back with it."""
    _, stored, _ = furnish(house)
    [row] = _row_of(house, stored)
    with house.db.reading() as session:
        shown = len(house.shown())
        assert session is not None
    change_behind_the_back(house, "DELETE FROM segment WHERE id = ?", stored.id.hex)
    unused = house.keyring.create_bucket_key()
    report = _mend(house, beside_a_service=False)
    assert (Kind.STRANGER, How.QUARANTINED) in _told(report)
    assert Kind.STRANGER_KEY in {one.kind for one in report.left}
    house.revive()
    assert unused in house.keyring.bucket_keys(), "nor does the next start destroy it"
    held = house.folder / "archive" / "quarantine" / stored.blob_name
    held.rename(blob_path(house, stored.blob_name))
    columns = ", ".join(row)
    marks = ", ".join("?" for _ in row)
    change_behind_the_back(house, f"INSERT INTO segment ({columns}) VALUES ({marks})", *row.values())
    assert len(house.shown()) == shown
    assert [one.kind for one in house.check().findings] == [Kind.STRANGER_KEY], "and the sums are right again"


def _row_of(house: House, segment: Segment) -> Sequence[dict[str, object]]:
    with house.db.engine.connect() as connection:
        wanted = segment.id.hex if house.db.engine.dialect.name == "sqlite" else segment.id
        marks = "?" if house.db.engine.dialect.name == "sqlite" else "%s"
        rows = connection.exec_driver_sql(f"SELECT * FROM segment WHERE id = {marks}", (wanted,))
        return [dict(one._mapping) for one in rows]


@pytest.mark.parametrize(("damage", "kinds"), DAMAGES)
def test_whatever_was_damaged_mending_loses_no_byte_and_a_second_time_changes_nothing(
    house: House, damage: Damage, kinds: list[Kind]
) -> None:
    rows = furnish(house)
    house.clock.forward(timedelta(seconds=8))
    try:
        damage(house, *rows)
    except NotTaken:
        pytest.skip("PostgreSQL takes no such row from anybody")
    for path in house.spool.iterdir():
        _age(house, path)
    before, keys = _every_byte(house), house.keyring.bucket_keys()
    report = _mend(house)
    # A copy may go where its like stays; no content is gone.
    assert set(_every_byte(house)) == set(before)
    assert house.keyring.bucket_keys() == keys
    assert len(report.mended) == len(_audited(house))
    assert sorted({one.kind for one in report.left}) == found(house)
    assert set(kinds) == {one.kind for one in report.left} | {one.finding.kind for one in report.mended}
    assert set(kinds) & _NEVER_MENDED == {one.kind for one in report.left} & _NEVER_MENDED
    again = _mend(house)
    assert (again.mended, _every_byte(house)) == ([], _every_byte(house))


_NEVER_MENDED = set(Kind) - {
    Kind.STRANGER,
    Kind.LEFT_BEHIND,
    Kind.MISPLACED,
    Kind.STRANGER_KEY,
    Kind.OVERDUE,
    Kind.WRONG_SUM,
}


def test_sums_are_made_anew_from_the_rows_and_the_audit_has_what_they_said(house: House) -> None:
    furnish(house)
    change_behind_the_back(house, "UPDATE footage_day SET segments = segments + 5")
    [wrong] = house.check().findings
    assert _told(_mend(house)) == [(Kind.WRONG_SUM, How.RECOUNTED)]
    [(tag, detail)] = _audited(house)
    assert (tag, wrong.detail in detail, "7 segments" in wrong.detail) == (Tag.CHECK_MENDED, True, True)
    assert found(house) == []


def test_sums_that_tell_of_a_row_that_is_gone_are_left_as_evidence(house: House) -> None:
    _, stored, _ = furnish(house)
    house.clock.forward(timedelta(seconds=8))
    change_behind_the_back(house, "DELETE FROM segment WHERE id = ?", stored.id.hex)
    report = _mend(house)
    assert Kind.WRONG_SUM in {one.kind for one in report.left}
    assert How.RECOUNTED not in {one.how for one in report.mended}


def test_a_recorder_at_work_and_its_delivery_are_not_disturbed(house: House) -> None:
    house.opt_in()
    house.record(2)
    house.record(2, close=False)
    for path in house.spool.iterdir():
        _age(house, path)
    strange = [Finding(Kind.STRANGER, name=path.name, place=Place.SPOOL) for path in house.spool.iterdir()]
    assert house.mend(strange).mended == []
    assert _mend(house).mended == []
    house.close()
    assert house.delivery.deliver().is_clean
    assert found(house) == []


class _Away(FolderStore):
    def quarantine(self, name: str) -> bool:
        raise StoreUnavailable("the store does not answer")


def test_what_cannot_be_mended_now_is_left_with_its_reason_and_keeps_nothing_else_from_it(house: House) -> None:
    furnish(house)
    house.store.put(name_of(bytes(16)), io.BytesIO(WHO), len(WHO))
    stranger = house.spool / "who-wrote-this"
    stranger.write_bytes(WHO)
    _age(house, stranger)
    house.store = _Away(house.folder / "archive")
    report = _mend(house)
    assert _told(report) == [(Kind.STRANGER, How.QUARANTINED)]
    [left] = report.left
    assert "store-unavailable" in str(left)


def test_a_file_that_is_gone_by_now_is_left_to_the_next_check(house: House) -> None:
    furnish(house)
    report = house.mend([Finding(Kind.STRANGER, name="gone", place=Place.SPOOL)])
    assert "FileNotFoundError" in str(report.left[0])


def test_a_file_that_began_while_the_database_was_away_is_no_stranger(house: House) -> None:
    """Its row is among what is registered ahead: it is neither found nor moved, whatever a finding says."""
    house.opt_in()
    house.record(2, close=False)
    with house.db.reading() as session:
        [one] = ahead.every(session)
    path = house.spool / one.blob_name
    path.write_bytes(b"the head of a file that has begun")
    _age(house, path)
    assert not [each for each in house.check().findings if each.name == one.blob_name]
    accused = Finding(Kind.STRANGER, name=one.blob_name, place=Place.SPOOL)
    assert house.mend([accused]).mended == []
    assert path.exists()

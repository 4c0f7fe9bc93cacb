"""A sample of every erasure is tried with all there is, and a part that lies about destroying is found out."""

from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import pytest

from archive.blobs.folder_store import FolderStore
from archive.blobs.store import EraseReport
from archive.erasure import store as erasures
from archive.erasure.verifier import SAMPLE, choose
from archive.segments.rules import State
from tests.given.footage import House
from tests.given.randomness import CountedRandomness
from tests.given.tampering import tamper
from vms_privacy.ids import BucketKeyId, SegmentId
from vms_privacy.keyring.file_keyring import FileKeyring

_MINUTE = timedelta(minutes=1)


class _HoardingKeyring(FileKeyring):
    """Says that a key is destroyed, and keeps it."""

    def destroy_bucket_keys(self, bucket_keys: Collection[BucketKeyId]) -> frozenset[BucketKeyId]:
        return self.bucket_keys().intersection(bucket_keys)


class _HoardingStore(FolderStore):
    """Says that bytes are gone, and keeps them."""

    def erase_many(self, names: object) -> EraseReport:
        report = EraseReport()
        report.gone.update(dict.fromkeys(names, True))  # type: ignore[call-overload]
        return report


def _expired(house: House) -> None:
    house.record_in_turn(1)
    house.clock.forward(timedelta(minutes=3))


def _verified(house: House) -> list[int]:
    return [int(row[0]) for row in tamper(house.db, "SELECT verified FROM erasure ORDER BY started_at, id")]


def test_what_is_destroyed_is_shown_to_be_gone_and_counted(house: House) -> None:
    _expired(house)
    assert house.eraser.sweep().is_clean
    assert _verified(house) == [1]


def test_a_keyring_that_keeps_a_copy_is_found_out_and_nothing_is_said_to_be_gone(house: House, tmp_path: Path) -> None:
    _expired(house)
    honest = house.keyring
    house.keyring = _HoardingKeyring(tmp_path / "keyring", house.clock, house.randomness)
    house.kill()
    house.join()
    report = house.eraser.sweep()
    assert list(report.failed.values()) == ["destroyed-still-opens"]
    assert [row.state for row in house.rows()] == [State.ERASING]
    house.clock.forward(_MINUTE)
    assert house.eraser.debt(_MINUTE).reason == "destroyed-still-opens"
    # A keyring that tells the truth comes too late: what was seen to open is looked into by a person.
    house.keyring = honest
    house.kill()
    house.join()
    assert list(house.eraser.sweep().failed.values()) == ["destroyed-still-opens"]
    assert _verified(house) == [erasures.FOUND_OPEN]
    with house.db.reading() as session:
        assert house.receipts.waiting(session) == []


def test_a_store_that_keeps_the_bytes_is_found_out(house: House, tmp_path: Path) -> None:
    _expired(house)
    house.store = _HoardingStore(tmp_path / "archive")
    house.kill()
    house.join()
    assert list(house.eraser.sweep().failed.values()) == ["destroyed-still-opens"]
    assert [row.state for row in house.rows()] == [State.ERASING]


def test_what_did_not_open_before_proves_nothing_and_is_not_counted(house: House) -> None:
    _expired(house)
    name = house.rows()[0].blob_name
    path = next(one for one in (house.folder / "archive").rglob(name))
    octets = bytearray(path.read_bytes())
    octets[60] ^= 1
    path.write_bytes(octets)
    assert house.eraser.sweep().is_clean
    assert _verified(house) == [0]
    assert [row.state for row in house.rows()] == [State.ERASED]


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_a_sample_is_some_of_them_each_once(count: int) -> None:
    randomness = CountedRandomness("sample")
    ids = [SegmentId(randomness.uuid()) for _ in range(count)]
    chosen = choose(randomness, ids)
    assert len(chosen) == len(set(chosen)) == min(count, SAMPLE)
    assert set(chosen) <= set(ids)

"""What a receipt promises about older copies is kept by the rotation of the root, also if its rounds come late."""

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from archive.keys import store as buckets
from archive.receipts import store
from archive.receipts.service import ReceiptService
from tests.given.clock import HandClock
from tests.given.footage import House
from tests.given.pages import page_with
from tests.given.rows import every
from vms_privacy.ids import BucketKeyId, SystemRandomness
from vms_privacy.keyring.file_keyring import FileKeyring
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyringUnavailable
from vms_privacy.keyring.rules import ROOT_HEAD_START, ROOT_LIFE
from vms_privacy.root_care import RootCare

_KEEP = timedelta(seconds=60)
_LATE = ROOT_HEAD_START - timedelta(minutes=1)


def _destroy_one(house: House) -> tuple[BucketKeyId, Path]:
    """Record and destroy; return the bucket key that died, and a copy of the key files from when it lived."""
    house.opt_in()
    house.keep_for(_KEEP)
    house.record(3)
    house.delivery.deliver()
    with house.db.reading() as session:
        (segment,) = every(session)
        (bucket,) = [key for key in house.keyring.bucket_keys() if buckets.by_id(session, key) is not None]
    copy = house.folder / "copy"
    shutil.copytree(house.folder / "keyring", copy)
    house.clock.forward(_KEEP * 2)
    assert house.eraser.sweep().erased == [segment.id]
    assert bucket not in house.keyring.bucket_keys()
    return bucket, copy


def _promised(house: House, receipts: ReceiptService) -> datetime:
    with house.db.writing() as session:
        (made,) = receipts.sign_now(session, house.operator_id, "worker:test")
    with house.db.reading() as session:
        row = store.by_id(session, house.operator_id, made)
    assert row is not None
    return datetime.fromisoformat(json.loads(row.document.split(b"\n")[1])["beyond_backups_at"])


def _opens(house: House, copy: Path, bucket: BucketKeyId) -> bool:
    """Say whether the copied page opens with everything else of today's keyring, its roots among it."""
    thief = house.folder / "thief"
    shutil.rmtree(thief, ignore_errors=True)
    shutil.copytree(house.folder / "keyring", thief)
    shutil.copy(page_with(copy, bucket), page_with(thief, bucket))
    keyring = FileKeyring(thief, HandClock(), SystemRandomness())
    assert bucket in keyring.bucket_keys()
    try:
        keyring.wrap_in_bucket(bucket, KeyBytes(bytes(32)), b"here")
    except KeyringUnavailable:
        return False
    return True


@pytest.mark.parametrize("life", [ROOT_LIFE, timedelta(days=1)])
def test_beyond_the_moment_in_the_receipt_no_older_copy_of_the_key_files_opens_what_was_destroyed(
    house: House, life: timedelta
) -> None:
    keyring = FileKeyring(house.folder / "keyring", house.clock, SystemRandomness(), life)
    receipts = ReceiptService(keyring, house.audit, house.clock, house.randomness, "installation-1", root_life=life)
    care = RootCare(keyring, house.journal, house.db, house.audit, house.clock, lambda _: None)
    bucket, copy = _destroy_one(house)
    promised = _promised(house, receipts)
    assert promised == house.clock.now() + life
    # The copy is a good one: with the root that is in use still, it opens.
    assert _opens(house, copy, bucket)
    while house.clock.now() + _LATE < promised:
        house.clock.forward(_LATE)
        care.round()
    house.clock.forward(promised - house.clock.now())
    assert not _opens(house, copy, bucket)


def test_without_rotation_the_copy_would_open_for_ever(house: House) -> None:
    bucket, copy = _destroy_one(house)
    house.clock.forward(ROOT_LIFE * 3)
    assert _opens(house, copy, bucket)

"""The file keyring's own promises: who may read its files, and what it says when they are missing or damaged."""

import os
import shutil
import stat
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from tests.given.clock import HandClock
from tests.given.full_disk import a_full_disk
from tests.given.pages import page_with
from tests.given.randomness import CountedRandomness
from vms_privacy.ids import BucketKeyId, SystemRandomness
from vms_privacy.keyring.file_keyring import FileKeyring
from vms_privacy.keyring.folder_keyring import KeyringExists
from vms_privacy.keyring.page_rules import BucketEntry, page_of, read_page
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyringUnavailable, Purpose

SEGMENT_KEY = KeyBytes(bytes(range(32)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keyring"


@pytest.fixture
def keyring(folder: Path, clock: HandClock) -> FileKeyring:
    return FileKeyring.create(folder, clock, SystemRandomness())


def reopened(folder: Path, clock: HandClock) -> FileKeyring:
    return FileKeyring(folder, clock, SystemRandomness())


def refused(folder: Path, clock: HandClock) -> KeyringUnavailable:
    with pytest.raises(KeyringUnavailable) as caught:
        reopened(folder, clock)
    return caught.value


def a_wrap(keyring: FileKeyring) -> tuple[BucketKeyId, bytes]:
    bucket_key = keyring.create_bucket_key()
    return bucket_key, keyring.wrap_in_bucket(bucket_key, SEGMENT_KEY, b"here")


# Rights and creation


def test_nobody_else_has_any_right_to_anything_in_it_whatever_the_umask(folder: Path, clock: HandClock) -> None:
    before = os.umask(0)
    try:
        keyring = FileKeyring.create(folder, clock, SystemRandomness())
        keyring.create_bucket_key()
        keyring.rotate(Purpose.TOKEN_SIGNING)
        keyring.rotate_root()
    finally:
        os.umask(before)
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_keyring_is_never_made_over_something(keyring: FileKeyring, folder: Path, clock: HandClock) -> None:
    with pytest.raises(KeyringExists):
        FileKeyring.create(folder, clock, SystemRandomness())
    empty = folder.with_name("empty")
    empty.mkdir()
    with pytest.raises(KeyringExists):
        FileKeyring.create(empty, clock, SystemRandomness())


def test_a_keyring_is_not_made_where_its_folder_has_no_place(tmp_path: Path, clock: HandClock) -> None:
    with pytest.raises(KeyringUnavailable):
        FileKeyring.create(tmp_path / "missing" / "keyring", clock, SystemRandomness())


def test_a_creation_that_fails_half_way_leaves_no_keyring(folder: Path, clock: HandClock) -> None:
    with a_full_disk(), pytest.raises(KeyringUnavailable):
        FileKeyring.create(folder, clock, SystemRandomness())
    assert not folder.exists()
    FileKeyring.create(folder, clock, SystemRandomness())


@pytest.mark.parametrize("name", ["", "roots", "buckets"])
@pytest.mark.parametrize("mode", [0o750, 0o701, 0o777])
def test_a_folder_that_others_may_enter_is_refused(
    keyring: FileKeyring, folder: Path, clock: HandClock, name: str, mode: int
) -> None:
    (folder / name).chmod(mode)
    assert "others than its owner" in refused(folder, clock).detail


@pytest.mark.parametrize(
    "name", ["manifest", "roots/000001.root", "purposes/token-signing/000001.key", "purposes/pseudonym/000001.key"]
)
def test_a_file_that_others_may_read_is_refused(
    keyring: FileKeyring, folder: Path, clock: HandClock, name: str
) -> None:
    (folder / name).chmod(0o640)
    assert "others than its owner" in refused(folder, clock).detail


def test_a_bucket_key_that_others_may_read_is_refused(keyring: FileKeyring, folder: Path, clock: HandClock) -> None:
    bucket_key, wrapped = a_wrap(keyring)
    page_with(folder, bucket_key).chmod(0o644)
    with pytest.raises(KeyringUnavailable):
        reopened(folder, clock).unwrap_in_bucket(bucket_key, wrapped, b"here")


# Missing and damaged parts


@pytest.mark.parametrize(
    "name",
    [
        "manifest",
        "lock",
        "roots/000001.root",
        "purposes/receipt-signing/000001.key",
        "purposes/token-signing/000001.public",
    ],
)
def test_a_missing_part_is_loud_and_never_made_anew(
    keyring: FileKeyring, folder: Path, clock: HandClock, name: str
) -> None:
    (folder / name).unlink()
    refused(folder, clock)
    assert not (folder / name).exists()


@pytest.mark.parametrize("name", ["", "roots", "buckets", "purposes/camera-credential"])
def test_a_missing_folder_is_loud_and_never_made_anew(
    keyring: FileKeyring, folder: Path, clock: HandClock, name: str
) -> None:
    shutil.rmtree(folder / name)
    refused(folder, clock)
    assert not (folder / name).exists()


def test_a_damaged_date_of_a_signing_key_is_told_by_its_role_and_keeps_nobody_from_signing(
    keyring: FileKeyring, folder: Path, clock: HandClock
) -> None:
    keyring.rotate(Purpose.RECEIPT_SIGNING)
    path = folder / "purposes/receipt-signing/000001.since"
    whole = path.read_bytes()
    date = range(whole.index(b"made_at"), len(whole))
    for data in (b"", b"[]", b"{}", whole[:-1], b'{"handed_over": 1, "made_at": 1}', whole.replace(b"18", b"9" * 30)):
        path.write_bytes(data)
        _refuses_its_dates(reopened(folder, clock))
    for at in date:
        path.write_bytes(whole[:at] + b"\xff" + whole[at + 1 :])
        _refuses_its_dates(reopened(folder, clock))
    damaged = reopened(folder, clock)
    assert damaged.sign(Purpose.RECEIPT_SIGNING, b"message") == keyring.sign(Purpose.RECEIPT_SIGNING, b"message")
    assert damaged.rotate(Purpose.RECEIPT_SIGNING) == 3


def _refuses_its_dates(keyring: FileKeyring) -> None:
    with pytest.raises(KeyringUnavailable) as caught:
        keyring.signing_terms(Purpose.RECEIPT_SIGNING)
    assert caught.value.facts == {"role": "date of key of receipt-signing, version 1"}


@pytest.mark.parametrize(
    "name", ["roots/000001.root", "purposes/camera-credential/000001.key", "purposes/receipt-signing/000001.public"]
)
def test_any_changed_byte_of_a_key_file_is_found_on_opening(
    keyring: FileKeyring, folder: Path, clock: HandClock, name: str
) -> None:
    path = folder / name
    whole = path.read_bytes()
    for i in range(len(whole)):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 0x20]) + whole[i + 1 :])
        refused(folder, clock)
    path.write_bytes(whole)
    reopened(folder, clock)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff", b'{"format": "other"}', b"x" * 70_000])
def test_a_damaged_manifest_is_loud(keyring: FileKeyring, folder: Path, clock: HandClock, content: bytes) -> None:
    (folder / "manifest").write_bytes(content)
    refused(folder, clock)


def test_a_refusal_names_the_role_of_the_file_and_nothing_of_its_content(
    keyring: FileKeyring, folder: Path, clock: HandClock
) -> None:
    path = folder / "roots" / "000001.root"
    path.write_bytes(path.read_bytes()[:-1])
    refusal = refused(folder, clock)
    assert refusal.facts == {"role": "root 1"}
    assert str(folder) not in refusal.detail


def test_a_damaged_bucket_key_is_unavailable_and_not_gone(keyring: FileKeyring, folder: Path, clock: HandClock) -> None:
    bucket_key, wrapped = a_wrap(keyring)
    path = page_with(folder, bucket_key)
    whole = path.read_bytes()
    for bad in (b"", whole[:-1], bytes(len(whole)), whole[:-1] + bytes([whole[-1] ^ 1]), whole + b"\0"):
        path.write_bytes(bad)
        with pytest.raises(KeyringUnavailable):
            reopened(folder, clock).unwrap_in_bucket(bucket_key, wrapped, b"here")


def test_a_bucket_key_in_another_ones_place_is_refused(keyring: FileKeyring, folder: Path, clock: HandClock) -> None:
    first, wrapped = a_wrap(keyring)
    path = page_with(folder, first)
    page = read_page(path.read_bytes(), page_of(first))
    entry = page.entries[first.bytes]
    second = BucketKeyId(uuid.UUID(bytes=bytes(15) + first.bytes[-1:]))
    keyring._pages.add(second, 0, KeyBytes(bytes(32)))
    for changed in (entry, BucketEntry(entry.made_at + 1, entry.wrapped)):
        key = second if changed is entry else first
        path.write_bytes(replace(page, entries={key.bytes: changed}).packed())
        with pytest.raises(KeyringUnavailable):
            reopened(folder, clock).unwrap_in_bucket(key, wrapped, b"here")


def test_a_page_under_another_number_or_root_is_refused(keyring: FileKeyring, folder: Path, clock: HandClock) -> None:
    bucket_key, wrapped = a_wrap(keyring)
    path = page_with(folder, bucket_key)
    page = read_page(path.read_bytes(), page_of(bucket_key))
    path.write_bytes(replace(page, root_version=2).packed())
    with pytest.raises(KeyringUnavailable):
        reopened(folder, clock).unwrap_in_bucket(bucket_key, wrapped, b"here")
    other = path.with_name(f"{(page.number + 1) % 256:02x}.page")
    other.write_bytes(page.packed())
    other.chmod(0o600)
    with pytest.raises(KeyringUnavailable):
        reopened(folder, clock).bucket_keys()


def test_a_link_in_place_of_a_key_is_refused(keyring: FileKeyring, folder: Path, clock: HandClock) -> None:
    path = folder / "roots" / "000001.root"
    path.replace(folder / "elsewhere")
    path.symlink_to(folder / "elsewhere")
    refused(folder, clock)


def test_a_keyring_that_is_gone_as_a_whole_is_unavailable_and_not_a_destroyed_key(
    keyring: FileKeyring, folder: Path
) -> None:
    bucket_key, wrapped = a_wrap(keyring)
    folder.rename(folder.with_name("unmounted"))
    for ask in (
        lambda: keyring.unwrap_in_bucket(bucket_key, wrapped, b"here"),
        lambda: keyring.destroy_bucket_keys([bucket_key]),
        keyring.bucket_keys,
        keyring.create_bucket_key,
        lambda: keyring.sign(Purpose.TOKEN_SIGNING, b""),
    ):
        with pytest.raises(KeyringUnavailable):
            ask()


def test_another_keyring_in_its_place_is_unavailable_and_not_a_destroyed_key(
    keyring: FileKeyring, folder: Path, clock: HandClock
) -> None:
    bucket_key, wrapped = a_wrap(keyring)
    folder.rename(folder.with_name("away"))
    FileKeyring.create(folder, clock, SystemRandomness())
    with pytest.raises(KeyringUnavailable):
        keyring.unwrap_in_bucket(bucket_key, wrapped, b"here")
    with pytest.raises(KeyringUnavailable):
        keyring.destroy_bucket_keys([bucket_key])


def test_randomness_that_repeats_itself_overwrites_no_key(folder: Path, clock: HandClock) -> None:
    FileKeyring.create(folder, clock, SystemRandomness())
    FileKeyring(folder, clock, CountedRandomness("same")).create_bucket_key()
    with pytest.raises(KeyringUnavailable, match="repeats itself"):
        FileKeyring(folder, clock, CountedRandomness("same")).create_bucket_key()


def test_on_a_full_disk_no_key_is_said_to_be_made_and_the_next_one_is(
    keyring: FileKeyring, folder: Path, clock: HandClock
) -> None:
    with a_full_disk(), pytest.raises(KeyringUnavailable):
        keyring.create_bucket_key()
    assert keyring.bucket_keys() == frozenset()
    bucket_key = keyring.create_bucket_key()
    assert reopened(folder, clock).bucket_keys() == {bucket_key}

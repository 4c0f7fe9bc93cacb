"""The file keyring's own promises: rights, durability, damage, time in memory, and what an old copy opens."""

import os
import resource
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.given.clock import HandClock
from tests.given.randomness import CountedRandomness
from vms_privacy.ids import BucketKeyId, SystemRandomness
from vms_privacy.keyring.file_keyring import FileKeyring, KeyringExists
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyIsDestroyed, KeyringUnavailable, Purpose, WrapIsDamaged

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


@contextmanager
def a_full_disk() -> Iterator[None]:
    """Let no file of this process grow over 8 bytes: every write fails half way, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


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
    (folder / "buckets" / f"{bucket_key}.key").chmod(0o644)
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
    path = folder / "buckets" / f"{bucket_key}.key"
    whole = path.read_bytes()
    for bad in (b"", whole[:-1], bytes(len(whole)), whole[:-1] + bytes([whole[-1] ^ 1]), whole + b"\0"):
        path.write_bytes(bad)
        with pytest.raises(KeyringUnavailable):
            reopened(folder, clock).unwrap_in_bucket(bucket_key, wrapped, b"here")


def test_a_bucket_key_under_another_ones_name_is_refused(keyring: FileKeyring, folder: Path, clock: HandClock) -> None:
    first, wrapped = a_wrap(keyring)
    second, _ = a_wrap(keyring)
    (folder / "buckets" / f"{second}.key").replace(folder / "buckets" / f"{first}.key")
    with pytest.raises(KeyringUnavailable):
        reopened(folder, clock).unwrap_in_bucket(first, wrapped, b"here")


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
        lambda: keyring.destroy_bucket_key(bucket_key),
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
        keyring.destroy_bucket_key(bucket_key)


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


# Destruction


def test_a_destroyed_key_leaves_no_file(keyring: FileKeyring, folder: Path) -> None:
    bucket_key, _ = a_wrap(keyring)
    keyring.destroy_bucket_key(bucket_key)
    assert list((folder / "buckets").iterdir()) == []


def test_a_destroyed_key_is_overwritten_before_its_name_goes(keyring: FileKeyring, folder: Path) -> None:
    bucket_key, _ = a_wrap(keyring)
    path = folder / "buckets" / f"{bucket_key}.key"
    with path.open("rb") as still_open:
        assert still_open.read() != bytes(path.stat().st_size)
        keyring.destroy_bucket_key(bucket_key)
        still_open.seek(0)
        assert still_open.read() == bytes(96)


@pytest.mark.parametrize("overwritten", [False, True])
def test_a_destruction_cut_off_by_a_crash_is_finished_on_opening(
    keyring: FileKeyring, folder: Path, clock: HandClock, overwritten: bool
) -> None:
    bucket_key, wrapped = a_wrap(keyring)
    path = folder / "buckets" / f"{bucket_key}.key"
    doomed = path.rename(path.with_name(path.name + ".destroying"))
    if overwritten:
        doomed.write_bytes(bytes(96))
    again = reopened(folder, clock)
    assert list((folder / "buckets").iterdir()) == []
    with pytest.raises(KeyIsDestroyed):
        again.unwrap_in_bucket(bucket_key, wrapped, b"here")


def test_a_destruction_cut_off_by_a_crash_is_finished_by_asking_again(keyring: FileKeyring, folder: Path) -> None:
    bucket_key, _ = a_wrap(keyring)
    path = folder / "buckets" / f"{bucket_key}.key"
    path.rename(path.with_name(path.name + ".destroying"))
    assert keyring.destroy_bucket_key(bucket_key) is False
    assert list((folder / "buckets").iterdir()) == []


def test_a_key_half_written_by_a_crash_is_removed_on_opening(
    keyring: FileKeyring, folder: Path, clock: HandClock
) -> None:
    (folder / "buckets" / "00000000-0000-4000-8000-000000000000.key.unfinished").write_bytes(b"half")
    assert reopened(folder, clock).bucket_keys() == frozenset()
    assert list((folder / "buckets").iterdir()) == []


# Time in memory


def test_an_opened_bucket_key_is_forgotten_after_30_seconds(keyring: FileKeyring, clock: HandClock) -> None:
    a_wrap(keyring)
    clock.forward(timedelta(seconds=29))
    keyring.forget_old()
    assert keyring.remembered == 1
    clock.forward(timedelta(seconds=1))
    keyring.forget_old()
    assert keyring.remembered == 0


def test_a_key_in_use_is_read_anew_after_30_seconds(keyring: FileKeyring, folder: Path, clock: HandClock) -> None:
    bucket_key, wrapped = a_wrap(keyring)
    (folder / "buckets" / f"{bucket_key}.key").write_bytes(b"damaged")
    for _ in range(29):
        clock.forward(timedelta(seconds=1))
        keyring.unwrap_in_bucket(bucket_key, wrapped, b"here")
    clock.forward(timedelta(seconds=1))
    with pytest.raises(KeyringUnavailable):
        keyring.unwrap_in_bucket(bucket_key, wrapped, b"here")


# Purposes


def test_the_private_half_of_an_old_signing_key_is_destroyed(keyring: FileKeyring, folder: Path) -> None:
    keyring.rotate(Purpose.RECEIPT_SIGNING)
    assert sorted(path.name for path in (folder / "purposes" / "receipt-signing").iterdir()) == [
        "000001.public",
        "000002.key",
        "000002.public",
    ]


def test_an_old_private_half_that_a_crash_left_is_destroyed_on_opening(
    keyring: FileKeyring, folder: Path, clock: HandClock
) -> None:
    old = folder / "purposes" / "receipt-signing" / "000001.key"
    kept = old.read_bytes()
    keyring.rotate(Purpose.RECEIPT_SIGNING)
    old.write_bytes(kept)
    old.chmod(0o600)
    reopened(folder, clock)
    assert not old.exists()


def test_a_version_that_a_crash_left_unnamed_is_not_used_and_made_anew(
    keyring: FileKeyring, folder: Path, clock: HandClock
) -> None:
    before = keyring.public_keys(Purpose.TOKEN_SIGNING)
    manifest = (folder / "manifest").read_bytes()
    old = (folder / "purposes" / "token-signing" / "000001.key").read_bytes()
    keyring.rotate(Purpose.TOKEN_SIGNING)
    (folder / "manifest").write_bytes(manifest)
    (folder / "purposes" / "token-signing" / "000001.key").write_bytes(old)
    (folder / "purposes" / "token-signing" / "000001.key").chmod(0o600)
    again = reopened(folder, clock)
    assert again.public_keys(Purpose.TOKEN_SIGNING) == before
    assert again.rotate(Purpose.TOKEN_SIGNING) == 2


def test_the_pseudonym_key_rotates_after_a_day_and_the_old_one_is_destroyed(
    keyring: FileKeyring, folder: Path, clock: HandClock
) -> None:
    before = keyring.digest(Purpose.PSEUDONYM, b"192.0.2.1")
    clock.forward(timedelta(hours=23, minutes=59))
    assert keyring.digest(Purpose.PSEUDONYM, b"192.0.2.1") == before
    clock.forward(timedelta(minutes=1))
    assert keyring.digest(Purpose.PSEUDONYM, b"192.0.2.1") != before
    assert [path.name for path in (folder / "purposes" / "pseudonym").iterdir()] == ["000002.key"]


def test_the_pseudonym_key_does_not_rotate_on_a_time_in_doubt(keyring: FileKeyring, clock: HandClock) -> None:
    before = keyring.digest(Purpose.PSEUDONYM, b"192.0.2.1")
    clock.forward(timedelta(hours=25))
    clock.doubt = timedelta(hours=2)
    assert keyring.digest(Purpose.PSEUDONYM, b"192.0.2.1") == before


def test_of_two_who_notice_that_the_pseudonym_key_is_due_one_rotates(
    keyring: FileKeyring, folder: Path, clock: HandClock
) -> None:
    other = reopened(folder, clock)
    clock.forward(timedelta(days=1))
    assert keyring.digest(Purpose.PSEUDONYM, b"a") == other.digest(Purpose.PSEUDONYM, b"a")


def test_bucket_keys_have_no_versions_to_rotate(keyring: FileKeyring) -> None:
    with pytest.raises(ValueError, match="no versions"):
        keyring.rotate(Purpose.ARCHIVE_BUCKET)


def test_a_purpose_the_keyring_has_no_key_for_is_unavailable_until_it_is_given_one(
    keyring: FileKeyring, folder: Path, clock: HandClock
) -> None:
    manifest = folder / "manifest"
    manifest.write_bytes(manifest.read_bytes().replace(b'"pseudonym": 1, ', b""))
    shutil.rmtree(folder / "purposes" / "pseudonym")
    older = reopened(folder, clock)
    with pytest.raises(KeyringUnavailable, match="no key for pseudonym"):
        older.digest(Purpose.PSEUDONYM, b"192.0.2.1")
    assert older.rotate(Purpose.PSEUDONYM) == 1
    assert len(older.digest(Purpose.PSEUDONYM, b"192.0.2.1")) == 32


# What a theft opens


def test_an_old_copy_of_a_wrap_opens_nothing_with_todays_keyring(
    keyring: FileKeyring, folder: Path, clock: HandClock
) -> None:
    destroyed, old_copy = a_wrap(keyring)
    neighbour, its_wrap = a_wrap(keyring)
    keyring.destroy_bucket_key(destroyed)
    today = reopened(folder, clock)
    assert today.unwrap_in_bucket(neighbour, its_wrap, b"here").reveal() == SEGMENT_KEY.reveal()
    with pytest.raises(KeyIsDestroyed):
        today.unwrap_in_bucket(destroyed, old_copy, b"here")
    for living in today.bucket_keys():
        with pytest.raises(WrapIsDamaged):
            today.unwrap_in_bucket(living, old_copy, b"here")


def test_an_old_keyring_without_its_root_opens_nothing_after_a_root_rotation(
    keyring: FileKeyring, folder: Path, clock: HandClock
) -> None:
    destroyed, wrapped = a_wrap(keyring)
    old = folder.with_name("old")
    shutil.copytree(folder, old)
    keyring.destroy_bucket_key(destroyed)
    keyring.rotate_root()
    shutil.rmtree(old / "roots")
    shutil.copytree(folder / "roots", old / "roots")
    refused(old, clock)
    # Told by its own manifest that today's root is the right one, the old bucket key still does not open.
    shutil.copy(folder / "manifest", old / "manifest")
    for purpose in (folder / "purposes").iterdir():
        for path in purpose.iterdir():
            shutil.copy(path, old / "purposes" / purpose.name / path.name)
    mixed = reopened(old, clock)
    assert destroyed in mixed.bucket_keys()
    with pytest.raises(KeyringUnavailable):
        mixed.unwrap_in_bucket(destroyed, wrapped, b"here")


def test_no_key_lies_in_clear_outside_the_roots(keyring: FileKeyring, folder: Path) -> None:
    randomness = CountedRandomness("seen")
    clear = FileKeyring.create(folder.with_name("seen"), HandClock(), randomness)
    clear.create_bucket_key()
    replay = CountedRandomness("seen")
    drawn = [replay.octets(32) for _ in range(200)]
    held = {path: path.read_bytes() for path in folder.with_name("seen").rglob("*") if path.is_file()}
    with_keys = {path.parent.name for path, data in held.items() if any(key in data for key in drawn)}
    assert with_keys == {"roots"}

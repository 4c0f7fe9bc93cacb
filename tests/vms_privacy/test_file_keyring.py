"""The file keyring's own promises: destruction, time in memory, versions, and what an old copy opens."""

import functools
import os
import shutil
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.given.clock import HandClock
from tests.given.pages import page_with, pages_in
from tests.given.randomness import CountedRandomness
from vms_privacy.ids import BucketKeyId, SystemRandomness
from vms_privacy.keyring.file_keyring import FileKeyring
from vms_privacy.keyring.page_rules import page_of, read_page
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyIsDestroyed, KeyringUnavailable, Purpose, WrapIsDamaged
from vms_privacy.keyring.rules import with_digest

SEGMENT_KEY = KeyBytes(bytes(range(32)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keyring"


@pytest.fixture
def keyring(folder: Path, clock: HandClock) -> FileKeyring:
    return FileKeyring.create(folder, clock, SystemRandomness())


def reopened(folder: Path, clock: HandClock) -> FileKeyring:
    return FileKeyring(folder, clock, SystemRandomness())


def together(*acts: Callable[[], None]) -> None:
    """Do everything at once; a failure of any fails the test."""
    with ThreadPoolExecutor(len(acts)) as threads:
        for done in [threads.submit(act) for act in acts]:
            done.result(timeout=60)


def refused(folder: Path, clock: HandClock) -> KeyringUnavailable:
    with pytest.raises(KeyringUnavailable) as caught:
        reopened(folder, clock)
    return caught.value


def a_wrap(keyring: FileKeyring) -> tuple[BucketKeyId, bytes]:
    bucket_key = keyring.create_bucket_key()
    return bucket_key, keyring.wrap_in_bucket(bucket_key, SEGMENT_KEY, b"here")


# Destruction


def held(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_destroyed_key_is_in_no_file(keyring: FileKeyring, folder: Path) -> None:
    bucket_key, _ = a_wrap(keyring)
    entry = read_page(page_with(folder, bucket_key).read_bytes(), page_of(bucket_key)).entries[bucket_key.bytes]
    assert entry.wrapped in held(folder)
    keyring.destroy_bucket_keys([bucket_key])
    assert entry.wrapped not in held(folder)
    assert bucket_key.bytes not in held(folder)


def test_the_page_a_destroyed_key_was_on_is_overwritten(keyring: FileKeyring, folder: Path) -> None:
    bucket_key, _ = a_wrap(keyring)
    with page_with(folder, bucket_key).open("rb") as still_open:
        size = len(still_open.read())
        keyring.destroy_bucket_keys([bucket_key])
        still_open.seek(0)
        assert still_open.read() == bytes(size)


def test_a_destruction_cut_off_by_a_crash_did_not_happen_and_can_be_asked_for_again(
    keyring: FileKeyring, folder: Path, clock: HandClock
) -> None:
    bucket_key, wrapped = a_wrap(keyring)
    page = page_with(folder, bucket_key)
    rest = read_page(page.read_bytes(), page_of(bucket_key)).without([bucket_key], bytes(16))
    for cut in (1, len(rest.packed()) // 2, len(rest.packed())):
        page.with_name(page.name + ".unfinished").write_bytes(rest.packed()[:cut])
        again = reopened(folder, clock)
        assert again.unwrap_in_bucket(bucket_key, wrapped, b"here").reveal() == SEGMENT_KEY.reveal()
        assert list((folder / "buckets").glob("*.unfinished")) == []
    page.with_name(page.name + ".unfinished").write_bytes(page.read_bytes())
    assert keyring.destroy_bucket_keys([bucket_key])
    assert not keyring.destroy_bucket_keys([bucket_key])
    assert bucket_key.bytes not in held(folder)


def test_a_page_half_written_by_a_crash_is_removed_on_opening(
    keyring: FileKeyring, folder: Path, clock: HandClock
) -> None:
    (folder / "buckets" / "3f.page.unfinished").write_bytes(b"half")
    assert reopened(folder, clock).bucket_keys() == frozenset()
    assert list((folder / "buckets").iterdir()) == []


def test_keys_of_one_page_come_and_go_alone(keyring: FileKeyring, folder: Path, clock: HandClock) -> None:
    """Over two pages and more keys than pages, in whatever order: each opens until it is destroyed."""
    wraps = dict(a_wrap(keyring) for _ in range(300))
    assert len(pages_in(folder)) < len(wraps)
    gone = set(list(wraps)[::2])
    for bucket_key in gone:
        assert keyring.destroy_bucket_keys([bucket_key])
    for opened in (keyring, reopened(folder, clock)):
        assert opened.bucket_keys() == set(wraps) - gone
    for bucket_key, wrapped in wraps.items():
        if bucket_key in gone:
            with pytest.raises(KeyIsDestroyed):
                keyring.unwrap_in_bucket(bucket_key, wrapped, b"here")
        else:
            assert keyring.unwrap_in_bucket(bucket_key, wrapped, b"here").reveal() == SEGMENT_KEY.reveal()


def test_a_destroyed_key_is_unusable_elsewhere_although_its_page_looks_as_before(
    keyring: FileKeyring, folder: Path, clock: HandClock
) -> None:
    """Another key takes its place: as many keys, as many bytes, and the file's times put back."""
    bucket_key, wrapped = a_wrap(keyring)
    page = page_with(folder, bucket_key)
    elsewhere, times = reopened(folder, clock), page.stat()
    elsewhere.unwrap_in_bucket(bucket_key, wrapped, b"here")
    another = uuid.UUID(bytes=bytes(15) + bucket_key.bytes[-1:])
    keyring._pages.add(another, 0, KeyBytes(bytes(32)))
    keyring.destroy_bucket_keys([bucket_key])
    os.utime(page, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert page.stat().st_size == times.st_size
    with pytest.raises(KeyIsDestroyed):
        elsewhere.unwrap_in_bucket(bucket_key, wrapped, b"here")


def test_a_key_is_destroyed_without_its_root(keyring: FileKeyring, folder: Path) -> None:
    bucket_key, _ = a_wrap(keyring)
    (folder / "roots" / "000001.root").rename(folder / "away")
    assert keyring.destroy_bucket_keys([bucket_key])
    assert bucket_key.bytes not in page_with(folder, bucket_key).read_bytes()


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
    page = page_with(folder, bucket_key)
    whole = bytearray(page.read_bytes())
    # Where its wrap is, so that nothing but opening it tells.
    whole[-33] ^= 1
    page.write_bytes(with_digest(bytes(whole[:-32])))
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
        "000001.since",
        "000002.key",
        "000002.public",
        "000002.since",
    ]


def test_a_keyring_from_before_dates_were_kept_tells_those_that_it_knows(
    keyring: FileKeyring, folder: Path, clock: HandClock
) -> None:
    purpose, began = Purpose.RECEIPT_SIGNING, clock.now()
    for file in (folder / "purposes" / purpose).glob("*.since"):
        file.unlink()
    (only,) = reopened(folder, clock).signing_terms(purpose)
    assert (only.made_at, only.handed_over) == (began, None), "the key itself tells it while it is there"
    clock.forward(timedelta(days=1))
    keyring.rotate(purpose)
    first, second = reopened(folder, clock).signing_terms(purpose)
    assert (first.made_at, second.made_at) == (began, began + timedelta(days=1))
    assert second.handed_over is not None
    (folder / "purposes" / purpose / "000001.since").unlink()
    (folder / "purposes" / purpose / "000002.since").unlink()
    first, second = reopened(folder, clock).signing_terms(purpose)
    assert (first.made_at, second.made_at) == (None, began + timedelta(days=1)), "nobody kept when the first began"


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


def test_of_many_who_notice_that_the_pseudonym_key_is_due_one_rotates(
    keyring: FileKeyring, folder: Path, clock: HandClock
) -> None:
    rings = [keyring, reopened(folder, clock)] * 4
    all_at_once, digests = threading.Barrier(len(rings)), set[bytes]()

    def digest(ring: FileKeyring) -> None:
        all_at_once.wait(timeout=30)
        digests.add(ring.digest(Purpose.PSEUDONYM, b"192.0.2.1"))

    clock.forward(timedelta(days=1))
    together(*(functools.partial(digest, ring) for ring in rings))
    assert len(digests) == 1
    assert [path.name for path in (folder / "purposes" / "pseudonym").iterdir()] == ["000002.key"]


def test_signing_goes_on_while_the_key_rotates(keyring: FileKeyring, folder: Path, clock: HandClock) -> None:
    other, over, signed = reopened(folder, clock), threading.Event(), list[tuple[str, bytes]]()

    def sign() -> None:
        while not over.is_set():
            signed.append(other.sign(Purpose.TOKEN_SIGNING, b"message"))

    def rotate() -> None:
        try:
            for _ in range(20):
                keyring.rotate(Purpose.TOKEN_SIGNING)
        finally:
            over.set()

    together(sign, sign, rotate)
    by_kid = {key.kid: key.raw for key in keyring.public_keys(Purpose.TOKEN_SIGNING)}
    for kid, signature in set(signed):
        Ed25519PublicKey.from_public_bytes(by_kid[kid]).verify(signature, b"message")


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
    keyring.destroy_bucket_keys([destroyed])
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
    keyring.destroy_bucket_keys([destroyed])
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

"""Keyrings of the first layout are taken over as they are, wherever a crash comes between, and nothing returns."""

import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.given.clock import HandClock
from tests.given.keyrings import KeyringPlace, a_place
from tests.given.pages import laid_out_as_v1, page_with, pages_in, record_of_v1
from vms_privacy.ids import BucketKeyId
from vms_privacy.keyring.folder_keyring import FolderKeyring
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyIsDestroyed, KeyringUnavailable
from vms_privacy.keyring.rules import is_v1

SEGMENT_KEY: Final = KeyBytes(bytes(range(32)))


class OfV1:
    """A keyring of v1 with some bucket keys, and what they wrapped."""

    def __init__(self, place: KeyringPlace, clock: HandClock) -> None:
        self.place, self.folder, self.clock = place, place.folder, clock
        keyring = place.create(clock)
        self.wraps = dict(self._wrapped(keyring) for _ in range(4))
        laid_out_as_v1(keyring, place.folder)

    def _wrapped(self, keyring: FolderKeyring) -> tuple[BucketKeyId, bytes]:
        bucket_key = keyring.create_bucket_key()
        return bucket_key, keyring.wrap_in_bucket(bucket_key, SEGMENT_KEY, b"here")

    def is_taken_over(self) -> bool:
        keyring = self.place.open(self.clock)
        assert keyring.bucket_keys() == set(self.wraps)
        for bucket_key, wrapped in self.wraps.items():
            assert keyring.unwrap_in_bucket(bucket_key, wrapped, b"here").reveal() == SEGMENT_KEY.reveal()
        assert not is_v1((self.folder / "manifest").read_bytes())
        assert self.key_files() == []
        return True

    def key_files(self) -> list[Path]:
        return sorted((self.folder / "buckets").glob("*.key"))


@pytest.fixture(params=["file", "pkcs11"])
def of_v1(request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock) -> OfV1:
    softhsm = request.getfixturevalue("softhsm") if request.param == "pkcs11" else None
    return OfV1(a_place(request.param, tmp_path / "keyring", softhsm), clock)


def test_every_key_of_a_keyring_of_v1_opens_and_has_its_date(of_v1: OfV1) -> None:
    assert len(of_v1.key_files()) == len(of_v1.wraps)
    assert of_v1.is_taken_over()
    made = {entry.made_at for page in pages_in(of_v1.folder).values() for entry in page.entries.values()}
    assert made == {1_894_708_800}
    assert of_v1.is_taken_over()


def test_one_that_was_killed_while_it_was_taken_over_is_taken_over_again(of_v1: OfV1, tmp_path: Path) -> None:
    before = tmp_path / "before"
    shutil.copytree(of_v1.folder, before)
    of_v1.is_taken_over()
    after = pages_in(of_v1.folder)
    for pages in range(len(after) + 1):
        # Some pages are there, and the manifest is the old one still: the key files count.
        shutil.rmtree(of_v1.folder)
        shutil.copytree(before, of_v1.folder)
        for path, page in list(after.items())[:pages]:
            path.write_bytes(page.packed())
        assert of_v1.is_taken_over()
    for files in range(len(of_v1.wraps) + 1):
        # The manifest is the new one, and some key files are still there: the pages count.
        for path in sorted((before / "buckets").iterdir())[:files]:
            shutil.copy(path, of_v1.folder / "buckets" / path.name)
        assert of_v1.is_taken_over()


def test_a_key_destroyed_since_comes_back_from_no_leftover(of_v1: OfV1, tmp_path: Path) -> None:
    before = tmp_path / "before"
    shutil.copytree(of_v1.folder, before)
    of_v1.is_taken_over()
    gone, wrapped = next(iter(of_v1.wraps.items()))
    page = page_with(of_v1.folder, gone)
    with_it = page.read_bytes()
    of_v1.place.open(of_v1.clock).destroy_bucket_keys([gone])
    shutil.copy(before / "buckets" / f"{gone}.key", of_v1.folder / "buckets")
    with pytest.raises(KeyIsDestroyed):
        of_v1.place.open(of_v1.clock).unwrap_in_bucket(gone, wrapped, b"here")
    assert of_v1.key_files() == []
    # The other way round: a page of a try that was cut off, and the first version destroyed the key after it.
    shutil.rmtree(of_v1.folder)
    shutil.copytree(before, of_v1.folder)
    (of_v1.folder / "buckets" / f"{gone}.key").unlink()
    page.write_bytes(with_it)
    with pytest.raises(KeyIsDestroyed):
        of_v1.place.open(of_v1.clock).unwrap_in_bucket(gone, wrapped, b"here")


def test_a_rotation_of_v1_that_was_cut_off_is_finished_first(of_v1: OfV1) -> None:
    files = {path: path.read_bytes() for path in of_v1.key_files()}
    record = of_v1.folder / "rewrapping"
    record.write_bytes(record_of_v1({bucket: files[path] for bucket, path in _named(of_v1)}))
    record.chmod(0o600)
    for path, data in files.items():
        path.write_bytes(data[:40] + bytes(len(data) - 40))
    assert of_v1.is_taken_over()
    assert not record.exists()


def test_a_record_of_v1_that_is_not_whole_was_never_begun_with(of_v1: OfV1) -> None:
    files = {bucket: path.read_bytes() for bucket, path in _named(of_v1)}
    record = of_v1.folder / "rewrapping"
    record.write_bytes(record_of_v1({bucket: bytes(len(data)) for bucket, data in files.items()})[:-1])
    record.chmod(0o600)
    assert of_v1.is_taken_over()
    assert not record.exists()


def test_a_damaged_key_of_v1_stops_the_opening_and_nothing_is_lost(of_v1: OfV1) -> None:
    damaged = of_v1.key_files()[0]
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(KeyringUnavailable):
        of_v1.place.open(of_v1.clock)
    damaged.write_bytes(whole)
    assert of_v1.is_taken_over()


def _named(of_v1: OfV1) -> list[tuple[BucketKeyId, Path]]:
    return [(bucket_key, of_v1.folder / "buckets" / f"{bucket_key}.key") for bucket_key in of_v1.wraps]

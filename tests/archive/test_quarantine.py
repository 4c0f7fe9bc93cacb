"""The way into quarantine: nothing of it is lost on the way, whatever is in the store and whenever it breaks off."""

import io
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig

from archive.blobs.folder_store import FolderStore
from archive.blobs.minio_store import S3Bucket
from archive.blobs.quarantine import held_in, move_into, spool_quarantine
from archive.blobs.rules import name_of
from archive.blobs.s3_store import S3Store
from archive.blobs.store import Quarantined
from archive.errors import StoreIsUnfit, StoreUnavailable
from tests.given.rgw import Rgw
from tests.given.s3 import VERSIONS, bucket_of

NAME = name_of(bytes(16))


@pytest.fixture
def folder(tmp_path: Path) -> FolderStore:
    return FolderStore.create(tmp_path / "blobs")


def test_an_upload_that_a_crash_left_unfinished_is_moved_with_its_blob(folder: FolderStore, tmp_path: Path) -> None:
    shelf = tmp_path / "blobs" / NAME[:2]
    shelf.mkdir()
    (shelf / f"{NAME}.part").write_bytes(b"half")
    assert list(folder.names()) == [NAME]
    assert folder.quarantine(NAME) is True
    assert list(folder.names()) == []
    assert list(folder.quarantined()) == [Quarantined(f"{NAME}.part", 4)]


def test_the_folder_of_a_quarantine_is_private_and_made_when_it_is_needed(folder: FolderStore, tmp_path: Path) -> None:
    assert list(folder.quarantined()) == []
    assert not (tmp_path / "blobs" / "quarantine").exists()
    folder.put(NAME, io.BytesIO(b"sealed"), 6)
    folder.quarantine(NAME)
    assert stat.S_IMODE((tmp_path / "blobs" / "quarantine").stat().st_mode) == 0o700
    assert list(FolderStore(tmp_path / "blobs").quarantined()) == [Quarantined(NAME, 6)], "another start sees it, too"


def test_a_folder_that_is_no_store_any_more_has_no_quarantine(folder: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "blobs" / "sealed-blobs-v1").unlink()
    with pytest.raises(StoreUnavailable):
        folder.quarantine(NAME)
    with pytest.raises(StoreUnavailable):
        list(folder.quarantined())


def test_beside_a_spool_is_its_quarantine_and_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    held = spool_quarantine(spool)
    assert held.parent == spool.parent
    for data in (b"one", b"two!", b"three"):
        (spool / "same").write_bytes(data)
        assert move_into(held, spool / "same")
    assert move_into(held, spool / "same") is False
    assert list(held_in(held)) == [Quarantined("same", 3), Quarantined("same~2", 4), Quarantined("same~3", 5)]
    assert (held / "same~2").read_bytes() == b"two!"


@pytest.fixture
def kept(rgw: Rgw) -> str:
    """An empty bucket that keeps versions, and is a store."""
    name = rgw.new_bucket()
    rgw.raw().set_bucket_versioning(name, VersioningConfig(ENABLED))
    S3Store.create(bucket_of(rgw, name), VERSIONS)
    return name


def _bytes_of(rgw: Rgw, bucket: str, name: str) -> bytes:
    answer = rgw.raw().get_object(bucket, name)
    try:
        return answer.read()
    finally:
        answer.close()
        answer.release_conn()


def test_every_version_of_a_blob_is_moved_the_oldest_first(rgw: Rgw, kept: str) -> None:
    for data in (b"first", b"second!"):
        rgw.raw().put_object(kept, NAME, io.BytesIO(data), len(data))
    rgw.raw().remove_object(kept, NAME)
    store = S3Store(bucket_of(rgw, kept), VERSIONS)
    assert list(store.names()) == [NAME]
    assert store.quarantine(NAME) is True
    assert list(store.names()) == []
    assert list(store.quarantined()) == [Quarantined(NAME, 5), Quarantined(f"{NAME}~2", 7)]
    assert _bytes_of(rgw, kept, f"quarantine/{NAME}") == b"first"
    assert _bytes_of(rgw, kept, f"quarantine/{NAME}~2") == b"second!"
    found = rgw.raw().list_objects(kept, prefix=NAME, recursive=True, include_version=True)
    assert list(found) == [], "no version and no marker is left where it was"


def test_what_only_markers_are_left_of_has_nothing_to_move(rgw: Rgw, kept: str) -> None:
    rgw.raw().remove_object(kept, NAME)
    store = S3Store(bucket_of(rgw, kept), VERSIONS)
    assert list(store.names()) == [NAME]
    assert store.quarantine(NAME) is False
    assert list(store.names()) == []


class _Breaking(S3Bucket):
    """A bucket whose erasures fail, or whose copies come out short, as long as it is told so."""

    erases = copies = True

    def erase_versions(self, doomed: Sequence[tuple[str, str]]) -> dict[str, str]:
        if not self.erases:
            raise StoreUnavailable("it broke off")
        return super().erase_versions(doomed)

    def copy(self, name: str, version: str, target: str) -> None:
        super().copy(name, version, target)
        if not self.copies:
            self.put_anew(target)

    def put_anew(self, target: str) -> None:
        super().erase_versions([(target, one) for one in self.versions(target)])
        self.put(target, io.BytesIO(b"short"), 5)


@pytest.fixture
def breaking(rgw: Rgw) -> _Breaking:
    name = rgw.new_bucket()
    bucket = bucket_of(rgw, name, kind=_Breaking)
    S3Store.create(bucket, VERSIONS)
    assert isinstance(bucket, _Breaking)
    return bucket


def test_a_move_that_breaks_off_is_done_again_and_nothing_is_lost(breaking: _Breaking) -> None:
    store = S3Store(breaking, VERSIONS)
    store.put(NAME, io.BytesIO(b"sealed bytes"), 12)
    breaking.erases = False
    with pytest.raises(StoreUnavailable):
        store.quarantine(NAME)
    assert store.size(NAME) == 12
    breaking.erases = True
    assert store.quarantine(NAME) is True
    assert store.size(NAME) is None
    assert {one.size for one in store.quarantined()} == {12}


def test_nothing_is_erased_before_its_copy_is_confirmed(breaking: _Breaking) -> None:
    store = S3Store(breaking, VERSIONS)
    store.put(NAME, io.BytesIO(b"sealed bytes"), 12)
    breaking.copies = False
    with pytest.raises(StoreUnavailable):
        store.quarantine(NAME)
    assert store.read(NAME, 0, 20) == b"sealed bytes"


def test_a_bucket_that_is_no_store_any_more_has_no_quarantine(breaking: _Breaking) -> None:
    store = S3Store(breaking, VERSIONS)
    store.refuse_if_unfit()
    breaking.erase_versions([("sealed-blobs-v1", one) for one in breaking.versions("sealed-blobs-v1")])
    with pytest.raises(StoreIsUnfit):
        store.quarantine(NAME)
    with pytest.raises(StoreIsUnfit):
        list(store.quarantined())

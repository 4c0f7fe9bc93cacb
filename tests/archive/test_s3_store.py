"""What only a store in a bucket can get wrong: versions, locks, marks, keys, and what the store itself says no to."""

import io
import logging
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlunsplit

import pytest
from minio import Minio
from minio.commonconfig import ENABLED
from minio.versioningconfig import SUSPENDED, VersioningConfig

from archive.blobs.minio_store import S3Bucket
from archive.blobs.rules import MARK, name_of
from archive.blobs.s3_place import BucketPlace, S3Keys
from archive.blobs.s3_store import S3Store
from archive.errors import StoreDeniesAccess, StoreDoesNotErase, StoreIsFull, StoreUnavailable
from tests.contracts.test_blob_store import SEALED, HeldBack
from tests.given.randomness import CountedRandomness
from tests.given.rgw import Account, Rgw
from tests.given.s3 import TERMS, VERSIONS, bucket_of, everything_in, s3_store

NAME = name_of(bytes(range(16)))


@pytest.fixture
def names(randomness: CountedRandomness) -> Iterator[str]:
    return (name_of(randomness.octets(16)) for _ in range(1000))


def put(store: S3Store, name: str, data: bytes = SEALED) -> None:
    store.put(name, io.BytesIO(data), len(data))


def everything(store: S3Store) -> list[Callable[[], object]]:
    """Every act of a store on one name."""
    return [
        lambda: store.erase(NAME),
        lambda: store.size(NAME),
        lambda: store.read(NAME, 0, 1),
        lambda: list(store.names()),
        lambda: put(store, NAME),
    ]


# -- versions and locks


@pytest.fixture
def versioned(rgw: Rgw) -> tuple[S3Store, Minio, str]:
    bucket = rgw.new_bucket()
    raw = rgw.raw()
    raw.set_bucket_versioning(bucket, VersioningConfig(ENABLED))
    return S3Store.create(bucket_of(rgw, bucket), VERSIONS), raw, bucket


def test_erasing_removes_every_version_and_every_marker(rgw: Rgw, versioned: tuple[S3Store, Minio, str]) -> None:
    """Others have overwritten and deleted the blob past the service: a plain listing shows nothing of it any more."""
    store, raw, bucket = versioned
    put(store, NAME)
    for number in range(25):
        raw.put_object(bucket, NAME, io.BytesIO(bytes(number)), number)
    raw.remove_object(bucket, NAME)
    assert [one.object_name for one in raw.list_objects(bucket)] == [MARK]
    assert len(everything_in(rgw, bucket)) == 27
    assert list(store.names()) == [NAME], "what is hidden is accounted for"
    assert (store.size(NAME), store.keeps(NAME)) == (None, True), "and whoever looks whether it is gone finds it"
    assert store.erase(NAME) is True
    assert everything_in(rgw, bucket) == []
    assert store.erase(NAME) is False


def test_versions_kept_before_versioning_was_suspended_are_erased_too(
    rgw: Rgw, versioned: tuple[S3Store, Minio, str]
) -> None:
    store, raw, bucket = versioned
    put(store, NAME)
    raw.set_bucket_versioning(bucket, VersioningConfig(SUSPENDED))
    raw.put_object(bucket, NAME, io.BytesIO(b"again"), 5)
    assert len(everything_in(rgw, bucket)) == 2
    assert store.erase_many([NAME]).gone == {NAME: True}
    assert everything_in(rgw, bucket) == []


def test_what_a_lock_keeps_is_told_and_never_called_gone(rgw: Rgw, names: Iterator[str]) -> None:
    bucket = rgw.new_bucket(object_lock=True)
    store, raw = S3Store.create(bucket_of(rgw, bucket), VERSIONS), rgw.raw()
    held, free = next(names), next(names)
    put(store, held)
    put(store, free)
    raw.enable_object_legal_hold(bucket, held)
    with pytest.raises(StoreDoesNotErase):
        store.erase(held)
    report = store.erase_many([held, free])
    assert report.gone == {free: True}
    assert report.failed == {held: "store-does-not-erase"}
    assert not report.is_clean
    assert store.read(held, 0, len(SEALED)) == SEALED
    raw.disable_object_legal_hold(bucket, held)
    assert store.erase(held) is True
    assert everything_in(rgw, bucket) == []


# -- what the store says no to


def test_a_quota_that_is_used_up_is_a_full_store(rgw: Rgw, names: Iterator[str]) -> None:
    store = s3_store(rgw, rgw.new_account(quota_bytes=400_000))
    stored = [next(names) for _ in range(3)]
    for name in stored:
        put(store, name, bytes(100_000))
    with pytest.raises(StoreIsFull) as refused:
        put(store, next(names), bytes(150_000))
    assert refused.value.code == "store-is-full"
    assert sorted(store.names()) == sorted(stored), "nothing half stored"
    assert store.erase(stored[0]) is True
    put(store, next(names), bytes(150_000))


def test_wrong_keys_are_denied_and_nothing_of_them_is_told(rgw: Rgw, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bucket = rgw.new_bucket()
    S3Store.create(bucket_of(rgw, bucket), TERMS)
    right = rgw.account
    for wrong in (Account(right.access_key, "not-the-secret"), Account("nobody-at-all", right.secret_key)):
        for act in everything(S3Store(bucket_of(rgw, bucket, wrong), TERMS)):
            with pytest.raises(StoreDeniesAccess) as refused:
                act()
            told = f"{refused.value!s} {refused.value.facts} {caplog.text}"
            assert refused.value.__cause__ is None
            assert refused.value.__suppress_context__
            for secret in (wrong.access_key, wrong.secret_key, "Signature="):
                assert secret not in told
            assert rgw.endpoint not in str(refused.value)
    assert caplog.records, "the library was heard, so the search could find something"


def test_keys_are_read_from_files_that_nobody_else_may_read_and_are_never_shown(tmp_path: Path) -> None:
    access, secret = tmp_path / "access", tmp_path / "secret"
    access.write_text("an-access-key\n")
    secret.write_text(" a-secret-key \n")
    access.chmod(0o600)
    secret.chmod(0o644)
    with pytest.raises(StoreDeniesAccess) as refused:
        S3Keys.read(access, secret)
    assert str(tmp_path) not in str(refused.value)
    secret.chmod(0o600)
    keys = S3Keys.read(access, secret)
    assert (keys.access_key, keys.secret_key) == ("an-access-key", "a-secret-key")
    assert "key" not in repr(keys).replace("S3Keys", "")
    for content in (b"", b"\n", b"\xff\xfe"):
        secret.write_bytes(content)
        with pytest.raises(StoreDeniesAccess):
            S3Keys.read(access, secret)
    for nowhere in (tmp_path / "nowhere", None):
        with pytest.raises(StoreDeniesAccess):
            S3Keys.read(access, nowhere)


# -- TLS, memory, order


def test_over_tls_only_a_certificate_that_we_trust_is_spoken_to(rgw: Rgw) -> None:
    bucket = rgw.new_bucket()
    store = S3Store.create(bucket_of(rgw, bucket, ca_file=rgw.certificate), replace(TERMS, is_production=True))
    put(store, NAME)
    assert store.read(NAME, 10, 20) == SEALED[10:30]
    assert store.erase(NAME) is True
    place = bucket_of(rgw, bucket, ca_file=rgw.certificate)._place
    stranger = type(bucket_of(rgw, bucket))(replace(place, ca_file=None), S3Keys("a", "b"))
    with pytest.raises(StoreUnavailable, match="SSLError"):
        stranger.size(NAME)


def test_a_bucket_of_amazon_is_spoken_to_by_its_own_name() -> None:
    """Stores want their addresses differently; nothing is asked of the network to know it."""
    keys = S3Keys("access", "secret")
    amazon = S3Bucket(BucketPlace("s3.eu-west-3.amazonaws.com", "footage", "eu-west-3"), keys)
    assert urlunsplit(amazon._url) == "https://footage.s3.eu-west-3.amazonaws.com/"
    other = S3Bucket(BucketPlace("s3.example.org:9000", "footage", "eu-west-3"), keys)
    assert urlunsplit(other._url) == "https://s3.example.org:9000/footage/"


class _Endless(io.RawIOBase):
    """A source of as many bytes as anybody asks for."""

    def read(self, size: int = -1) -> bytes:
        return bytes(size)


def test_a_blob_of_many_megabytes_passes_through_little_memory(rgw: Rgw) -> None:
    store = s3_store(rgw)
    store.refuse_if_unfit()
    size = 48 * 1024 * 1024
    tracemalloc.start()
    try:
        store.put(NAME, _Endless(), size)  # type: ignore[arg-type]
        assert len(store.read(NAME, size // 2, 1000)) == 1000
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert store.size(NAME) == size
    assert most < 2 * 1024 * 1024


def test_an_upload_that_is_erased_on_its_way_never_becomes_a_blob(rgw: Rgw) -> None:
    store, source = s3_store(rgw), HeldBack(SEALED)
    with ThreadPoolExecutor(1) as pool:
        stored = pool.submit(store.put, NAME, source, len(SEALED))
        assert source.reached_the_middle.wait(10)
        assert store.erase(NAME) is False
        source.go_on.set()
        with pytest.raises(StoreUnavailable, match="erased while"):
            stored.result(10)
    assert list(store.names()) == []


# -- many at once


class _Asked(S3Bucket):
    """Counts what it is asked."""

    singly = 0
    together = 0

    def versions(self, name: str) -> list[str]:
        _Asked.singly += 1
        return super().versions(name)

    def versions_between(self, marker: str, last: str) -> list[tuple[str, str]]:
        _Asked.together += 1
        return super().versions_between(marker, last)


class _CutsShort(S3Bucket):
    """Lists less than there is, as if that were all."""

    def versions_between(self, marker: str, last: str) -> list[tuple[str, str]]:
        return super().versions_between(marker, last)[:100]


class _InNoOrder(S3Bucket):
    """Lists what there is, the last first, and not the one that comes first."""

    def versions_between(self, marker: str, last: str) -> list[tuple[str, str]]:
        return super().versions_between(marker, last)[:0:-1]


def _many(rgw: Rgw, kind: type[S3Bucket], names: Iterator[str], *, keeps_versions: bool) -> tuple[S3Store, list[str]]:
    bucket = rgw.new_bucket()
    if keeps_versions:
        rgw.raw().set_bucket_versioning(bucket, VersioningConfig(ENABLED))
    store = S3Store.create(bucket_of(rgw, bucket, kind=kind), VERSIONS if keeps_versions else TERMS)
    kept = [next(names) for _ in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: put(store, name), kept))
    return store, kept


@pytest.mark.parametrize("keeps_versions", [False, True])
def test_many_that_lie_close_together_are_erased_with_few_questions_and_their_neighbours_stay(
    rgw: Rgw, names: Iterator[str], *, keeps_versions: bool
) -> None:
    store, kept = _many(rgw, _Asked, names, keeps_versions=keeps_versions)
    neighbours, doomed = kept[::10], [one for one in kept if one not in kept[::10]]
    absent = [next(names) for _ in range(30)]
    _Asked.singly = _Asked.together = 0
    report = store.erase_many(doomed + absent)
    assert report.is_clean
    assert {name for name, was_there in report.gone.items() if was_there} == set(doomed)
    assert {name for name, was_there in report.gone.items() if not was_there} == set(absent)
    assert sorted(store.names()) == sorted(neighbours)
    assert _Asked.singly == len(absent), "singly for what was not shown alone"
    assert 2 <= _Asked.together <= 8, "a few lists before, and a few after"


@pytest.mark.parametrize("kind", [_InNoOrder, _CutsShort])
def test_a_bucket_whose_lists_leave_something_out_is_asked_for_each_name(
    rgw: Rgw, names: Iterator[str], kind: type[S3Bucket]
) -> None:
    """Nothing is called gone because a list did not show it."""
    store, kept = _many(rgw, kind, names, keeps_versions=False)
    report = store.erase_many(kept)
    assert report.is_clean
    assert all(report.gone.values())
    assert list(store.names()) == []

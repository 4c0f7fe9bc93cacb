"""What only a store in a bucket can get wrong: versions, locks, marks, keys, and what the store itself says no to."""

import io
import logging
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from minio import Minio
from minio.commonconfig import ENABLED, GOVERNANCE, Filter
from minio.lifecycleconfig import (
    AbortIncompleteMultipartUpload,
    Expiration,
    LifecycleConfig,
    NoncurrentVersionExpiration,
    Rule,
)
from minio.objectlockconfig import DAYS, ObjectLockConfig
from minio.versioningconfig import SUSPENDED, VersioningConfig

from archive.blobs.rules import MARK, Versioning, name_of
from archive.blobs.s3_place import S3Keys
from archive.blobs.s3_store import S3Store
from archive.errors import StoreDeniesAccess, StoreDoesNotErase, StoreIsFull, StoreIsUnfit, StoreUnavailable
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


def test_a_bucket_that_keeps_versions_is_refused_until_their_erasure_is_on(rgw: Rgw) -> None:
    bucket = rgw.new_bucket()
    rgw.raw().set_bucket_versioning(bucket, VersioningConfig(ENABLED))
    with pytest.raises(StoreIsUnfit) as refused:
        S3Store.create(bucket_of(rgw, bucket), TERMS)
    assert refused.value.facts == {"reasons": "keeps-versions"}
    assert everything_in(rgw, bucket) == [], "it is left as it was"
    assert S3Store.create(bucket_of(rgw, bucket), VERSIONS).size(NAME) is None


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


def test_a_bucket_that_locks_by_itself_is_refused_in_any_case(rgw: Rgw) -> None:
    bucket = rgw.new_bucket(object_lock=True)
    rgw.raw().set_object_lock_config(bucket, ObjectLockConfig(GOVERNANCE, 1, DAYS))
    with pytest.raises(StoreIsUnfit) as refused:
        S3Store.create(bucket_of(rgw, bucket), VERSIONS)
    assert refused.value.facts == {"reasons": "locks-by-default"}
    with pytest.raises(StoreIsUnfit) as refused:
        S3Store.create(bucket_of(rgw, bucket), TERMS)
    assert refused.value.facts == {"reasons": "keeps-versions, has-object-lock, locks-by-default"}


# -- what a bucket says of itself


def test_facts_are_what_the_bucket_says(rgw: Rgw) -> None:
    plain = bucket_of(rgw, rgw.new_bucket()).facts()
    assert (plain.region, plain.versioning, plain.has_lock) == (TERMS.region, Versioning.NEVER, False)
    assert (plain.locks_by_default, plain.lifecycle, plain.uses_tls) == (False, (), False)
    bucket = rgw.new_bucket(object_lock=True)
    rgw.raw().set_object_lock_config(bucket, ObjectLockConfig(GOVERNANCE, 1, DAYS))
    locked = bucket_of(rgw, bucket).facts()
    assert (locked.versioning, locked.has_lock, locked.locks_by_default) == (Versioning.ENABLED, True, True)


def test_a_lifecycle_that_expires_footage_is_refused_and_one_that_tidies_is_not(rgw: Rgw) -> None:
    bucket, raw = rgw.new_bucket(), rgw.raw()
    tidies = Rule(
        ENABLED,
        rule_filter=Filter(prefix=""),
        rule_id="tidy",
        abort_incomplete_multipart_upload=AbortIncompleteMultipartUpload(1),
        noncurrent_version_expiration=NoncurrentVersionExpiration(1),
    )
    expires = Rule(ENABLED, rule_filter=Filter(prefix="A"), rule_id="expire", expiration=Expiration(days=3))
    raw.set_bucket_lifecycle(bucket, LifecycleConfig([tidies, expires]))
    with pytest.raises(StoreIsUnfit) as refused:
        S3Store.create(bucket_of(rgw, bucket), TERMS)
    assert refused.value.facts == {"reasons": "expires-footage"}
    raw.set_bucket_lifecycle(bucket, LifecycleConfig([tidies]))
    S3Store.create(bucket_of(rgw, bucket), TERMS)


def test_a_bucket_of_another_region_or_in_clear_is_refused_and_nothing_is_put_into_it(rgw: Rgw) -> None:
    bucket = rgw.new_bucket()
    S3Store.create(bucket_of(rgw, bucket), TERMS)
    terms = replace(TERMS, region="eu-west-3", is_production=True)
    elsewhere = S3Store(bucket_of(rgw, bucket), terms)
    for act in everything(elsewhere):
        with pytest.raises(StoreIsUnfit) as refused:
            act()
        assert refused.value.facts == {"reasons": "wrong-region, plain-http"}
    assert elsewhere.erase_many([NAME]).failed == {NAME: "store-is-unfit"}
    assert everything_in(rgw, bucket) == []


# -- a store that is not there


def test_a_bucket_without_its_mark_is_not_an_empty_store(rgw: Rgw) -> None:
    """The bucket was made anew, or another one is named: nothing may be called gone, erased or absent."""
    bucket, raw = rgw.new_bucket(), rgw.raw()
    store = S3Store.create(bucket_of(rgw, bucket), TERMS)
    assert store.size(NAME) is None
    raw.remove_object(bucket, MARK)
    for act in (*everything(store)[:4], *everything(S3Store(bucket_of(rgw, bucket), TERMS))):
        with pytest.raises(StoreUnavailable, match="no store"):
            act()
    assert store.erase_many([NAME]).failed == {NAME: "store-is-unfit"}


def test_a_bucket_that_is_missing_is_not_an_empty_store(rgw: Rgw) -> None:
    bucket, raw = rgw.new_bucket(), rgw.raw()
    store = S3Store.create(bucket_of(rgw, bucket), TERMS)
    assert store.size(NAME) is None
    raw.remove_object(bucket, MARK)
    raw.remove_bucket(bucket)
    for act in (*everything(store), *everything(S3Store(bucket_of(rgw, bucket), TERMS))):
        with pytest.raises(StoreUnavailable):
            act()
    assert store.erase_many([NAME]).failed == {NAME: "store-is-unfit"}
    with pytest.raises(StoreUnavailable, match="bucket is not there"):
        S3Store.create(bucket_of(rgw, bucket), TERMS)


def test_a_store_is_never_made_where_something_lies(rgw: Rgw) -> None:
    bucket, raw = rgw.new_bucket(), rgw.raw()
    raw.put_object(bucket, "letter.txt", io.BytesIO(b"not sealed"), 10)
    with pytest.raises(FileExistsError):
        S3Store.create(bucket_of(rgw, bucket), TERMS)
    assert everything_in(rgw, bucket) == [("letter.txt", False)]
    with pytest.raises(StoreUnavailable):
        S3Store(bucket_of(rgw, bucket), TERMS).size(NAME)


def test_a_store_is_opened_again_with_everything_in_it(rgw: Rgw) -> None:
    bucket = rgw.new_bucket()
    put(S3Store.create(bucket_of(rgw, bucket), TERMS), NAME)
    again = S3Store(bucket_of(rgw, bucket), TERMS)
    again.refuse_if_unfit()
    assert again.read(NAME, 0, len(SEALED)) == SEALED
    with pytest.raises(FileExistsError):
        S3Store.create(bucket_of(rgw, bucket), TERMS)


def test_a_blob_that_somebody_took_away_is_told_as_absent(rgw: Rgw) -> None:
    bucket = rgw.new_bucket()
    store = S3Store.create(bucket_of(rgw, bucket), TERMS)
    put(store, NAME)
    rgw.raw().remove_object(bucket, NAME)
    assert store.size(NAME) is None
    with pytest.raises(FileNotFoundError):
        store.read(NAME, 0, 1)
    assert list(store.names()) == []
    assert store.erase(NAME) is False


def test_something_that_is_not_a_blob_is_not_hidden(rgw: Rgw) -> None:
    bucket = rgw.new_bucket()
    store = S3Store.create(bucket_of(rgw, bucket), TERMS)
    rgw.raw().put_object(bucket, "folder/letter.txt", io.BytesIO(b"not sealed"), 10)
    with pytest.raises(StoreUnavailable, match="not a blob"):
        list(store.names())


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

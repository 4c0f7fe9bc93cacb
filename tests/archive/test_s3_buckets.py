"""Which buckets are stores: what a bucket says of itself, what is in it, and what is not."""

import io
from dataclasses import replace

import pytest
from minio.commonconfig import ENABLED, GOVERNANCE, Filter
from minio.lifecycleconfig import (
    AbortIncompleteMultipartUpload,
    Expiration,
    LifecycleConfig,
    NoncurrentVersionExpiration,
    Rule,
)
from minio.objectlockconfig import DAYS, ObjectLockConfig
from minio.versioningconfig import VersioningConfig

from archive.blobs.rules import MARK, Versioning
from archive.blobs.s3_store import S3Store
from archive.errors import StoreDeniesAccess, StoreIsFull, StoreIsUnfit, StoreUnavailable
from tests.archive.test_s3_store import NAME, everything, put
from tests.contracts.test_blob_store import SEALED
from tests.given.rgw import Rgw
from tests.given.s3 import TERMS, VERSIONS, bucket_of, everything_in
from tests.given.s3_wire import Interrupter, served

# -- what a bucket says of itself


def test_a_bucket_that_keeps_versions_is_refused_until_their_erasure_is_on(rgw: Rgw) -> None:
    bucket = rgw.new_bucket()
    rgw.raw().set_bucket_versioning(bucket, VersioningConfig(ENABLED))
    with pytest.raises(StoreIsUnfit) as refused:
        S3Store.create(bucket_of(rgw, bucket), TERMS)
    assert refused.value.facts == {"reasons": "keeps-versions"}
    assert everything_in(rgw, bucket) == [], "it is left as it was"
    assert S3Store.create(bucket_of(rgw, bucket), VERSIONS).size(NAME) is None


def test_a_bucket_that_locks_by_itself_is_refused_in_any_case(rgw: Rgw) -> None:
    bucket = rgw.new_bucket(object_lock=True)
    rgw.raw().set_object_lock_config(bucket, ObjectLockConfig(GOVERNANCE, 1, DAYS))
    with pytest.raises(StoreIsUnfit) as refused:
        S3Store.create(bucket_of(rgw, bucket), VERSIONS)
    assert refused.value.facts == {"reasons": "locks-by-default"}
    with pytest.raises(StoreIsUnfit) as refused:
        S3Store.create(bucket_of(rgw, bucket), TERMS)
    assert refused.value.facts == {"reasons": "keeps-versions, has-object-lock, locks-by-default"}


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


# -- what some stores do not know


def _refusal(status: str, code: str) -> bytes:
    body = f"<Error><Code>{code}</Code><Message>it is as it is</Message></Error>"
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    return f"{head}{body}".encode()


def test_a_store_that_knows_no_lifecycle_expires_nothing(rgw: Rgw) -> None:
    unknown = _refusal("501 Not Implemented", "NotImplemented")
    without = Interrupter(rgw.port, lambda asked: unknown if b"?lifecycle=" in asked else b"")
    with served(without) as endpoint:
        bucket = bucket_of(rgw, rgw.new_bucket(), endpoint=endpoint)
        assert S3Store.create(bucket, TERMS).size(NAME) is None
        assert bucket.facts().lifecycle == ()
    assert without.interrupted > 0


def test_a_store_that_does_not_say_what_its_lifecycle_is_is_no_store(rgw: Rgw) -> None:
    for status, code in (("405 Method Not Allowed", "MethodNotAllowed"), ("403 Forbidden", "AccessDenied")):
        silent = Interrupter(rgw.port, lambda asked: _refusal(status, code) if b"?lifecycle=" in asked else b"")  # noqa: B023 - asked at once
        with served(silent) as endpoint, pytest.raises(StoreUnavailable):
            S3Store.create(bucket_of(rgw, rgw.new_bucket(), endpoint=endpoint), TERMS)


@pytest.mark.parametrize("promised", [TERMS.region, "eu-west-3"])
def test_a_store_that_hears_only_its_own_region_is_asked_in_its_name(rgw: Rgw, promised: str) -> None:
    deaf = _refusal("400 Bad Request", "AuthorizationHeaderMalformed")
    proud = Interrupter(rgw.port, lambda asked: b"" if f"/{TERMS.region}/s3/".encode() in asked else deaf)
    with served(proud) as endpoint:
        bucket = bucket_of(rgw, rgw.new_bucket(), endpoint=endpoint, region=promised)
        if promised == TERMS.region:
            assert bucket.facts().region == TERMS.region
        else:
            with pytest.raises(StoreDeniesAccess):
                bucket.facts()
    assert proud.interrupted > 0


@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "XAdminUserNotFound"])
def test_a_store_that_does_not_know_our_keys_denies_access_whatever_it_calls_that(rgw: Rgw, code: str) -> None:
    with served(Interrupter(rgw.port, lambda _: _refusal("403 Forbidden", code))) as endpoint:
        with pytest.raises(StoreDeniesAccess):
            bucket_of(rgw, rgw.new_bucket(), endpoint=endpoint).facts()


@pytest.mark.parametrize("code", ["InsufficientStorage", "XMinioStorageFull", "QuotaExceeded"])
def test_a_store_without_room_is_full_whatever_it_calls_that(rgw: Rgw, code: str) -> None:
    full = Interrupter(rgw.port, lambda asked: _refusal("507 No Room", code) if NAME.encode() in asked else b"")
    bucket = rgw.new_bucket()
    S3Store.create(bucket_of(rgw, bucket), TERMS)
    with served(full) as endpoint, pytest.raises(StoreIsFull):
        put(S3Store(bucket_of(rgw, bucket, endpoint=endpoint), TERMS), NAME)


@pytest.mark.parametrize("says", ["nothing", "not-implemented"])
def test_a_store_that_does_not_list_what_it_keeps_could_confirm_no_erasure(rgw: Rgw, says: str) -> None:
    """Asked for versions it answers with an empty list, whatever there is: everything would look gone."""
    body = b"<ListVersionsResult><Name>footage</Name><IsTruncated>false</IsTruncated></ListVersionsResult>"
    empty = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    answer = empty if says == "nothing" else _refusal("501 Not Implemented", "NotImplemented")
    hiding = Interrupter(rgw.port, lambda asked: answer if b"versions=" in asked.partition(b"\r\n")[0] else b"")
    name = rgw.new_bucket()
    S3Store.create(bucket_of(rgw, name), TERMS)
    put(S3Store(bucket_of(rgw, name), TERMS), NAME)
    with served(hiding) as endpoint:
        store = S3Store(bucket_of(rgw, name, endpoint=endpoint), TERMS)
        for act in everything(store):
            with pytest.raises(StoreUnavailable):
                act()
        assert NAME in store.erase_many([NAME]).failed
        if says == "nothing":
            with pytest.raises(StoreIsUnfit) as refused:
                store.refuse_if_unfit()
            assert refused.value.facts == {"reasons": "hides-versions"}
    assert everything_in(rgw, name) == [(NAME, False)]


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

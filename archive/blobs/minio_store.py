"""One bucket of an S3 store: the only door to `minio`, and so to `urllib3`.

Promise: whatever goes wrong comes out as a refusal of ours, and never with the library's text, which holds addresses
and names; an answer that is not understood is `store-unavailable`, never "gone". Nothing is retried here and no
redirect is followed: whoever calls decides what is tried again. What answers mean for a blob store is in s3_store.py.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice, takewhile
from typing import Any, BinaryIO, Final, NamedTuple
from urllib.parse import SplitResult, urlsplit, urlunsplit

import urllib3
from minio import Minio
from minio.commonconfig import ENABLED, CopySource
from minio.credentials.credentials import Credentials
from minio.datatypes import Object
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.lifecycleconfig import Rule
from minio.signer import sign_v4_s3
from minio.time import to_amz_date, utcnow

from archive.blobs.rules import MARK, BucketFacts, LifecycleRule, Unfit, Versioning
from archive.blobs.s3_place import BucketPlace, S3Keys
from archive.errors import StoreDeniesAccess, StoreIsFull, StoreIsUnfit, StoreUnavailable
from vms_privacy.errors import Refusal

CONNECT_S: Final = 2.0
READ_S: Final = 10.0
LINKS: Final = 16
"""Connections to the store at once. Who comes when all are busy waits for one."""
MOST_ERASED_AT_ONCE: Final = 1000
MOST_LISTED_AT_ONCE: Final = 1000
_MOST_VERSIONS: Final = 10_000
_NO_VERSION: Final = "null"
_STEP: Final = 64 * 1024
_UNSIGNED: Final = "UNSIGNED-PAYLOAD"
_CODE: Final = re.compile(r"[A-Za-z0-9]{1,64}", re.ASCII)
_DENIED: Final = frozenset(
    {
        "AccessDenied", "AccountProblem", "AuthorizationHeaderMalformed", "ExpiredToken", "InvalidAccessKeyId",
        "InvalidToken", "RequestTimeTooSkewed", "SignatureDoesNotMatch", "XAdminUserNotFound",
    }
)  # fmt: skip
_FULL: Final = frozenset(
    {
        "InsufficientCapacity",
        "InsufficientStorage",
        "QuotaExceeded",
        "XMinioAdminBucketQuotaExceeded",
        "XMinioStorageFull",
    }
)
_ANSWERS: Final = frozenset(
    {
        "InvalidRange", "MethodNotAllowed", "NoSuchKey", "NotImplemented", "ObjectLockConfigurationNotFoundError",
        "PreconditionFailed",
    }
)  # fmt: skip
"""Codes that may be an answer and no failure; whoever asked knows."""


class KeptVersion(NamedTuple):
    """What a bucket keeps under a name: a version with its size, or a marker that says that it was deleted."""

    version: str
    size: int
    is_marker: bool


class S3Bucket:
    """Speaks S3 to one bucket. Thread-safe. Every method may raise StoreUnavailable, or one of its kinds.

    Connecting takes at most `connect_s`, and each wait for an answer or for its next bytes at most `read_s`. While
    bytes are sent, the store must take each 64 KiB within `connect_s`.
    """

    def __init__(self, place: BucketPlace, keys: S3Keys, connect_s: float = CONNECT_S, read_s: float = READ_S) -> None:
        self._place = place
        self._timeout = urllib3.Timeout(connect=connect_s, read=read_s)
        self._credentials = Credentials(keys.access_key, keys.secret_key)
        self._pool = _pool(place, self._timeout)
        with _told("opening the store"):
            self._client = self._client_of(place.region, self._pool)
            # The library knows how a store wants its addresses; the signature it adds here is thrown away.
            sample = urlsplit(self._client.presigned_put_object(place.bucket, MARK))
            self._url = sample._replace(path=sample.path.removesuffix(MARK), query="")

    def put(self, name: str, source: BinaryIO, size: int) -> None:
        """Store exactly `size` bytes in one request that reads the source as it sends, 64 KiB at a time.

        Raises FileExistsError where the name is taken and the store heeds If-None-Match; ValueError if the source ends
        early, and then nothing is stored.
        """
        url = self._url._replace(path=self._url.path + name)
        try:
            with _told("storing a blob"):
                headers = {"Content-Length": str(size), "If-None-Match": "*"}
                self._ask("PUT", url, headers, _Exactly(source, size))
        except _Answered as answered:
            if answered.code == "PreconditionFailed":
                raise FileExistsError("a blob's name is used once") from None
            raise StoreUnavailable(f"storing a blob failed: {answered.code}") from None

    def size(self, name: str) -> int | None:
        """Return the size in bytes; None where no current version is, and also where there is no bucket."""
        try:
            with _told("looking for a blob"):
                return self._client.stat_object(self._place.bucket, name).size
        except _Answered as answered:
            if answered.code == "NoSuchKey":
                return None
            raise StoreUnavailable(f"looking for a blob failed: {answered.code}") from None

    def read(self, name: str, offset: int, length: int) -> bytes | None:
        """Return `length` bytes from `offset`, fewer at the end; None where no current version is."""
        if not length:
            return None if self.size(name) is None else b""
        try:
            with _told("reading a blob"):
                answer = self._client.get_object(self._place.bucket, name, offset, length)
                try:
                    return _part(answer, offset, length)
                finally:
                    answer.close()
                    answer.release_conn()
        except _Answered as answered:
            if answered.code in {"InvalidRange", "NoSuchKey"}:
                return b"" if answered.code == "InvalidRange" else None
            raise StoreUnavailable(f"reading a blob failed: {answered.code}") from None

    def versions(self, name: str) -> list[str]:
        """Return the id of each version and each delete marker that the bucket keeps under this name, 10,000 at most.

        Who erases asks again, so more of them take several rounds.
        """
        try:
            with _told("looking for versions"):
                found = self._client.list_objects(self._place.bucket, prefix=name, recursive=True, include_version=True)
                return [
                    one.version_id or _NO_VERSION for one in islice(found, _MOST_VERSIONS) if one.object_name == name
                ]
        except _Answered as answered:
            raise StoreUnavailable(f"looking for versions failed: {answered.code}") from None

    def versions_between(self, marker: str, last: str) -> list[tuple[str, str]]:
        """Return (name, version) of what comes after a marker and not after `last`, in the order in which it is listed.

        1000 at most; fewer mean that there is no more.
        """
        try:
            with _told("looking for versions"):
                found = self._client.list_objects(
                    self._place.bucket, start_after=marker, recursive=True, include_version=True
                )
                named = ((one.object_name or "", one.version_id or _NO_VERSION) for one in found)
                return list(islice(takewhile(lambda one: one[0] <= last, named), MOST_LISTED_AT_ONCE))
        except _Answered as answered:
            raise StoreUnavailable(f"looking for versions failed: {answered.code}") from None

    def kept(self, name: str) -> list[KeptVersion]:
        """Return what the bucket keeps under this name, the newest first, 10,000 at most."""
        try:
            with _told("looking for versions"):
                found = self._client.list_objects(self._place.bucket, prefix=name, recursive=True, include_version=True)
                return [
                    KeptVersion(one.version_id or _NO_VERSION, one.size or 0, one.is_delete_marker)
                    for one in islice(found, _MOST_VERSIONS)
                    if one.object_name == name
                ]
        except _Answered as answered:
            raise StoreUnavailable(f"looking for versions failed: {answered.code}") from None

    def copy(self, name: str, version: str, target: str) -> None:
        """Have the store copy one version to another name; what it copied is to be asked for."""
        wanted = None if version == _NO_VERSION else version
        try:
            with _told("copying a blob"):
                self._client.copy_object(
                    self._place.bucket, target, CopySource(self._place.bucket, name, version_id=wanted)
                )
        except _Answered as answered:
            raise StoreUnavailable(f"copying a blob failed: {answered.code}") from None

    def under(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Go through the names, with their sizes, that begin with a prefix and have a current version."""
        with _told("listing the store"):
            found = iter(self._client.list_objects(self._place.bucket, prefix=prefix, recursive=True))
        while True:
            with _told("listing the store"):
                one: Object | None = next(found, None)
            if one is None:
                return
            yield one.object_name or "", one.size or 0

    def names(self) -> Iterator[str]:
        """Go through everything in the bucket, once each, also what only old versions or delete markers are left of."""
        with _told("listing the store"):
            found = iter(self._client.list_objects(self._place.bucket, recursive=True, include_version=True))
        while True:
            with _told("listing the store"):
                one: Object | None = next(found, None)
            if one is None:
                return
            # Exactly one version or marker of a name is its latest.
            if one.is_latest == "true":
                yield one.object_name or ""

    def erase_versions(self, doomed: Sequence[tuple[str, str]]) -> dict[str, str]:
        """Remove these (name, version), at most 1000; return the store's code for each name where it would not.

        What it says nothing of is not yet known to be gone: ask `versions`.
        """
        wanted = [DeleteObject(name, version) for name, version in doomed[:MOST_ERASED_AT_ONCE]]
        with _told("erasing blobs"):
            refused = list(self._client.remove_objects(self._place.bucket, wanted))
            return {one.name or "": one.code if _CODE.fullmatch(one.code) else "unknown" for one in refused}

    def facts(self) -> BucketFacts:
        """Return what the bucket says of itself."""
        with _told("looking at the bucket"):
            bucket = self._place.bucket
            versioning = {"Off": Versioning.NEVER, "Enabled": Versioning.ENABLED, "Suspended": Versioning.SUSPENDED}
            facts = BucketFacts(
                region=self._region(),
                versioning=versioning[self._client.get_bucket_versioning(bucket).status_string],
                has_lock=False,
                locks_by_default=False,
                lifecycle=(),
                uses_tls=self._place.uses_tls,
            )
        try:
            with _told("looking at the bucket"):
                lifecycle = self._client.get_bucket_lifecycle(bucket)
        except _Answered as answered:
            if answered.code != "NotImplemented":
                raise StoreUnavailable(f"looking at the bucket failed: {answered.code}") from None
            # A store that knows no lifecycle expires nothing.
            lifecycle = None
        facts = replace(facts, lifecycle=tuple(_rule(one) for one in lifecycle.rules) if lifecycle else ())
        try:
            with _told("looking at the bucket"):
                lock = self._client.get_object_lock_config(bucket)
        except _Answered:
            # There is no such configuration, or the store knows no object lock at all.
            return facts
        return replace(facts, has_lock=True, locks_by_default=lock.mode is not None)

    def _client_of(self, region: str | None, pool: urllib3.PoolManager) -> Minio:
        place, credentials = self._place, self._credentials
        return Minio(
            place.endpoint, credentials.access_key, credentials.secret_key, secure=place.uses_tls, region=region,
            http_client=pool,
        )  # fmt: skip

    def _region(self) -> str:
        """Ask where the bucket is: a client that was told no region asks, and names what it heard when it signs."""
        # In a pool of its own, because a client that goes clears the pool it had.
        asking = self._client_of(None, _pool(self._place, self._timeout))
        try:
            signed = urlsplit(asking.presigned_put_object(self._place.bucket, MARK)).query
        except S3Error as error:
            if error.code != "AuthorizationHeaderMalformed":
                raise
            # It hears nobody who signs for another region than its own, as the library does when it asks.
            answer = self._ask("GET", self._url._replace(query="location="), {}, b"")
            found = re.search(r">\s*([a-z0-9-]+)\s*</LocationConstraint>", answer.data.decode("ascii"))
        else:
            found = re.search(r"X-Amz-Credential=[^&]*%2F\d{8}%2F([^%&]+)%2Fs3%2F", signed)
        if found is None:
            raise StoreUnavailable("the store does not say in which region the bucket is")
        return found[1]

    def _ask(self, method: str, url: SplitResult, headers: Mapping[str, str], body: Any) -> urllib3.BaseHTTPResponse:
        """Send one request, signed for the region that was promised; its body is not a part of what is signed."""
        now = utcnow()
        told: dict[str, Any] = {
            **headers, "Host": url.netloc, "x-amz-content-sha256": _UNSIGNED, "x-amz-date": to_amz_date(now),
        }  # fmt: skip
        told = sign_v4_s3(
            method=method, url=url, region=self._place.region, headers=told, credentials=self._credentials,
            content_sha256=_UNSIGNED, date=now,
        )  # fmt: skip
        answer = self._pool.urlopen(method, urlunsplit(url), body=body, headers=told)
        if answer.status != 200:
            raise S3Error.fromxml(answer)
        return answer


class _Answered(Exception):
    """The store answered with a code that its asker understands."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _TooShort(ValueError):
    """The source ended early."""


class _Exactly:
    """Hands out exactly so many bytes of a source, or breaks the request off."""

    def __init__(self, source: BinaryIO, size: int) -> None:
        self._source = source
        self._left = size

    def read(self, most: int) -> bytes:
        data = self._source.read(min(most, self._left)) if self._left else b""
        if self._left and not data:
            raise _TooShort("the source has fewer bytes than it was said to have")
        self._left -= len(data)
        return data


def _pool(place: BucketPlace, timeout: urllib3.Timeout) -> urllib3.PoolManager:
    return urllib3.PoolManager(
        num_pools=2,
        maxsize=LINKS,
        block=True,
        blocksize=_STEP,
        timeout=timeout,
        retries=False,
        cert_reqs="CERT_REQUIRED",
        ca_certs=None if place.ca_file is None else str(place.ca_file),
    )


@contextmanager
def _told(doing: str) -> Iterator[None]:
    """Turn whatever the library raises into a refusal without its text; nothing of it is chained."""
    try:
        yield
    except (Refusal, _Answered, _TooShort):
        raise
    except S3Error as error:
        told = _meaning(doing, error.code or "")
    except Exception as error:  # noqa: BLE001 - the library raises what it likes; what is not understood is no answer
        told = StoreUnavailable(f"{doing} failed: {type(error).__name__}")
    else:
        return
    raise told from None


def _meaning(doing: str, code: str) -> Exception:
    if code in _ANSWERS:
        return _Answered(code)
    safe = code if _CODE.fullmatch(code) else "unknown"
    if code in _DENIED:
        return StoreDeniesAccess(f"{doing} was denied: {safe}")
    if code in _FULL:
        return StoreIsFull(f"{doing} failed: {safe}")
    if code == "NoSuchBucket":
        return StoreIsUnfit("the bucket is not there", reasons=Unfit.NO_BUCKET)
    return StoreUnavailable(f"{doing} failed: {safe}")


def _part(answer: Any, offset: int, length: int) -> bytes:
    """Take the range that was asked for, and never more: a store that answers with the whole blob is refused."""
    told = answer.headers.get("content-range", "")
    if not (answer.status == 206 and told.startswith(f"bytes {offset}-")) and not (answer.status == 200 and not offset):
        raise StoreUnavailable("the store does not give out ranges")
    data: bytes = answer.read(length + 1)
    if len(data) > length:
        raise StoreUnavailable("the store does not give out ranges")
    return data


def _rule(rule: Rule) -> LifecycleRule:
    expiration = rule.expiration
    expires = expiration is not None and not (
        expiration.expired_object_delete_marker and expiration.days is None and expiration.date is None
    )
    return LifecycleRule(rule.status == ENABLED, expires, rule.transition is not None)

"""A store that stops, loses answers or talks nonsense: told in time, never guessed, and well again by itself."""

import io
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from time import perf_counter

import pytest
from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig

from archive.blobs.minio_store import CONNECT_S, READ_S, S3Bucket
from archive.blobs.rules import name_of
from archive.blobs.s3_place import BucketPlace, S3Keys
from archive.blobs.s3_store import S3Store
from archive.errors import StoreDoesNotErase, StoreUnavailable
from tests.archive.test_s3_store import NAME, everything, put
from tests.contracts.test_blob_store import SEALED, HeldBack
from tests.given.randomness import CountedRandomness
from tests.given.rgw import REGION, Rgw
from tests.given.s3 import TERMS, VERSIONS, bucket_of, everything_in
from tests.given.s3_wire import Babbler, LossyWire, served

SOON_S = 0.5
"""A time-out that makes the tests short. The service's own are CONNECT_S and READ_S."""


@pytest.fixture
def names(randomness: CountedRandomness) -> Iterator[str]:
    return (name_of(randomness.octets(16)) for _ in range(1000))


@pytest.fixture
def bucket(rgw: Rgw) -> str:
    name = rgw.new_bucket()
    S3Store.create(bucket_of(rgw, name), TERMS)
    return name


@pytest.fixture
def hurried(rgw: Rgw, bucket: str) -> S3Store:
    """A store that waits for half a second, opened already."""
    store = S3Store(bucket_of(rgw, bucket, read_s=SOON_S), TERMS)
    store.refuse_if_unfit()
    return store


def test_the_service_waits_two_seconds_to_connect_and_ten_for_an_answer() -> None:
    assert (CONNECT_S, READ_S) == (2, 10)


# -- a gateway that stops


def test_a_store_that_stops_is_told_in_time_and_works_again_when_it_goes_on(rgw: Rgw, hurried: S3Store) -> None:
    put(hurried, NAME)
    with rgw.paused():
        for act in everything(hurried):
            began = perf_counter()
            with pytest.raises(StoreUnavailable):
                act()
            assert perf_counter() - began < 5 * SOON_S
    assert hurried.read(NAME, 0, len(SEALED)) == SEALED
    assert hurried.erase(NAME) is True
    assert list(hurried.names()) == []


def test_a_store_that_takes_no_connections_is_told_in_time(rgw: Rgw, bucket: str) -> None:
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            # The system keeps a few that nobody has accepted, and lets the rest wait.
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        place = BucketPlace(f"127.0.0.1:{full.getsockname()[1]}", bucket, REGION, uses_tls=False)
        bare = S3Bucket(place, S3Keys("access", "secret"), connect_s=SOON_S, read_s=60)
        began = perf_counter()
        with pytest.raises(StoreUnavailable, match="ConnectTimeoutError"):
            bare.size(NAME)
        assert perf_counter() - began < 5 * SOON_S


def test_many_erasures_do_not_wait_for_a_store_that_stopped_one_after_the_other(
    rgw: Rgw, hurried: S3Store, names: Iterator[str]
) -> None:
    wanted = [next(names) for _ in range(200)]
    put(hurried, wanted[0])
    with rgw.paused():
        began = perf_counter()
        report = hurried.erase_many(wanted)
        took = perf_counter() - began
    assert report.gone == {}
    assert report.failed == dict.fromkeys(wanted, "store-unavailable")
    assert took < 12 * SOON_S, "one after the other, eight at a time, would take 25 times as long as one"
    assert hurried.erase_many(wanted).gone == dict.fromkeys(wanted, False) | {wanted[0]: True}


def test_a_service_that_starts_while_the_store_is_away_looks_at_it_later(rgw: Rgw, bucket: str) -> None:
    store = S3Store(bucket_of(rgw, bucket, read_s=SOON_S), TERMS)
    with rgw.paused(), pytest.raises(StoreUnavailable):
        put(store, NAME)
    put(store, NAME)
    unfit = S3Store(bucket_of(rgw, bucket), replace(TERMS, region="elsewhere-1"))
    with pytest.raises(StoreUnavailable, match="another region"):
        unfit.size(NAME)


# -- a wire that loses answers


def test_what_was_erased_although_the_answer_was_lost_is_found_out_by_asking(
    rgw: Rgw, bucket: str, names: Iterator[str]
) -> None:
    wanted = [next(names) for _ in range(5)]
    wire = LossyWire(rgw.port)
    with served(wire) as endpoint:
        store = S3Store(bucket_of(rgw, bucket, endpoint=endpoint, read_s=SOON_S), TERMS)
        for name in wanted:
            put(store, name)
        wire.lose(answers_to=b"POST ")
        assert store.erase(wanted[0]) is True
        report = store.erase_many(wanted)
    assert report.gone == dict.fromkeys(wanted, True) | {wanted[0]: False}
    assert report.is_clean
    assert [wire.lost.acquire(blocking=False) for _ in range(3)] == [True, True, False]
    assert everything_in(rgw, bucket) == []


def test_what_was_not_erased_because_the_request_was_lost_is_not_called_gone(
    rgw: Rgw, bucket: str, names: Iterator[str]
) -> None:
    wanted = [next(names) for _ in range(5)]
    wire = LossyWire(rgw.port)
    with served(wire) as endpoint:
        store = S3Store(bucket_of(rgw, bucket, endpoint=endpoint, read_s=SOON_S), TERMS)
        for name in wanted:
            put(store, name)
        wire.lose(requests=b"POST ")
        with pytest.raises(StoreUnavailable):
            store.erase(wanted[0])
        assert store.erase_many(wanted).failed == dict.fromkeys(wanted, "store-unavailable")
        wire.lose()
        assert store.erase_many(wanted).gone == dict.fromkeys(wanted, True)


def test_what_was_stored_although_the_answer_was_lost_is_found_and_not_stored_twice(rgw: Rgw, bucket: str) -> None:
    wire = LossyWire(rgw.port)
    with served(wire) as endpoint:
        store = S3Store(bucket_of(rgw, bucket, endpoint=endpoint, read_s=SOON_S), TERMS)
        store.refuse_if_unfit()
        wire.lose(answers_to=b"PUT ")
        with pytest.raises(StoreUnavailable):
            put(store, NAME)
        wire.lose()
        assert store.size(NAME) == len(SEALED)
        with pytest.raises(FileExistsError):
            put(store, NAME, b"something else")
        assert store.read(NAME, 0, 5) == SEALED[:5]


def test_an_upload_that_was_erased_on_its_way_and_whose_answer_was_lost_leaves_nothing(rgw: Rgw, bucket: str) -> None:
    wire, source = LossyWire(rgw.port), HeldBack(SEALED)
    with served(wire) as endpoint, ThreadPoolExecutor(1) as pool:
        store = S3Store(bucket_of(rgw, bucket, endpoint=endpoint, read_s=SOON_S), TERMS)
        store.refuse_if_unfit()
        wire.lose(answers_to=b"PUT ")
        stored = pool.submit(store.put, NAME, source, len(SEALED))
        assert source.reached_the_middle.wait(10)
        assert store.erase(NAME) is False
        source.go_on.set()
        with pytest.raises(StoreUnavailable):
            stored.result(10)
        assert wire.lost.acquire(timeout=10), "the store had it"
    assert everything_in(rgw, bucket) == []


# -- a store that does not do what it says


class _Hiding(S3Bucket):
    """Deletes as the manuals of S3 show it: without naming a version."""

    def erase_versions(self, doomed: Sequence[tuple[str, str]]) -> dict[str, str]:
        for name, _ in doomed:
            self._client.remove_object(self._place.bucket, name)
        return {}


def test_a_deletion_that_only_hides_is_found_out(rgw: Rgw) -> None:
    """The sabotage of version-wise erasure: every answer of the store is a yes, and nothing is gone."""
    name = rgw.new_bucket()
    rgw.raw().set_bucket_versioning(name, VersioningConfig(ENABLED))
    S3Store.create(bucket_of(rgw, name), VERSIONS)
    store = S3Store(bucket_of(rgw, name, kind=_Hiding), VERSIONS)
    put(store, NAME)
    with pytest.raises(StoreDoesNotErase):
        store.erase(NAME)
    assert store.size(NAME) is None, "to everybody who asks in the ordinary way it looks gone"
    assert store.erase_many([NAME]).failed == {NAME: "store-does-not-erase"}
    assert S3Store(bucket_of(rgw, name), VERSIONS).erase(NAME) is True
    assert everything_in(rgw, name) == []


# -- a store that talks nonsense

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nConnection: close\r\n"
LEAK = b"https://elsewhere.example.org/footage?password=hunter2"
NONSENSE = {
    "nothing": b"",
    "no-http": b"220 ready\r\n" + LEAK + b"\r\n",
    "html": b"HTTP/1.1 503 Busy\r\nContent-Type: text/html\r\nContent-Length: 54\r\n\r\n" + LEAK,
    "empty-500": b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
    "torn-xml": OK + b"Content-Length: 9\r\n\r\n<Listing>",
    "wrong-xml": OK + b"Content-Length: 20\r\n\r\n<Error>hello</Error>",
    "torn-answer": OK + b"Content-Length: 5000\r\n\r\n<Listing",
    "not-utf-8": OK + b"Content-Length: 4\r\n\r\n\xff\xfe\xfd\xfc",
    "odd-code": b"HTTP/1.1 418 Oh\r\nContent-Type: application/xml\r\nConnection: close\r\n\r\n<Error><Code>"
    + LEAK
    + b"</Code></Error>",
    "moved": b"HTTP/1.1 301 Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % LEAK,
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense_is_no_answer_and_is_not_repeated(rgw: Rgw, bucket: str, kind: str) -> None:
    babbler = Babbler(NONSENSE[kind])
    with served(babbler) as endpoint:
        bare = bucket_of(rgw, bucket, endpoint=endpoint, read_s=SOON_S)
        acts: list[Callable[[], object]] = [
            lambda: bare.versions(NAME),
            lambda: list(bare.names()),
            lambda: bare.erase_versions([(NAME, "null")]),
        ]
        if not NONSENSE[kind].startswith(OK):
            acts += [
                lambda: bare.size(NAME),
                lambda: bare.read(NAME, 0, 10),
                lambda: bare.put(NAME, io.BytesIO(b"sealed"), 6),
            ]
        for number, act in enumerate([*acts, S3Store(bare, TERMS).refuse_if_unfit]):
            assert babbler.asked <= number, "each act asks once at most"
            with pytest.raises(StoreUnavailable) as refused:
                act()
            assert refused.value.__cause__ is None
            for told in ("hunter2", "elsewhere", endpoint):
                assert told not in str(refused.value)


def test_a_redirect_is_not_followed(rgw: Rgw, bucket: str) -> None:
    elsewhere = Babbler(OK + b"Content-Length: 0\r\n\r\n")
    with served(elsewhere) as other:
        moved = Babbler(
            b"HTTP/1.1 307 Moved\r\nLocation: http://%s/x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            % other.encode()
        )
        with served(moved) as endpoint:
            bare = bucket_of(rgw, bucket, endpoint=endpoint, read_s=SOON_S)
            for act in (
                lambda: bare.size(NAME),
                lambda: bare.read(NAME, 0, 10),
                lambda: bare.versions(NAME),
                lambda: bare.put(NAME, io.BytesIO(b"sealed"), 6),
            ):
                with pytest.raises(StoreUnavailable):
                    act()
    assert moved.asked == 4
    assert elsewhere.asked == 0


def test_a_store_that_answers_a_range_with_the_whole_blob_is_refused(rgw: Rgw, bucket: str) -> None:
    for answer in (
        OK + b"Content-Length: 1000\r\n\r\n" + bytes(1000),
        b"HTTP/1.1 206 Part\r\nContent-Range: bytes 0-999/1000\r\nContent-Length: 1000\r\n\r\n" + bytes(1000),
        b"HTTP/1.1 206 Part\r\nContent-Range: bytes 500-509/1000\r\nContent-Length: 10\r\n\r\n" + bytes(10),
    ):
        with served(Babbler(answer)) as endpoint:
            bare = bucket_of(rgw, bucket, endpoint=endpoint, read_s=SOON_S)
            for offset in (0, 100):
                with pytest.raises(StoreUnavailable, match="ranges"):
                    bare.read(NAME, offset, 10)

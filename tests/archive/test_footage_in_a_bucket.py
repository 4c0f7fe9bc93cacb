"""Footage whose store is a bucket: recorded, delivered, read, destroyed and accounted for, as in a folder."""

import io
from collections.abc import Callable
from datetime import timedelta

import pytest
from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig

from archive.blobs.rules import name_of
from archive.blobs.s3_store import S3Store
from archive.check import Depth, Kind
from archive.check.mending import How
from archive.segments.rules import Place, Segment, Span, State
from tests.given.footage import House
from tests.given.rgw import Rgw
from tests.given.s3 import TERMS, VERSIONS, bucket_of, everything_in

_MINUTE = timedelta(minutes=1)


def _look(house: House) -> bytes:
    [part] = house.footage.find(house.look(), Span(0, 2**60))
    return house.footage.read(house.look(), part.seen, part.index, part.chosen)


def _move_in(house: House, store: S3Store) -> None:
    house.store = store
    house.kill()
    house.join()
    house.opt_in()
    house.keep_for(_MINUTE)


@pytest.fixture
def bucket(rgw: Rgw, house: House) -> str:
    """The bucket that is the house's store: one that keeps versions."""
    name = rgw.new_bucket()
    rgw.raw().set_bucket_versioning(name, VersioningConfig(ENABLED))
    _move_in(house, S3Store.create(bucket_of(rgw, name), VERSIONS))
    return name


@pytest.fixture
def locked(rgw: Rgw, house: House) -> str:
    """The bucket that is the house's store: one with object lock."""
    name = rgw.new_bucket(object_lock=True)
    _move_in(house, S3Store.create(bucket_of(rgw, name), VERSIONS))
    return name


def _record(house: House) -> tuple[Segment, bytes]:
    """Record three seconds and deliver them; return the row and the clear bytes."""
    fed = house.record(3)
    assert house.delivery.deliver().is_clean
    return house.rows()[-1], b"".join(one.data for one in fed)


def test_footage_is_delivered_read_and_destroyed_in_every_version(rgw: Rgw, house: House, bucket: str) -> None:
    row, clear = _record(house)
    assert row.place is Place.STORE
    assert everything_in(rgw, bucket) == [(row.blob_name, False)]
    assert list(house.spool.iterdir()) == []
    assert _look(house) == clear
    assert house.check().is_clean
    rgw.raw().remove_object(bucket, row.blob_name)
    assert len(everything_in(rgw, bucket)) == 2, "a plain deletion keeps it and adds a marker"
    house.clock.forward(2 * _MINUTE)
    assert house.eraser.sweep().erased == [row.id]
    assert everything_in(rgw, bucket) == []
    assert house.check().is_clean


def _take(rgw: Rgw, bucket: str, name: str) -> None:
    rgw.raw().remove_object(bucket, name)


def _strange(rgw: Rgw, bucket: str, name: str) -> None:
    rgw.raw().fput_object(bucket, name[:-4] + "AAAA", "/dev/null")


@pytest.mark.parametrize(("harm", "kind"), [(_take, Kind.LOST), (_strange, Kind.STRANGER)])
def test_what_was_done_to_the_bucket_behind_our_back_is_found(
    rgw: Rgw, house: House, bucket: str, harm: Callable[[Rgw, str, str], None], kind: Kind
) -> None:
    row, _ = _record(house)
    assert house.check().is_clean
    harm(rgw, bucket, row.blob_name)
    assert {one.kind for one in house.check().findings} == {kind}


def test_what_an_object_lock_keeps_is_debt_with_its_reason_until_it_does_not(
    rgw: Rgw, house: House, locked: str
) -> None:
    row, _ = _record(house)
    _record(house)
    rgw.raw().enable_object_legal_hold(locked, row.blob_name)
    house.clock.forward(3 * _MINUTE)
    assert list(house.eraser.sweep().failed.values()) == ["store-does-not-erase"]
    assert house.eraser.debt(_MINUTE).reason == "store-does-not-erase"
    assert everything_in(rgw, locked) == [(row.blob_name, False)], "what may be erased is, all the same"
    rgw.raw().disable_object_legal_hold(locked, row.blob_name)
    house.clock.forward(timedelta(minutes=15))
    assert row.id in house.eraser.sweep().erased
    assert everything_in(rgw, locked) == []
    assert {one.state for one in house.rows()} == {State.ERASED}


def test_while_the_store_is_stopped_footage_waits_sealed_and_is_delivered_by_itself(rgw: Rgw, house: House) -> None:
    name = rgw.new_bucket()
    S3Store.create(bucket_of(rgw, name), TERMS)
    _move_in(house, S3Store(bucket_of(rgw, name, read_s=0.5), TERMS))
    with rgw.paused():
        house.record(3)
        assert list(house.delivery.deliver().failed.values()) == ["store-unavailable"]
        [row] = house.rows()
        assert (house.spool / row.blob_name).exists()
    assert house.delivery.deliver().moved == [row.id]
    assert everything_in(rgw, name) == [(row.blob_name, False)]
    assert house.check().is_clean


def test_a_bucket_is_checked_at_every_depth_and_what_nobody_knows_in_it_is_moved_away(
    rgw: Rgw, house: House, bucket: str
) -> None:
    row, _ = _record(house)
    for depth in Depth:
        assert house.checker(decoding=house.decoding, at_once=8).check(depth).findings == []
    stranger = name_of(bytes(16))
    rgw.raw().put_object(bucket, stranger, io.BytesIO(b"whose is this"), 13)
    report = house.mend(house.check().findings)
    assert [(one.finding.kind, one.how) for one in report.mended] == [(Kind.STRANGER, How.QUARANTINED)]
    after = house.check(Depth.OPENS)
    assert after.findings == []
    assert (after.totals["quarantined"], after.totals["quarantined_bytes"]) == (1, 13)
    assert sorted(everything_in(rgw, bucket)) == sorted([(row.blob_name, False), (f"quarantine/{stranger}", False)])


def test_a_file_that_the_bucket_has_changed_in_its_middle_is_found_by_opening_it(
    rgw: Rgw, house: House, bucket: str
) -> None:
    row, _ = _record(house)
    data = bytearray(house.store.read(row.blob_name, 0, row.size_bytes or 0))
    data[len(data) // 2] ^= 1
    rgw.raw().put_object(bucket, row.blob_name, io.BytesIO(bytes(data)), len(data))
    assert house.check(Depth.SEALS).findings == []
    assert [one.kind for one in house.check(Depth.OPENS).findings] == [Kind.DAMAGED]

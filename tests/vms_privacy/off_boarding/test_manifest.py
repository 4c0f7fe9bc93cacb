"""A manifest lists every segment that is there, with the hash of its file, and a stranger can verify it."""

import hashlib
import io
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from archive.blobs.folder_store import FolderStore
from archive.errors import StoreUnavailable
from archive.orders.rules import OrderKind
from archive.receipts.lines import Invalid, b64
from archive.receipts.service import holds
from archive.segments.rules import Place, Segment, Span
from tests.given.clock import HandClock
from tests.given.footage import House
from tests.given.leaving import INSTALLATION, Leaving, sizes
from vms_privacy.ids import SegmentId
from vms_privacy.off_boarding import manifest_store as manifests
from vms_privacy.off_boarding.errors import ManifestIsForgotten
from vms_privacy.off_boarding.listing import ManifestMaker
from vms_privacy.off_boarding.manifest import ValidManifest, check
from vms_privacy.off_boarding.manifest_store import Manifest


def _checked(house: House, document: bytes) -> ValidManifest | Invalid:
    return check(io.BytesIO(document), house.receipts.history, holds)


def _octets(house: House, one: Segment) -> bytes:
    if one.place is Place.SPOOL:
        return (house.spool / one.blob_name).read_bytes()
    return house.store.read(one.blob_name, 0, one.size_bytes or 0)


def _asked(leaving: Leaving) -> Manifest:
    with leaving.db.writing() as session:
        return leaving.service.ask_for_manifest(session, leaving.granted)


def test_it_lists_all_there_is_each_with_the_hash_of_its_file(house: House, leaving: Leaving) -> None:
    second = leaving.move_in()
    house.opt_in()
    house.record(2)
    house.record(2)
    leaving.record_on(second)
    house.record(2)  # still in the spool
    leaving.begin()
    rows = house.rows()
    assert {one.place for one in rows} == {Place.SPOOL, Place.STORE}
    manifest = leaving.list_all()
    document = leaving.document(manifest)
    verdict = _checked(house, document)
    assert isinstance(verdict, ValidManifest)
    lines = [json.loads(line) for line in document.splitlines()[3:]]
    assert {one["segment_id"]: one["sha256"] for one in lines} == {
        str(one.id): b64(hashlib.sha256(_octets(house, one)).digest()) for one in rows
    }
    assert {one["segment_id"]: one["size_bytes"] for one in lines} == {str(one.id): one.size_bytes for one in rows}
    body = verdict.body
    assert (body["segments"], body["size_bytes"], body["cameras"]) == (4, sizes(rows), 2)
    assert (body["unreadable"], body["kept_by_orders"], body["destroyed_since_begun"]) == (0, 0, 0)
    assert body["installation_id"] == INSTALLATION
    assert verdict.digest == manifest.digest == hashlib.sha256(b"".join(document.splitlines(True)[:2])).hexdigest()


def test_it_says_what_it_could_not_read_and_why(house: House, leaving: Leaving) -> None:
    leaving.recorded()
    house.record(2)
    house.delivery.deliver()
    leaving.begin()
    gone, longer, _ = house.rows()
    path = house.folder / "archive"
    (path / gone.blob_name[:2] / gone.blob_name).unlink()
    with (path / longer.blob_name[:2] / longer.blob_name).open("ab") as file:
        file.write(b"x")
    document = leaving.document(leaving.list_all())
    verdict = _checked(house, document)
    assert isinstance(verdict, ValidManifest)
    assert verdict.body["unreadable"] == 2
    flaws = {one["segment_id"]: one["flaw"] for one in map(json.loads, document.splitlines()[3:]) if one["flaw"]}
    assert flaws == {str(gone.id): "not-there", str(longer.id): "other-size"}


def test_it_says_what_an_order_keeps(house: House, leaving: Leaving) -> None:
    rows = leaving.recorded()
    held = rows[0] if rows[0].camera_id == house.camera.camera_id else rows[1]
    house.order(OrderKind.HOLD, Span(held.starts_us, (held.ends_us or 0) + 1))
    leaving.begin()
    document = leaving.document(leaving.list_all())
    kept = [one["segment_id"] for one in map(json.loads, document.splitlines()[3:]) if one["kept_by_order"]]
    assert kept == [str(held.id)]


def test_what_expires_meanwhile_is_destroyed_as_usual_and_counted(house: House, leaving: Leaving) -> None:
    leaving.move_in()
    house.opt_in()
    house.keep_for(timedelta(seconds=30))
    house.record(2)
    house.clock.forward(timedelta(seconds=25))
    house.record(2)
    house.delivery.deliver()
    leaving.begin()
    house.clock.forward(timedelta(seconds=10))
    assert house.eraser.sweep().is_clean
    manifest = leaving.list_all()
    verdict = _checked(house, leaving.document(manifest))
    assert isinstance(verdict, ValidManifest)
    assert (verdict.body["segments"], verdict.body["destroyed_since_begun"]) == (1, 1)
    # What it lists and is gone by the confirmation is no reason against it.
    house.clock.forward(timedelta(seconds=60))
    assert house.eraser.sweep().is_clean
    leaving.confirm(manifest.digest)


def test_a_file_that_is_being_closed_still_is_waited_for(house: House, leaving: Leaving) -> None:
    leaving.move_in()
    house.opt_in()
    house.record(2, close=False)
    with house.db.writing() as session:
        leaving.approve(session, leaving.service.propose(session, leaving.granted, "the contract has ended"))
    _asked(leaving)
    assert leaving.maker.round() == ""
    assert leaving.how_far().manifest.digest == ""  # type: ignore[union-attr]
    house.recorder.ask_again()
    house.recorder.tidy()
    house.close()
    assert leaving.maker.round() == ""
    manifest = leaving.how_far().manifest
    assert manifest is not None
    assert manifest.digest
    assert manifest.listed == 1


class _SlowStore(FolderStore):
    """Takes more than a round for each file, and remembers what was read."""

    def __init__(self, folder: Path, clock: HandClock) -> None:
        super().__init__(folder)
        self._clock = clock
        self.seen: list[str] = []

    def read(self, name: str, offset: int, length: int) -> bytes:
        self._clock.forward(timedelta(seconds=6))
        if not offset:
            self.seen.append(name)
        return super().read(name, offset, length)


def test_it_goes_on_where_it_was_stopped_and_reads_no_file_twice(house: House, leaving: Leaving) -> None:
    leaving.move_in()
    house.opt_in()
    for _ in range(5):
        house.record(1)
    house.delivery.deliver()
    leaving.begin()
    _asked(leaving)
    slow = _SlowStore(house.folder / "archive", house.clock)
    counted = []
    for _ in range(3):
        # Each round is that of another process.
        maker = ManifestMaker(
            house.db, house.spool, slow, house.keyring, house.audit, house.clock, INSTALLATION, at_once=2
        )
        assert maker.round() == ""
        manifest = leaving.how_far().manifest
        assert manifest is not None
        counted.append((manifest.listed, bool(manifest.digest)))
    assert counted == [(2, False), (4, False), (5, False)]
    assert leaving.maker.round() == ""
    assert sorted(slow.seen) == sorted(one.blob_name for one in house.rows())
    verdict = _checked(house, leaving.document(leaving.list_again()))
    assert isinstance(verdict, ValidManifest)


def test_a_store_that_is_away_is_told_and_asked_again(house: House, leaving: Leaving) -> None:
    leaving.recorded()
    leaving.begin()
    _asked(leaving)
    there, away = house.folder / "archive", house.folder / "away"
    there.rename(away)
    assert leaving.maker.round() == StoreUnavailable.code
    manifest = leaving.how_far().manifest
    assert manifest is not None
    assert (manifest.listed, manifest.attempts, manifest.last_failure) == (0, 1, StoreUnavailable.code)
    away.rename(there)
    assert leaving.maker.round() == ""
    assert leaving.list_again().listed == 2


def test_an_operator_without_footage_has_an_empty_manifest(house: House, leaving: Leaving) -> None:
    leaving.move_in()
    leaving.begin()
    manifest = leaving.list_all()
    verdict = _checked(house, leaving.document(manifest))
    assert isinstance(verdict, ValidManifest)
    assert verdict.body["segments"] == 0
    leaving.confirm(manifest.digest)
    assert leaving.carry_out() == ""
    assert leaving.how_far().off_boarding.closed_at is not None
    assert house.is_in_order


def test_nothing_is_added_to_what_is_signed_nor_changed_in_it(house: House, leaving: Leaving) -> None:
    leaving.recorded()
    leaving.begin()
    manifest = leaving.list_all()
    with house.db.reading() as session:
        (first, _) = manifests.entries(session, manifest.id)
    with pytest.raises(IntegrityError, match="nothing is added"), house.db.writing() as session:
        manifests.add_entries(session, manifest.id, [replace(first, segment_id=SegmentId(house.randomness.uuid()))])
    with pytest.raises(IntegrityError, match="stays as it was listed"), house.db.writing() as session:
        session.execute(text("UPDATE off_boarding_manifest_entry SET flaw = 'x', file_digest = NULL"))


def test_every_byte_of_it_counts(house: House, leaving: Leaving) -> None:
    leaving.recorded()
    leaving.begin()
    document = leaving.document(leaving.list_all())
    assert isinstance(_checked(house, document), ValidManifest)
    for at in range(len(document)):
        changed = document[:at] + bytes((document[at] ^ 1,)) + document[at + 1 :]
        assert isinstance(_checked(house, changed), Invalid), at
    for cut in range(0, len(document), 7):
        assert isinstance(_checked(house, document[:cut]), Invalid), cut


def test_what_a_stranger_is_told_of_one_that_does_not_hold(house: House, leaving: Leaving) -> None:
    leaving.recorded()
    leaving.begin()
    document = leaving.document(leaving.list_all())
    lines = document.splitlines(True)
    swapped = b"".join([*lines[:3], lines[4], lines[3]])
    fewer = b"".join(lines[:4])
    twice = b"".join([*lines[:4], lines[3]])
    unsigned = b"".join([lines[0], lines[1].replace(b'"segments":2', b'"segments":3'), *lines[2:]])
    found = {
        name: verdict.code
        for name, told in (
            ("receipt", b"vms-privacy receipt v1\n{}\n"),
            ("cut", lines[0] + lines[1]),
            ("swapped", swapped),
            ("fewer", fewer),
            ("twice", twice),
            ("unsigned", unsigned),
            ("long", lines[0] + b"x" * 200_000 + b"\n"),
        )
        if isinstance(verdict := _checked(house, told), Invalid)
    }
    assert found == {
        "receipt": "not-a-manifest",
        "cut": "manifest-cut",
        "swapped": "manifest-not-canonical",
        "fewer": "manifest-lines",
        "twice": "manifest-not-canonical",
        "unsigned": "manifest-signature",
        "long": "not-a-manifest",
    }


def _lines_kept(house: House) -> int:
    with house.db.reading() as session:
        return session.scalar(text("SELECT count(*) FROM off_boarding_manifest_entry")) or 0


def test_the_lines_of_one_that_nobody_needs_any_more_are_forgotten(house: House, leaving: Leaving) -> None:
    leaving.recorded()
    leaving.begin()
    first = leaving.list_all()
    second = leaving.list_all()
    assert (first.listed, second.listed) == (2, 2)
    assert first.digest != second.digest
    assert leaving.maker.round() == ""
    assert _lines_kept(house) == 2
    assert isinstance(_checked(house, leaving.document(second)), ValidManifest)
    with house.db.writing() as session:
        leaving.service.take_back(session, leaving.granted)
    assert leaving.maker.round() == ""
    assert _lines_kept(house) == 0


def test_a_manifest_is_not_served_without_its_lines_once_the_operator_stays(house: House, leaving: Leaving) -> None:
    leaving.recorded()
    leaving.begin()
    leaving.list_all()
    with house.db.writing() as session:
        leaving.service.take_back(session, leaving.granted)
    # At once: whether its lines are forgotten already is the worker's business.
    with pytest.raises(ManifestIsForgotten):
        leaving.list_again()
    assert leaving.maker.round() == ""
    with pytest.raises(ManifestIsForgotten):
        leaving.list_again()
    # The next one is served as any other.
    leaving.begin()
    assert isinstance(_checked(house, leaving.document(leaving.list_all())), ValidManifest)


def test_nothing_of_its_lines_is_left_with_the_operator_but_its_head_is(house: House, leaving: Leaving) -> None:
    leaving.recorded()
    leaving.leave()
    assert leaving.carry_out() == ""
    assert _lines_kept(house) == 0
    manifest = leaving.how_far().manifest
    assert manifest is not None
    assert manifest.head is not None
    assert hashlib.sha256(b"".join(manifest.head.splitlines(True)[:2])).hexdigest() == manifest.digest

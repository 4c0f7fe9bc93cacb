"""The deepest look: every chunk authenticates, every picture decodes, and nobody sees one."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from archive.blobs.folder_store import FolderStore
from archive.check import Depth, Kind
from archive.check.opening import Opening
from archive.keys.rules import permit_for_check
from archive.segments import store as segments
from archive.segments.rules import Segment
from streams.media.packets import Fragment
from streams.media.trial import DecoderFailed, DecoderUnavailable
from streams.media.trial_rules import Tried
from tests.given.checked import blob_path, change_behind_the_back, found, furnish
from tests.given.failing_db import FailingDatabase
from tests.given.footage import House
from vms_privacy.audit.events import Tag
from vms_privacy.audit.tables import EventRow


def _flip(house: House, name: str, at: int) -> None:
    path = blob_path(house, name)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("depth", list(Depth))
def test_a_house_in_order_is_clean_at_every_depth(house: House, depth: Depth) -> None:
    furnish(house)
    house.record(2, close=False)
    assert house.check(depth).findings == []


def test_totals_count_what_was_opened_and_decoded(house: House) -> None:
    furnish(house)
    totals = house.check(Depth.OPENS).totals
    assert totals["files_opened"] == 2
    assert totals["pictures_decoded"] == 2 * 3 * 25
    assert totals["pictures_refused"] == 0
    assert 0 < totals["bytes_opened"] < totals["segment_bytes"]
    assert "files_opened" not in house.check(Depth.SEALS).totals


def test_sound_is_decoded_too(house: House) -> None:
    house.opt_in()
    house.record(2, audio=True)
    assert house.check(Depth.OPENS).findings == []


def test_a_flipped_bit_anywhere_in_a_file_is_found_by_opening_alone(house: House) -> None:
    _, stored, _ = furnish(house)
    size = stored.size_bytes or 0
    beyond_the_head, before_the_last_tag = 80, size - 17
    step = (before_the_last_tag - beyond_the_head) // 7
    for at in range(beyond_the_head, before_the_last_tag, step):
        _flip(house, stored.blob_name, at)
        assert found(house, Depth.SEALS) == []
        [finding] = house.check(Depth.OPENS).findings
        assert (finding.kind, finding.segment_id, finding.detail) == (
            Kind.DAMAGED,
            stored.id,
            "sealed-file-damaged-chunk",
        )
        _flip(house, stored.blob_name, at)
    assert found(house, Depth.OPENS) == []


def test_each_depth_finds_what_those_before_it_find(house: House) -> None:
    _, stored, _ = furnish(house)
    path = blob_path(house, stored.blob_name)
    whole = path.read_bytes()

    def seen() -> list[list[Kind]]:
        return [found(house, depth) for depth in Depth]

    _flip(house, stored.blob_name, len(whole) // 2)
    assert seen() == [[], [], [], [Kind.DAMAGED]]
    path.write_bytes(whole)
    _flip(house, stored.blob_name, len(whole) - 1)
    assert seen() == [[], [], [Kind.WRONG_SEAL], [Kind.WRONG_SEAL]]
    path.write_bytes(whole[:-1])
    assert seen() == [[], [Kind.WRONG_SIZE], [Kind.WRONG_SIZE], [Kind.WRONG_SIZE]]
    path.unlink()
    assert seen() == [[Kind.LOST]] * 4


def test_a_key_that_does_not_open_its_wrap_is_named_and_the_neighbour_is_looked_at(house: House) -> None:
    _, stored, _ = furnish(house)
    change_behind_the_back(
        house, "UPDATE segment SET wrapped_key = CAST(randomblob(60) AS BLOB) WHERE id = ?", stored.id.hex
    )
    report = house.check(Depth.OPENS)
    assert [(one.kind, one.segment_id) for one in report.findings] == [(Kind.DAMAGED, stored.id)]
    assert report.totals["files_opened"] == 1


def test_a_file_that_opens_whole_and_shows_no_picture_is_undecodable(house: House) -> None:
    house.opt_in()
    stream, fed = house.stream(2)
    house.recorder.begin("run-x", stream.epoch(1))
    house.take([_blanked(one) for one in fed])
    house.close()
    assert found(house, Depth.SEALS) == []
    [finding] = house.check(Depth.OPENS).findings
    assert (finding.kind, finding.detail) == (Kind.UNDECODABLE, "no-picture-decodes")


def _blanked(fragment: Fragment) -> Fragment:
    at = fragment.data.index(b"mdat") + 4
    return replace(fragment, data=fragment.data[:at] + bytes(len(fragment.data) - at))


def test_what_recovery_closed_opens_too(house: House) -> None:
    house.opt_in()
    house.record(3, close=False)
    house.revive()
    report = house.check(Depth.OPENS)
    assert report.findings == []
    assert report.totals["files_opened"] == 1
    assert report.totals["pictures_decoded"] > 40


def test_what_has_expired_is_not_opened_any_more(house: House) -> None:
    house.opt_in()
    house.keep_for(timedelta(seconds=60))
    house.record(3)
    house.clock.forward(timedelta(seconds=62))
    report = house.check(Depth.OPENS)
    assert report.findings == []
    assert "files_opened" not in report.totals


def test_a_growing_file_is_opened_by_nobody_but_its_writer(house: House) -> None:
    house.opt_in()
    house.record(3, close=False)
    assert "files_opened" not in house.check(Depth.OPENS).totals
    with house.db.reading() as session:
        [sealed] = segments.growing(session)
    with pytest.raises(ValueError, match="growing"):
        Opening(house.keys, house.decoding, lambda: None).try_out(sealed, lambda _, __: b"")


class _Sweeping(FolderStore):
    """A store beside which a neighbour is destroyed, and the bucket re-keyed, before the first bytes are read."""

    house: House
    is_waiting = True

    def read(self, name: str, offset: int, length: int) -> bytes:
        if length > 16 and self.is_waiting and name == self.house.rows()[-1].blob_name:
            self.is_waiting = False
            self.house.eraser.sweep()
        return super().read(name, offset, length)


def test_a_neighbours_destruction_in_the_middle_of_it_accuses_nobody(house: House) -> None:
    house.opt_in()
    house.keep_for(timedelta(seconds=60))
    house.record(3)
    house.clock.forward(timedelta(seconds=30))
    house.record(3)
    house.delivery.deliver()
    house.clock.forward(timedelta(seconds=32))
    beside = _Sweeping(house.folder / "archive")
    beside.house = house
    house.store = beside
    assert house.check(Depth.OPENS).findings == []
    assert not beside.is_waiting


class _Failing:
    """A decoder that fails for its first film, or for every one."""

    def __init__(self, failure: Exception, times: int) -> None:
        self.failure, self.times = failure, times

    def run(self, media: Iterator[bytes]) -> Tried:
        self.times -= 1
        if self.times >= 0:
            raise self.failure
        return Tried(is_media=True, pictures=sum(1 for _ in media), sounds=0, refused=0)


@pytest.mark.parametrize(
    ("failure", "times", "kinds"),
    [
        (DecoderFailed("the decoder died"), 1, []),
        (DecoderFailed("the decoder died"), 9, [Kind.UNDECODABLE]),
        (DecoderUnavailable("no process"), 1, []),
        (DecoderUnavailable("no process"), 9, [Kind.CANNOT_TELL]),
    ],
)
def test_a_decoder_that_fails_is_asked_twice(house: House, failure: Exception, times: int, kinds: list[Kind]) -> None:
    furnish(house)
    failing = _Failing(failure, times)
    checker = house.checker(decoding=failing)
    assert sorted({one.kind for one in checker.check(Depth.OPENS).findings}) == kinds


def test_damage_is_told_also_where_no_decoder_takes_the_rest(house: House) -> None:
    _, stored, _ = furnish(house)
    _flip(house, stored.blob_name, 200)
    checker = house.checker(decoding=_Failing(DecoderFailed("the decoder died"), 99))
    assert [one.kind for one in checker.check(Depth.OPENS).findings if one.segment_id == stored.id] == [Kind.DAMAGED]


def test_a_check_that_may_open_nothing_says_so_before_it_looks(house: House) -> None:
    furnish(house)
    with pytest.raises(ValueError, match="nothing here opens files"):
        house.checker(decoding=None).check(Depth.OPENS)


def test_a_permit_of_a_check_opens_nothing_for_anybody_else(house: House) -> None:
    _, stored, _ = furnish(house)
    sealed = _sealed(house, stored)
    permit = permit_for_check(sealed.wrapped_place())
    with pytest.raises(AttributeError):
        house.keys.unwrap(permit, sealed.wrapped_place())  # type: ignore[arg-type]


def test_a_key_that_a_check_opened_is_remembered_nowhere(house: House) -> None:
    furnish(house)
    before = house.keys.remembered
    assert house.check(Depth.OPENS).is_clean
    assert house.keys.remembered == before


def test_that_files_are_opened_is_in_the_audit_before_the_first_one_is(house: House) -> None:
    furnish(house)

    def tags() -> list[int]:
        with house.db.reading() as session:
            return [tag for tag in session.scalars(select(EventRow.tag).order_by(EventRow.number)) if tag >= 80]

    house.checker(decoding=house.decoding, remembers=True).check(Depth.SEALS)
    assert tags() == [Tag.CHECK_DONE]
    seen: list[list[int]] = []

    class Watching:
        def run(self, media: Iterator[bytes]) -> Tried:
            seen.append(tags())
            return house.decoding.run(media)

    house.checker(decoding=Watching(), remembers=True).check(Depth.OPENS)
    assert seen == [[Tag.CHECK_DONE, Tag.CHECK_BEGUN]] * 2
    assert tags() == [Tag.CHECK_DONE, Tag.CHECK_BEGUN, Tag.CHECK_DONE]
    house.decoding.close()


def test_nothing_is_opened_that_the_audit_does_not_hear_of(house: House, failing_db: FailingDatabase) -> None:
    furnish(house)
    failing_db.is_full = True
    opened: list[int] = []

    class Watching:
        def run(self, media: Iterator[bytes]) -> Tried:
            opened.append(1)
            return Tried(is_media=True, pictures=1, sounds=0, refused=0)

    with pytest.raises(SQLAlchemyError):
        house.checker(decoding=Watching()).check(Depth.OPENS)
    assert opened == []


def test_nothing_of_a_picture_is_in_what_a_check_says(house: House) -> None:
    fed = furnish_and_feed(house)
    said = repr(house.check(Depth.OPENS)).encode()
    pieces = {one.data[at : at + 12] for one in fed for at in range(0, len(one.data) - 12, 12)}
    assert not any(piece in said for piece in pieces if len(set(piece)) > 6)


def furnish_and_feed(house: House) -> list[Fragment]:
    house.opt_in()
    return house.record(3)


def _sealed(house: House, segment: Segment) -> segments.Sealed:
    with house.db.reading() as session:
        sealed = segments.by_id(session, segment.camera_id, segment.id)
    assert sealed is not None
    return sealed

"""What the database itself refuses of what is registered ahead, whoever asks it (P1), and what a file tells itself."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError

from archive.format.beginning import Beginning, DamagedBeginning, decode_beginning, encode_beginning
from archive.recorder.standing import micros
from archive.segments import ahead
from archive.segments import store as segments
from archive.segments.ahead import Ahead
from archive.segments.store import NewSegment
from tests.given.footage import House
from tests.given.tampering import plainly
from vms_privacy.ids import BucketKeyId, CameraId, ConsentEntryId, SegmentId

_BEGINNING = Beginning(1_900_000_000_000_000, "0a1b-run", 3, "video+audio")


def _one(house: House, **changed: object) -> Ahead:
    """What could be registered of the camera now, under the newest opt-in there is."""
    with house.db.reading() as session:
        entries = house.ledger.history(session, house.camera.camera_id)
    entry = next((one.entry_id for one in reversed(entries) if one.answer == "given"), ConsentEntryId(UUID(int=5)))
    made = Ahead(
        id=SegmentId(UUID(int=1)),
        operator_id=house.operator_id,
        camera_id=house.camera.camera_id,
        consent_entry_id=entry,
        policy_version=0,
        keep_us=1_000_000,
        blob_name="b" * 22,
        store="default",
        bucket_key_id=BucketKeyId(UUID(int=2)),
        bucket_hour=1,
        wrapped_key=b"wrapped",
        salt=bytes(32),
        registered_us=micros(house.clock.now()),
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def _register(house: House, **changed: object) -> Ahead:
    one = _one(house, **changed)
    with house.db.writing() as session:
        ahead.add(session, one)
    return one


def _begin(house: House, one: Ahead, starts_us: int) -> None:
    with house.db.writing() as session:
        segments.add(
            session,
            NewSegment(
                id=one.id,
                operator_id=one.operator_id,
                camera_id=one.camera_id,
                consent_entry_id=one.consent_entry_id,
                policy_version=one.policy_version,
                blob_name=one.blob_name,
                store="default",
                starts_us=starts_us,
                keep_us=one.keep_us,
                run="run",
                epoch=1,
                tracks="video",
                chunk_size=4096,
                bucket_key_id=one.bucket_key_id,
                bucket_hour=one.bucket_hour,
                wrapped_key=one.wrapped_key,
                salt=one.salt,
            ),
        )


def test_nothing_is_registered_without_the_opt_in_in_force(house: House) -> None:
    house.opt_in()
    house.withdraw()
    with pytest.raises(IntegrityError, match="no active opt-in"):
        _register(house)
    house.opt_in()
    with pytest.raises(IntegrityError, match="no active opt-in"):
        _register(house, camera_id=CameraId(UUID(int=77)))
    with pytest.raises(IntegrityError, match="no active opt-in"):
        _register(house, consent_entry_id=ConsentEntryId(UUID(int=78)))


def test_nothing_is_registered_behind_the_end_of_an_opt_in(house: House) -> None:
    until = house.clock.now() + timedelta(seconds=10)
    with house.db.writing() as session:
        house.opt_in_until(session, until)
    with pytest.raises(IntegrityError, match="no active opt-in"):
        _register(house, registered_us=micros(until))
    _register(house, registered_us=micros(until) - 1)


def test_of_a_camera_one_segment_is_registered(house: House) -> None:
    house.opt_in()
    _register(house)
    with pytest.raises(IntegrityError):
        _register(house, id=SegmentId(UUID(int=3)), blob_name="c" * 22)


@pytest.mark.parametrize(
    "change",
    [
        "blob_name = 'cccccccccccccccccccccc'",
        "registered_us = registered_us - 1",
        "keep_us = keep_us + 1",
        f"camera_id = '{UUID(int=9).hex}'",
        f"id = '{UUID(int=9).hex}'",
    ],
)
def test_what_is_registered_stays_what_it_is(house: House, change: str) -> None:
    house.opt_in()
    _register(house)
    with pytest.raises(IntegrityError, match="keeps its place"):
        plainly(house.db, f"UPDATE segment_ahead SET {change}")
    plainly(house.db, "UPDATE segment_ahead SET keep_us = keep_us - 1")


def test_what_was_registered_becomes_a_segment_after_a_withdrawal_and_nothing_else_does(house: House) -> None:
    house.opt_in()
    one = _register(house)
    house.clock.forward(timedelta(seconds=5))
    house.withdraw()
    strangers = (
        replace(one, id=SegmentId(UUID(int=8))),
        replace(one, blob_name="c" * 22),
        replace(one, camera_id=CameraId(UUID(int=77))),
    )
    for stranger in strangers:
        with pytest.raises(IntegrityError, match="no active opt-in"):
            _begin(house, stranger, one.registered_us)
    with pytest.raises(IntegrityError, match="no active opt-in"):
        _begin(house, one, one.registered_us - 1)
    _begin(house, one, one.registered_us)
    assert [row.id for row in house.rows()] == [one.id]


class _Media:
    """Plaintext in memory."""

    def __init__(self, media: bytes) -> None:
        self._media = media

    @property
    def media_length(self) -> int:
        return len(self._media)

    def read(self, offset: int, length: int) -> bytes:
        return self._media[offset : offset + length]


_INIT = b"\0\0\0\x10ftypisomiso6" + b"\0\0\0\x09moov\0"


def test_a_file_tells_of_its_beginning_what_was_written_there() -> None:
    assert decode_beginning(_Media(_INIT + encode_beginning(_BEGINNING) + b"\0\0\0\x08moof")) == _BEGINNING


@pytest.mark.parametrize("keep", [0, 7, 16, 25, 40, -1])
def test_a_beginning_that_is_not_whole_is_none(keep: int) -> None:
    assert decode_beginning(_Media((_INIT + encode_beginning(_BEGINNING))[:keep])) is None


def test_behind_the_first_fragment_nobody_looks_for_it() -> None:
    assert decode_beginning(_Media(_INIT + b"\0\0\0\x08moof" + encode_beginning(_BEGINNING))) is None


@pytest.mark.parametrize(
    "change",
    [
        (b"urn:vms", b"urn:VMS"),
        (b"{", b"["),
        (b'"epoch"', b'"other"'),
        (b": 3", b":-3"),
        (b'"0a1b-run"', b"1234567890"),
    ],
)
def test_a_beginning_that_no_recorder_writes_is_refused(change: tuple[bytes, bytes]) -> None:
    with pytest.raises(DamagedBeginning):
        decode_beginning(_Media(encode_beginning(_BEGINNING).replace(*change)))

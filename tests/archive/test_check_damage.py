"""The check finds each kind of damage, and names exactly that."""

import io
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import pytest

from archive.check import Depth, Kind
from archive.check.rules import SECOND_US
from archive.segments.rules import Segment
from tests.given.checked import blob_path, change_behind_the_back, found, furnish
from tests.given.footage import House
from tests.given.tampering import NotTaken


def _lose_blob(house: House, _: Segment, stored: Segment, __: Segment) -> None:
    blob_path(house, stored.blob_name).unlink()


def _lose_spooled(house: House, _: Segment, __: Segment, spooled: Segment) -> None:
    (house.spool / spooled.blob_name).unlink()


def _bring_back_blob(house: House, erased: Segment, _: Segment, __: Segment) -> None:
    house.store.put(erased.blob_name, io.BytesIO(b"back again"), 10)


def _bring_back_spooled(house: House, erased: Segment, _: Segment, __: Segment) -> None:
    (house.spool / erased.blob_name).write_bytes(b"back again")


def _strange_blob(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    house.store.put("A" * 22, io.BytesIO(b"whose is this"), 13)


def _strange_file(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    (house.spool / "who-wrote-this").write_bytes(b"x")


def _strange_empty_file(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    (house.spool / ("A" * 22)).write_bytes(b"")


def _forget_in_spool(house: House, _: Segment, stored: Segment, __: Segment) -> None:
    (house.spool / stored.blob_name).write_bytes(blob_path(house, stored.blob_name).read_bytes())


def _cut_blob(house: House, _: Segment, stored: Segment, __: Segment) -> None:
    path = blob_path(house, stored.blob_name)
    path.write_bytes(path.read_bytes()[:-1])


def _lengthen_spooled(house: House, _: Segment, __: Segment, spooled: Segment) -> None:
    with (house.spool / spooled.blob_name).open("ab") as file:
        file.write(b"more")


def _change_last_tag(house: House, _: Segment, stored: Segment, __: Segment) -> None:
    path = blob_path(house, stored.blob_name)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def _change_salt(house: House, _: Segment, __: Segment, spooled: Segment) -> None:
    path = house.spool / spooled.blob_name
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(bytes(data))


def _change_magic(house: House, _: Segment, stored: Segment, __: Segment) -> None:
    path = blob_path(house, stored.blob_name)
    path.write_bytes(b"x" + path.read_bytes()[1:])


def _lose_bucket_row(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    house.store.erase("A" * 22)
    change_behind_the_back(house, "UPDATE segment SET bucket_key_id = ? WHERE state = 'stored'", uuid.UUID(int=5).hex)


def _lose_wrap(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    change_behind_the_back(house, "UPDATE segment SET wrapped_key = NULL WHERE state = 'stored' AND place = 'store'")


def _lose_key(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    [key] = house.keyring.bucket_keys()
    house.keyring.destroy_bucket_keys([key])


def _strange_key(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    house.keyring.create_bucket_key()


def _bring_back_key(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    change_behind_the_back(
        house, "UPDATE archive_bucket SET bucket_key_id = ? WHERE destroyed_at IS NOT NULL", _key(house)
    )


def _key(house: House) -> str:
    return house.keyring.create_bucket_key().hex


def _lose_gap(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    change_behind_the_back(house, "DELETE FROM recording_gap WHERE until_us - from_us > 5000000")


def _lose_row(house: House, erased: Segment, _: Segment, __: Segment) -> None:
    change_behind_the_back(house, "DELETE FROM segment WHERE id = ?", erased.id.hex)


def _overlap(house: House, _: Segment, __: Segment, spooled: Segment) -> None:
    change_behind_the_back(house, "UPDATE segment SET starts_us = starts_us - 60000000 WHERE id = ?", spooled.id.hex)


def _record_without_opt_in(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    change_behind_the_back(house, "UPDATE consent_entry SET answer = 'withdrawn'")
    change_behind_the_back(house, "DELETE FROM recording_gap")


def _get_stuck(house: House, _: Segment, __: Segment, spooled: Segment) -> None:
    change_behind_the_back(
        house,
        "UPDATE segment SET state = 'writing', ends_us = NULL, destroy_from_us = NULL WHERE id = ?",
        spooled.id.hex,
    )


def _forget_evidence(house: House, erased: Segment, _: Segment, __: Segment) -> None:
    change_behind_the_back(house, "UPDATE segment SET bytes_gone_at = NULL WHERE id = ?", erased.id.hex)


def _leave_key_undestroyed(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    change_behind_the_back(
        house,
        "UPDATE archive_bucket SET replaced_at = '2029-01-01 00:00:00.000000' WHERE destroyed_at IS NULL",
    )


def _say_stored(house: House, _: Segment, __: Segment, spooled: Segment) -> None:
    change_behind_the_back(house, "UPDATE segment SET place = 'store' WHERE id = ?", spooled.id.hex)


def _say_spooled(house: House, _: Segment, stored: Segment, __: Segment) -> None:
    change_behind_the_back(house, "UPDATE segment SET place = 'spool' WHERE id = ?", stored.id.hex)


def _miscount(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    change_behind_the_back(house, "UPDATE footage_day SET size_bytes = size_bytes + 1")


def _count_what_is_gone(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    change_behind_the_back(house, "UPDATE footage_day SET day = day - 1")


def _forget_sums(house: House, _: Segment, __: Segment, ___: Segment) -> None:
    change_behind_the_back(house, "DELETE FROM footage_day")


Damage = Callable[[House, Segment, Segment, Segment], None]
DAMAGES: Final[Sequence[tuple[Damage, list[Kind]]]] = (
    (_lose_blob, [Kind.LOST]),
    (_lose_spooled, [Kind.LOST]),
    (_bring_back_blob, [Kind.UNDEAD]),
    (_bring_back_spooled, [Kind.UNDEAD]),
    (_strange_blob, [Kind.STRANGER]),
    (_strange_file, [Kind.STRANGER]),
    (_strange_empty_file, [Kind.STRANGER]),
    (_forget_in_spool, [Kind.LEFT_BEHIND]),
    (_cut_blob, [Kind.WRONG_SIZE]),
    (_lengthen_spooled, [Kind.WRONG_SIZE]),
    (_change_last_tag, [Kind.WRONG_SEAL]),
    (_change_salt, [Kind.WRONG_SEAL]),
    (_change_magic, [Kind.WRONG_SEAL]),
    (_lose_bucket_row, [Kind.KEYLESS]),
    (_lose_wrap, [Kind.KEYLESS]),
    (_lose_key, [Kind.LOST_KEY]),
    (_strange_key, [Kind.STRANGER_KEY]),
    (_bring_back_key, [Kind.UNDEAD_KEY]),
    (_lose_gap, [Kind.UNACCOUNTED]),
    (_lose_row, [Kind.UNACCOUNTED]),
    (_overlap, [Kind.OVERLAPPING, Kind.WRONG_SUM]),
    (_record_without_opt_in, [Kind.WITHOUT_OPT_IN]),
    (_get_stuck, [Kind.STUCK, Kind.UNACCOUNTED, Kind.WRONG_SUM]),
    (_forget_evidence, [Kind.UNPROVEN]),
    (_leave_key_undestroyed, [Kind.OVERDUE]),
    (_say_stored, [Kind.MISPLACED]),
    (_say_spooled, [Kind.MISPLACED]),
    (_miscount, [Kind.WRONG_SUM]),
    (_count_what_is_gone, [Kind.WRONG_SUM]),
    (_forget_sums, [Kind.WRONG_SUM]),
)


@pytest.mark.parametrize(("damage", "kinds"), DAMAGES)
def test_each_kind_of_damage_is_found_and_nothing_else(house: House, damage: Damage, kinds: list[Kind]) -> None:
    rows = furnish(house)
    house.clock.forward(timedelta(seconds=8))
    assert found(house) == []
    try:
        damage(house, *rows)
    except NotTaken:
        pytest.skip("PostgreSQL takes no such row from anybody")
    assert found(house) == kinds


def test_what_only_the_seal_tells_is_not_seen_by_size_alone(house: House) -> None:
    rows = furnish(house)
    _change_last_tag(house, *rows)
    assert found(house, Depth.PRESENCE) == []
    assert found(house, Depth.SEALS) == [Kind.WRONG_SEAL]


def test_a_finding_names_the_segment_and_the_stretch_it_is_about(house: House) -> None:
    erased, stored, spooled = furnish(house)
    _lose_blob(house, erased, stored, spooled)
    [finding] = house.check().findings
    assert (finding.segment_id, finding.camera_id, finding.name) == (stored.id, stored.camera_id, stored.blob_name)
    assert str(stored.id) in str(finding)
    change_behind_the_back(house, "DELETE FROM segment WHERE id = ?", stored.id.hex)
    [lost] = [one for one in house.check().findings if one.kind is Kind.UNACCOUNTED]
    assert lost.span is not None
    assert abs(lost.span.from_us - stored.starts_us) < SECOND_US

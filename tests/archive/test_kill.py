"""`kill -9` at any moment: what was taken is there, nothing is left over, and no nonce was ever used twice."""

import random
from datetime import datetime
from pathlib import Path

from archive.keys.rules import permit_for_recovery
from archive.segments import store as segments
from archive.segments.rules import Span, State
from archive.segments.store import Sealed
from tests.given.clock import NOON
from tests.given.databases import Databases
from tests.given.footage import House
from tests.given.killable import KEEP, killed_after, opened
from tests.vectors.independent_reader import Head, Opened

ROUNDS = 10
_ALL = Span(0, 2**60)


def _living(house: House) -> list[Sealed]:
    with house.db.reading() as session:
        return segments.in_span(session, house.camera.camera_id, _ALL)


def _octets(house: House, name: str) -> bytes:
    spooled = house.spool / name
    return spooled.read_bytes() if spooled.exists() else house.store.read(name, 0, house.store.size(name) or 0)


def _growing(house: House) -> dict[str, bytes]:
    """The files that a kill left open, as they are before anything is repaired."""
    return {row.blob_name: _octets(house, row.blob_name) for row in house.rows() if row.state is State.WRITING}


def _key(house: House, sealed: Sealed) -> bytes:
    one = sealed.segment
    permit = permit_for_recovery(one.operator_id, one.camera_id, one.id)
    return house.keys.unwrap(permit, sealed.wrapped_place()).reveal()


def _opens_whole_and_once(house: House, sealed: Sealed) -> bytes:
    """Open every chunk with the second reader; return the key. Under any other closing byte no chunk opens."""
    key, data = _key(house, sealed), _octets(house, sealed.segment.blob_name)
    assert sealed.last_tag is not None
    assert list(Opened(data, key, sealed.salt, sealed.last_tag).media())
    head = Head(data, key, sealed.salt)
    step = head.chunk_size + 16
    for index, start in enumerate(range(80, len(data), step)):
        chunk = data[start : start + step]
        opening = [closing for closing in range(3) if head.open(index, closing, chunk) is not None]
        assert len(opening) == 1
    return key


def _kept(house: House, readable_us: int) -> set[int]:
    """When the pictures were captured that can be looked at. A segment before that is gone, destroyed or not yet."""
    readable = [one.segment.id for one in _living(house) if (one.segment.ends_us or _ALL.until_us) > readable_us]
    indexes = [house.footage.segment(house.look(), segment_id)[1] for segment_id in readable]
    return {entry.captured_from_us for index in indexes for entry in index.entries}


def test_a_kill_at_any_moment_loses_at_most_the_fragment_in_hand_and_leaves_nothing_behind(
    databases: Databases, tmp_path: Path
) -> None:
    url = databases.with_tables(tmp_path)
    moments = random.Random(20300115)
    now: datetime = NOON
    keys: dict[str, bytes] = {}
    taken: set[int] = set()
    for number in range(ROUNDS):
        with killed_after(url, tmp_path, now, moments.randint(1, 60)) as told:
            now = max(at for _, _, at in told)
        taken |= {captured_us for what, captured_us, _ in told if what == "after"}
        with opened(url, tmp_path, now) as house:
            left = _growing(house)
            assert not house.revive().recovered.failed, number
            assert State.WRITING not in {row.state for row in house.rows()}
            assert [str(one) for one in house.check().findings] == [], number
            readable_us = int((now - KEEP).timestamp() * 1_000_000) + 1
            lost = {captured_us for captured_us in taken if captured_us >= readable_us} - _kept(house, readable_us)
            assert lost == set(), number
            for sealed in _living(house):
                keys[sealed.segment.blob_name] = _opens_whole_and_once(house, sealed)
            for name, before in left.items():
                if before and name in keys:
                    after = _octets(house, name)
                    # Recovery keeps whole chunks as they are: nothing was sealed again under one of their nonces.
                    assert before.startswith(after[:-16])
            assert house.delivery.deliver().is_clean
    assert len(set(keys.values())) == len(keys) > ROUNDS // 2

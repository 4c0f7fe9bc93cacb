"""The life of a segment, and what a moment says about it."""

from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from archive.erasure import store as erasures
from archive.segments import store as segments
from archive.segments.rules import (
    NEXT,
    Span,
    State,
    StepNotAllowed,
    readable_from_us,
    step,
)
from archive.segments.store import Closed, NewSegment
from tests.given.clock import HandClock
from tests.given.promised import is_readable
from tests.given.randomness import CountedRandomness
from tests.given.segment_keys import CAMERA, OPERATOR, World, make_world
from vms_privacy.db import Database
from vms_privacy.ids import BucketKeyId, SegmentId

_times = st.integers(0, 4_000_000_000_000_000)
_keeps = st.integers(10_000_000, 366 * 86_400_000_000)


@given(st.lists(st.sampled_from(State), max_size=8))
def test_what_is_erased_never_comes_back(wishes: list[State]) -> None:
    now = State.WRITING
    seen = [now]
    for wish in wishes:
        if wish in NEXT[now]:
            now = step(now, wish)
            seen.append(now)
        else:
            with pytest.raises(StepNotAllowed):
                step(now, wish)
    gone = [State.ERASING, State.ERASED]
    first = next((at for at, state in enumerate(seen) if state in gone), len(seen))
    assert all(state in gone for state in seen[first:])


@given(_times, _keeps)
def test_a_picture_is_readable_until_its_second_of_expiry_and_not_in_it(captured: int, keep: int) -> None:
    assert readable_from_us(keep, captured + keep - 1) == captured
    assert readable_from_us(keep, captured + keep) > captured


@given(_times, _keeps, _times)
def test_the_first_readable_moment_agrees_with_every_picture(captured: int, keep: int, now: int) -> None:
    assert is_readable(captured, keep, now) == (captured >= readable_from_us(keep, now))


@pytest.fixture
def world(db: Database, clock: HandClock, randomness: CountedRandomness, tmp_path: Path) -> World:
    return make_world(db, clock, randomness, tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_times, _keeps, st.lists(st.integers(1, 60_000_000), min_size=1, max_size=20), st.none() | _keeps)
def test_nothing_is_due_while_one_of_its_packets_is_readable_and_all_of_it_from_then_on(
    world: World, start: int, keep: int, offsets: list[int], shorter: int | None
) -> None:
    """P4, P10: also if the retention was shortened after it was taken; a longer one changes nothing."""
    packets = [start + offset for offset in offsets]
    # Nothing of it is committed: each example finds an empty table.
    with Session(world.db.engine) as session:
        segment_id = _added(world, session, start, keep)
        assert segments.close(session, segment_id, Closed(start + 1, max(packets), bytes(16), 1))
        if shorter is not None:
            segments.shorten(session, CAMERA, shorter)
        kept = keep if shorter is None else min(keep, shorter)
        earliest = max(packets) + kept
        assert erasures.due(session, earliest - 1, 10) == []
        assert is_readable(max(packets), kept, earliest - 1)
        assert [one.id for one in erasures.due(session, earliest, 10)] == [segment_id]
        assert not any(is_readable(packet, kept, earliest) for packet in packets)


def _added(world: World, session: Session, start: int, keep: int) -> SegmentId:
    segment_id = SegmentId(UUID(int=1))
    row = NewSegment(
        id=segment_id,
        operator_id=OPERATOR,
        camera_id=CAMERA,
        consent_entry_id=world.ask().entry_id,
        policy_version=0,
        blob_name="A" * 22,
        store="default",
        starts_us=start,
        keep_us=keep,
        run="run",
        epoch=1,
        tracks="video",
        chunk_size=4096,
        bucket_key_id=BucketKeyId(UUID(int=2)),
        bucket_hour=0,
        wrapped_key=b"wrapped",
        salt=bytes(32),
    )
    segments.add(session, row)
    return segment_id


@given(_times, st.integers(1, 10**12), _times, st.integers(1, 10**12))
def test_two_spans_overlap_exactly_when_they_share_a_moment(a: int, la: int, b: int, lb: int) -> None:
    one, other = Span(a, a + la), Span(b, b + lb)
    assert one.overlaps(other) == (max(a, b) < min(a + la, b + lb))
    assert one.overlaps(other) == other.overlaps(one)


@given(_times, st.integers(0, 10**9))
def test_a_span_never_runs_backward(start: int, back: int) -> None:
    with pytest.raises(ValueError, match="forward"):
        Span(start, start - back)

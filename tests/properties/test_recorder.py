"""What the recorder's rules let through, over generated stories of opt-ins, withdrawals and cameras."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from archive.recorder.rules import (
    LONGEST_GROUP_US,
    LONGEST_SEGMENT_US,
    Allowed,
    Beginning,
    LeaveOut,
    OpenSegment,
    StartNew,
    Why,
    Write,
    beginning,
    longest_us,
    may_write,
    opted_in,
    place,
    still_allowed,
)
from archive.segments.rules import LONGEST_FILE_US, Newest
from streams.media.packets import Fragment, Track
from vms_privacy.consent.rules import Answer, ConsentEntry, ConsentKind, in_force
from vms_privacy.ids import CameraId, ConsentEntryId, OperatorId, SegmentId

_SECOND = 1_000_000
_START = 1_900_000_000 * _SECOND
_CAMERA = CameraId(UUID(int=1))
_BOTH = frozenset(Track)


class _What(Enum):
    GIVE = auto()
    WITHDRAW = auto()
    SOUND_ON = auto()
    SOUND_OFF = auto()


@dataclass(frozen=True, slots=True)
class _Act:
    at_us: int
    what: _What


@dataclass(frozen=True, slots=True)
class _Story:
    acts: tuple[_Act, ...]
    fragments: tuple[Fragment, ...]
    keep_us: int

    def allowed(self, at_us: int) -> tuple[Allowed | None, int | None]:
        """Opt-in and its end as the ledger tells them at a moment."""
        now: Allowed | None = None
        stopped_us: int | None = None
        for number, act in enumerate(self.acts):
            if act.at_us > at_us:
                break
            if act.what is _What.GIVE:
                now, stopped_us = Allowed(ConsentEntryId(UUID(int=100 + number)), act.at_us, None), None
            elif now is not None and act.what is _What.WITHDRAW:
                now, stopped_us = None, act.at_us
            elif now is not None:
                now = replace(now, audio_from_us=act.at_us if act.what is _What.SOUND_ON else None)
        return now, stopped_us


def _fragment(track: Track, from_us: int, length_us: int, late_us: int, *, key: bool, epoch: int) -> Fragment:
    return Fragment(
        track=track,
        epoch=epoch,
        sequence=1,
        data=b"x",
        starts_with_key=key,
        decode_time=0,
        duration=1,
        captured_from_us=from_us,
        captured_until_us=from_us + length_us,
        first_arrived_at_us=from_us + late_us,
        last_arrived_at_us=from_us + length_us + late_us,
        packets=1,
    )


_WHATS = st.sampled_from([_What.SOUND_ON, _What.SOUND_OFF, _What.WITHDRAW, _What.GIVE])
_SHAPES = st.tuples(
    st.sampled_from([400_000, 500_000, 2 * _SECOND, 30 * _SECOND]),
    st.integers(0, 300_000),
    st.sampled_from(["", "", "key", "new parameters"]),
    st.booleans(),
)


@st.composite
def _stories(draw: st.DrawFn) -> _Story:
    """A camera that is opted in a second into the story, and what comes then."""
    steps = draw(st.lists(st.tuples(st.integers(1, 15 * _SECOND), _WHATS), max_size=5))
    acts, at_us = [_Act(_START + _SECOND, _What.GIVE)], _START + _SECOND
    for step_us, what in steps:
        at_us += step_us
        acts.append(_Act(at_us, what))
    fragments, at_us, epoch = [], _START, 1
    for length_us, late_us, begins, has_sound in draw(st.lists(_SHAPES, max_size=40)):
        epoch += begins == "new parameters"
        fragments.append(_fragment(Track.VIDEO, at_us, length_us, late_us, key=bool(begins), epoch=epoch))
        if has_sound:
            fragments.append(_fragment(Track.AUDIO, at_us, length_us, late_us, key=False, epoch=epoch))
        at_us += length_us
    keep_us = draw(st.sampled_from([10, 20, 60, 3600, 72 * 3600])) * _SECOND
    return _Story(tuple(acts), tuple(fragments), keep_us)


def _play(story: _Story) -> list[list[Fragment]]:
    """Do with each fragment what the rules say; return what each segment holds."""
    written: list[list[Fragment]] = []
    now: OpenSegment | None = None
    for fragment in story.fragments:
        allowed, stopped_us = story.allowed(fragment.last_arrived_at_us)
        if may_write(fragment, allowed, stopped_us) is not None or allowed is None:
            continue
        match place(fragment, "run", allowed, 1, story.keep_us, now):
            case Write():
                assert now is not None
                written[-1].append(fragment)
                if fragment.starts_with_key:
                    now = replace(now, last_key_us=fragment.captured_from_us)
            case StartNew():
                tracks = _BOTH if allowed.audio_from_us is not None else frozenset({Track.VIDEO})
                start_us = fragment.captured_from_us
                now = OpenSegment("run", fragment.epoch, start_us, start_us, 1, allowed, tracks)
                written.append([fragment])
            case LeaveOut(_, ends):
                now = None if ends else now
    return written


def _withdrawals(story: _Story) -> list[tuple[int, int]]:
    """From each withdrawal until the next opt-in."""
    gives = [act.at_us for act in story.acts if act.what is _What.GIVE]
    ends = [act.at_us for act in story.acts if act.what is _What.WITHDRAW]
    return [(end, min((give for give in gives if give > end), default=2**62)) for end in ends]


@given(_stories())
@settings(max_examples=300)
def test_no_fragment_with_a_packet_after_the_withdrawal_is_ever_written(story: _Story) -> None:
    for fragment in (one for segment in _play(story) for one in segment):
        for from_us, until_us in _withdrawals(story):
            assert not from_us <= fragment.first_arrived_at_us < until_us
            assert not from_us <= fragment.last_arrived_at_us < until_us


@given(_stories())
@settings(max_examples=300)
def test_no_fragment_with_a_packet_from_before_the_opt_in_is_ever_written(story: _Story) -> None:
    for fragment in (one for segment in _play(story) for one in segment):
        allowed, _ = story.allowed(fragment.last_arrived_at_us)
        assert allowed is not None
        assert allowed.from_us <= fragment.first_arrived_at_us
        assert allowed.from_us <= fragment.captured_from_us


@given(_stories())
def test_no_sound_is_written_without_an_opt_in_of_its_own_and_none_into_a_segment_without_a_track_for_it(
    story: _Story,
) -> None:
    for segment in _play(story):
        began, _ = story.allowed(segment[0].last_arrived_at_us)
        for fragment in segment:
            if fragment.track is Track.AUDIO:
                allowed, _ = story.allowed(fragment.last_arrived_at_us)
                assert allowed is not None
                assert allowed.audio_from_us is not None
                assert began is not None
                assert began.audio_from_us is not None


@given(_stories())
def test_a_segment_rests_on_one_opt_in(story: _Story) -> None:
    for segment in _play(story):
        entries = {story.allowed(one.last_arrived_at_us)[0] for one in segment}
        assert len({None if allowed is None else allowed.entry_id for allowed in entries}) == 1


@given(_stories())
def test_a_segment_starts_at_a_key_picture(story: _Story) -> None:
    for segment in _play(story):
        assert segment[0].track is Track.VIDEO
        assert segment[0].starts_with_key


@given(_stories())
def test_a_segment_holds_one_set_of_parameters(story: _Story) -> None:
    assert all(len({one.epoch for one in segment}) == 1 for segment in _play(story))


@given(_stories())
def test_a_segment_is_never_longer_than_its_limit_plus_one_group_of_pictures(story: _Story) -> None:
    for segment in _play(story):
        keys = [one.captured_from_us for one in segment if one.starts_with_key]
        ends_us = max(one.captured_until_us for one in segment)
        groups = [later - one for one, later in zip(keys, [*keys[1:], ends_us], strict=True)]
        assert ends_us - segment[0].captured_from_us <= longest_us(story.keep_us) + max(groups)


@given(_stories())
def test_no_camera_makes_an_endless_segment(story: _Story) -> None:
    endless = replace(story, fragments=tuple(replace(one, epoch=1) for one in story.fragments))
    for segment in _play(endless):
        keys = [one.captured_from_us for one in segment if one.starts_with_key]
        assert max(one.captured_until_us for one in segment) - keys[-1] <= LONGEST_GROUP_US
        assert max(one.captured_until_us for one in segment) - keys[0] <= LONGEST_FILE_US


def test_a_camera_that_sends_no_second_key_picture_is_cut_off_with_a_reason() -> None:
    allowed = Allowed(ConsentEntryId(UUID(int=1)), 0, None)
    video = frozenset({Track.VIDEO})
    now = OpenSegment("run", 1, _START, _START, 1, allowed, video)
    late = _fragment(Track.VIDEO, _START + LONGEST_GROUP_US, 500_000, 0, key=False, epoch=1)
    assert place(late, "run", allowed, 1, 10**12, now) == LeaveOut(Why.NO_KEY_PICTURE, ends=True)


@given(_stories())
def test_every_key_picture_that_is_allowed_is_written(story: _Story) -> None:
    written = [one for segment in _play(story) for one in segment]
    for fragment in story.fragments:
        allowed, stopped_us = story.allowed(fragment.last_arrived_at_us)
        if fragment.starts_with_key and may_write(fragment, allowed, stopped_us) is None:
            assert fragment in written


@given(st.integers(1, 10**13))
def test_a_segment_is_at_most_a_minute_or_a_quarter_of_a_short_retention(keep_us: int) -> None:
    assert longest_us(keep_us) <= LONGEST_SEGMENT_US
    assert longest_us(keep_us) * 4 <= keep_us


_newest = st.none() | st.builds(
    lambda start, length, kept: Newest(SegmentId(UUID(int=1)), start, start + length, kept),
    st.integers(0, 100),
    st.integers(1, 60),
    st.booleans(),
)


@given(st.integers(0, 200), _newest)
def test_segments_of_a_camera_never_overlap_and_what_is_being_destroyed_is_left_as_it_is(
    captured_us: int, newest: Newest | None
) -> None:
    begins = beginning(captured_us, newest)
    if isinstance(begins, Beginning):
        assert begins.starts_us == captured_us
        ends_us = 0 if newest is None else min(newest.ends_us, captured_us) if begins.cuts_newest else newest.ends_us
        assert ends_us <= captured_us
        if begins.cuts_newest:
            assert newest is not None
            assert newest.is_kept
            assert newest.starts_us < captured_us
    else:
        assert begins.why is Why.CLOCK_WENT_BACK
        assert newest is not None
        assert captured_us < newest.ends_us


@st.composite
def _histories(draw: st.DrawFn) -> list[ConsentEntry]:
    at = datetime(2030, 1, 1, tzinfo=UTC)
    entries: list[ConsentEntry] = []
    for kind in (ConsentKind.VIDEO_RECORDING, ConsentKind.RECORDED_AUDIO):
        for number in range(1, draw(st.integers(0, 6)) + 1):
            at += timedelta(seconds=draw(st.integers(-5, 60)))
            answer = draw(st.sampled_from(Answer))
            until = None
            if answer is Answer.GIVEN and draw(st.booleans()):
                until = at + timedelta(seconds=draw(st.integers(1, 100)))
            number_id = ConsentEntryId(UUID(int=len(entries) + 1))
            entries.append(
                ConsentEntry(number_id, number, _CAMERA, OperatorId(UUID(int=2)), "person", kind, answer, at, until)
            )
    return entries


@given(_histories(), st.integers(-10, 400))
def test_the_stretches_of_an_opt_in_are_those_in_which_the_ledger_would_have_allowed_to_record(
    entries: list[ConsentEntry], second: int
) -> None:
    at = datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    kind = ConsentKind.VIDEO_RECORDING
    spans = opted_in(entries, kind)
    mine = [one for one in entries if one.kind is kind]
    if _rises(mine):
        known = [one for one in mine if one.from_at <= at]
        allowed = in_force(known, _CAMERA, kind, at)
        covering = [one.entry_id for one in spans if one.from_at <= at and (one.until is None or at < one.until)]
        assert covering == ([] if allowed is None else [allowed.entry_id])


@given(_histories())
def test_the_stretches_of_an_opt_in_run_forward_and_never_overlap(entries: list[ConsentEntry]) -> None:
    spans = opted_in(entries, ConsentKind.VIDEO_RECORDING)
    assert all(one.until is None or one.from_at < one.until for one in spans)
    mine = [one for one in entries if one.kind is ConsentKind.VIDEO_RECORDING]
    if _rises(mine):
        assert all(one.until is not None and one.until <= later.from_at for one, later in itertools.pairwise(spans))


def _rises(entries: Sequence[ConsentEntry]) -> bool:
    return all(one.from_at <= later.from_at for one, later in itertools.pairwise(entries))


_ENDS = st.none() | st.integers(_START, _START + 60 * _SECOND)


@given(until_us=_ENDS, audio_until_us=_ENDS, now_us=st.integers(_START - _SECOND, _START + 61 * _SECOND))
def test_what_is_allowed_never_outlives_its_own_end_and_loses_nothing_before(
    until_us: int | None, audio_until_us: int | None, now_us: int
) -> None:
    allowed = Allowed(ConsentEntryId(UUID(int=1)), _START, _START, until_us, audio_until_us)
    left = still_allowed(allowed, now_us)
    assert (left is None) == (until_us is not None and until_us <= now_us)
    if left is not None:
        sound_is_over = audio_until_us is not None and audio_until_us <= now_us
        assert (left.audio_from_us is None) == sound_is_over
        assert left == allowed or sound_is_over

"""Spans of the ring that playlists name. No media in here: only numbers, so a segment cannot keep old bytes alive.

Times with `_us` are microseconds since 1970 on our clock.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile

from streams.live.rules import Ends, judge_segment, listed_from, target_seconds_for
from streams.media.packets import TrackInfo
from streams.media.playlists import rounded_seconds


@dataclass(frozen=True, slots=True)
class Run:
    """What one init segment decodes: an epoch, and the following ones as long as nothing in it changes."""

    number: int
    tracks: tuple[TrackInfo, ...]
    init: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class LiveSegment:
    """The pieces from number `first` to before `end`. `timeline` counts the new timelines up to this segment."""

    number: int
    run: Run
    first: int
    end: int
    duration_us: int
    captured_from_us: int
    begins_new_timeline: bool
    timeline: int


@dataclass(slots=True)
class _Open:
    run: Run
    first: int
    captured_from_us: int
    begins_new_timeline: bool
    duration_us: int = 0


class Segments:
    """The complete segments still in the ring, and the one that grows."""

    def __init__(self) -> None:
        self.target_seconds: int | None = None
        self.following = 0
        self._done: deque[LiveSegment] = deque()
        self._open: _Open | None = None
        self._timeline = 0
        self._is_new_timeline = False

    def add(self, run: Run, position: int, length_us: int, captured_from_us: int, *, is_key: bool) -> None:
        """Take the video fragment that is about to be piece `position`."""
        if self._open is not None:
            verdict = judge_segment(
                self._open.duration_us, length_us, next_is_key=is_key, target_seconds=self.target_seconds
            )
            if isinstance(verdict, Ends):
                if self.target_seconds is None:
                    self.target_seconds = target_seconds_for(self._open.duration_us)
                self._close(position)
                self._begin(run, position, captured_from_us)
        elif is_key:
            self._begin(run, position, captured_from_us)
        if self._open is not None:
            self._open.duration_us += length_us

    def break_off(self, position: int) -> None:
        """Complete the open segment before piece `position`, early: what follows is on a new timeline."""
        self._close(position)
        self._is_new_timeline = True

    def drop_before(self, position: int) -> None:
        """Let go of every segment that misses a piece before `position`."""
        while self._done and self._done[0].first < position:
            self._done.popleft()
        if self._open is not None and self._open.first < position:
            # Longer than the whole ring: it can never be sent whole, so the next key picture begins another.
            self._open = None
            self._is_new_timeline = True

    def __iter__(self) -> Iterator[LiveSegment]:
        return iter(self._done)

    def get(self, number: int) -> LiveSegment | None:
        """Return one complete segment, or None if it is not here (any more, or yet)."""
        return next((one for one in self._done if one.number == number), None)

    def listed(self, span_us: int) -> list[LiveSegment]:
        """Return the newest segments, as many as a playlist names; empty before the target duration is known."""
        target = self.target_seconds
        if target is None:
            return []
        # One that was broken off before the target was known may be longer: it is not listed, nor what is before it.
        done = list(takewhile(lambda one: rounded_seconds(one.duration_us) <= target, reversed(self._done)))[::-1]
        return done[listed_from([one.duration_us for one in done], target, span_us) :]

    def _begin(self, run: Run, position: int, captured_from_us: int) -> None:
        self._open = _Open(run, position, captured_from_us, self._is_new_timeline)
        self._timeline += self._is_new_timeline
        self._is_new_timeline = False

    def _close(self, position: int) -> None:
        done = self._open
        self._open = None
        if done is None:
            return
        segment = LiveSegment(
            number=self.following,
            run=done.run,
            first=done.first,
            end=position,
            duration_us=done.duration_us,
            captured_from_us=done.captured_from_us,
            begins_new_timeline=done.begins_new_timeline,
            timeline=self._timeline,
        )
        self._done.append(segment)
        self.following += 1

"""The ring: the newest seconds of one camera, in memory and nowhere else (promise P2).

Bounded by age, by bytes, and by what the wall clock says; what leaves it is gone, since nothing else refers to it.
Fragments are kept by number and segments only name spans of numbers, so both kinds of viewer share one copy.

Not thread-safe: one event loop owns it. Times with `_us` are microseconds since 1970 on our clock.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import Final

from streams.live.rules import RingView, is_hole
from streams.live.segments import LiveSegment, Run, Segments
from streams.media.fragments import shift_decode_time
from streams.media.packets import Epoch, Fragment, Track, TrackInfo

_SECOND_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Piece:
    """One fragment in the ring, under its number, with decode times that go on within its run."""

    number: int
    run: Run
    fragment: Fragment


class Ring:
    """Takes epochs and fragments of one camera as they come; hands out pieces, segments and init segments.

    Holds `max_seconds` of pictures and at most `max_bytes`. Nothing is held before the first key picture of an epoch,
    and no sound unless `hear` allowed it. A following epoch with the very same init segment goes on in the same
    run: its decode times are moved to where the run has come to.
    """

    def __init__(self, max_seconds: float = 30.0, max_bytes: int = 64 * 1024 * 1024) -> None:
        self.max_seconds = max_seconds
        self.held_bytes = 0
        self.newest_us = 0
        self.run: Run | None = None
        self.segments = Segments()
        self._max_bytes = max_bytes
        self._hears_from_us: int | None = None
        self._epoch: Epoch | None = None
        self._run_epoch = -1
        self._is_settled = False
        self._pieces: dict[int, Piece] = {}
        self._following = 0
        self._keys: deque[int] = deque()
        self._shift_us = 0
        self._ended_us: dict[Track, int] = {}

    def begin(self, epoch: Epoch) -> None:
        """Go on with `epoch` from its first key picture."""
        self._epoch = epoch
        self._is_settled = False

    def hear(self, from_us: int | None) -> bool:
        """Hold sound that arrives from a moment on, beginning at the next key picture; with None, no more.

        Then whatever is in one file with sound is forgotten at once, pictures too. Returns whether that was so.
        """
        was_allowed = self._hears_from_us is not None
        if was_allowed == (from_us is not None):
            return False
        self._hears_from_us = from_us
        self._is_settled = False
        if from_us is None and self._has_sound():
            self.forget()
            return True
        return False

    def put(self, fragment: Fragment) -> Piece | None:
        """Take the newest fragment; return the piece it became, or None if it is not to be held."""
        epoch = self._epoch
        if epoch is None or fragment.epoch != epoch.number:
            return None
        is_key = fragment.track is Track.VIDEO and fragment.starts_with_key
        if is_key and not self._is_settled:
            self._settle(epoch, fragment)
        run = self.run
        if run is None or self._run_epoch != epoch.number:
            return None
        info = next((one for one in run.tracks if one.track is fragment.track), None)
        if info is None:
            return None
        begins_us = fragment.decode_time * _SECOND_US // info.timescale + self._shift_us
        length_us = fragment.duration * _SECOND_US // info.timescale
        if fragment.track is Track.AUDIO:
            # The sound of an epoch may begin before its pictures; two sounds at once cannot be played.
            if not self._may_hear(fragment) or begins_us < self._ended_us.get(Track.AUDIO, 0):
                return None
        else:
            if is_hole(self._ended_us.get(Track.VIDEO, begins_us), begins_us):
                self.segments.break_off(self._following)
            self.segments.add(run, self._following, length_us, fragment.captured_from_us, is_key=is_key)
        piece = Piece(self._following, run, self._moved(fragment, info))
        self._pieces[piece.number] = piece
        self._following += 1
        if is_key:
            self._keys.append(piece.number)
        self._ended_us[fragment.track] = begins_us + length_us
        self.newest_us = max(self.newest_us, fragment.captured_until_us)
        self.held_bytes += len(fragment.data)
        self._trim()
        return piece

    def forget(self) -> None:
        """Let go of everything held; the next key picture begins anew."""
        while self._pieces:
            self._drop_oldest()

    def forget_before(self, at_us: int) -> None:
        """Let go of what was captured before `at_us`: a camera that went silent leaves no old picture behind."""
        while self._pieces:
            oldest = next(iter(self._pieces.values()))
            if oldest.fragment.captured_until_us >= at_us:
                break
            self._drop_oldest()

    def view(self) -> RingView:
        """Return which positions there are, and the newest key picture."""
        oldest = next(iter(self._pieces), self._following)
        return RingView(oldest, self._following, self._keys[-1] if self._keys else None)

    def piece(self, number: int) -> Piece | None:
        """Return one piece, or None if it is not here (any more)."""
        return self._pieces.get(number)

    def behind_us(self, number: int | None) -> int:
        """Return how much older a piece is than the newest one; 0 if it is not here."""
        piece = None if number is None else self._pieces.get(number)
        return 0 if piece is None else max(0, self.newest_us - piece.fragment.captured_from_us)

    def run_of(self, number: int) -> Run | None:
        """Return a run whose init segment can still be asked for."""
        runs = (self.run, *(segment.run for segment in self.segments))
        return next((run for run in runs if run is not None and run.number == number), None)

    def listed(self) -> list[LiveSegment]:
        """Return the segments a playlist names now: half of the ring.

        The other half is for players that read an older playlist and come for what has just left it.
        """
        return self.segments.listed(round(self.max_seconds * _SECOND_US / 2))

    def _settle(self, epoch: Epoch, key: Fragment) -> None:
        """Decide at a key picture which run the epoch belongs to."""
        wanted = tuple(one for one in epoch.tracks if one.track is Track.VIDEO or self._hears_from_us is not None)
        init = epoch.init[frozenset(one.track for one in wanted)]
        before = self.run
        if before is None or before.init != init or before.tracks != wanted:
            self.run = Run(1 if before is None else before.number + 1, wanted, init)
            self._shift_us = 0
            self._ended_us = {}
            if before is not None:
                self.segments.break_off(self._following)
        elif self._run_epoch != epoch.number:
            timescale = next(one.timescale for one in wanted if one.track is Track.VIDEO)
            self._shift_us = max(self._ended_us.values()) - key.decode_time * _SECOND_US // timescale
        self._run_epoch = epoch.number
        self._is_settled = True

    def _has_sound(self) -> bool:
        """Say whether sound is or may be held: in this run, or in one that the camera has left behind meanwhile."""
        runs = [] if self.run is None else [self.run]
        runs += (piece.run for piece in self._pieces.values())
        return any(one.track is Track.AUDIO for run in runs for one in run.tracks)

    def _may_hear(self, fragment: Fragment) -> bool:
        return self._hears_from_us is not None and fragment.earliest_us >= self._hears_from_us

    def _moved(self, fragment: Fragment, info: TrackInfo) -> Fragment:
        # Rounded up: a tick of silence is nothing, a tick too early would lie before the end of what was sent.
        delta = -(-self._shift_us * info.timescale // _SECOND_US)
        if delta == 0:
            return fragment
        data = shift_decode_time(fragment.data, delta)
        return replace(fragment, data=data, decode_time=fragment.decode_time + delta)

    def _trim(self) -> None:
        self.forget_before(self.newest_us - round(self.max_seconds * _SECOND_US))
        while self.held_bytes > self._max_bytes:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        number, piece = next(iter(self._pieces.items()))
        del self._pieces[number]
        self.held_bytes -= len(piece.fragment.data)
        if self._keys and self._keys[0] == number:
            self._keys.popleft()
        self.segments.drop_before(number + 1)

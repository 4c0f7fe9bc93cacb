"""Which fragments may be shown, and how they are grouped for a player. Times are microseconds of our clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from archive.format.index import FragmentEntry
from archive.orders.rules import FOREVER_US, NOTHING_ORDERED, Ordered
from archive.segments.rules import Span, readable_from_us
from streams.media.packets import Track

LONGEST_SPAN_US: Final = 24 * 3600 * 1_000_000
PIECE_US: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may be shown of one segment at one moment. `from_us` included, `until_us` not.

    What was captured before `kept_from_us` has expired. Orders close some of it, or open what has expired (P6).
    """

    from_us: int
    until_us: int
    kept_from_us: int = 0
    ordered: Ordered = NOTHING_ORDERED

    @property
    def floor_us(self) -> int:
        """The moment before which nothing is shown unless an order opens it."""
        return max(self.from_us, self.kept_from_us)


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of fragments of one segment that starts with a key picture: what a player fetches at once.

    `first` and `last` are places in the segment's index, both included.
    """

    first: int
    last: int
    from_us: int
    until_us: int


def bounds(window: Span, depth_us: int | None, keep_us: int, now_us: int, ordered: Ordered = NOTHING_ORDERED) -> Bounds:
    """Return what the token's window, the grant's depth, the retention and orders leave of a segment."""
    from_us = window.from_us if depth_us is None else max(window.from_us, now_us - depth_us)
    return Bounds(from_us, window.until_us, readable_from_us(keep_us, now_us), ordered)


def may_show(entry: FragmentEntry, allowed: Bounds) -> bool:
    """Say whether every picture of a fragment lies within the bounds."""
    from_us, until_us = entry.captured_from_us, entry.captured_until_us
    if from_us < allowed.from_us or until_us > allowed.until_us or allowed.ordered.closes(from_us, until_us):
        return False
    is_there = from_us >= allowed.kept_from_us and not allowed.ordered.is_gone(from_us, until_us)
    return is_there or allowed.ordered.opens(from_us, until_us)


def shown_until_us(entry: FragmentEntry, depth_us: int | None, keep_us: int, ordered: Ordered) -> int:
    """Return the moment from which a fragment is too old for the grant's depth or the retention."""
    ends = [depth_us if depth_us is not None else FOREVER_US]
    if not ordered.opens(entry.captured_from_us, entry.captured_until_us):
        ends.append(keep_us)
    return entry.captured_from_us + min(ends)


def selections(entries: Sequence[FragmentEntry], wanted: Span, allowed: Bounds) -> list[range]:
    """Return the stretches of fragments that show `wanted`: more than one where an order cuts it."""
    first = selected(entries, wanted, allowed)
    found = [first] if first else []
    while allowed.ordered is not NOTHING_ORDERED and found and found[-1].stop < len(entries):
        more = selected(entries, wanted, allowed, after=found[-1].stop)
        if not more:
            break
        found.append(more)
    return found


def selected(entries: Sequence[FragmentEntry], wanted: Span, allowed: Bounds, after: int = 0) -> range:
    """Return the places of the fragments that show `wanted`, beginning with a key picture that may be shown.

    Only what stands at `after` or behind is looked at.

    Decoding starts at a key picture, so the one before `wanted` is taken if it may be shown, else the next one. A
    picture that could only be decoded with the help of one that must not be shown is not shown either. Sound may lie
    behind a picture that was captured after it: where that sound must not be shown any more, the next key picture
    begins.
    """
    keys = [
        at
        for at, entry in enumerate(entries)
        if at >= after and entry.track is Track.VIDEO and entry.starts_with_key and may_show(entry, allowed)
    ]
    before = [at for at in keys if entries[at].captured_from_us <= wanted.from_us]
    later = [at for at in keys if wanted.from_us < entries[at].captured_from_us < wanted.until_us]
    if before and _reaches(entries, before[-1], wanted.from_us):
        later.insert(0, before[-1])
    skipped_to = after
    for start in later:
        if start < skipped_to:
            continue
        end, broken_at = _run(entries, start, wanted, allowed)
        if not any(one.captured_until_us > wanted.from_us for one in entries[start:end]):
            # What was asked for must not be shown, and nobody asked for what comes before it.
            continue
        if broken_at is not None and entries[broken_at].captured_from_us < entries[start].captured_from_us:
            # Nothing that came earlier than the start, and must not be shown, may lie behind it.
            skipped_to = broken_at
            continue
        return range(start, end)
    return range(0)


def _run(entries: Sequence[FragmentEntry], start: int, wanted: Span, allowed: Bounds) -> tuple[int, int | None]:
    """Return the end of what can be shown from a start on, and what ended it, if that must not be shown."""
    end = start
    for at in range(start, len(entries)):
        entry = entries[at]
        is_wanted = entry.captured_from_us < wanted.until_us
        if not may_show(entry, allowed):
            return end, at
        if entry.track is Track.VIDEO and not is_wanted:
            break
        if is_wanted:
            end = at + 1
    return end, None


def pieces(entries: Sequence[FragmentEntry], chosen: range, longest_us: int = PIECE_US) -> list[Piece]:
    """Cut the chosen fragments into pieces at key pictures, each at least `longest_us` long but for the last."""
    if not chosen:
        return []
    cuts: list[int] = []
    for at in chosen:
        entry = entries[at]
        if entry.track is not Track.VIDEO or not entry.starts_with_key:
            continue
        if not cuts or entry.captured_from_us - entries[cuts[-1]].captured_from_us >= longest_us:
            cuts.append(at)
    ends = [*cuts[1:], chosen.stop]
    return [
        Piece(first, end - 1, entries[first].captured_from_us, _video_until(entries, first, end))
        for first, end in zip(cuts, ends, strict=True)
    ]


def _reaches(entries: Sequence[FragmentEntry], key: int, moment_us: int) -> bool:
    """Say whether the group of pictures that begins at `key` goes on until `moment_us`."""
    for entry in entries[key:]:
        if entry.track is Track.VIDEO and entry.captured_until_us > moment_us:
            return True
        if entry.captured_from_us > moment_us:
            return False
    return False


def _video_until(entries: Sequence[FragmentEntry], first: int, end: int) -> int:
    return max(entry.captured_until_us for entry in entries[first:end] if entry.track is Track.VIDEO)

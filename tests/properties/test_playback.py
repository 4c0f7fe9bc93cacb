"""Nothing is shown that may not be shown, and nothing that may be shown is lost."""

from hypothesis import given
from hypothesis import strategies as st

from archive.format.index import FragmentEntry
from archive.playback.rules import Bounds, bounds, may_show, pieces, selected
from archive.segments.rules import Span
from streams.media.packets import Track
from tests.given.promised import is_readable

_SECOND = 1_000_000


@st.composite
def _entries(draw: st.DrawFn) -> list[FragmentEntry]:
    """Fragments of half a second; every n-th video fragment starts with a key picture; sound lies between."""
    start = draw(st.integers(10**15, 10**15 + 10**9))
    gop = draw(st.integers(1, 6))
    with_audio = draw(st.booleans())
    found: list[FragmentEntry] = []
    offset = 100
    for number in range(draw(st.integers(0, 60))):
        begin = start + number * _SECOND // 2
        for track in (Track.VIDEO, Track.AUDIO) if with_audio else (Track.VIDEO,):
            found.append(
                FragmentEntry(
                    track=track,
                    captured_from_us=begin,
                    captured_until_us=begin + _SECOND // 2,
                    offset=offset,
                    length=1000,
                    starts_with_key=track is Track.VIDEO and number % gop == 0,
                    decode_time=number * 45000,
                    duration=45000,
                )
            )
            offset += 1000
    return found


_moments = st.integers(10**15 - 20 * _SECOND, 10**15 + 10**9 + 60 * _SECOND)
_lengths = st.integers(1, 90 * _SECOND)


@given(_entries(), _moments, _lengths, _moments, _lengths)
def test_nothing_outside_the_bounds_is_ever_selected(
    entries: list[FragmentEntry], wanted: int, length: int, allowed: int, allowed_length: int
) -> None:
    within = Bounds(allowed, allowed + allowed_length)
    chosen = selected(entries, Span(wanted, wanted + length), within)
    assert all(may_show(entries[at], within) for at in chosen)
    if chosen:
        assert entries[chosen.start].starts_with_key


@given(_entries(), _moments, _lengths)
def test_all_of_a_span_is_selected_when_everything_may_be_shown(
    entries: list[FragmentEntry], wanted: int, length: int
) -> None:
    chosen = selected(entries, Span(wanted, wanted + length), Bounds(0, 2**60))
    inside = [
        at
        for at, entry in enumerate(entries)
        if wanted <= entry.captured_from_us < wanted + length and entry.track is Track.VIDEO
    ]
    first_key = next((at for at, entry in enumerate(entries) if entry.starts_with_key), None)
    assert all(at in chosen for at in inside if first_key is not None and at >= first_key)


@given(_entries(), _moments, _lengths)
def test_pieces_cover_the_selection_once_and_each_begins_with_a_key_picture(
    entries: list[FragmentEntry], wanted: int, length: int
) -> None:
    chosen = selected(entries, Span(wanted, wanted + length), Bounds(0, 2**60))
    cut = pieces(entries, chosen)
    assert [at for piece in cut for at in range(piece.first, piece.last + 1)] == list(chosen)
    assert all(entries[piece.first].starts_with_key for piece in cut)


@given(st.integers(0, 10**15), st.integers(10 * _SECOND, 10**13), st.integers(0, 10**15))
def test_the_bounds_never_let_an_expired_picture_through(captured: int, keep: int, now: int) -> None:
    allowed = bounds(Span(0, 2**60), None, keep, now)
    assert is_readable(captured, keep, now) == (captured >= allowed.floor_us) or captured < 0


@given(st.integers(0, 10**12), st.integers(10**13, 10**15))
def test_the_depth_of_a_grant_bounds_how_far_back_is_shown(depth: int, now: int) -> None:
    assert bounds(Span(0, 2**60), depth, 10**15, now).from_us >= now - depth

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.media.playlists import (
    PlaylistSegment,
    Variant,
    live_playlist,
    master_playlist,
    recorded_playlist,
    rounded_seconds,
)

NOON_US = 1_894_708_800_000_000


def segment(number: int, *, run: int = 1, duration_us: int = 2_000_000, is_new: bool = False) -> PlaylistSegment:
    return PlaylistSegment(
        f"live/{number}.m4s", f"live/{run}/init.mp4", duration_us, NOON_US + number * 2_000_000, is_new
    )


def test_a_live_playlist_is_word_for_word_this() -> None:
    segments = [segment(7), segment(8), segment(9, run=2, duration_us=1_999_999, is_new=True)]
    assert live_playlist(segments, media_sequence=7, discontinuity_sequence=3, target_seconds=2) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        "#EXT-X-TARGETDURATION:2\n"
        "#EXT-X-MEDIA-SEQUENCE:7\n"
        "#EXT-X-DISCONTINUITY-SEQUENCE:3\n"
        '#EXT-X-MAP:URI="live/1/init.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2030-01-15T12:00:14.000Z\n"
        "#EXTINF:2.000000,\n"
        "live/7.m4s\n"
        "#EXT-X-PROGRAM-DATE-TIME:2030-01-15T12:00:16.000Z\n"
        "#EXTINF:2.000000,\n"
        "live/8.m4s\n"
        "#EXT-X-DISCONTINUITY\n"
        '#EXT-X-MAP:URI="live/2/init.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2030-01-15T12:00:18.000Z\n"
        "#EXTINF:1.999999,\n"
        "live/9.m4s\n"
    )


def test_a_recorded_playlist_is_complete_or_says_that_it_grows() -> None:
    over = recorded_playlist([segment(0), segment(1, duration_us=3_600_000)])
    assert over.startswith("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:0\n")
    assert "#EXT-X-PLAYLIST-TYPE:VOD\n" in over
    assert over.endswith("live/1.m4s\n#EXT-X-ENDLIST\n")
    growing = recorded_playlist([segment(0)], is_over=False)
    assert "#EXT-X-PLAYLIST-TYPE:EVENT\n" in growing
    assert "ENDLIST" not in growing
    assert "#EXT-X-TARGETDURATION:1\n" in recorded_playlist([])


def test_a_master_playlist_names_what_a_player_must_know() -> None:
    video = Variant("live.m3u8?s=key", 2_000_000, ("avc1.64001F", "mp4a.40.2"), 1280, 720)
    assert master_playlist([video, Variant("other.m3u8", 1, ("avc1.64001F",))]) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:7\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=2000000,CODECS="avc1.64001F,mp4a.40.2",RESOLUTION=1280x720\n'
        "live.m3u8?s=key\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="avc1.64001F"\n'
        "other.m3u8\n"
    )


def test_a_segment_longer_than_the_target_is_a_mistake_of_the_caller() -> None:
    live_playlist([segment(1, duration_us=2_499_999)], 1, 0, 2)
    with pytest.raises(ValueError):
        live_playlist([segment(1, duration_us=2_500_000)], 1, 0, 2)


@pytest.mark.parametrize("uri", ["", "#EXT-X-ENDLIST", "a\nb", "a b", "a\rb"])
def test_a_uri_cannot_smuggle_in_a_tag(uri: str) -> None:
    with pytest.raises(ValueError):
        recorded_playlist([PlaylistSegment(uri, "init.mp4", 1, NOON_US)])
    with pytest.raises(ValueError):
        recorded_playlist([PlaylistSegment("1.m4s", uri, 1, NOON_US)])


def test_a_quote_cannot_end_a_quoted_string() -> None:
    with pytest.raises(ValueError):
        recorded_playlist([PlaylistSegment("1.m4s", 'a"b', 1, NOON_US)])
    with pytest.raises(ValueError):
        master_playlist([Variant("a", 1, ('avc1"',))])


segments_of_any_length = st.lists(
    st.builds(
        segment,
        st.integers(0, 9999),
        run=st.integers(1, 4),
        duration_us=st.integers(0, 20_000_000),
        is_new=st.booleans(),
    )
)


@given(segments_of_any_length)
def test_no_segment_is_longer_than_the_target_of_its_playlist(segments: list[PlaylistSegment]) -> None:
    lines = recorded_playlist(segments).splitlines()
    target = next(int(line.split(":")[1]) for line in lines if line.startswith("#EXT-X-TARGETDURATION"))
    lengths = [line[8:-1] for line in lines if line.startswith("#EXTINF:")]
    assert [round(float(text) * 1_000_000) for text in lengths] == [one.duration_us for one in segments]
    assert all(rounded_seconds(one.duration_us) <= target for one in segments)


@given(segments_of_any_length)
def test_every_segment_stands_behind_the_init_segment_it_needs(segments: list[PlaylistSegment]) -> None:
    init, seen = "", []
    for line in recorded_playlist(segments).splitlines():
        if line.startswith("#EXT-X-MAP"):
            init = line.split('"')[1]
        elif not line.startswith("#"):
            seen.append((line, init))
    assert seen == [(one.uri, one.init_uri) for one in segments]

"""HLS playlists as text (RFC 8216). Pure; shared by live and by the archive.

Segments are fragmented MP4 (3.3): each names its init segment, and EXT-X-MAP is written where that changes. Every
segment says when it was captured (EXT-X-PROGRAM-DATE-TIME, UTC, milliseconds). Times are microseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

CONTENT_TYPE: Final = "application/vnd.apple.mpegurl"
# EXT-X-MAP outside of I-frame playlists needs 6 (7); 7 is what players expect with fragmented MP4.
_VERSION: Final = 7
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PlaylistSegment:
    """One media segment. `begins_new_timeline`: stamps or coding do not go on from the segment before (4.3.2.3)."""

    uri: str
    init_uri: str
    duration_us: int
    captured_from_us: int
    begins_new_timeline: bool = False


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to play a stream: `bandwidth` is its peak in bits a second, `codecs` by RFC 6381."""

    uri: str
    bandwidth: int
    codecs: tuple[str, ...]
    width: int = 0
    height: int = 0


def rounded_seconds(duration_us: int) -> int:
    """Return a duration as it counts against EXT-X-TARGETDURATION: to the nearest second (4.3.3.1)."""
    return (duration_us + 500_000) // 1_000_000


def live_playlist(
    segments: Sequence[PlaylistSegment], media_sequence: int, discontinuity_sequence: int, target_seconds: int
) -> str:
    """Return the playlist of a stream that goes on; it slides by dropping segments at its front (6.2.2).

    `media_sequence` is the number of the first segment, `discontinuity_sequence` how many segments that began a new
    timeline have been dropped. Raises ValueError if a segment is longer than `target_seconds`, which may never change.
    """
    if any(rounded_seconds(segment.duration_us) > target_seconds for segment in segments):
        raise ValueError("a segment is longer than the target duration")
    head = [
        f"#EXT-X-TARGETDURATION:{target_seconds}",
        f"#EXT-X-MEDIA-SEQUENCE:{media_sequence}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuity_sequence}",
    ]
    return _text([*head, *_segment_lines(segments)])


def recorded_playlist(segments: Sequence[PlaylistSegment], *, is_over: bool = True) -> str:
    """Return the playlist of recorded footage: complete, or (`is_over` false) growing only at its end (4.3.3.5)."""
    target = max((rounded_seconds(segment.duration_us) for segment in segments), default=1)
    head = [
        f"#EXT-X-TARGETDURATION:{max(1, target)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        f"#EXT-X-PLAYLIST-TYPE:{'VOD' if is_over else 'EVENT'}",
    ]
    return _text([*head, *_segment_lines(segments), *(["#EXT-X-ENDLIST"] if is_over else [])])


def master_playlist(variants: Sequence[Variant]) -> str:
    """Return the playlist that names the ways to play a stream (4.3.4)."""
    lines = []
    for variant in variants:
        codecs = _quoted(",".join(variant.codecs))
        size = f",RESOLUTION={variant.width}x{variant.height}" if variant.width and variant.height else ""
        lines += [f"#EXT-X-STREAM-INF:BANDWIDTH={variant.bandwidth},CODECS={codecs}{size}", _uri(variant.uri)]
    return _text(lines)


def _segment_lines(segments: Sequence[PlaylistSegment]) -> list[str]:
    lines = []
    init_uri: str | None = None
    for segment in segments:
        if segment.begins_new_timeline:
            lines.append("#EXT-X-DISCONTINUITY")
        if segment.init_uri != init_uri:
            init_uri = segment.init_uri
            lines.append(f"#EXT-X-MAP:URI={_quoted(_uri(init_uri))}")
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{_moment(segment.captured_from_us)}")
        seconds, rest = divmod(segment.duration_us, 1_000_000)
        lines += [f"#EXTINF:{seconds}.{rest:06d},", _uri(segment.uri)]
    return lines


def _moment(at_us: int) -> str:
    moment = _EPOCH + timedelta(microseconds=at_us)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _uri(text: str) -> str:
    """A line of its own: it must not be empty, a comment or a tag, nor hold a line break (4.1)."""
    if not text or text.startswith("#") or any(sign <= " " for sign in text):
        raise ValueError("this cannot stand in a playlist as a URI")
    return text


def _quoted(text: str) -> str:
    if any(sign in '"\r\n' for sign in text):
        raise ValueError("a quoted string cannot hold quotes or line breaks (4.2)")
    return f'"{text}"'


def _text(lines: Sequence[str]) -> str:
    return "\n".join(("#EXTM3U", f"#EXT-X-VERSION:{_VERSION}", *lines, ""))

"""What `info.json` and `media_info.json` say about a live camera, in the members that Flussonic's players read."""

from typing import Literal

from streams.live.segments import Run
from streams.media.coding import codec_name
from streams.media.inits import sample_entry_kind
from streams.media.packets import Track, TrackInfo
from vms_privacy.web import Strict


class TrackShown(Strict):
    """One track; `track_id` is `v1` or `a1`, `codec` as libav calls it, `rfc6381` as players want it."""

    track_id: str
    content: Literal["video", "audio"]
    codec: str
    rfc6381: str
    width: int | None = None
    height: int | None = None
    sample_rate: int | None = None
    channels: int | None = None


class MediaInfo(Strict):
    """The tracks that can be had now; none while the camera is silent."""

    flow_type: Literal["stream"] = "stream"
    width: int | None = None
    height: int | None = None
    tracks: list[TrackShown]


class LiveStats(Strict):
    """`last_dts_at` is when the newest picture was captured, in milliseconds since 1970 UTC."""

    status: Literal["running", "waiting"]
    alive: bool
    last_dts_at: int | None
    media_info: MediaInfo


class LiveProtocols(Strict):
    """Which ways of playing exist; the player falls back to HLS where `mseld` is false."""

    hls: bool = True
    mseld: bool = False


class CameraInfo(Strict):
    """What a player asks before it starts."""

    name: str
    title: str
    stats: LiveStats
    protocols: LiveProtocols = LiveProtocols()


def media_info(run: Run | None) -> MediaInfo:
    """Return what is known of the tracks of a run."""
    tracks = [] if run is None else [_shown(run, info) for info in run.tracks]
    video = next((info for info in (run.tracks if run else ()) if info.track is Track.VIDEO), None)
    width, height = (video.width or None, video.height or None) if video else (None, None)
    return MediaInfo(width=width, height=height, tracks=tracks)


def codec_names(run: Run) -> tuple[str, ...]:
    """Return the RFC 6381 names of all tracks of a run."""
    return tuple(codec_name(info, sample_entry_kind(run.init, info.track)) for info in run.tracks)


def _shown(run: Run, info: TrackInfo) -> TrackShown:
    is_video = info.track is Track.VIDEO
    return TrackShown(
        track_id="v1" if is_video else "a1",
        content="video" if is_video else "audio",
        codec=info.codec,
        rfc6381=codec_name(info, sample_entry_kind(run.init, info.track)),
        width=(info.width or None) if is_video else None,
        height=(info.height or None) if is_video else None,
        sample_rate=None if is_video else info.sample_rate,
        channels=None if is_video else info.channels,
    )

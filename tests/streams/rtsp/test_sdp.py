"""The session description tells a decoder all it must know, and nothing else."""

import base64

import pytest

from streams.media.packets import Track, TrackInfo
from streams.rtsp.sdp import describe
from tests.given.rtsp_sources import AUDIO, PPS, SPS, VIDEO

ULAW = TrackInfo(Track.AUDIO, "pcm_mulaw", 8_000, b"", sample_rate=8_000, channels=1)


def test_video_and_aac() -> None:
    widths = "sizelength=13;indexlength=3;indexdeltalength=3"
    sets = ",".join(base64.b64encode(unit).decode() for unit in (SPS, PPS))
    assert describe([VIDEO, AUDIO], "rtsp://192.0.2.1/a/b/", 77).decode().split("\r\n") == [
        "v=0",
        "o=- 77 1 IN IP4 0.0.0.0",
        "s=live",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=range:npt=now-",
        "a=control:rtsp://192.0.2.1/a/b/",
        "m=video 0 RTP/AVP 96",
        "a=rtpmap:96 H264/90000",
        f"a=fmtp:96 packetization-mode=1;profile-level-id=42c01f;sprop-parameter-sets={sets}",
        "a=control:rtsp://192.0.2.1/a/b/trackID=0",
        "m=audio 0 RTP/AVP 97",
        "a=rtpmap:97 mpeg4-generic/48000",
        f"a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;{widths};config=1188",
        "a=control:rtsp://192.0.2.1/a/b/trackID=1",
        "",
    ]


def test_g711_needs_no_parameters() -> None:
    lines = describe([ULAW], "rtsp://192.0.2.1/a/b/", 1).decode().split("\r\n")
    assert lines[7:] == ["m=audio 0 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=control:rtsp://192.0.2.1/a/b/trackID=0", ""]


def test_stereo_says_so() -> None:
    stereo = TrackInfo(Track.AUDIO, "aac", 44_100, bytes.fromhex("1210"), sample_rate=44_100, channels=2)
    assert b"a=rtpmap:97 mpeg4-generic/44100/2\r\n" in describe([stereo], "rtsp://192.0.2.1/a/", 1)


def test_what_has_no_format_is_not_described() -> None:
    with pytest.raises(ValueError, match="hevc"):
        describe([TrackInfo(Track.VIDEO, "hevc", 90_000, b"")], "rtsp://192.0.2.1/a/", 1)

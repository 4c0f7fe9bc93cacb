"""What is taken of an SDP, what is left out and named, and where a track may be asked for."""

import base64

import pytest

from streams.address import parse_address
from streams.media.faults import Fault, SourceFailed
from streams.media.offer import control_uri, read_offer
from tests.given.scripted_camera import AUDIO, HEAD, VIDEO

CAMERA = parse_address("rtsp://camera.example.org/live/one")


def test_the_first_video_and_the_first_sound_that_can_be_kept_are_taken() -> None:
    mjpeg = "m=video 0 RTP/AVP 26\r\n"
    g711 = "m=audio 0 RTP/AVP 0\r\na=control:g711\r\n"
    offer = read_offer((HEAD + mjpeg + VIDEO + g711 + AUDIO).encode())
    assert (offer.video.codec, offer.video.clock, offer.video.control) == ("h264", 90_000, "video")
    assert offer.audio is not None
    assert (offer.audio.clock, offer.audio.channels, offer.audio.config.hex()) == (48_000, 2, "1190")
    assert offer.audio_left_out is None


@pytest.mark.parametrize(
    ("media", "name"),
    [
        ("m=audio 0 RTP/AVP 0\r\n", "pcm_mulaw"),
        ("m=audio 0 RTP/AVP 8\r\n", "pcm_alaw"),
        ("m=audio 0 RTP/AVP 97\r\na=rtpmap:97 G726-32/8000\r\n", "adpcm_g726"),
        ("m=audio 0 RTP/AVP 97\r\na=rtpmap:97 opus/48000/2\r\n", "opus"),
        ("m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MP4A-LATM/48000/2\r\n", "aac_latm"),
        ("m=audio 0 RTP/AVP 97\r\na=rtpmap:97 X-\x1b[2J/8000\r\n", "x-??2j"),
        (AUDIO.replace("1190", "zz"), "aac"),
        (AUDIO.replace("sizelength=13", "sizelength=99"), "aac"),
    ],
)
def test_sound_that_cannot_be_kept_is_left_out_and_named(media: str, name: str) -> None:
    offer = read_offer((HEAD + VIDEO + media).encode())
    assert (offer.audio, offer.audio_left_out) == (None, name)


@pytest.mark.parametrize(
    ("media", "fault"),
    [
        ("", Fault.NO_VIDEO),
        ("m=application 0 RTP/AVP 98\r\n", Fault.NO_VIDEO),
        ("m=video 0 RTP/AVP 32\r\n", Fault.UNSUPPORTED_CODEC),
        (VIDEO.replace("packetization-mode=1", "packetization-mode=2"), Fault.UNSUPPORTED_CODEC),
        (VIDEO.replace("H264/90000", "H264"), Fault.GARBAGE),
        (VIDEO.replace("H264/90000", "H264/999999999"), Fault.GARBAGE),
        ("m=video 0 RTP/AVP 300\r\n", Fault.NO_VIDEO),
        ("m=video\r\n", Fault.NO_VIDEO),
    ],
)
def test_video_that_cannot_be_kept_is_a_fault(media: str, fault: Fault) -> None:
    with pytest.raises(SourceFailed) as failed:
        read_offer((HEAD + media).encode())
    assert failed.value.fault is fault


def test_parameter_sets_are_read_and_damaged_ones_are_not_there() -> None:
    good = base64.b64encode(b"\x67abcd").decode()
    sdp = VIDEO.replace("packetization-mode=1", f"packetization-mode=1;sprop-parameter-sets={good},!!!,aA==")
    assert read_offer((HEAD + sdp).encode()).video.parameter_sets == (b"\x67abcd",)


def test_h265_is_taken_with_all_its_parameter_sets() -> None:
    names = {"sprop-vps": b"\x40\x01aa", "sprop-sps": b"\x42\x01bb", "sprop-pps": b"\x44\x01cc"}
    parameters = ";".join(f"{name}={base64.b64encode(unit).decode()}" for name, unit in names.items())
    video = VIDEO.replace("H264", "H265").replace("packetization-mode=1", parameters)
    offer = read_offer((HEAD + video).encode())
    assert (offer.video.codec, offer.video.parameter_sets) == ("hevc", tuple(names.values()))


@pytest.mark.parametrize(
    ("control", "uri"),
    [
        ("", "rtsp://camera.example.org/live/one"),
        ("*", "rtsp://camera.example.org/live/one"),
        ("track1", "rtsp://camera.example.org/live/one/track1"),
        ("/track1", "rtsp://camera.example.org/track1"),
        ("rtsp://camera.example.org/live/one/track1?x=1", "rtsp://camera.example.org/live/one/track1?x=1"),
        ("rtsp://camera.example.org:554/t", "rtsp://camera.example.org/t"),
        ("rtsp://192.0.2.9/t", "rtsp://camera.example.org/t"),
        ("rtsps://camera.example.org/t", "rtsp://camera.example.org/t"),
        ("rtsp://eve:x@camera.example.org/t", "rtsp://camera.example.org/t"),
    ],
)
def test_a_track_is_asked_for_at_the_camera_itself(control: str, uri: str) -> None:
    assert control_uri(CAMERA.uri, control, CAMERA, "192.0.2.9") == uri


@pytest.mark.parametrize(
    "control", ["rtsp://other.example.org/t", "rtsp://camera.example.org:8554/t", "rtsp://192.0.2.10/t"]
)
def test_a_track_elsewhere_is_refused(control: str) -> None:
    with pytest.raises(SourceFailed) as failed:
        control_uri(CAMERA.uri, control, CAMERA, "192.0.2.9")
    assert failed.value.fault is Fault.REDIRECT_REFUSED


@pytest.mark.parametrize("control", ["http://camera.example.org/t", "file:///etc/passwd", "rtsp:// x", "://"])
def test_a_track_at_no_address_is_garbage(control: str) -> None:
    with pytest.raises(SourceFailed) as failed:
        control_uri(CAMERA.uri, control, CAMERA, "192.0.2.9")
    assert failed.value.fault is Fault.GARBAGE

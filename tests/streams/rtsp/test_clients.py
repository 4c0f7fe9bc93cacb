"""Players that are not ours read what our server sends: FFmpeg's tools, GStreamer and PyAV, over TCP, UDP and TLS."""

import json
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import pytest

from streams.simulator.camera import CameraSimulator
from streams.simulator.reading import find_canary, read_bar_codes
from streams.simulator.reel import CameraOptions
from streams.simulator.service import Login, SimulatorThread
from tests.given import gst_player
from tests.given.tls import make_certificate, server_context
from tests.given.tools import missing
from vms_privacy.clock import SystemClock
from vms_privacy.ids import SystemRandomness

CANARY = bytes(range(1, 33))
LOGIN = Login("eve", "app:le")
DEADLINE_S = 40
SMALL = {"width": 640, "height": 360}


def cameras() -> dict[str, CameraSimulator]:
    return {
        "plain": CameraSimulator(1, CANARY, SystemClock(), CameraOptions(**SMALL, audio="aac")),
        "reordered": CameraSimulator(2, CANARY, SystemClock(), CameraOptions(**SMALL, bframes=2, audio="pcm_alaw")),
    }


@pytest.fixture(scope="module")
def simulators() -> Iterator[SimulatorThread]:
    with SimulatorThread(cameras(), SystemRandomness(), login=LOGIN) as running:
        yield running


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorThread]:
    certificate, key = make_certificate(tmp_path_factory.mktemp("tls"))
    with SimulatorThread(cameras(), SystemRandomness(), login=LOGIN, tls=server_context(certificate, key)) as running:
        yield running


def with_login(url: str) -> str:
    return url.replace("://", f"://{LOGIN.user}:{LOGIN.password.replace(':', '%3A')}@")


def run(*command: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, capture_output=True, timeout=DEADLINE_S, check=False)


def assert_it_is_all_of_camera(number: int, media: bytes, pictures: int) -> None:
    # The player may have left between a picture and those that are shown before it.
    codes = read_bar_codes(media)[:-3]
    assert len(codes) >= pictures
    assert {code.camera for code in codes} == {number}
    assert {later.counter - earlier.counter for earlier, later in pairwise(codes)} == {1}
    # A machine that stands still for seconds makes the camera leave moments out, never a number.
    assert all(later.utc_ms - earlier.utc_ms >= 40 for earlier, later in pairwise(codes))
    assert len(find_canary(media, CANARY)) >= pictures


@pytest.mark.needs("ffprobe")
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_ffprobe_names_both_tracks(simulators: SimulatorThread, transport: str) -> None:
    url = with_login(simulators.url("plain"))
    done = run("ffprobe", "-v", "error", "-rtsp_transport", transport, "-show_streams", "-of", "json", url)
    assert done.stderr == b""
    video, audio = json.loads(done.stdout)["streams"]
    assert (video["codec_name"], video["width"], video["height"]) == ("h264", 640, 360)
    assert (video["avg_frame_rate"], video["has_b_frames"]) == ("25/1", 0)
    assert (audio["codec_name"], audio["sample_rate"], audio["channels"]) == ("aac", "48000", 1)


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize(("path", "number"), [("plain", 1), ("reordered", 2)])
def test_ffmpeg_gets_every_picture(simulators: SimulatorThread, path: str, number: int, transport: str) -> None:
    url = with_login(simulators.url(path))
    quiet = ("ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", transport)
    done = run(*quiet, "-i", url, "-map", "0:v", "-c", "copy", "-frames:v", "40", "-f", "h264", "-")
    assert done.returncode == 0, done.stderr
    assert_it_is_all_of_camera(number, done.stdout, 36)


@pytest.mark.needs("ffmpeg")
def test_ffmpeg_hears_the_tone_without_a_gap(simulators: SimulatorThread) -> None:
    url = with_login(simulators.url("plain"))
    quiet = ("ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", "tcp")
    done = run(*quiet, "-i", url, "-map", "0:a", "-t", "1.5", "-f", "s16le", "-")
    assert done.returncode == 0, done.stderr
    samples = memoryview(done.stdout).cast("h")
    # One period of 1 kHz is 48 samples: each period of the middle second reaches nearly the same height.
    heights = [max(samples[at : at + 48]) for at in range(12_000, 60_000, 48)]
    assert 0.6 * 8192 < min(heights) <= max(heights) < 1.4 * 8192


@pytest.mark.needs("ffmpeg")
def test_ffmpeg_reads_over_tls(encrypted: SimulatorThread) -> None:
    url = with_login(encrypted.url("plain"))
    assert url.startswith("rtsps://")
    quiet = ("ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", "tcp")
    done = run(*quiet, "-i", url, "-map", "0:v", "-c", "copy", "-frames:v", "30", "-f", "h264", "-")
    assert done.returncode == 0, done.stderr
    assert_it_is_all_of_camera(1, done.stdout, 26)


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize(("path", "login"), [("nowhere", True), ("plain", False)])
def test_ffmpeg_is_refused(simulators: SimulatorThread, path: str, login: bool) -> None:
    url = with_login(simulators.url(path)) if login else simulators.url(path)
    done = run("ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-i", url, "-f", "null", "-")
    assert done.returncode != 0
    assert (b"404 Not Found" if login else b"401 Unauthorized") in done.stderr


@pytest.mark.needs("/usr/bin/python3")
@pytest.mark.parametrize("transport", ["tcp", "udp", "tls"])
def test_gstreamer_gets_every_picture(simulators: SimulatorThread, encrypted: SimulatorThread, transport: str) -> None:
    url = (encrypted if transport == "tls" else simulators).url("plain")
    script = Path(gst_player.__file__)
    protocol = "udp" if transport == "udp" else "tcp"
    done = run("/usr/bin/python3", str(script), url, protocol, "50", LOGIN.user, LOGIN.password)
    if done.returncode == gst_player.MISSING:
        missing("python3-gi, gir1.2-gstreamer-1.0 and gstreamer1.0-plugins-good, -bad")
    assert done.returncode == 0, done.stderr
    assert_it_is_all_of_camera(1, done.stdout, 46)


def test_libav_gets_every_picture_with_its_stamp(simulators: SimulatorThread) -> None:
    with av.open(
        with_login(simulators.url("plain")), mode="r", options={"rtsp_transport": "tcp"}, timeout=(10.0, 10.0)
    ) as container:
        video = container.streams.video[0]
        packets = [packet for packet, _ in zip(container.demux(video), range(50), strict=False)]
        media = b"".join(map(bytes, packets))
    assert_it_is_all_of_camera(1, media, 46)
    stamps = [packet.pts for packet in packets if packet.pts is not None]
    assert len(stamps) >= 49
    assert all(later - earlier >= 3600 for earlier, later in pairwise(stamps))

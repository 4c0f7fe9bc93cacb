"""Cameras that are not ours in the running service, and players that are not ours at its other end.

GStreamer's RTSP server films, Debian's ffprobe and ffmpeg play what comes out live and from the archive: every picture,
no complaint. What the pictures show is looked at where the bar codes are, in the whole story.
"""

import contextlib
import hashlib
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from streams.simulator.camera import CameraSimulator
from streams.simulator.reading import read_bar_codes
from streams.simulator.reel import CameraOptions
from streams.simulator.service import SimulatorThread
from tests.given.fed_camera import fed_camera
from tests.given.gst_rtsp import LOGIN, gst_camera
from tests.given.players import errors, shown, whole_fragments
from tests.given.ports import free_port
from tests.given.site import Site, site, until
from tests.given.tls import make_certificate
from tests.given.tools import missing
from vms_privacy.clock import SystemClock
from vms_privacy.ids import SystemRandomness

pytestmark = [pytest.mark.story, pytest.mark.timeout(240)]

# Half a second each.
FRAGMENTS = 6
FEWEST = 40
RECORDED_S = 5.0
CANARY = bytes(range(1, 33))


@contextlib.contextmanager
def served(camera: Callable[[], AbstractContextManager[int]]) -> Iterator[int]:
    """A camera's port; without its programs the test is skipped (in CI: fails)."""
    with contextlib.ExitStack() as stack:
        try:
            port = stack.enter_context(camera())
        except (LookupError, FileNotFoundError) as lacking:
            missing(str(lacking))
        yield port


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("service")) as (found, _):
        yield found


@dataclass(frozen=True)
class Kind:
    """A camera, what is to be known of it, and what of it makes its film less even than it could be.

    `reorders`: a film that is cut in decode order may end in a picture whose B-pictures had not come yet.
    `is_fed`: stamped as the machine finds time, late where it is busy; with open groups of pictures, whose first ones
    refer to what was before them. A picture that is missing there shows as a complaint and as `lost`.
    """

    camera: Callable[[], AbstractContextManager[int]]
    codec: str = "h264"
    audio: str = ""
    left_out: str = ""
    reorders: bool = False
    is_fed: bool = False


def every_picture(media: Path | str, kind: Kind, *, least: int, is_cut: bool = False) -> None:
    """A player shows every picture, 40 ms apart as its camera stamps them, and complains of nothing."""
    seen = shown(media)
    assert without_open_groups(seen.complaints, kind) == ""
    assert len(seen.times) >= least
    times = seen.times[:-1] if is_cut and kind.reorders else seen.times
    steps = {round((after - before) * 1000) for before, after in pairwise(times)}
    assert max(abs(step - 40) for step in steps) <= (400 if kind.is_fed else 0)
    assert set(seen.sizes) == {(640, 360)}
    assert (seen.sounds > 0) is bool(kind.audio)


def without_open_groups(said: str, kind: Kind) -> str:
    """Leave out what ffmpeg mentions of the beginning of an open group of pictures."""
    lines = said.splitlines()
    return "\n".join(line for line in lines if not (kind.is_fed and line.endswith("mmco: unref short failure")))


CAMERAS = {
    "plain": Kind(lambda: gst_camera("plain")),
    "B-pictures": Kind(lambda: gst_camera("bframes"), reorders=True),
    "AAC": Kind(lambda: gst_camera("aac"), audio="aac"),
    "PCMU": Kind(lambda: gst_camera("g711"), left_out="pcm_mulaw"),
    "HEVC": Kind(lambda: gst_camera("hevc"), codec="hevc"),
    "fed by ffmpeg": Kind(fed_camera, audio="aac", reorders=True, is_fed=True),
}


@pytest.mark.parametrize("name", CAMERAS)
def test_a_camera_that_is_not_ours_is_seen_whole_by_players_that_are_not_ours(
    here: Site, name: str, tmp_path: Path
) -> None:
    kind = CAMERAS[name]
    name = name.lower().replace(" ", "-")
    with served(kind.camera) as port:
        here.add(name, f"rtsp://127.0.0.1:{port}/cam")
        told = here.running(name)
        assert (told["codec"], told["audio"], told["audio_left_out"]) == (kind.codec, kind.audio, kind.left_out)
        kinds = ("live-audio", "video-recording", "recorded-audio") if kind.audio else ("video-recording",)
        here.opt_in(name, *kinds)

        live = tmp_path / "live.mp4"
        live.write_bytes(whole_fragments(here.watched(name, FRAGMENTS * (2 if kind.audio else 1))))
        every_picture(live, kind, least=FEWEST)
        assert without_open_groups(errors(here.hls(name), 3, uneven=kind.is_fed), kind) == ""

        until(lambda: here.recorded_s(name) >= RECORDED_S, "it is recorded")
        here.withdraw(name)
        file = tmp_path / "archive.mp4"
        file.write_bytes(here.fetched(here.archive(name)))
        told = here.status(name)
        assert (told["reconnects"], told["lost"]) == (0, 0)
        every_picture(file, kind, least=int(RECORDED_S - 1) * 25, is_cut=True)
        assert without_open_groups(errors(here.archive(name, "m3u8"), uneven=kind.is_fed), kind) == ""


def test_a_camera_behind_tls_is_taken_by_its_pinned_certificate_alone(here: Site, tmp_path: Path) -> None:
    files = make_certificate(tmp_path)
    pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(files[0].read_text())).hexdigest()
    user, password = LOGIN[0], LOGIN[1].replace(":", "%3A")
    with served(lambda: gst_camera("plain", login="basic", tls=files)) as port:
        address = f"rtsps://{user}:{password}@127.0.0.1:{port}/cam"
        here.add("pinned", address, pin=pin)
        here.add("unpinned", address)
        here.add("wrongly-pinned", address, pin="00" * 32)
        here.running("pinned")
        live = tmp_path / "live.mp4"
        live.write_bytes(whole_fragments(here.watched("pinned", FRAGMENTS)))
        every_picture(live, CAMERAS["plain"], least=FEWEST)
        for name in ("unpinned", "wrongly-pinned"):
            assert here.until_status(name, lambda told: told["why"])["why"] == "tls-not-verified"


def test_a_camera_that_restarts_is_taken_up_again_by_itself(here: Site, tmp_path: Path) -> None:
    port = free_port()
    with served(lambda: gst_camera("plain", port_wanted=port)):
        here.add("restarts", f"rtsp://127.0.0.1:{port}/cam")
        here.running("restarts")
        here.opt_in("restarts")
        until(lambda: here.recorded_s("restarts") >= 3, "it is recorded")
    lost = here.until_status("restarts", lambda told: told["state"] == "waiting")
    assert lost["why"] in {"ended-by-camera", "unreachable"}
    before_ms = here.ranges("restarts")[-1][1]
    with served(lambda: gst_camera("plain", port_wanted=port)):
        here.running("restarts")
        until(lambda: here.ranges("restarts")[-1][1] > before_ms + 4000, "it is recorded again")
        here.withdraw("restarts")
    assert here.status("restarts")["reconnects"] >= 1
    file = tmp_path / "archive.mp4"
    file.write_bytes(here.fetched(here.archive("restarts")))
    seen = shown(file)
    assert seen.complaints == ""
    assert errors(here.archive("restarts", "m3u8")) == ""
    # One gap, as long as the camera was away; before and after it every picture.
    step, gap = sorted(seen.steps)
    assert step == 40
    assert gap > 100


def test_other_parameters_in_mid_stream_lose_no_picture(here: Site, tmp_path: Path) -> None:
    camera = CameraSimulator(5, CANARY, SystemClock(), CameraOptions(gop=25, bframes=2))
    with SimulatorThread({"cam": camera}, SystemRandomness()) as simulators:
        here.add("changes", simulators.url("cam"))
        here.running("changes")
        here.opt_in("changes")
        until(lambda: here.recorded_s("changes") >= 3, "it is recorded")
        camera.change_size(960, 540)
        here.until_status("changes", lambda told: told["width"] == 960)
        until(lambda: here.recorded_s("changes") >= 6, "it is recorded under the new parameters")
        seen_live = read_bar_codes(whole_fragments(here.watched("changes", 3)))
        here.withdraw("changes")
        time.sleep(0.5)
    assert here.status("changes")["lost"] == 0
    assert len(seen_live) > 12
    media = here.fetched(here.archive("changes"))
    counters = [code.counter for code in read_bar_codes(media)]
    assert counters == list(range(counters[0], counters[-1] + 1))
    file = tmp_path / "archive.mp4"
    file.write_bytes(media)
    seen = shown(file)
    assert seen.complaints == ""
    assert set(seen.sizes) == {(1280, 720), (960, 540)}
    assert len(seen.times) == len(counters)
    assert errors(here.archive("changes", "m3u8")) == ""

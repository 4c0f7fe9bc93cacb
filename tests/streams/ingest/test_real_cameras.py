"""Cameras that are not ours: GStreamer's RTSP server, with everything that real ones do differently."""

import asyncio
import contextlib
import hashlib
import io
import os
import signal
import ssl
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import av
import pytest

from streams.cameras.rules import CameraState
from streams.ingest.subscription import Item, Wants
from streams.media.packets import Epoch, Packet, Track
from streams.media.wire import Trust
from tests.given.gst_rtsp import LOGIN, gst_camera
from tests.given.ingesting import drawn, file_of, ingesting, source, until
from tests.given.tls import make_certificate
from tests.given.tools import missing

PICTURES = 60
# A second in which the encoder begins, and its first pictures come late.
SETTLED = 25
LOGGED_IN = f"{LOGIN[0]}:{LOGIN[1].replace(':', '%3A')}@"


@contextlib.contextmanager
def camera(kind: str, login: str = "", tls: tuple[Path, Path] | None = None) -> Iterator[int]:
    """Serve one camera, or skip the test (in CI: fail it)."""
    with contextlib.ExitStack() as stack:
        try:
            port = stack.enter_context(gst_camera(kind, login=login, tls=tls))
        except (LookupError, FileNotFoundError) as lacking:
            missing(str(lacking))
        yield port


def decoded(file: bytes) -> tuple[list[int], int]:
    """Return the presentation times of all pictures, and how many frames of sound there are. Raises on damage."""
    pictures, sounds = [], 0
    with av.open(io.BytesIO(file), "r") as container:
        for packet in container.demux():
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    assert not frame.is_corrupt
                    assert frame.pts is not None
                    pictures.append(frame.pts)
                else:
                    sounds += 1
    return pictures, sounds


@pytest.mark.parametrize(
    ("kind", "codec", "audio", "left_out"),
    [
        ("plain", "h264", "", ""),
        ("bframes", "h264", "", ""),
        ("aac", "h264", "aac", ""),
        ("bframes-aac", "h264", "aac", ""),
        ("g711", "h264", "", "pcm_mulaw"),
        ("hevc", "hevc", "", ""),
    ],
)
async def test_a_real_camera_is_taken_whole_and_in_order(kind: str, codec: str, audio: str, left_out: str) -> None:
    with camera(kind) as port:
        async with ingesting() as service:
            this = source(f"rtsp://127.0.0.1:{port}/cam")
            service.start(this)
            fragments = service.tap(this.camera_id).subscribe("fragments", Wants.FRAGMENTS, 2**26)
            packets = service.tap(this.camera_id).subscribe("packets", Wants.PACKETS, 2**26)
            status = await until(service, this, CameraState.RUNNING)
            items = await drawn(fragments, PICTURES if not audio else PICTURES * 2)
            single = await drawn(packets, SETTLED + PICTURES)
            assert (status.codec, status.audio, status.audio_left_out) == (codec, audio, left_out)
            assert (status.width, status.height) == (640, 360)
            assert service.status(this.camera_id).lost == 0
    pictures, sounds = decoded(file_of(items))
    # The file ends anywhere; its last pictures may lack one that is shown between them.
    pictures = pictures[:-3]
    assert len(pictures) >= PICTURES - 3
    assert {after - before for before, after in pairwise(pictures)} == {3600}
    assert bool(sounds) == bool(audio)
    check_times(single)


def check_times(items: Sequence[Item]) -> None:
    """Times of one epoch rise, are never from the future, and go on at the camera's own pace."""
    assert isinstance(items[0], Epoch)
    pictures = [item for item in items if isinstance(item, Packet) and item.track is Track.VIDEO]
    assert pictures[0].is_key
    for before, after in pairwise(pictures):
        assert before.dts < after.dts <= after.pts
        assert before.captured_at_us < after.captured_at_us <= after.arrived_at_us
        assert before.arrived_at_us <= after.arrived_at_us
    took_us = pictures[-1].captured_at_us - pictures[SETTLED].captured_at_us
    assert took_us == pytest.approx((pictures[-1].dts - pictures[SETTLED].dts) / 0.09, abs=150_000)


@pytest.mark.parametrize("login", ["basic", "digest"])
async def test_a_camera_that_wants_a_password_gets_it(login: str) -> None:
    with camera("plain", login) as port:
        async with ingesting() as service:
            this = source(f"rtsp://{LOGGED_IN}127.0.0.1:{port}/cam")
            service.start(this)
            await until(service, this, CameraState.RUNNING)
            service.stop(this.camera_id)
            wrong = source(f"rtsp://eve:wrong@127.0.0.1:{port}/cam", number=8)
            service.start(wrong)
            status = await until(service, wrong, CameraState.WAITING, "wrong-password")
            assert "wrong" not in repr(wrong).replace("wrong-password", "")
            assert "eve" not in status.detail


async def test_an_encrypted_camera_is_taken_when_its_certificate_is_pinned_or_trusted(tmp_path: Path) -> None:
    paths = make_certificate(tmp_path)
    pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(paths[0].read_text())).hexdigest()
    with camera("aac", "digest", paths) as port:
        url = f"rtsps://{LOGGED_IN}127.0.0.1:{port}/cam"
        async with ingesting() as service:
            pinned, unknown = source(url, 1, pin), source(url, 2)
            service.start(pinned)
            service.start(unknown)
            await until(service, pinned, CameraState.RUNNING)
            packets = service.tap(pinned.camera_id).subscribe("packets", Wants.PACKETS, 2**26)
            await drawn(packets, 30)
            await until(service, unknown, CameraState.WAITING, "tls-not-verified")
        async with ingesting(trust=Trust(paths[0])) as service:
            service.start(unknown)
            await until(service, unknown, CameraState.RUNNING)


@pytest.mark.parametrize(
    ("kind", "why", "named"), [("vp8", "unsupported-codec", "vp8"), ("sound-only", "no-video", "no video")]
)
async def test_what_cannot_be_taken_is_named(kind: str, why: str, named: str) -> None:
    with camera(kind) as port:
        async with ingesting() as service:
            this = source(f"rtsp://127.0.0.1:{port}/cam")
            service.start(this)
            status = await until(service, this, CameraState.WAITING, why)
            assert named in status.detail


async def test_a_camera_that_goes_and_comes_back_is_taken_again_in_a_new_epoch() -> None:
    with camera("plain") as port:
        async with ingesting() as service:
            this = source(f"rtsp://127.0.0.1:{port}/cam")
            service.start(this)
            told = service.tap(this.camera_id).subscribe("told", Wants.PACKETS, 2**26, tells_loss=True)
            await drawn(told, 10)
            (pid,) = service.child_processes
            os.kill(pid, signal.SIGKILL)
            items: list[Item] = []
            async with asyncio.timeout(30):
                while sum(isinstance(item, Epoch) for item in items) < 1:
                    items += await told.batch()
            items += await drawn(told, 10)
            assert service.children_died == 1
            assert service.status(this.camera_id).reconnects == 1
    kinds = [type(item).__name__ for item in items if not isinstance(item, Packet)]
    assert kinds[:2] == ["Lost", "Epoch"]
    epochs = [item.number for item in items if isinstance(item, Epoch)]
    assert epochs == [2]

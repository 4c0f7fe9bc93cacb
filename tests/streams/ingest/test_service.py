"""Keeping cameras connected: again and again, never in each other's way, and always with a reason."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from streams.cameras.rules import CameraSource, CameraState, CameraStatus
from streams.errors import CameraNotStarted
from streams.ingest.subscription import Wants
from streams.media.faults import Fault
from streams.media.packets import Epoch, Packet
from streams.media.relay import RelayLimits
from tests.given.ingesting import drawn, ingesting, source, until
from tests.given.scripted_camera import Conversation, RtpTrack, filmed, frames_of, scripted_camera

QUICK = RelayLimits(answer_s=5.0, stall_s=2.0, keep_alive_s=25, gulp_s=0.01)


async def good_camera(camera: Conversation) -> None:
    """Film two seconds at once, then stand still."""
    _, pictures = filmed(2.0)
    await camera.until_play()
    await camera.send(b"".join(frames_of(RtpTrack(0, 96), pictures)))
    await camera.until_gone()


async def test_a_camera_is_started_before_or_after_the_loop_and_says_how_it_is() -> None:
    async with scripted_camera(good_camera) as camera, ingesting() as service:
        this = source(camera.url)
        assert service.status(this.camera_id).state is CameraState.OFF
        service.start(this)
        assert service.status(this.camera_id).state is CameraState.CONNECTING
        status = await until(service, this, CameraState.RUNNING)
        packets = service.tap(this.camera_id).subscribe("packets", Wants.PACKETS, 2**20)
        del packets
        assert (status.codec, status.reconnects, status.why) == ("h264", 0, "")


async def test_a_stalled_camera_is_connected_to_again() -> None:
    async with scripted_camera(good_camera) as camera, ingesting(QUICK) as service:
        this = source(camera.url)
        service.start(this)
        status = await until(service, this, CameraState.WAITING, "stalled")
        assert status.reconnects == 1
        assert status.last_packet_at is not None
        await until(service, this, CameraState.RUNNING)
        assert len(camera.conversations) >= 2


async def test_a_camera_that_repeats_itself_to_who_connects_does_not_film_twice() -> None:
    async with scripted_camera(good_camera) as camera, ingesting(QUICK) as service:
        this = source(camera.url)
        service.start(this)
        packets = service.tap(this.camera_id).subscribe("packets", Wants.PACKETS, 2**26)
        items = await drawn(packets, 100)
    taken = [item.captured_at_us for item in items if isinstance(item, Packet)]
    assert {item.number for item in items if isinstance(item, Epoch)} == {1, 2}
    assert all(before < after for before, after in pairwise(taken))


async def test_a_camera_without_a_key_picture_is_named() -> None:
    async def handle(camera: Conversation) -> None:
        await camera.until_play()
        track = RtpTrack(0, 96)
        while not camera.writer.is_closing():
            await camera.send(track.frame(b"\x41\x9anot", track.sequence * 3600, marker=True))
            await asyncio.sleep(0.01)

    async with scripted_camera(handle) as camera, ingesting(key_picture_within=timedelta(seconds=0.3)) as service:
        this = source(camera.url)
        service.start(this)
        await until(service, this, CameraState.WAITING, "no-key-picture")


async def test_an_address_that_changes_is_connected_to_anew_with_the_same_tap() -> None:
    async with scripted_camera(good_camera) as old, scripted_camera(good_camera) as new, ingesting() as service:
        before = source(old.url)
        service.start(before)
        tap = service.tap(before.camera_id)
        packets = tap.subscribe("packets", Wants.PACKETS, 2**26)
        await drawn(packets, 50)
        service.start(before)
        service.start(source(new.url))
        await drawn(packets, 50)
        assert service.tap(before.camera_id) is tap
        assert (len(old.conversations), len(new.conversations)) == (1, 1)


async def test_stopping_ends_the_connection_and_every_listener() -> None:
    async with scripted_camera(good_camera) as camera, ingesting() as service:
        this = source(camera.url)
        service.start(this)
        packets = service.tap(this.camera_id).subscribe("packets", Wants.PACKETS, 2**26)
        await drawn(packets, 10)
        service.stop(this.camera_id)
        service.stop(this.camera_id)
        async with asyncio.timeout(10):
            while not packets.is_over:
                await packets.batch()
            await camera.conversations[0].over.wait()
        assert "TEARDOWN" in camera.asked
        assert service.status(this.camera_id).state is CameraState.OFF
        with pytest.raises(CameraNotStarted):
            service.tap(this.camera_id)


async def test_a_broken_camera_is_not_in_a_good_one_s_way() -> None:
    async def broken(camera: Conversation) -> None:
        await camera.until_play()
        await camera.send(bytes(range(256)) * 10)

    async with scripted_camera(good_camera) as good, scripted_camera(broken) as bad, ingesting() as service:
        service.start(source(bad.url, 1))
        service.start(source(good.url, 2))
        packets = service.tap(source(good.url, 2).camera_id).subscribe("packets", Wants.PACKETS, 2**26)
        await drawn(packets, 50)
        await until(service, source(bad.url, 1), CameraState.WAITING, "garbage")
        assert service.children_died == 0
        assert service.status(source(good.url, 2).camera_id).reconnects == 0


async def test_a_camera_that_failed_in_a_way_nobody_foresaw_is_tried_again_and_the_failure_is_told() -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        if len(asked) == 1:
            raise UnicodeError("label too long")
        return [host]

    async with scripted_camera(good_camera) as camera, ingesting(QUICK, resolve=resolve) as service:
        this = source(camera.url)
        reasons: list[str] = []
        service.on_status(lambda _, status: reasons.append(status.why))
        with capture_logs() as told:
            service.start(this)
            status = await until(service, this, CameraState.RUNNING)
    assert (status.reconnects, "internal-error" in reasons) == (1, True)
    assert [(one["event"], one["error"]) for one in told] == [("connection-failed", "UnicodeError")]
    assert {why: times for why, times in service.failures().items() if times} == {Fault.INTERNAL_ERROR: 1}


async def test_every_change_of_state_is_told() -> None:
    told: list[tuple[CameraSource, CameraStatus]] = []
    async with scripted_camera(good_camera) as camera, ingesting(QUICK) as service:
        service.on_status(lambda this, status: told.append((this, status)))
        this = source(camera.url)
        service.start(this)
        await until(service, this, CameraState.WAITING, "stalled")
    states = [status.state for _, status in told]
    assert states[:3] == [CameraState.CONNECTING, CameraState.RUNNING, CameraState.WAITING]
    assert {source.camera_id for source, _ in told} == {this.camera_id}


async def test_closing_leaves_no_child_behind() -> None:
    async with scripted_camera(good_camera) as camera, ingesting() as service:
        this = source(camera.url)
        service.start(this)
        await until(service, this, CameraState.RUNNING)
        assert len(service.child_processes) == 1
    assert not service.child_processes

"""Simulated cameras in real time: live ones, looped ones, and how they are served."""

import asyncio
import socket
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from streams.media import nal
from streams.media.packets import Epoch, Packet, Track
from streams.simulator.camera import CameraSimulator
from streams.simulator.reading import find_canary, read_bar_codes, read_pixel_canaries
from streams.simulator.reel import CameraOptions
from streams.simulator.replay import Film, Replay, make_film
from streams.simulator.service import Login, SimulatorThread, serve_simulators
from tests.given.randomness import CountedRandomness
from tests.given.rtsp_client import RtspClient, basic
from tests.given.tls import client_context, make_certificate, server_context
from vms_privacy.clock import SystemClock

CANARY = bytes(range(1, 33))
SMALL = CameraOptions(width=320, height=180, gop=5, audio="aac")
DEADLINE_S = 20.0


async def take(items: AsyncIterator[Packet | Epoch], pictures: int) -> list[Packet | Epoch]:
    taken: list[Packet | Epoch] = []
    async with asyncio.timeout(DEADLINE_S):
        while sum(isinstance(item, Packet) and item.track is Track.VIDEO for item in taken) < pictures:
            taken.append(await anext(items))
    return taken


def only_video(items: list[Packet | Epoch]) -> list[Packet]:
    return [item for item in items if isinstance(item, Packet) and item.track is Track.VIDEO]


def byte_stream(avcc: bytes, packets: list[Packet]) -> bytes:
    sets = nal.read_avcc(avcc)
    begun = packets[next(n for n, packet in enumerate(packets) if packet.is_key) :]
    units = [bytes(u) for p in begun for u in nal.split_lengths(p.data)]
    return b"".join(b"\x00\x00\x00\x01" + unit for unit in (*sets.sps, *sets.pps, *units))


async def test_a_live_camera_sends_pictures_of_now() -> None:
    clock = SystemClock()
    camera = CameraSimulator(9, CANARY, clock, SMALL)
    feed = camera.subscribe()
    camera.start()
    before_ms = int(clock.now().timestamp() * 1000)
    packets = only_video(await take(feed.packets(), 12))
    await asyncio.to_thread(camera.stop)
    after_ms = int(clock.now().timestamp() * 1000)
    codes = read_bar_codes(byte_stream(feed.tracks[0].extradata, packets))
    assert [code.counter for code in codes] == list(range(12))
    assert all(before_ms - 1000 <= code.utc_ms <= after_ms for code in codes)
    assert all(packet.captured_at_us <= packet.arrived_at_us for packet in packets)


async def test_other_parameters_begin_another_epoch_with_a_key_picture() -> None:
    camera = CameraSimulator(9, CANARY, SystemClock(), SMALL)
    feed = camera.subscribe()
    camera.start()
    items = feed.packets()
    first = await take(items, 3)
    camera.change_size(640, 360)
    second: list[Packet | Epoch] = []
    while not any(isinstance(item, Epoch) for item in second):
        second += await take(items, 1)
    second += await take(items, 3)
    await asyncio.to_thread(camera.stop)
    at = next(n for n, item in enumerate(second) if isinstance(item, Epoch))
    epoch = second[at]
    assert isinstance(epoch, Epoch)
    assert (epoch.number, epoch.tracks[0].width) == (2, 640)
    after = only_video(second[at:])
    assert after[0].is_key
    old = read_bar_codes(byte_stream(feed.tracks[0].extradata, only_video(first)))
    new = read_bar_codes(byte_stream(epoch.tracks[0].extradata, after))
    assert old[-1].counter < new[0].counter
    assert len(new) == len(after)


async def test_a_stalled_camera_sends_nothing_and_leaves_out_what_it_missed() -> None:
    camera = CameraSimulator(9, CANARY, SystemClock(), SMALL)
    feed = camera.subscribe()
    camera.start()
    items = feed.packets()
    await take(items, 3)
    camera.stall()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(take(items, 1000), 2.2)
    before = camera.pictures
    camera.go_on()
    await take(camera.subscribe().packets(), 2)
    await asyncio.to_thread(camera.stop)
    assert camera.pictures - before < 40
    assert camera.slots_lost >= 50


@pytest.fixture(scope="module")
def film() -> Film:
    options = CameraOptions(width=320, height=240, fps=50, gop=10, bframes=2, kbit_s=400, audio="aac")
    return make_film(5, CANARY, options, seconds=1, noise=CountedRandomness("noise"))


def test_a_film_is_filled_with_pictures_that_move(film: Film) -> None:
    assert len(film.pictures) == 50
    assert 250_000 < sum(len(picture.data) for picture in film.pictures) * 8 < 600_000
    fillers = [u for p in film.pictures for u in nal.split_lengths(p.data) if nal.kind_of(u) == nal.FILLER]
    assert sum(map(len, fillers)) < 5000
    media = byte_stream(film.tracks[0].extradata, list(film.pictures))
    assert [code.counter for code in read_bar_codes(media)] == list(range(50))
    assert set(read_pixel_canaries(media)) == {CANARY}


def test_a_film_has_whole_groups() -> None:
    with pytest.raises(ValueError, match="whole groups"):
        make_film(5, CANARY, CameraOptions(fps=25, gop=10), seconds=1)


async def test_a_loop_goes_on_in_time_and_begins_again_in_pictures(film: Film) -> None:
    replay = Replay(film, SystemClock())
    feed = replay.subscribe()
    assert [info.codec for info in feed.tracks] == ["h264", "aac"]
    replay.start()
    items = await take(feed.packets(), 80)
    await asyncio.to_thread(replay.stop)
    video = only_video(items)
    assert [packet.dts for packet in video] == list(range(-3600, 78 * 1800, 1800))
    assert sorted(packet.pts for packet in video)[:78] == list(range(0, 78 * 1800, 1800))
    captured = [packet.captured_at_us for packet in video]
    assert all(later - earlier == 20_000 for earlier, later in pairwise(captured))
    counters = [code.counter for code in read_bar_codes(byte_stream(feed.tracks[0].extradata, video))]
    assert counters[:77] == [n % 50 for n in range(77)]
    tone = [item for item in items if isinstance(item, Packet) and item.track is Track.AUDIO]
    assert [packet.dts for packet in tone] == [n * 1024 for n in range(len(tone))]


async def test_one_loop_may_stand_under_many_paths(film: Film, randomness: CountedRandomness) -> None:
    replay = Replay(film, SystemClock())
    cameras = {f"camera-{number}": replay for number in range(3)}
    async with serve_simulators(cameras, "127.0.0.1", 0, randomness) as server:
        for path in cameras:
            client = await RtspClient.to(server.url(path))
            assert (await client.ask("DESCRIBE")).status == 200
            await client.set_up("RTP/AVP/TCP;unicast")
            await client.ask("PLAY")
            found: list[int] = []
            async with asyncio.timeout(DEADLINE_S):
                while not found:
                    found = find_canary((await client.frame()).payload, CANARY)
            await client.close()
    assert server.connections == 0


async def test_the_login_is_really_wanted(randomness: CountedRandomness) -> None:
    camera = CameraSimulator(1, CANARY, SystemClock(), SMALL)
    async with serve_simulators({"yard": camera}, "127.0.0.1", 0, randomness, Login("eve", "äpple")) as server:
        client = await RtspClient.to(server.url("yard"))
        assert (await client.ask("DESCRIBE")).status == 401
        assert (await client.ask("DESCRIBE", **basic("eve", "apple"))).status == 401
        assert (await client.ask("DESCRIBE", **basic("eve", "äpple"))).status == 200
        nowhere = await client.ask("DESCRIBE", server.url("nowhere"), **basic("eve", "äpple"))
        assert (nowhere.status, nowhere.headers["x-problem"]) == (404, "rtsp-no-such-presentation")
        await client.close()


def test_a_thread_serves_beside_a_program_without_a_loop(tmp_path_factory: pytest.TempPathFactory) -> None:
    certificate, key = make_certificate(tmp_path_factory.mktemp("tls"))
    camera = CameraSimulator(1, CANARY, SystemClock(), SMALL)

    async def look(url: str) -> tuple[int, bool]:
        client = await RtspClient.to(url, client_context(certificate))
        status = (await client.ask("DESCRIBE")).status
        simulators.hang_up()
        was_reset = await client.is_over()
        await client.close()
        return status, was_reset

    tls = server_context(certificate, key)
    with SimulatorThread({"yard": camera}, CountedRandomness(), tls=tls) as simulators:
        assert simulators.url("yard").startswith("rtsps://127.0.0.1:")
        assert asyncio.run(look(simulators.url("yard"))) == (200, True)


def test_an_address_that_is_taken_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        camera = CameraSimulator(1, CANARY, SystemClock(), SMALL)
        with pytest.raises(OSError, match="address already in use"):
            with SimulatorThread({"yard": camera}, CountedRandomness(), port=port):
                pytest.fail("it cannot be served")

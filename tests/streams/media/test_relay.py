"""The relay against cameras that misbehave: each gets a typed reason, and no secret goes anywhere it should not."""

import asyncio
import hashlib
import ipaddress
import ssl
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from streams.address import parse_address
from streams.media.demux import DemuxPool
from streams.media.faults import Fault, SourceFailed
from streams.media.packets import UNREAD_US
from streams.media.relay import Connected, Pacer, Relay, RelayLimits
from streams.media.wire import PRIVATE_NETWORKS, Trust
from tests.given.heard import Listening
from tests.given.loose_clock import LooseClock
from tests.given.randomness import CountedRandomness
from tests.given.scripted_camera import (
    AUDIO,
    HEAD,
    VIDEO,
    Conversation,
    Handler,
    RtpTrack,
    filmed,
    frames_of,
    scripted_camera,
)
from tests.given.tls import make_certificate, server_context
from vms_privacy.clock import SystemClock

SHORT = RelayLimits(answer_s=0.5, stall_s=0.3, keep_alive_s=0.1, gulp_s=0.01)


def relay(limits: RelayLimits = SHORT, trust: Trust | None = None) -> Relay:
    return Relay(SystemClock(), CountedRandomness(), trust or Trust(), limits=limits)


async def fault_of(handler: Handler, url: str = "{url}") -> SourceFailed:
    async with scripted_camera(handler) as camera:
        with pytest.raises(SourceFailed) as caught:
            await relay().connect(parse_address(url.format(url=camera.url, port=camera.port)))
    return caught.value


def answering(status: str, headers: str = "", body: str = "") -> Handler:
    async def handle(camera: Conversation) -> None:
        _, sequence = await camera.question()
        await camera.answer(sequence, status, headers, body)
        await camera.until_gone()

    return handle


def saying(data: bytes) -> Handler:
    async def handle(camera: Conversation) -> None:
        await camera.question()
        await camera.send(data)
        await camera.until_gone()

    return handle


def described(sdp: str) -> Handler:
    return answering("200 OK", "Content-Type: application/sdp\r\n", sdp)


@pytest.mark.parametrize(
    ("handler", "fault"),
    [
        (saying(b"HTTP/1.1 200 OK\r\n\r\n"), Fault.GARBAGE),
        (saying(bytes(range(256)) * 4), Fault.GARBAGE),
        (saying(b"RTSP/1.0 200 OK\r\nX: " + b"a" * 1024 * 1024), Fault.HEAD_TOO_LARGE),
        (saying(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 1000000\r\n\r\n"), Fault.BODY_TOO_LARGE),
        (saying(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: many\r\n\r\n"), Fault.GARBAGE),
        (saying(b"RTSP/1.0 200 OK\r\nno colon here\r\n\r\n"), Fault.GARBAGE),
        (saying(b"RTSP/1.0 999 Odd\r\n\r\n"), Fault.GARBAGE),
        (answering("302 Found", "Location: rtsp://192.0.2.1:80/\r\n"), Fault.REDIRECT_REFUSED),
        (answering("301 Moved", "Location: http://example.org/\r\n"), Fault.REDIRECT_REFUSED),
        (answering("404 Not Found"), Fault.REFUSED_BY_CAMERA),
        (answering("403 Forbidden"), Fault.WRONG_PASSWORD),
        (answering("200 OK"), Fault.GARBAGE),
        (described("hello"), Fault.GARBAGE),
        (described(HEAD), Fault.NO_VIDEO),
        (described(HEAD + AUDIO), Fault.NO_VIDEO),
        (described(HEAD + "m=video 0 RTP/AVP 26\r\n"), Fault.UNSUPPORTED_CODEC),
        (described(HEAD + VIDEO.replace("control:video", "control:rtsp://192.0.2.1/x")), Fault.REDIRECT_REFUSED),
        (described(HEAD + VIDEO.replace("control:video", "control:rtsp://127.0.0.1:1/x")), Fault.REDIRECT_REFUSED),
    ],
)
async def test_an_answer_that_cannot_be_taken_is_named(handler: Handler, fault: Fault) -> None:
    failed = await fault_of(handler)
    assert failed.fault is fault
    assert "127.0.0.1" not in str(failed)


async def test_an_unsupported_codec_is_named_in_words() -> None:
    failed = await fault_of(described(HEAD + "m=video 0 RTP/AVP 98\r\na=rtpmap:98 MP4V-ES/90000\r\n"))
    assert (failed.fault, "mpeg4" in failed.detail) == (Fault.UNSUPPORTED_CODEC, True)


async def test_a_redirect_is_not_followed_even_to_itself() -> None:
    async with scripted_camera(answering("302 Found", "Location: rtsp://127.0.0.1/again\r\n")) as camera:
        with pytest.raises(SourceFailed):
            await relay().connect(parse_address(camera.url))
        assert len(camera.conversations) == 1
        assert camera.asked.count("DESCRIBE") == 1


async def test_a_camera_that_never_answers_is_unreachable() -> None:
    async def handle(camera: Conversation) -> None:
        await camera.until_gone()

    assert (await fault_of(handle)).fault is Fault.UNREACHABLE


async def test_nobody_listening_is_unreachable() -> None:
    async with scripted_camera(answering("200 OK")) as camera:
        url = camera.url
    with pytest.raises(SourceFailed) as caught:
        await relay().connect(parse_address(url))
    assert caught.value.fault is Fault.UNREACHABLE


async def test_a_camera_that_hangs_up_says_so() -> None:
    async def handle(camera: Conversation) -> None:
        await camera.question()

    assert (await fault_of(handle)).fault is Fault.ENDED_BY_CAMERA


def guarded(challenge: str, accepts: str) -> Handler:
    async def handle(camera: Conversation) -> None:
        while True:
            method, sequence = await camera.question()
            if accepts not in camera.asked[-1]:
                await camera.answer(sequence, "401 Unauthorized", f"WWW-Authenticate: {challenge}\r\n")
            elif method == "DESCRIBE":
                await camera.answer(sequence, body=HEAD + VIDEO)
            else:
                transport = "Transport: RTP/AVP/TCP;interleaved=0-1\r\n"
                await camera.answer(sequence, headers=f"Session: 1\r\n{transport}")

    return handle


async def test_the_password_is_sent_only_when_it_is_asked_for() -> None:
    async with scripted_camera(guarded('Basic realm="x"', "Basic ZXZlOmFwcDpsZQ==")) as camera:
        address = parse_address(f"rtsp://eve:app%3Ale@127.0.0.1:{camera.port}/cam")
        connected = await relay().connect(address)
        connected.link.leave()
        first, *later = camera.conversations[0].asked
        assert "Authorization" not in first
        assert all("Authorization: Basic" in head for head in later if not head.startswith("left"))
        assert "eve" not in camera.asked


async def test_a_wrong_password_is_not_sent_twice() -> None:
    async with scripted_camera(guarded('Digest realm="x", nonce="n"', "never")) as camera:
        with pytest.raises(SourceFailed) as caught:
            await relay().connect(parse_address(f"rtsp://eve:secret@127.0.0.1:{camera.port}/cam"))
        assert caught.value.fault is Fault.WRONG_PASSWORD
        assert camera.asked.count("Authorization: Digest") == 1
        assert "secret" not in camera.asked + str(caught.value)


async def test_no_password_where_one_is_wanted_is_a_wrong_one() -> None:
    assert (await fault_of(guarded('Basic realm="x"', "never"))).fault is Fault.WRONG_PASSWORD


async def test_a_way_of_asking_that_we_do_not_know_is_said() -> None:
    failed = await fault_of(guarded("Negotiate", "never"), "rtsp://eve:x@127.0.0.1:{port}/cam")
    assert (failed.fault, "way we do not know" in failed.detail) == (Fault.WRONG_PASSWORD, True)


async def test_an_address_outside_the_allowed_networks_is_not_connected_to() -> None:
    asked = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["192.0.2.7", "169.254.169.254"]

    careful = Relay(SystemClock(), CountedRandomness(), Trust(), PRIVATE_NETWORKS, SHORT, resolve)
    with pytest.raises(SourceFailed) as caught:
        await careful.connect(parse_address("rtsp://camera.example.org/cam"))
    assert caught.value.fault is Fault.ADDRESS_NOT_ALLOWED
    assert asked == ["camera.example.org"]


async def test_of_several_addresses_only_an_allowed_one_is_taken() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["192.0.2.7", "127.0.0.1"]

    async with scripted_camera(lambda camera: camera.until_play()) as camera:
        networks = [ipaddress.ip_network("127.0.0.0/8")]
        careful = Relay(SystemClock(), CountedRandomness(), Trust(), networks, SHORT, resolve)
        connected = await careful.connect(parse_address(f"rtsp://camera.example.org:{camera.port}/cam"))
        connected.link.leave()
        assert connected.link.wire.peer == "127.0.0.1"


async def test_a_name_that_nobody_knows_is_unreachable() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    careful = Relay(SystemClock(), CountedRandomness(), Trust(), PRIVATE_NETWORKS, SHORT, resolve)
    with pytest.raises(SourceFailed) as caught:
        await careful.connect(parse_address("rtsp://camera.example.org/cam"))
    assert caught.value.fault is Fault.UNREACHABLE


async def encrypted_fault(
    context: ssl.SSLContext, trust: Trust, pin: str | None, host: str = "127.0.0.1"
) -> Fault | None:
    async with scripted_camera(lambda camera: camera.until_play(), tls=context) as camera:
        address = parse_address(f"rtsps://eve:secret@{host}:{camera.port}/cam")
        try:
            connected = await relay(trust=trust).connect(address, pin)
        except SourceFailed as failed:
            assert not camera.asked
            return failed.fault
        connected.link.leave()
        return None


async def test_a_certificate_is_verified_or_pinned_before_anything_is_said(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    context = server_context(certificate, key)
    pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).hexdigest()
    assert await encrypted_fault(context, Trust(), None) is Fault.TLS_NOT_VERIFIED
    assert await encrypted_fault(context, Trust(), "0" * 64) is Fault.TLS_NOT_VERIFIED
    assert await encrypted_fault(context, Trust(), pin) is None
    assert await encrypted_fault(context, Trust(certificate), None) is None
    assert await encrypted_fault(context, Trust(certificate), None, host="localhost") is Fault.TLS_NOT_VERIFIED


async def test_an_old_tls_is_refused(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    context = server_context(certificate, key)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert await encrypted_fault(context, Trust(certificate), None) is Fault.TLS_NOT_VERIFIED


async def test_rtsps_towards_a_camera_that_does_not_encrypt_is_not_verified() -> None:
    async def handle(camera: Conversation) -> None:
        await camera.send(b"RTSP/1.0 200 OK\r\n\r\n")
        await camera.until_gone()

    async with scripted_camera(handle) as camera:
        with pytest.raises(SourceFailed) as caught:
            await relay().connect(parse_address(f"rtsps://127.0.0.1:{camera.port}/cam"))
        assert caught.value.fault is Fault.TLS_NOT_VERIFIED


async def streamed(handler: Handler, limits: RelayLimits = SHORT) -> tuple[SourceFailed, Listening, str]:
    """Play a camera until it fails; return why, what was heard of it, and what it was asked."""
    clock = SystemClock()
    pool = DemuxPool(clock)
    pacer = Pacer(limits.gulp_s, pool.flush)
    pacing = asyncio.get_running_loop().create_task(pacer.run())
    over: asyncio.Future[SourceFailed] = asyncio.get_running_loop().create_future()
    heard = Listening()
    try:
        async with scripted_camera(handler) as camera:
            reaching = relay(limits)
            connected: Connected = await reaching.connect(parse_address(camera.url))
            channel = pool.open("camera", connected.plan, heard)
            pump = await reaching.play(connected, channel, over.set_result)
            pacer.add(pump)
            ended = asyncio.create_task(heard.until_over())
            either: set[asyncio.Future[Any]] = {ended, over}
            await asyncio.wait(either, timeout=20, return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            pump.stop()
            failed = over.result() if over.done() else SourceFailed(heard.fault or Fault.UNREACHABLE, heard.detail)
            return failed, heard, camera.asked
    finally:
        pacing.cancel()
        pool.close()


async def test_pictures_come_through_whole_and_in_order_until_the_camera_hangs_up() -> None:
    _, pictures = filmed(2.0, noise=4000)

    async def handle(camera: Conversation) -> None:
        await camera.until_play()
        for frames in frames_of(RtpTrack(0, 96), pictures):
            await camera.send(frames)
        await camera.send(b"$\x01\x00\x08\x80\xcb\x00\x01\x01\x02\x03\x04")
        await camera.until_gone()

    failed, heard, asked = await streamed(handle, RelayLimits(gulp_s=0.01))
    assert failed.fault is Fault.ENDED_BY_CAMERA
    assert [packet.pts for packet in heard.packets] == [one.pts - pictures[0][1].pts for _, one in pictures]
    assert asked.count("PLAY ") == 1


async def test_a_camera_that_sends_nothing_has_stalled() -> None:
    async def handle(camera: Conversation) -> None:
        await camera.until_play()
        await camera.until_gone()

    failed, _, _ = await streamed(handle)
    assert failed.fault is Fault.STALLED


async def test_a_camera_that_sends_everything_but_video_has_stalled() -> None:
    async def handle(camera: Conversation) -> None:
        await camera.until_play()
        while not camera.writer.is_closing():
            await camera.send(RtpTrack(0, 96).report(1_894_708_800_000_000, 0))
            await asyncio.sleep(0.02)

    failed, _, _ = await streamed(handle)
    assert failed.fault is Fault.STALLED


async def test_garbage_in_the_middle_of_a_stream_ends_it() -> None:
    async def handle(camera: Conversation) -> None:
        await camera.until_play()
        await camera.send(RtpTrack(0, 96).frame(b"\x09\xf0", 0, marker=False) + b"\x00\x01\x02\x03" * 100)
        await camera.until_gone()

    failed, _, _ = await streamed(handle)
    assert failed.fault is Fault.GARBAGE


async def test_a_camera_hears_from_us_while_it_streams() -> None:
    async def handle(camera: Conversation) -> None:
        await camera.until_play()
        track = RtpTrack(0, 96)
        for _ in range(3):
            sending = asyncio.create_task(keep_sending(camera, track))
            _, sequence = await camera.question()
            sending.cancel()
            await camera.answer(sequence, "501 Not Implemented")

    _, _, asked = await streamed(handle, RelayLimits(stall_s=5, keep_alive_s=0.1, gulp_s=0.01))
    assert "OPTIONS" in asked
    assert "GET_PARAMETER" in asked


async def test_a_clock_that_is_set_ends_the_connection_so_that_nothing_is_placed_in_a_wrong_time() -> None:
    clock = LooseClock()
    pool = DemuxPool(clock)
    faults: list[Fault] = []

    async def handle(camera: Conversation) -> None:
        await camera.until_play()
        await keep_sending(camera, RtpTrack(0, 96))

    try:
        async with scripted_camera(handle) as camera:
            reaching = Relay(clock, CountedRandomness(), Trust())
            connected = await reaching.connect(parse_address(camera.url))
            channel = pool.open("camera", connected.plan, Listening())
            pump = await reaching.play(connected, channel, lambda failed: faults.append(failed.fault))
            before_us = pump.arrived_us
            async with asyncio.timeout(10):
                while pump.taken_bytes == 0:
                    clock.forward(timedelta(milliseconds=40))
                    pump.tick()
                    await asyncio.sleep(0.01)
                assert pump.arrived_us > before_us
                assert not faults
                clock.wrong_by = timedelta(hours=-1)
                while not faults:
                    pump.tick()
                    await asyncio.sleep(0.01)
    finally:
        pool.close()
    assert faults == [Fault.CLOCK_STEPPED]
    assert pump.is_over


async def keep_sending(camera: Conversation, track: RtpTrack) -> None:
    while True:
        await camera.send(track.frame(b"\x09\xf0", 0, marker=False))
        await asyncio.sleep(0.01)


def test_nothing_lies_unread_for_longer_than_an_opt_in_reckons_with() -> None:
    assert RelayLimits().gulp_s * 1_000_000 < UNREAD_US

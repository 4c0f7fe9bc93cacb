import asyncio
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from auth.grants.rules import Grant
from auth.principal import Right
from streams.live.channel import LiveLimits
from streams.media.boxes import boxes_in
from streams.media.fragments import FragmentInfo, fragment_info
from streams.media.packets import Track
from tests.given.encoded import START_US, encoded
from tests.given.fragmented import decoded, fragments_of
from tests.given.live_server import LiveServer
from tests.given.media_server import Answer
from tests.given.scripted_source import drawn, plain_epoch
from tests.given.tokens import TokenParts
from vms_privacy.audit.events import Tag
from vms_privacy.consent.rules import WITHOUT_END

S = 1_000_000
INIT = plain_epoch().init[frozenset({Track.VIDEO})]
# Nobody here is too slow, unless the test is about that: media time runs much faster than the clock on the wall.
CALM = LiveLimits(ring_seconds=600, patience_us=600 * S, stall_seconds=60)


def fragments_in(body: bytes) -> list[bytes]:
    """The fragments behind the init segment; the last one may be cut off."""
    assert body.startswith(INIT)
    found = []
    boxes = list(boxes_in(body[len(INIT) :]))
    for moof, mdat in zip(boxes[::2], boxes[1::2], strict=True):
        found.append(body[len(INIT) + moof.start : len(INIT) + mdat.end])
    return found


def infos(body: bytes) -> list[FragmentInfo]:
    return [fragment_info(one) for one in fragments_in(body)]


async def read_to(answer: Answer, seconds: float, body: bytes = b"") -> bytes:
    """Read on until the pictures up to a time have come."""
    while True:
        body += await answer.more()
        at, ended = len(INIT), 0
        while at + 8 <= len(body):
            moof = int.from_bytes(body[at : at + 4], "big")
            mdat = int.from_bytes(body[at + moof : at + moof + 4], "big")
            if len(body) < at + moof + 8 or len(body) < at + moof + mdat:
                break
            info = fragment_info(body[at : at + moof + mdat])
            ended = info.decode_time + info.duration
            at += moof + mdat
        if ended >= seconds * 90_000:
            return body


async def read_until(answer: Answer, octets: int) -> bytes:
    body = b""
    while len(body) < octets:
        body += await answer.more()
    return body


@pytest.mark.needs("ffmpeg")
async def test_ffmpeg_plays_the_endless_file_from_the_newest_key_picture_to_the_end(
    parts: TokenParts, token: str, tmp_path: Path
) -> None:
    made = encoded(9.0, bframes=2)
    async with LiveServer(parts, CALM) as server:
        server.source.begin(made.epoch())
        server.source.send(made.packets[:130])
        await server.until(lambda: server.channel.ring.newest_us > 0)
        file = tmp_path / "watched.mp4"
        command = ["ffmpeg", "-v", "warning", "-i", server.url(f"live.mp4?token={token}"), "-c", "copy", str(file)]
        playing = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE)
        async with asyncio.timeout(60):
            await server.sent(1)
            server.source.send(made.packets[130:])
            server.source.flush()
            await server.sent(sum(len(packet.data) for packet in made.packets[100:]))
            server.source.end()
            _, told = await playing.communicate()
    assert (playing.returncode, told.decode()) == (0, "")
    assert len(decoded(file)) == 225 - 100
    (ended,) = parts.events(Tag.MEDIA_ENDED)
    assert ended.reason == "media-over"


async def test_every_fragment_comes_once_in_order_with_its_own_bytes(parts: TokenParts, token: str) -> None:
    async with LiveServer(parts, CALM) as server:
        server.source.begin(plain_epoch())
        server.source.send(drawn(3))
        await server.until(lambda: server.channel.ring.view().newest_key is not None)
        async with server.asking(f"live.mp4?token={token}") as answer:
            body = await read_until(answer, len(INIT) + 1)
            server.source.send(drawn(30, start_s=3, gop_s=1))
            server.source.flush()
            body = await read_to(answer, 33, body)
            server.source.end()
            assert await answer.rest() == b""
            assert answer.is_complete
    made = fragments_of(plain_epoch(), [*drawn(3), *drawn(30, start_s=3, gop_s=1)])
    assert fragments_in(body) == [one.data for one in made if one.decode_time >= 2 * 90_000]
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["cache-control"] == "no-store"


async def test_a_viewer_begins_with_the_next_key_picture_of_a_camera_that_has_none_yet(
    parts: TokenParts, token: str
) -> None:
    async with LiveServer(parts, CALM) as server:
        async with server.asking(f"live.mp4?token={token}") as answer:
            assert answer.status == 200
            server.source.begin(plain_epoch())
            server.source.send(list(drawn(3.5))[20:])
            body = await read_to(answer, 2.4)
    assert infos(body)[0].decode_time == 2 * 90_000
    assert infos(body)[0].starts_with_key


async def test_a_slow_viewer_is_brought_forward_and_the_audit_says_how_far(parts: TokenParts, token: str) -> None:
    async with LiveServer(parts, LiveLimits(stall_seconds=60)) as server:
        server.source.begin(plain_epoch())
        server.source.send(drawn(3, octets=20_000))
        await server.until(lambda: server.channel.ring.view().newest_key is not None)
        async with server.asking(f"live.mp4?token={token}", buffer=4096) as answer:
            body = await answer.more()
            for second in range(3, 63):
                server.source.send(drawn(1, start_s=second, gop_s=1, octets=20_000))
            server.source.flush()
            await server.until(lambda: server.channel.ring.newest_us == START_US + 63 * S)
            body = await read_to(answer, 63, body)
        await server.idle()
    times = [one.decode_time for one in infos(body)]
    jumps = [
        (one, after) for one, after in pairwise(infos(body)) if after.decode_time != one.decode_time + one.duration
    ]
    assert len(jumps) == 1
    assert jumps[0][1].starts_with_key
    assert times[-1] >= 60 * 90_000
    assert len(times) < 40
    (event,) = parts.events(Tag.VIEWER_BROUGHT_FORWARD)
    (opened,) = parts.events(Tag.MEDIA_OPENED)
    assert '"dropped_fragments":' in event.detail
    assert event.camera_id == opened.camera_id == parts.camera.camera_id


async def test_a_slow_viewer_costs_nobody_else_a_fragment(parts: TokenParts, token: str) -> None:
    async with LiveServer(parts, CALM) as server:
        server.source.begin(plain_epoch())
        server.source.send(drawn(3, octets=5_000))
        await server.until(lambda: server.channel.ring.view().newest_key is not None)
        async with (
            server.asking(f"live.mp4?token={token}", buffer=4096) as slow,
            server.asking(f"live.mp4?token={token}") as quick,
        ):
            await slow.more()
            body = b""
            for second in range(3, 43):
                server.source.send(drawn(1, start_s=second, gop_s=1, octets=5_000))
                body = await read_to(quick, second + 0.4, body)
            server.source.flush()
            body = await read_to(quick, 43, body)
    seen = infos(body)
    assert seen[0].decode_time == 2 * 90_000
    assert seen[-1].decode_time + seen[-1].duration == 43 * 90_000
    assert all(after.decode_time == one.decode_time + one.duration for one, after in pairwise(seen))


async def test_a_viewer_who_takes_nothing_is_cut(parts: TokenParts, token: str) -> None:
    async with LiveServer(parts, LiveLimits(stall_seconds=0.1)) as server:
        server.source.begin(plain_epoch())
        server.source.send(drawn(3, octets=100_000))
        await server.until(lambda: server.channel.ring.view().newest_key is not None)
        async with server.asking(f"live.mp4?token={token}", buffer=4096) as answer:
            server.source.send(drawn(2, start_s=3, octets=100_000))
            await server.idle()
            assert await answer.until_cut() < 1_000_000
    (ended,) = parts.events(Tag.MEDIA_ENDED)
    assert ended.reason == "silence"


async def test_a_withdrawal_cuts_one_viewer_within_a_second_and_the_other_loses_nothing(parts: TokenParts) -> None:
    withdrawn = parts.access.grant(parts.viewer, [Right.LIVE], parts.camera.camera_id)
    first = parts.issue(parts.viewer, purpose="live_view").handle
    second = parts.issue(parts.owner, purpose="live_view").handle
    async with LiveServer(parts, CALM) as server:
        server.source.begin(plain_epoch())
        server.source.send(drawn(3, octets=20_000))
        await server.until(lambda: server.channel.ring.view().newest_key is not None)
        async with (
            server.asking(f"live.mp4?token={first}") as gone,
            server.asking(f"live.mp4?token={second}") as stays,
        ):
            await read_until(gone, len(INIT) + 1)
            body = await read_until(stays, len(INIT) + 1)
            await asyncio.to_thread(parts.withdraw_grant, withdrawn)
            server.source.send(drawn(2, start_s=3, octets=20_000))
            async with asyncio.timeout(1):
                assert await gone.until_cut() <= 25 * 20_000 + 5_000
            server.source.flush()
            body = await read_to(stays, 5, body)
    seen = infos(body)
    assert (seen[0].decode_time, seen[-1].decode_time + seen[-1].duration) == (2 * 90_000, 5 * 90_000)
    (cut,) = parts.events(Tag.MEDIA_CUT)
    assert cut.reason == "no-longer-allowed"


async def test_a_withdrawal_throws_away_what_a_stalled_viewer_has_not_taken(
    parts: TokenParts, grant: Grant, token: str
) -> None:
    async with LiveServer(parts, CALM) as server:
        server.source.begin(plain_epoch())
        server.source.send(drawn(3, octets=100_000))
        await server.until(lambda: server.channel.ring.view().newest_key is not None)
        async with server.asking(f"live.mp4?token={token}", buffer=4096) as answer:
            await answer.more()
            await asyncio.to_thread(parts.withdraw_grant, grant)
            await server.idle()
            assert await answer.until_cut() < 400_000


async def test_a_reconnect_of_the_camera_does_not_end_the_file(parts: TokenParts, token: str, tmp_path: Path) -> None:
    made = encoded(4.0, bframes=2, gop=25)
    async with LiveServer(parts, CALM) as server:
        server.source.begin(made.epoch())
        server.source.send(made.packets)
        await server.until(lambda: server.channel.ring.view().newest_key is not None)
        async with server.asking(f"live.mp4?token={token}") as answer:
            body = await answer.more()
            server.source.begin(made.epoch(2))
            server.source.send(made.later(10))
            server.source.flush()
            sizes = [len(one.data) for one in fragments_of(made.epoch(), made.packets)]
            body += await read_until(answer, sum(sizes) + sum(sizes[-3:]) - 1)
    file = tmp_path / "watched.mp4"
    file.write_bytes(body)
    assert len(decoded(file)) == 25 + 100


async def test_new_parameters_end_the_file_cleanly_and_the_next_one_begins_with_them(
    parts: TokenParts, token: str, tmp_path: Path
) -> None:
    small, large = encoded(4.0, bframes=2), encoded(4.0, size=(320, 192))
    async with LiveServer(parts, CALM) as server:
        server.source.begin(small.epoch())
        server.source.send(small.packets)
        await server.until(lambda: server.channel.ring.view().newest_key is not None)
        async with server.asking(f"live.mp4?token={token}") as answer:
            first = await answer.more()
            server.source.begin(large.epoch(2))
            server.source.send(large.later(4))
            first += await answer.rest()
            assert answer.is_complete
        async with server.asking(f"live.mp4?token={token}") as answer:
            second = await answer.more()
            server.source.flush()
            last = [len(one.data) for one in fragments_of(large.epoch(), large.packets)][-5:]
            second += await read_until(answer, sum(last) - 1)
            server.source.end()
            assert await answer.rest() == b""
    for name, body, size in (("small", first, (160, 96)), ("large", second, (320, 192))):
        file = tmp_path / f"{name}.mp4"
        file.write_bytes(body)
        assert set(decoded(file)) == {size}
    assert [one.reason for one in parts.events(Tag.MEDIA_ENDED)] == ["media-over", "media-over"]


async def test_sound_is_sent_only_while_it_is_opted_in(parts: TokenParts, token: str) -> None:
    both = plain_epoch(audio=True).init[frozenset(Track)]
    async with LiveServer(parts, CALM) as server:
        server.source.begin(plain_epoch(audio=True))
        server.source.send(drawn(3, audio=True))
        await server.until(lambda: server.channel.ring.view().newest_key is not None)
        async with server.asking(f"live.mp4?token={token}") as mute:
            body = await read_until(mute, len(INIT) + 1)
            assert {one.track_id for one in infos(body)} == {1}
            server.heard[parts.camera.camera_id] = WITHOUT_END
            server.live.consent_changed(parts.camera.camera_id)
            await asyncio.sleep(0)
            server.source.send(drawn(4, start_s=3, audio=True))
            body += await mute.rest()
            assert {one.track_id for one in infos(body)} == {1}
        async with server.asking(f"live.mp4?token={token}") as loud:
            body = await read_until(loud, len(both) + 3_000)
            assert body.startswith(both)
            assert b"audio" in body
            server.heard.clear()
            await asyncio.to_thread(server.live.consent_changed, parts.camera.camera_id)
            rest = await loud.until_cut()
            assert rest < 20_000
        server.source.send(drawn(4, start_s=7, audio=True))
        await server.until(lambda: server.channel.ring.held_bytes > 0)
        async with server.asking(f"live.mp4?token={token}") as mute:
            body = await read_until(mute, len(INIT) + 1)
            assert {one.track_id for one in infos(body)} == {1}


async def test_whoever_leaves_ends_the_session(parts: TokenParts, token: str) -> None:
    async with LiveServer(parts, CALM) as server:
        server.source.begin(plain_epoch())
        server.source.send(drawn(3))
        await server.until(lambda: server.channel.ring.view().newest_key is not None)
        async with server.asking(f"live.mp4?token={token}") as answer:
            await answer.more()
            assert len(parts.sessions.of_operator(parts.operator_id)) == 1
        await server.idle()
        assert parts.sessions.of_operator(parts.operator_id) == []
    (ended,) = parts.events(Tag.MEDIA_ENDED)
    assert ended.reason == "client-left"


async def test_a_camera_that_was_never_started_leaves_no_session_behind(parts: TokenParts, token: str) -> None:
    async with LiveServer(parts, CALM) as server:
        server.live.stop(parts.camera.camera_id)
        assert (await server.get(f"live.mp4?token={token}"))[0] == 503
        assert parts.sessions.of_operator(parts.operator_id) == []


async def test_a_viewer_who_waits_for_a_camera_that_is_stopped_gets_an_empty_file(
    parts: TokenParts, token: str
) -> None:
    async with LiveServer(parts, CALM) as server:
        async with server.asking(f"live.mp4?token={token}") as answer:
            server.live.stop(parts.camera.camera_id)
            assert await answer.rest() == b""
            assert answer.is_complete

"""HLS of recorded footage over a real socket: every picture once, whatever lies between them."""

import asyncio
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from streams.media.packets import Track
from tests.given.encoded import Encoded, encoded
from tests.given.fragmented import decoded, fragments_of, probed, stamps
from tests.given.playback_server import NOON_S, PlaybackServer, groups, reconnected
from tests.given.tokens import TokenParts


async def _written(tmp_path: Path, body: bytes) -> Path:
    file = tmp_path / "played.mp4"
    await asyncio.to_thread(file.write_bytes, body)
    return file


def _record(server: PlaybackServer, made: Encoded, seconds: int = 4) -> None:
    for group in groups(made, seconds):
        server.vault.record(server.door, made.epoch(), group)


async def test_a_player_gets_from_the_token_to_every_picture_of_one_segment(
    server: PlaybackServer, token: str, tmp_path: Path
) -> None:
    made = encoded(8.0, bframes=2, audio=True, gop=25)
    server.vault.record(server.door, made.epoch(), fragments_of(made.epoch(), made.packets))
    server.later(timedelta(seconds=20))
    async with server:
        played = await server.pieces(f"archive-{NOON_S}-20.m3u8?token={token}")
        file = await _written(tmp_path, await played.played(server))
    found = await asyncio.to_thread(probed, file)
    assert found["video"] == stamps(made.packets)
    assert sorted(found["audio"]) == stamps(made.packets, Track.AUDIO)
    assert len(await asyncio.to_thread(decoded, file)) == 200
    assert len(played.uris) == 4
    assert "#EXT-X-PLAYLIST-TYPE:VOD\n" in played.text
    assert played.text.endswith("#EXT-X-ENDLIST\n")
    assert "#EXT-X-PROGRAM-DATE-TIME:2030-01-15T12:00:00.000Z\n" in played.text


async def test_several_segments_of_one_run_are_one_timeline(server: PlaybackServer, token: str, tmp_path: Path) -> None:
    made = encoded(12.0, bframes=2, gop=25)
    _record(server, made)
    server.later(timedelta(seconds=20))
    async with server:
        played = await server.pieces(f"archive-{NOON_S}-20.m3u8?token={token}")
        file = await _written(tmp_path, await played.played(server))
    assert (len(played.timelines), len(played.inits), len(played.uris)) == (1, 1, 6)
    assert (await asyncio.to_thread(probed, file))["video"] == stamps(made.packets)


async def test_a_seek_begins_with_the_key_picture_before_it(server: PlaybackServer, token: str, tmp_path: Path) -> None:
    made = encoded(12.0, gop=50)
    _record(server, made)
    server.later(timedelta(seconds=20))
    async with server:
        played = await server.pieces(f"archive-{NOON_S + 5}-3.m3u8?token={token}")
        file = await _written(tmp_path, await played.played(server))
    first, *_, last = (await asyncio.to_thread(probed, file))["video"]
    assert first == (4 * 90_000, 4 * 90_000)
    assert last[0] == 8 * 90_000 - 3_600
    assert "#EXT-X-PROGRAM-DATE-TIME:2030-01-15T12:00:04.000Z\n" in played.text


async def test_a_reconnect_begins_a_timeline_and_both_play_whole(
    server: PlaybackServer, token: str, tmp_path: Path
) -> None:
    made = encoded(4.0, gop=25)
    later = fragments_of(made.epoch(), reconnected(made, 30))
    server.vault.record(server.door, made.epoch(), fragments_of(made.epoch(), made.packets))
    server.vault.record(server.door, made.epoch(), later, run="run-2")
    server.later(timedelta(seconds=60))
    async with server:
        played = await server.pieces(f"archive-{NOON_S}-60.m3u8?token={token}")
        bodies = [await played.played(server, timeline) for timeline in (0, 1)]
    assert len(played.timelines) == 2
    # The same coding: a second address for it would make many players believe that it changes.
    assert len(played.inits) == 1
    assert "#EXT-X-PROGRAM-DATE-TIME:2030-01-15T12:00:30.000Z\n" in played.text
    # Both on the wall clock, so that nothing goes back where the camera's stamps began anew.
    for body, begins_s in zip(bodies, (NOON_S, NOON_S + 30), strict=True):
        file = await _written(tmp_path, body)
        moved = [(dts + begins_s * 90_000, pts + begins_s * 90_000) for dts, pts in stamps(made.packets)]
        assert (await asyncio.to_thread(probed, file))["video"] == moved


async def test_new_parameters_begin_a_timeline_with_an_init_segment_of_their_own(
    server: PlaybackServer, token: str, tmp_path: Path
) -> None:
    small, large = encoded(4.0, gop=25), encoded(4.0, gop=25, size=(320, 192))
    server.vault.record(server.door, small.epoch(1), fragments_of(small.epoch(1), small.packets))
    server.vault.record(server.door, large.epoch(2), fragments_of(large.epoch(2), large.later(4)))
    server.later(timedelta(seconds=60))
    async with server:
        played = await server.pieces(f"archive-{NOON_S}-60.m3u8?token={token}")
        bodies = [await played.played(server, number, number) for number in (0, 1)]
    assert (len(played.timelines), len(played.inits)) == (2, 2)
    for body, size in zip(bodies, ((160, 96), (320, 192)), strict=True):
        file = await _written(tmp_path, body)
        assert set(await asyncio.to_thread(decoded, file)) == {size}


async def test_a_hole_in_a_run_begins_a_timeline(server: PlaybackServer, token: str) -> None:
    made = encoded(12.0, gop=25)
    first, _, third = groups(made, 4)
    server.vault.record(server.door, made.epoch(), first)
    server.vault.record(server.door, made.epoch(), third)
    server.later(timedelta(seconds=60))
    async with server:
        played = await server.pieces(f"archive-{NOON_S}-60.m3u8?token={token}")
    assert [len(timeline) for timeline in played.timelines] == [2, 2]
    assert len(played.inits) == 1


async def test_a_growing_segment_plays_as_far_as_it_has_grown(
    server: PlaybackServer, token: str, tmp_path: Path
) -> None:
    made = encoded(12.0, gop=25)
    first, second, third = groups(made, 4)
    server.vault.record(server.door, made.epoch(), first)
    server.vault.grow(server.door, made.epoch(), second)
    server.later(timedelta(seconds=9))
    path = f"archive-{NOON_S}-60.m3u8?token={token}"
    async with server:
        early = await server.pieces(path)
        body = await early.played(server)
        await asyncio.to_thread(server.vault.add, server.door, third)
        late = await server.pieces(path)
        await asyncio.to_thread(server.vault.close, server.door)
        # What was listed while it grew plays on from the closed and delivered file.
        assert await early.played(server) == body
        whole = await (await server.pieces(path)).played(server)
        assert await late.played(server) == whole
    file = await _written(tmp_path, body)
    assert (await asyncio.to_thread(probed, file))["video"] == stamps(made.packets)[:200]
    file = await _written(tmp_path, whole)
    assert (await asyncio.to_thread(probed, file))["video"] == stamps(made.packets)


async def test_nested_addresses_carry_the_session_and_never_the_token(
    server: PlaybackServer, parts: TokenParts, token: str
) -> None:
    made = encoded(8.0, gop=25)
    _record(server, made)
    async with server:
        path = f"archive-{NOON_S}-20.m3u8?token={token}"
        played = await server.pieces(path)
        (session,) = parts.sessions.of_operator(parts.operator_id)
        again = await server.pieces(path)
        assert parts.sessions.of_operator(parts.operator_id) == [session]
    assert played.text == again.text
    assert all(uri.endswith(f"?s={session.key}") for uri in played.uris + played.inits)
    assert token not in played.text


async def test_no_answer_may_be_kept_or_told_to_others(server: PlaybackServer, token: str) -> None:
    made = encoded(8.0, gop=25)
    _record(server, made)
    async with server:
        played = await server.pieces(f"archive-{NOON_S}-20.m3u8?token={token}")
        paths = (f"archive-{NOON_S}-20.m3u8?token={token}", played.inits[0], played.uris[0])
        files = (f"archive-{NOON_S}-20.mp4?token={token}", f"ranges.json?token={token}")
        for path in (*paths, *files, f"recording_status.json?token={token}"):
            status, headers, _ = await server.get(path)
            assert status == 200
            assert headers["cache-control"] == "no-store"
            assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize("apart", [0.0, 30.0], ids=["unbroken", "over a reconnect"])
async def test_ffmpeg_plays_the_playlist_from_the_address_alone(
    server: PlaybackServer, token: str, tmp_path: Path, apart: float
) -> None:
    made = encoded(6.0, gop=25, bframes=2, audio=True)
    server.vault.record(server.door, made.epoch(), fragments_of(made.epoch(), made.packets))
    if apart:
        later = fragments_of(made.epoch(), reconnected(made, apart))
        server.vault.record(server.door, made.epoch(), later, run="run-2")
    server.later(timedelta(seconds=60))
    async with server:
        file = tmp_path / "recorded.mp4"
        url = server.url(f"archive-{NOON_S}-60.m3u8?token={token}")
        command = [
            "ffmpeg",
            "-v",
            "warning",
            "-i",
            url,
            "-fps_mode",
            "passthrough",
            "-c:v",
            "libx264",
            "-c:a",
            "aac",
            str(file),
        ]
        playing = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE)
        async with asyncio.timeout(60):
            _, told = await playing.communicate()
    assert (playing.returncode, told.decode()) == (0, "")
    assert len(await asyncio.to_thread(decoded, file)) == (300 if apart else 150)

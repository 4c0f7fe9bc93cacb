"""One MP4 over a span of recorded footage, over a real socket: every picture once, and the wall clock kept."""

import asyncio
from datetime import timedelta
from pathlib import Path

from archive.errors import NoFootage
from streams.media.packets import Track
from tests.given.clock import HandClock
from tests.given.encoded import Encoded, encoded
from tests.given.fragmented import decoded, fragments_of, probed, stamps
from tests.given.media_server import DEADLINE_S
from tests.given.playback_server import NOON_S, PlaybackServer, groups, outcome, reconnected
from tests.given.tokens import TokenParts
from vms_privacy.audit.events import Tag


async def _video(tmp_path: Path, body: bytes) -> list[tuple[int, int]]:
    """The stamps of the pictures of a film, none of which ffmpeg has a word about."""
    file = tmp_path / "film.mp4"
    await asyncio.to_thread(file.write_bytes, body)
    await asyncio.to_thread(decoded, file)
    return (await asyncio.to_thread(probed, file))["video"]


def _record(server: PlaybackServer, made: Encoded, seconds: int = 4) -> None:
    for group in groups(made, seconds):
        server.vault.record(server.door, made.epoch(), group)


async def test_a_film_over_several_segments_has_every_picture_and_sound_once(
    server: PlaybackServer, token: str, tmp_path: Path
) -> None:
    made = encoded(12.0, bframes=2, audio=True, gop=25)
    _record(server, made)
    server.later(timedelta(seconds=20))
    async with server:
        body = await server.film(f"archive-{NOON_S}-20.mp4?token={token}")
    assert await _video(tmp_path, body) == stamps(made.packets)
    found = await asyncio.to_thread(probed, tmp_path / "film.mp4")
    assert len(found["audio"]) == len(stamps(made.packets, Track.AUDIO))


async def test_a_film_begins_at_the_key_picture_before_and_at_nought(
    server: PlaybackServer, token: str, tmp_path: Path
) -> None:
    made = encoded(12.0, gop=50)
    _record(server, made)
    server.later(timedelta(seconds=20))
    async with server:
        body = await server.film(f"archive-{NOON_S + 5}-3.mp4?token={token}")
    seen = await _video(tmp_path, body)
    assert (seen[0], seen[-1]) == ((0, 0), (4 * 90_000 - 3_600, 4 * 90_000 - 3_600))
    assert len(seen) == 100


async def test_a_gap_in_the_recording_is_as_long_in_the_film(
    server: PlaybackServer, token: str, tmp_path: Path
) -> None:
    made = encoded(4.0, gop=25, bframes=2)
    server.vault.record(server.door, made.epoch(), fragments_of(made.epoch(), made.packets))
    again = fragments_of(made.epoch(), reconnected(made, 30))
    server.vault.record(server.door, made.epoch(), again, run="run-2")
    server.later(timedelta(seconds=60))
    async with server:
        body = await server.film(f"archive-{NOON_S}-60.mp4?token={token}")
    late = 30 * 90_000
    expected = stamps(made.packets) + [(dts + late, pts + late) for dts, pts in stamps(made.packets)]
    assert await _video(tmp_path, body) == expected


async def test_new_parameters_in_a_film_are_decoded(server: PlaybackServer, token: str, tmp_path: Path) -> None:
    small, large = encoded(4.0, gop=25), encoded(4.0, gop=25, size=(320, 192))
    server.vault.record(server.door, small.epoch(1), fragments_of(small.epoch(1), small.packets))
    server.vault.record(server.door, large.epoch(2), fragments_of(large.epoch(2), large.later(4)))
    server.later(timedelta(seconds=60))
    async with server:
        body = await server.film(f"archive-{NOON_S}-60.mp4?token={token}")
    assert len(await _video(tmp_path, body)) == 200
    sizes = await asyncio.to_thread(decoded, tmp_path / "film.mp4")
    assert sizes == [(160, 96)] * 100 + [(320, 192)] * 100


async def test_a_film_takes_what_the_growing_segment_has(server: PlaybackServer, token: str, tmp_path: Path) -> None:
    made = encoded(8.0, gop=25)
    first, second = groups(made, 4)
    server.vault.record(server.door, made.epoch(), first)
    server.vault.grow(server.door, made.epoch(), second)
    server.later(timedelta(seconds=9))
    async with server:
        body = await server.film(f"archive-{NOON_S}-60.mp4?token={token}")
    assert await _video(tmp_path, body) == stamps(made.packets)


async def test_a_film_that_was_taken_whole_ends_its_session_with_its_bytes(
    server: PlaybackServer, parts: TokenParts, token: str
) -> None:
    _record(server, encoded(8.0, gop=25))
    async with server:
        body = await server.film(f"archive-{NOON_S}-20.mp4?token={token}")
        await server.idle()
    (opened,) = parts.events(Tag.MEDIA_OPENED)
    (ended,) = parts.events(Tag.MEDIA_ENDED)
    assert outcome(ended) == ("media-over", len(body))
    assert (opened.operator_id, opened.camera_id) == (parts.operator_id, parts.camera.camera_id)


async def test_two_downloads_at_once_share_a_session_that_ends_with_the_last(
    server: PlaybackServer, parts: TokenParts, token: str
) -> None:
    made = encoded(8.0, gop=25, size=(320, 192), noise=60_000)
    _record(server, made)
    path = f"archive-{NOON_S}-20.mp4?token={token}"
    async with server:
        async with server.asking(path, buffer=4096) as slow:
            begun = await slow.more()
            quick = await server.film(path)
            assert len(parts.sessions.of_operator(parts.operator_id)) == 1
            whole = begun + await slow.rest()
        await server.idle()
    assert whole == quick
    (ended,) = parts.events(Tag.MEDIA_ENDED)
    assert outcome(ended) == ("media-over", 2 * len(whole))


async def test_the_end_of_one_download_does_not_end_another_that_is_being_made_ready(
    server: PlaybackServer, parts: TokenParts, token: str
) -> None:
    made = encoded(8.0, gop=25, size=(320, 192), noise=60_000)
    _record(server, made)
    path = f"archive-{NOON_S}-20.mp4?token={token}"
    store = server.vault.store
    async with server:
        async with server.asking(path, buffer=4096) as first:
            await first.more()
            (session,) = parts.sessions.of_operator(parts.operator_id)
            store.gate.clear()
            second = asyncio.create_task(server.film(path))
            await asyncio.to_thread(store.waiting.acquire)
        async with asyncio.timeout(DEADLINE_S):
            while len(session._cuts) > 1:
                await asyncio.sleep(0.01)
        # The first one has left; the second has not sent a byte yet.
        assert parts.sessions.of_operator(parts.operator_id) == [session]
        store.gate.set()
        assert len(await second) > 1_000_000
        await server.idle()
    (ended,) = parts.events(Tag.MEDIA_ENDED)
    assert ended.reason == "media-over"


async def test_whoever_leaves_one_download_for_another_gets_it_in_a_session_of_its_own(
    server: PlaybackServer, parts: TokenParts, token: str
) -> None:
    _record(server, encoded(8.0, gop=25))
    async with server:
        # The first download ends the session in the moment in which the second has found it.
        server.entry.ends_the_next = True
        body = await server.film(f"archive-{NOON_S}-20.mp4?token={token}")
        await server.idle()
    assert [outcome(one) for one in parts.events(Tag.MEDIA_ENDED)] == [("client-left", 0), ("media-over", len(body))]


async def test_a_film_of_nothing_leaves_no_session_behind(
    server: PlaybackServer, parts: TokenParts, token: str
) -> None:
    _record(server, encoded(8.0, gop=25))
    async with server:
        status, _, body = await server.get(f"archive-{NOON_S + 100}-20.mp4?token={token}")
        assert (status, NoFootage.code in body.decode()) == (404, True)
        assert parts.sessions.of_operator(parts.operator_id) == []


async def test_whoever_leaves_a_film_ends_its_session(server: PlaybackServer, parts: TokenParts, token: str) -> None:
    made = encoded(8.0, gop=25, size=(320, 192), noise=60_000)
    _record(server, made)
    async with server:
        async with server.asking(f"archive-{NOON_S}-20.mp4?token={token}", buffer=4096) as answer:
            await answer.more()
        await server.idle()
    (ended,) = parts.events(Tag.MEDIA_ENDED)
    assert ended.reason == "client-left"


async def test_whoever_takes_nothing_of_a_film_is_cut_and_little_is_held_for_them(
    parts: TokenParts, clock: HandClock, tmp_path: Path, token: str
) -> None:
    made = encoded(8.0, gop=25, size=(320, 192), noise=60_000)
    server = PlaybackServer(parts, clock, tmp_path, stall_seconds=0.2)
    _record(server, made)
    size = sum(len(fragment.data) for fragment in fragments_of(made.epoch(), made.packets))
    async with server:
        async with server.asking(f"archive-{NOON_S}-20.mp4?token={token}", buffer=4096) as answer:
            await server.idle()
            assert await answer.until_cut() < size // 2
    (ended,) = parts.events(Tag.MEDIA_ENDED)
    assert ended.reason == "silence"
    assert outcome(ended)[1] < size // 2


async def test_the_bytes_of_a_film_cannot_be_asked_for_in_ranges(server: PlaybackServer, token: str) -> None:
    _record(server, encoded(8.0, gop=25))
    async with server:
        _, headers, _ = await server.get(f"archive-{NOON_S}-20.mp4?token={token}")
    assert headers["accept-ranges"] == "none"
    assert "content-length" not in headers

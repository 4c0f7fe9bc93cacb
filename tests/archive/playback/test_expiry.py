"""What has expired, was destroyed or withdrawn is gone from that very moment, over every way to look at it (P4, P8)."""

import asyncio
from datetime import datetime, timedelta

from auth.grants.rules import Grant
from streams.media.packets import Track
from tests.given.clock import NOON
from tests.given.encoded import Encoded, encoded
from tests.given.fragmented import fragments_of
from tests.given.playback_server import NOON_S, PlaybackServer, Playlist, groups, outcome
from tests.given.tokens import TokenParts
from vms_privacy.audit.events import Tag

KEEP = timedelta(seconds=20)
MICROSECOND = timedelta(microseconds=1)


def _record(server: PlaybackServer, made: Encoded, seconds: int = 4, keep: timedelta = KEEP) -> None:
    for group in groups(made, seconds):
        server.vault.record(server.door, made.epoch(), group, keep=keep)


def _until(server: PlaybackServer, moment: datetime) -> None:
    server.later(moment - server.clock.now())


async def _statuses(server: PlaybackServer, played: Playlist) -> list[int]:
    return [(await server.get(uri))[0] for uri in played.uris]


async def test_each_piece_is_gone_from_its_very_microsecond_and_the_next_one_still_there(
    server: PlaybackServer, token: str
) -> None:
    _record(server, encoded(8.0, gop=25), seconds=8)
    async with server:
        played = await server.pieces(f"archive-{NOON_S}-20.m3u8?token={token}")
        _until(server, NOON + KEEP - timedelta(seconds=5))
        assert await _statuses(server, played) == [200, 200, 200, 200]
        for gone in range(4):
            _until(server, NOON + KEEP + timedelta(seconds=2 * gone) - MICROSECOND)
            assert await _statuses(server, played) == [410] * gone + [200] * (4 - gone)
            _until(server, NOON + KEEP + timedelta(seconds=2 * gone))
            assert await _statuses(server, played) == [410] * (gone + 1) + [200] * (3 - gone)
            status, headers, body = await server.get(played.uris[0])
            assert (status, headers["content-type"]) == (410, "application/problem+json")
            assert b'"code":"footage-is-gone"' in body
        assert [(await server.get(uri))[0] for uri in played.inits] == [200]
        # The last picture expires two seconds after the first of its piece.
        _until(server, NOON + KEEP + timedelta(seconds=8))
        assert [(await server.get(uri))[0] for uri in played.inits] == [410]


async def test_a_picture_inside_of_a_piece_is_judged_by_its_own_time(server: PlaybackServer, token: str) -> None:
    made = encoded(8.0, gop=50)
    segment_id = server.vault.record(server.door, made.epoch(), fragments_of(made.epoch(), made.packets), keep=KEEP)
    async with server:
        played = await server.pieces(f"archive-{NOON_S}-20.m3u8?token={token}")
        key = played.uris[0].split("?s=")[1]
        _until(server, NOON + KEEP + timedelta(seconds=0.5))
        uris = [f"archive/{segment_id}/{place}-{place}.m4s?s={key}" for place in range(3)]
        assert [(await server.get(uri))[0] for uri in uris] == [410, 410, 200]
        assert (await server.get(f"archive/{segment_id}/1-3.m4s?s={key}"))[0] == 410


async def test_lists_and_films_begin_with_what_is_left(server: PlaybackServer, token: str) -> None:
    _record(server, encoded(8.0, gop=25))
    async with server:
        _until(server, NOON + KEEP + timedelta(seconds=3))
        played = await server.pieces(f"archive-{NOON_S}-20.m3u8?token={server.token(server.parts.owner)}")
        # Of what is cut off, the next key picture that is still readable begins.
        assert "#EXT-X-PROGRAM-DATE-TIME:2030-01-15T12:00:04.000Z\n" in played.text
        assert "12:00:02" not in played.text


async def test_a_span_that_has_expired_is_gone_and_one_never_recorded_was_never_there(
    server: PlaybackServer, parts: TokenParts
) -> None:
    _record(server, encoded(8.0, gop=25))
    async with server:
        _until(server, NOON + KEEP + timedelta(seconds=20))
        token = server.token(parts.owner)
        for kind in ("m3u8", "mp4"):
            status, _, body = await server.get(f"archive-{NOON_S}-8.{kind}?token={token}")
            assert (status, b'"code":"footage-is-gone"' in body) == (410, True)
            status, _, body = await server.get(f"archive-{NOON_S - 500}-8.{kind}?token={token}")
            assert (status, b'"code":"no-footage"' in body) == (404, True)
        await asyncio.to_thread(server.vault.eraser.sweep)
        # Also once the rows are all that is left.
        status, _, body = await server.get(f"archive-{NOON_S}-8.m3u8?token={token}")
        assert (status, b'"code":"footage-is-gone"' in body) == (410, True)


async def test_what_the_sweep_destroyed_is_gone_and_its_neighbour_plays_on(server: PlaybackServer, token: str) -> None:
    _record(server, encoded(12.0, gop=25))
    async with server:
        played = await server.pieces(f"archive-{NOON_S}-20.m3u8?token={token}")
        _until(server, NOON + KEEP + timedelta(seconds=4.1))
        report = await asyncio.to_thread(server.vault.eraser.sweep)
        assert (len(report.erased), report.failed) == (1, {})
        assert await _statuses(server, played) == [410, 410, 410, 200, 200, 200]
        assert (await server.get(played.inits[0]))[0] == 200


async def test_a_key_destroyed_while_a_playlist_is_played_ends_its_pieces_alone(
    server: PlaybackServer, token: str
) -> None:
    _record(server, encoded(12.0, gop=25))
    async with server:
        played = await server.pieces(f"archive-{NOON_S}-20.m3u8?token={token}")
        assert await _statuses(server, played) == [200] * 6
        await asyncio.to_thread(server.vault.destroy_key)
        bodies = [await server.get(uri) for uri in played.uris]
    assert {status for status, _, _ in bodies} == {410}
    assert all(b'"code":"key-is-destroyed"' in body for _, _, body in bodies)


async def test_a_film_that_runs_into_expiry_is_cut_and_does_not_look_whole(
    server: PlaybackServer, parts: TokenParts, token: str
) -> None:
    made = encoded(8.0, gop=25, size=(320, 192), noise=60_000)
    _record(server, made, keep=timedelta(seconds=10))
    async with server:
        async with server.asking(f"archive-{NOON_S}-20.mp4?token={token}", buffer=4096) as answer:
            await answer.more()
            server.later(timedelta(seconds=9))
            server.later(timedelta(seconds=9))
            await answer.until_cut()
        await server.idle()
    (ended,) = parts.events(Tag.MEDIA_CUT)
    assert ended.reason == "media-broken-off"


async def test_no_piece_goes_out_behind_the_moment_in_which_its_picture_expires(
    server: PlaybackServer, parts: TokenParts, token: str
) -> None:
    """Also a fragment that is half sent: what is cut off is the rest of it."""
    made = encoded(2.0, gop=50, size=(640, 384), noise=240_000)
    segment_id = server.vault.record(
        server.door, made.epoch(), fragments_of(made.epoch(), made.packets), keep=timedelta(seconds=10)
    )
    sizes = [len(fragment.data) for fragment in fragments_of(made.epoch(), made.packets)]
    async with server:
        played = await server.pieces(f"archive-{NOON_S}-20.m3u8?token={token}")
        key = played.uris[0].split("?s=")[1]
        async with server.asking(f"archive/{segment_id}/0-3.m4s?s={key}", buffer=4096) as answer:
            taken = len(await answer.more())
            server.later(timedelta(seconds=10))
            taken += await answer.until_cut()
    assert sizes[0] > 900_000
    # What the kernel and the event loop may hold, and what the client had taken.
    assert taken < (128 + 64 + 16) * 1024


async def test_shorter_retention_cuts_a_film_within_half_a_second(
    server: PlaybackServer, parts: TokenParts, token: str
) -> None:
    made = encoded(8.0, gop=25, size=(320, 192), noise=60_000)
    _record(server, made, keep=timedelta(hours=72))
    server.later(timedelta(seconds=9))
    async with server:
        async with server.asking(f"archive-{NOON_S}-20.mp4?token={token}", buffer=4096) as answer:
            await answer.more()
            await asyncio.to_thread(server.vault.shorten, server.door, timedelta(seconds=5))
            server.later(timedelta(seconds=0.5))
            assert await answer.until_cut() < 1_000_000
        await server.idle()
    (ended,) = parts.events(Tag.MEDIA_CUT)
    assert ended.reason == "media-broken-off"


async def test_a_withdrawn_right_cuts_a_film_and_the_neighbour_gets_it_whole(
    server: PlaybackServer, parts: TokenParts, grant: Grant, token: str
) -> None:
    made = encoded(8.0, gop=25, size=(320, 192), noise=60_000)
    _record(server, made)
    other = server.token(parts.owner)
    async with server:
        path = f"archive-{NOON_S}-20.mp4"
        async with (
            server.asking(f"{path}?token={token}", buffer=4096) as gone,
            server.asking(f"{path}?token={other}", buffer=4096) as stays,
        ):
            await gone.more()
            begun = await stays.more()
            await asyncio.to_thread(parts.withdraw_grant, grant)
            async with asyncio.timeout(1):
                assert await gone.until_cut() < 400_000
            whole = begun + await stays.rest()
        await server.idle()
    (cut,) = parts.events(Tag.MEDIA_CUT)
    (ended,) = parts.events(Tag.MEDIA_ENDED)
    assert cut.reason == "no-longer-allowed"
    assert outcome(ended) == ("media-over", len(whole))
    assert len(whole) > sum(len(one.data) for one in made.of(Track.VIDEO))


async def test_a_withdrawn_right_ends_a_playlist_at_once(
    server: PlaybackServer, parts: TokenParts, grant: Grant, token: str
) -> None:
    _record(server, encoded(8.0, gop=25))
    async with server:
        played = await server.pieces(f"archive-{NOON_S}-20.m3u8?token={token}")
        body = await server.body_of(played.uris[0])
        await asyncio.to_thread(parts.withdraw_grant, grant)
        assert await _statuses(server, played) == [401] * 4
        assert (await server.get(played.inits[0]))[0] == 401
        assert (await server.get(f"archive-{NOON_S}-20.m3u8?token={token}"))[0] == 401
        await server.idle()
    (cut,) = parts.events(Tag.MEDIA_CUT)
    assert outcome(cut) == ("no-longer-allowed", len(body))


async def test_who_stops_asking_is_written_down_with_what_they_got(
    server: PlaybackServer, parts: TokenParts, token: str
) -> None:
    _record(server, encoded(8.0, gop=25))
    async with server:
        played = await server.pieces(f"archive-{NOON_S}-20.m3u8?token={token}")
        octets = len(await played.played(server))
        await server.settled()
        server.later(timedelta(seconds=31))
        assert await server.rejudge() == 0
        assert (await server.get(played.uris[0]))[0] == 401
    (ended,) = parts.events(Tag.MEDIA_ENDED)
    assert outcome(ended) == ("silence", octets)

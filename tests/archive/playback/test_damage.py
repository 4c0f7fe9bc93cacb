"""Damaged footage: its piece says so without a byte of media, and everything around it plays on."""

import asyncio
import shutil
from datetime import timedelta

import pytest

from archive.segments.rules import Place
from tests.given.encoded import encoded
from tests.given.fragmented import fragments_of
from tests.given.playback_server import NOON_S, PlaybackServer, groups, outcome
from tests.given.tokens import TokenParts
from vms_privacy.audit.events import Tag

PLAYLIST, FILM = f"archive-{NOON_S}-20.m3u8", f"archive-{NOON_S}-20.mp4"
PIECES = 6


def _record(server: PlaybackServer) -> list[str]:
    """Three segments of two pieces each."""
    made = encoded(12.0, gop=25)
    ids = [server.vault.record(server.door, made.epoch(), group) for group in groups(made, 4)]
    server.later(timedelta(seconds=20))
    return [str(one) for one in ids]


async def _told(server: PlaybackServer, uris: list[str]) -> list[tuple[int, str]]:
    """Status and content type of each, after the answer was taken whole."""
    answers = [await server.get(uri) for uri in uris]
    return [(status, headers["content-type"]) for status, headers, _ in answers]


FINE, BROKEN = (200, "video/mp4"), (500, "application/problem+json")


async def test_a_changed_bit_in_a_piece_spoils_that_piece_alone(server: PlaybackServer, token: str) -> None:
    _record(server)
    async with server:
        played = await server.pieces(f"{PLAYLIST}?token={token}")
        segment_id, first = server.vault.named(played.uris[2])
        server.vault.damage_fragment(segment_id, first)
        assert await _told(server, played.uris) == [FINE, FINE, BROKEN, FINE, FINE, FINE]
        _, headers, body = await server.get(played.uris[2])
        assert b'"code":"sealed-file-damaged-chunk"' in body
        assert (headers["content-type"], b"moof" in body) == ("application/problem+json", False)
        # A player that asks again for what is listed anew gets the same answers.
        again = await server.pieces(f"{PLAYLIST}?token={token}")
        assert again.text == played.text


@pytest.mark.parametrize(("offset", "code"), [(0, "not-sealed"), (20, "foreign"), (60, "wrong-key"), (-1, "stale")])
async def test_a_damaged_head_or_end_spoils_a_segment_and_the_others_are_listed(
    server: PlaybackServer, token: str, offset: int, code: str
) -> None:
    _record(server)
    async with server:
        played = await server.pieces(f"{PLAYLIST}?token={token}")
        segment_id, _ = server.vault.named(played.uris[2])
        server.vault.damage(segment_id, offset)
        assert await _told(server, played.uris) == [FINE, FINE, BROKEN, BROKEN, FINE, FINE]
        assert f'"code":"sealed-file-{code}"'.encode() in (await server.get(played.uris[2]))[2]
        server.vault.footage.forget(segment_id)
        again = await server.pieces(f"{PLAYLIST}?token={token}")
    assert again.uris == played.uris[:2] + played.uris[4:]
    assert [len(timeline) for timeline in again.timelines] == [2, 2]


async def test_a_file_that_was_swapped_for_another_of_the_same_camera_is_refused(
    server: PlaybackServer, token: str
) -> None:
    _record(server)
    async with server:
        played = await server.pieces(f"{PLAYLIST}?token={token}")
        one, other = (server.vault.path(server.vault.named(uri)[0]) for uri in (played.uris[0], played.uris[4]))
        await asyncio.to_thread(shutil.copy, one, other)
        assert await _told(server, played.uris) == [FINE, FINE, FINE, FINE, BROKEN, BROKEN]


async def test_a_file_cut_short_is_refused(server: PlaybackServer, token: str) -> None:
    _record(server)
    async with server:
        played = await server.pieces(f"{PLAYLIST}?token={token}")
        path = server.vault.path(server.vault.named(played.uris[4])[0])
        await asyncio.to_thread(path.write_bytes, path.read_bytes()[:-100])
        assert await _told(server, played.uris) == [FINE, FINE, FINE, FINE, BROKEN, BROKEN]


async def test_a_film_that_begins_damaged_is_refused_before_its_first_byte(
    server: PlaybackServer, parts: TokenParts, token: str
) -> None:
    _record(server)
    async with server:
        played = await server.pieces(f"{PLAYLIST}?token={token}")
        server.vault.damage_fragment(*server.vault.named(played.uris[0]))
        status, headers, body = await server.get(f"{FILM}?token={token}")
        assert (status, headers["content-type"]) == BROKEN
        assert b"moof" not in body
    assert [session.protocol for session in parts.sessions.of_operator(parts.operator_id)] == ["hls"]


async def test_a_film_that_comes_to_damage_is_cut_there(server: PlaybackServer, parts: TokenParts, token: str) -> None:
    _record(server)
    async with server:
        whole = await server.film(f"{FILM}?token={token}")
        played = await server.pieces(f"{PLAYLIST}?token={token}")
        server.vault.damage_fragment(*server.vault.named(played.uris[3]))
        async with server.asking(f"{FILM}?token={token}") as answer:
            taken = await answer.until_cut()
        await asyncio.to_thread(parts.sessions.write_ends)
    assert 0 < taken < len(whole)
    (cut,) = parts.events(Tag.MEDIA_CUT)
    assert outcome(cut) == ("media-broken-off", taken)


async def test_a_damaged_key_in_the_row_is_damage_too(server: PlaybackServer, token: str) -> None:
    _record(server)
    async with server:
        played = await server.pieces(f"{PLAYLIST}?token={token}")
        await asyncio.to_thread(server.vault.damage_wrap, server.vault.named(played.uris[0])[0])
        assert await _told(server, played.uris) == [BROKEN, BROKEN, FINE, FINE, FINE, FINE]
        assert b'"code":"wrap-is-damaged"' in (await server.get(played.uris[0]))[2]


async def test_a_store_that_is_away_is_said_to_be_away_and_nothing_is_lost(server: PlaybackServer, token: str) -> None:
    _record(server)
    folder = server.vault.folder
    async with server:
        played = await server.pieces(f"{PLAYLIST}?token={token}")
        await asyncio.to_thread(folder.rename, folder.with_name("unplugged"))
        status, _, body = await server.get(played.uris[0])
        assert (status, b'"code":"store-unavailable"' in body) == (503, True)
        status, _, _ = await server.get(f"{FILM}?token={token}")
        assert status == 503
        await asyncio.to_thread(folder.with_name("unplugged").rename, folder)
        assert await _told(server, played.uris) == [FINE] * PIECES


async def test_footage_that_waits_in_the_spool_plays_like_any_other(server: PlaybackServer, token: str) -> None:
    made = encoded(8.0, gop=25, audio=True)
    fragments = fragments_of(made.epoch(), made.packets)
    segment_id = server.vault.record(server.door, made.epoch(), fragments, place=Place.SPOOL)
    async with server:
        played = await server.pieces(f"{PLAYLIST}?token={token}")
        body = await played.played(server)
        await asyncio.to_thread(server.vault.deliver, segment_id)
        assert await played.played(server) == body
    assert body.endswith(b"".join(one.data for one in fragments))

"""Which times can be played: no more than a token reaches, and nothing that has expired."""

import json
from datetime import timedelta

import pytest

from archive.segments.rules import Place
from tests.given.clock import NOON
from tests.given.encoded import encoded
from tests.given.fragmented import fragments_of
from tests.given.playback_server import NOON_S, PlaybackServer, groups, reconnected
from tests.given.tokens import TokenParts
from vms_privacy.audit.events import Tag

KEEP = timedelta(seconds=60)
NOON_MS = NOON_S * 1000


def _record(server: PlaybackServer) -> None:
    """From noon for eight seconds in two segments, and for four from 12:00:30 on."""
    made, later = encoded(8.0, gop=25), encoded(4.0, gop=25)
    for group in groups(made, 4):
        server.vault.record(server.door, made.epoch(), group, keep=KEEP)
    again = fragments_of(later.epoch(), reconnected(later, 30))
    server.vault.record(server.door, later.epoch(), again, run="run-2", keep=KEEP)
    server.later(timedelta(seconds=40))


async def _ranges(server: PlaybackServer, path: str) -> list[tuple[float, float]]:
    """Seconds behind noon."""
    status, headers, body = await server.get(path)
    assert (status, headers["content-type"]) == (200, "application/json")
    return [
        ((one["opened_at"] - NOON_MS) / 1000, (one["closed_at"] - NOON_MS) / 1000) for one in json.loads(body)["ranges"]
    ]


async def test_neighbours_are_joined_and_gaps_are_gaps(server: PlaybackServer, token: str) -> None:
    _record(server)
    async with server:
        assert await _ranges(server, f"ranges.json?token={token}") == [(0, 8), (30, 34)]
        status, _, body = await server.get(f"recording_status.json?token={token}")
    assert status == 200
    assert json.loads(body) == [
        {
            "stream": "north/door",
            "ranges": [{"from": NOON_S, "duration": 8}, {"from": NOON_S + 30, "duration": 4}],
        }
    ]


async def test_a_span_cuts_what_reaches_out_of_it(server: PlaybackServer, token: str) -> None:
    _record(server)
    async with server:
        span = f"closed_at_gte={NOON_MS + 2000}&opened_at_lte={NOON_MS + 31_000}"
        assert await _ranges(server, f"ranges.json?token={token}&{span}") == [(2, 8), (30, 31)]
        span = f"closed_at_gte={NOON_MS + 9000}&opened_at_lte={NOON_MS + 20_000}"
        assert await _ranges(server, f"ranges.json?token={token}&{span}") == []
        span = f"closed_at_gte={NOON_MS + 3000}&opened_at_lte={NOON_MS + 3000}"
        assert await _ranges(server, f"ranges.json?token={token}&{span}") == [(3, 3)]


async def test_what_has_expired_is_in_no_range_from_that_very_moment(server: PlaybackServer, token: str) -> None:
    _record(server)
    async with server:
        server.later(NOON + KEEP + timedelta(seconds=3) - server.clock.now())
        ((begins, ends), second) = await _ranges(server, f"ranges.json?token={token}")
        assert (begins, ends, second) == (3, 8, (30, 34))
        server.later(timedelta(seconds=5))
        assert await _ranges(server, f"ranges.json?token={token}") == [(30, 34)]


async def test_the_growing_segment_is_in_the_last_range(server: PlaybackServer, token: str) -> None:
    made = encoded(8.0, gop=25)
    first, second = groups(made, 4)
    server.vault.grow(server.door, made.epoch(), first)
    async with server:
        server.later(timedelta(seconds=10))
        assert await _ranges(server, f"ranges.json?token={token}") == [(0, 4)]
        server.vault.add(server.door, second)
        assert await _ranges(server, f"ranges.json?token={token}") == [(0, 8)]


async def test_a_segment_that_is_closed_while_it_is_looked_for_never_vanishes(
    server: PlaybackServer, token: str
) -> None:
    made = encoded(4.0, gop=25)
    server.vault.grow(server.door, made.epoch(), fragments_of(made.epoch(), made.packets))
    # It is closed after its row was read as growing, and before anybody asks how far it has grown.
    server.vault.before_growing = lambda: server.vault.close(server.door, Place.SPOOL)
    async with server:
        server.later(timedelta(seconds=10))
        assert await _ranges(server, f"ranges.json?token={token}") == [(0, 4)]


@pytest.mark.parametrize("kind", ["m3u8", "mp4"])
async def test_a_segment_that_is_closed_while_it_is_looked_for_is_played(
    server: PlaybackServer, token: str, kind: str
) -> None:
    made = encoded(4.0, gop=25)
    server.vault.grow(server.door, made.epoch(), fragments_of(made.epoch(), made.packets))
    server.vault.before_growing = lambda: server.vault.close(server.door, Place.SPOOL)
    async with server:
        server.later(timedelta(seconds=10))
        status, _, body = await server.get(f"archive-{NOON_S}-4.{kind}?token={token}")
    assert status == 200
    assert len(body) > 500


async def test_a_camera_that_never_recorded_has_no_range(server: PlaybackServer, token: str) -> None:
    async with server:
        assert await _ranges(server, f"ranges.json?token={token}") == []
        assert json.loads((await server.get(f"recording_status.json?token={token}"))[2]) == [
            {"stream": "north/door", "ranges": []}
        ]


async def test_asking_which_times_there_are_opens_no_session(
    server: PlaybackServer, parts: TokenParts, token: str
) -> None:
    _record(server)
    async with server:
        await server.get(f"ranges.json?token={token}")
        await server.get(f"recording_status.json?token={token}")
    assert parts.events(Tag.MEDIA_OPENED) == []

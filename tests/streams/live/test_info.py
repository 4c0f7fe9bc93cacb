"""What a player asks before it starts and every few seconds after; it looks at no picture, so it opens no session."""

from datetime import timedelta

from streams.live.channel import LiveLimits
from tests.given.clock import HandClock
from tests.given.encoded import encoded
from tests.given.live_server import LiveServer
from tests.given.scripted_source import drawn, plain_epoch
from tests.given.tokens import TokenParts
from vms_privacy.audit.events import Tag


async def test_info_says_what_can_be_played(parts: TokenParts, token: str) -> None:
    made = encoded(3.0, audio=True)
    async with LiveServer(parts, LiveLimits()) as server:
        status, _, silent = await server.get(f"info.json?token={token}")
        assert status == 200
        assert b'"status":"waiting","alive":false,"last_dts_at":null' in silent
        server.source.begin(made.epoch())
        server.source.send(made.packets)
        await server.until(lambda: server.channel.ring.held_bytes > 0)
        _, _, body = await server.get(f"info.json?token={token}")
        _, _, tracks = await server.get(f"media_info.json?token={token}")
        assert parts.sessions.of_operator(parts.operator_id) == []
    assert b'"name":"door"' in body
    assert b'"status":"running","alive":true,"last_dts_at":18947088' in body
    assert b'"mseld":false' in body
    assert b'"flow_type":"stream","width":160,"height":96,"tracks":[{"track_id":"v1","content":"video"' in tracks
    assert b'"codec":"h264","rfc6381":"avc1.' in tracks
    # Sound that is not opted in is not even named.
    assert b'"audio"' not in tracks


async def test_whoever_looks_may_ask_after_the_time_to_start_and_nobody_else_may(
    parts: TokenParts, token: str, clock: HandClock
) -> None:
    async with LiveServer(parts, LiveLimits()) as server:
        server.source.begin(plain_epoch())
        server.source.send(drawn(7))
        await server.until(lambda: len(server.channel.ring.listed()) == 3)
        player = await server.get(f"index.m3u8?token={token}")
        for _ in range(12):
            clock.forward(timedelta(seconds=29))
            parts.view.heartbeat()
            assert (await server.get(f"index.m3u8?token={token}"))[2] == player[2]
        asked = [(await server.get(f"{path}?token={token}"))[0] for path in ("info.json", "media_info.json")]
        assert asked == [200, 200]
        assert parts.events(Tag.TOKEN_REFUSED) == []
        # Asking is not looking: it makes no session last longer.
        clock.forward(timedelta(seconds=31))
        parts.view.heartbeat()
        assert (await server.get(f"info.json?token={token}"))[0] == 401
    assert [event.reason for event in parts.events(Tag.TOKEN_REFUSED)] == ["token-expired"]
